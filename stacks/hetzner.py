"""Composition root of a stack of kind `hetzner`."""

import os

import pulumi

from components.substrate.hetzner_substrate import HetznerSubstrate, HetznerSubstrateArgs
from stacks.config import ConfigError, HetznerStack, Problem
from stacks.contracts import argo_cd_sign_in, dns, secret_store
from stacks.platform import deploy_platform, export_outputs

TOKEN_VARIABLE = "HCLOUD_TOKEN"  # noqa: S105 - the name of a variable


def deploy(stack: HetznerStack) -> None:
    """Build both trees on Hetzner, and export the outputs.

    Raises:
        ConfigError: there is no token of Hetzner Cloud's API.
    """
    substrate = HetznerSubstrate(
        "substrate",
        HetznerSubstrateArgs(
            topology=stack.hetzner.topology(),
            token=api_token(),
            secret_store=secret_store(stack),
            domain=stack.platform.domain,
            dns=dns(stack),
            high_availability=stack.platform.tier == "prod",
            argo_cd_sign_in=argo_cd_sign_in(stack),
        ),
    )
    export_outputs(substrate.contract, substrate.kubeconfig)
    deploy_platform(stack, substrate.contract, substrate.kubernetes_provider, [substrate])


def api_token() -> pulumi.Output[str]:
    """Return the token of Hetzner Cloud's API, as a secret.

    From the encrypted config of the stack, else from the environment, as the provider does it. The
    cluster needs it too: its cloud controller and its CSI driver call the same API.

    Raises:
        ConfigError: it is in neither place.
    """
    configured = pulumi.Config("hcloud").get_secret("token")
    if configured is not None:
        return configured
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        problem = Problem(
            path="hcloud:token",
            message=f"is not set, and neither is {TOKEN_VARIABLE} in the environment",
            allowed="a read and write token of the Hetzner Cloud project",
            fix=f"export {TOKEN_VARIABLE}=…, or `pulumi config set --secret hcloud:token`",
        )
        raise ConfigError([problem], f"Pulumi.{pulumi.get_stack()}.yaml")
    return pulumi.Output.secret(token)
