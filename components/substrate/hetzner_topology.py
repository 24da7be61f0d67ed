"""The shape of a cluster on Hetzner Cloud: plain data, and what follows from it alone.

Nothing here makes a resource. The contract comes from this data, so that a stack file can be
checked against it before anything is created.
"""

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from components import names
from components.contract import (
    EXTERNAL_SECRETS_IDENTITY,
    Dns,
    GpuProfile,
    ObjectStore,
    SecretStore,
    SubstrateContract,
    WorkloadIdentity,
)
from components.substrate.hetzner_gpu_topology import GpuOperatorSettings, GpuServer, gpu_profile
from components.versions import K3S

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

VSWITCH_ZONE: Final = "eu-central"
"""The one network zone whose subnets a vSwitch couples with (Hetzner Docs, "Networks FAQ")."""

VSWITCH_MTU: Final = 1400
"""Bytes of a packet that also crosses a vSwitch to a dedicated server (Hetzner Docs, "vSwitch")."""

PLACEMENT_GROUP_SIZE: Final = 10
"""Servers that one spread placement group takes (Hetzner Docs, "Placement Groups")."""

ACCESS_KEY_SECRET: Final = "object-storage-access-key"  # noqa: S105 - an id
SECRET_KEY_SECRET: Final = "object-storage-secret-key"  # noqa: S105 - an id
"""Ids, in the secret store, of the keys that backups of databases are written with."""

NODE_GROUP_MAX: Final = names.HCLOUD_NAME_MAX - 17
"""The autoscaler adds a dash and up to 16 hexadecimal digits to make the name of a server."""

EXTERNAL_SECRETS: Final = "external-secrets"
"""Namespace and service account of External Secrets, which Google trusts by them."""

API_PORT: Final = 6443

MOST_CONTROL_PLANE_SERVERS: Final = 5

