"""Builders of the routing layer: from a model's name in a request to the replica that answers."""

from typing import Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import (
    calls_api_server,
    compute,
    entry,
    is_prod,
    replicas,
    scraped,
)
from components.platform.apps.platform import GATEWAY_API_ENTRY, PROMETHEUS_CRDS_ENTRY
from components.platform.apps.serving import MODEL_LABEL, endpoint_picker, engine_pods, in_pool
from components.platform.catalogue import (
    CatalogueEntry,
    Kustomization,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
    includes_layer,
)
from components.platform.network import Connection, Pods
from components.platform.values.inference_routing import (
    GatewayReference,
    GatewayValues,
    InferenceRoutingValues,
    ModelRoute,
    Objective,
)
from components.versions import (
    AGENTGATEWAY,
    AGENTGATEWAY_CRDS,
    INFERENCE_EXTENSION,
    INFERENCE_POOL,
)

INFERENCE_EXTENSION_ENTRY: Final = "inference-extension"
AGENTGATEWAY_CRDS_ENTRY: Final = "agentgateway-crds"
AGENTGATEWAY_ENTRY: Final = "agentgateway"
INFERENCE_GATEWAY_ENTRY: Final = "inference-gateway"

CONTROLLER_PODS: Final = Pods(
    namespace=namespaces.AGENTGATEWAY, labels={"app.kubernetes.io/name": "agentgateway"}
)
GATEWAY_PODS: Final = Pods(
    # The data plane runs in the Gateway's namespace, not in the controller's.
    namespace=namespaces.INFERENCE,
    labels={"gateway.networking.k8s.io/gateway-name": endpoints.INFERENCE_GATEWAY.service},
)

PRIORITIES: Final = {"interactive": 10, "standard": 0, "batch": -10}
"""Priority of a model's requests: below 0 the endpoint picker sheds them in a saturated pool."""


