"""What the platform tree reads: the `platform`, `models` and `tenants` sections of a stack file.

Shapes, limits and defaults of one section each. Rules between sections are in
`stacks.config.rules`, because they also need the substrate.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

HTTPS_PORT: Final = 443

_YAML_WORDS: Final = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})


def _is_text(name: str) -> str:
    # Charts write names without quotes: a namespace `on` would be created as `true`.
    if name in _YAML_WORDS:
        msg = f"YAML in charts reads {name} as no text; take another name"
        raise ValueError(msg)
    return name


DnsLabel = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=40,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["team-a"],
    ),
    AfterValidator(_is_text),
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
    AfterValidator(_is_text),
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

OWN_SECRET_IDS: Final = frozenset(
    {
        "dex-admin-password",
        "dex-argocd-client-secret",
        "dex-grafana-client-secret",
        "dex-litellm-client-secret",
        "dex-oauth2-proxy-client-secret",
        "dex-open-webui-client-secret",
        "grafana-admin-password",
        "key-portal-form-secret",
        "litellm-db-password",
        "litellm-grafana-ro-password",
        "litellm-key-n8n",
        "litellm-key-open-webui",
        "litellm-key-open-webui-documents",
        "litellm-key-tabby",
        "litellm-master-key",
        "litellm-metrics-key",
        "litellm-qdrant-key",
        "litellm-salt-key",
        "litellm-valkey-password",
        "n8n-encryption-key",
        "n8n-owner-password",
        "oauth2-proxy-cookie-secret",
        "open-webui-admin-password",
        "open-webui-session-key",
        "tabby-admin-password",
        "vllm-api-key",
    }
)
"""Ids under which the cluster itself puts secrets into the store. `tests` hold it complete."""


def _is_supplied(remote_id: str) -> str:
    # A provider, a chat or a hub would be sent a password of the platform.
    if remote_id in OWN_SECRET_IDS:
        msg = f"the cluster makes the secret {remote_id} for itself; put yours under another id"
        raise ValueError(msg)
    return remote_id


RemoteSecretId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,200}$",
        description="the id of a secret in the secret store, never the secret itself",
        examples=["cloudflare-api-token"],
    ),
    AfterValidator(_is_supplied),
]

EmailAddress = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,63}$",
        max_length=254,
        description="an e-mail address",
        examples=["platform@example.com"],
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
    zone: DnsLabel = Field(
        description="name of the managed zone: letters, digits and hyphens, without dots",
        examples=["example-com"],
    )


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


class EdgeConfig(Section):
    """The public edge. What signs its certificates follows from `platform.dns` and the features.

    With a DNS provider an ACME server, asked by records in the zone; without one and with feature
    internal_ca the cluster's own authority; else an ACME server that calls the edge itself, on port
    80 and by names that already lead there.
    """

    acme_server: Literal["production", "staging"] = Field(
        default="production",
        description="Of Let's Encrypt; staging is not trusted, and its limits are wide.",
    )
    acme_email: EmailAddress | None = Field(
        default=None, description="Of the account at the ACME server, which need not know one."
    )
    requests_per_second: int = Field(
        default=500, ge=1, le=1_000_000, description="What one proxy lets in, over all callers."
    )


GroupName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._:@/-]+( [A-Za-z0-9._:@/-]+)*$",
        max_length=255,
        description="a group as the connector names it, without quotes and commas",
        examples=["your-org:platform"],
    ),
]

ConnectorName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=30,
        description="lower case letters, digits and hyphens, a letter first, at most 30 characters",
        examples=["keycloak"],
    ),
    AfterValidator(_is_text),
]
"""What tells a connector from the others; 30 characters leave room for our prefix in 53."""

GitHubOrganization = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$",
        max_length=39,
        description="the name of an organisation as it stands in its URL",
        examples=["your-org"],
    ),
]

ClientId = Annotated[
    str,
    Field(
        # Dex puts variables of its environment where it reads a dollar.
        pattern=r"^[^\s$]+$",
        max_length=255,
        description="id of our client at the provider, without blanks and dollars",
        examples=["Ov23liExample"],
    ),
]

ClientSecretId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,200}$",
        description="id of our client's secret in the secret store, never the secret itself",
        examples=["github-client-secret"],
    ),
    AfterValidator(_is_supplied),
]


class GitHubConnector(Section):
    """GitHub accounts; their groups are `organization:team`."""

    provider: Literal["github"]
    organizations: tuple[GitHubOrganization, ...] = Field(
        min_length=1,
        description="who is in none of them cannot sign in",
        examples=[["your-org"]],
    )
    client_id: ClientId
    client_secret: ClientSecretId

    @property
    def name(self) -> str:
        """What tells it from the other connectors."""
        return self.provider


class GoogleConnector(Section):
    """Google accounts of an organisation; they come without groups."""

    provider: Literal["google"]
    hosted_domains: tuple[HostName, ...] = Field(
        min_length=1,
        description="who is in none of them cannot sign in: without one, all of Google could",
        examples=[["example.com"]],
    )
    client_id: ClientId
    client_secret: ClientSecretId

    @property
    def name(self) -> str:
        """What tells it from the other connectors."""
        return self.provider


class OidcConnector(Section):
    """Any provider of OpenID Connect, such as Keycloak or Entra ID: whoever it knows signs in."""

    provider: Literal["oidc"]
    name: ConnectorName
    issuer: str = Field(
        pattern=r"^https://[^\s/?#]+(/[^\s?#]*)?$",
        description="URL of the issuer, without .well-known, at a public address",
        examples=["https://keycloak.example.com/realms/your-org"],
    )
    client_id: ClientId
    client_secret: ClientSecretId

    @property
    def port(self) -> int:
        """The port of the issuer, to which alone the network lets the identity provider out.

        Raises:
            ValueError: the URL names none that there is.
        """
        port = urlsplit(self.issuer).port
        return HTTPS_PORT if port is None else port

    @model_validator(mode="after")
    def _issuer_has_a_port(self) -> Self:
        try:
            can_be_called = self.port > 0
        except ValueError:
            can_be_called = False
        if not can_be_called:
            msg = (
                "the issuer's URL has no port from 1 to 65535; correct it, or leave it out for 443"
            )
            raise ValueError(msg)
        return self


def _connector_tag(value: object) -> str | None:
    if isinstance(value, dict):
        provider = cast("dict[str, object]", value).get("provider")
    else:
        provider = getattr(value, "provider", None)
    return f"<{provider}>" if provider in {"github", "google", "oidc"} else None


IdentityConnector = Annotated[
    Annotated[GitHubConnector, Tag("<github>")]
    | Annotated[GoogleConnector, Tag("<google>")]
    | Annotated[OidcConnector, Tag("<oidc>")],
    Discriminator(_connector_tag),
]


class IdentityConfig(Section):
    """Who signs in at feature identity, and who may do everything."""

    admin_email: EmailAddress | None = Field(
        default=None,
        description="of the one user that Dex has itself; left out, admin@ the domain. Its "
        "password is made in the cluster, under the id dex-admin-password of the store",
    )
    admin_groups: tuple[GroupName, ...] = Field(
        default=(),
        description="Groups of the connectors whose people administer Argo CD and Grafana.",
        examples=[["your-org:platform"]],
    )
    allowed_groups: tuple[GroupName, ...] = Field(
        default=(),
        description="groups that pass the sign-in of the edge; left out, everybody who signs in. "
        "The user of Dex itself has no group",
        examples=[["your-org:engineering"]],
    )
    connectors: tuple[IdentityConnector, ...] = ()


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


ReceiverName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=30,
        description="lower case letters, digits and hyphens, a letter first, at most 30 characters",
        examples=["on-call"],
    ),
    AfterValidator(_is_text),
]
"""What tells a receiver from the others; 30 characters leave room for our prefix in 53."""

Severity = Literal["critical", "warning", "info"]

_LEAST: Final = "The least severity that it is told of."


class SlackReceiver(Section):
    """A channel of Slack."""

    kind: Literal["slack"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with the URL of a webhook.")
    channel: str | None = Field(
        default=None,
        # Alertmanager reads braces as a template.
        pattern=r"^[^\s{}]+$",
        description="without blanks and braces; left out, the one that the webhook was made for",
        examples=["#platform"],
    )
    least_severity: Severity = Field(default="warning", description=_LEAST)


class PagerDutyReceiver(Section):
    """A service of PagerDuty."""

    kind: Literal["pagerduty"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with a routing key of Events v2.")
    least_severity: Severity = Field(default="critical", description=_LEAST)


class WebhookReceiver(Section):
    """Anything that takes Alertmanager's own JSON."""

    kind: Literal["webhook"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with the URL, public and HTTPS.")
    least_severity: Severity = Field(default="warning", description=_LEAST)


class EmailReceiver(Section):
    """A mailbox, by a mail server that takes STARTTLS and a password."""

    kind: Literal["email"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with the password.")
    to: EmailAddress
    sender: EmailAddress
    host: HostName = Field(description="The mail server, at a public address.")
    port: int = Field(default=587, ge=1, le=65535)
    user: str = Field(min_length=1, max_length=255, examples=["alerts"])
    least_severity: Severity = Field(default="warning", description=_LEAST)


def _receiver_tag(value: object) -> str | None:
    if isinstance(value, dict):
        kind = cast("dict[str, object]", value).get("kind")
    else:
        kind = getattr(value, "kind", None)
    return f"<{kind}>" if kind in {"slack", "pagerduty", "webhook", "email"} else None


AlertReceiver = Annotated[
    Annotated[SlackReceiver, Tag("<slack>")]
    | Annotated[PagerDutyReceiver, Tag("<pagerduty>")]
    | Annotated[WebhookReceiver, Tag("<webhook>")]
    | Annotated[EmailReceiver, Tag("<email>")],
    Discriminator(_receiver_tag),
]


class Alerting(Section):
    """Who is told of alerts. With nobody listed they show in Grafana, and nothing is sent."""

    receivers: tuple[AlertReceiver, ...] = ()
    dead_mans_switch_secret: RemoteSecretId | None = Field(
        default=None,
        description="Id of the secret with a URL that is called every 5 minutes while alerting "
        "works; whoever is behind it raises the alarm when the calls stop",
    )
    runbooks_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/#]+(/[^\s#]*)?$",
        description="where docs/runbooks.md is read; left out, in the repository of gitops",
        examples=["https://docs.example.com/runbooks"],
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        for name in names:
            if names.count(name) > 1:
                msg = f"two receivers are called {name}; give one of them another name"
                raise ValueError(msg)
        if self.dead_mans_switch_secret is not None and DEAD_MANS_SWITCH in names:
            msg = f"{DEAD_MANS_SWITCH} is the dead man's switch; call the receiver something else"
            raise ValueError(msg)
        return self


DEAD_MANS_SWITCH: Final = "dead-mans-switch"


PersonalData = Literal[
    "CREDIT_CARD",
    "CRYPTO",
    "DATE_TIME",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "LOCATION",
    "MEDICAL_LICENSE",
    "NRP",
    "PERSON",
    "PHONE_NUMBER",
    "UK_NHS",
    "US_BANK_NUMBER",
    "US_DRIVER_LICENSE",
    "US_ITIN",
    "US_PASSPORT",
    "US_SSN",
]
"""Kinds that LiteLLM 1.89 knows (its types/guardrails.py) and Presidio's image looks for.

Its conf/default_recognizers.yaml (2.2.361) switches others off, or has them for languages that it
does not load: those would pass unmasked, and a list of nothing else would refuse every prompt.
"""


class GuardrailsConfig(Section):
    """The `guardrails` section: what feature guardrails filters. It always fails closed."""

    masked_entities: tuple[PersonalData, ...] = Field(
        default=("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "PHONE_NUMBER", "US_SSN"),
        min_length=1,
        description="Personal data that prompts lose, by Presidio's names. PERSON and LOCATION "
        "mask many words that are none.",
    )
    injection_severity: Literal["high", "medium", "low"] = Field(
        default="medium",
        description="From which severity on a prompt that looks like an injection is refused.",
    )


class Tracing(Section):
    """How much of what happens feature tracing keeps."""

    sampling_ratio: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Share of the traces that are kept; left out, all of them, a tenth in tier "
        "prod.",
    )

    def kept(self, tier: Tier) -> float:
        """Return the share of the traces that are kept."""
        if self.sampling_ratio is not None:
            return self.sampling_ratio
        return 0.1 if tier == "prod" else 1.0


class InfrastructurePrices(Section):
    """What feature opencost counts for the machines, in one currency, which it calls USD.

    The defaults are list prices on demand of Google Cloud, us-central1: vCPU and memory of the
    E2 machines, a balanced disk, traffic to the internet, and of the L4 what a g2-standard-4
    (0.71 an hour) costs more than its 4 vCPU and 16 GiB.
    """

    cpu_usd_per_hour: float = Field(default=0.021811, ge=0, le=1000, description="One vCPU.")
    memory_usd_per_gib_hour: float = Field(default=0.002923, ge=0, le=1000)
    gpu_usd_per_hour: float = Field(
        default=0.58, ge=0, le=10_000, description="One GPU, whichever product it is."
    )
    storage_usd_per_gib_month: float = Field(default=0.1, ge=0, le=1000)
    internet_egress_usd_per_gib: float = Field(default=0.12, ge=0, le=1000)


class OpenCost(Section):
    """What feature opencost reckons with."""

    prices: InfrastructurePrices = InfrastructurePrices()


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
    parallel_requests: int = Field(
        default=50, ge=1, le=100_000, description="At once, by each of its keys."
    )


Member = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9._%+-]*@([a-z0-9-]+\.)+[a-z]{2,63}$",
        max_length=254,
        description="an e-mail address in lower case, or @ and a domain for all addresses of it",
        examples=["ann@example.com", "@research.example.com"],
    ),
]


