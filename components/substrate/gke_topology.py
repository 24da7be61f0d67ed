"""The shape of a GKE cluster: plain data, and what follows from it alone.

Nothing here makes a resource. The contract comes from this data, so that a stack file can be
checked against it before anything is created.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from components import names
from components.contract import (
    CERT_MANAGER_IDENTITY,
    DATABASE_IDENTITY,
    EXTERNAL_DNS_IDENTITY,
    EXTERNAL_SECRETS_IDENTITY,
    GPU_SHARING,
    ComputeClass,
    DcgmExporter,
    Dns,
    GpuPool,
    GpuProfile,
    ObjectStore,
    SecretStore,
    SubstrateContract,
    Taint,
    Toleration,
    WorkloadIdentity,
)
from components.substrate.gke_machines import Accelerator, Capacity
from components.substrate.gpu_profile import GPU_TOLERATION

ReleaseChannel = Literal["rapid", "regular", "stable", "extended"]
ControlPlaneEndpoint = Literal["dns", "ip"]
DriverVersion = Literal["default", "latest"]
SharingStrategy = Literal["time-slicing", "mps"]
UpgradeStrategy = Literal["surge", "blue-green"]
LocationPolicy = Literal["any", "balanced"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ExclusionScope = Literal["no_upgrades", "no_minor_upgrades", "no_minor_or_node_upgrades"]
LogSource = Literal["system", "workloads", "api-server", "scheduler", "controller-manager"]

GPU_PRODUCT_LABEL: Final = "cloud.google.com/gke-accelerator"
STORAGE_CLASS: Final = "standard-rwo"
"""Balanced persistent disk, ReadWriteOnce: the class that GKE makes the default."""

SNAPSHOT_CLASS: Final = "llmp-snapshots"
SNAPSHOT_DRIVER: Final = "pd.csi.storage.gke.io"
"""Driver of GKE's persistent disks (GKE docs, "Persistent volume snapshots")."""

DCGM_EXPORTER: Final = DcgmExporter(
    namespace="gke-managed-system",
    pod_labels={"app.kubernetes.io/name": "gke-managed-dcgm-exporter"},
    port="metrics",
)
"""The exporter that GKE itself runs on GPU nodes when DCGM metrics are on (GKE docs)."""

POOL_LABEL: Final = "llmp.dev/pool"
"""Label of every node: what the config calls its pool."""

PRODUCT_LABEL: Final = "llmp.dev/gpu-product"
"""Label of GPU nodes with what `GPU_PRODUCT_LABEL` says. GKE refuses a pod that selects a compute
class and its own label (GKE docs, "About custom ComputeClasses": node selectors for system node
labels), so pods select this one."""

COMPUTE_CLASS: Final = "gpus"
COMPUTE_CLASS_LABEL: Final = "cloud.google.com/compute-class"
"""Label and taint of node pools that a compute class may use; pods select the class by the label
(GKE docs, "About custom ComputeClasses")."""

SPOT_TAINT: Final = Taint(key="cloud.google.com/gke-spot", value="true")
"""GKE labels spot nodes so; the taint, which GKE leaves to the pool's owner, keeps pods off that
cannot bear to lose a node (GKE docs, "Spot VMs")."""

POOL_REVISION: Final = 1
"""Counts the changes of what every pool has and Google cannot change on one that exists: scopes,
metadata, secure boot, how long flex-start nodes live (`gke_node_pool`). Raise it with such a
change, and all pools are made anew before the old ones go."""

POOL_NAME_BASELINE: Final[Mapping[str, object]] = {
    "capacity": "on-demand",
    "reservation": None,
    "driver_version": "default",
    "sharing": None,
    "preloaded_images": [],
    "revision": 1,
}
"""What a pool's name says nothing of. A setting that comes later enters with what pools had before
it, so that they keep their names. An entry never changes, not even with the default in the config:
pools that get another value that way need another name."""

