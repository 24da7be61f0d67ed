"""One object for each stack, discriminated on `kind`."""

from typing import Final, Literal

from pydantic import Field, field_validator

from components.names import fit
from components.platform.config import (
    Model,
    PlatformConfig,
    Section,
    Tenant,
)
from components.substrate.workload_federation import WorkloadFederation
from stacks.config.existing import ExistingConfig
from stacks.config.gke import GkeConfig
from stacks.config.hetzner import HetznerConfig

_POOL_MIN: Final = 4
_POOL_MAX: Final = 32
_GOOGLES_OWN: Final = "gcp-"
"""Ids of workload identity pools: 4 to 32 characters, and Google keeps those that start like this
(IAM API, workloadIdentityPools.create)."""


class FederationConfig(Section):
    """How a cluster that is not Google's is known to a Google Cloud project: by its own tokens."""

    project: str = Field(
        pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        description="Google Cloud project that keeps the secrets.",
        examples=["my-project"],
    )
    project_number: int = Field(
        ge=1,
        description="Its number: `gcloud projects describe my-project --format "
        "'value(projectNumber)'` prints it.",
        examples=[123456789012],
    )
    pool: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]+$",
        min_length=_POOL_MIN,
        max_length=_POOL_MAX,
        description="Id of the workload identity pool; left out, <cluster_name>-cluster. Google "
        "keeps the id of a deleted one for 30 days: another stack of that name takes a new one.",
        examples=["llmp-cluster-2"],
    )

    @field_validator("pool")
    @classmethod
    def _pool_is_not_googles(cls, value: str | None) -> str | None:
        if value is not None and value.startswith(_GOOGLES_OWN):
            msg = f"{value} starts with gcp-, which Google keeps to itself; take another id"
            raise ValueError(msg)
        return value

    def federation(self, cluster_name: str) -> WorkloadFederation:
        """Return the same in the form that the substrate takes."""
        return WorkloadFederation(
            project=self.project,
            project_number=self.project_number,
            pool_id=self.pool_id(cluster_name),
        )

    def pool_id(self, cluster_name: str) -> str:
        """Return the id of the pool for a cluster."""
        return fit(f"{cluster_name}-cluster", _POOL_MAX) if self.pool is None else self.pool


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
    federation: FederationConfig | None = Field(
        default=None, description="For store google-secret-manager on kind hetzner, and only there."
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