class ExperienceConfig(Section):
    """What each system of layer experience may spend: it calls models by a key of its own."""

    budget: Budget = Budget(usd=50)
    rate_limits: RateLimits = RateLimits(requests_per_minute=600, tokens_per_minute=1_000_000)


class KeyPortalConfig(Section):
    """What a key that people make for themselves may have at most."""

    max_budget_usd: float = Field(
        default=20, gt=0, le=10_000_000, description="USD that one key may spend in the period."
    )
    period: Literal["1d", "7d", "30d"] = Field(
        default="30d", description="After it, the spend counts from 0 again."
    )
    max_days: int = Field(default=90, ge=1, le=365, description="After so many days a key ends.")
    keys_per_user: int = Field(default=5, ge=1, le=100, description="Keys at one time.")


class CodingAssistantConfig(Section):
    """Which models of the stack Tabby asks."""

    chat_model: ModelName | None = Field(
        default=None, description="Answers questions; left out, the first chat model of the list."
    )
    completion_model: ModelName | None = Field(
        default=None,
        description="writes what stands between two pieces of code. It must be a base model that "
        "was trained for that; left out, the editor completes nothing",
    )
    completion_template: str = Field(
        default="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        pattern=r"^[^\n]*\{prefix\}[^\n]*\{suffix\}[^\n]*$",
        max_length=500,
        description="How the completion model is asked; the default is that of Qwen2.5-Coder.",
    )
    embedding_model: ModelName | None = Field(
        default=None,
        description="finds code and documents; left out, the only embedding model of the list",
    )