CAPACITY_ORDER: Final[tuple[Capacity, ...]] = ("reservation", "spot", "on-demand", "flex-start")
"""In which order a compute class tries pools of one product: what is paid already, what is cheap,
what is there at once, and what has to be waited for (issue 5)."""

MIN_PORTS_PER_NODE: Final = 1024
"""Ports of the NAT that a node has from the start, a power of two.

Google's own default of 32 to 64 (Cloud NAT docs, "IP addresses and ports") is less than one
connection for each of a node's 110 pods to the same destination, such as a registry. More come only
when the first are used up, and connections are dropped until then; so a node starts with nine for
each pod.
"""

EXTERNAL_SECRETS_NAMESPACE: Final = "external-secrets"
EXTERNAL_SECRETS_SERVICE_ACCOUNT: Final = "external-secrets"

DNS_WRITERS: Final[Mapping[str, str]] = {
    CERT_MANAGER_IDENTITY: "cert-manager",
    EXTERNAL_DNS_IDENTITY: "external-dns",
}
"""Who writes records of the platform's zone: its key in the contract, and its namespace, which its
Kubernetes service account is called after."""

DATABASE_NAMESPACE: Final = "litellm"
DATABASE_SERVICE_ACCOUNT: Final = "litellm-pg"
"""CloudNativePG calls the service account of a database after its cluster."""

