"""The shape of a cluster on Hetzner Cloud: plain data, and what follows from it alone.

Nothing here makes a resource. The contract comes from this data, so that a stack file can be
checked against it before anything is created.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from components import names
from components.contract import Dns, GpuProfile, SecretStore, SubstrateContract

Location = Literal["fsn1", "nbg1", "hel1", "ash", "hil", "sin"]

NETWORK_ZONES: Final[Mapping[Location, str]] = {
    "fsn1": "eu-central",
    "nbg1": "eu-central",
    "hel1": "eu-central",
    "ash": "us-east",
    "hil": "us-west",
    "sin": "ap-southeast",
}
"""Network zone of each location (Hetzner Docs, "Locations")."""

STORAGE_CLASS: Final = "hcloud-volumes"
"""The class that the CSI driver's chart makes: ReadWriteOnce, 10 GiB at least."""

PRIVATE_NETWORK_MTU: Final = 1450
"""Bytes of a packet in a cloud network (Hetzner Docs, "Networks FAQ")."""

VSWITCH_MTU: Final = 1400
"""Bytes of a packet that also crosses a vSwitch to a dedicated server (Hetzner Docs, "vSwitch")."""

PLACEMENT_GROUP_SIZE: Final = 10
"""Servers that one spread placement group takes (Hetzner Docs, "Placement Groups")."""

API_PORT: Final = 6443


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlane:
    """The servers that run the Kubernetes API and etcd."""

    count: int
    server_type: str
    schedulable: bool
    """Whether workloads may run beside etcd."""
    audit_log: bool
    """Whether the API server writes down who asked for what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerPool:
    """Servers of one type that run workloads."""

    name: str
    server_type: str
    count: int
    labels: Mapping[str, str]
    taints: tuple[str, ...]
    """As kubelet takes them: `key=value:Effect`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStorage:
    """A bucket of S3-compatible object storage, which exists already."""

    endpoint: str
    """Host of the S3 API, without scheme."""
    region: str
    bucket: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerTopology:
    """All that decides which resources a Hetzner substrate has."""

    cluster_name: str
    location: Location
    network_cidr: str
    node_cidr: str
    """Subnet of the cloud servers, inside `network_cidr`."""
    pod_cidr: str
    service_cidr: str
    api_allowed_cidrs: tuple[str, ...]
    control_plane: ControlPlane
    worker_pools: tuple[WorkerPool, ...]
    gpu: GpuProfile
    wireguard: bool
    """Whether Cilium encrypts what pods of different nodes send each other."""
    object_storage: ObjectStorage | None
    """Where snapshots of etcd go as well; None keeps them on the servers alone."""
    deletion_protection: bool

    @property
    def network_zone(self) -> str:
        """Network zone of the location."""
        return NETWORK_ZONES[self.location]

    @property
    def resource_labels(self) -> dict[str, str]:
        """Labels of every resource at Hetzner, to find what belongs to the cluster."""
        return {"managed-by": "llmp", "cluster": self.cluster_name}

    @property
    def node_count(self) -> int:
        """Cloud servers of the cluster. Dedicated GPU servers join later and are not counted."""
        return self.control_plane.count + sum(pool.count for pool in self.worker_pools)

    @property
    def underlay_mtu(self) -> int:
        """Bytes that every path between two nodes carries; a vSwitch leads to dedicated servers."""
        return VSWITCH_MTU if self.gpu.managed_by == "gpu-operator" else PRIVATE_NETWORK_MTU

    @property
    def cluster_dns(self) -> str:
        """Address of CoreDNS: the tenth of the service range, where k3s puts it by default."""
        return str(ipaddress.IPv4Network(self.service_cidr)[10])

    def physical_name(self, role: str) -> str:
        """Return the name at Hetzner of what plays a role in the cluster; server and node name."""
        return names.fit(f"{self.cluster_name}-{role}", names.HCLOUD_NAME_MAX)

    def control_plane_name(self, index: int) -> str:
        """Return the name of a control-plane server, counted from 0."""
        return self.physical_name(f"control-plane-{index}")

    def control_plane_address(self, index: int) -> str:
        """Return the private address of a control-plane server, counted from 0.

        From the end of the subnet: Hetzner gives the workers theirs from its start.
        """
        return str(ipaddress.IPv4Network(self.node_cidr)[-2 - index])


def hetzner_contract(
    topology: HetznerTopology,
    *,
    secret_store: SecretStore,
    domain: str | None = None,
    dns: Dns | None = None,
    argo_cd_sign_in: bool = False,
) -> SubstrateContract:
    """Return the contract of a Hetzner substrate, from config alone.

    The load balancer annotations keep traffic to the nodes on the private network: their firewall
    lets nothing else in.
    """
    return SubstrateContract(
        cloud="hetzner",
        region=topology.location,
        cluster_name=topology.cluster_name,
        domain=domain,
        dns=Dns() if dns is None else dns,
        storage_class=STORAGE_CLASS,
        load_balancer_annotations={
            "load-balancer.hetzner.cloud/location": topology.location,
            "load-balancer.hetzner.cloud/use-private-ip": "true",
        },
        gpu=topology.gpu,
        secret_store=secret_store,
        argo_cd_sign_in=argo_cd_sign_in,
    )
