"""Builders of feature logging: the logs of all pods, in one place, without what tenants wrote.

Alloy reads the logs through the Kubernetes API and not from the nodes' disks. So no pod mounts a
host path, the namespace stays restricted, one Alloy serves nodes that come and go, and a GPU node
carries none. The price is that every line passes the API server; a cluster with thousands of pods
would read on the nodes instead.
"""

import json
from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import (
    calls_api_server,
    compute,
    disruption_budget,
    entry,
    grafana_datasource,
    has_several_replicas,
    replicas,
    scraped,
    spread,
)
from components.platform.apps.platform import GRAFANA_PODS, PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, PlatformInputs, UpstreamChart
from components.platform.network import Connection, Pods
from components.versions import ALLOY, LOKI

LOKI_ENTRY: Final = endpoints.LOKI.service
ALLOY_ENTRY: Final = "alloy"

LOKI_PODS: Final = Pods(namespace=namespaces.LOGGING, labels={"app.kubernetes.io/name": "loki"})
ALLOY_PODS: Final = Pods(namespace=namespaces.LOGGING, labels={"app.kubernetes.io/name": "alloy"})

_ALLOY_PORT: Final = 12345
_ALLOY_UID: Final = 473
"""User `alloy` of Alloy's image (its Dockerfile); the image itself would start as root."""

_DISK_GIB: Final = {"cost": 10, "dev": 20, "prod": 100}
_RETENTION_HOURS: Final = {"cost": 72, "dev": 168, "prod": 720}
_LOKI_MEMORY_MIB: Final = {"cost": 512, "dev": 1024, "prod": 2048}

_PIPELINE: Final = """\
logging {
  level  = "warn"
  format = "json"
}

discovery.kubernetes "pods" {
  role = "pod"
}

// What is a label here makes a stream in Loki, so there are few, and none that grows with requests.
discovery.relabel "pods" {
  targets = discovery.kubernetes.pods.targets

  rule {
    source_labels = ["__meta_kubernetes_namespace"]
    target_label  = "namespace"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_name"]
    target_label  = "pod"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_label_app", "__meta_kubernetes_pod_label_k8s_app"]
    regex         = ";*([^;]+).*"
    target_label  = "app"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
    regex         = "(.+)"
    target_label  = "app"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_label_llmp_dev_model"]
    target_label  = "model"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_label_llmp_dev_team"]
    target_label  = "team"
  }
  rule {
    source_labels = ["__meta_kubernetes_pod_container_name"]
    target_label  = "container"
  }
}

loki.source.kubernetes "pods" {
  targets    = discovery.relabel.pods.output
  forward_to = [loki.process.pods.receiver]

  clustering {
    enabled = true
  }
}

loki.process "pods" {
  forward_to = [loki.write.loki.receiver]

  // Nobody logs prompts unless it is turned on; then these lines of vLLM and LiteLLM hold them.
  stage.drop {
    expression          = "PROMPT_LINES"
    drop_counter_reason = "may_hold_a_prompt"
  }

  stage.regex {
    expression = "(?i)trace[._-]?id[\\"']?\\\\s*[=:]\\\\s*[\\"']?(?P<trace_id>[0-9a-f]{32})"
  }
  stage.regex {
    expression = "(?i)request[._-]?id[\\"']?\\\\s*[=:]\\\\s*[\\"']?(?P<request_id>[a-z0-9-]{8,64})"
  }

  // Found by filter, and no label: their values never repeat.
  stage.structured_metadata {
    values = {container = "", trace_id = "", request_id = ""}
  }
  stage.label_keep {
    values = ["namespace", "pod", "app", "model", "team"]
  }
}

loki.write "loki" {
  endpoint {
    url = "LOKI_PUSH"
  }
}
"""

PROMPT_LINES: Final = (
    r"Request [^ ]+ details: prompt|Received request [^ ]+: prompt|Generated response [^ ]+: output"
    r"|POST Request Sent from LiteLLM|RAW RESPONSE"
    r'|"(messages|prompt)":\s*[\["]'
)
"""Lines that show a request: of vLLM with --enable-log-requests, of LiteLLM at debug, of bodies."""


