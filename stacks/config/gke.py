"""The `gke` section: a GKE cluster in a network of its own."""

import ipaddress
import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from components.names import GKE_CLUSTER_MAX
from components.platform.config import Section
from components.substrate.gke_topology import (
    GPU_MACHINE_TYPES,
    SPOT_ONLY_MACHINE_TYPES,
    Accelerator,
    ControlPlaneEndpoint,
    GkeGpuPool,
    GkeNetworkTopology,
    GkePlatformPool,
    GkeTopology,
    ReleaseChannel,
)

_REGION: Final = re.compile(r"^[a-z]+(-[a-z]+)+[0-9]+$")
_ZONE: Final = re.compile(r"^[a-z]+(-[a-z]+)+[0-9]+-[a-z]$")

POD_CIDR_BITS_PER_NODE: Final = 24
"""Each node takes a /24 of the pod range at GKE's default of 110 pods a node (GKE docs)."""

RESERVED_SUBNET_ADDRESSES: Final = 4
"""Addresses that Google keeps in every subnet (VPC docs, "Subnets")."""

CONTROL_PLANE_BITS: Final = 28
"""GKE takes exactly a /28 for the control plane (GKE docs)."""

MIN_SUBNET_BITS: Final = 8
MAX_NODE_BITS: Final = 29
"""The smallest subnet of Google's VPC."""

REGIONAL_ZONES: Final = 3
"""Zones that GKE spreads a regional cluster over by default (GKE docs, "Regional clusters")."""

SERVICE_BITS: Final = range(16, 29)
"""Prefix lengths that GKE takes for Services (GKE docs, "IP address ranges for VPC-native")."""

MACHINE_FAMILY: Final = re.compile(r"^[a-z]+([0-9]+)")
FIRST_GENERATION_WITHOUT_PERSISTENT_DISK: Final = 4
"""From N4, C4 and so on machines take Hyperdisk alone (Compute Engine docs, "Machine families")."""

_RESERVED: Final = ipaddress.IPv4Network("172.17.0.0/16")
"""GKE takes no range in it: a node's container bridge has it (GKE docs, "Private clusters")."""

