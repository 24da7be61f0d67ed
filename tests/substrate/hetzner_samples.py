"""Hetzner stacks that the tests share."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pulumi

from components.contract import SecretStore
from components.substrate.hetzner_snapshots import ObjectStorageKeys
from components.substrate.hetzner_substrate import HetznerSubstrate, HetznerSubstrateArgs
from components.substrate.hetzner_topology import HetznerTopology
from stacks.config.hetzner import HetznerConfig

SMALLEST: Final[dict[str, Any]] = {"location": "nbg1", "api_allowed_cidrs": ["203.0.113.0/24"]}
VSWITCH: Final[dict[str, Any]] = {"vswitch": {"id": 4711, "vlan": 4000, "cidr": "10.0.128.0/24"}}
HOST_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMPA/Cv+4gnKKC/6zYFd/brOIvT10Qm+VwcNbvOfIjN6"
WITH_GPU: Final[dict[str, Any]] = {
    **VSWITCH,
    "gpu_servers": [
        {
            "name": "ada-0",
            "model": "GEX44",
            "private_address": "10.0.128.2",
            "address": "203.0.113.20",
            "host_key": HOST_KEY,
        },
        {"name": "pro-0", "model": "GEX131", "private_address": "10.0.128.3", "join": "script"},
    ],
}
TOKEN: Final = "t" * 64
SSH_KEY: Final = "-----BEGIN PRIVATE KEY-----\ntest\n-----END PRIVATE KEY-----\n"
OBJECT_STORAGE: Final[dict[str, Any]] = {
    "object_storage": {
        "endpoint": "nbg1.your-objectstorage.com",
        "region": "nbg1",
        "bucket": "acme-llmp-backups",
    }
}
OBJECT_STORAGE_KEYS: Final = ObjectStorageKeys(
    access_key="an-access-key",
    secret_key="a-secret-key",  # noqa: S106 - a sample
)


def config(changes: Mapping[str, Any] | None = None) -> HetznerConfig:
    """Return the smallest section with some keys changed."""
    return HetznerConfig.model_validate_json(json.dumps({**SMALLEST, **(changes or {})}))


def topology(changes: Mapping[str, Any] | None = None) -> HetznerTopology:
    """Return the topology of the smallest section with some keys changed."""
    return config(changes).topology(tier="cost")


def program(changes: Mapping[str, Any] | None = None) -> Callable[[], None]:
    """Return a program that builds the substrate and exports the kubeconfig."""

    def build() -> None:
        substrate = HetznerSubstrate(
            "substrate",
            HetznerSubstrateArgs(
                topology=topology(changes),
                token=pulumi.Output.secret(TOKEN),
                secret_store=SecretStore(kind="kubernetes"),
                gpu_servers_ssh_key=pulumi.Output.secret(SSH_KEY),
                object_storage_keys=OBJECT_STORAGE_KEYS,
            ),
        )
        pulumi.export("kubeconfig", substrate.kubeconfig)
        pulumi.export("substrate", substrate.contract.to_output())

    return build
