"""The shape of a GKE cluster: plain data, and what follows from it alone.

Nothing here makes a resource. The contract comes from this data, so that a stack file can be
checked against it before anything is created.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from components import names
from components.contract import (
    CERT_MANAGER_IDENTITY,
    EXTERNAL_DNS_IDENTITY,
    EXTERNAL_SECRETS_IDENTITY,
    ComputeClass,
    DcgmExporter,
    Dns,
    GpuProfile,
    SecretStore,
    SubstrateContract,
    Toleration,
    WorkloadIdentity,
)
from components.substrate.gpu_profile import GPU_TOLERATION

Accelerator = Literal[
    "nvidia-l4",
    "nvidia-tesla-t4",
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
]
ReleaseChannel = Literal["rapid", "regular", "stable", "extended"]
ControlPlaneEndpoint = Literal["dns", "ip"]

_N1_SIZES: Final[Mapping[str, tuple[int, ...]]] = {
    "n1-standard": (1, 2, 4, 8, 16, 32, 64, 96),
    "n1-highmem": (2, 4, 8, 16, 32, 64, 96),
    "n1-highcpu": (2, 4, 8, 16, 32, 64, 96),
}
"""vCPUs of the N1 machine types (Compute Engine docs, "N1 machine series")."""


def _n1_types(max_vcpus: int) -> tuple[str, ...]:
    types = [
        (vcpus, f"{family}-{vcpus}")
        for family, sizes in _N1_SIZES.items()
        for vcpus in sizes
        if vcpus <= max_vcpus
    ]
    # The default comes first: four vCPUs and 15 GB are the least that an engine starts with.
    return ("n1-standard-4", *(name for _, name in sorted(types) if name != "n1-standard-4"))


GPU_MACHINE_TYPES: Final[Mapping[Accelerator, Mapping[int, tuple[str, ...]]]] = {
    "nvidia-l4": {
        1: ("g2-standard-4", "g2-standard-8", "g2-standard-12", "g2-standard-16", "g2-standard-32"),
        2: ("g2-standard-24",),
        4: ("g2-standard-48",),
        8: ("g2-standard-96",),
    },
    "nvidia-tesla-t4": {1: _n1_types(48), 2: _n1_types(48), 4: _n1_types(96)},
    "nvidia-tesla-a100": {
        1: ("a2-highgpu-1g",),
        2: ("a2-highgpu-2g",),
        4: ("a2-highgpu-4g",),
        8: ("a2-highgpu-8g",),
        16: ("a2-megagpu-16g",),
    },
    "nvidia-a100-80gb": {
        1: ("a2-ultragpu-1g",),
        2: ("a2-ultragpu-2g",),
        4: ("a2-ultragpu-4g",),
        8: ("a2-ultragpu-8g",),
    },
    "nvidia-h100-80gb": {
        1: ("a3-highgpu-1g",),
        2: ("a3-highgpu-2g",),
        4: ("a3-highgpu-4g",),
        8: ("a3-highgpu-8g",),
    },
}
"""Machine types that Google sells with each number of GPUs, the default first.

Compute Engine docs, "GPU machine types".
"""

SPOT_ONLY_MACHINE_TYPES: Final = ("a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g")
"""Sold as spot or flex-start capacity only (Compute Engine docs, "A3 High machine types")."""

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

COMPUTE_CLASS: Final = "gpus"
COMPUTE_CLASS_LABEL: Final = "cloud.google.com/compute-class"
"""Label and taint of node pools that a compute class may use; pods select the class by the label
(GKE docs, "About custom ComputeClasses")."""

EXTERNAL_SECRETS_NAMESPACE: Final = "external-secrets"
EXTERNAL_SECRETS_SERVICE_ACCOUNT: Final = "external-secrets"

DNS_WRITERS: Final[Mapping[str, str]] = {
    CERT_MANAGER_IDENTITY: "cert-manager",
    EXTERNAL_DNS_IDENTITY: "external-dns",
}
"""Who writes records of the platform's zone: its key in the contract, and its namespace, which its
Kubernetes service account is called after."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeNetworkTopology:
    """Address ranges, all private and apart from each other."""

    node_cidr: str
    pod_cidr: str
    service_cidr: str
    control_plane_cidr: str
    """A /28 for the private address of the control plane."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkePlatformPool:
    """The pool of everything that needs no GPU."""

    machine_type: str
    min_nodes: int
    """Nodes in all zones together; `max_nodes` alike."""
    max_nodes: int
    disk_size_gib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeGpuPool:
    """A pool of GPU nodes of one kind."""

    name: str
    accelerator: Accelerator
    accelerators_per_node: int
    machine_type: str
    min_nodes: int
    """Nodes in all zones together; `max_nodes` alike."""
    max_nodes: int
    disk_size_gib: int
    spot: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeTopology:
    """All that decides which resources a GKE substrate has."""

    project: str
    region: str
    zone: str | None
    """None makes the control plane regional."""
    cluster_name: str
    release_channel: ReleaseChannel
    network: GkeNetworkTopology
    endpoint: ControlPlaneEndpoint
    authorized_networks: tuple[str, ...]
    """Who reaches the control plane's address; empty with endpoint `dns`, where IAM decides."""
    platform_pool: GkePlatformPool
    gpu_pools: tuple[GkeGpuPool, ...]
    model_registry: bool
    deletion_protection: bool
    compute_class: bool = False
    """Whether the GPU pools belong to a compute class, which says in which order they are tried."""

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

    def dns_account_id(self, identity: str) -> str:
        """Return the id of the Google service account of one of `DNS_WRITERS`."""
        return names.gcp_service_account(self.cluster_name, DNS_WRITERS[identity])

    @property
    def model_repository_id(self) -> str:
        """Id of the image repository; with the cluster's name, so that stacks share a project."""
        return f"{self.cluster_name}-models"

    @property
    def resource_labels(self) -> dict[str, str]:
        """Labels of everything at Google that takes labels, for cost reports and for finding it."""
        return {"managed-by": "llmp", "llmp-cluster": self.cluster_name}

    def service_account_email(self, account_id: str) -> str:
        """Return the address of a Google service account of this project."""
        return f"{account_id}@{self.project}.iam.gserviceaccount.com"


