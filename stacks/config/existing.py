"""The `existing` section: a cluster that is already there."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.contract import GpuProfile, WorkloadIdentity
from components.platform.config import Section


class ClusterFacts(Section):
    """What the contract says of a cluster that no stack of ours made."""

    cloud: Literal["gcp", "hetzner", "other"] = "other"
    region: str = Field(default="local", min_length=1)
    project: str | None = Field(default=None, description="Cloud project, where there is one.")
    cluster_name: str = Field(min_length=1, max_length=63, examples=["kind-llmp"])
    storage_class: str | None = None
    snapshot_class: str | None = None
    load_balancer_annotations: dict[str, str] = Field(default_factory=dict)
    gpu: GpuProfile = GpuProfile(managed_by="none")
    registry_prefix: str | None = None
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
        default=True, description="False where Argo CD is there already, in namespace argocd."
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
