"""What the builders share: an entry in a namespace of the platform, and pieces of Helm values."""

import json
from collections.abc import Mapping
from typing import Any, Final

from components.names import APP_PROJECT
from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.catalogue import (
    CatalogueEntry,
    Host,
    IgnoreDifference,
    Kustomization,
    Layer,
    OwnChart,
    PlatformInputs,
    SignInClient,
    UpstreamChart,
)
from components.platform.config import Feature
from components.platform.network import Connection, Outside, Pods
from components.platform.values.base import SpanReceiver
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret

API_SERVER_PORTS: Final = (443, 6443)
"""Where the API server listens behind its Service: GKE and most managed clusters, and k3s."""

PROMETHEUS_PODS: Final = Pods(
    namespace=namespaces.MONITORING, labels={"app.kubernetes.io/name": "prometheus"}
)


def entry(  # noqa: PLR0913 - a parameter for each field of an entry that builders set
    name: str,
    namespace: str,
    layer: Layer,
    source: UpstreamChart | OwnChart | Kustomization,
    *,
    project: str = APP_PROJECT,
    requires: tuple[str, ...] = (),
    starts_by_itself: bool = True,
    ignore_differences: tuple[IgnoreDifference, ...] = (),
    extra_namespaces: tuple[str, ...] = (),
    create_namespace: bool = True,
    definitions_only: bool = False,
    gate_timeout_seconds: int = 600,
    feature: Feature | None = None,
    description: str,
    secrets: tuple[ConsumerSecret, ...] = (),
    generates: tuple[GeneratedSecret, ...] = (),
    connections: tuple[Connection, ...] = (),
    hosts: tuple[Host, ...] = (),
    sign_in_clients: tuple[SignInClient, ...] = (),
    public_clients: tuple[str, ...] = (),
    dashboards: tuple[str, ...] = (),
    rules: tuple[str, ...] = (),
) -> CatalogueEntry:
    """Return an entry whose namespace carries the labels that the table of namespaces gives it."""
    return CatalogueEntry(
        name=name,
        namespace=namespace,
        layer=layer,
        source=source,
        project=project,
        requires=requires,
        sync="automatic" if starts_by_itself else "manual",
        ignore_differences=ignore_differences,
        namespace_labels=namespaces.labels(namespace) if create_namespace else {},
        create_namespace=create_namespace,
        extra_namespaces=extra_namespaces,
        definitions_only=definitions_only,
        gate_timeout_seconds=gate_timeout_seconds,
        feature=feature,
        description=description,
        secrets=secrets,
        generates=generates,
        connections=connections,
        hosts=hosts,
        sign_in_clients=sign_in_clients,
        public_clients=public_clients,
        dashboards=dashboards,
        rules=rules,
    )


def scraped(pods: Pods, *ports: int) -> Connection:
    """Return the connection by which Prometheus reads the metrics of pods."""
    return Connection(client=PROMETHEUS_PODS, server=pods, ports=ports)


def webhook(pods: Pods, *ports: int) -> Connection:
    """Return the connection by which the API server calls admission or conversion webhooks."""
    return Connection(client=Outside.API_SERVER, server=pods, ports=ports)


def calls_api_server(pods: Pods) -> Connection:
    """Return the connection of a controller to the Kubernetes API."""
    return Connection(client=pods, server=Outside.API_SERVER, ports=API_SERVER_PORTS)


def calls_internet(pods: Pods, *ports: int) -> Connection:
    """Return the connection to public addresses; HTTPS unless ports are given."""
    return Connection(client=pods, server=Outside.INTERNET, ports=ports or (443,))


def sends_spans(inputs: PlatformInputs, pods: Pods) -> tuple[Connection, ...]:
    """Return the connection by which pods hand their spans in; none where tracing is off."""
    if not inputs.config.features.tracing:
        return ()
    collector = Pods(
        namespace=namespaces.TRACING,
        labels={"app.kubernetes.io/instance": endpoints.SPANS_GRPC.service},
    )
    return (Connection(client=pods, server=collector, ports=(endpoints.SPANS_GRPC.port,)),)


def span_receiver(inputs: PlatformInputs) -> SpanReceiver | None:
    """Return the Service that takes spans in; None where tracing is off."""
    if not inputs.config.features.tracing:
        return None
    collector = endpoints.SPANS_GRPC
    return SpanReceiver(name=collector.service, namespace=collector.namespace, port=collector.port)


def grafana_datasource(uid: str, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ConfigMap of a data source, where Grafana's sidecar looks for it.

    Args:
        uid: what dashboards and other data sources refer to it by.
        source: the rest of it, as Grafana's provisioning spells it.
    """
    document = {
        "apiVersion": 1,
        "datasources": [{"uid": uid, "access": "proxy", "editable": False, **source}],
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"datasource-{uid}",
            "namespace": namespaces.MONITORING,
            "labels": {"grafana_datasource": "1"},
        },
        # JSON is YAML, and no value of it can break its indentation.
        "data": {f"{uid}.yaml": json.dumps(document, indent=2)},
    }


def is_prod(inputs: PlatformInputs) -> bool:
    """Return whether the stack pays for availability: two of everything that can be two."""
    return inputs.config.tier == "prod"


def replicas(inputs: PlatformInputs) -> int:
    """Return how many replicas a stateless system has."""
    return 2 if is_prod(inputs) else 1


def has_several_replicas(inputs: PlatformInputs) -> bool:
    """Return whether stateless systems have replicas that must share what they count."""
    return replicas(inputs) > 1


def compute(cpu_millis: int, memory_mib: int) -> dict[str, Any]:
    """Return Kubernetes `resources`: memory is request and limit alike; CPU has no limit.

    A CPU limit throttles a controller that would only use idle time; a memory limit keeps a leak
    from the node's other pods.
    """
    memory = f"{memory_mib}Mi"
    return {
        "requests": {"cpu": f"{cpu_millis}m", "memory": memory},
        "limits": {"memory": memory},
    }


def spread(inputs: PlatformInputs, pods: Pods) -> list[dict[str, Any]]:
    """Return `topologySpreadConstraints` that keep the replicas of a system off one node.

    A wish and no rule: on the nodes that are left after a loss, both replicas may share one.

    Args:
        inputs: of the stack.
        pods: all replicas, by labels that no other pods of their namespace have.
    """
    if not has_several_replicas(inputs):
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(pods.labels)},
        }
    ]


def apart(inputs: PlatformInputs, pods: Pods) -> dict[str, Any]:
    """Return `affinity` that says the same as `spread`, for charts that know nothing else."""
    if not has_several_replicas(inputs):
        return {}
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": dict(pods.labels)},
    }
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": term}
            ]
        }
    }


def disruption_budget(inputs: PlatformInputs) -> dict[str, Any]:
    """Return the values of a PodDisruptionBudget as most charts spell them.

    Only where there are two replicas: a budget on a single one blocks the drain of its node.
    """
    return {"enabled": True, "minAvailable": 1} if is_prod(inputs) else {"enabled": False}
