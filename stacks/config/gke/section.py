"""The `gke` section: a GKE cluster in a network of its own."""

import re
from collections.abc import Mapping
from typing import Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.names import GKE_CLUSTER_MAX
from components.platform.config import Section, Tier
from components.substrate.gke_topology import GkeBackups, GkeTopology
from stacks.config.gke.addresses import ip_network
from stacks.config.gke.control_plane import GkeControlPlaneConfig
from stacks.config.gke.network import (
    POD_CIDR_BITS_PER_NODE,
    RESERVED_SUBNET_ADDRESSES,
    GkeNetworkConfig,
)
from stacks.config.gke.pools import GkeGpuPoolConfig, GkePlatformPoolConfig
from stacks.config.gke.stores import GkeBackupsConfig, GkeBudgetConfig, GkeRegistryConfig

_REGION: Final = re.compile(r"^[a-z]+(-[a-z]+)+[0-9]+$")
_ZONE: Final = re.compile(r"^[a-z]+(-[a-z]+)+[0-9]+-[a-z]$")

REGIONAL_ZONES: Final = 3
"""Zones that GKE spreads a regional cluster over by default (GKE docs, "Regional clusters")."""

BACKUP_DAYS: Final[Mapping[Tier, int]] = {"cost": 7, "dev": 14, "prod": 30}
"""How long a backup can be restored, where the config says nothing else."""


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
        "cannot change later.",
        examples=[["europe-west4"]],
    )
    backups: GkeBackupsConfig = GkeBackupsConfig()
    create_dns_zone: bool = Field(
        default=False,
        description="Makes the zone that platform.dns names; false takes one that is there.",
    )
    edge_address: bool = Field(
        default=False,
        description="Reserves the address of the public edge, so that it outlives the edge.",
    )
    budget: GkeBudgetConfig | None = Field(default=None, description="Left out, nobody is warned.")
    deletion_protection: bool | None = Field(
        default=None,
        description="Pulumi and Google refuse to delete what holds data while it is true; left "
        "out, true for tier prod.",
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

    @model_validator(mode="after")
    def _nodes_fit_the_network(self) -> Self:
        # Upgrades add one node to the platform pool before they take one away.
        nodes = self.platform_pool.max_nodes + 1 + sum(pool.max_nodes for pool in self.gpu_pools)
        subnet = ip_network(self.network.node_cidr).num_addresses - RESERVED_SUBNET_ADDRESSES
        pods = 2 ** max(POD_CIDR_BITS_PER_NODE - ip_network(self.network.pod_cidr).prefixlen, 0)
        if ip_network(self.network.pod_cidr).prefixlen > POD_CIDR_BITS_PER_NODE:
            pods = 0
        for name, room in (("node_cidr", subnet), ("pod_cidr", pods)):
            if nodes > room:
                raise ValueError(
                    f"network.{name} {getattr(self.network, name)} has room for {room} nodes and "
                    f"the pools grow to {nodes}; take a larger range, or lower max_nodes"
                )
        return self

    @model_validator(mode="after")
    def _platform_pool_holds_a_node_in_each_zone(self) -> Self:
        if self.zone is None and self.platform_pool.max_nodes < REGIONAL_ZONES:
            raise ValueError(
                f"a regional cluster starts with one platform node in each of {REGIONAL_ZONES} "
                f"zones and platform_pool.max_nodes is {self.platform_pool.max_nodes}; set "
                f"platform_pool.max_nodes: {REGIONAL_ZONES}, or name one zone"
            )
        return self

    def topology(self, *, tier: Tier, database: bool, compute_class: bool) -> GkeTopology:
        """Return the same in the form that the substrate takes, with every default filled in.

        Args:
            tier: of the platform; decides what is protected and how long backups are kept.
            database: whether anything on the cluster has a database to back up.
            compute_class: whether the GPU pools belong to a compute class.
        """
        retention = self.backups.retention_days
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
            backups=GkeBackups(
                bucket=f"{self.project}-{self.cluster_name}-backups",
                retention_days=BACKUP_DAYS[tier] if retention is None else retention,
            )
            if database and self.backups.enabled
            else None,
            create_dns_zone=self.create_dns_zone,
            edge_address=self.edge_address,
            budget=None if self.budget is None else self.budget.topology(),
            deletion_protection=self.is_protected(tier),
            compute_class=compute_class,
        )

    def is_protected(self, tier: Tier) -> bool:
        """Return whether what holds data must not be deleted."""
        return tier == "prod" if self.deletion_protection is None else self.deletion_protection
