"""What the platform tree reads: the `platform`, `models` and `tenants` sections of a stack file.

Shapes, limits and defaults of one section each. Rules between sections are in
`stacks.config.rules`, because they also need the substrate.
"""

from typing import Annotated, Final, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

DnsLabel = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=40,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["team-a"],
    ),
]
"""A name that becomes part of Kubernetes names; 40 characters leave room for our suffixes in 53."""

ModelName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=35,
        description="lower case letters, digits and hyphens, a letter first, at most 35 characters",
        examples=["qwen-small"],
    ),
]
"""What tenants call a model, and its name in the cluster.

35 characters, because the inferencepool chart cuts `<model>-pool` at 40 (its v1.5.0 templates).
"""

HostName = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
        max_length=200,
        description="a DNS name without scheme, port or trailing dot",
        examples=["llm.example.com"],
    ),
]

RemoteSecretId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,200}$",
        description="the id of a secret in the secret store, never the secret itself",
        examples=["cloudflare-api-token"],
    ),
]

Profile = Literal["platform", "serving", "llm-gateway", "full"]
PROFILES: Final[tuple[Profile, ...]] = ("platform", "serving", "llm-gateway", "full")
"""Profiles from least to most; each one holds all that the one before it holds."""

Tier = Literal["cost", "dev", "prod"]


class Section(BaseModel):
    """Base of every section of a stack file: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Feature = Literal[
    "autoscaling",
    "security",
    "logging",
    "tracing",
    "opencost",
    "public_edge",
    "dns",
    "identity",
    "internal_ca",
    "openbao",
    "kserve",
    "llm_d",
    "multi_node",
    "compute_class",
    "gpu_smoke",
    "benchmark",
    "egress",
    "guardrails",
    "caching",
    "semantic_caching",
    "mcp_gateway",
    "key_portal",
    "coding_assistant",
    "n8n",
]


class Features(Section):
    """Capabilities of a stack. What each one needs is in `stacks.config.rules`."""

    autoscaling: bool = Field(default=True, description="KEDA scales models on waiting requests.")
    security: bool = Field(
        default=True,
        description="Kyverno's admission policies. The network is default-deny in any case.",
    )
    logging: bool = Field(default=False, description="Loki keeps the logs of all pods.")
    tracing: bool = Field(default=False, description="Traces from the edge to the engine.")
    opencost: bool = Field(default=False, description="Infrastructure cost by workload and team.")
    public_edge: bool = Field(default=False, description="The gateway that faces the internet.")
    dns: bool = Field(default=False, description="external-dns publishes the edge's records.")
    identity: bool = Field(default=False, description="Single sign-on: Dex and oauth2-proxy.")
    internal_ca: bool = Field(
        default=False, description="A certificate authority of the cluster, for private domains."
    )
    openbao: bool = Field(default=False, description="OpenBao: secrets with leases and an audit.")
    kserve: bool = Field(default=False, description="KServe: models with engine kserve or llm_d.")
    llm_d: bool = Field(default=False, description="Prefill and decode apart: engine llm_d.")
    multi_node: bool = Field(default=False, description="Models whose replicas span nodes.")
    compute_class: bool = Field(
        default=False, description="GKE compute classes: which GPU nodes to try, in which order."
    )
    gpu_smoke: bool = Field(default=False, description="A Job that proves a GPU, synced by hand.")
    benchmark: bool = Field(default=False, description="Load tests of models, synced by hand.")
    egress: bool = Field(default=False, description="Models of external providers.")
    guardrails: bool = Field(default=False, description="PII masking and injection filter.")
    caching: bool = Field(default=False, description="Answers that are asked for again, by model.")
    semantic_caching: bool = Field(
        default=False, description="Answers to questions that mean the same, by model."
    )
    mcp_gateway: bool = Field(default=False, description="A governed gateway for MCP tools.")
    key_portal: bool = Field(default=False, description="Users make and revoke their own keys.")
    coding_assistant: bool = Field(default=False, description="Tabby, for editors.")
    n8n: bool = Field(default=False, description="Workflow automation.")


class Cloudflare(Section):
    """DNS at Cloudflare, by an API token that may edit the one zone."""

    provider: Literal["cloudflare"]
    zone: HostName
    token_secret: RemoteSecretId | None = Field(
        default=None, description="Id of the API token in the secret store."
    )


class GoogleDns(Section):
    """DNS in a Cloud DNS managed zone, by workload identity."""

    provider: Literal["google"]
    zone: DnsLabel = Field(description="Name of the managed zone.")


class NoDns(Section):
    """Nobody manages records for this stack."""

    provider: Literal["none"] = "none"


def _dns_tag(value: object) -> str | None:
    if isinstance(value, dict):
        provider = cast("dict[str, object]", value).get("provider", "none")
    else:
        provider = getattr(value, "provider", None)
    return f"<{provider}>" if provider in {"none", "google", "cloudflare"} else None


DnsConfig = Annotated[
    Annotated[NoDns, Tag("<none>")]
    | Annotated[GoogleDns, Tag("<google>")]
    | Annotated[Cloudflare, Tag("<cloudflare>")],
    Discriminator(_dns_tag),
]
"""Tags in angle brackets never look like a key, so an error's YAML path can leave them out."""