def inference_extension(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Definitions of InferencePool and its relatives, from their own repository at one commit."""
    if not includes_layer(inputs, "routing"):
        return ()
    return (
        entry(
            INFERENCE_EXTENSION_ENTRY,
            namespaces.AGENTGATEWAY,
            "routing",
            Kustomization(path="config/crd", pin=INFERENCE_EXTENSION),
            description="Definitions of InferencePool and InferenceObjective",
            # Definitions belong to no namespace.
            create_namespace=False,
        ),
    )


def agentgateway_crds(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Definitions of agentgateway."""
    if not includes_layer(inputs, "routing"):
        return ()
    return (
        entry(
            AGENTGATEWAY_CRDS_ENTRY,
            namespaces.AGENTGATEWAY,
            "routing",
            UpstreamChart(pin=AGENTGATEWAY_CRDS, values={}),
            description="Definitions of agentgateway",
        ),
    )


def agentgateway(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The controller that turns Gateways into proxies; it makes the GatewayClass when it starts."""
    if not includes_layer(inputs, "routing"):
        return ()
    controller: dict[str, object] = {"replicaCount": replicas(inputs)}
    if is_prod(inputs):
        controller["podDisruptionBudget"] = {"minAvailable": 1}
    return (
        entry(
            AGENTGATEWAY_ENTRY,
            namespaces.AGENTGATEWAY,
            "routing",
            UpstreamChart(
                pin=AGENTGATEWAY,
                values={
                    "inferenceExtension": {"enabled": True},
                    "controller": controller,
                    # All that the chart's own container security context lacks to be restricted.
                    "podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
                    "resources": compute(100, 256),
                    # Monitors of the controller; the proxies have one beside their Gateway.
                    "monitoring": {"enabled": True},
                },
            ),
            description="Makes proxies of Gateways",
            connections=(
                calls_api_server(CONTROLLER_PODS),
                scraped(CONTROLLER_PODS, 9092),
            ),
            # The controller watches all three kinds from its start, and brings ServiceMonitors.
            requires=(
                AGENTGATEWAY_CRDS_ENTRY,
                GATEWAY_API_ENTRY,
                INFERENCE_EXTENSION_ENTRY,
                PROMETHEUS_CRDS_ENTRY,
            ),
        ),
    )


def inference_gateway(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The Gateway in front of all pools, for LiteLLM alone."""
    if not includes_layer(inputs, "routing"):
        return ()
    values = InferenceRoutingValues(
        gateway=GatewayValues(
            name=endpoints.INFERENCE_GATEWAY.service,
            replicas=replicas(inputs),
            route_namespaces=(namespaces.SERVING,),
        )
    )
    return (
        entry(
            INFERENCE_GATEWAY_ENTRY,
            namespaces.INFERENCE,
            "routing",
            OwnChart(chart="inference-routing", values=values.to_values()),
            description="The one way to all self-hosted models; LiteLLM alone calls it",
            connections=(*proxy_connections(GATEWAY_PODS),),
            # The GatewayClass is there when the controller is.
            requires=(AGENTGATEWAY_ENTRY,),
        ),
    )


def pools(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One InferencePool with its endpoint picker a model.

    The pool does not wait for the engine: an engine that is started by hand may never be there, and
    a pool without replicas is in order.
    """
    if not includes_layer(inputs, "routing"):
        return ()
    return tuple(
        entry(
            endpoints.pool_entry(model.name),
            namespaces.SERVING,
            "routing",
            UpstreamChart(
                pin=INFERENCE_POOL,
                values={
                    "inferencePool": {
                        "modelServers": {"matchLabels": {MODEL_LABEL: model.name}},
                        "targetPorts": [{"number": endpoints.model_server(model.name).port}],
                        "modelServerType": "vllm",
                        "modelServerProtocol": "http",
                    },
                    "inferenceExtension": {
                        # Only the leader of several is ever ready, and Argo CD would call the rest
                        # a rollout that never ends. One is enough: see failureMode.
                        "replicas": 1,
                        # Without its picker the gateway takes any replica: slower, but it answers.
                        "failureMode": "FailOpen",
                        "image": {"pullPolicy": "IfNotPresent"},
                        # The chart asks for 4 CPUs and 8 GiB a model.
                        "resources": compute(100, 512),
                        "monitoring": {
                            "prometheus": {
                                "enabled": True,
                                # The default name is one for all pools of a namespace.
                                "auth": {
                                    "enabled": True,
                                    "secretName": f"{model.name}-pool-metrics-reader",
                                },
                            }
                        },
                    },
                    "provider": {"name": "none"},
                },
            ),
            description=f"Chooses among the replicas of model {model.name}",
            requires=(INFERENCE_EXTENSION_ENTRY, PROMETHEUS_CRDS_ENTRY),
            connections=_pool_connections(model.name),
        )
        for model in inputs.models
        if in_pool(model)
    )


def routes(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One route a model, beside its pool: agentgateway follows no grant to a pool elsewhere."""
    if not includes_layer(inputs, "routing"):
        return ()
    return tuple(
        entry(
            endpoints.route_entry(model.name),
            namespaces.SERVING,
            "routing",
            OwnChart(
                chart="inference-routing",
                values=InferenceRoutingValues(
                    gateway_reference=GatewayReference(
                        name=endpoints.INFERENCE_GATEWAY.service,
                        namespace=endpoints.INFERENCE_GATEWAY.namespace,
                    ),
                    routes=(ModelRoute(model=model.name, pool=endpoints.pool_entry(model.name)),),
                    objectives=(
                        Objective(
                            name=model.name,
                            pool=endpoints.pool_entry(model.name),
                            priority=PRIORITIES[model.priority],
                        ),
                    ),
                ).to_values(),
            ),
            description=f"Leads requests for model {model.name} to its pool",
            # A route that names a gateway or a pool that is not there is Degraded.
            requires=(INFERENCE_GATEWAY_ENTRY, endpoints.pool_entry(model.name)),
        )
        for model in inputs.models
        if in_pool(model)
    )


def proxy_connections(pods: Pods) -> tuple[Connection, ...]:
    """Return what the proxies of any Gateway need: their configuration, and to be scraped."""
    return (
        Connection(client=pods, server=CONTROLLER_PODS, ports=(9978,)),
        scraped(pods, 15020),
    )


def _pool_connections(model: str) -> tuple[Connection, ...]:
    picker = Pods(namespace=namespaces.SERVING, labels={"inferencepool": endpoint_picker(model)})
    port = endpoints.model_server(model).port
    return (
        calls_api_server(picker),
        scraped(picker, 9090),
        Connection(client=GATEWAY_PODS, server=picker, ports=(9002,)),
        Connection(client=GATEWAY_PODS, server=engine_pods(model), ports=(port,)),
        # Without the engine's metrics the endpoint picker chooses blindly.
        Connection(client=picker, server=engine_pods(model), ports=(port,)),
    )