_PRIVATE: Final = tuple(
    ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


def _network(value: str) -> ipaddress.IPv4Network:
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write an IPv4 range such as 10.0.0.0/20") from error


def _private_network(value: str) -> str:
    network = _network(value)
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(
            f"{value} is not a private range; take one inside 10.0.0.0/8, 172.16.0.0/12 or "
            "192.168.0.0/16"
        )
    if network.overlaps(_RESERVED):
        raise ValueError(
            f"{value} overlaps {_RESERVED}, which the nodes use themselves; take a range apart "
            "from it"
        )
    return value


def _authorized_network(value: str) -> str:
    if _network(value).prefixlen == 0:
        raise ValueError(
            f"{value} lets the whole internet reach the control plane; list the networks of your "
            "operators, or use endpoint: dns, where IAM decides"
        )
    return value


def _within_max(max_nodes: int, info: ValidationInfo) -> int:
    min_nodes: int | None = info.data.get("min_nodes")
    if min_nodes is not None and min_nodes > max_nodes:
        raise ValueError(
            f"max_nodes {max_nodes} is under min_nodes {min_nodes}; raise max_nodes or lower "
            "min_nodes"
        )
    return max_nodes


PrivateNetwork = Annotated[str, AfterValidator(_private_network)]
AuthorizedNetwork = Annotated[str, AfterValidator(_authorized_network)]


class GkeNetwork(Section):
    """Address ranges of the cluster's own network. None of them can change later."""

    node_cidr: PrivateNetwork = Field(
        default="10.0.0.0/22", description="Subnet of the nodes: one address a node."
    )
    pod_cidr: PrivateNetwork = Field(
        default="10.4.0.0/14", validate_default=True, description="Range of the pods: a /24 a node."
    )
    service_cidr: PrivateNetwork = Field(
        default="10.8.0.0/20",
        validate_default=True,
        description="Range of the Services: one address a Service.",
    )
    control_plane_cidr: PrivateNetwork = Field(
        default="172.16.0.0/28",
        validate_default=True,
        description="A /28 for the control plane's private address.",
    )

    @field_validator("control_plane_cidr")
    @classmethod
    def _control_plane_has_its_size(cls, value: str) -> str:
        if _network(value).prefixlen != CONTROL_PLANE_BITS:
            raise ValueError(f"GKE takes exactly a /28 here, not {value}; end it in /28")
        return value

    @field_validator("node_cidr")
    @classmethod
    def _nodes_fit_a_subnet(cls, value: str) -> str:
        if not MIN_SUBNET_BITS <= _network(value).prefixlen <= MAX_NODE_BITS:
            raise ValueError(f"{value} is no subnet that Google makes; write a /8 to a /29")
        return value

    @field_validator("service_cidr")
    @classmethod
    def _services_fit(cls, value: str) -> str:
        if _network(value).prefixlen not in SERVICE_BITS:
            raise ValueError(f"{value} has no size that GKE takes for Services; write a /16 to /28")
        return value

    @field_validator("pod_cidr", "service_cidr", "control_plane_cidr")
    @classmethod
    def _ranges_are_apart(cls, value: str, info: ValidationInfo) -> str:
        for name, other in info.data.items():
            if _network(value).overlaps(_network(other)):
                raise ValueError(f"overlaps {name} {other}; take a range apart from it")
        return value


class GkeControlPlane(Section):
    """Who reaches the Kubernetes API. Google's IAM is always asked as well."""

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


class GkePlatformPoolConfig(Section):
    """The pool of everything that needs no GPU."""

    machine_type: str = Field(
        default="e2-standard-4",
        pattern=r"^[a-z][a-z0-9]*-[a-z0-9-]*[a-z0-9]$",
        description="a Compute Engine machine type without GPU",
        examples=["e2-standard-4"],
    )
    min_nodes: int = Field(default=1, ge=1, le=1000, description="Nodes in all zones together.")
    max_nodes: int = Field(
        default=3, ge=1, le=1000, validate_default=True, description="Nodes in all zones together."
    )
    disk_size_gib: int = Field(default=100, ge=20, le=65_536, description="Boot disk of a node.")

    @field_validator("machine_type")
    @classmethod
    def _no_gpu(cls, value: str) -> str:
        if value.startswith(("a2-", "a3-", "a4-", "g2-", "g4-")):
            raise ValueError(f"{value} has GPUs; describe GPU nodes in gke.gpu_pools")
        return value

    @field_validator("machine_type")
    @classmethod
    def _takes_persistent_disks(cls, value: str) -> str:
        family = MACHINE_FAMILY.match(value)
        if family and int(family[1]) >= FIRST_GENERATION_WITHOUT_PERSISTENT_DISK:
            raise ValueError(
                f"{value} takes no persistent disk, and that is what nodes boot from and databases "
                "live on; take a type such as e2-standard-4, n2-standard-4 or c3-standard-4"
            )
        if value.startswith("t2a-"):
            raise ValueError(
                f"{value} is Arm, which GKE taints and nothing here tolerates; take a type such as "
                "e2-standard-4 or n2-standard-4"
            )
        return value

    @field_validator("max_nodes")
    @classmethod
    def _min_within_max(cls, value: int, info: ValidationInfo) -> int:
        return _within_max(value, info)


class GkeGpuPoolConfig(Section):
    """A pool of GPU nodes of one kind. With min_nodes 0 it costs nothing while nothing runs."""

    name: str = Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=GKE_CLUSTER_MAX,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["l4"],
    )
    accelerator: Accelerator = Field(
        description="GPU product, as GKE calls it", examples=["nvidia-l4"]
    )
    accelerators_per_node: int = Field(
        default=1, ge=1, le=16, validate_default=True, description="GPUs of one node."
    )
    spot: bool = Field(
        default=False, description="Spot nodes: far cheaper, and taken away at any time."
    )
    machine_type: str | None = Field(
        default=None,
        validate_default=True,
        description="Leave it out for the smallest that Google sells with these GPUs.",
        examples=["g2-standard-8"],
    )
    min_nodes: int = Field(default=0, ge=0, le=1000, description="Nodes in all zones together.")
    max_nodes: int = Field(
        default=1, ge=1, le=1000, validate_default=True, description="Nodes in all zones together."
    )
    disk_size_gib: int = Field(
        default=200,
        ge=50,
        le=65_536,
        description="Boot disk of a node; engine and model images together take 30 to 70 GB.",
    )

    @field_validator("accelerators_per_node")
    @classmethod
    def _count_is_sold(cls, value: int, info: ValidationInfo) -> int:
        accelerator: Accelerator | None = info.data.get("accelerator")
        if accelerator is not None and value not in GPU_MACHINE_TYPES[accelerator]:
            counts = ", ".join(str(count) for count in GPU_MACHINE_TYPES[accelerator])
            raise ValueError(
                f"Google sells no machine with {value} {accelerator}; write one of {counts}"
            )
        return value

    @field_validator("machine_type")
    @classmethod
    def _machine_is_sold(cls, value: str | None, info: ValidationInfo) -> str | None:
        accelerator: Accelerator | None = info.data.get("accelerator")
        count: int | None = info.data.get("accelerators_per_node")
        if accelerator is None or count is None:
            return value
        sold = GPU_MACHINE_TYPES[accelerator][count]
        if value is not None and value not in sold:
            raise ValueError(
                f"Google does not sell {value} with {count} {accelerator}; leave it out for "
                f"{sold[0]}, or write one of {', '.join(sold)}"
            )
        machine_type = sold[0] if value is None else value
        if machine_type in SPOT_ONLY_MACHINE_TYPES and info.data.get("spot") is False:
            raise ValueError(
                f"{machine_type} is only sold as spot; set spot: true, or take "
                "accelerators_per_node: 8"
            )
        return value

    @field_validator("max_nodes")
    @classmethod
    def _min_within_max(cls, value: int, info: ValidationInfo) -> int:
        return _within_max(value, info)

    def pool(self) -> GkeGpuPool:
        """Return the pool in the form that the substrate takes."""
        sold = GPU_MACHINE_TYPES[self.accelerator][self.accelerators_per_node]
        return GkeGpuPool(
            name=self.name,
            accelerator=self.accelerator,
            accelerators_per_node=self.accelerators_per_node,
            machine_type=sold[0] if self.machine_type is None else self.machine_type,
            min_nodes=self.min_nodes,
            max_nodes=self.max_nodes,
            disk_size_gib=self.disk_size_gib,
            spot=self.spot,
        )


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
    release_channel: ReleaseChannel = Field(
        default="regular", description="How early GKE brings new Kubernetes versions."
    )
    network: GkeNetwork = GkeNetwork()
    control_plane: GkeControlPlane = GkeControlPlane()
    platform_pool: GkePlatformPoolConfig = GkePlatformPoolConfig()
    gpu_pools: tuple[GkeGpuPoolConfig, ...] = Field(
        default=(GkeGpuPoolConfig(name="l4", accelerator="nvidia-l4"),),
        description="Pools of GPU nodes; leave them out for one L4 that scales from zero.",
    )
    model_registry: bool = Field(
        default=True, description="A private image repository for model images."
    )
    deletion_protection: bool = Field(
        default=False,
        description="Google refuses to delete the cluster and the secrets while it is true.",
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
        subnet = _network(self.network.node_cidr).num_addresses - RESERVED_SUBNET_ADDRESSES
        pods = 2 ** max(POD_CIDR_BITS_PER_NODE - _network(self.network.pod_cidr).prefixlen, 0)
        if _network(self.network.pod_cidr).prefixlen > POD_CIDR_BITS_PER_NODE:
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

    def topology(self) -> GkeTopology:
        """Return the same in the form that the substrate takes, with every default filled in."""
        return GkeTopology(
            project=self.project,
            region=self.region,
            zone=self.zone,
            cluster_name=self.cluster_name,
            release_channel=self.release_channel,
            network=GkeNetworkTopology(
                node_cidr=self.network.node_cidr,
                pod_cidr=self.network.pod_cidr,
                service_cidr=self.network.service_cidr,
                control_plane_cidr=self.network.control_plane_cidr,
            ),
            endpoint=self.control_plane.endpoint,
            authorized_networks=self.control_plane.authorized_networks,
            platform_pool=GkePlatformPool(
                machine_type=self.platform_pool.machine_type,
                min_nodes=self.platform_pool.min_nodes,
                max_nodes=self.platform_pool.max_nodes,
                disk_size_gib=self.platform_pool.disk_size_gib,
            ),
            gpu_pools=tuple(pool.pool() for pool in self.gpu_pools),
            model_registry=self.model_registry,
            deletion_protection=self.deletion_protection,
        )