MIRRORED_REGISTRIES: Final = (
    "docker.io",
    "ghcr.io",
    "mcr.microsoft.com",
    "quay.io",
    "registry.k8s.io",
)
"""Public registries that images of the catalogue come from. Names that only lead on to one of them,
such as docker.n8n.io, are not among them: pods pull those as before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeNetworkTopology:
    """Address ranges, all private and apart from each other, and the way out."""

    node_cidr: str
    pod_cidr: str
    service_cidr: str
    control_plane_cidr: str
    """A /28 for the private address of the control plane."""
    nat_addresses: int
    """Reserved addresses that all calls to the internet come from; 0 leaves them to Google."""
    flow_logs: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeMaintenanceExclusion:
    """A time in which GKE leaves versions as they are."""

    name: str
    start: str
    """RFC 3339, UTC; `end` alike."""
    end: str
    scope: ExclusionScope


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeMaintenance:
    """When GKE may upgrade by itself, in UTC."""

    days: tuple[Weekday, ...]
    start: str
    """HH:MM."""
    hours: int
    exclusions: tuple[GkeMaintenanceExclusion, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeControlPlaneTopology:
    """Who reaches the Kubernetes API, and how Google runs it."""

    endpoint: ControlPlaneEndpoint
    authorized_networks: tuple[str, ...]
    """Who reaches the control plane's address; empty with endpoint `dns`, where IAM decides."""
    release_channel: ReleaseChannel
    maintenance: GkeMaintenance
    secrets_encryption_key: str | None
    """Full name of a Cloud KMS key that encrypts Secrets in etcd."""
    security_group: str | None
    """Google group whose member groups Kubernetes RBAC knows by their addresses."""
    logs: tuple[LogSource, ...]
    managed_prometheus: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeUpgrade:
    """How the nodes of a pool are upgraded."""

    strategy: UpgradeStrategy
    max_surge: int
    """Nodes that come before one goes; surge only, `max_unavailable` alike."""
    max_unavailable: int
    batch_nodes: int
    """Old nodes that blue-green drains at a time; blue-green only, as all that follows."""
    batch_soak_minutes: int
    """How long it waits after each batch."""
    soak_minutes: int
    """How long it keeps the old nodes after the last pod left them."""

    def most_nodes(self, max_nodes: int) -> int:
        """Return how many nodes a pool has at once in the middle of an upgrade."""
        return 2 * max_nodes if self.strategy == "blue-green" else max_nodes + self.max_surge


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeGpuSharing:
    """How several pods share one GPU."""

    strategy: SharingStrategy
    clients_per_gpu: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GkePlatformPool:
    """The pool of everything that needs no GPU."""

    machine_type: str
    min_nodes: int
    """Nodes in all zones together; `max_nodes` alike."""
    max_nodes: int
    disk_size_gib: int
    zones: tuple[str, ...]
    """Empty for those of the cluster."""
    upgrade: GkeUpgrade
    image_streaming: bool

    @property
    def node_pool_name(self) -> str:
        """Name at Google: changes with whatever cannot change on a pool that exists."""
        return _node_pool_name("platform", {})

    @property
    def most_nodes(self) -> int:
        """Nodes that it has at once in the middle of an upgrade."""
        return self.upgrade.most_nodes(self.max_nodes)


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeGpuPool:
    """A pool of GPU nodes of one kind."""

    name: str
    accelerator: Accelerator
    accelerators_per_node: int
    machine_type: str
    capacity: Capacity
    reservation: str | None
    """Name of the reservation, with capacity `reservation`."""
    min_nodes: int
    """Nodes in all zones together; `max_nodes` alike."""
    max_nodes: int
    disk_size_gib: int
    zones: tuple[str, ...]
    """Empty for those of the cluster."""
    location_policy: LocationPolicy
    upgrade: GkeUpgrade | None
    """None with capacity `flex-start`, whose nodes GKE lets run out instead."""
    driver_version: DriverVersion
    sharing: GkeGpuSharing | None
    image_streaming: bool
    preloaded_images: tuple[str, ...]
    """Disk images with container images in them, as secondary boot disks."""

    @property
    def node_pool_name(self) -> str:
        """Name at Google: changes with whatever cannot change on a pool that exists.

        So such a change makes a new pool before it deletes the old one, instead of leaving the
        cluster without either.
        """
        return _node_pool_name(
            self.name,
            {
                "accelerator": self.accelerator,
                "accelerators_per_node": self.accelerators_per_node,
                "capacity": self.capacity,
                "reservation": self.reservation,
                "driver_version": self.driver_version,
                "sharing": None
                if self.sharing is None
                else [self.sharing.strategy, self.sharing.clients_per_gpu],
                "preloaded_images": list(self.preloaded_images),
            },
        )

    @property
    def most_nodes(self) -> int:
        """Nodes that it has at once in the middle of an upgrade."""
        return self.max_nodes if self.upgrade is None else self.upgrade.most_nodes(self.max_nodes)


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeRegistry:
    """Which image repositories there are."""

    models: bool
    """A private repository for model images."""
    pull_through: bool
    """A cache of each public registry, which all pods pull from."""
    scanning: bool
    """Vulnerability scanning, which Google bills by image."""
    untagged_days: int
    """Days after which images without a tag are deleted."""
    cached_days: int
    """Days after which an image in a cache is fetched anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeBackups:
    """The bucket for backups of databases."""

    bucket: str
    retention_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeBudget:
    """A budget of Cloud Billing: it warns, and stops nothing."""

    billing_account: str
    monthly: int
    """In the currency of the billing account."""
    thresholds: tuple[float, ...]
    """Shares of the budget at which Google warns once they are spent."""
    forecast_thresholds: tuple[float, ...]
    """Shares at which it warns as soon as the month is going to cost that much."""
    emails: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeTopology:
    """All that decides which resources a GKE substrate has."""

    project: str
    region: str
    zone: str | None
    """None makes the control plane regional."""
    cluster_name: str
    network: GkeNetworkTopology
    control_plane: GkeControlPlaneTopology
    platform_pool: GkePlatformPool
    gpu_pools: tuple[GkeGpuPool, ...]
    registry: GkeRegistry
    secret_locations: tuple[str, ...]
    """Regions that keep the values of secrets; empty leaves it to Google."""
    backups: GkeBackups | None
    create_dns_zone: bool
    edge_address: bool
    """Whether the public edge has a reserved address."""
    budget: GkeBudget | None
    deletion_protection: bool
    compute_class: bool
    """Whether the GPU pools belong to a compute class, which says in which order they are tried."""
    quota_check: bool
    """Whether Google is asked at each run if the project's GPU quota holds the pools."""

    @property
    def location(self) -> str:
        """Where the control plane runs: the zone, or the whole region."""
        return self.region if self.zone is None else self.zone

    @property
    def cluster_identifier(self) -> str:
        """What tells this cluster from any other; never changes while the cluster lives."""
        return f"{self.project}/{self.location}/{self.cluster_name}"

    @property
    def workload_pool(self) -> str:
        """Identity pool of the project, in which Kubernetes service accounts are members."""
        return f"{self.project}.svc.id.goog"

    @property
    def node_account_id(self) -> str:
        """Id of the Google service account that the nodes run as."""
        return names.gcp_service_account(self.cluster_name, "nodes")

    @property
    def external_secrets_account_id(self) -> str:
        """Id of the Google service account that External Secrets acts as."""
        return names.gcp_service_account(self.cluster_name, "secrets")

    @property
    def database_account_id(self) -> str:
        """Id of the Google service account that the LLM gateway's database acts as."""
        return names.gcp_service_account(self.cluster_name, "database")

    def dns_account_id(self, identity: str) -> str:
        """Return the id of the Google service account of one of `DNS_WRITERS`."""
        return names.gcp_service_account(self.cluster_name, DNS_WRITERS[identity])

    @property
    def model_repository_id(self) -> str:
        """Id of the image repository; with the cluster's name, so that stacks share a project."""
        return f"{self.cluster_name}-models"

    @property
    def mirror_repository_ids(self) -> dict[str, str]:
        """Ids of the repositories that cache public registries, by the host of each registry."""
        if not self.registry.pull_through:
            return {}
        return {
            host: f"{self.cluster_name}-{host.replace('.', '-')}" for host in MIRRORED_REGISTRIES
        }

    @property
    def edge_address_name(self) -> str:
        """Name of the reserved address of the public edge."""
        return f"{self.cluster_name}-edge"

    @property
    def streams_images(self) -> bool:
        """Whether nodes of any pool start containers while their image is still being read."""
        return any(pool.image_streaming for pool in (self.platform_pool, *self.gpu_pools))

    @property
    def resource_labels(self) -> dict[str, str]:
        """Labels of everything at Google that takes labels, for cost reports and for finding it."""
        key, value = self.cost_label
        return {"managed-by": "llmp", "llmp-cluster": self.cluster_name, key: value}

    @property
    def cost_label(self) -> tuple[str, str]:
        """Label that no other cluster has: a billing account may pay for several of one name."""
        value = names.fit(f"{self.project}-{self.cluster_name}", names.GCP_LABEL_MAX)
        return "llmp-cluster-id", value

    @property
    def credentials_command(self) -> str:
        """What adds the cluster to a kubeconfig."""
        by_name = " --dns-endpoint" if self.control_plane.endpoint == "dns" else ""
        return (
            f"gcloud container clusters get-credentials {self.cluster_name} "
            f"--location {self.location} --project {self.project}{by_name}"
        )

    def service_account_email(self, account_id: str) -> str:
        """Return the address of a Google service account of this project."""
        return f"{account_id}@{self.project}.iam.gserviceaccount.com"

    def image_prefix(self, repository_id: str) -> str:
        """Return what images of a repository of this project start with."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{repository_id}"


def _node_pool_name(name: str, fixed: Mapping[str, object]) -> str:
    """Return a name that differs for all that Google cannot change on a pool that exists."""
    everything = {**fixed, "revision": POOL_REVISION}
    told = {
        key: value
        for key, value in everything.items()
        if key not in POOL_NAME_BASELINE or value != POOL_NAME_BASELINE[key]
    }
    if not told:
        return name
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:6]
    return names.fit(f"{name}-{digest}", names.GKE_CLUSTER_MAX)


def gpu_pool_labels(pool: GkeGpuPool, *, compute_class: bool) -> dict[str, str]:
    """Return the Kubernetes labels of a GPU pool's nodes, those that GKE adds left out."""
    labels = {POOL_LABEL: pool.name, PRODUCT_LABEL: pool.accelerator}
    if pool.sharing is not None:
        labels[GPU_SHARING] = pool.sharing.strategy
    if compute_class:
        labels[COMPUTE_CLASS_LABEL] = COMPUTE_CLASS
    return labels


