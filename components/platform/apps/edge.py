"""The public edge: one Gateway for the hosts of all entries, and the only way in from outside."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from components.platform import endpoints
from components.platform.apps import namespaces, sign_in
from components.platform.apps.certificates import EDGE, PROXY_PODS, edge_issuer
from components.platform.apps.identity import (
    OAUTH2_PROXY_PODS,
    SESSION_HOST,
    START_PATH,
    asks_for_sessions,
)
from components.platform.apps.parts import entry, replicas, sends_spans, span_receiver
from components.platform.apps.platform import (
    CERT_MANAGER_ENTRY,
    GATEWAY_API_ENTRY,
    PROMETHEUS_CRDS_ENTRY,
)
from components.platform.apps.routing import (
    AGENTGATEWAY_CRDS_ENTRY,
    AGENTGATEWAY_ENTRY,
    longest_request_seconds,
    proxy_connections,
)
from components.platform.catalogue import (
    CatalogueEntry,
    CatalogueError,
    Host,
    OwnChart,
    PlatformInputs,
)
from components.platform.network import Connection, Outside
from components.platform.values.edge import (
    EdgeGateway,
    EdgeValues,
    HostRoute,
    ListenerValues,
    RateLimit,
    SignIn,
)

EDGE_ENTRY: Final = "edge"
PORTS: Final = (80, 443)
"""Of its listeners, and so of its containers (agentgateway v1.2.1, its Service's targetPort)."""


def routes_entry(namespace: str) -> str:
    """Return the entry with the routes from the edge to a namespace."""
    return f"{namespace}-routes"


def hosts_of(entries: Sequence[CatalogueEntry]) -> tuple[Host, ...]:
    """Return the hosts of all entries, by name.

    Raises:
        CatalogueError: two entries want one host, or one asks for a session where nobody gives any.
    """
    by_name: dict[str, Host] = {}
    for host in (one for each in entries for one in each.hosts):
        if by_name.setdefault(host.name, host) != host:
            msg = f"two entries want the host {host.name!r}"
            raise CatalogueError(msg)
    return tuple(by_name[name] for name in sorted(by_name))


def edge(inputs: PlatformInputs, entries: Sequence[CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
    """The Gateway, its certificates and what holds for every host; then the routes.

    Nothing waits for it: its address and its certificates may need people, who first must see the
    address.
    """
    hosts = hosts_of(entries)
    if not sign_in.has_edge(inputs) or not hosts:
        return ()
    if not sign_in.has_sign_in(inputs) and any(host.sign_in for host in hosts):
        msg = "a host asks for a session, and nobody gives any"
        raise CatalogueError(msg)
    domain = sign_in.domain(inputs)
    limit = inputs.config.edge.requests_per_second
    values = EdgeValues(
        gateway=EdgeGateway(
            name=EDGE.name,
            domain=domain,
            listeners=tuple(
                ListenerValues(
                    name=host.name,
                    hostname=f"{host.name}.{domain}",
                    namespace=host.pods.namespace,
                )
                for host in hosts
            ),
            issuer=edge_issuer(inputs),
            service_annotations=dict(inputs.contract.load_balancer_annotations),
            replicas=replicas(inputs),
            longest_request_seconds=longest_request_seconds(inputs),
            limit=RateLimit(requests_per_second=limit, burst=limit),
            spans=span_receiver(inputs),
        )
    )
    return (
        entry(
            EDGE_ENTRY,
            namespaces.EDGE,
            "platform",
            OwnChart(chart="edge", values=values.to_values()),
            feature="public_edge",
            description="The gateway that faces the internet: TLS, limits, sign-in",
            # The GatewayClass is there when the controller is; cert-manager's webhook admits the
            # certificates; the chart brings a PodMonitor.
            requires=(AGENTGATEWAY_ENTRY, CERT_MANAGER_ENTRY, PROMETHEUS_CRDS_ENTRY),
            connections=(*_connections(hosts), *sends_spans(inputs, PROXY_PODS)),
        ),
        *_routes(inputs, hosts),
    )


def _connections(hosts: Sequence[Host]) -> tuple[Connection, ...]:
    return (
        Connection(client=Outside.ANYONE, server=PROXY_PODS, ports=PORTS),
        *proxy_connections(PROXY_PODS),
        *(
            Connection(client=PROXY_PODS, server=host.pods, ports=(host.target_port,))
            for host in hosts
        ),
        *((asks_for_sessions(PROXY_PODS),) if any(host.sign_in for host in hosts) else ()),
    )


def _routes(inputs: PlatformInputs, hosts: Sequence[Host]) -> tuple[CatalogueEntry, ...]:
    """Return the routes, one entry for each namespace that they lead to."""
    by_namespace: defaultdict[str, list[Host]] = defaultdict(list)
    for host in hosts:
        by_namespace[host.pods.namespace].append(host)
    asking = tuple(sorted({host.pods.namespace for host in hosts if host.sign_in}))
    found: list[CatalogueEntry] = []
    for namespace, own in by_namespace.items():
        granting = namespace == OAUTH2_PROXY_PODS.namespace and bool(asking)
        values = EdgeValues(
            gateway_reference=EDGE,
            sign_in=_sign_in(inputs) if granting or namespace in asking else None,
            routes=tuple(_route(inputs, host) for host in own),
            grants=asking if granting else (),
        )
        found.append(
            entry(
                routes_entry(namespace),
                namespace,
                "platform",
                OwnChart(chart="edge", values=values.to_values()),
                feature="public_edge",
                description="The edge's routes to " + ", ".join(host.name for host in own),
                # Definitions alone: a route finds its Gateway and its Service when they are there.
                requires=(GATEWAY_API_ENTRY, AGENTGATEWAY_CRDS_ENTRY),
                create_namespace=namespace in namespaces.POD_SECURITY,
            )
        )
    return tuple(found)


def _sign_in(inputs: PlatformInputs) -> SignIn:
    return SignIn(
        service=endpoints.OAUTH2_PROXY.service,
        namespace=endpoints.OAUTH2_PROXY.namespace,
        port=endpoints.OAUTH2_PROXY.port,
        start_url=sign_in.url(inputs, SESSION_HOST, START_PATH),
    )


def _route(inputs: PlatformInputs, host: Host) -> HostRoute:
    limit = host.requests_per_second
    return HostRoute(
        name=host.name,
        hostname=f"{host.name}.{sign_in.domain(inputs)}",
        service=host.service,
        port=host.port,
        paths=host.paths,
        sign_in=host.sign_in,
        open_paths=host.open_paths,
        limit=None if limit is None else RateLimit(requests_per_second=limit, burst=2 * limit),
    )
