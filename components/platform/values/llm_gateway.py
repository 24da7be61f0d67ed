"""Values of charts/llm-gateway: LiteLLM's database, and the teams that LiteLLM keeps budgets for.

One chart, two releases: the database before LiteLLM, the teams after it. Does not own LiteLLM.
"""

from typing import Literal

from pydantic import Field

from components.platform.values.base import (
    ChartValues,
    Compute,
    Image,
    Name,
    ObjectName,
    SecretKey,
    Url,
)


class Backup(ChartValues):
    """Volume snapshots of the database, on a schedule."""

    schedule: str = Field(
        default="0 0 3 * * *",
        pattern=r"^(\S+ ){5}\S+$",
        description="CloudNativePG's cron: six fields, seconds first.",
    )
    snapshot_class: ObjectName
    snapshot_driver: ObjectName | None = Field(
        default=None,
        description="CSI driver to make the class for; None where the cluster has the class.",
    )


class DatabaseValues(ChartValues):
    """A PostgreSQL cluster of CloudNativePG.

    The Service `<name>-rw` always has an endpoint; `<name>-ro` only where there are replicas.
    """

    name: Name = "litellm-pg"
    instances: int = Field(default=1, ge=1, le=9)
    image: Image | None = Field(
        default=None, description="None takes the image that the operator's version ships with."
    )
    storage_gib: int = Field(default=5, ge=1)
    storage_class: ObjectName | None = None
    database: str = Field(default="litellm", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    owner: str = Field(default="litellm", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    credentials_secret: ObjectName = Field(
        default="litellm-pg-app", description="Of type basic-auth; its username is the owner."
    )
    compute: Compute = Compute(cpu=0.25, memory_mib=512)
    backup: Backup | None = None


class Team(ChartValues):
    """One tenant as LiteLLM's team; the name is the team id."""

    name: Name
    models: tuple[Name, ...] = Field(
        description="Models it may call. Empty means none: LiteLLM itself would read it as all."
    )
    max_budget_usd: float = Field(gt=0)
    budget_duration: Literal["1d", "7d", "30d"] = "30d"
    requests_per_minute: int = Field(ge=1)
    tokens_per_minute: int = Field(ge=1)


class TenantsValues(ChartValues):
    """The Job that makes LiteLLM's teams equal to the tenants after each sync."""

    image: Image = Field(description="Any image with a `python3` of 3.9 or later.")
    litellm_url: Url = "http://litellm.litellm.svc.cluster.local:4000"
    master_key: SecretKey
    teams: tuple[Team, ...] = ()


class LlmGatewayValues(ChartValues):
    """All values of charts/llm-gateway."""

    database: DatabaseValues | None = Field(default=None, description="None renders no database.")
    tenants: TenantsValues | None = Field(default=None, description="None renders no teams.")