def gpu_pool_taints(pool: GkeGpuPool, *, compute_class: bool) -> tuple[Taint, ...]:
    """Return the taints of a GPU pool's nodes."""
    # GKE would add the first very taint; a pool that states it shows no difference later.
    taints = [Taint(key=GPU_TOLERATION.key, value="present")]
    if pool.capacity == "spot":
        taints.append(SPOT_TAINT)
    if pool.sharing is not None:
        taints.append(Taint(key=GPU_SHARING, value=pool.sharing.strategy))
    if compute_class:
        taints.append(Taint(key=COMPUTE_CLASS_LABEL, value=COMPUTE_CLASS))
    return tuple(taints)


def gke_gpu_profile(topology: GkeTopology) -> GpuProfile:
    """Return what the GPU pools promise to pods; GKE itself runs driver, device plugin and DCGM.

    Nothing selects a runtime class: GKE has none, and a pod that names one is never created.
    """
    pools = tuple(_contract_pool(topology, pool) for pool in topology.gpu_pools)
    if not pools:
        return GpuProfile(managed_by="none")
    profile = gke_profile(
        products=tuple(dict.fromkeys(pool.product for pool in pools)),
        max_gpus=sum(pool.gpus for pool in pools),
        max_gpus_per_node=max(pool.gpus_per_node for pool in pools),
        dcgm=topology.control_plane.managed_prometheus,
    ).model_copy(update={"pools": pools, "product_label": PRODUCT_LABEL})
    if not topology.compute_class:
        return profile
    return profile.model_copy(
        update={
            "compute_class": ComputeClass(
                name=COMPUTE_CLASS,
                priorities=_by_preference(topology.gpu_pools),
            ),
            "node_selector": {COMPUTE_CLASS_LABEL: COMPUTE_CLASS},
            "tolerations": (*profile.tolerations, Toleration(key=COMPUTE_CLASS_LABEL)),
        }
    )