ApiLoadBalancer = Literal["none", "private", "public"]
"""What stands before the API servers: nothing, or a load balancer inside the private network, with
or without an address that the internet reaches too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlane:
    """The servers that run the Kubernetes API and etcd."""

    count: int
    server_type: str
    schedulable: bool
    """Whether workloads may run beside etcd."""
    audit_log: bool
    """Whether the API server writes down who asked for what."""
    load_balancer: ApiLoadBalancer


@dataclass(frozen=True, kw_only=True, slots=True)
class Autoscaling:
    """How many servers the cluster autoscaler keeps in a pool."""

    min: int
    max: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerPool:
    """Servers of one type in one location that run workloads."""

    name: str
    server_type: str
    location: Location
    count: int
    """Servers that the program makes; 0 where the autoscaler makes them."""
    autoscaling: Autoscaling | None
    labels: Mapping[str, str]
    taints: tuple[str, ...]
    """As kubelet takes them: `key=value:Effect`."""

    @property
    def min_count(self) -> int:
        """Servers that are always there."""
        return self.count if self.autoscaling is None else self.autoscaling.min

    @property
    def max_count(self) -> int:
        """Servers that there can be."""
        return self.count if self.autoscaling is None else self.autoscaling.max

    @property
    def placement_groups(self) -> int:
        """Spread groups of the pool. The autoscaler knows one a pool."""
        return 1 if self.autoscaling is not None else math.ceil(self.count / PLACEMENT_GROUP_SIZE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStorage:
    """A bucket of S3-compatible object storage, which exists already."""

    endpoint: str
    """Host of the S3 API, without scheme."""
    region: str
    bucket: str
    backup_days: int
    """Days back that a database can be restored to."""

    @property
    def backups(self) -> ObjectStore:
        """The same for backups of databases. Its keys are ids: people put them into the store."""
        return ObjectStore(
            kind="s3",
            bucket=self.bucket,
            retention_days=self.backup_days,
            endpoint=self.endpoint,
            region=self.region,
            access_key_secret=ACCESS_KEY_SECRET,
            secret_key_secret=SECRET_KEY_SECRET,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Vswitch:
    """A vSwitch of Hetzner's dedicated servers, made in Robot, and its subnet of the network."""

    id: int
    """Its number in Robot."""
    vlan: int | None
    """The VLAN id by which dedicated servers tag their packets; None where none joins."""
    cidr: str
    """Inside `network_cidr`, apart from `node_cidr`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerTopology:
    """All that decides which resources a Hetzner substrate has."""

    cluster_name: str
    location: Location
    network_cidr: str
    node_cidr: str
    """Subnet of the cloud servers, inside `network_cidr`."""
    vswitch: Vswitch | None
    """How dedicated servers are reached; None where there are none."""
    pod_cidr: str
    service_cidr: str
    api_allowed_cidrs: tuple[str, ...]
    control_plane: ControlPlane
    worker_pools: tuple[WorkerPool, ...]
    gpu_servers: tuple[GpuServer, ...]
    gpu_operator: GpuOperatorSettings
    wireguard: bool
    """Whether Cilium encrypts what pods of different nodes send each other."""
    object_storage: ObjectStorage | None
    """Where snapshots of etcd go as well; None keeps them on the servers alone."""
    deletion_protection: bool

    @property
    def gpu(self) -> GpuProfile:
        """How pods get the GPUs of the dedicated servers."""
        return gpu_profile(self.gpu_servers, self.gpu_operator)

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
        """Servers that the program makes itself.

        Those of the autoscaler and dedicated ones join a cluster that has a network already.
        """
        return self.control_plane.count + sum(pool.count for pool in self.worker_pools)

    @property
    def autoscaled_pools(self) -> tuple[WorkerPool, ...]:
        """Pools whose servers the cluster autoscaler makes."""
        return tuple(pool for pool in self.worker_pools if pool.autoscaling is not None)

    @property
    def volume_location(self) -> Location:
        """Where a volume is made that no pod asks for yet: where a pod can use it later.

        A volume never leaves its location. With a pod, the scheduler says where it is made.
        """
        workers: list[Location] = [
            pool.location for pool in self.worker_pools if pool.max_count > 0
        ]
        if self.control_plane.schedulable or not workers or self.location in workers:
            return self.location
        return workers[0]

    @property
    def underlay_mtu(self) -> int:
        """Bytes that every path between two nodes carries; a vSwitch leads to dedicated servers."""
        return PRIVATE_NETWORK_MTU if self.vswitch is None else VSWITCH_MTU

    @property
    def cluster_dns(self) -> str:
        """Address of CoreDNS: the tenth of the service range, where k3s puts it by default."""
        return str(ipaddress.IPv4Network(self.service_cidr)[10])

    def physical_name(self, role: str) -> str:
        """Return the name at Hetzner of what plays a role in the cluster; server and node name."""
        return names.fit(f"{self.cluster_name}-{role}", names.HCLOUD_NAME_MAX)

    def node_group(self, pool: WorkerPool) -> str:
        """Return what the autoscaler calls a pool: unique in a project at Hetzner.

        Its servers are called so, with up to 17 characters behind it, and labelled so.
        """
        return names.fit(f"{self.cluster_name}-{pool.name}", NODE_GROUP_MAX)

    def gpu_server_name(self, server: GpuServer) -> str:
        """Return the node name of a dedicated server."""
        return self.physical_name(server.role)

    def control_plane_name(self, index: int) -> str:
        """Return the name of a control-plane server, counted from 0."""
        return self.physical_name(f"control-plane-{index}")

    def control_plane_address(self, index: int) -> str:
        """Return the private address of a control-plane server, counted from 0.

        From the end of the subnet: Hetzner gives the workers theirs from its start.
        """
        return str(ipaddress.IPv4Network(self.node_cidr)[-2 - index])

    @property
    def load_balancer_address(self) -> str:
        """Private address of the load balancer of the API, kept free where there is none.

        Behind those of the control plane, so that every API server's certificate can name it from
        the start: a load balancer that comes later then touches no server.
        """
        return self.control_plane_address(MOST_CONTROL_PLANE_SERVERS)

    @property
    def join_address(self) -> str:
        """Private address at which a new node finds the API.

        Only a new node needs it: k3s keeps the addresses of all API servers on the node and
        balances over them itself (k3s documentation, "Architecture").
        """
        if self.control_plane.load_balancer == "none":
            return self.control_plane_address(0)
        return self.load_balancer_address

    @property
    def placement_groups(self) -> int:
        """Spread groups of the control plane and of all pools."""
        return 1 + sum(pool.placement_groups for pool in self.worker_pools)


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
    lets nothing else in. The private address of a load balancer is left out of the Service's
    status, from which it would get into public DNS, and is taken from the subnet of the cloud
    servers (documentation of the cloud controller, "Load Balancer Annotations").
    """
    storage = topology.object_storage
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
            "load-balancer.hetzner.cloud/disable-private-ingress": "true",
            "load-balancer.hetzner.cloud/private-subnet-ip-range": topology.node_cidr,
        },
        gpu=topology.gpu,
        secret_store=secret_store,
        backups=None if storage is None else storage.backups,
        workload_identities={}
        if secret_store.audience is None
        else {
            EXTERNAL_SECRETS_IDENTITY: WorkloadIdentity(
                namespace=EXTERNAL_SECRETS, service_account=EXTERNAL_SECRETS, annotations={}
            )
        },
        k3s_version=K3S,
        argo_cd_sign_in=argo_cd_sign_in,
    )