def loki(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Where logs are kept, and Grafana's way to them.

    One replica in every tier: without an object store its volume is the only copy, and the
    contract promises no bucket. While it is away, Alloy waits, and then sends what it missed.
    """
    if not inputs.config.features.logging:
        return ()
    return (
        entry(
            LOKI_ENTRY,
            namespaces.LOGGING,
            "platform",
            UpstreamChart(pin=LOKI, values=_loki_values(inputs)),
            feature="logging",
            description="Keeps the logs of all pods",
            # Its ServiceMonitor, and the namespace of Grafana's data source.
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=(
                # A process of many parts, which find each other by address.
                Connection(client=LOKI_PODS, server=LOKI_PODS, ports=(3100, 7946, 9095)),
                Connection(client=GRAFANA_PODS, server=LOKI_PODS, ports=(endpoints.LOKI.port,)),
                scraped(LOKI_PODS, endpoints.LOKI.port),
            ),
            extra_namespaces=(namespaces.MONITORING,),
            rules=("logging",),
        ),
    )


def alloy(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Reads the logs of all pods through the Kubernetes API and hands them to Loki."""
    if not inputs.config.features.logging:
        return ()
    return (
        entry(
            ALLOY_ENTRY,
            namespaces.LOGGING,
            "platform",
            UpstreamChart(pin=ALLOY, values=_alloy_values(inputs)),
            feature="logging",
            description="Reads the logs of all pods",
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=(
                calls_api_server(ALLOY_PODS),
                Connection(client=ALLOY_PODS, server=LOKI_PODS, ports=(endpoints.LOKI.port,)),
                # Replicas agree on who reads which pod.
                Connection(client=ALLOY_PODS, server=ALLOY_PODS, ports=(_ALLOY_PORT,)),
                scraped(ALLOY_PODS, _ALLOY_PORT),
            ),
        ),
    )


def pipeline() -> str:
    """Return Alloy's configuration."""
    # The chart reads the text as a template, and Alloy reads a string with escapes.
    expression = json.dumps(PROMPT_LINES)[1:-1]
    return _PIPELINE.replace("PROMPT_LINES", expression).replace(
        "LOKI_PUSH", endpoints.LOKI.url("/loki/api/v1/push")
    )


def _loki_values(inputs: PlatformInputs) -> dict[str, Any]:
    tier = inputs.config.tier
    disk: dict[str, Any] = {
        "size": f"{_DISK_GIB[tier]}Gi",
        # The disk goes with Loki; by default it outlives the cluster.
        "enableStatefulSetAutoDeletePVC": True,
        "whenScaled": "Retain",
    }
    if inputs.contract.storage_class is not None:
        disk["storageClass"] = inputs.contract.storage_class
    return {
        "deploymentMode": "Monolithic",
        "loki": {
            # One tenant: who may read logs is Grafana's business.
            "auth_enabled": False,
            "commonConfig": {"replication_factor": 1},
            "storage": {"type": "filesystem"},
            "schemaConfig": {
                "configs": [
                    {
                        "from": "2026-01-01",
                        "store": "tsdb",
                        "object_store": "filesystem",
                        "schema": "v13",
                        "index": {"prefix": "index_", "period": "24h"},
                    }
                ]
            },
            "compactor": {
                "working_directory": "/var/loki/compactor",
                # Without it the period below deletes nothing.
                "retention_enabled": True,
                "delete_request_store": "filesystem",
            },
            "limits_config": {
                "retention_period": f"{_RETENTION_HOURS[tier]}h",
                "reject_old_samples_max_age": f"{_RETENTION_HOURS[tier]}h",
                "allow_structured_metadata": True,
                "ingestion_rate_mb": 8,
                "ingestion_burst_size_mb": 16,
                "max_line_size": "64KB",
                "max_line_size_truncate": True,
                "max_label_names_per_series": 10,
                "max_global_streams_per_user": 10000,
                "max_query_length": f"{_RETENTION_HOURS[tier]}h",
                "volume_enabled": True,
            },
            "server": {"log_level": "warn"},
            "analytics": {"reporting_enabled": False},
        },
        "singleBinary": {
            "replicas": 1,
            "persistence": disk,
            "resources": compute(100, _LOKI_MEMORY_MIB[tier]),
            # Of one replica it would only hold up the drain of a node.
            "podDisruptionBudget": {"enabled": False},
        },
        # It joins itself before it is ready, and ends when it cannot.
        "memberlist": {"service": {"publishNotReadyAddresses": True}},
        "serviceAccount": {"automountServiceAccountToken": False},
        # What the pods say of it wins, and these defaults say that they want the token.
        "defaults": {"automountServiceAccountToken": False},
        # Else it gets a role in the whole cluster, if an empty one.
        "rbac": {"namespaced": True},
        **{part: {"replicas": 0} for part in ("read", "write", "backend")},
        # Together they ask for 10 GiB of memory to speed up what one replica answers itself.
        "chunksCache": {"enabled": False},
        "resultsCache": {"enabled": False},
        # A proxy for several parts, and there is one; the canary and its test write logs of theirs.
        "gateway": {"enabled": False},
        "lokiCanary": {"enabled": False},
        "test": {"enabled": False},
        # It would read every ConfigMap and Secret of the cluster for rules that there are none of.
        "sidecar": {"rules": {"enabled": False}},
        "monitoring": {"serviceMonitor": {"enabled": True}},
        "extraObjects": [
            grafana_datasource(
                "loki",
                {
                    "name": "Loki",
                    "type": "loki",
                    "url": endpoints.LOKI.url(),
                    "jsonData": {"derivedFields": _derived_fields(inputs)},
                },
            )
        ],
    }


def _derived_fields(inputs: PlatformInputs) -> list[dict[str, Any]]:
    """Return the link from a log line to its trace."""
    if not inputs.config.features.tracing:
        return []
    return [
        {
            "name": "Trace",
            "matcherType": "label",
            "matcherRegex": "trace_id",
            # One dollar sign would be a variable of Grafana's environment.
            "url": "$${__value.raw}",
            "datasourceUid": "tempo",
        }
    ]


def _alloy_values(inputs: PlatformInputs) -> dict[str, Any]:
    return {
        "crds": {"create": False},
        "controller": {
            "type": "deployment",
            "replicas": replicas(inputs),
            "podDisruptionBudget": disruption_budget(inputs),
            "volumes": {"extra": [{"name": "state", "emptyDir": {}}]},
            "topologySpreadConstraints": spread(inputs, ALLOY_PODS),
        },
        "alloy": {
            "configMap": {"content": pipeline()},
            "clustering": {"enabled": has_several_replicas(inputs), "name": "logs"},
            "enableReporting": False,
            "storagePath": "/var/lib/alloy/data",
            "mounts": {"extra": [{"name": "state", "mountPath": "/var/lib/alloy/data"}]},
            "resources": compute(100, 512),
            "livenessProbe": {
                "tcpSocket": {"port": _ALLOY_PORT},
                "initialDelaySeconds": 30,
                "periodSeconds": 30,
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        },
        "global": {
            "podSecurityContext": {
                "runAsNonRoot": True,
                "runAsUser": _ALLOY_UID,
                "runAsGroup": _ALLOY_UID,
                "fsGroup": _ALLOY_UID,
                "seccompProfile": {"type": "RuntimeDefault"},
            }
        },
        # A change of the configuration is a rollout, by its checksum on the pods.
        "configReloader": {"enabled": False},
        # By default it may read every Secret of the cluster.
        "rbac": {
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["pods", "pods/log"],
                    "verbs": ["get", "list", "watch"],
                }
            ],
            # An empty list would end the role in a second list, which is no YAML.
            "clusterRules": [
                {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]}
            ],
        },
        "serviceMonitor": {"enabled": True},
    }
