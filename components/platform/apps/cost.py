"""Builder of feature opencost: what the machines cost, by workload, model and team."""

from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import (
    PROMETHEUS_PODS,
    calls_api_server,
    compute,
    entry,
    scraped,
)
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, PlatformInputs, UpstreamChart
from components.platform.network import Connection, Pods
from components.versions import OPENCOST

OPENCOST_ENTRY: Final = "opencost"
OPENCOST_PODS: Final = Pods(
    namespace=namespaces.OPENCOST, labels={"app.kubernetes.io/name": "opencost"}
)

HOURS_PER_MONTH: Final = 730
"""By which OpenCost divides what it reads of a month (its providerconfig.go)."""

_PORT: Final = 9003
_UID: Final = 1001

_TOLD_TWICE: Final = (
    "node_status_(capacity|allocatable|condition)|namespace_labels|pod_(labels|owner)"
)
"""What kube-state-metrics tells too: a sum over both would count every node twice."""

_ANY_GPU_NODE: Final = "nvidia.com/gpu.present"
"""Label that GPU Feature Discovery gives a node with a GPU."""


def opencost(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Costs as metrics, for Grafana; no user interface, because it has no sign-in.

    It calls no price list: prices are those of the config, on every cloud. Google's list needs a
    key, and without one OpenCost does not start there.
    """
    if not inputs.config.features.opencost:
        return ()
    return (
        entry(
            OPENCOST_ENTRY,
            namespaces.OPENCOST,
            "platform",
            UpstreamChart(pin=OPENCOST, values=_values(inputs)),
            feature="opencost",
            description="What the machines cost, by workload, model and team",
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=(
                calls_api_server(OPENCOST_PODS),
                Connection(
                    client=OPENCOST_PODS,
                    server=PROMETHEUS_PODS,
                    ports=(endpoints.PROMETHEUS.port,),
                ),
                scraped(OPENCOST_PODS, _PORT),
            ),
            dashboards=("cost",),
            rules=("opencost",),
        ),
    )


def _values(inputs: PlatformInputs) -> dict[str, Any]:
    return {
        "opencost": {
            "prometheus": {
                "internal": {"enabled": False},
                "external": {"enabled": True, "url": endpoints.PROMETHEUS.url()},
            },
            "customPricing": {
                "enabled": True,
                "provider": "custom",
                "costModel": cost_model(inputs),
            },
            "exporter": {
                "defaultClusterId": inputs.contract.cluster_name,
                "replicas": 1,
                "resources": compute(50, 512),
                # Otherwise it asks the cloud that it finds itself on.
                "extraEnv": {"USE_CUSTOM_PROVIDER": "true"},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "extraVolumeMounts": [
                    {"name": "scratch", "mountPath": path, "subPath": name}
                    for name, path in (("tmp", "/tmp"), ("configs", "/var/configs"))  # noqa: S108 - of a container
                ],
            },
            "metrics": {
                "serviceMonitor": {
                    "enabled": True,
                    "scrapeInterval": "60s",
                    "metricRelabelings": [
                        {
                            "sourceLabels": ["__name__"],
                            "regex": f"kube_({_TOLD_TWICE})",
                            "action": "drop",
                        }
                    ],
                },
                # It asks Prometheus for names that kube-state-metrics had in its version 1.
                "kubeStateMetrics": {"emitKsmV1Metrics": False, "emitKsmV1MetricsOnly": True},
            },
            # Both answer whoever asks.
            "mcp": {"enabled": False},
            "ui": {"enabled": False},
        },
        "extraVolumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}],
        "podSecurityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "fsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def cost_model(inputs: PlatformInputs) -> dict[str, str]:
    """Return the prices as OpenCost reads them from a ConfigMap.

    CPU, memory, GPU and storage a month, which it divides by 730 itself: hourly prices there make
    everything cost next to nothing. A node has a price for its GPUs only if it has the label; a
    label for spot nodes is left out, because a GPU on one would cost nothing (customprovider.go).
    """
    prices = inputs.config.opencost.prices
    monthly = {
        "CPU": prices.cpu_usd_per_hour,
        "RAM": prices.memory_usd_per_gib_hour,
        "GPU": prices.gpu_usd_per_hour,
    }
    return {
        "description": "Prices of the platform's config",
        **{name: f"{price * HOURS_PER_MONTH:.6f}" for name, price in monthly.items()},
        "storage": f"{prices.storage_usd_per_gib_month:.6f}",
        "zoneNetworkEgress": "0",
        "regionNetworkEgress": "0",
        "internetNetworkEgress": f"{prices.internet_egress_usd_per_gib:.6f}",
        "gpuLabel": inputs.contract.gpu.product_label or _ANY_GPU_NODE,
    }
