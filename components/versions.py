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

# renovate: datasource=helm depName=cluster-autoscaler registryUrl=https://kubernetes.github.io/autoscaler
CLUSTER_AUTOSCALER: Final = ChartPin(
    repository="https://kubernetes.github.io/autoscaler",
    chart="cluster-autoscaler",
    version="9.59.0",
)

# renovate: datasource=docker depName=registry.k8s.io/autoscaling/cluster-autoscaler
CLUSTER_AUTOSCALER_IMAGE: Final = ImagePin(
    repository="registry.k8s.io/autoscaling/cluster-autoscaler",
    version="v1.33.1",
    digest="sha256:0d53371b73eae57dbed927a72b71d4fe756ce4dbfe528b4217a1078cb13445f0",
)
"""Of the minor version of K3S: it simulates the scheduler of that Kubernetes."""

# renovate: datasource=github-tags depName=rancher/system-upgrade-controller
SYSTEM_UPGRADE_CONTROLLER: Final = GitPin(
    repository="https://github.com/rancher/system-upgrade-controller.git",
    version="v0.19.2",
    commit="38f3e11fd1dd19872f97565f8a75c39acc85d82b",
)

# renovate: datasource=docker depName=rancher/system-upgrade-controller
SYSTEM_UPGRADE_CONTROLLER_IMAGE: Final = ImagePin(
    repository="docker.io/rancher/system-upgrade-controller",
    version="v0.19.2",
    digest="sha256:34fa058fe453da2e1d6cf9052d2961976d5c7294921f8a6a6fb75098a27b0e89",
)

K3S_UPGRADE_IMAGE: Final = "docker.io/rancher/k3s-upgrade"
"""Brings a release of k3s to a node. Its tag is the release that the contract names, with a hyphen
for the plus, so no digest of it can be written here."""

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
"""Operator 1.29, which backs up to Cloud Storage itself; 1.31 will not (its release notes of 1.30).

What takes over is its plugin Barman Cloud, whose bucket looks the same. As of 0.13 it lets a
database that has no key, but a cloud identity, read all Secrets of its namespace (its issue 892).
"""

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

# renovate: datasource=helm depName=dex registryUrl=https://charts.dexidp.io
DEX: Final = ChartPin(
    repository="https://charts.dexidp.io",
    chart="dex",
    version="0.24.1",
)

# renovate: datasource=helm depName=oauth2-proxy registryUrl=https://oauth2-proxy.github.io/manifests
OAUTH2_PROXY: Final = ChartPin(
    repository="https://oauth2-proxy.github.io/manifests",
    chart="oauth2-proxy",
    version="10.7.0",
)

# renovate: datasource=helm depName=external-dns registryUrl=https://kubernetes-sigs.github.io/external-dns/
EXTERNAL_DNS: Final = ChartPin(
    repository="https://kubernetes-sigs.github.io/external-dns/",
    chart="external-dns",
    version="1.21.1",
)

# renovate: datasource=helm depName=kyverno registryUrl=https://kyverno.github.io/kyverno/
KYVERNO: Final = ChartPin(
    repository="https://kyverno.github.io/kyverno/",
    chart="kyverno",
    version="3.8.1",
)

# renovate: datasource=docker depName=quay.io/jetstack/charts/trust-manager
TRUST_MANAGER: Final = ChartPin(
    repository="quay.io/jetstack/charts",
    chart="trust-manager",
    version="v0.24.0",
)

# renovate: datasource=helm depName=opencost registryUrl=https://opencost.github.io/opencost-helm-chart
OPENCOST: Final = ChartPin(
    repository="https://opencost.github.io/opencost-helm-chart",
    chart="opencost",
    version="2.5.23",
)

# renovate: datasource=helm depName=loki registryUrl=https://grafana-community.github.io/helm-charts
LOKI: Final = ChartPin(
    repository="https://grafana-community.github.io/helm-charts",
    chart="loki",
    version="18.11.0",
)
"""The open-source chart is kept here since March 2026; the one of grafana/loki is for Enterprise only."""

# renovate: datasource=helm depName=tempo registryUrl=https://grafana-community.github.io/helm-charts
TEMPO: Final = ChartPin(
    repository="https://grafana-community.github.io/helm-charts",
    chart="tempo",
    version="2.2.4",
)
"""Tempo in one binary. The distributed chart brings Tempo 3, which needs a Kafka."""

# renovate: datasource=helm depName=opentelemetry-collector registryUrl=https://open-telemetry.github.io/opentelemetry-helm-charts
OPENTELEMETRY_COLLECTOR: Final = ChartPin(
    repository="https://open-telemetry.github.io/opentelemetry-helm-charts",
    chart="opentelemetry-collector",
    version="0.170.0",
)

# renovate: datasource=helm depName=alloy registryUrl=https://grafana.github.io/helm-charts
ALLOY: Final = ChartPin(
    repository="https://grafana.github.io/helm-charts",
    chart="alloy",
    version="1.11.1",
)

# renovate: datasource=helm depName=qdrant registryUrl=https://qdrant.github.io/qdrant-helm
QDRANT: Final = ChartPin(
    repository="https://qdrant.github.io/qdrant-helm",
    chart="qdrant",
    version="1.19.0",
)

# renovate: datasource=helm depName=openbao registryUrl=https://openbao.github.io/openbao-helm
OPENBAO: Final = ChartPin(
    repository="https://openbao.github.io/openbao-helm",
    chart="openbao",
    version="0.29.2",
)

