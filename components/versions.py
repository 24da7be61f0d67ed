"""Every version, chart and image that ends up in a cluster: one place, one Renovate comment each.

`renovate.json5` bumps these lines. The Python and Go pins of the tooling are in `requirements*.txt`
and `tools/*/go.mod`, where their own managers find them.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class ChartPin:
    """An upstream Helm chart. An OCI registry is written without scheme, as Argo CD wants it."""

    repository: str
    chart: str
    version: str

    @property
    def is_oci(self) -> bool:
        """Whether the chart comes from an OCI registry."""
        return not self.repository.startswith(("https://", "http://"))


@dataclass(frozen=True, kw_only=True, slots=True)
class GitPin:
    """A git repository at a tag, held by its commit: a tag can be moved, a commit cannot."""

    repository: str
    version: str
    commit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePin:
    """A container image by digest; the tag is for people and for Renovate."""

    repository: str
    version: str
    digest: str

    @property
    def reference(self) -> str:
        """The image as Kubernetes takes it: tag and digest, the digest decides."""
        return f"{self.repository}:{self.version}@{self.digest}"


# Argo CD, and what the clusters need before it can run.

# renovate: datasource=helm registryUrl=https://argoproj.github.io/argo-helm depName=argo-cd
ARGO_CD: Final = ChartPin(
    repository="https://argoproj.github.io/argo-helm",
    chart="argo-cd",
    version="9.5.21",
)

# renovate: datasource=github-releases depName=k3s-io/k3s versioning=loose
K3S: Final = "v1.33.12+k3s1"

# renovate: datasource=helm registryUrl=https://helm.cilium.io depName=cilium
CILIUM: Final = ChartPin(
    repository="https://helm.cilium.io",
    chart="cilium",
    version="1.17.2",
)

# renovate: datasource=helm registryUrl=https://helm.ngc.nvidia.com/nvidia depName=gpu-operator
GPU_OPERATOR: Final = ChartPin(
    repository="https://helm.ngc.nvidia.com/nvidia",
    chart="gpu-operator",
    version="v26.3.3",
)

# Systems of the catalogue.

# renovate: datasource=docker depName=quay.io/jetstack/charts/cert-manager
CERT_MANAGER: Final = ChartPin(
    repository="quay.io/jetstack/charts",
    chart="cert-manager",
    version="v1.20.2",
)

# renovate: datasource=helm registryUrl=https://charts.external-secrets.io depName=external-secrets
EXTERNAL_SECRETS: Final = ChartPin(
    repository="https://charts.external-secrets.io",
    chart="external-secrets",
    version="2.6.0",
)

# renovate: datasource=docker depName=registry.k8s.io/kueue/charts/kueue
KUEUE: Final = ChartPin(
    repository="registry.k8s.io/kueue/charts",
    chart="kueue",
    version="0.18.1",
)

# renovate: datasource=helm registryUrl=https://prometheus-community.github.io/helm-charts depName=kube-prometheus-stack
KUBE_PROMETHEUS_STACK: Final = ChartPin(
    repository="https://prometheus-community.github.io/helm-charts",
    chart="kube-prometheus-stack",
    version="86.2.3",
)

# renovate: datasource=helm registryUrl=https://kedacore.github.io/charts depName=keda
KEDA: Final = ChartPin(
    repository="https://kedacore.github.io/charts",
    chart="keda",
    version="2.20.1",
)

# renovate: datasource=docker depName=cr.agentgateway.dev/charts/agentgateway-crds
AGENTGATEWAY_CRDS: Final = ChartPin(
    repository="cr.agentgateway.dev/charts",
    chart="agentgateway-crds",
    version="v1.2.1",
)

# renovate: datasource=docker depName=cr.agentgateway.dev/charts/agentgateway
AGENTGATEWAY: Final = ChartPin(
    repository="cr.agentgateway.dev/charts",
    chart="agentgateway",
    version="v1.2.1",
)

# renovate: datasource=docker depName=registry.k8s.io/gateway-api-inference-extension/charts/inferencepool
INFERENCE_POOL: Final = ChartPin(
    repository="registry.k8s.io/gateway-api-inference-extension/charts",
    chart="inferencepool",
    version="v1.5.0",
)

# renovate: datasource=docker depName=ghcr.io/cloudnative-pg/charts/cloudnative-pg
CLOUDNATIVE_PG: Final = ChartPin(
    repository="ghcr.io/cloudnative-pg/charts",
    chart="cloudnative-pg",
    version="0.28.3",
)

# renovate: datasource=docker depName=ghcr.io/berriai/litellm-helm
LITELLM: Final = ChartPin(
    repository="ghcr.io/berriai",
    chart="litellm-helm",
    version="1.89.2",
)

# renovate: datasource=docker depName=vllm/vllm-openai
VLLM_IMAGE: Final = ImagePin(
    repository="docker.io/vllm/vllm-openai",
    version="v0.23.0",
    digest="sha256:6d8429e38e3747723ca07ee1b17972e09bb9c51c4032b266f24fb1cc3b22ed8f",
)
