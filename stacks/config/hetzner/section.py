"""The `hetzner` section: a k3s cluster on Hetzner Cloud."""

import ipaddress
from typing import Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.platform.config import DnsLabel, Section, Tier
from components.substrate.hetzner_topology import (
    NETWORK_ZONES,
    PLACEMENT_GROUP_SIZE,
    VSWITCH_ZONE,
    Autoscaling,
    ControlPlane,
    HetznerTopology,
    Location,
    WorkerPool,
)
from stacks.config.hetzner.addresses import AllowedCidr, HetznerVswitch, PrivateCidr
from stacks.config.hetzner.gpu import (
    HetznerGpuOperator,
    HetznerGpuServer,
    gpu_server_problems,
)
from stacks.config.hetzner.servers import (
    HetznerControlPlane,
    HetznerWorkerPool,
    keep_others_away,
    zones_of,
)
from stacks.config.hetzner.stores import HetznerObjectStorage

_MAX_SOURCES: Final = 100
"""Source networks of one firewall rule (Hetzner Docs, "Firewalls FAQ")."""
_MAX_PLACEMENT_GROUPS: Final = 50
"""Placement groups of one project (Hetzner Docs, "Placement Groups")."""
_MAX_SERVERS: Final = 100
"""Cloud servers that one network takes (Hetzner Docs, "Networks FAQ")."""
_SMALLEST_NETWORK_PREFIX: Final = 24
"""Hetzner's API takes no smaller network (Hetzner Docs, "Networks FAQ")."""
_LARGEST_SERVICE_PREFIX: Final = 12
"""kube-apiserver takes no larger Service range (its flag --service-cluster-ip-range: 20 bits)."""
_POD_PREFIX: Final = 24
"""Kubernetes gives every node a /24 of the pod range (kube-controller-manager's default)."""
_SPARE_ADDRESSES: Final = 16
"""Left free in the node subnet: its own reserved addresses and the load balancers."""