class GitOps(Section):
    """Where Argo CD finds the charts of this project."""

    repository: str = Field(
        pattern=r"^(https://|ssh://|git@|file:///)\S+$",
        description="URL of the git repository that holds charts/ of this project",
        examples=["https://github.com/your-org/llmp.git"],
    )
    revision: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$",
        max_length=250,
        description="commit, tag or branch; leave it out for the commit that the program runs from",
        examples=["v1.2.0"],
    )


class PlatformConfig(Section):
    """The `platform` section: which systems run in the cluster, and how available they are."""

    enabled: bool = Field(default=True, description="false builds the substrate alone.")
    profile: Profile = Field(
        default="llm-gateway", description="Layers that it has: each profile holds the one before."
    )
    tier: Tier = Field(
        default="cost",
        description="Availability: prod runs more than one replica.",
    )
    features: Features = Features()
    domain: HostName | None = Field(
        default=None, description="Nothing is public unless this is set and public_edge is on."
    )
    dns: DnsConfig = NoDns()
    gitops: GitOps


class HuggingFaceSource(Section):
    """Weights from the Hugging Face hub, staged before the engine starts and runs offline."""

    hugging_face: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$",
        description="organisation and model on the hub, with a slash between",
        examples=["Qwen/Qwen2.5-7B-Instruct-AWQ"],
    )
    revision: str = Field(
        pattern=r"^[0-9a-f]{40}$",
        description="the full commit of the model repository, so that weights never change unseen",
        examples=["7ae557604adf67be50417f59c2c2f167def9a775"],
    )
    token_secret: RemoteSecretId | None = Field(
        default=None, description="Id of a hub token in the secret store, for gated models."
    )


class ImageSource(Section):
    """Weights in an OCI image (a modelcar), mounted as an image volume: no download at start."""

    image: str = Field(
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$",
        description="an image by digest, its weights under /models",
        examples=["ghcr.io/your-org/qwen2.5-7b@sha256:" + "0" * 64],
    )


def _source_tag(value: object) -> str:
    is_image = "image" in value if isinstance(value, dict) else isinstance(value, ImageSource)
    return "<image>" if is_image else "<hugging_face>"


ModelSource = Annotated[
    Annotated[HuggingFaceSource, Tag("<hugging_face>")] | Annotated[ImageSource, Tag("<image>")],
    Discriminator(_source_tag),
]


class ModelGpu(Section):
    """What one replica asks of the GPU pools."""

    count: int = Field(default=1, ge=1, le=16, description="GPUs of one replica, on one node.")
    product: str | None = Field(
        default=None, min_length=1, description="One product of the substrate; left out, any."
    )


class Replicas(Section):
    """How many replicas a started model has."""

    min: int = Field(default=1, ge=1, le=1000, description="Replicas while the model is started.")
    max: int = Field(
        default=1, ge=1, le=1000, description="Above min, the model scales on its load."
    )

    @model_validator(mode="after")
    def _min_within_max(self) -> Self:
        if self.min > self.max:
            msg = f"min {self.min} is over max {self.max}; raise max or lower min"
            raise ValueError(msg)
        return self


class ScalingTargets(Section):
    """What KEDA aims at. GPU utilisation is no load signal: it sits near 100 % under any load."""

    waiting_requests_per_replica: int = Field(
        default=5, ge=1, le=10_000, description="Requests in the queue that one replica may have."
    )
    kv_cache_usage: float = Field(
        default=0.9, gt=0, lt=1, description="Mean share of the KV cache in use."
    )