class N8nConfig(Section):
    """What workflows may reach, and who may start them."""

    internet: bool = Field(
        default=False, description="Workflows call public HTTPS addresses; without, LiteLLM alone."
    )
    webhooks: bool = Field(
        default=False,
        description="Workflows are started and resumed from outside, without sign-in: "
        "each must check its callers itself.",
    )


class McpServer(Section):
    """An MCP server of somebody else, reached through the MCP gateway."""

    name: DnsLabel = Field(description="Put before the names of its tools.")
    host: HostName = Field(description="Its public name; reached by HTTPS at port 443.")
    path: str = Field(
        default="/mcp",
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        max_length=200,
        description="Where it speaks streamable HTTP.",
    )
    token_secret: RemoteSecretId | None = Field(
        default=None, description="Id of a bearer token that the gateway sends along."
    )


class McpGatewayConfig(Section):
    """The MCP gateway: whose tools it offers beside the platform's own, and how fast."""

    servers: tuple[McpServer, ...] = Field(default=(), max_length=50)
    requests_per_second: int = Field(
        default=10, ge=1, le=10_000, description="Over all callers, by one proxy of the gateway."
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
    edge: EdgeConfig = EdgeConfig()
    identity: IdentityConfig = IdentityConfig()
    alerting: Alerting = Alerting()
    tracing: Tracing = Tracing()
    opencost: OpenCost = OpenCost()
    guardrails: GuardrailsConfig = GuardrailsConfig()
    experience: ExperienceConfig = ExperienceConfig()
    key_portal: KeyPortalConfig = KeyPortalConfig()
    coding_assistant: CodingAssistantConfig = CodingAssistantConfig()
    n8n: N8nConfig = N8nConfig()
    mcp_gateway: McpGatewayConfig = McpGatewayConfig()
    gitops: GitOps


class HubRepository(Section):
    """Files of one commit of a repository on the Hugging Face hub."""

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


class HuggingFaceSource(HubRepository):
    """Weights from the Hugging Face hub, staged before the engine starts and runs offline."""

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


class ExternalSource(Section):
    """No weights: a provider answers, through LiteLLM and the egress gateway."""

    provider: Literal["anthropic", "openai", "google"] = Field(description="Who is called.")
    model: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$",
        description="the provider's own name of the model",
        examples=["claude-haiku-4-5"],
    )
    api_key_secret: RemoteSecretId = Field(
        description="Id of the provider's API key in the secret store."
    )


