"""Values of charts/llm-gateway: what LiteLLM needs around it. Does not own LiteLLM.

One chart, three releases: the database and the callback of the answers' cache before LiteLLM, and
after it the teams that LiteLLM keeps budgets for, with their first keys.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

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
    keep_days: int = Field(default=30, ge=1, le=3650, description="Older snapshots are deleted.")
    keep_at_least: int = Field(
        default=7, ge=1, description="The newest that stay however old they are."
    )
    prune_schedule: str = Field(
        default="30 4 * * *",
        pattern=r"^(\S+ ){4}\S+$",
        description="Kubernetes' cron: five fields.",
    )
    image: Image = Field(description="Any image with a `python3` of 3.9 or later.")


class Recovery(ChartValues):
    """What a database that is made anew starts from."""

    folder: Name = Field(description="Of the same bucket.")
    until: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$",
        description="The moment to go back to; None takes all that the folder has.",
    )


class S3(ChartValues):
    """How the pods reach a bucket that is not Google's: by a pair of keys."""

    endpoint: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$",
        description="Host of the S3 API; always HTTPS.",
    )
    credentials_secret: ObjectName = Field(
        default="litellm-pg-backups",
        description="With the keys `access-key`, `secret-key` and `region`.",
    )


class Archive(ChartValues):
    """Base backups on a schedule and the whole write-ahead log, in a bucket.

    Any moment since the oldest base backup can be restored. For a bucket of Cloud Storage the pods
    have no key: Google knows them by their service account.
    """

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$")
    folder: Name = Field(
        default="litellm-pg",
        description="Of this database alone: into one that is not empty nothing is archived.",
    )
    keep_days: int = Field(ge=1, le=3650, description="Days back that can be restored.")
    schedule: str = Field(
        default="0 0 3 * * *",
        pattern=r"^(\S+ ){5}\S+$",
        description="CloudNativePG's cron: six fields, seconds first.",
    )
    service_account_annotations: dict[str, str] = Field(
        default_factory=dict,
        description="What makes the database's service account one that Google knows.",
    )
    s3: S3 | None = Field(default=None, description="None for a bucket of Cloud Storage.")
    recovery: Recovery | None = Field(
        default=None, description="Read once, when the database is made; None makes an empty one."
    )


class Reader(ChartValues):
    """A role that reads all tables and writes none."""

    name: str = Field(default="grafana_ro", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    credentials_secret: ObjectName = Field(
        default="litellm-pg-reader", description="Of type basic-auth; its username is the role."
    )
    connections: int = Field(default=10, ge=1, description="As many at once, and no more.")


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
    reader: Reader | None = None
    backup: Backup | None = None
    archive: Archive | None = Field(
        default=None, description="Instead of `backup`: of the two, the database has one."
    )

    @model_validator(mode="after")
    def _one_kind_of_backup(self) -> Self:
        if self.backup is not None and self.archive is not None:
            msg = "backup and archive exclude each other"
            raise ValueError(msg)
        return self


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
    parallel_requests: int = Field(default=50, ge=1, description="Of its first key.")
    key_secret: ObjectName | None = Field(
        default=None,
        description="Secret in the namespace of its name for its first key; None makes no key.",
    )


class Spending(ChartValues):
    """Which models a key may call, and how much."""

    models: tuple[Name, ...] = Field(min_length=1)
    max_budget_usd: float = Field(gt=0)
    budget_duration: Literal["1d", "7d", "30d"] = "30d"
    requests_per_minute: int = Field(ge=1)
    tokens_per_minute: int = Field(ge=1)
    parallel_requests: int = Field(ge=1)


class ServiceKey(ChartValues):
    """A key of LiteLLM whose value is made elsewhere: the Job only tells LiteLLM of it."""

    alias: Name
    secret: SecretKey = Field(description="In the release's namespace; starts with sk-.")
    routes: tuple[str, ...] = Field(
        min_length=1, description="Paths that it may call, or LiteLLM's name of a group of them."
    )
    spending: Spending | None = Field(default=None, description="None can call no model.")


class TenantsValues(ChartValues):
    """The Job that makes LiteLLM's teams and first keys equal to the tenants after each sync.

    A tenant's key is made once and kept in the tenant's namespace, where the Job may create a
    Secret and write that one alone. Who deletes the Secret gets another key.
    """

    image: Image = Field(description="Any image with a `python3` of 3.9 or later.")
    litellm_url: Url = "http://litellm.litellm.svc.cluster.local:4000"
    master_key: SecretKey
    teams: tuple[Team, ...] = ()
    service_keys: tuple[ServiceKey, ...] = ()
    metrics_key: SecretKey | None = Field(
        default=None, description="Scrapes LiteLLM with it; None makes no monitor."
    )


class AnswersValues(ChartValues):
    """The callback of LiteLLM that gives models a cache of answers, as a ConfigMap."""

    name: ObjectName = Field(default="litellm-answers", description="Of the ConfigMap.")


class LlmGatewayValues(ChartValues):
    """All values of charts/llm-gateway."""

    database: DatabaseValues | None = Field(default=None, description="None renders no database.")
    tenants: TenantsValues | None = Field(default=None, description="None renders no teams.")
    answers: AnswersValues | None = Field(default=None, description="None renders no callback.")
