"""Values of charts/inference-routing: the inference gateway, and the routes from models to pools.

One chart, two releases: the gateway in its own namespace, the routes in the namespace of the pools,
because agentgateway does not honour a ReferenceGrant from a route to an InferencePool elsewhere.
"""

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Name, ObjectName, SpanReceiver


class GatewayValues(ChartValues):
    """The Gateway that only pods of this cluster reach: its Service is never a load balancer."""

    name: Name = "inference-gateway"
    class_name: ObjectName = "agentgateway"
    replicas: int = Field(default=1, ge=1)
    compute: Compute = Compute(cpu=0.1, memory_mib=256)
    route_namespaces: tuple[Name, ...] = Field(
        default=("serving",), min_length=1, description="Namespaces whose routes may attach."
    )
    longest_request_seconds: int = Field(
        default=300, ge=1, description="A proxy that stops lets a stream run this long."
    )
    max_body_mib: int = Field(
        default=16, ge=1, le=1024, description="A request body is held in memory to read its model."
    )
    spans: SpanReceiver | None = Field(default=None, description="None traces nothing.")


class GatewayReference(ChartValues):
    """The Gateway that the routes attach to."""

    name: Name = "inference-gateway"
    namespace: Name = "inference"


class Backend(ChartValues):
    """An InferencePool of the release's namespace and its share of the requests.

    Shares are split here, between pools: a split behind one pool would hide from its picker.
    """

    pool: Name
    weight: int = Field(default=1, ge=0, le=1_000_000)


class ModelRoute(ChartValues):
    """The names of one model to its pools."""

    model: Name = Field(description="Value of `model` in the request body, and name of the route.")
    adapters: tuple[Name, ...] = Field(
        default=(), max_length=32, description="Further values of `model` that lead there."
    )
    backends: tuple[Backend, ...] = Field(min_length=1, max_length=16)
    timeout_seconds: int = Field(default=300, ge=1)
    retry_after_seconds: int | None = Field(
        default=None, ge=1, description="What a refusal tells its caller to wait; None: nothing."
    )


class Objective(ChartValues):
    """An InferenceObjective: under pressure the pool sheds the lower priority first."""

    name: Name
    pool: Name
    priority: int = Field(ge=-1000, le=1000)


class InferenceRoutingValues(ChartValues):
    """All values of charts/inference-routing."""

    gateway: GatewayValues | None = Field(default=None, description="None renders no Gateway.")
    gateway_reference: GatewayReference = GatewayReference()
    routes: tuple[ModelRoute, ...] = ()
    objectives: tuple[Objective, ...] = ()
