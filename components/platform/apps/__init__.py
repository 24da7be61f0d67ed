"""Builders of catalogue entries, one module a layer. Pure functions, no Pulumi.

Adding a system is one builder in the module of its layer, its place in `BUILDERS`, and one pin.
"""

from typing import Final

from components.platform.apps import llm_gateway, platform, routing, serving
from components.platform.catalogue import Builder, CatalogueEntry, PlatformInputs, order

BUILDERS: Final[tuple[Builder, ...]] = (
    platform.gateway_api,
    platform.prometheus_crds,
    platform.cert_manager,
    platform.external_secrets,
    platform.secret_store,
    platform.consumer_secrets,
    platform.kube_prometheus_stack,
    platform.keda,
    platform.kueue,
    platform.queues,
    serving.models,
    routing.inference_extension,
    routing.agentgateway_crds,
    routing.agentgateway,
    routing.inference_gateway,
    routing.pools,
    routing.routes,
    llm_gateway.cloudnative_pg,
    llm_gateway.database,
    llm_gateway.valkey,
    llm_gateway.litellm,
    llm_gateway.tenants,
)
"""All builders, layer by layer: the order of entries that no edge puts apart."""

PROVIDED_FEATURES: Final[frozenset[str]] = frozenset({"autoscaling"})
"""Features that a builder really provides; the config refuses every other one."""


def catalogue(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Return the entries of a stack in rollout order.

    Raises:
        components.platform.catalogue.CatalogueError: the builders contradict each other.
    """
    return order([entry for build in BUILDERS for entry in build(inputs)])