def _source_tag(value: object) -> str:
    if isinstance(value, ExternalSource) or (isinstance(value, dict) and "provider" in value):
        return "<external>"
    is_image = "image" in value if isinstance(value, dict) else isinstance(value, ImageSource)
    return "<image>" if is_image else "<hugging_face>"


WeightsSource = Annotated[
    Annotated[HuggingFaceSource, Tag("<hugging_face>")] | Annotated[ImageSource, Tag("<image>")],
    Discriminator(_source_tag),
]

ModelSource = Annotated[
    Annotated[HuggingFaceSource, Tag("<hugging_face>")]
    | Annotated[ImageSource, Tag("<image>")]
    | Annotated[ExternalSource, Tag("<external>")],
    Discriminator(_source_tag),
]


class ModelGpu(Section):
    """What one replica asks of the GPU pools."""

    count: int = Field(default=1, ge=1, le=16, description="GPUs of one replica on each node.")
    nodes: int = Field(
        default=1,
        ge=1,
        le=16,
        description="nodes that one replica spans: tensor parallel on each, pipeline across them",
    )
    product: str | None = Field(
        default=None, min_length=1, description="One product of the substrate; left out, any."
    )

    @property
    def total(self) -> int:
        """GPUs of one replica on all of its nodes."""
        return self.count * self.nodes


