"""Builders of models that a provider answers: the egress gateway, and one way out a model.

The providers' keys are in one namespace, with a gateway that puts them into requests. LiteLLM has
none of them: who takes it over can spend them, but carries them nowhere, and a key that is missing
fails the calls of its own model instead of LiteLLM's start. The network policies let LiteLLM alone
call the gateway, so that no request spends a key past the budgets, and let the gateway alone
call the internet.
"""

from collections.abc import Iterator
from typing import Final, Literal

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import (
    calls_internet,
    entry,
    replicas,
    sends_spans,
    span_receiver,
)
from components.platform.apps.routing import (
    AGENTGATEWAY_ENTRY,
    longest_request_seconds,
    proxy_connections,
)
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import ExternalSource, Model
from components.platform.network import Connection, Pods
from components.platform.values.egress import EgressValues, ExternalModel
from components.platform.values.inference_routing import (
    GatewayReference,
    GatewayValues,
    InferenceRoutingValues,
)
from components.platform.values.secrets import ConsumerSecret, SecretEntry

EGRESS_GATEWAY_ENTRY: Final = "egress-gateway"

EGRESS_PODS: Final = Pods(
    namespace=namespaces.EGRESS,
    labels={"gateway.networking.k8s.io/gateway-name": endpoints.EGRESS_GATEWAY.service},
)

PROVIDERS: Final[dict[str, Literal["anthropic", "openai", "gemini"]]] = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google": "gemini",
}
"""Our name of a provider, and agentgateway's name of its API."""

_KEY_ENTRY: Final = "Authorization"
"""Where agentgateway looks for a key in a Secret, whatever header the provider wants it in."""


def is_enabled(inputs: PlatformInputs) -> bool:
    """Return whether requests may leave the cluster for a provider."""
    return includes_layer(inputs, "llm-gateway") and inputs.config.features.egress


def connections(inputs: PlatformInputs, client: Pods) -> tuple[Connection, ...]:
    """Return what LiteLLM calls."""
    if not is_enabled(inputs):
        return ()
    return (Connection(client=client, server=EGRESS_PODS, ports=(endpoints.EGRESS_GATEWAY.port,)),)


def egress_gateway(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The one way to providers: a gateway of its own, so that the inference gateway has none."""
    if not is_enabled(inputs):
        return ()
    values = InferenceRoutingValues(
        gateway=GatewayValues(
            name=endpoints.EGRESS_GATEWAY.service,
            replicas=replicas(inputs),
            route_namespaces=(namespaces.EGRESS,),
            longest_request_seconds=longest_request_seconds(inputs),
            spans=span_receiver(inputs),
        )
    )
    return (
        entry(
            EGRESS_GATEWAY_ENTRY,
            namespaces.EGRESS,
            "llm-gateway",
            OwnChart(chart="inference-routing", values=values.to_values()),
            description="The one way to external providers; LiteLLM alone calls it",
            feature="egress",
            connections=(
                *proxy_connections(EGRESS_PODS),
                calls_internet(EGRESS_PODS),
                *sends_spans(inputs, EGRESS_PODS),
            ),
            # The GatewayClass is there when the controller is.
            requires=(AGENTGATEWAY_ENTRY,),
        ),
    )


def external_models(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One route and one backend a model."""
    if not is_enabled(inputs):
        return ()
    return tuple(
        entry(
            endpoints.route_entry(model.name),
            namespaces.EGRESS,
            "llm-gateway",
            OwnChart(
                chart="egress",
                values=EgressValues(
                    gateway_reference=GatewayReference(
                        name=endpoints.EGRESS_GATEWAY.service,
                        namespace=endpoints.EGRESS_GATEWAY.namespace,
                    ),
                    models=(
                        ExternalModel(
                            name=model.name,
                            provider=PROVIDERS[source.provider],
                            model=source.model,
                            api_key_secret=_secret_name(model),
                            timeout_seconds=model.request_seconds,
                        ),
                    ),
                ).to_values(),
            ),
            description=f"Leads requests for model {model.name} to {source.provider}",
            feature="egress",
            secrets=(
                ConsumerSecret(
                    name=_secret_name(model),
                    namespace=namespaces.EGRESS,
                    entries=(SecretEntry(key=_KEY_ENTRY, remote_id=source.api_key_secret),),
                ),
            ),
            # A route that names a gateway that is not there is Degraded.
            requires=(EGRESS_GATEWAY_ENTRY,),
        )
        for model, source in _external(inputs)
    )


def _external(inputs: PlatformInputs) -> Iterator[tuple[Model, ExternalSource]]:
    for model in inputs.models:
        if isinstance(model.source, ExternalSource):
            yield model, model.source


def _secret_name(model: Model) -> str:
    return f"{model.name}-api-key"
