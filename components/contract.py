"""The substrate contract: what a substrate promises, and all that the platform may know about it.

One frozen object takes three ways out of the substrate: in process to the platform tree, as the
stack output `substrate`, and as labels and annotations on the Argo CD cluster Secret, where the
ApplicationSets of a team read it. It never holds a secret: the kubeconfig is an output of its own.
"""

import json
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ANNOTATION_PREFIX: Final = "llmp.dev/"
"""Prefix of every label and annotation that carries the contract."""

LABEL_FIELDS: Final = ("version", "cloud", "region", "cluster_name")
"""Fields that are written as labels too, because ApplicationSet generators select by label."""


GPU_SHARING: Final = ANNOTATION_PREFIX + "gpu-sharing"
"""Label and taint of nodes whose GPUs several pods share, by strategy: a pod that counts on the
memory of a whole GPU must not come there by accident."""

EXTERNAL_SECRETS_IDENTITY: Final = "external_secrets"
"""Key of the workload identity that reads and writes the secret store."""

CERT_MANAGER_IDENTITY: Final = "cert_manager"
EXTERNAL_DNS_IDENTITY: Final = "external_dns"
"""Keys of the workload identities that write records of the platform's DNS zone."""

DATABASE_IDENTITY: Final = "database"
"""Key of the workload identity that writes and reads the backups of the LLM gateway's database."""


RemoteSecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
"""Id of a secret in the store, without the store's prefix."""

_S3_FIELDS: Final = ("endpoint", "region", "access_key_secret", "secret_key_secret")


class ContractModel(BaseModel):
    """Base of all parts of the contract: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Toleration(ContractModel):
    """One Kubernetes toleration, with the field names of the Kubernetes API in snake case."""

    key: str = Field(min_length=1, examples=["nvidia.com/gpu"])
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"

    def to_kubernetes(self) -> dict[str, str]:
        """Return the toleration as the Kubernetes API spells it."""
        toleration = {"key": self.key, "operator": self.operator, "effect": self.effect}
        return toleration if self.value is None else {**toleration, "value": self.value}


class DcgmExporter(ContractModel):
    """Where the DCGM exporter of the substrate runs, for the platform to scrape.

    The platform never starts one of its own: two on a node fight over the embedded DCGM engine and
    one of them crashes.
    """

    namespace: str
    pod_labels: dict[str, str]
    port: str = Field(description="Name of the container port that serves the metrics.")


class ComputeClass(ContractModel):
    """The GKE compute class that all GPU pools belong to; the platform makes the object of it."""

    name: str = Field(description="Value of the node label cloud.google.com/compute-class.")
    priorities: tuple[tuple[str, ...], ...] = Field(
        min_length=1, description="Node pools by preference; those of one step are equally good."
    )


class Taint(ContractModel):
    """One taint of the nodes of a pool."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"

    def toleration(self) -> Toleration:
        """Return what a pod needs to come to the nodes all the same."""
        return Toleration(
            key=self.key,
            operator="Equal" if self.value else "Exists",
            value=self.value or None,
            effect=self.effect,
        )


class GpuPool(ContractModel):
    """One pool of GPU nodes: what it has, and the labels and taints of its nodes."""

    name: str = Field(description="As the config calls it; value of the node label llmp.dev/pool.")
    product: str
    gpus_per_node: int = Field(ge=1, description="GPUs that the machine has.")
    max_nodes: int = Field(ge=0)
    capacity: Literal["on-demand", "spot", "flex-start", "reservation"] = "on-demand"
    sharing: Literal["time-slicing", "mps"] | None = Field(
        default=None, description="How several pods share one GPU; None where each has its own."
    )
    clients_per_gpu: int = Field(default=1, ge=1, description="Pods that share one GPU.")
    disk_size_gib: int = Field(default=0, ge=0, description="Boot disk of a node; 0 if unknown.")
    zones: tuple[str, ...] = Field(default=(), description="Zones of its nodes; empty if unknown.")
    labels: dict[str, str] = Field(default_factory=dict)
    taints: tuple[Taint, ...] = ()

    @property
    def gpus(self) -> int:
        """GPUs that pods can ask for with every node there: a shared one counts as several."""
        return self.max_nodes * self.gpus_per_node * self.clients_per_gpu


