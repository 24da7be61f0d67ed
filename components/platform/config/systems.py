"""Settings of single systems: filters, traces, costs, and what people use."""

from typing import Literal

from pydantic import (
    Field,
)

from components.platform.config.base import (
    DnsLabel,
    HostName,
    ModelName,
    RemoteSecretId,
    Section,
    Tier,
)
from components.platform.config.tenants import Budget, RateLimits

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
