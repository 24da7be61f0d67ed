"""The `existing` section: a cluster that is already there."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.contract import GpuProfile, ObjectStore, WorkloadIdentity
from components.platform.config import Section
from components.platform.values.policies import ImagePrefix, RegistryHost
from components.substrate.gke_topology import gke_profile
from components.substrate.gpu_profile import operator_profile

LabelValue = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        description="letters, digits, hyphens, dots and underscores, at most 63 characters: it "
        "becomes a Kubernetes label",
        examples=["local"],
    ),
]


class ExistingGpu(Section):
    """The GPUs of the cluster, and who makes them schedulable.

    How pods get them follows from that: node label, toleration, runtime class, and where DCGM runs.
    """

    managed_by: Literal["gke", "gpu-operator", "none"] = Field(
        default="none", description="who runs the driver, the device plugin and DCGM"
    )
    products: tuple[LabelValue, ...] = Field(
        default=(),
        description="values of the node label cloud.google.com/gke-accelerator on GKE, of "
        "nvidia.com/gpu.product elsewhere",
        examples=[["NVIDIA-GeForce-RTX-4090"]],
    )
    max_gpus: int = Field(default=0, ge=0, le=100_000, description="GPUs of all nodes")
    max_gpus_per_node: int = Field(default=0, ge=0, le=16, description="GPUs of the largest node")

    def profile(self) -> GpuProfile:
        """Return the same as the contract says it."""
        if self.managed_by == "none":
            return GpuProfile(managed_by="none")
        make = gke_profile if self.managed_by == "gke" else operator_profile
        return make(
            products=self.products,
            max_gpus=self.max_gpus,
            max_gpus_per_node=self.max_gpus_per_node,
        )


class ClusterFacts(Section):
    """What the contract says of a cluster that no stack of ours made."""

    cloud: Literal["gcp", "hetzner", "other"] = "other"
    region: LabelValue = "local"
    project: str | None = Field(default=None, description="Cloud project, where there is one.")
    cluster_name: LabelValue = Field(examples=["kind-llmp"])
    storage_class: str | None = None
    snapshot_class: str | None = None
    load_balancer_annotations: dict[str, str] = Field(default_factory=dict)
    gpu: ExistingGpu = ExistingGpu()
    registry_prefix: str | None = None
    registry_mirrors: dict[RegistryHost, ImagePrefix] = Field(
        default_factory=dict,
        description="Image prefixes to pull from instead of a public registry, by its host; every "
        "node may pull from there.",
        examples=[{"docker.io": "registry.example.com/docker-io"}],
    )
    backups: ObjectStore | None = Field(
        default=None,
        description="A bucket for the database's backups, which workload identity `database` may "
        "write.",
    )
    workload_identities: dict[str, WorkloadIdentity] = Field(default_factory=dict)


class ExistingConfig(Section):
    """The `existing` section: either `contract`, or `contract_from` another stack."""

    contract: ClusterFacts | None = None
    contract_from: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$",
        description="<organization>/<project>/<stack>, whose outputs `substrate` and `kubeconfig` "
        "are read; with a state backend of your own the organization is called `organization`",
        examples=["organization/llmp/gke"],
    )
    context: str | None = Field(
        default=None,
        min_length=1,
        description="context of your kubeconfig; not with contract_from, which brings its own",
    )
    install_argo_cd: bool = Field(
        default=True,
        description="false where Argo CD 3.3 or later is there already, in namespace argocd.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.contract is None) == (self.contract_from is None):
            msg = "give either contract or contract_from, exactly one of the two"
            raise ValueError(msg)
        if self.contract_from is not None and self.context is not None:
            msg = "context has no meaning with contract_from: remove it"
            raise ValueError(msg)
        if self.contract is not None and self.context is None:
            msg = "context is required with contract, so that no other cluster is ever changed"
            raise ValueError(msg)
        return self