class GpuProfile(ContractModel):
    """How a pod gets a GPU on this substrate: `nvidia.com/gpu` is schedulable under these terms."""

    managed_by: Literal["gke", "gpu-operator", "none"] = Field(
        description="Who runs the driver, the device plugin and DCGM."
    )
    products: tuple[str, ...] = Field(
        default=(), description="GPU products, for example nvidia-l4."
    )
    max_gpus: int = Field(default=0, ge=0, description="GPUs when every pool is at its maximum.")
    max_gpus_per_node: int = Field(default=0, ge=0, description="GPUs of the largest node.")
    product_label: str | None = Field(
        default=None, description="Node label whose value is the GPU product."
    )
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str | None = Field(
        default=None,
        description="RuntimeClass that GPU pods need; None where the node default has it.",
    )
    dcgm: DcgmExporter | None = None
    compute_class: ComputeClass | None = None
    pools: tuple[GpuPool, ...] = Field(
        default=(), description="The pools, where the substrate knows them one by one."
    )
    spot_tolerations: tuple[Toleration, ...] = Field(
        default=(),
        description="What a pod needs beside `tolerations` to run on nodes that may be taken away.",
    )


class SecretStore(ContractModel):
    """Which backend External Secrets reads and writes."""

    kind: Literal["google-secret-manager", "kubernetes"]
    project: str | None = Field(default=None, description="Google Cloud project of the secrets.")
    prefix: str = Field(default="", description="Put before every remote secret id.")
    audience: str | None = Field(
        default=None,
        description="Provider of workload identity federation, as Google's token service is asked "
        "about it; None where the nodes are Google's.",
    )


class WorkloadIdentity(ContractModel):
    """One Kubernetes service account that a cloud identity trusts."""

    namespace: str
    service_account: str
    annotations: dict[str, str] = Field(description="What the service account must carry.")


class Dns(ContractModel):
    """Who answers for the platform's domain."""

    provider: Literal["none", "google", "cloudflare"] = "none"
    zone: str | None = Field(default=None, description="Managed zone (google) or zone name.")
    token_secret: str | None = Field(
        default=None, description="Remote secret id of the API token; never the token."
    )


class ObjectStore(ContractModel):
    """Where backups go that outlive the cluster."""

    kind: Literal["google-cloud-storage", "s3"]
    bucket: str = Field(description="Its name. No other stack backs up to it.")
    retention_days: int = Field(ge=1, description="How long a backup can be restored.")
    endpoint: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$",
        description="s3 alone: public host of its API, with the port where that is not 443",
        examples=["nbg1.your-objectstorage.com"],
    )
    region: str | None = Field(default=None, min_length=1, description="s3 alone.")
    access_key_secret: RemoteSecretId | None = Field(
        default=None, description="s3 alone: remote secret id of the access key; never the key."
    )
    secret_key_secret: RemoteSecretId | None = Field(
        default=None, description="s3 alone: remote secret id of the secret key; never the key."
    )

    @model_validator(mode="after")
    def _s3_says_where_and_by_which_keys(self) -> Self:
        written = {name: getattr(self, name) is not None for name in _S3_FIELDS}
        if self.kind == "s3" and not all(written.values()):
            missing = ", ".join(name for name, is_written in written.items() if not is_written)
            msg = f"a bucket of kind s3 lacks {missing}; write {', '.join(_S3_FIELDS)}"
            raise ValueError(msg)
        if self.kind != "s3" and any(written.values()):
            extra = ", ".join(name for name, is_written in written.items() if is_written)
            msg = f"a bucket of kind {self.kind} has no {extra}; remove it, or set kind: s3"
            raise ValueError(msg)
        return self

    @property
    def endpoint_port(self) -> int:
        """Port of the S3 API."""
        _, _, port = (self.endpoint or "").partition(":")
        return int(port) if port else 443