class Replicas(Section):
    """How many replicas a started model has. `replica_range` says what is left out."""

    min: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Replicas while the model is started and awake; left out, 2 in tier prod.",
    )
    max: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Above min, the model scales on its load; left out, the same as min.",
    )

    @model_validator(mode="after")
    def _min_within_max(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min {self.min} is over max {self.max}; raise max or lower min"
            raise ValueError(msg)
        return self


class ScaleToZero(Section):
    """Lets a model sleep without a replica, and says what its callers get until it is awake.

    In every case a request wakes it. A cold start takes minutes: a GPU node, the image, the
    weights.
    """

    idle_minutes: int = Field(
        default=30,
        # A model that is put to sleep again before its cold start is over never wakes.
        ge=10,
        le=1440,
        description="It sleeps when nobody asked for it for so long.",
    )
    when_asleep: Literal["hold", "fallback", "unavailable"] = Field(
        default="hold",
        description="hold: the request waits for a replica; fallback: another model answers; "
        "unavailable: 503 with Retry-After",
    )
    hold_seconds: int = Field(
        default=900, ge=60, le=3600, description="How long a request may wait; then it is a 503."
    )
    retry_after_seconds: int = Field(
        default=60, ge=1, le=3600, description="What a 503 tells the caller to wait."
    )
    fallback_model: ModelName | None = Field(
        default=None, description="The model that answers while this one wakes."
    )

    @model_validator(mode="after")
    def _fallback_is_named(self) -> Self:
        if self.when_asleep == "fallback" and self.fallback_model is None:
            msg = "when_asleep: fallback needs fallback_model, the name of another model"
            raise ValueError(msg)
        if self.when_asleep != "fallback" and self.fallback_model is not None:
            msg = "fallback_model is for when_asleep: fallback only; remove it, or set that"
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
    to_zero: ScaleToZero | None = Field(
        default=None, description="left out, a started model always has its least replicas"
    )


class Speculation(Section):
    """Speculative decoding: tokens are guessed cheaply and verified by the model in one step."""

    method: Literal["ngram", "eagle", "eagle3", "draft_model"] = Field(
        description="ngram looks the guess up in the prompt; the others need weights of their own"
    )
    tokens: int = Field(default=4, ge=1, le=16, description="Tokens that are guessed at once.")
    source: HubRepository | None = Field(
        default=None,
        description="The draft model or EAGLE head; fetched with the model's token.",
    )
    prompt_lookup_max: int = Field(
        default=4, ge=1, le=16, description="Longest run of tokens that ngram looks up."
    )

    @model_validator(mode="after")
    def _weights_fit_the_method(self) -> Self:
        if self.method == "ngram" and self.source is not None:
            msg = "ngram has no weights; remove source, or name the method that it belongs to"
            raise ValueError(msg)
        if self.method != "ngram" and self.source is None:
            msg = f"{self.method} needs source: hugging_face and revision of its weights"
            raise ValueError(msg)
        return self


TTFT_BUCKETS: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
INTER_TOKEN_BUCKETS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
END_TO_END_BUCKETS: Final = (1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 240.0)
"""Bounds of the buckets in which vLLM 0.23 counts: what lies between two cannot be measured."""


def _one_of(buckets: tuple[float, ...]) -> AfterValidator:
    def check(seconds: float) -> float:
        if seconds not in buckets:
            allowed = ", ".join(f"{one:g}" for one in buckets)
            msg = f"engines count in no bucket up to {seconds:g}; take one of {allowed}"
            raise ValueError(msg)
        return seconds

    return AfterValidator(check)


class Objectives(Section):
    """What users of a model may expect; alerts speak up when its error budget burns.

    The defaults are loose. A 0.5B model on an L4 gave 95 % of its requests a first token within
    0.25 s, the next ones 0.02 s apart and all of 128 tokens within 1.5 s. Larger models take about
    ten times that; a wait of 0.1 s for each token is still faster than people read.
    """

    ttft_seconds: Annotated[float, _one_of(TTFT_BUCKETS)] = Field(
        default=2.5, description="Until the first token."
    )
    inter_token_seconds: Annotated[float, _one_of(INTER_TOKEN_BUCKETS)] = Field(
        default=0.1, description="From one token to the next."
    )
    end_to_end_seconds: Annotated[float, _one_of(END_TO_END_BUCKETS)] = Field(
        default=60.0, description="Until the last token; raise it where answers are long."
    )
    within: float = Field(
        default=0.95,
        ge=0.95,
        le=0.9999,
        description="Share of requests that keep these times. Below 0.95 no fast alert could fire: "
        "14.4 times the budget would be more than all requests.",
    )
    availability: float = Field(
        default=0.99, ge=0.95, le=0.9999, description="Share of requests without a server error."
    )


class Price(Section):
    """What tenants pay. Without a price every call costs 0 and no budget ever binds."""

    input_usd_per_million_tokens: float = Field(gt=0, le=1_000_000, examples=[0.5])
    output_usd_per_million_tokens: float = Field(
        # Of a model that writes, the rules demand one.
        default=0,
        gt=0,
        le=1_000_000,
        description="Left out for embeddings, which write nothing.",
        examples=[1.5],
    )


class LoraAdapter(HubRepository):
    """A fine-tuned variant in the memory of its model: a name of its own at almost no cost."""

    name: ModelName = Field(description="What tenants call it; as unique as a model's name.")
    rank: Literal[8, 16, 32, 64, 128, 256] = Field(
        default=16, description="Rank of the adapter, as its adapter_config.json says."
    )
    price: Price | None = Field(default=None, description="Left out, the price of its model.")


class Canary(Section):
    """A second engine of the same model that takes a share of its requests."""

    weight: int = Field(ge=0, le=100, description="Percent of the requests that it gets.")
    source: WeightsSource | None = Field(
        default=None, description="Other weights than the model's."
    )
    engine_image: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}$",
        description="another image of the engine, by digest",
    )
    replicas: int = Field(default=1, ge=1, le=100, description="It does not scale.")

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.source is None and self.engine_image is None:
            msg = "a canary that differs in nothing proves nothing; set source or engine_image"
            raise ValueError(msg)
        return self


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


