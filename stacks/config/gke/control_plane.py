"""The `gke.control_plane` section."""

from pydantic import Field, ValidationInfo, field_validator

from components.platform.config import Section
from components.substrate.gke_topology import (
    ControlPlaneEndpoint,
    ExclusionScope,
    GkeControlPlaneTopology,
    GkeMaintenance,
    GkeMaintenanceExclusion,
    LogSource,
    ReleaseChannel,
    Weekday,
)
from stacks.config.gke.addresses import AuthorizedNetwork


class GkeMaintenanceExclusionConfig(Section):
    """A time in which GKE leaves versions as they are."""

    name: str = Field(examples=["year-end"])
    start: str = Field(description="RFC 3339, UTC", examples=["2026-12-20T00:00:00Z"])
    end: str = Field(description="RFC 3339, UTC", examples=["2027-01-05T00:00:00Z"])
    scope: ExclusionScope = "no_minor_or_node_upgrades"


class GkeMaintenanceConfig(Section):
    """When GKE may upgrade control plane and nodes by itself, in UTC."""

    days: tuple[Weekday, ...] = ("saturday", "sunday")
    start: str = Field(default="02:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    hours: int = Field(default=6, ge=4, le=24)
    exclusions: tuple[GkeMaintenanceExclusionConfig, ...] = ()

    def topology(self) -> GkeMaintenance:
        """Return the same in the form that the substrate takes."""
        return GkeMaintenance(
            days=self.days,
            start=self.start,
            hours=self.hours,
            exclusions=tuple(
                GkeMaintenanceExclusion(
                    name=one.name, start=one.start, end=one.end, scope=one.scope
                )
                for one in self.exclusions
            ),
        )


class GkeControlPlaneConfig(Section):
    """Who reaches the Kubernetes API, and how Google runs it. IAM is always asked as well."""

    endpoint: ControlPlaneEndpoint = Field(
        default="dns",
        description="dns is a name that IAM guards and that works from anywhere; ip is an address "
        "that only authorized_networks reach",
    )
    authorized_networks: tuple[AuthorizedNetwork, ...] = Field(
        default=(),
        validate_default=True,
        description="networks that may reach the address, with endpoint ip",
        examples=[["203.0.113.0/24"]],
    )

    release_channel: ReleaseChannel = Field(
        default="regular", description="How early GKE brings new Kubernetes versions."
    )
    maintenance: GkeMaintenanceConfig = GkeMaintenanceConfig()
    secrets_encryption_key: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="A key of Cloud KMS that is there already: it encrypts Secrets in etcd. "
        "Losing the key loses the cluster.",
        examples=[
            "projects/my-project/locations/us-central1/keyRings/llmp/cryptoKeys/kubernetes-secrets"
        ],
    )
    logs: tuple[LogSource, ...] = Field(
        default=("system", "workloads"), description="Which logs go to Cloud Logging."
    )
    managed_prometheus: bool = Field(
        default=True,
        description="Google's collection of metrics. GKE runs its DCGM exporter only with it, so "
        "without it nothing measures the GPUs.",
    )

    @field_validator("authorized_networks")
    @classmethod
    def _networks_belong_to_an_address(
        cls, value: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        endpoint = info.data.get("endpoint")
        if endpoint == "ip" and not value:
            raise ValueError(
                "nobody reaches an address without networks; list the networks of your operators, "
                "or use endpoint: dns"
            )
        if endpoint == "dns" and value:
            raise ValueError(
                "have no meaning with endpoint dns, where IAM decides; remove them, or set "
                "endpoint: ip"
            )
        return value

    def topology(self) -> GkeControlPlaneTopology:
        """Return the same in the form that the substrate takes."""
        return GkeControlPlaneTopology(
            endpoint=self.endpoint,
            authorized_networks=self.authorized_networks,
            release_channel=self.release_channel,
            maintenance=self.maintenance.topology(),
            secrets_encryption_key=self.secrets_encryption_key,
            logs=self.logs,
            managed_prometheus=self.managed_prometheus,
        )