class SubstrateContract(ContractModel):
    """Version 1 of the contract.

    A field is added with a default; a field that changes meaning or goes makes a version 2.
    """

    version: Literal[1] = 1
    cloud: Literal["gcp", "hetzner", "other"]
    region: str
    project: str | None = Field(
        default=None, description="Cloud project, where the cloud has such."
    )
    cluster_name: str
    domain: str | None = None
    dns: Dns = Dns()
    storage_class: str | None = Field(
        default=None, description="StorageClass for volumes; None takes the cluster's default."
    )
    snapshot_class: str | None = Field(
        default=None, description="VolumeSnapshotClass for backups; None where there is none."
    )
    snapshot_driver: str | None = Field(
        default=None,
        description="CSI driver for which the platform makes snapshot_class; None where the class "
        "is there already.",
    )
    load_balancer_annotations: dict[str, str] = Field(default_factory=dict)
    gpu: GpuProfile
    secret_store: SecretStore
    registry_prefix: str | None = Field(
        default=None, description="Image prefix of the substrate's own registry for model images."
    )
    registry_mirrors: dict[str, str] = Field(
        default_factory=dict,
        description="Image prefixes to pull from instead of a public registry, by its host.",
    )
    backups: ObjectStore | None = Field(
        default=None, description="Where databases are backed up; None leaves volume snapshots."
    )
    workload_identities: dict[str, WorkloadIdentity] = Field(
        default_factory=dict, description="By who has it, for example external_secrets."
    )
    k3s_version: str | None = Field(
        default=None,
        pattern=r"^v[0-9]+\.[0-9]+\.[0-9]+\+k3s[0-9]+$",
        description="Release of k3s that all nodes are to run; None where k3s does not run them.",
        examples=["v1.33.12+k3s1"],
    )
    argo_cd_sign_in: bool = Field(
        default=False,
        description="Whether Argo CD signs its users in at the platform's identity provider.",
    )

    @field_validator("load_balancer_annotations")
    @classmethod
    def _annotation_keys_are_qualified(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if not re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9._-]{0,62}", key):
                msg = f"{key!r} is not a Kubernetes annotation key"
                raise ValueError(msg)
        return value

    def to_output(self) -> dict[str, Any]:
        """Return the JSON form that is exported as the stack output `substrate`."""
        return self.model_dump(mode="json")

    @classmethod
    def from_output(cls, value: object) -> Self:
        """Read the stack output `substrate` of another stack.

        Raises:
            pydantic.ValidationError: the output is not a contract of this version.
        """
        return cls.model_validate(value)

    def labels(self) -> dict[str, str]:
        """Return the labels of the Argo CD cluster Secret that carry the contract."""
        return {annotation_key(name): str(getattr(self, name)) for name in LABEL_FIELDS}

    def annotations(self) -> dict[str, str]:
        """Return the annotations of the Argo CD cluster Secret that carry the contract.

        One annotation a field. Text stays as it is, so that a template can use it directly; the
        rest is JSON (`fromJson` in a template). A field without a value is an empty text, never
        absent: ApplicationSets run with missingkey=error.
        """
        return {
            annotation_key(name): value
            if isinstance(value, str)
            else ("" if value is None else json.dumps(value, sort_keys=True))
            for name, value in self.to_output().items()
        }

    @classmethod
    def from_annotations(cls, annotations: dict[str, str]) -> Self:
        """Read the contract back from the annotations of the cluster Secret.

        Raises:
            KeyError: an annotation of the contract is missing.
            pydantic.ValidationError: a value is not what the contract allows.
        """
        values: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            text = annotations[annotation_key(name)]
            values[name] = (
                text if text and _is_text(field.annotation) else json.loads(text or "null")
            )
        return cls.model_validate(values)


def _is_text(field_type: object) -> bool:
    """Return whether a field's annotation is the text itself; the others are JSON."""
    return field_type in (str, str | None, Literal["gcp", "hetzner", "other"])


def annotation_key(field_name: str) -> str:
    """Return the label or annotation key of a contract field."""
    return ANNOTATION_PREFIX + field_name.replace("_", "-")
