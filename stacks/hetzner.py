"""Composition root of a stack of kind `hetzner`."""

import os

import pulumi

from components.substrate.hetzner_snapshots import ObjectStorageKeys
from components.substrate.hetzner_substrate import (
    GoogleSecrets,
    HetznerSubstrate,
    HetznerSubstrateArgs,
)
from stacks.config import ConfigError, HetznerStack, Problem
from stacks.contracts import (
    argo_cd_sign_in,
    dns,
    generated_secrets,
    hetzner_stack_contract,
    hetzner_topology,
    secret_store,
    supplied_secrets,
    workload_federation,
)
from stacks.platform import deploy_platform, export_outputs

TOKEN_VARIABLE = "HCLOUD_TOKEN"  # noqa: S105 - the name of a variable
ACCESS_KEY = "object_storage_access_key"
SECRET_KEY = "object_storage_secret_key"  # noqa: S105 - the name of a setting
SSH_KEY = "gpu_servers_ssh_key"


def deploy(stack: HetznerStack) -> None:
    """Build both trees on Hetzner, and export the outputs.

    Raises:
        ConfigError: there is no token of Hetzner Cloud's API, no keys of an object storage that
            is named, or no SSH key for GPU servers that are joined by SSH.
    """
    substrate = HetznerSubstrate(
        "substrate",
        HetznerSubstrateArgs(
            topology=hetzner_topology(stack),
            token=api_token(),
            secret_store=secret_store(stack),
            domain=stack.platform.domain,
            dns=dns(stack),
            object_storage_keys=(
                None if stack.hetzner.object_storage is None else object_storage_keys()
            ),
            gpu_servers_ssh_key=(
                ssh_key() if any(one.join == "ssh" for one in stack.hetzner.gpu_servers) else None
            ),
            google_secrets=google_secrets(stack),
            high_availability=stack.platform.tier == "prod",
            argo_cd_sign_in=argo_cd_sign_in(stack),
        ),
    )
    export_outputs(substrate.contract, substrate.kubeconfig)
    if substrate.gpu_join_scripts:
        pulumi.export("gpu_join_scripts", dict(substrate.gpu_join_scripts))
    deploy_platform(stack, substrate.contract, substrate.kubernetes_provider, [substrate])


def google_secrets(stack: HetznerStack) -> GoogleSecrets | None:
    """Return the secrets that are kept at Google; None where the cluster keeps its own."""
    federation = workload_federation(stack)
    if federation is None:
        return None
    contract = hetzner_stack_contract(stack)
    prefix = contract.secret_store.prefix
    return GoogleSecrets(
        federation=federation,
        generated=tuple(f"{prefix}{each}" for each in generated_secrets(stack, contract)),
        supplied=tuple(f"{prefix}{each}" for each in supplied_secrets(stack, contract)),
    )


def api_token() -> pulumi.Output[str]:
    """Return the token of Hetzner Cloud's API, as a secret.

    From the encrypted config of the stack, else from the environment, as the provider does it. The
    cluster needs it too: its cloud controller and its CSI driver call the same API.

    Raises:
        ConfigError: it is in neither place.
    """
    return _secret(
        "hcloud:token", TOKEN_VARIABLE, "a read and write token of the Hetzner Cloud project"
    )


def object_storage_keys() -> ObjectStorageKeys:
    """Return what the object storage's requests are signed with, as secrets.

    Each from the encrypted config of the stack, else from the environment. The variables are not
    those of AWS, which may belong to the bucket of the state.

    Raises:
        ConfigError: one is in neither place.
    """
    return ObjectStorageKeys(
        access_key=_secret(
            f"hetzner:{ACCESS_KEY}", ACCESS_KEY.upper(), "the access key of the object storage"
        ),
        secret_key=_secret(
            f"hetzner:{SECRET_KEY}", SECRET_KEY.upper(), "the secret key of the object storage"
        ),
    )


def ssh_key() -> pulumi.Output[str]:
    """Return the private key by which dedicated servers are joined, as a secret.

    From the encrypted config of the stack, else from the environment.

    Raises:
        ConfigError: it is in neither place.
    """
    return _secret(
        f"hetzner:{SSH_KEY}", SSH_KEY.upper(), "a private SSH key that root of GPU servers accepts"
    )


def _secret(key: str, variable: str, what: str) -> pulumi.Output[str]:
    namespace, _, name = key.partition(":")
    configured = pulumi.Config(namespace).get_secret(name)
    if configured is not None:
        return configured
    value = os.environ.get(variable)
    if not value:
        problem = Problem(
            path=key,
            message=f"is not set, and neither is {variable} in the environment",
            allowed=what,
            fix=f"export {variable}=…, or `pulumi config set --secret {key}`",
        )
        raise ConfigError([problem], f"Pulumi.{pulumi.get_stack()}.yaml")
    return pulumi.Output.secret(value)
