"""Values of charts/embeddings: one release serves one embedding model on CPUs.

Owns the pods, their scaling and the Service of a model that Text Embeddings Inference runs. Does
not own its route or the secrets that it mounts.
"""

from typing import Self

from pydantic import Field, model_validator

from components.platform.values.base import ChartValues, Image, Name, SecretKey, Url

GiB = int


class Weights(ChartValues):
    """A commit of a repository on the hub; every file is checked against the hub's own hash."""

    repository: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="Commit of the repository.")
    token: SecretKey | None = Field(
        default=None, description="Hub token, mounted into the init container only."
    )
    disk_gib: GiB = Field(default=5, ge=1, description="Size limit of the staged weights' volume.")


class Host(ChartValues):
    """Host resources of one replica."""

    cpu: float = Field(default=2, gt=0, description="CPU cores requested; no limit.")
    memory_gib: GiB = Field(default=4, ge=1, description="Memory requested and limit.")


class Autoscaling(ChartValues):
    """KEDA's part. Absent, the number of replicas is fixed."""

    prometheus_url: Url
    max_replicas: int = Field(ge=2)
    waiting_requests_per_replica: int = Field(default=5, ge=1)


class Route(ChartValues):
    """The Gateway that leads requests for the model here."""

    gateway: Name = "inference-gateway"
    gateway_namespace: Name = "inference"


class EmbeddingsValues(ChartValues):
    """All values of charts/embeddings."""

    model: Name = Field(description="Value of the label llmp.dev/model, and what tenants call it.")
    image: Image = Field(description="Text Embeddings Inference for CPUs.")
    staging_image: Image = Field(description="An image with Python, for the init container.")
    weights: Weights
    api_key: SecretKey
    host: Host = Host()
    replicas: int = Field(default=1, ge=1)
    autoscaling: Autoscaling | None = None
    route: Route | None = Field(default=None, description="None where there is no gateway.")
    startup_seconds: int = Field(default=600, ge=60, description="Load and warm-up.")
    unrouting_seconds: int = Field(
        default=15, ge=1, description="Wait before the engine stops, so that routers let go of it."
    )
    longest_request_seconds: int = Field(default=60, ge=1)
    max_batch_tokens: int = Field(
        default=16384, ge=1, description="Tokens of one batch: what the memory of a replica bounds."
    )
    spans_url: Url | None = Field(
        default=None, description="Where the engine hands its spans in; None makes none."
    )
    scrape_seconds: int = Field(default=15, ge=5, description="Interval of the ServiceMonitor.")

    @model_validator(mode="after")
    def _scales_upwards(self) -> Self:
        if self.autoscaling is not None and self.autoscaling.max_replicas <= self.replicas:
            msg = f"max_replicas {self.autoscaling.max_replicas} must be over {self.replicas}"
            raise ValueError(msg)
        return self