class HetznerConfig(Section):
    """The `hetzner` section."""

    cluster_name: DnsLabel = Field(
        default="llmp", description="Name of the cluster, and start of every server's name."
    )
    location: Location = Field(
        description="one of fsn1, nbg1, hel1, ash, hil, sin", examples=["nbg1"]
    )
    network_cidr: PrivateCidr = Field(
        default="10.0.0.0/16", description="The private network of the cluster."
    )
    node_cidr: PrivateCidr | None = Field(
        default=None,
        validate_default=True,
        description="Subnet of the cloud servers; left out, the first half of network_cidr.",
    )
    vswitch: HetznerVswitch | None = Field(
        default=None,
        validate_default=True,
        description="How dedicated servers are reached; left out, there are none.",
    )
    pod_cidr: PrivateCidr = Field(
        default="10.244.0.0/16",
        validate_default=True,
        description="Addresses of pods, outside network_cidr: they travel inside a tunnel.",
    )
    service_cidr: PrivateCidr = Field(
        default="10.43.0.0/16",
        validate_default=True,
        description="Addresses of Services, outside network_cidr and pod_cidr.",
    )
    control_plane: HetznerControlPlane = HetznerControlPlane()
    api_allowed_cidrs: tuple[AllowedCidr, ...] = Field(
        default=(),
        validate_default=True,
        description="networks that may reach the Kubernetes API at the servers, yours among them; "
        "none only with control_plane.load_balancer",
        examples=[["203.0.113.0/24"]],
    )
    worker_pools: tuple[HetznerWorkerPool, ...] = Field(
        default=(HetznerWorkerPool(name="platform", count=3),),
        validate_default=True,
        max_length=50,
    )
    gpu_servers: tuple[HetznerGpuServer, ...] = Field(
        default=(),
        max_length=100,
        description="Dedicated servers with GPUs, ordered and put into the vSwitch by hand.",
    )
    gpu_operator: HetznerGpuOperator = HetznerGpuOperator()
    wireguard: bool = Field(
        default=False,
        description="Whether Cilium encrypts what pods of different nodes send each other.",
    )
    object_storage: HetznerObjectStorage | None = Field(
        default=None,
        description="Where snapshots of etcd and backups of the LLM gateway's database go; left "
        "out, the former stay on the servers, and the latter are not made.",
    )
    deletion_protection: bool | None = Field(
        default=None,
        description="Hetzner refuses to delete or rebuild the control plane, its addresses and the "
        "network while it is true; left out, true for tier prod.",
    )

    @field_validator("api_allowed_cidrs")
    @classmethod
    def _somebody_reaches_the_api(
        cls, networks: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        control_plane = info.data.get("control_plane")
        balancer = (
            control_plane.load_balancer
            if isinstance(control_plane, HetznerControlPlane)
            else "private"
        )
        if balancer == "public" and networks:
            msg = (
                "keeps nobody out, since control_plane.load_balancer: public shows the API to "
                "everybody; remove it, or set load_balancer: private"
            )
            raise ValueError(msg)
        twice = next((one for one in networks if networks.count(one) > 1), None)
        if twice is not None:
            msg = f"{twice} is there twice; write it once"
            raise ValueError(msg)
        if len(networks) > _MAX_SOURCES or (balancer == "none" and not networks):
            msg = (
                f"{len(networks)} networks, and one firewall rule takes 1 to {_MAX_SOURCES}; "
                "write the network that this program runs from, for example 203.0.113.7/32"
            )
            raise ValueError(msg)
        return networks

    @field_validator("network_cidr")
    @classmethod
    def _network_is_large_enough(cls, value: str) -> str:
        if ipaddress.IPv4Network(value).prefixlen > _SMALLEST_NETWORK_PREFIX:
            msg = f"{value} is smaller than Hetzner allows; take a /24 or larger"
            raise ValueError(msg)
        return value

    @field_validator("node_cidr")
    @classmethod
    def _nodes_are_in_the_network(cls, value: str | None, info: ValidationInfo) -> str | None:
        network = info.data.get("network_cidr")
        if (
            value is not None
            and network is not None
            and not ipaddress.IPv4Network(value).subnet_of(ipaddress.IPv4Network(network))
        ):
            msg = f"{value} is not inside network_cidr {network}; take a part of it, or none"
            raise ValueError(msg)
        return value

    @field_validator("vswitch")
    @classmethod
    def _vswitch_can_be_coupled(
        cls, vswitch: HetznerVswitch | None, info: ValidationInfo
    ) -> HetznerVswitch | None:
        location, network = info.data.get("location"), info.data.get("network_cidr")
        if vswitch is None or location is None or network is None:
            return vswitch
        if NETWORK_ZONES[location] != VSWITCH_ZONE:
            msg = (
                f"a vSwitch is coupled in the zone {VSWITCH_ZONE} alone, and {location} is in "
                f"{NETWORK_ZONES[location]}; remove vswitch, or move to fsn1, nbg1 or hel1"
            )
            raise ValueError(msg)
        block, whole = ipaddress.IPv4Network(vswitch.cidr), ipaddress.IPv4Network(network)
        if not block.subnet_of(whole):
            msg = f"cidr {block} is not inside network_cidr {whole}; take a part of it"
            raise ValueError(msg)
        if "node_cidr" in info.data:
            nodes = _node_subnet(info.data["node_cidr"], network)
            if block.overlaps(ipaddress.IPv4Network(nodes)):
                msg = (
                    f"cidr {block} overlaps the subnet {nodes} of the cloud servers; take a part "
                    "of network_cidr beside it, or set hetzner.node_cidr"
                )
                raise ValueError(msg)
        return vswitch

    @field_validator("pod_cidr", "service_cidr")
    @classmethod
    def _ranges_are_apart(cls, value: str, info: ValidationInfo) -> str:
        for other in ("network_cidr", "pod_cidr"):
            taken = info.data.get(other)
            if taken is not None and ipaddress.IPv4Network(value).overlaps(
                ipaddress.IPv4Network(taken)
            ):
                msg = f"{value} overlaps {other} {taken}; take a range that is free of it"
                raise ValueError(msg)
        return value

    @field_validator("service_cidr")
    @classmethod
    def _services_fit(cls, value: str) -> str:
        if not _LARGEST_SERVICE_PREFIX <= ipaddress.IPv4Network(value).prefixlen <= _POD_PREFIX:
            msg = f"{value} has no fitting size for Services; take one from /12 to /24"
            raise ValueError(msg)
        return value

    @field_validator("worker_pools")
    @classmethod
    def _pools_are_told_apart(
        cls, pools: tuple[HetznerWorkerPool, ...]
    ) -> tuple[HetznerWorkerPool, ...]:
        names = [pool.name for pool in pools]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            msg = f"two pools are called {twice!r}; give each one a name of its own"
            raise ValueError(msg)
        return pools

    @field_validator("worker_pools")
    @classmethod
    def _something_runs_workloads(
        cls, pools: tuple[HetznerWorkerPool, ...], info: ValidationInfo
    ) -> tuple[HetznerWorkerPool, ...]:
        control_plane = info.data.get("control_plane")
        if (
            isinstance(control_plane, HetznerControlPlane)
            and not control_plane.schedulable
            and not any(pool.min_count > 0 and not keep_others_away(pool.taints) for pool in pools)
        ):
            msg = (
                "no server may run the platform, which tolerates no taint of a pool; add a pool "
                "without taints and with a count above 0 or an autoscaling.min above 0, or set "
                "hetzner.control_plane.schedulable: true"
            )
            raise ValueError(msg)
        return pools

    @field_validator("worker_pools")
    @classmethod
    def _pools_are_in_the_zone(
        cls, pools: tuple[HetznerWorkerPool, ...], info: ValidationInfo
    ) -> tuple[HetznerWorkerPool, ...]:
        location = info.data.get("location")
        if location is None:
            return pools
        zone = NETWORK_ZONES[location]
        for pool in pools:
            if pool.location is not None and NETWORK_ZONES[pool.location] != zone:
                near = ", ".join(place for place, of in NETWORK_ZONES.items() if of == zone)
                msg = (
                    f"pool {pool.name!r} is in {pool.location}, outside the cluster's network zone "
                    f"{zone}, which its network does not leave; take {near}"
                )
                raise ValueError(msg)
            _offered(f"pool {pool.name!r}", pool.server_type, location)
        return pools

    @field_validator("control_plane")
    @classmethod
    def _control_plane_is_offered(
        cls, control_plane: HetznerControlPlane, info: ValidationInfo
    ) -> HetznerControlPlane:
        location = info.data.get("location")
        if location is not None:
            _offered("the control plane", control_plane.server_type, location)
        return control_plane

    @field_validator("gpu_servers")
    @classmethod
    def _gpu_servers_can_join(
        cls, servers: tuple[HetznerGpuServer, ...], info: ValidationInfo
    ) -> tuple[HetznerGpuServer, ...]:
        # What is wrong with those has a message of its own.
        if not {"vswitch", "api_allowed_cidrs", "worker_pools"} <= info.data.keys():
            return servers
        problems = gpu_server_problems(
            servers,
            vswitch=info.data["vswitch"],
            api_allowed_cidrs=info.data["api_allowed_cidrs"],
            pools=tuple(pool.name for pool in info.data["worker_pools"]),
        )
        for problem in problems:
            raise ValueError(problem)
        return servers

    @field_validator("gpu_operator")
    @classmethod
    def _there_is_something_to_run(
        cls, operator: HetznerGpuOperator, info: ValidationInfo
    ) -> HetznerGpuOperator:
        if operator != HetznerGpuOperator() and info.data.get("gpu_servers") == ():
            msg = "there are no gpu_servers for it; add some, or remove it"
            raise ValueError(msg)
        return operator

    @model_validator(mode="after")
    def _servers_fit_their_ranges(self) -> Self:
        nodes = self.control_plane.count + sum(pool.max_count for pool in self.worker_pools)
        if nodes > _MAX_SERVERS:
            msg = (
                f"the pools can have {nodes} servers with the control plane, and a network takes "
                f"{_MAX_SERVERS}; take fewer and larger servers, or lower autoscaling.max"
            )
            raise ValueError(msg)
        whole = ipaddress.IPv4Network(self._node_cidr).num_addresses
        addresses = max(0, whole - _SPARE_ADDRESSES)
        if nodes > addresses:
            larger = "network_cidr" if self.node_cidr is None else "node_cidr"
            msg = (
                f"{nodes} servers do not fit in node_cidr {self._node_cidr}, which has room for "
                f"{addresses} beside Hetzner's own addresses and load balancers; take a larger "
                f"{larger}"
            )
            raise ValueError(msg)
        prefix = ipaddress.IPv4Network(self.pod_cidr).prefixlen
        ranges = 2 ** (_POD_PREFIX - prefix) if prefix <= _POD_PREFIX else 0
        nodes += len(self.gpu_servers)
        if nodes > ranges:
            msg = (
                f"pod_cidr {self.pod_cidr} has a /24 for {ranges} servers and there are {nodes}; "
                "take a larger pod_cidr"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _groups_fit_a_project(self) -> Self:
        # Whatever the tier: it decides nothing of the servers.
        groups = self.topology(tier="cost").placement_groups
        if groups > _MAX_PLACEMENT_GROUPS:
            msg = (
                f"worker_pools need {groups} placement groups, one for {PLACEMENT_GROUP_SIZE} "
                f"servers of a pool, and a project has {_MAX_PLACEMENT_GROUPS}; take fewer pools, "
                "or larger servers"
            )
            raise ValueError(msg)
        return self

    @property
    def _node_cidr(self) -> str:
        return _node_subnet(self.node_cidr, self.network_cidr)

    def topology(self, *, tier: Tier) -> HetznerTopology:
        """Return the same in the form that the substrate takes, with every default filled in.

        Args:
            tier: of the platform; decides what is protected.
        """
        in_europe = NETWORK_ZONES[self.location] == "eu-central"
        control_plane_type, worker_type = ("cpx32", "cpx42") if in_europe else ("ccx23", "ccx33")
        return HetznerTopology(
            cluster_name=self.cluster_name,
            location=self.location,
            network_cidr=self.network_cidr,
            node_cidr=self._node_cidr,
            vswitch=None if self.vswitch is None else self.vswitch.topology(),
            pod_cidr=self.pod_cidr,
            service_cidr=self.service_cidr,
            api_allowed_cidrs=self.api_allowed_cidrs,
            control_plane=ControlPlane(
                count=self.control_plane.count,
                server_type=_given(self.control_plane.server_type, control_plane_type),
                schedulable=self.control_plane.schedulable,
                audit_log=self.control_plane.audit_log,
                load_balancer=self.control_plane.load_balancer,
            ),
            worker_pools=tuple(
                WorkerPool(
                    name=pool.name,
                    server_type=_given(pool.server_type, worker_type),
                    location=self.location if pool.location is None else pool.location,
                    count=0 if pool.count is None else pool.count,
                    autoscaling=None
                    if pool.autoscaling is None
                    else Autoscaling(min=pool.autoscaling.min, max=pool.autoscaling.max),
                    labels=pool.labels,
                    taints=tuple(str(taint) for taint in pool.taints),
                )
                for pool in self.worker_pools
            ),
            gpu_servers=tuple(
                server.topology(self.api_allowed_cidrs) for server in self.gpu_servers
            ),
            gpu_operator=self.gpu_operator.topology(),
            wireguard=self.wireguard,
            object_storage=(
                None if self.object_storage is None else self.object_storage.topology()
            ),
            deletion_protection=tier == "prod"
            if self.deletion_protection is None
            else self.deletion_protection,
        )


def _node_subnet(node_cidr: str | None, network_cidr: str) -> str:
    if node_cidr is not None:
        return node_cidr
    return str(next(ipaddress.IPv4Network(network_cidr).subnets()))


def _offered(whose: str, server_type: str | None, location: Location) -> None:
    zones = None if server_type is None else zones_of(server_type)
    if zones is not None and NETWORK_ZONES[location] not in zones:
        msg = (
            f"{server_type} of {whose} is not offered in {NETWORK_ZONES[location]}, only in "
            f"{' and '.join(zones)}; take a ccx type there, or leave server_type out"
        )
        raise ValueError(msg)


def _given(value: str | None, default: str) -> str:
    return default if value is None else value