class SemanticCache(Section):
    """Answers to questions that mean the same, found by the vector of the last message."""

    embedding_model: ModelName = Field(
        description="Model of this stack that makes the vectors.", examples=["embeddings"]
    )
    threshold: float = Field(
        default=0.95,
        ge=0.92,
        le=0.95,
        description="cosine similarity from which two questions count as one; lower answers a "
        "question that was not asked",
    )


class AnswerCache(Section):
    """Answers of a model that are kept and given again, never to another tenant."""

    ttl_seconds: int = Field(
        default=3600, ge=60, le=604_800, description="How long an answer is kept."
    )
    semantic: SemanticCache | None = Field(
        default=None, description="A second look, where no question is the same word by word."
    )


OWNED_ARGUMENTS: Final = frozenset(
    {
        # What the platform sets, from fields of the model or for its own ends.
        "dtype",
        "enable-auto-tool-choice",
        "enable-lora",
        "enable-prefix-caching",
        "gpu-memory-utilization",
        "host",
        "kv-cache-dtype",
        "lora-modules",
        "max-lora-rank",
        "max-loras",
        "max-model-len",
        "max-num-seqs",
        "model",
        "pipeline-parallel-size",
        "port",
        "quantization",
        "served-model-name",
        "shutdown-timeout",
        "speculative-config",
        "spec-method",
        "spec-model",
        "spec-tokens",
        "tensor-parallel-size",
        "tool-call-parser",
        "otlp-traces-endpoint",
        # How the nodes of one replica find each other.
        "distributed-executor-backend",
        "headless",
        "master-addr",
        "master-port",
        "nnodes",
        "node-rank",
        # Several engines behind one port would hide from the endpoint picker.
        "api-server-count",
        "data-parallel-size",
        # Secrets belong in no argument, and what is verified is not fetched again elsewhere.
        "api-key",
        "config",
        "download-dir",
        "hf-token",
        "revision",
        "root-path",
        "ssl-ca-certs",
        "ssl-certfile",
        "ssl-keyfile",
        "uds",
        # Prompts in logs, and files of the pod in answers.
        "allowed-local-media-path",
        "enable-log-requests",
    }
)
"""Arguments of `vllm serve` (0.23) that `extra_args` may not set, without their dashes."""

