"""Builders of catalogue entries, one module a subject. Pure functions, no Pulumi.

Adding a system is one builder in the module of its subject, its place in `BUILDERS`, and one pin.
"""

from typing import Final

from components.platform.apps import (
    caching,
    certificates,
    compute_class,
    cost,
    derived,
    dns,
    edge,
    egress,
    embeddings,
    experience,
    guardrails,
    identity,
    jobs,
    k3s_upgrades,
    kserve,
    llm_gateway,
    logs,
    mcp,
    multi_node,
    observability,
    openbao,
    platform,
    policies,
    routing,
    serving,
    simulator,
    tenants,
    traces,
)
from components.platform.catalogue import (
    Builder,
    CatalogueEntry,
    DerivedBuilder,
    PlatformInputs,
    order,
    reduced,
)

BUILDERS: Final[tuple[Builder, ...]] = (
    platform.gateway_api,
    platform.prometheus_crds,
    k3s_upgrades.definitions,
    k3s_upgrades.upgrades,
    platform.cert_manager,
    certificates.trust_manager,
    certificates.internal_ca,
    certificates.acme,
    platform.external_secrets,
    platform.kube_prometheus_stack,
    identity.oauth2_proxy,
    dns.external_dns,
    logs.loki,
    logs.alloy,
    traces.tempo,
    traces.collector,
    cost.opencost,
    openbao.openbao,
    platform.keda,
    platform.kueue,
    platform.queues,
    tenants.tenants,
    policies.kyverno,
    policies.policies,
    serving.models,
    multi_node.leader_worker_set,
    kserve.crds,
    kserve.kserve,
    kserve.llmisvc,
    kserve.models,
    embeddings.models,
    simulator.models,
    compute_class.compute_class,
    jobs.gpu_smoke,
    routing.inference_extension,
    routing.agentgateway_crds,
    routing.agentgateway,
    routing.inference_gateway,
    routing.pools,
    routing.routes,
    jobs.benchmarks,
    llm_gateway.cloudnative_pg,
    llm_gateway.database,
    caching.valkey,
    caching.qdrant,
    caching.answers,
    egress.egress_gateway,
    egress.external_models,
    guardrails.guardrails,
    llm_gateway.litellm,
    llm_gateway.tenants,
    mcp.mcp_gateway,
    mcp.mcp_tools,
    experience.open_webui,
    experience.tabby,
    experience.n8n,
    experience.key_portal,
)
"""All builders, layer by layer: the order of entries that no edge puts apart."""

DERIVED: Final[tuple[DerivedBuilder, ...]] = (
    identity.dex,
    edge.edge,
    observability.observability,
    derived.secret_store,
    derived.consumer_secrets,
    derived.network_policies,
)
"""Builders of what follows from the entries before them, each also from those above it."""


def catalogue(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Return the entries of a stack in rollout order.

    Raises:
        components.platform.catalogue.CatalogueError: the builders contradict each other.
    """
    entries = [entry for build in BUILDERS for entry in build(inputs)]
    for derive in DERIVED:
        entries += derive(inputs, entries)
    return reduced(order(derived.consumer_edges(entries)))


def generated_secrets(inputs: PlatformInputs) -> tuple[str, ...]:
    """Return the remote ids of the secrets that the cluster makes itself."""
    return tuple(one.remote_id for one in derived.generated(catalogue(inputs)))


def supplied_secrets(inputs: PlatformInputs) -> dict[str, tuple[str, ...]]:
    """Return the Applications that wait for each secret that only people have, by its remote id."""
    return derived.supplied(catalogue(inputs))
