"""Which ports of which pods Prometheus and the API server call, as monitors and webhooks say.

Of upstream charts, `upstream.json` says it: `read` of monitors, `called` of webhooks, conversions
and aggregated APIs, each by the pods behind them, as the numbers that their containers listen on.
Webhooks that a system registers when it starts are among them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from components.platform.catalogue import CatalogueEntry, UpstreamChart
from components.platform.network import Connection, Outside, Pods
from tests.charts.rendering import Json
from tests.closure.world import UPSTREAM, PodTemplate, World, namespace_of, pod_templates

_POOLS: Final = "-pool"
_MODEL: Final = "{model}"


@dataclass(frozen=True, kw_only=True)
class Called:
    """Pods, and the port of theirs that somebody calls; None where only their controller knows."""

    why: str
    namespace: str
    labels: Mapping[str, str]
    port: int | None

    def is_open(self, client: Pods | Outside, connections: list[Connection]) -> bool:
        """Return whether one of the connections lets this client in."""
        return any(
            one.client == client
            and isinstance(one.server, Pods)
            and one.server.namespace == self.namespace
            and one.server.labels.items() <= self.labels.items()
            and (self.port is None or _includes(one, self.port))
            for one in connections
        )


def _includes(connection: Connection, port: int) -> bool:
    if connection.last_port is not None:
        return connection.ports[0] <= port <= connection.last_port
    return port in connection.ports


def upstream(of: World, kind: str) -> Iterator[Called]:
    """Yield what is called of the pods of upstream charts.

    Args:
        of: the stack.
        kind: `read` or `called`, as `upstream.json` names them.
    """
    for entry in of.entries:
        if not isinstance(entry.source, UpstreamChart):
            continue
        known = UPSTREAM[entry.source.pin.chart]
        for text, ports in known.get(kind, {}).items():
            pods = text
            if _MODEL in text:
                # One release a pool, and the pools of canaries are releases of their own.
                if f"{_MODEL}-canary" in text:
                    continue
                pods = text.replace(_MODEL, entry.name.removesuffix(_POOLS))
            labels = {
                name: value.replace(_MODEL, entry.name.removesuffix(_POOLS))
                for name, value in known["pods"][text].items()
            }
            for port in ports:
                yield Called(why=entry.name, namespace=pods.split("/")[0], labels=labels, port=port)


def read_by_own_monitors(of: World) -> Iterator[Called]:
    """Yield what the monitors of our own charts read of pods that are ours too."""
    entries = {entry.name: entry for entry in of.entries}
    templates = [
        template
        for name, one in of.objects
        for template in pod_templates(name, namespace_of(entries[name], one), one)
    ]
    for name, one in of.objects:
        match one["kind"]:
            case "PodMonitor":
                yield from _pod_monitor(of, entries[name], one, templates)
            case "ServiceMonitor":
                yield from _service_monitor(of, entries[name], one, templates)
            case _:
                pass


def _pod_monitor(
    of: World, entry: CatalogueEntry, one: Json, templates: list[PodTemplate]
) -> Iterator[Called]:
    wanted = one["spec"]["selector"].get("matchLabels", {})
    for namespace in _namespaces(entry, one):
        chosen = _chosen(templates, namespace, wanted)
        for endpoint in one["spec"]["podMetricsEndpoints"]:
            for template in chosen:
                port = endpoint.get("portNumber") or _container_port(template, endpoint["port"])
                if port is not None:
                    yield Called(
                        why=entry.name, namespace=namespace, labels=template.labels, port=port
                    )
        if not chosen and wanted and of.has_pods(Pods(namespace=namespace, labels=wanted)):
            yield Called(why=entry.name, namespace=namespace, labels=wanted, port=None)


def _service_monitor(
    of: World, entry: CatalogueEntry, one: Json, templates: list[PodTemplate]
) -> Iterator[Called]:
    wanted = one["spec"]["selector"]["matchLabels"].items()
    entries = {each.name: each for each in of.entries}
    for namespace in _namespaces(entry, one):
        for name, service in of.objects:
            if service["kind"] != "Service" or namespace_of(entries[name], service) != namespace:
                continue
            if not wanted <= service["metadata"].get("labels", {}).items():
                continue
            for endpoint in one["spec"]["endpoints"]:
                for port in service["spec"]["ports"]:
                    if port.get("name") != endpoint.get("port"):
                        continue
                    target = port.get("targetPort", port["port"])
                    for template in _chosen(templates, namespace, service["spec"]["selector"]):
                        yield Called(
                            why=entry.name,
                            namespace=namespace,
                            labels=template.labels,
                            port=target
                            if isinstance(target, int)
                            else _container_port(template, target),
                        )


def _namespaces(entry: CatalogueEntry, one: Json) -> list[str]:
    return one["spec"].get("namespaceSelector", {}).get("matchNames") or [namespace_of(entry, one)]


def _chosen(
    templates: list[PodTemplate], namespace: str, wanted: Mapping[str, str]
) -> list[PodTemplate]:
    return [
        one
        for one in templates
        if one.namespace == namespace and wanted.items() <= one.labels.items()
    ]


def _container_port(template: PodTemplate, name: str) -> int | None:
    """Return the port of that name; None where no container has one."""
    for container in (*template.spec.get("initContainers", ()), *template.spec["containers"]):
        for port in container.get("ports", ()):
            if port.get("name") == name:
                return port["containerPort"]
    return None
