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
WITH_GPU: Final[dict[str, Any]] = {
    "gpu": {
        "managed_by": "gpu-operator",
        "products": ["NVIDIA-RTX-4000-SFF-Ada-Generation"],
        "max_gpus": 2,
        "max_gpus_per_node": 1,
    }
}
VSWITCH: Final[dict[str, Any]] = {"vswitch": {"id": 4711, "cidr": "10.0.128.0/24"}}
TOKEN: Final = "t" * 64
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
    return config(changes).topology()


def program(changes: Mapping[str, Any] | None = None) -> Callable[[], None]:
    """Return a program that builds the substrate and exports the kubeconfig."""

    def build() -> None:
        substrate = HetznerSubstrate(
            "substrate",
            HetznerSubstrateArgs(
                topology=topology(changes),
                token=pulumi.Output.secret(TOKEN),
                secret_store=SecretStore(kind="kubernetes"),
                object_storage_keys=OBJECT_STORAGE_KEYS,
            ),
        )
        pulumi.export("kubeconfig", substrate.kubeconfig)
        pulumi.export("substrate", substrate.contract.to_output())

    return build