def gke_gpu_profile(pools: tuple[GkeGpuPool, ...], *, compute_class: bool = False) -> GpuProfile:
    """Return what the GPU pools promise to pods; GKE itself runs driver, device plugin and DCGM.

    Nothing selects a runtime class: GKE has none, and a pod that names one is never created.
    """
    if not pools:
        return GpuProfile(managed_by="none")
    profile = gke_profile(
        products=tuple(dict.fromkeys(pool.accelerator for pool in pools)),
        max_gpus=sum(pool.max_nodes * pool.accelerators_per_node for pool in pools),
        max_gpus_per_node=max(pool.accelerators_per_node for pool in pools),
    )
    if not compute_class:
        return profile
    # Spot is far cheaper; the sort keeps the order of the config otherwise.
    preferred = sorted(pools, key=lambda pool: not pool.spot)
    return profile.model_copy(
        update={
            "compute_class": ComputeClass(
                name=COMPUTE_CLASS, priorities=tuple((pool.name,) for pool in preferred)
            ),
            "node_selector": {COMPUTE_CLASS_LABEL: COMPUTE_CLASS},
            "tolerations": (*profile.tolerations, Toleration(key=COMPUTE_CLASS_LABEL)),
        }
    )


def gke_profile(*, products: tuple[str, ...], max_gpus: int, max_gpus_per_node: int) -> GpuProfile:
    """Return the GPU profile of a GKE cluster, whoever made it.

    Args:
        products: accelerators of its pools, as GKE calls them.
        max_gpus: GPUs of all pools at their maximum.
        max_gpus_per_node: GPUs of the largest node.
    """
    return GpuProfile(
        managed_by="gke",
        products=products,
        max_gpus=max_gpus,
        max_gpus_per_node=max_gpus_per_node,
        product_label=GPU_PRODUCT_LABEL,
        tolerations=(GPU_TOLERATION,),
        dcgm=DCGM_EXPORTER,
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
    older target pools do not.
    """
    identities: dict[str, WorkloadIdentity] = {}
    if secret_store.kind == "google-secret-manager":
        email = topology.service_account_email(topology.external_secrets_account_id)
        identities[EXTERNAL_SECRETS_IDENTITY] = WorkloadIdentity(
            namespace=EXTERNAL_SECRETS_NAMESPACE,
            service_account=EXTERNAL_SECRETS_SERVICE_ACCOUNT,
            annotations={"iam.gke.io/gcp-service-account": email},
        )
    if dns is not None and dns.provider == "google":
        for identity, namespace in DNS_WRITERS.items():
            email = topology.service_account_email(topology.dns_account_id(identity))
            identities[identity] = WorkloadIdentity(
                namespace=namespace,
                service_account=namespace,
                annotations={"iam.gke.io/gcp-service-account": email},
            )
    registry = f"{topology.region}-docker.pkg.dev/{topology.project}/{topology.model_repository_id}"
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
        load_balancer_annotations={"cloud.google.com/l4-rbs": "enabled"},
        gpu=gke_gpu_profile(topology.gpu_pools, compute_class=topology.compute_class),
        secret_store=secret_store,
        registry_prefix=registry if topology.model_registry else None,
        workload_identities=identities,
        argo_cd_sign_in=argo_cd_sign_in,
    )