def _contract_pool(topology: GkeTopology, pool: GkeGpuPool) -> GpuPool:
    sharing = pool.sharing
    return GpuPool(
        name=pool.name,
        product=pool.accelerator,
        gpus_per_node=pool.accelerators_per_node,
        max_nodes=pool.max_nodes,
        capacity=pool.capacity,
        sharing=None if sharing is None else sharing.strategy,
        clients_per_gpu=1 if sharing is None else sharing.clients_per_gpu,
        disk_size_gib=pool.disk_size_gib,
        zones=pool.zones or (() if topology.zone is None else (topology.zone,)),
        labels=gpu_pool_labels(pool, compute_class=topology.compute_class),
        taints=gpu_pool_taints(pool, compute_class=topology.compute_class),
    )


def _by_preference(pools: tuple[GkeGpuPool, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the pools of the first product by `CAPACITY_ORDER`, then those of the next.

    Pools of one product and capacity are one step, in which GKE takes the cheapest that fits: one
    GPU is not taken of a node with eight because that pool comes first in the config. Few steps
    also keep a long list from starting over: GKE tries a step again after five minutes.
    """
    steps: dict[tuple[int, int], list[str]] = {}
    products = list(dict.fromkeys(pool.accelerator for pool in pools))
    for pool in pools:
        step = products.index(pool.accelerator), CAPACITY_ORDER.index(pool.capacity)
        steps.setdefault(step, []).append(pool.node_pool_name)
    return tuple(tuple(steps[step]) for step in sorted(steps))


def gke_profile(
    *, products: tuple[str, ...], max_gpus: int, max_gpus_per_node: int, dcgm: bool = True
) -> GpuProfile:
    """Return the GPU profile of a GKE cluster, whoever made it.

    Args:
        products: accelerators of its pools, as GKE calls them.
        max_gpus: GPUs of all pools at their maximum.
        max_gpus_per_node: GPUs of the largest node.
        dcgm: whether GKE runs its DCGM exporter.
    """
    return GpuProfile(
        managed_by="gke",
        products=products,
        max_gpus=max_gpus,
        max_gpus_per_node=max_gpus_per_node,
        product_label=GPU_PRODUCT_LABEL,
        tolerations=(GPU_TOLERATION,),
        spot_tolerations=(SPOT_TAINT.toleration(),),
        dcgm=DCGM_EXPORTER if dcgm else None,
    )


def gke_contract(
    topology: GkeTopology,
    *,
    secret_store: SecretStore,
    domain: str | None = None,
    dns: Dns | None = None,
    argo_cd_sign_in: bool = False,
) -> SubstrateContract:
    """Return the contract of a GKE substrate, from config alone.

    GKE ships no snapshot class, and what lives in the cluster is the platform's to make, so the
    contract names the class and the driver that it is for. The load balancer annotation picks
    Google's network load balancer with a backend service, which checks the health of nodes; the
    older target pools do not. A reserved address is known by its name before it is made.
    """
    load_balancer = {"cloud.google.com/l4-rbs": "enabled"}
    if topology.edge_address:
        load_balancer["networking.gke.io/load-balancer-ip-addresses"] = topology.edge_address_name
    registry = topology.registry
    backups = topology.backups
    return SubstrateContract(
        cloud="gcp",
        region=topology.region,
        project=topology.project,
        cluster_name=topology.cluster_name,
        domain=domain,
        dns=Dns() if dns is None else dns,
        storage_class=STORAGE_CLASS,
        snapshot_class=SNAPSHOT_CLASS,
        snapshot_driver=SNAPSHOT_DRIVER,
        load_balancer_annotations=load_balancer,
        gpu=gke_gpu_profile(topology),
        secret_store=secret_store,
        registry_prefix=topology.image_prefix(topology.model_repository_id)
        if registry.models
        else None,
        registry_mirrors={
            host: topology.image_prefix(repository_id)
            for host, repository_id in topology.mirror_repository_ids.items()
        },
        backups=None
        if backups is None
        else ObjectStore(
            kind="google-cloud-storage",
            bucket=backups.bucket,
            retention_days=backups.retention_days,
        ),
        workload_identities=_identities(topology, secret_store, dns),
        argo_cd_sign_in=argo_cd_sign_in,
    )


def _identities(
    topology: GkeTopology, secret_store: SecretStore, dns: Dns | None
) -> dict[str, WorkloadIdentity]:
    def identity(account_id: str, namespace: str, service_account: str) -> WorkloadIdentity:
        email = topology.service_account_email(account_id)
        return WorkloadIdentity(
            namespace=namespace,
            service_account=service_account,
            annotations={"iam.gke.io/gcp-service-account": email},
        )

    found: dict[str, WorkloadIdentity] = {}
    if secret_store.kind == "google-secret-manager":
        found[EXTERNAL_SECRETS_IDENTITY] = identity(
            topology.external_secrets_account_id,
            EXTERNAL_SECRETS_NAMESPACE,
            EXTERNAL_SECRETS_SERVICE_ACCOUNT,
        )
    if dns is not None and dns.provider == "google":
        for name, namespace in DNS_WRITERS.items():
            found[name] = identity(topology.dns_account_id(name), namespace, namespace)
    if topology.backups is not None:
        found[DATABASE_IDENTITY] = identity(
            topology.database_account_id, DATABASE_NAMESPACE, DATABASE_SERVICE_ACCOUNT
        )
    return found
