"""Builders of the MCP gateway: tools for models behind one address that checks who calls.

A gateway of its own, like the one of egress: the inference gateway has no way to the internet, and
no caller but LiteLLM. The edge leads to it, and its policy takes tokens of the identity provider
alone.
"""

from typing import Final

from components.platform import endpoints
from components.platform.apps import app_keys, namespaces, sign_in
from components.platform.apps.llm_gateway import API_HOST
from components.platform.apps.parts import calls_internet, entry, replicas
from components.platform.apps.routing import (
    AGENTGATEWAY_ENTRY,
    CONTROLLER_PODS,
    proxy_connections,
)
from components.platform.catalogue import (
    CatalogueEntry,
    Host,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import McpServer
from components.platform.network import Connection, Pods
from components.platform.values.inference_routing import (
    GatewayReference,
    GatewayValues,
    InferenceRoutingValues,
)
from components.platform.values.mcp_gateway import (
    Callers,
    ListedModel,
    McpGatewayValues,
    OtherServer,
    OwnServer,
    PricePerMillion,
)
from components.platform.values.secrets import ConsumerSecret, SecretEntry
from components.versions import PYTHON_IMAGE

MCP_GATEWAY_ENTRY: Final = "mcp-gateway"
MCP_TOOLS_ENTRY: Final = "mcp-tools"
MCP_HOST: Final = "mcp"

CLIENT: Final = "mcp"
"""Dex's client of programs that call tools, and so the audience of their tokens."""

MCP_PROXY_PODS: Final = Pods(
    namespace=namespaces.MCP,
    labels={"gateway.networking.k8s.io/gateway-name": endpoints.MCP_GATEWAY.service},
)
MCP_SERVER_PODS: Final = Pods(
    namespace=namespaces.MCP, labels={"app.kubernetes.io/name": "mcp-gateway"}
)

_SERVER_PORT: Final = 8080
_TOKEN_ENTRY: Final = "Authorization"  # noqa: S105 - where agentgateway looks in a Secret


def is_enabled(inputs: PlatformInputs) -> bool:
    """Return whether the stack has an MCP gateway."""
    return (
        includes_layer(inputs, "llm-gateway")
        and inputs.config.features.mcp_gateway
        and sign_in.has_sign_in(inputs)
    )


def mcp_gateway(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The gateway itself, which the edge alone calls."""
    if not is_enabled(inputs):
        return ()
    values = InferenceRoutingValues(
        gateway=GatewayValues(
            name=endpoints.MCP_GATEWAY.service,
            replicas=replicas(inputs),
            route_namespaces=(namespaces.MCP,),
            max_body_mib=4,
        )
    )
    port = endpoints.MCP_GATEWAY.port
    return (
        entry(
            MCP_GATEWAY_ENTRY,
            namespaces.MCP,
            "llm-gateway",
            OwnChart(chart="inference-routing", values=values.to_values()),
            feature="mcp_gateway",
            description="The gateway in front of MCP tools",
            connections=(
                *proxy_connections(MCP_PROXY_PODS),
                Connection(client=MCP_PROXY_PODS, server=MCP_SERVER_PODS, ports=(_SERVER_PORT,)),
                # No policy knows names: the gateway itself calls those alone that it is told of.
                *((calls_internet(MCP_PROXY_PODS),) if inputs.config.mcp_gateway.servers else ()),
            ),
            hosts=(
                Host(
                    name=MCP_HOST,
                    service=endpoints.MCP_GATEWAY.service,
                    port=port,
                    pods=MCP_PROXY_PODS,
                    target_port=port,
                    paths=("/mcp", "/.well-known/oauth-protected-resource"),
                ),
            ),
            public_clients=(CLIENT,),
            # The GatewayClass is there when the controller is.
            requires=(AGENTGATEWAY_ENTRY,),
        ),
    )


def mcp_tools(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The platform's own tools, those of others, and who may call them."""
    if not is_enabled(inputs):
        return ()
    config = inputs.config.mcp_gateway
    values = McpGatewayValues(
        gateway_reference=GatewayReference(
            name=endpoints.MCP_GATEWAY.service, namespace=endpoints.MCP_GATEWAY.namespace
        ),
        public_url=sign_in.url(inputs, MCP_HOST),
        callers=Callers(
            issuer=sign_in.issuer(inputs),
            audience=CLIENT,
            keys_service=endpoints.DEX.service,
            keys_namespace=endpoints.DEX.namespace,
            keys_port=endpoints.DEX.port,
        ),
        own=OwnServer(
            image=PYTHON_IMAGE.reference,
            replicas=replicas(inputs),
            models_url=sign_in.url(inputs, API_HOST, "/v1"),
            models=_models(inputs),
        ),
        others=tuple(
            OtherServer(
                name=one.name,
                host=one.host,
                path=one.path,
                token_secret=None if one.token_secret is None else _token_name(one),
            )
            for one in config.servers
        ),
        requests_per_second=config.requests_per_second,
    )
    return (
        entry(
            MCP_TOOLS_ENTRY,
            namespaces.MCP,
            "llm-gateway",
            OwnChart(chart="mcp-gateway", values=values.to_values()),
            feature="mcp_gateway",
            description="MCP tools of the platform and of others, for who has signed in",
            # A route that names a gateway that is not there is Degraded.
            requires=(MCP_GATEWAY_ENTRY,),
            extra_namespaces=(namespaces.IDENTITY,),
            secrets=tuple(
                ConsumerSecret(
                    name=_token_name(one),
                    namespace=namespaces.MCP,
                    entries=(SecretEntry(key=_TOKEN_ENTRY, remote_id=one.token_secret),),
                )
                for one in config.servers
                if one.token_secret is not None
            ),
            # agentgateway's controller fetches the keys, and hands them to the proxies.
            connections=(sign_in.calls_dex(CONTROLLER_PODS),),
        ),
    )


def _models(inputs: PlatformInputs) -> tuple[ListedModel, ...]:
    return tuple(
        ListedModel(
            name=name,
            does="embeddings" if model.engine == "text_embeddings_inference" else "chat",
            max_tokens=model.max_model_len,
            price=PricePerMillion(
                input=price.input_usd_per_million_tokens,
                output=price.output_usd_per_million_tokens,
            ),
        )
        for model in app_keys.callable_models(inputs)
        for name, price in model.served_prices.items()
    )


def _token_name(server: McpServer) -> str:
    return f"{server.name}-token"
