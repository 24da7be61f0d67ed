"""One object for each stack, discriminated on `kind`."""

from typing import Final, Literal

from pydantic import Field

from components.platform.config import (
    Model,
    PlatformConfig,
    Section,
    Tenant,
)
from stacks.config.existing import ExistingConfig
from stacks.config.gke import GkeConfig
from stacks.config.hetzner import HetznerConfig


class SecretsConfig(Section):
    """The `secrets` section: where secret values live. Never a value."""

    store: Literal["google-secret-manager", "kubernetes"] | None = Field(
        default=None,
        description="left out, google-secret-manager on gke and kubernetes elsewhere",
    )
    prefix: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9-]*-)?$",
        max_length=40,
        description="put before every secret id in the store, so that stacks can share one project",
        examples=["staging-"],
    )


class BaseStack(Section):
    """What every kind of stack has."""

    secrets: SecretsConfig = SecretsConfig()
    platform: PlatformConfig = Field(
        examples=[{"gitops": {"repository": "https://github.com/your-org/llmp.git"}}]
    )
    models: tuple[Model, ...] = ()
    tenants: tuple[Tenant, ...] = ()


class GkeStack(BaseStack):
    """A stack that makes a GKE cluster."""

    kind: Literal["gke"]
    gke: GkeConfig


class HetznerStack(BaseStack):
    """A stack that makes a k3s cluster on Hetzner."""

    kind: Literal["hetzner"]
    hetzner: HetznerConfig


class ExistingStack(BaseStack):
    """A stack on a cluster that is already there."""

    kind: Literal["existing"]
    existing: ExistingConfig


Stack = GkeStack | HetznerStack | ExistingStack

STACK_KINDS: Final[dict[str, type[GkeStack] | type[HetznerStack] | type[ExistingStack]]] = {
    "gke": GkeStack,
    "hetzner": HetznerStack,
    "existing": ExistingStack,
}

__all__ = [
    "STACK_KINDS",
    "BaseStack",
    "ExistingStack",
    "GkeStack",
    "HetznerStack",
    "SecretsConfig",
    "Stack",
]