ExtraArgument = Annotated[
    str,
    Field(
        pattern=r"^--[a-z0-9][a-zA-Z0-9_.-]*(=.*)?$",
        max_length=4000,
        description="one argument of `vllm serve` with its value behind an equals sign",
        examples=["--reasoning-parser=qwen3"],
    ),
]

Engine = Literal["vllm", "kserve", "llm_d", "text_embeddings_inference", "simulator", "external"]

EXTERNAL_FIELDS: Final = frozenset(
    {
        "name",
        "engine",
        "source",
        "max_model_len",
        "longest_request_seconds",
        "price",
        "cache",
    }
)
"""What says something of a model that runs elsewhere."""


class Model(Section):
    """One served model: the one list that drives serving, routing, scaling, prices and access."""

    name: ModelName
    engine: Engine = Field(
        default="vllm",
        description="what runs it; simulator answers without a model or a GPU, for trials; a model "
        "of a provider has external, by itself",
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
        description="share of GPU memory for the engine, CUDA graphs too; the driver needs the "
        "rest",
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
    prefix_caching: bool = Field(
        default=True, description="prompts that start alike share what was computed for them"
    )
    kv_cache_dtype: Literal["auto", "fp8", "fp8_e5m2"] = Field(
        default="auto", description="fp8 holds twice the tokens in the same GPU memory"
    )
    max_num_seqs: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="requests that are computed at once; left out, as the engine thinks best",
    )
    speculation: Speculation | None = None
    lora_adapters: tuple[LoraAdapter, ...] = Field(default=(), max_length=32)
    extra_args: tuple[ExtraArgument, ...] = Field(
        default=(), description="further arguments of the engine; those with a field are refused"
    )
    longest_request_seconds: int = Field(
        default=300,
        ge=30,
        le=3600,
        description="one request or stream; every timeout and drain on its way follows from it",
    )
    resources: ModelResources = ModelResources()
    replicas: Replicas = Replicas()
    scaling: ScalingTargets = ScalingTargets()
    prefill_replicas: int = Field(
        default=1,
        ge=1,
        le=100,
        description="engine llm_d: pods that read prompts, beside the replicas that answer",
    )
    canary: Canary | None = None
    autostart: bool = Field(
        default=False,
        description="false creates the model and starts nothing: no GPU is paid until it is synced",
    )
    priority: Literal["interactive", "standard", "batch"] = Field(
        default="standard",
        description="a saturated model sheds batch first; interactive goes before the rest",
    )
    cache: AnswerCache | None = Field(
        default=None, description="left out, every request is computed anew"
    )
    objectives: Objectives = Objectives()
    price: Price

    @model_validator(mode="after")
    def _a_provider_is_an_engine(self) -> Self:
        if isinstance(self.source, ExternalSource) and "engine" not in self.model_fields_set:
            # Not by a validator that sees the data first: behind one of those, pydantic takes the
            # lists of a stack file for Python's own, and refuses them for tuples.
            object.__setattr__(self, "engine", "external")
        return self

    @model_validator(mode="after")
    def _fields_fit_the_source(self) -> Self:
        if not isinstance(self.source, ExternalSource):
            if self.engine == "external":
                msg = "engine external calls a provider; give source.provider, or another engine"
                raise ValueError(msg)
            return self
        if self.engine != "external":
            msg = f"engine {self.engine} runs weights, and a provider has none; leave engine out"
            raise ValueError(msg)
        useless = sorted(self.model_fields_set - EXTERNAL_FIELDS)
        if useless:
            msg = f"a provider runs this model itself; remove {', '.join(useless)}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _extra_args_are_free(self) -> Self:
        for argument in self.extra_args:
            # The engine takes underscores for hyphens, `no-` for the opposite, dots for JSON keys.
            name = argument[2:].partition("=")[0].partition(".")[0].replace("_", "-").lower()
            if name in OWNED_ARGUMENTS or name.removeprefix("no-") in OWNED_ARGUMENTS:
                msg = f"extra_args may not set --{name}: it has a field, or the platform owns it"
                raise ValueError(msg)
        return self

    @property
    def token_secret(self) -> str | None:
        """Remote id of the token that the weights need; None where they need none."""
        return self.source.token_secret if isinstance(self.source, HuggingFaceSource) else None

    @property
    def served_prices(self) -> dict[str, Price]:
        """Price of every name that tenants can ask for: the model, then its adapters."""
        adapters = {one.name: one.price or self.price for one in self.lora_adapters}
        return {self.name: self.price, **adapters}

    @property
    def request_seconds(self) -> int:
        """Seconds from a request to its last token, the wait for a sleeping model included."""
        to_zero = self.scaling.to_zero
        held = to_zero.hold_seconds if to_zero and to_zero.when_asleep == "hold" else 0
        return held + self.longest_request_seconds


