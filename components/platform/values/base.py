"""What every chart's typed values share: one base class, and the small shapes that many charts use.

The classes here are the single source of a chart's `values.schema.json` (see `tools.generate`), so
Helm and Argo CD refuse what Python would refuse. Charts decide nothing: what differs between
stacks comes in through these values.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A Kubernetes name that is also a DNS label (RFC 1123): at most 63 characters."""

ObjectName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", min_length=1, max_length=253)
]
"""A Kubernetes name that may hold dots, such as a StorageClass: at most 253 characters."""

Image = Annotated[
    str,
    Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{64}$"),
]
"""A container image by digest, its registry written out."""

Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$")]

RemoteId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
"""The id of a secret in the store (Secret Manager API: letters, digits, hyphen, underscore)."""

Labels = dict[str, str]


class ChartValues(BaseModel):
    """Base of all chart values: frozen, closed to unknown keys; camel case in Helm."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    def to_values(self) -> dict[str, Any]:
        """Return the Helm values as JSON data; what is None is left out, as Helm spells absence."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class SecretKey(ChartValues):
    """One key of a Kubernetes Secret in the release's namespace. Never the value."""

    name: ObjectName
    key: str = Field(pattern=r"^[A-Za-z0-9._-]+$")


class SpanReceiver(ChartValues):
    """The Service that takes spans in, by OTLP over gRPC. Which of them are kept, it decides."""

    name: Name
    namespace: Name
    port: int = Field(default=4317, ge=1, le=65535)


class Toleration(ChartValues):
    """A Kubernetes toleration."""

    key: str = Field(min_length=1)
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"


class Compute(ChartValues):
    """CPU and memory of one container. Memory is request and limit alike; CPU has no limit."""

    cpu: float = Field(gt=0, description="CPU cores requested.")
    memory_mib: int = Field(ge=16, description="Memory requested and limit, MiB.")
