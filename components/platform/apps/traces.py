"""Builders of feature tracing: one trace from the edge to the engine, and no prompt in it.

Each system that a request passes sends all of its spans here and names the trace to the next one
in the header `traceparent`. What is kept is decided in one place, the collector, by the trace's id:
so a trace is kept whole or not at all, whichever replica sees which part.
"""

import json
from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import (
    compute,
    disruption_budget,
    entry,
    grafana_datasource,
    replicas,
    scraped,
    spread,
)
from components.platform.apps.platform import GRAFANA_PODS, PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, PlatformInputs, UpstreamChart
from components.platform.network import Connection, Pods
from components.versions import OPENTELEMETRY_COLLECTOR, TEMPO

TEMPO_ENTRY: Final = endpoints.TEMPO.service
COLLECTOR_ENTRY: Final = endpoints.SPANS_GRPC.service

TEMPO_PODS: Final = Pods(namespace=namespaces.TRACING, labels={"app.kubernetes.io/name": "tempo"})
COLLECTOR_PODS: Final = Pods(
    namespace=namespaces.TRACING, labels={"app.kubernetes.io/instance": COLLECTOR_ENTRY}
)

PROMPT_ATTRIBUTES: Final = (
    # The semantic conventions, old and new.
    r"^gen_ai\.(prompt|completion|content|input|output|system_instructions|tool)"
    # OpenInference, and LiteLLM's copy of what a provider was sent and answered.
    r"|^(llm|input|output)\."
    # LiteLLM: who called, from where, by which key, and all else that it has.
    r"|^hidden_params|^metadata\.(requester|user_api_key_(hash|user_email|request_route))"
    r"|^http\.(request|response)\.body"
)
"""How names of attributes start that hold a prompt, an answer or a person.

No end is marked, because a dollar sign is a variable of the collector. What vLLM counts is under
gen_ai.usage, gen_ai.latency and gen_ai.request, and stays.
"""

_DISK_GIB: Final = {"cost": 10, "dev": 10, "prod": 50}
_RETENTION: Final = {"cost": "72h", "dev": "72h", "prod": "336h"}
_TEMPO_MEMORY_MIB: Final = {"cost": 512, "dev": 1024, "prod": 2048}

_HEALTH_PORT: Final = 13133
_METRICS_PORT: Final = 8888
_UID: Final = 10001
"""User of the images of Tempo and of the collector."""