class Tenant(Section):
    """One team: the one list that drives budgets, limits, model access and GPU quota."""

    name: DnsLabel
    models: tuple[ModelName, ...] = Field(default=(), description="Models it may call.")
    budget: Budget
    rate_limits: RateLimits = RateLimits()
    gpu_quota: int = Field(default=0, ge=0, le=10_000, description="GPUs its own jobs may hold.")
    members: tuple[Member, ...] = Field(
        default=(),
        description="who makes keys for themselves out of its budget. An address counts before "
        "its domain, and nobody is in two tenants",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaRange:
    """How many replicas a model has while it is started and awake."""

    least: int
    most: int

    @property
    def scales(self) -> bool:
        """Whether the number follows the load."""
        return self.most > self.least


PROD_REPLICAS: Final = 2
"""Replicas of a model in tier prod: the loss of one node is no outage."""


def replica_range(model: Model, tier: Tier) -> ReplicaRange:
    """Return the replicas of a model, with what its config leaves out taken from the tier."""
    floor = PROD_REPLICAS if tier == "prod" else 1
    given = model.replicas
    if given.min is None:
        least = floor if given.max is None else min(floor, given.max)
    else:
        least = given.min
    return ReplicaRange(least=least, most=least if given.max is None else given.max)


def profile_includes(profile: Profile, wanted: Profile) -> bool:
    """Return whether `profile` holds all that `wanted` holds."""
    return PROFILES.index(profile) >= PROFILES.index(wanted)
