"""The `gke` section: a GKE cluster in a network of its own."""

import re
from typing import Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.names import GKE_CLUSTER_MAX
from components.platform.config import Section, Tier
from components.platform.config.base import RemoteSecretId
from components.substrate.gke_topology import GkeTopology
from stacks.config.gke.control_plane import GkeControlPlaneConfig
from stacks.config.gke.network import GkeNetworkConfig
from stacks.config.gke.pools import GkeGpuPoolConfig, GkePlatformPoolConfig
from stacks.config.gke.stores import GkeBackupsConfig, GkeBudgetConfig, GkeRegistryConfig

_REGION: Final = re.compile(r"^[a-z]+(-[a-z]+)+[0-9]+$")
_ZONE: Final = re.compile(r"^[a-z]+(-[a-z]+)+[0-9]+-[a-z]$")

REGIONAL_ZONES: Final = 3
"""Zones that GKE spreads a regional cluster over by default (GKE docs, "Regional clusters")."""


class GkeConfig(Section):
    """The `gke` section."""

    project: str = Field(
        pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        description="Google Cloud project id: 6 to 30 lower case letters, digits and hyphens, a "
        "letter first, no hyphen at the end",
        examples=["my-project"],
    )
    region: str = Field(
        description="Google Cloud region of the network, the registry and the cluster",
        examples=["us-central1"],
    )
    zone: str | None = Field(
        default=None,
        description="A zone makes the control plane and all nodes zonal, which is cheap; leave it "
        "out for a regional control plane.",
        examples=["us-central1-a"],
    )
    cluster_name: str = Field(
        default="llmp",
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=GKE_CLUSTER_MAX,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["llmp"],
    )
    network: GkeNetworkConfig = GkeNetworkConfig()
    control_plane: GkeControlPlaneConfig = GkeControlPlaneConfig()
    platform_pool: GkePlatformPoolConfig = GkePlatformPoolConfig()
    gpu_pools: tuple[GkeGpuPoolConfig, ...] = Field(
        default=(GkeGpuPoolConfig(name="l4", accelerator="nvidia-l4"),),
        description="Pools of GPU nodes; leave them out for one L4 that scales from zero.",
    )
    registry: GkeRegistryConfig = GkeRegistryConfig()
    secret_locations: tuple[str, ...] = Field(
        default=(),
        description="Regions that keep the values of secrets; left out, Google chooses. They "
        "cannot change later: Google refuses other ones until the secrets are deleted, and their "
        "values with them.",
        examples=[["europe-west4"]],
    )
    supplied_secrets: tuple[RemoteSecretId, ...] = Field(
        default=(),
        description="Secrets that people put in for a platform in a stack of its own, which can "
        "make none: their ids, without secrets.prefix. What this stack's own config names is "
        "there anyway.",
        examples=[["hugging-face-token"]],
    )
    backups: GkeBackupsConfig = GkeBackupsConfig()
    create_dns_zone: bool = Field(
        default=False,
        description="Makes the zone of Cloud DNS that platform.dns names, for platform.domain; the "
        "zone above must delegate to the stack output dns_name_servers. false takes one that is "
        "there.",
    )
    edge_address: bool = Field(
        default=False,
        description="Reserves the address of the public edge, so that it stays when the edge is "
        "made anew; stack output edge_address.",
    )
    budget: GkeBudgetConfig | None = Field(default=None, description="Left out, nobody is warned.")
    deletion_protection: bool | None = Field(
        default=None,
        description="Pulumi and Google refuse to delete what holds data while it is true; left "
        "out, true for tier prod.",
    )
    quota_check: bool = Field(
        default=True,
        description="Each preview and up asks Google whether the project's GPU quota holds the "
        "pools, and warns where it does not; it stops nothing. Enables the Cloud Quotas API.",
    )

    @field_validator("region")
    @classmethod
    def _region_is_a_region(cls, value: str) -> str:
        if _ZONE.match(value):
            region = value.rsplit("-", 1)[0]
            raise ValueError(
                f"{value} is a zone; write `region: {region}`, and `zone: {value}` for a cluster "
                "in that zone alone"
            )
        if not _REGION.match(value):
            raise ValueError(f"{value!r} is no region; write one such as us-central1")
        return value

    @field_validator("secret_locations")
    @classmethod
    def _locations_are_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for location in value:
            if not _REGION.match(location):
                raise ValueError(
                    f"{location!r} is no region, and Secret Manager keeps values in regions; write "
                    "one such as europe-west4"
                )
            if value.count(location) > 1:
                raise ValueError(f"{location} stands twice; write each region once")
        return value

    @field_validator("supplied_secrets")
    @classmethod
    def _secrets_are_told_apart(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for secret_id in value:
            if value.count(secret_id) > 1:
                raise ValueError(f"{secret_id} stands twice; write each secret once")
        return value

    @field_validator("zone")
    @classmethod
    def _zone_is_in_the_region(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        if _REGION.match(value):
            raise ValueError(
                f"{value} is a region; leave zone out for a regional control plane, or write a "
                f"zone such as {value}-a"
            )
        if not _ZONE.match(value):
            raise ValueError(f"{value!r} is no zone; write one such as us-central1-a")
        region = info.data.get("region")
        if region is not None and value.rsplit("-", 1)[0] != region:
            raise ValueError(
                f"{value} is not in region {region}; write {region}-a or another zone of it, or "
                f"`region: {value.rsplit('-', 1)[0]}`"
            )
        return value

    @field_validator("platform_pool", "gpu_pools")
    @classmethod
    def _pools_are_in_the_region(
        cls, value: GkePlatformPoolConfig | tuple[GkeGpuPoolConfig, ...], info: ValidationInfo
    ) -> GkePlatformPoolConfig | tuple[GkeGpuPoolConfig, ...]:
        pools = (value,) if isinstance(value, GkePlatformPoolConfig) else value
        for pool in pools:
            of = "" if isinstance(pool, GkePlatformPoolConfig) else f"pool {pool.name}: "
            _check_zones(pool.zones, of, info.data.get("region"))
        return value

    @field_validator("gpu_pools")
    @classmethod
    def _pools_are_told_apart(
        cls, value: tuple[GkeGpuPoolConfig, ...]
    ) -> tuple[GkeGpuPoolConfig, ...]:
        pool_names = [pool.name for pool in value]
        for name in pool_names:
            if pool_names.count(name) > 1:
                raise ValueError(f"two pools are called {name!r}; give each a name of its own")
            if name == "platform":
                raise ValueError("'platform' is the pool without GPUs; take another name")
        return value

    @field_validator("control_plane")
    @classmethod
    def _key_is_where_the_cluster_is(
        cls, value: GkeControlPlaneConfig, info: ValidationInfo
    ) -> GkeControlPlaneConfig:
        region: str | None = info.data.get("region")
        key = value.secrets_encryption_key
        if region is not None and key is not None and key.split("/")[3] != region:
            raise ValueError(
                f"secrets_encryption_key is in location {key.split('/')[3]}, and GKE takes a key "
                f"of the cluster's region alone; make one in {region}, or leave it out"
            )
        return value

    @model_validator(mode="after")
    def _nodes_fit_the_network(self) -> Self:
        # Any number of pools may be upgraded at once, and one that is has more nodes than its
        # maximum.
        most = {"platform": self.platform_pool.pool().most_nodes}
        most |= {pool.name: pool.pool().most_nodes for pool in self.gpu_pools}
        nodes = sum(most.values())
        shortages = self.network.shortages(nodes)
        if shortages:
            parts = " + ".join(f"{count} {name}" for name, count in most.items())
            raise ValueError(
                f"the pools grow to {nodes} nodes while they are upgraded ({parts}): "
                f"{'; '.join(shortages)}; or lower max_nodes"
            )
        return self

    @model_validator(mode="after")
    def _backups_have_a_bucket(self) -> Self:
        if self.backups.enabled:
            self.backups.bucket_name(self.project, self.cluster_name)
        return self

    @model_validator(mode="after")
    def _gpu_pools_of_a_region_have_zones(self) -> Self:
        # Left out, Google takes three zones of the region, and refuses the whole pool if one of
        # them has no such GPU: few regions have any GPU in every zone.
        for pool in self.gpu_pools:
            if self.zone is not None or pool.zones:
                continue
            where = (
                "<zone of the reservation>"
                if pool.capacity == "reservation"
                else f"<zones of {self.region} that have {pool.accelerator}>"
            )
            raise ValueError(
                f"gpu_pools: pool {pool.name} of a regional cluster needs zones, because not every "
                f"zone of a region has every GPU; write zones: [{where}] in the pool "
                "(`gcloud compute accelerator-types list` shows them)"
            )
        return self

    @model_validator(mode="after")
    def _platform_pool_holds_a_node_in_each_zone(self) -> Self:
        own = self.platform_pool.zones
        cluster = REGIONAL_ZONES if self.zone is None else 1
        count = len(own) if own else cluster
        if self.platform_pool.max_nodes < count:
            raise ValueError(
                f"the platform pool starts with one node in each of its {count} zones and "
                f"platform_pool.max_nodes is {self.platform_pool.max_nodes}; set "
                f"platform_pool.max_nodes: {count}, or name one zone"
            )
        return self

    def topology(self, *, tier: Tier, database: bool, compute_class: bool) -> GkeTopology:
        """Return the same in the form that the substrate takes, with every default filled in.

        Args:
            tier: of the platform; decides what is protected and how long backups are kept.
            database: whether anything on the cluster has a database to back up.
            compute_class: whether the GPU pools belong to a compute class.
        """
        return GkeTopology(
            project=self.project,
            region=self.region,
            zone=self.zone,
            cluster_name=self.cluster_name,
            network=self.network.topology(),
            control_plane=self.control_plane.topology(),
            platform_pool=self.platform_pool.pool(),
            gpu_pools=tuple(pool.pool() for pool in self.gpu_pools),
            registry=self.registry.topology(),
            secret_locations=self.secret_locations,
            backups=self.backups.topology(
                project=self.project, cluster_name=self.cluster_name, tier=tier
            )
            if database and self.backups.enabled
            else None,
            create_dns_zone=self.create_dns_zone,
            edge_address=self.edge_address,
            budget=None if self.budget is None else self.budget.topology(),
            deletion_protection=self.is_protected(tier),
            compute_class=compute_class,
            quota_check=self.quota_check,
        )

    def is_protected(self, tier: Tier) -> bool:
        """Return whether what holds data must not be deleted."""
        return tier == "prod" if self.deletion_protection is None else self.deletion_protection


def _check_zones(zones: tuple[str, ...], of: str, region: str | None) -> None:
    for zone in zones:
        if not _ZONE.match(zone):
            raise ValueError(f"{of}{zone!r} is no zone; write one such as us-central1-a")
        if region is not None and zone.rsplit("-", 1)[0] != region:
            raise ValueError(
                f"{of}{zone} is not in region {region}, where the cluster is; write {region}-a or "
                "another zone of it"
            )
        if zones.count(zone) > 1:
            raise ValueError(f"{of}{zone} stands twice in zones; write it once")