class Price(Section):
    """What tenants pay. Without a price every call costs 0 and no budget ever binds."""

    input_usd_per_million_tokens: float = Field(gt=0, le=1_000_000, examples=[0.5])
    output_usd_per_million_tokens: float = Field(gt=0, le=1_000_000, examples=[1.5])


class ModelResources(Section):
    """Host resources of one replica. Weights pass through host memory on their way to the GPU."""

    cpu: float = Field(default=2, gt=0, le=512, description="CPU cores requested.")
    memory_gib: int = Field(default=10, ge=1, le=4096, description="Memory requested and limit.")
    weights_gib: int = Field(default=30, ge=1, le=4096, description="Disk for staged weights.")
    shared_memory_gib: int = Field(
        default=1, ge=1, le=1024, description="For NCCL; a part of memory_gib, not on top of it."
    )

    @model_validator(mode="after")
    def _shared_memory_fits(self) -> Self:
        if self.shared_memory_gib >= self.memory_gib:
            msg = (
                f"shared_memory_gib {self.shared_memory_gib} counts against memory_gib "
                f"{self.memory_gib} and must be smaller"
            )
            raise ValueError(msg)
        return self


Engine = Literal["vllm", "kserve", "llm_d", "text_embeddings_inference", "simulator"]


class Model(Section):
    """One served model: the one list that drives serving, routing, scaling, prices and access."""

    name: ModelName
    engine: Engine = Field(
        default="vllm",
        description="what runs it; simulator answers without a model or a GPU, for trials",
    )
    source: ModelSource
    gpu: ModelGpu = ModelGpu()
    max_model_len: int = Field(
        ge=256,
        le=10_000_000,
        description="tokens of prompt and answer together",
        examples=[8192],
    )
    gpu_memory_utilization: float = Field(
        default=0.85,
        ge=0.1,
        le=0.95,
        description="share of GPU memory for the engine; CUDA graphs and the driver need the rest",
    )
    quantization: Literal["awq_marlin", "gptq_marlin", "fp8", "bitsandbytes"] | None = Field(
        default=None, description="how the weights are quantized; left out, as the model says"
    )
    dtype: Literal["auto", "bfloat16", "float16"] = Field(
        default="auto", description="number format of the engine; auto takes the model's own"
    )
    tool_call_parser: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9_]+$",
        description="vLLM's name of the model's tool-call format; switches tool calls on",
    )
    resources: ModelResources = ModelResources()
    replicas: Replicas = Replicas()
    scaling: ScalingTargets = ScalingTargets()
    autostart: bool = Field(
        default=False,
        description="false creates the model and starts nothing: no GPU is paid until it is synced",
    )
    priority: Literal["interactive", "standard", "batch"] = Field(
        default="standard",
        description="a saturated model sheds batch first; interactive goes before the rest",
    )
    price: Price

    @property
    def token_secret(self) -> str | None:
        """Remote id of the token that the weights need; None where they need none."""
        return self.source.token_secret if isinstance(self.source, HuggingFaceSource) else None


class Budget(Section):
    """What a tenant may spend in one period, enforced by LiteLLM."""

    usd: float = Field(gt=0, le=10_000_000, description="USD in one period.")
    period: Literal["1d", "7d", "30d"] = Field(
        default="30d", description="After it, the spend counts from 0 again."
    )


class RateLimits(Section):
    """How fast a tenant may call, enforced by LiteLLM."""

    requests_per_minute: int = Field(
        default=60, ge=1, le=1_000_000_000, description="Over all its keys."
    )
    tokens_per_minute: int = Field(
        default=100_000, ge=1, le=1_000_000_000, description="Prompt and answer, over all its keys."
    )


class Tenant(Section):
    """One team: the one list that drives budgets, limits, model access and GPU quota."""

    name: DnsLabel
    models: tuple[ModelName, ...] = Field(default=(), description="Models it may call.")
    budget: Budget
    rate_limits: RateLimits = RateLimits()
    gpu_quota: int = Field(default=0, ge=0, le=10_000, description="GPUs its own jobs may hold.")


def profile_includes(profile: Profile, wanted: Profile) -> bool:
    """Return whether `profile` holds all that `wanted` holds."""
    return PROFILES.index(profile) >= PROFILES.index(wanted)
