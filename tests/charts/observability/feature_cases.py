"""When the alerts of systems that a feature switches on fire, and when not."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.charts.observability.case import Case

PROMPTS: Final = (
    'loki_process_dropped_lines_total{namespace="logging", pod="alloy-1", '
    'reason="may_hold_a_prompt"}'
)
GPU_NODE: Final = {
    'kube_node_status_capacity{node="gpu-1", resource="nvidia_com_gpu"}': "1x120",
}


def _down(alert: str, namespace: str, kind: str, name: str, series: str) -> Iterator[Case]:
    """Yield the cases of a system of which the one replica is there, and is not."""
    metric = f'{series}{{namespace="{namespace}", {kind}="{name}"}}'
    yield Case(
        alert=alert,
        because="its only replica is gone",
        series={metric: "1x10 0x60"},
        at="60m",
        fires=({"namespace": namespace, kind: name},),
    )
    yield Case(
        alert=alert, because="it moves to another node", series={metric: "1x10 0x5 1x60"}, at="60m"
    )


def _counted(alert: str, series: str, labels: Mapping[str, str]) -> Iterator[Case]:
    """Yield the cases of something that is counted and should not be."""
    yield Case(
        alert=alert,
        because="it goes on and on",
        series={series: "0+120x60"},
        at="60m",
        fires=(labels,),
    )
    yield Case(
        alert=alert, because="it happened once, long ago", series={series: "0 120x60"}, at="60m"
    )


_STATEFUL: Final = "kube_statefulset_status_replicas_ready"
_STATELESS: Final = "kube_deployment_status_replicas_available"

LOGGING: Final = (
    *_down("LokiDown", "logging", "statefulset", "loki", _STATEFUL),
    *_down("AlloyDown", "logging", "deployment", "alloy", _STATELESS),
    *_counted(
        "LokiRefusesLines",
        'loki_discarded_samples_total{namespace="logging", tenant="fake", reason="rate_limited"}',
        {"namespace": "logging", "reason": "rate_limited"},
    ),
    *_counted(
        "AlloyDropsLines",
        'loki_write_dropped_entries_total{namespace="logging", reason="ingester_error"}',
        {"namespace": "logging", "reason": "ingester_error"},
    ),
    *_counted("PromptsLogged", PROMPTS, {"namespace": "logging"}),
)

TRACING: Final = (
    *_down("SpanCollectorDown", "tracing", "deployment", "otel-collector", _STATELESS),
    *_down("TempoDown", "tracing", "statefulset", "tempo", _STATEFUL),
    *_counted(
        "SpansRefused",
        'otelcol_receiver_refused_spans{namespace="tracing", receiver="otlp", transport="grpc"}',
        {"namespace": "tracing", "receiver": "otlp"},
    ),
    *_counted(
        "SpansRefused",
        'otelcol_receiver_refused_spans_total{namespace="tracing", receiver="otlp"}',
        {"namespace": "tracing", "receiver": "otlp"},
    ),
    *_counted(
        "SpansNotKept",
        'otelcol_exporter_send_failed_spans_total{namespace="tracing", exporter="otlp_grpc"}',
        {"namespace": "tracing", "exporter": "otlp_grpc"},
    ),
)

OPENCOST: Final = (
    Case(
        alert="OpenCostDown",
        because="its only replica is gone",
        series={f'{_STATELESS}{{namespace="opencost", deployment="opencost"}}': "0x60"},
        at="60m",
        fires=({"namespace": "opencost", "deployment": "opencost"},),
    ),
    Case(
        alert="OpenCostDown",
        because="it is there",
        series={f'{_STATELESS}{{namespace="opencost", deployment="opencost"}}': "1x60"},
        at="60m",
    ),
    Case(
        alert="GpuCostsNothing",
        because="the node lacks the label that its price goes by",
        series={**GPU_NODE, 'node_gpu_hourly_cost{node="gpu-1", instance="gpu-1"}': "0x120"},
        at="60m",
        fires=({"node": "gpu-1"},),
    ),
    Case(
        alert="GpuCostsNothing",
        because="a GPU has its price, and a node without one needs none",
        series={
            **GPU_NODE,
            'node_gpu_hourly_cost{node="gpu-1", instance="gpu-1"}': "0.58x120",
            'node_gpu_hourly_cost{node="cpu-1", instance="cpu-1"}': "0x120",
        },
        at="60m",
    ),
)

_READY: Final = 'kube_pod_status_ready{namespace="openbao", condition="true", pod='
_AUDIT: Final = '{namespace="openbao", persistentvolumeclaim="audit-openbao-0"}'

OPENBAO: Final = (
    Case(
        alert="OpenBaoSealed",
        because="one of two was restarted and nobody unsealed it",
        series={f'{_READY}"openbao-0"}}': "1x60", f'{_READY}"openbao-1"}}': "1x10 0x50"},
        at="60m",
        fires=({"namespace": "openbao", "pod": "openbao-1"},),
    ),
    Case(
        alert="OpenBaoSealed",
        because="somebody unsealed it in ten minutes",
        series={f'{_READY}"openbao-0"}}': "1x10 0x10 1x60"},
        at="30m",
    ),
    Case(
        alert="OpenBaoAuditDiskFull",
        because="a twentieth is left",
        series={
            f"kubelet_volume_stats_available_bytes{_AUDIT}": "5x60",
            f"kubelet_volume_stats_capacity_bytes{_AUDIT}": "100x60",
        },
        at="30m",
        fires=({"namespace": "openbao", "persistentvolumeclaim": "audit-openbao-0"},),
    ),
    Case(
        alert="OpenBaoAuditDiskFull",
        because="half is left, and only the disk of data is full",
        series={
            f"kubelet_volume_stats_available_bytes{_AUDIT}": "50x60",
            f"kubelet_volume_stats_capacity_bytes{_AUDIT}": "100x60",
            "kubelet_volume_stats_available_bytes"
            '{namespace="openbao", persistentvolumeclaim="data-openbao-0"}': "1x60",
            "kubelet_volume_stats_capacity_bytes"
            '{namespace="openbao", persistentvolumeclaim="data-openbao-0"}': "100x60",
        },
        at="30m",
    ),
)

_FAILED: Final = 'kube_job_failed{namespace="system-upgrade", condition="true", job_name='

K3S_UPGRADES: Final = (
    Case(
        alert="K3sUpgradesDown",
        because="its only replica is gone",
        series={f'{_STATELESS}{{namespace="system-upgrade", deployment="k3s-upgrades"}}': "0x120"},
        at="120m",
        fires=({"namespace": "system-upgrade", "deployment": "k3s-upgrades"},),
    ),
    Case(
        alert="K3sUpgradesDown",
        because="its node is the one that gets another release",
        series={
            f'{_STATELESS}{{namespace="system-upgrade", deployment="k3s-upgrades"}}': "0x20 1x100"
        },
        at="120m",
    ),
    Case(
        alert="K3sUpgradeFailed",
        because="one node did not come back",
        series={f'{_FAILED}"one"}}': "0x10 1x50", f'{_FAILED}"other"}}': "0x60"},
        at="60m",
        fires=({"namespace": "system-upgrade", "job_name": "one"},),
    ),
    Case(
        alert="K3sUpgradeFailed",
        because="a Job of somebody else failed",
        series={'kube_job_failed{namespace="serving", condition="true", job_name="one"}': "1x60"},
        at="60m",
    ),
)
