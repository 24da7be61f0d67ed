"""The `platform` section: which systems run in the cluster, and how available they are."""

from pydantic import (
    Field,
)

from components.platform.config.alerting import Alerting
from components.platform.config.base import HostName, Profile, Section, Tier
from components.platform.config.database import DatabaseConfig
from components.platform.config.edge import DnsConfig, EdgeConfig, NoDns
from components.platform.config.features import Features
from components.platform.config.identity import IdentityConfig
from components.platform.config.systems import (
    CodingAssistantConfig,
    ExperienceConfig,
    GuardrailsConfig,
    KeyPortalConfig,
    McpGatewayConfig,
    N8nConfig,
    OpenCost,
    Tracing,
)


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
    edge: EdgeConfig = EdgeConfig()
    identity: IdentityConfig = IdentityConfig()
    alerting: Alerting = Alerting()
    tracing: Tracing = Tracing()
    opencost: OpenCost = OpenCost()
    guardrails: GuardrailsConfig = GuardrailsConfig()
    database: DatabaseConfig = DatabaseConfig()
    experience: ExperienceConfig = ExperienceConfig()
    key_portal: KeyPortalConfig = KeyPortalConfig()
    coding_assistant: CodingAssistantConfig = CodingAssistantConfig()
    n8n: N8nConfig = N8nConfig()
    mcp_gateway: McpGatewayConfig = McpGatewayConfig()
    gitops: GitOps
