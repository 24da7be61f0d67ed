"""Addresses inside the cluster: who answers where, in one place.

A Service's name follows from its Application's name, so a renamed entry changes its address here
and nowhere else. Nothing here is reachable from outside the cluster.
"""

from dataclasses import dataclass
from typing import Final

CLUSTER_DOMAIN: Final = "svc.cluster.local"


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One port of one Service."""

    service: str
    namespace: str
    port: int
    scheme: str = "http"

    @property
    def host(self) -> str:
        """The DNS name that every namespace can resolve."""
        return f"{self.service}.{self.namespace}.{CLUSTER_DOMAIN}"

    def url(self, path: str = "") -> str:
        """Return the URL, with the port only where it is not the scheme's own."""
        default = {"http": 80, "https": 443}.get(self.scheme)
        authority = self.host if self.port == default else f"{self.host}:{self.port}"
        return f"{self.scheme}://{authority}{path}"


PROMETHEUS: Final = Endpoint(
    service="kube-prometheus-stack-prometheus", namespace="monitoring", port=9090
)
LOKI: Final = Endpoint(service="loki", namespace="logging", port=3100)
TEMPO: Final = Endpoint(service="tempo", namespace="tracing", port=3200)
TEMPO_SPANS: Final = Endpoint(service="tempo", namespace="tracing", port=4317)
SPANS_GRPC: Final = Endpoint(service="otel-collector", namespace="tracing", port=4317)
"""Where every sender hands its spans in: the collector, by OTLP over gRPC."""
OPENBAO: Final = Endpoint(service="openbao", namespace="openbao", port=8200, scheme="https")
INFERENCE_GATEWAY: Final = Endpoint(service="inference-gateway", namespace="inference", port=80)
LITELLM: Final = Endpoint(service="litellm", namespace="litellm", port=4000)
LITELLM_DATABASE: Final = Endpoint(
    service="litellm-pg-rw", namespace="litellm", port=5432, scheme="postgresql"
)
"""The writer: the read-only Service has no endpoints while there is one instance."""
LITELLM_VALKEY: Final = Endpoint(
    service="litellm-valkey", namespace="litellm", port=6379, scheme="redis"
)
LITELLM_QDRANT: Final = Endpoint(service="litellm-qdrant", namespace="litellm", port=6333)
EGRESS_GATEWAY: Final = Endpoint(service="egress-gateway", namespace="egress", port=80)
MCP_GATEWAY: Final = Endpoint(service="mcp-gateway", namespace="mcp", port=80)
PRESIDIO_ANALYZER: Final = Endpoint(service="presidio-analyzer", namespace="guardrails", port=3000)
PRESIDIO_ANONYMIZER: Final = Endpoint(
    service="presidio-anonymizer", namespace="guardrails", port=3000
)

DEX: Final = Endpoint(service="dex", namespace="identity", port=5556)
OAUTH2_PROXY: Final = Endpoint(service="oauth2-proxy", namespace="identity", port=80)


def model_server(model: str) -> Endpoint:
    """Return the engine of a model, behind which there is no choice of replica by load."""
    return Endpoint(service=vllm_entry(model), namespace="serving", port=8000)


def vllm_entry(model: str) -> str:
    """Return the entry that runs a model's engine.

    The suffix keeps a model from taking the name of a system: no system's name ends like this.
    """
    return f"{model}-vllm"


def pool_entry(model: str) -> str:
    """Return the entry, and the InferencePool, that chooses among a model's replicas."""
    return f"{model}-pool"


def route_entry(model: str) -> str:
    """Return the entry that routes a model's name to its pool."""
    return f"{model}-route"