# renovate: datasource=docker depName=ghcr.io/kserve/charts/kserve-crd
KSERVE_CRD: Final = ChartPin(
    repository="ghcr.io/kserve/charts",
    chart="kserve-crd",
    version="v0.19.0",
)

# renovate: datasource=docker depName=ghcr.io/kserve/charts/kserve-resources
KSERVE: Final = ChartPin(
    repository="ghcr.io/kserve/charts",
    chart="kserve-resources",
    version="v0.19.0",
)

# renovate: datasource=docker depName=ghcr.io/kserve/charts/kserve-llmisvc-resources
KSERVE_LLMISVC: Final = ChartPin(
    repository="ghcr.io/kserve/charts",
    chart="kserve-llmisvc-resources",
    version="v0.19.0",
)

# renovate: datasource=github-tags depName=kserve/kserve
KSERVE_MANIFESTS: Final = GitPin(
    repository="https://github.com/kserve/kserve.git",
    version="v0.19.0",
    commit="b0eda63d2c105479140af8ec9149d992b7e44be5",
)
"""For what no chart holds, or holds together with what another chart has too."""

# renovate: datasource=docker depName=ghcr.io/llm-d/llm-d-inference-scheduler
LLM_D_SCHEDULER: Final = "v0.7.1"
"""By its tag, as KSERVE_MANIFESTS names the sidecar that it works with: the three go up together."""

# renovate: datasource=docker depName=registry.k8s.io/lws/charts/lws
LEADER_WORKER_SET: Final = ChartPin(
    repository="registry.k8s.io/lws/charts",
    chart="lws",
    version="0.10.0",
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

# renovate: datasource=docker depName=ghcr.io/huggingface/text-embeddings-inference
TEXT_EMBEDDINGS_IMAGE: Final = ImagePin(
    repository="ghcr.io/huggingface/text-embeddings-inference",
    version="cpu-1.7",
    digest="sha256:22eac176ead3eb7008c672123b05331347e1a86661a7f27f3f6550dbe31ff96c",
)

# renovate: datasource=docker depName=ghcr.io/llm-d/llm-d-inference-sim
INFERENCE_SIMULATOR_IMAGE: Final = ImagePin(
    repository="ghcr.io/llm-d/llm-d-inference-sim",
    version="v0.8.2",
    digest="sha256:c3ba435081a4d032676b218ea34eb3a1c54507da0fade2f6297f9c37894fe0d1",
)

# renovate: datasource=docker depName=mcr.microsoft.com/presidio-analyzer
PRESIDIO_ANALYZER_IMAGE: Final = ImagePin(
    repository="mcr.microsoft.com/presidio-analyzer",
    version="2.2.361",
    digest="sha256:7e0d954193e820bc3b63e11af4897887ffa88639e368b1e252051f38e3c714cb",
)

# renovate: datasource=docker depName=mcr.microsoft.com/presidio-anonymizer
PRESIDIO_ANONYMIZER_IMAGE: Final = ImagePin(
    repository="mcr.microsoft.com/presidio-anonymizer",
    version="2.2.361",
    digest="sha256:022fc4bb42cd43b0c27526b6a0394b2b14aaf4b972a4814845eb8b48761bee7b",
)

# renovate: datasource=docker depName=ghcr.io/open-webui/open-webui
OPEN_WEBUI_IMAGE: Final = ImagePin(
    repository="ghcr.io/open-webui/open-webui",
    version="0.9.6",
    digest="sha256:90eae5b419e40b4c3dd684582b2c83440b36f9ae2f6532c09639b2ba4ee65158",
)

# renovate: datasource=docker depName=tabbyml/tabby
TABBY_IMAGE: Final = ImagePin(
    repository="docker.io/tabbyml/tabby",
    version="0.31.0",
    digest="sha256:d50d2717331ec0226e25a24342a349c745f8b8fa9f84b0e5195b7a7fb89ecc6d",
)

# renovate: datasource=docker depName=docker.n8n.io/n8nio/n8n
N8N_IMAGE: Final = ImagePin(
    repository="docker.n8n.io/n8nio/n8n",
    version="2.27.4",
    digest="sha256:cf11c96b0d0089bb24459bf97b445fd7008f41543b673cce4d955f7c0ed8752d",
)

# renovate: datasource=docker depName=busybox
BUSYBOX_IMAGE: Final = ImagePin(
    repository="docker.io/library/busybox",
    version="1.37.0",
    digest="sha256:9532d8c39891ca2ecde4d30d7710e01fb739c87a8b9299685c63704296b16028",
)

# renovate: datasource=docker depName=nvidia/cuda
CUDA_IMAGE: Final = ImagePin(
    repository="docker.io/nvidia/cuda",
    version="12.4.0-base-ubuntu22.04",
    digest="sha256:80d4d9ac041242f6ae5d05f9be262b3374e0e0b8bb5a49c6c3e94e192cde4a44",
)

# renovate: datasource=docker depName=ghcr.io/vllm-project/guidellm
GUIDELLM_IMAGE: Final = ImagePin(
    repository="ghcr.io/vllm-project/guidellm",
    version="v0.5.0",
    digest="sha256:aa87fb5569bbeefede3f867559f4c0e16c167a1b392abb47c4084ddd9b5cb284",
)
