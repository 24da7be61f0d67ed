"""The namespaces of the platform and what may run in each: one table for all entries.

Argo CD labels a namespace from whichever Application creates it first, so entries that share one
must agree. Levels are those of the Kubernetes Pod Security Standards: a namespace gets the
strictest one that its workloads pass, and warnings for what stops it from being stricter.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from components.names import ARGO_CD_NAMESPACE
from components.platform.values.secrets import STORE_NAMESPACE

PodSecurity = Literal["restricted", "baseline", "privileged"]

CERT_MANAGER: Final = "cert-manager"
EXTERNAL_SECRETS: Final = "external-secrets"
EDGE: Final = "edge"
KYVERNO: Final = "kyverno"
IDENTITY: Final = "identity"
EXTERNAL_DNS: Final = "external-dns"
MONITORING: Final = "monitoring"
KEDA: Final = "keda"
KUEUE: Final = "kueue-system"
AGENTGATEWAY: Final = "agentgateway-system"
INFERENCE: Final = "inference"
SERVING: Final = "serving"
KSERVE: Final = "kserve"
LEADER_WORKER_SET: Final = "lws-system"
CLOUDNATIVE_PG: Final = "cnpg-system"
LITELLM: Final = "litellm"
LOGGING: Final = "logging"
TRACING: Final = "tracing"
OPENCOST: Final = "opencost"
OPENBAO: Final = "openbao"
EGRESS: Final = "egress"
GUARDRAILS: Final = "guardrails"
EXPERIENCE: Final = "experience"
KEY_PORTAL: Final = "key-portal"
N8N: Final = "n8n"
MCP: Final = "mcp"
SYSTEM_UPGRADE: Final = "system-upgrade"

KUBE_SYSTEM: Final = "kube-system"
"""Not ours: charts put the role bindings there that the API server's extension mechanism reads."""

POD_SECURITY: Final[Mapping[str, PodSecurity]] = MappingProxyType(
    {
        CERT_MANAGER: "restricted",
        EXTERNAL_SECRETS: "restricted",
        EDGE: "restricted",
        KYVERNO: "restricted",
        IDENTITY: "restricted",
        EXTERNAL_DNS: "restricted",
        # node-exporter reads the node: host network, host processes and host paths.
        MONITORING: "privileged",
        KEDA: "restricted",
        KUEUE: "restricted",
        AGENTGATEWAY: "restricted",
        INFERENCE: "restricted",
        # The endpoint picker's chart sets no security context at all; our own pods are restricted.
        SERVING: "baseline",
        KSERVE: "restricted",
        LEADER_WORKER_SET: "restricted",
        CLOUDNATIVE_PG: "restricted",
        # LiteLLM's image runs as root, with every capability dropped.
        LITELLM: "baseline",
        LOGGING: "restricted",
        TRACING: "restricted",
        OPENCOST: "restricted",
        OPENBAO: "restricted",
        EGRESS: "restricted",
        GUARDRAILS: "restricted",
        EXPERIENCE: "restricted",
        KEY_PORTAL: "restricted",
        N8N: "restricted",
        MCP: "restricted",
        # Replacing k3s takes the node's disk and processes; the controller is restricted.
        SYSTEM_UPGRADE: "privileged",
    }
)


RESERVED: Final = frozenset(POD_SECURITY) | {
    KUBE_SYSTEM,
    ARGO_CD_NAMESPACE,
    "default",
    "gke-managed-system",
    "gmp-system",
    "gpu-operator",
    "kube-node-lease",
    "kube-public",
    STORE_NAMESPACE,
}
"""Namespaces that a tenant's own cannot be: the platform's, and those that clusters come with."""

RESERVED_PREFIXES: Final = ("kube-", "gke-", "gmp-")
"""Kubernetes keeps the first for itself; GKE makes namespaces of the others as it is updated."""


def labels(namespace: str) -> dict[str, str]:
    """Return the labels that a namespace of the platform carries.

    Raises:
        KeyError: the namespace is not one of the platform's.
    """
    level = POD_SECURITY[namespace]
    reported = "baseline" if level == "privileged" else "restricted"
    return {
        "pod-security.kubernetes.io/enforce": level,
        "pod-security.kubernetes.io/warn": reported,
        "pod-security.kubernetes.io/audit": reported,
    }
