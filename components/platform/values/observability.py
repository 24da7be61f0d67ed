"""Values of charts/observability: what the systems of a stack show, record and alert on.

Owns dashboards, rules, the models' objectives as series, monitors of systems that bring none of
their own, and who is told of alerts. Does not own Prometheus, Alertmanager or Grafana.
"""

from typing import Annotated, Literal

from pydantic import Field

from components.platform.values.base import ChartValues, Labels, Name, SecretKey, Url

FileName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=50)]
"""Name of a file in the chart, without folder and ending."""

Slo = Literal["ttft", "inter_token", "end_to_end", "saturation", "availability"]
"""Time to first token, time between tokens, time to the last one, queue length, and errors."""


class ServiceLevel(ChartValues):
    """One service level of one model."""

    model: Name
    slo: Slo
    target: float = Field(gt=0, lt=1, description="Share of what is asked that must be good.")
    bucket: str | None = Field(
        default=None,
        pattern=r"^[0-9]+\.[0-9]+$",
        description="Seconds within which it is good, spelled as the engine spells its buckets.",
    )
    waiting_requests: int | None = Field(
        default=None, ge=1, description="Requests that may wait for each replica."
    )


class Monitor(ChartValues):
    """What Prometheus reads, of a system that brings no monitor of its own."""

    name: Name
    namespace: Name = Field(description="Where the pods or the Service are.")
    labels: Labels = Field(default_factory=dict, description="Theirs; none selects all of them.")
    target: Literal["pods", "services"] = "pods"
    port: Name = Field(description="Name of the port, of the containers or of the Service.")
    path: str = Field(default="/metrics", pattern=r"^/\S*$")
    scheme: Literal["http", "https"] = "http"
    service_account_token: bool = Field(
        default=False, description="Sends Prometheus' own token; only to Services."
    )
    credentials: SecretKey | None = Field(
        default=None, description="Bearer token, of a Secret in the release's namespace."
    )
    interval_seconds: int = Field(default=30, ge=5, le=300)
    dropped: str | None = Field(
        default=None, min_length=1, description="Regular expression of metrics that nobody reads."
    )


class Email(ChartValues):
    """Where alerts are sent from and to. The password is the receiver's secret."""

    to: str = Field(min_length=3)
    sender: str = Field(min_length=3)
    host: str = Field(min_length=1, description="Mail server that takes STARTTLS.")
    port: int = Field(ge=1, le=65535)
    user: str = Field(min_length=1)


class Receiver(ChartValues):
    """Who is told of alerts."""

    name: Name
    kind: Literal["slack", "pagerduty", "webhook", "email"]
    secret: SecretKey = Field(description="URL, routing key or password, by kind.")
    alerts: Literal["critical", "warning", "info", "watchdog"] = Field(
        description="The least severity that it is told of; watchdog: only that alerting works."
    )
    channel: str | None = Field(default=None, min_length=1, description="Slack's own if left out.")
    email: Email | None = Field(default=None, description="For kind email, and only there.")


class ObservabilityValues(ChartValues):
    """All values of charts/observability."""

    dashboards: tuple[FileName, ...] = Field(default=(), description="Files under dashboards/.")
    rules: tuple[FileName, ...] = Field(default=(), description="Files under rules/.")
    runbooks: Url | Literal[""] = Field(
        default="", description="Page whose anchors are the names of the alerts, in lower case."
    )
    objectives: tuple[ServiceLevel, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    receivers: tuple[Receiver, ...] = ()
