"""Values of charts/edge: the one public Gateway, and the routes from its hosts to Services.

One chart, several releases: the Gateway in a namespace of its own, and the routes in the namespace
of the Services that they lead to. So no route needs a grant to a Service elsewhere, and each
listener takes routes of one namespace alone.
"""

from typing import Annotated

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Name, ObjectName, SpanReceiver

HostName = Annotated[
    str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", max_length=253)
]

PathPrefix = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=1024)]


class ListenerValues(ChartValues):
    """One host: a listener, its certificate, and who may attach a route to it."""

    name: Name = Field(description="The listener is called https-<name>, the Secret <name>-tls.")
    hostname: HostName
    namespace: Name = Field(description="The one namespace whose routes may attach.")


class RateLimit(ChartValues):
    """A limit of one proxy, over all of its callers: it keeps what is behind it from drowning."""

    requests_per_second: int = Field(ge=1, le=1_000_000)
    burst: int = Field(ge=0, le=1_000_000, description="On top of it, for a moment.")


class EdgeGateway(ChartValues):
    """The Gateway, its proxies, its certificates, and what holds for every host."""

    name: Name = "edge"
    class_name: ObjectName = "agentgateway"
    domain: HostName = Field(description="All hosts are below it; HTTP is redirected for them.")
    listeners: tuple[ListenerValues, ...] = Field(
        min_length=1, max_length=63, description="A Gateway holds 64 listeners (Gateway API)."
    )
    issuer: Name = Field(description="The ClusterIssuer that signs the certificates.")
    service_annotations: dict[str, str] = Field(
        default_factory=dict, description="What the cloud wants on a load balancer."
    )
    replicas: int = Field(default=1, ge=1)
    compute: Compute = Compute(cpu=0.1, memory_mib=256)
    longest_request_seconds: int = Field(
        default=300, ge=1, description="A proxy that stops lets a stream run this long."
    )
    limit: RateLimit = RateLimit(requests_per_second=500, burst=500)
    spans: SpanReceiver | None = Field(default=None, description="None traces nothing.")


class GatewayReference(ChartValues):
    """The Gateway that the routes attach to."""

    name: Name = "edge"
    namespace: Name = "edge"


class SignIn(ChartValues):
    """Who says whether a request has a session, and where one without it is sent."""

    service: Name
    namespace: Name
    port: int = Field(ge=1, le=65535)
    start_url: str = Field(
        pattern=r"^https://[a-z0-9.-]+/[A-Za-z0-9/_-]*$",
        description="The page that signs in; it gets the address to come back to as `rd`.",
    )


class HostRoute(ChartValues):
    """One host to one Service of the release's namespace."""

    name: Name = Field(max_length=50, description="As the listener's; the route is edge-<name>.")
    hostname: HostName
    service: Name
    port: int = Field(ge=1, le=65535, description="Of the Service.")
    paths: tuple[PathPrefix, ...] = Field(default=("/",), min_length=1, max_length=16)
    sign_in: bool = Field(default=False, description="Whether a request needs a session.")
    open_paths: tuple[PathPrefix, ...] = Field(
        default=(), max_length=16, description="Paths that need none although `signIn` is true."
    )
    limit: RateLimit | None = Field(default=None, description="None leaves it to the Gateway's.")


class EdgeValues(ChartValues):
    """All values of charts/edge."""

    gateway: EdgeGateway | None = Field(default=None, description="None renders no Gateway.")
    gateway_reference: GatewayReference = GatewayReference()
    sign_in: SignIn | None = Field(
        default=None, description="None where no route asks for a session."
    )
    routes: tuple[HostRoute, ...] = ()
    grants: tuple[Name, ...] = Field(
        default=(),
        description="Namespaces whose policies may ask the sign-in Service of this one.",
    )
