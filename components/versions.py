# ruff: noqa: E501 - Renovate reads a comment of one line, however long the name is.
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

# renovate: datasource=helm depName=argo-cd registryUrl=https://argoproj.github.io/argo-helm
ARGO_CD: Final = ChartPin(
    repository="https://argoproj.github.io/argo-helm",
    chart="argo-cd",
    version="9.5.21",
)

# renovate: datasource=github-releases depName=k3s-io/k3s versioning=loose
K3S: Final = "v1.33.12+k3s1"

UBUNTU_IMAGE: Final = "ubuntu-24.04"
"""Image of the servers at Hetzner, by its name there; Hetzner keeps it up to date."""

# renovate: datasource=helm depName=cilium registryUrl=https://helm.cilium.io
CILIUM: Final = ChartPin(
    repository="https://helm.cilium.io",
    chart="cilium",
    version="1.18.12",
)
"""1.18 is the line that Cilium tests end to end on Kubernetes 1.33, the minor version of K3S."""

# renovate: datasource=helm depName=hcloud-cloud-controller-manager registryUrl=https://charts.hetzner.cloud
HCLOUD_CCM: Final = ChartPin(
    repository="https://charts.hetzner.cloud",
    chart="hcloud-cloud-controller-manager",
    version="1.35.0",
)
"""Chart and application share one version; Hetzner's API asks for 1.30.1 or later."""

# renovate: datasource=helm depName=hcloud-csi registryUrl=https://charts.hetzner.cloud
HCLOUD_CSI: Final = ChartPin(
    repository="https://charts.hetzner.cloud",
    chart="hcloud-csi",
    version="2.22.1",
)

# renovate: datasource=helm depName=gpu-operator registryUrl=https://helm.ngc.nvidia.com/nvidia
GPU_OPERATOR: Final = ChartPin(
    repository="https://helm.ngc.nvidia.com/nvidia",
    chart="gpu-operator",
    version="v26.3.3",
)

# Systems of the catalogue.

# renovate: datasource=github-tags depName=kubernetes-sigs/gateway-api
GATEWAY_API: Final = GitPin(
    repository="https://github.com/kubernetes-sigs/gateway-api.git",
    version="v1.5.0",
    commit="3797b631d20f9ff4e2b4571f62d91d84a1fbdf5a",
)

# renovate: datasource=github-tags depName=kubernetes-sigs/gateway-api-inference-extension
INFERENCE_EXTENSION: Final = GitPin(
    repository="https://github.com/kubernetes-sigs/gateway-api-inference-extension.git",
    version="v1.5.0",
    commit="df9f8909fe06fe2dfd4a6fc0bd0c01a0acabf849",
)

# renovate: datasource=docker depName=quay.io/jetstack/charts/cert-manager
CERT_MANAGER: Final = ChartPin(
    repository="quay.io/jetstack/charts",
    chart="cert-manager",
    version="v1.20.2",
)

# renovate: datasource=helm depName=external-secrets registryUrl=https://charts.external-secrets.io
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

# renovate: datasource=helm depName=prometheus-operator-crds registryUrl=https://prometheus-community.github.io/helm-charts
PROMETHEUS_OPERATOR_CRDS: Final = ChartPin(
    repository="https://prometheus-community.github.io/helm-charts",
    chart="prometheus-operator-crds",
    version="29.0.0",
)
"""Definitions of operator v0.91.0, which KUBE_PROMETHEUS_STACK runs: the two go up together."""

# renovate: datasource=helm depName=kube-prometheus-stack registryUrl=https://prometheus-community.github.io/helm-charts
KUBE_PROMETHEUS_STACK: Final = ChartPin(
    repository="https://prometheus-community.github.io/helm-charts",
    chart="kube-prometheus-stack",
    version="86.2.3",
)

# renovate: datasource=helm depName=keda registryUrl=https://kedacore.github.io/charts
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

# renovate: datasource=helm depName=valkey registryUrl=https://valkey.io/valkey-helm/
VALKEY: Final = ChartPin(
    repository="https://valkey.io/valkey-helm/",
    chart="valkey",
    version="0.11.0",
)

# renovate: datasource=docker depName=ghcr.io/cloudnative-pg/postgresql
POSTGRESQL_IMAGE: Final = ImagePin(
    repository="ghcr.io/cloudnative-pg/postgresql",
    version="18.3-system-trixie",
    digest="sha256:0f29b435fb501ee534cd0c555d122a6b8e90de477de8e8381c82c5e10d9a9de4",
)
"""The operator's own default for the release that CLOUDNATIVE_PG installs."""

# renovate: datasource=docker depName=vllm/vllm-openai
VLLM_IMAGE: Final = ImagePin(
    repository="docker.io/vllm/vllm-openai",
    version="v0.23.0",
    digest="sha256:6d8429e38e3747723ca07ee1b17972e09bb9c51c4032b266f24fb1cc3b22ed8f",
)

# renovate: datasource=docker depName=python
PYTHON_IMAGE: Final = ImagePin(
    repository="docker.io/library/python",
    version="3.12.13-alpine3.24",
    digest="sha256:6d43704baacd1bfbe7c295d7f13079d5d8104ed33568873133f8fc69980419df",
)
"""Runs the small Jobs of our own charts."""