_POD_SECURITY: Final = {
    "runAsNonRoot": True,
    "runAsUser": _UID,
    "runAsGroup": _UID,
    "fsGroup": _UID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def tempo(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Where traces are kept. One replica in every tier: its volume is the only copy."""
    if not inputs.config.features.tracing:
        return ()
    return (
        entry(
            TEMPO_ENTRY,
            namespaces.TRACING,
            "platform",
            UpstreamChart(pin=TEMPO, values=_tempo_values(inputs)),
            feature="tracing",
            description="Keeps traces",
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=(
                # A process of many parts, which find each other by address.
                Connection(client=TEMPO_PODS, server=TEMPO_PODS, ports=(7946, 9095)),
                Connection(client=GRAFANA_PODS, server=TEMPO_PODS, ports=(endpoints.TEMPO.port,)),
                scraped(TEMPO_PODS, endpoints.TEMPO.port),
            ),
        ),
    )


def collector(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Where all spans are handed in: it removes prompts, samples, and passes on to Tempo."""
    if not inputs.config.features.tracing:
        return ()
    return (
        entry(
            COLLECTOR_ENTRY,
            namespaces.TRACING,
            "platform",
            UpstreamChart(pin=OPENTELEMETRY_COLLECTOR, values=_collector_values(inputs)),
            feature="tracing",
            description="Takes spans in, without prompts, and samples them",
            # Its ServiceMonitor, and the namespace of Grafana's data source. Not Tempo: a collector
            # that cannot pass on holds nothing up.
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=(
                Connection(
                    client=COLLECTOR_PODS, server=TEMPO_PODS, ports=(endpoints.TEMPO_SPANS.port,)
                ),
                scraped(COLLECTOR_PODS, _METRICS_PORT),
            ),
            extra_namespaces=(namespaces.MONITORING,),
            rules=("tracing",),
        ),
    )


def _tempo_values(inputs: PlatformInputs) -> dict[str, Any]:
    tier = inputs.config.tier
    disk: dict[str, Any] = {
        "enabled": True,
        "size": f"{_DISK_GIB[tier]}Gi",
        # By default the disk outlives the cluster.
        "enableStatefulSetAutoDeletePVC": True,
    }
    if inputs.contract.storage_class is not None:
        disk["storageClassName"] = inputs.contract.storage_class
    return {
        "replicas": 1,
        # Whole: the chart's own opens receivers of other protocols, and none can be taken out.
        "config": json.dumps(tempo_config(inputs), indent=2),
        "tempo": {
            "resources": compute(100, _TEMPO_MEMORY_MIB[tier]),
            # Half of a small pod's memory, kept for nothing.
            "memBallastSizeMbs": 0,
            "securityContext": _CONTAINER_SECURITY,
        },
        "securityContext": _POD_SECURITY,
        "persistence": disk,
        "serviceAccount": {"automountServiceAccountToken": False},
        "serviceMonitor": {"enabled": True},
    }


def tempo_config(inputs: PlatformInputs) -> dict[str, Any]:
    """Return Tempo's configuration: spans come from the collector alone."""
    return {
        "server": {"http_listen_port": endpoints.TEMPO.port, "log_level": "warn"},
        "usage_report": {"reporting_enabled": False},
        "distributor": {
            "receivers": {
                "otlp": {
                    "protocols": {"grpc": {"endpoint": f"0.0.0.0:{endpoints.TEMPO_SPANS.port}"}}
                }
            }
        },
        "compactor": {"compaction": {"block_retention": _RETENTION[inputs.config.tier]}},
        "storage": {
            "trace": {
                "backend": "local",
                "local": {"path": "/var/tempo/traces"},
                "wal": {"path": "/var/tempo/wal"},
            }
        },
        "overrides": {"per_tenant_override_config": "/conf/overrides.yaml"},
    }


def _collector_values(inputs: PlatformInputs) -> dict[str, Any]:
    ports = {
        name: {"enabled": False}
        for name in ("otlp-http", "jaeger-compact", "jaeger-thrift", "jaeger-grpc", "zipkin")
    }
    return {
        # The chart would put its own name behind that of the release.
        "fullnameOverride": COLLECTOR_ENTRY,
        "mode": "deployment",
        "replicaCount": replicas(inputs),
        "image": {"repository": "otel/opentelemetry-collector-k8s"},
        # All of it: merged over the chart's own, its receivers of other protocols would stay.
        "alternateConfig": collector_config(inputs),
        "ports": {**ports, "metrics": {"enabled": True}},
        "resources": compute(100, 512),
        "podSecurityContext": _POD_SECURITY,
        "securityContext": _CONTAINER_SECURITY,
        "serviceAccount": {"automountServiceAccountToken": False},
        "podDisruptionBudget": disruption_budget(inputs),
        "topologySpreadConstraints": spread(inputs, COLLECTOR_PODS),
        "serviceMonitor": {"enabled": True, "metricsEndpoints": [{"port": "metrics"}]},
        "extraManifests": [
            grafana_datasource(
                "tempo",
                {
                    "name": "Tempo",
                    "type": "tempo",
                    "url": endpoints.TEMPO.url(),
                    "jsonData": _trace_links(inputs),
                },
            )
        ],
    }


def collector_config(inputs: PlatformInputs) -> dict[str, Any]:
    """Return the collector's configuration."""
    removal = f'delete_matching_keys(attributes, "{PROMPT_ATTRIBUTES}")'.replace("\\", "\\\\")
    return {
        "extensions": {"health_check": {"endpoint": f"0.0.0.0:{_HEALTH_PORT}"}},
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": f"0.0.0.0:{endpoints.SPANS_GRPC.port}"}}}
        },
        "processors": {
            # Refuses spans before the process is killed for its memory; senders try again.
            "memory_limiter": {
                "check_interval": "1s",
                "limit_percentage": 80,
                "spike_limit_percentage": 25,
            },
            "probabilistic_sampler": {
                "mode": "hash_seed",
                "hash_seed": 1,
                "sampling_percentage": round(
                    100 * inputs.config.tracing.kept(inputs.config.tier), 4
                ),
            },
            "transform/prompts": {
                # The default passes on what it failed to clean.
                "error_mode": "propagate",
                "trace_statements": [
                    {"context": context, "statements": [removal]}
                    for context in ("span", "spanevent")
                ],
            },
            "batch": {"timeout": "5s", "send_batch_size": 512, "send_batch_max_size": 1024},
        },
        "exporters": {
            "otlp_grpc": {
                "endpoint": f"{endpoints.TEMPO_SPANS.host}:{endpoints.TEMPO_SPANS.port}",
                # In the cluster, between two pods that a policy joins.
                "tls": {"insecure": True},
            }
        },
        "service": {
            "extensions": ["health_check"],
            "telemetry": {
                "logs": {"encoding": "json"},
                "metrics": {
                    "readers": [
                        {
                            "pull": {
                                "exporter": {
                                    "prometheus": {"host": "0.0.0.0", "port": _METRICS_PORT}  # noqa: S104 - read by Prometheus, from another pod
                                }
                            }
                        }
                    ]
                },
            },
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": [
                        "memory_limiter",
                        "probabilistic_sampler",
                        "transform/prompts",
                        "batch",
                    ],
                    "exporters": ["otlp_grpc"],
                }
            },
        },
    }


def _trace_links(inputs: PlatformInputs) -> dict[str, Any]:
    """Return where Grafana leads from a trace: to the log lines that name it."""
    if not inputs.config.features.logging:
        return {}
    return {
        "tracesToLogsV2": {
            "datasourceUid": "loki",
            "spanStartTimeShift": "-5m",
            "spanEndTimeShift": "5m",
            "customQuery": True,
            # One dollar sign would be a variable of Grafana's environment.
            "query": '{namespace=~".+"} | trace_id="$${__trace.traceId}"',
        }
    }
