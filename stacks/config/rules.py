"""Rules between sections of a stack file: what one part needs of another.

Each rule is a function from the stack to problems. What a feature needs is the table `NEEDS`.
Everything that other platforms only warn about is an error here, with the line to write.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from components.contract import (
    CERT_MANAGER_IDENTITY,
    DATABASE_IDENTITY,
    EXTERNAL_DNS_IDENTITY,
    EXTERNAL_SECRETS_IDENTITY,
    SubstrateContract,
)
from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.config import (
    DatabaseConfig,
    ExternalSource,
    Feature,
    Features,
    GoogleConnector,
    ImageSource,
    Model,
    Profile,
    profile_includes,
    replica_range,
)
from components.versions import K3S
from stacks import capacity as stack_capacity
from stacks.config import capacity_rules, gpu_rules
from stacks.config.problems import Problem, mapping, shown
from stacks.config.stack import ExistingStack, GkeStack, HetznerStack, Stack


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a feature needs before it can work."""

    profile: Profile = "platform"
    features: tuple[Feature, ...] = ()
    domain: bool = False
    dns_provider: bool = False
    reason: str


NEEDS: Final[dict[Feature, Need]] = {
    "tracing": Need(profile="llm-gateway", reason="the gateways and engines send the spans"),
    "public_edge": Need(
        domain=True,
        reason="its hosts are names of the domain",
    ),
    "dns": Need(
        features=("public_edge",),
        domain=True,
        dns_provider=True,
        reason="external-dns writes records of the edge's hosts",
    ),
    "identity": Need(
        features=("public_edge",),
        domain=True,
        reason="browsers sign in at a host of the domain, through the public edge",
    ),
    "kserve": Need(profile="serving", reason="KServe serves models"),
    "llm_d": Need(
        profile="llm-gateway",
        features=("kserve",),
        reason="its models are LLMInferenceServices of KServe behind the inference gateway",
    ),
    "multi_node": Need(profile="serving", reason="it runs engines over several nodes"),
    "gpu_smoke": Need(profile="serving", reason="it proves what models need"),
    "benchmark": Need(
        profile="llm-gateway", reason="it calls models through the inference gateway"
    ),
    "egress": Need(profile="llm-gateway", reason="external models are called through the gateway"),
    "guardrails": Need(profile="llm-gateway", reason="LiteLLM calls the filters"),
    "caching": Need(profile="llm-gateway", reason="LiteLLM keeps the answers"),
    "semantic_caching": Need(
        profile="llm-gateway",
        features=("caching",),
        reason="it is the second look where no question is the same",
    ),
    "mcp_gateway": Need(
        profile="llm-gateway",
        features=("identity",),
        reason="callers are checked against the keys of the identity provider",
    ),
    "key_portal": Need(
        profile="full",
        features=("identity",),
        reason="users are who they signed in as",
    ),
    "coding_assistant": Need(profile="full", reason="Tabby is a system of layer experience"),
    "n8n": Need(
        profile="full",
        features=("identity",),
        reason="it is reached through the public edge, behind sign-in",
    ),
}
"""A feature that is not listed needs nothing."""

OWN_MCP_SERVER: Final = "platform"
"""What charts/mcp-gateway calls its own server among those of others."""

LITELLM_NAMES: Final = frozenset({"all-proxy-models", "all-team-models", "no-default-models"})
"""Names that LiteLLM 1.89 reads as more than a model (SpecialModelNames in its _types.py)."""

OWN_CONNECTOR: Final = "local"
"""What Dex calls the users that it has itself."""

IDENTITY_NAMESPACES: Final[dict[str, str]] = {
    EXTERNAL_SECRETS_IDENTITY: namespaces.EXTERNAL_SECRETS,
    CERT_MANAGER_IDENTITY: namespaces.CERT_MANAGER,
    EXTERNAL_DNS_IDENTITY: namespaces.EXTERNAL_DNS,
    DATABASE_IDENTITY: namespaces.LITELLM,
}
"""Systems that take an identity of the cloud, and where each of them runs."""

DATABASE_ACCOUNT: Final = endpoints.LITELLM_DATABASE.service.removesuffix("-rw")
"""Service account of the database: CloudNativePG calls it after its cluster."""

IMAGE_VOLUMES_MINOR: Final = 35
"""Kubernetes 1.35 mounts images as volumes by default (its feature gate ImageVolume)."""

Rule = Callable[[Stack, dict[str, Any]], Iterator[Problem]]


def stack_problems(stack: Stack, raw: dict[str, Any]) -> list[Problem]:
    """Return the problems between sections that show without knowing the substrate's contract.

    Args:
        stack: the stack, every section valid by itself.
        raw: the data it was read from; tells a value that was written from a default.
    """
    return [problem for rule in _STACK_RULES for problem in rule(stack, raw)]


def contract_problems(stack: Stack, contract: SubstrateContract) -> list[Problem]:
    """Return the problems between the platform's sections and what the substrate promises.

    What the config leaves to the capacity plan is judged too: a disk has to hold it.
    """
    planned = stack_capacity.planned(stack, contract)
    return [problem for rule in _CONTRACT_RULES for problem in rule(planned, contract)]


def _platform_off(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if stack.platform.enabled:
        return
    for section in ("models", "tenants"):
        if getattr(stack, section):
            yield Problem(
                path=section,
                message="would be served by nobody: platform.enabled is false",
                fix=f"move {section} to the stack that builds the platform, or enable it here",
            )
    if isinstance(stack, ExistingStack):
        yield Problem(
            path="platform.enabled",
            message="an existing cluster without the platform is a stack that makes nothing",
            value="false",
            fix="set platform.enabled: true",
        )


def _profile(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if not stack.platform.enabled:
        return
    profile = stack.platform.profile
    if profile_includes(profile, "serving"):
        if not stack.models:
            yield Problem(
                path="models",
                message=f"profile {profile} serves models and there is none",
                allowed="one model or more",
                fix="add a model, or set platform.profile: platform",
            )
    elif stack.models:
        yield Problem(
            path="platform.profile",
            message="profile platform serves no models, and there are some",
            value=profile,
            allowed="serving, llm-gateway, full",
            fix="set platform.profile: serving (or more), or remove the models",
        )
    if stack.tenants and not profile_includes(profile, "llm-gateway"):
        yield Problem(
            path="platform.profile",
            message="budgets and limits of tenants are enforced by the LLM gateway",
            value=profile,
            allowed="llm-gateway, full",
            fix="set platform.profile: llm-gateway, or remove the tenants",
        )


def _takes_contract(stack: Stack) -> bool:
    """Return whether another stack says what the domain is and who answers for it."""
    return isinstance(stack, ExistingStack) and stack.existing.contract_from is not None


def _features(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    platform = stack.platform
    enabled = {name for name in Features.model_fields if getattr(platform.features, name)}
    if not platform.enabled:
        return
    for feature, need in NEEDS.items():
        if feature not in enabled:
            continue
        path = f"platform.features.{feature}"
        if not profile_includes(platform.profile, need.profile):
            yield Problem(
                path=path,
                message=f"needs profile {need.profile} or more: {need.reason}",
                value="true",
                fix=f"set platform.profile: {need.profile}, or switch {feature} off",
            )
        for other in need.features:
            if other not in enabled:
                yield Problem(
                    path=path,
                    message=f"needs feature {other}: {need.reason}",
                    value="true",
                    fix=f"set platform.features.{other}: true, or switch {feature} off",
                )
        if need.domain and not (
            platform.domain is not None
            or mapping(raw.get("platform")).get("domain") is not None
            or _takes_contract(stack)
        ):
            yield Problem(
                path=path,
                message=f"needs a domain: {need.reason}",
                value="true",
                fix="set platform.domain, for example llm.example.com",
            )
        if need.dns_provider and platform.dns.provider == "none" and not _takes_contract(stack):
            yield Problem(
                path=path,
                message=f"needs DNS credentials: {need.reason}",
                value="true",
                allowed="platform.dns.provider: google or cloudflare",
                fix="set platform.dns with its provider and zone",
            )


def _edge(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    platform = stack.platform
    if not (platform.enabled and platform.features.public_edge) or platform.features.identity:
        return
    if not profile_includes(platform.profile, "llm-gateway"):
        yield Problem(
            path="platform.features.public_edge",
            message=f"has no host to show: profile {platform.profile} has no API for the world, "
            "and without sign-in nothing else goes there",
            value="true",
            fix="set platform.profile: llm-gateway, or platform.features.identity: true, or switch "
            "public_edge off",
        )


def _dns(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    platform, dns = stack.platform, stack.platform.dns
    if dns.provider == "google" and not isinstance(stack, GkeStack):
        yield Problem(
            path="platform.dns.provider",
            message="Cloud DNS is reached by workload identity, which only kind gke has",
            value="google",
            allowed="none, cloudflare",
            fix="use provider: cloudflare, or kind gke",
        )
    if dns.provider == "cloudflare" and dns.token_secret is None:
        yield Problem(
            path="platform.dns.token_secret",
            message="cloudflare needs an API token, by its id in the secret store",
            fix="add `token_secret: cloudflare-api-token` and put the token in the store",
        )
    if dns.provider != "none" and platform.domain is None:
        yield Problem(
            path="platform.dns",
            message="a DNS provider without a domain has nothing to manage",
            value=dns.provider,
            fix="set platform.domain, or remove platform.dns",
        )
    if (
        dns.provider == "cloudflare"
        and platform.domain is not None
        and not f".{platform.domain}".endswith(f".{dns.zone}")
    ):
        yield Problem(
            path="platform.domain",
            message=f"lies outside the DNS zone {dns.zone}",
            value=platform.domain,
            allowed=f"{dns.zone} or a name below it",
            fix=f"use a name such as llm.{dns.zone}, or correct platform.dns.zone",
        )


def _gke_dns_zone(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if not (isinstance(stack, GkeStack) and stack.gke.create_dns_zone):
        return
    if stack.platform.dns.provider != "google":
        yield Problem(
            path="gke.create_dns_zone",
            message="makes the zone that platform.dns names, and no zone of Google is named there",
            value="true",
            allowed="with platform.dns.provider: google",
            fix="set platform.dns: {provider: google, zone: example-com}, or remove "
            "create_dns_zone",
        )


def _gke_edge_address(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    platform = stack.platform
    if (
        isinstance(stack, GkeStack)
        and stack.gke.edge_address
        and platform.enabled
        and not platform.features.public_edge
    ):
        yield Problem(
            path="gke.edge_address",
            message="reserves an address for an edge that is not there, and Google bills it: "
            "feature public_edge is off",
            value="true",
            fix="set platform.features.public_edge: true, or remove edge_address",
        )


def _gke_unread(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    if not isinstance(stack, GkeStack):
        return
    gke = stack.gke
    registry, backups = (
        mapping(mapping(raw.get("gke")).get(key)) for key in ("registry", "backups")
    )
    unread = {
        "registry.cached_days": (gke.registry.pull_through, "registry.pull_through: true"),
        "registry.untagged_days": (gke.registry.models, "registry.models: true"),
        "backups.bucket": (gke.backups.enabled, "backups.enabled: true"),
        "backups.retention_days": (gke.backups.enabled, "backups.enabled: true"),
    }
    for path, (is_read, switch) in unread.items():
        section, _, key = path.partition(".")
        if not is_read and key in (registry if section == "registry" else backups):
            yield Problem(
                path=f"gke.{path}",
                message="nobody reads it: what it is for is off",
                fix=f"set gke.{switch}, or remove {key}",
            )
    if stack.platform.enabled and not profile_includes(stack.platform.profile, "llm-gateway"):
        for key in ("bucket", "retention_days"):
            if gke.backups.enabled and key in backups:
                yield Problem(
                    path=f"gke.backups.{key}",
                    message="nobody reads it: the database comes with the LLM gateway, and without "
                    "one there is no bucket",
                    fix=f"set platform.profile: llm-gateway, or remove {key}",
                )


def _edge_and_identity(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    platform = stack.platform
    written = mapping(raw.get("platform"))
    sections: tuple[tuple[str, Feature], ...] = (("edge", "public_edge"), ("identity", "identity"))
    for section, feature in sections:
        if section in written and not getattr(platform.features, feature):
            yield Problem(
                path=f"platform.{section}",
                message=f"nothing reads it: feature {feature} is off",
                fix=f"set platform.features.{feature}: true, or remove {section}",
            )
    names = [connector.name for connector in platform.identity.connectors]
    for index, name in enumerate(names):
        if name == OWN_CONNECTOR:
            yield Problem(
                path=f"platform.identity.connectors[{index}].name",
                message="is what Dex calls the users that it has itself",
                value=shown(name),
                fix="take another name",
            )
        if name in names[:index]:
            yield Problem(
                path=f"platform.identity.connectors[{index}]",
                message=f"another connector is called {name} too, and users are told apart by it",
                value=shown(name),
                fix="list all organisations or domains in one connector, or name the other "
                "provider differently",
            )
    if platform.identity.allowed_groups and all(
        isinstance(one, GoogleConnector) for one in platform.identity.connectors
    ):
        yield Problem(
            path="platform.identity.allowed_groups",
            message="nobody would get in: no connector brings groups, and the user that Dex has "
            "itself has none",
            allowed="with a connector of provider github or oidc",
            fix="add such a connector, or remove allowed_groups",
        )


def _federation(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    federation = stack.secrets.federation
    on_google = stack.secrets.store == "google-secret-manager"
    if federation is None:
        if isinstance(stack, HetznerStack) and on_google:
            yield Problem(
                path="secrets.federation",
                message="is missing: Google Secret Manager is reached by workload identity "
                "federation here, never by a key file",
                allowed="project and project_number",
                fix="add `federation: {project: my-project, project_number: 123456789012}`; "
                "`gcloud projects describe my-project --format 'value(projectNumber)'` prints the "
                "number",
            )
        return
    if not (isinstance(stack, HetznerStack) and on_google):
        yield Problem(
            path="secrets.federation",
            message="is for secrets of a cluster at Hetzner that are kept in Google Secret Manager",
            fix="remove federation"
            if not isinstance(stack, HetznerStack)
            else "set secrets.store: google-secret-manager, or remove federation",
        )
    elif federation.pool_id(stack.hetzner.cluster_name).startswith("gcp-"):
        yield Problem(
            path="secrets.federation.pool",
            message="is missing: it would be called after the cluster, and Google keeps ids that "
            "start with gcp- to itself",
            value=federation.pool_id(stack.hetzner.cluster_name),
            fix="add `pool: llmp-cluster`, or another id",
        )


def _secrets(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    # A cluster at Hetzner gets what `_federation` asks for.
    on_google = (
        not isinstance(stack, ExistingStack)
        or stack.existing.contract is None
        or stack.existing.contract.cloud == "gcp"
    )
    if stack.secrets.store == "google-secret-manager" and not on_google:
        yield Problem(
            path="secrets.store",
            message="Google Secret Manager is reached by workload identity, never by a key file, "
            "and this cluster has no workload identity there",
            value="google-secret-manager",
            allowed="kubernetes",
            fix="set secrets.store: kubernetes, or leave it out",
        )
    if (
        stack.secrets.store == "google-secret-manager"
        and isinstance(stack, ExistingStack)
        and stack.existing.contract is not None
        and stack.existing.contract.project is None
    ):
        yield Problem(
            path="existing.contract.project",
            message="Google Secret Manager needs the project of its secrets",
            fix="add `project: your-project`",
        )


def _duplicates(path: str, names: Iterable[str]) -> Iterator[Problem]:
    listed = list(names)
    for name, count in Counter(listed).items():
        if count > 1:
            last = len(listed) - 1 - listed[::-1].index(name)
            yield Problem(
                path=f"{path}[{last}].name",
                message=f"{name!r} is used {count} times",
                value=shown(name),
                fix="give each one a name of its own",
            )


def _names(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    yield from _duplicates("models", (model.name for model in stack.models))
    yield from _names_of_litellm(stack)
    models = {model.name for model in stack.models}
    taken = models | {f"{model.name}-canary" for model in stack.models if model.canary}
    for index, model in enumerate(stack.models):
        if model.canary is not None and f"{model.name}-canary" in models:
            yield Problem(
                path=f"models[{index}].canary",
                message=f"would be called {model.name}-canary, as a model is",
                fix="give that model another name",
            )
        for position, adapter in enumerate(model.lora_adapters):
            if adapter.name in taken:
                yield Problem(
                    path=f"models[{index}].lora_adapters[{position}].name",
                    message="is taken: models and adapters are asked for by their names alone",
                    value=shown(adapter.name),
                    fix="give each one a name of its own",
                )
            taken.add(adapter.name)
    yield from _duplicates("tenants", (tenant.name for tenant in stack.tenants))
    for index, tenant in enumerate(stack.tenants):
        if tenant.name in namespaces.RESERVED or tenant.name.startswith(
            namespaces.RESERVED_PREFIXES
        ):
            yield Problem(
                path=f"tenants[{index}].name",
                message="is a namespace of the platform or of the cluster, and a tenant gets one "
                "of its own name",
                value=shown(tenant.name),
                fix=f"take another name, for example team-{tenant.name}",
            )


def _names_of_litellm(stack: Stack) -> Iterator[Problem]:
    names = {f"models[{index}].name": model.name for index, model in enumerate(stack.models)}
    for index, model in enumerate(stack.models):
        for position, adapter in enumerate(model.lora_adapters):
            names[f"models[{index}].lora_adapters[{position}].name"] = adapter.name
    for path, name in names.items():
        if name in LITELLM_NAMES:
            yield Problem(
                path=path,
                message="stands for other models in LiteLLM: a tenant that may call it would get "
                "all of them, or none",
                value=shown(name),
                fix="take another name",
            )


def _tenant_models(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    raw_models = raw.get("models")
    known = {name for model in stack.models for name in model.served_names}
    # A model whose own section is wrong still counts: its problem is reported once, there.
    for one in cast("list[object]", raw_models) if isinstance(raw_models, list) else []:
        listed = mapping(one).get("lora_adapters")
        adapters = cast("list[object]", listed) if isinstance(listed, list) else []
        for each in (one, *adapters):
            known |= {str(name) for key, name in mapping(each).items() if key == "name"}
    for index, tenant in enumerate(stack.tenants):
        for position, name in enumerate(tenant.models):
            if name not in known:
                yield Problem(
                    path=f"tenants[{index}].models[{position}]",
                    message="no model of this stack is called so",
                    value=shown(name),
                    allowed=", ".join(sorted(known)) or "none: the stack has no models",
                    fix="name a model of the `models` list, or add it there",
                )


def _external_models(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if stack.platform.features.egress:
        return
    for index, model in enumerate(stack.models):
        if isinstance(model.source, ExternalSource):
            yield Problem(
                path=f"models[{index}].source.provider",
                message="a provider is called through the egress gateway, and feature egress is "
                "off: nothing may leave the cluster",
                value=shown(model.source.provider),
                fix="set platform.features.egress: true",
            )


def _guardrails(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    if "guardrails" in mapping(raw.get("platform")) and not stack.platform.features.guardrails:
        yield Problem(
            path="platform.guardrails",
            message="nothing is filtered: feature guardrails is off",
            fix="set platform.features.guardrails: true, or remove platform.guardrails",
        )


def _unread(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    """Sections that only one feature reads."""
    written = mapping(raw.get("platform"))
    if "database" in written and not profile_includes(stack.platform.profile, "llm-gateway"):
        yield Problem(
            path="platform.database",
            message="nobody reads it: the database comes with the LLM gateway",
            fix="set platform.profile: llm-gateway, or remove platform.database",
        )
    for section in ("tracing", "opencost"):
        if section in written and not getattr(stack.platform.features, section):
            yield Problem(
                path=f"platform.{section}",
                message=f"nobody reads it: feature {section} is off",
                fix=f"set platform.features.{section}: true, or remove platform.{section}",
            )


def _apps(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    """Settings of the systems that people use, and what each needs of the other lists."""
    features = stack.platform.features
    written = mapping(raw.get("platform"))
    on: dict[str, tuple[bool, str]] = {
        "experience": (stack.platform.profile == "full", "platform.profile: full"),
        "key_portal": (features.key_portal, "platform.features.key_portal: true"),
        "coding_assistant": (
            features.coding_assistant,
            "platform.features.coding_assistant: true",
        ),
        "n8n": (features.n8n, "platform.features.n8n: true"),
        "mcp_gateway": (features.mcp_gateway, "platform.features.mcp_gateway: true"),
    }
    for section, (is_read, switch) in on.items():
        if section in written and not is_read:
            yield Problem(
                path=f"platform.{section}",
                message="nobody reads it: what it is for is off",
                fix=f"set {switch}, or remove platform.{section}",
            )
    yield from _members(stack)
    if features.coding_assistant and stack.platform.profile == "full":
        yield from _coding_assistant(stack)
    servers = stack.platform.mcp_gateway.servers
    yield from _duplicates("platform.mcp_gateway.servers", (server.name for server in servers))
    for index, server in enumerate(servers):
        if server.name == OWN_MCP_SERVER:
            yield Problem(
                path=f"platform.mcp_gateway.servers[{index}].name",
                message="is the name of the platform's own tools",
                value=shown(server.name),
                fix="take another name",
            )


def _members(stack: Stack) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for index, tenant in enumerate(stack.tenants):
        for position, member in enumerate(tenant.members):
            first = seen.setdefault(member, tenant.name)
            if first != tenant.name or member in tenant.members[:position]:
                yield Problem(
                    path=f"tenants[{index}].members[{position}]",
                    message=f"is in tenant {first} already, and every key has one budget",
                    value=shown(member),
                    fix="remove it from one of them",
                )
    if stack.platform.features.key_portal and not seen:
        yield Problem(
            path="platform.features.key_portal",
            message="nobody could make a key: no tenant has members",
            value="true",
            fix="add `members: [ann@example.com]` to a tenant, or switch key_portal off",
        )


def _coding_assistant(stack: Stack) -> Iterator[Problem]:
    config = stack.platform.coding_assistant
    vectors = [model.name for model in stack.models if model.engine == "text_embeddings_inference"]
    words = [
        name
        for model in stack.models
        if model.engine != "text_embeddings_inference"
        for name in model.served_names
    ]
    if not words:
        yield Problem(
            path="platform.features.coding_assistant",
            message="has no model to ask: all of the list make vectors",
            value="true",
            fix="add a chat model to the list, or switch coding_assistant off",
        )
    if not vectors:
        yield Problem(
            path="platform.features.coding_assistant",
            message="needs an embedding model of the list: else Tabby downloads one, and looks for "
            "a GPU to run it",
            value="true",
            fix="add a model with engine text_embeddings_inference, or switch coding_assistant off",
        )
    elif len(vectors) > 1 and config.embedding_model is None:
        yield Problem(
            path="platform.coding_assistant.embedding_model",
            message="must say which embedding model, as there is more than one",
            allowed=", ".join(vectors),
            fix=f"add `embedding_model: {vectors[0]}`",
        )
    for key, able in (
        ("chat_model", words),
        ("completion_model", words),
        ("embedding_model", vectors),
    ):
        name = getattr(config, key)
        if name is not None and name not in able:
            yield Problem(
                path=f"platform.coding_assistant.{key}",
                message="no model of this stack that can do this is called so",
                value=shown(name),
                allowed=", ".join(sorted(able)) or "none: the stack has no such model",
                fix="name a model of the `models` list, or add it there",
            )


def _caches(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    features = stack.platform.features
    engines = {model.name: model.engine for model in stack.models}
    for index, model in enumerate(stack.models):
        if model.cache is None:
            continue
        if not features.caching:
            yield Problem(
                path=f"models[{index}].cache",
                message="nothing keeps the answers: feature caching is off",
                fix="set platform.features.caching: true, or remove cache",
            )
        if model.engine == "text_embeddings_inference":
            yield Problem(
                path=f"models[{index}].cache",
                message="keeps answers of chat models, and this one makes vectors",
                fix="remove cache",
            )
        semantic = model.cache.semantic
        if semantic is None:
            continue
        path = f"models[{index}].cache.semantic"
        if not features.semantic_caching:
            yield Problem(
                path=path,
                message="nothing compares questions: feature semantic_caching is off",
                fix="set platform.features.semantic_caching: true, or remove semantic",
            )
        able = [name for name, engine in engines.items() if engine == "text_embeddings_inference"]
        if semantic.embedding_model not in able:
            yield Problem(
                path=f"{path}.embedding_model",
                message="no model of this stack that makes vectors is called so: the questions of "
                "tenants stay in the cluster",
                value=shown(semantic.embedding_model),
                allowed=", ".join(sorted(able)) or "none: the stack has no such model",
                fix="name a model with engine text_embeddings_inference, or add one",
            )


def _weights(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    minor = int(K3S.split(".")[1])
    if not isinstance(stack, HetznerStack) or minor >= IMAGE_VOLUMES_MINOR:
        return
    for index, model in enumerate(stack.models):
        # KServe runs the image beside the engine, and mounts nothing.
        if isinstance(model.source, ImageSource) and model.engine not in {"kserve", "llm_d"}:
            yield Problem(
                path=f"models[{index}].source.image",
                message=f"k3s {K3S} does not mount images: Kubernetes does from 1."
                f"{IMAGE_VOLUMES_MINOR} on",
                value=shown(model.source.image),
                fix="take the weights from the hub: hugging_face and revision",
            )


_KEDA_LAST: Final = "where models scale already, `pulumi up` that before it is switched off"
"""KEDA has to be there to let go of its ScaledObjects: without it they are never gone."""


def _scaling(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if stack.platform.features.autoscaling:
        return
    for index, model in enumerate(stack.models):
        if replica_range(model, stack.platform.tier).scales:
            yield Problem(
                path=f"models[{index}].replicas.max",
                message="nothing scales it: platform.features.autoscaling is off",
                value=str(model.replicas.max),
                fix=f"switch autoscaling on, or set max equal to min; {_KEDA_LAST}",
            )
        if model.scaling.to_zero is not None:
            yield Problem(
                path=f"models[{index}].scaling.to_zero",
                message="nothing would wake it: platform.features.autoscaling is off",
                fix=f"switch autoscaling on, or remove to_zero; {_KEDA_LAST}",
            )


def _vllm_only(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    for index, model in enumerate(stack.models):
        if model.engine == "vllm":
            continue
        wanted = {
            "lora_adapters": bool(model.lora_adapters),
            "speculation": model.speculation is not None,
            "extra_args": bool(model.extra_args) and model.engine not in {"kserve", "llm_d"},
            "canary": model.canary is not None,
            "scaling.to_zero": model.scaling.to_zero is not None,
            "gpu.nodes": model.gpu.nodes > 1,
        }
        for key in (key for key, is_set in wanted.items() if is_set):
            yield Problem(
                path=f"models[{index}].{key}",
                message=f"engine {model.engine} does not have it",
                allowed="with engine vllm",
                fix=f"remove {key}, or set engine: vllm",
            )


_ENGINE_FEATURES: Final[dict[str, Feature]] = {"kserve": "kserve", "llm_d": "llm_d"}
"""Engines that a feature brings."""

_NOT_OF_ENGINE: Final[dict[str, frozenset[str]]] = {
    "text_embeddings_inference": frozenset(
        {
            "architecture",
            "gpu",
            "gpu_memory_utilization",
            "quantization",
            "dtype",
            "tool_call_parser",
            "prefix_caching",
            "kv_cache_dtype",
            "max_num_seqs",
            "objectives",
            "priority",
        }
    ),
    "simulator": frozenset(
        {
            "architecture",
            "gpu",
            "gpu_memory_utilization",
            "quantization",
            "dtype",
            "tool_call_parser",
            "prefix_caching",
            "kv_cache_dtype",
            "max_num_seqs",
            "resources",
        }
    ),
}
"""Fields that would say nothing to an engine on CPUs."""


def _engines(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    for index, model in enumerate(stack.models):
        path = f"models[{index}]"
        feature = _ENGINE_FEATURES.get(model.engine)
        if feature is not None and not getattr(stack.platform.features, feature):
            yield Problem(
                path=f"{path}.engine",
                message=f"nothing runs it: feature {feature} is off",
                value=model.engine,
                fix=f"set platform.features.{feature}: true, or engine: vllm",
            )
        for field in sorted(_NOT_OF_ENGINE.get(model.engine, frozenset()) & model.model_fields_set):
            yield Problem(
                path=f"{path}.{field}",
                message=f"says nothing to engine {model.engine}, which runs on CPUs",
                fix=f"remove {field}",
            )
        if model.engine != "llm_d" and "prefill_replicas" in model.model_fields_set:
            yield Problem(
                path=f"{path}.prefill_replicas",
                message=f"engine {model.engine} reads prompts where it answers",
                allowed="with engine llm_d",
                fix="remove prefill_replicas",
            )
        if (
            model.engine in {"llm_d", "simulator"}
            and replica_range(model, stack.platform.tier).scales
        ):
            yield Problem(
                path=f"{path}.replicas.max",
                message=f"engine {model.engine} does not scale",
                value=str(model.replicas.max),
                fix="set max equal to min",
            )
        yield from _embedding(path, model)


def _embedding(path: str, model: Model) -> Iterator[Problem]:
    price = f"{path}.price.output_usd_per_million_tokens"
    has_price = (
        model.price is not None and "output_usd_per_million_tokens" in model.price.model_fields_set
    )
    if model.engine != "text_embeddings_inference":
        if model.price is not None and not has_price:
            yield Problem(
                path=price,
                message="required and missing: what a model writes would cost nothing, and no "
                "budget would bind",
                fix="add the price of a million tokens, for example 1.5",
            )
        return
    if has_price:
        yield Problem(
            path=price,
            message="an embedding model writes nothing",
            fix="remove output_usd_per_million_tokens",
        )
    if isinstance(model.source, ImageSource):
        yield Problem(
            path=f"{path}.source.image",
            message="engine text_embeddings_inference takes its weights from the hub",
            value=shown(model.source.image),
            fix="give hugging_face and revision",
        )


def _several_nodes(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    for index, model in enumerate(stack.models):
        if model.gpu.nodes == 1:
            continue
        path = f"models[{index}].gpu.nodes"
        if not stack.platform.features.multi_node:
            yield Problem(
                path=path,
                message="needs feature multi_node: its operator starts the nodes together",
                value=str(model.gpu.nodes),
                fix="set platform.features.multi_node: true, or nodes: 1",
            )
        if model.speculation is not None:
            yield Problem(
                path=f"models[{index}].speculation",
                message="a model that spans nodes has none: its nodes are a pipeline, through "
                "which vLLM hands on one token at a time",
                fix="remove speculation, or set nodes: 1",
            )
        if model.canary is not None:
            yield Problem(
                path=f"models[{index}].canary",
                message="a model that spans nodes has no canary",
                fix="remove canary, or try the change as a model of its own",
            )


def _canaries(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    for index, model in enumerate(stack.models):
        if model.canary is None:
            continue
        path = f"models[{index}].canary"
        if model.canary.engine_image is None and model.canary.source == model.source:
            yield Problem(
                path=f"{path}.source",
                message="are the model's own weights: a canary that differs in nothing proves "
                "nothing",
                fix="name other weights, or set engine_image",
            )
        if not profile_includes(stack.platform.profile, "llm-gateway"):
            yield Problem(
                path=path,
                message="requests are shared out by the inference gateway",
                fix="set platform.profile: llm-gateway, or remove canary",
            )
        if model.scaling.to_zero is not None:
            yield Problem(
                path=path,
                message="takes its share of requests also while the model sleeps",
                fix="remove canary, or scaling.to_zero while it is on trial",
            )


def _sleep(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    models = {model.name: model for model in stack.models}
    for index, model in enumerate(stack.models):
        to_zero = model.scaling.to_zero
        if to_zero is None:
            continue
        path = f"models[{index}].scaling.to_zero"
        if not profile_includes(stack.platform.profile, "llm-gateway"):
            yield Problem(
                path=path,
                message="a model is woken by what its callers ask of the inference gateway",
                fix="set platform.profile: llm-gateway, or remove to_zero",
            )
        name = to_zero.fallback_model
        if name is None:
            continue
        other = models.get(name)
        able = sorted(
            one.name
            for one in stack.models
            if one.scaling.to_zero is None and one.engine != "text_embeddings_inference"
        )
        if other is None or name not in able:
            yield Problem(
                path=f"{path}.fallback_model",
                message="is no model of this stack that answers chats and never sleeps",
                value=shown(name),
                allowed=", ".join(able) or "none",
                fix="name one of them, or set when_asleep: hold",
            )
        for position, tenant in enumerate(stack.tenants):
            # Adapters sleep with their model, and the same one answers for them.
            asleep = next((one for one in model.served_names if one in tenant.models), None)
            if asleep is not None and name not in tenant.models:
                yield Problem(
                    path=f"tenants[{position}].models",
                    message=f"may call {asleep}, and {name}, which answers while that sleeps, not",
                    value=shown(tenant.name),
                    fix=f"add {name}, or choose another fallback_model",
                )


def _identities(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if not isinstance(stack, ExistingStack) or stack.existing.contract is None:
        return
    for name, identity in stack.existing.contract.workload_identities.items():
        namespace = IDENTITY_NAMESPACES.get(name)
        if namespace is None:
            yield Problem(
                path=f"existing.contract.workload_identities.{name}",
                message="is the identity of no system of the platform",
                value=shown(name),
                allowed=", ".join(sorted(IDENTITY_NAMESPACES)),
                fix="correct the name, or remove it",
            )
        elif identity.namespace != namespace:
            yield Problem(
                path=f"existing.contract.workload_identities.{name}.namespace",
                message="the system that has this identity runs in another namespace, and the "
                "cloud would trust a service account that does not exist",
                value=shown(identity.namespace),
                allowed=namespace,
                fix=f"set namespace: {namespace}, and let the cloud trust the account there",
            )


def _existing(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if not isinstance(stack, ExistingStack):
        return
    facts = stack.existing.contract
    if facts is None:
        if stack.platform.dns.provider != "none":
            yield Problem(
                path="platform.dns",
                message="comes with the contract of the other stack",
                value=stack.platform.dns.provider,
                fix="set it in the stack that existing.contract_from names, and remove it here",
            )
        if stack.secrets.store is not None:
            yield Problem(
                path="secrets.store",
                message="comes with the contract of the other stack",
                value=stack.secrets.store,
                fix="remove it here",
            )
        return
    gpu = facts.gpu
    if facts.cloud == "gcp" and gpu.managed_by == "gpu-operator":
        yield Problem(
            path="existing.contract.gpu.managed_by",
            message="the GPU Operator cannot register its runtime in GKE's containerd, and its "
            "DCGM exporter collides with GKE's own",
            value="gpu-operator",
            allowed="gke, none",
            fix="set managed_by: gke",
        )
    if facts.cloud != "gcp" and gpu.managed_by == "gke":
        yield Problem(
            path="existing.contract.gpu.managed_by",
            message=f"GKE's managed GPU stack does not exist on cloud {facts.cloud}",
            value="gke",
            allowed="gpu-operator, none",
            fix="set managed_by: gpu-operator",
        )
    if gpu.managed_by == "none" and gpu.max_gpus > 0:
        yield Problem(
            path="existing.contract.gpu.managed_by",
            message=f"promises {gpu.max_gpus} GPUs that nobody makes schedulable",
            value="none",
            allowed="gke, gpu-operator",
            fix="say who runs driver and device plugin, or set max_gpus: 0",
        )
    if gpu.max_gpus_per_node > gpu.max_gpus:
        yield Problem(
            path="existing.contract.gpu.max_gpus_per_node",
            message=f"one node cannot hold more than all {gpu.max_gpus} GPUs",
            value=str(gpu.max_gpus_per_node),
            fix="correct max_gpus or max_gpus_per_node",
        )


def _tier(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if stack.platform.tier != "prod":
        return
    if isinstance(stack, GkeStack) and stack.gke.zone is not None:
        yield Problem(
            path="gke.zone",
            message="tier prod needs a control plane that outlives one zone",
            value=stack.gke.zone,
            fix="remove zone for a regional control plane, or lower platform.tier",
        )
    if isinstance(stack, HetznerStack) and stack.hetzner.control_plane.count == 1:
        yield Problem(
            path="hetzner.control_plane.count",
            message="tier prod needs a control plane that outlives one server",
            value="1",
            allowed="3, 5",
            fix="set count: 3, or lower platform.tier",
        )


_STACK_RULES: Final[tuple[Rule, ...]] = (
    _platform_off,
    _profile,
    _features,
    _edge,
    _dns,
    _gke_dns_zone,
    _gke_edge_address,
    _gke_unread,
    _edge_and_identity,
    _secrets,
    _federation,
    _names,
    _tenant_models,
    _external_models,
    _guardrails,
    _unread,
    _apps,
    _caches,
    _weights,
    _scaling,
    _vllm_only,
    _engines,
    capacity_rules.given_shapes,
    capacity_rules.prices_without_a_plan,
    _several_nodes,
    _canaries,
    _sleep,
    _existing,
    _identities,
    _tier,
)


def _backups(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    if (
        stack.platform.enabled
        and stack.platform.tier == "prod"
        and profile_includes(stack.platform.profile, "llm-gateway")
        and contract.snapshot_class is None
        and contract.backups is None
    ):
        yield Problem(
            path="platform.tier",
            message="tier prod backs the database up to a bucket or by volume snapshots, and the "
            "substrate has neither a bucket nor a VolumeSnapshotClass",
            value="prod",
            allowed="cost, dev, or prod with a bucket or such a class",
            fix="set existing.contract.backups, or snapshot_class to a class of the cluster, or "
            "lower the tier"
            if isinstance(stack, ExistingStack)
            else "name a bucket in hetzner.object_storage, or lower the tier: volumes of Hetzner "
            "Cloud have no snapshots",
        )
    if contract.backups is None and stack.platform.database != DatabaseConfig():
        yield Problem(
            path="platform.database",
            message="nobody reads it: the substrate has no bucket for backups",
            fix="remove gke.backups.enabled: false, or remove platform.database"
            if isinstance(stack, GkeStack)
            else "name a bucket in existing.contract.backups, or remove platform.database"
            if isinstance(stack, ExistingStack)
            else "name a bucket in hetzner.object_storage, or remove platform.database",
        )
    identity = contract.workload_identities.get(DATABASE_IDENTITY)
    by_identity = contract.backups is not None and contract.backups.kind == "google-cloud-storage"
    if by_identity and (identity is None or identity.service_account != DATABASE_ACCOUNT):
        yield Problem(
            path=f"existing.contract.workload_identities.{DATABASE_IDENTITY}",
            message="does not name the service account of the database, and nobody else may write "
            "to the bucket of backups",
            value=None if identity is None else shown(identity.service_account),
            allowed=DATABASE_ACCOUNT,
            fix=f"let the cloud trust service account {DATABASE_ACCOUNT} of namespace "
            f"{namespaces.LITELLM}, and name it here; or remove existing.contract.backups",
        )


def _contract_has_names(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    """What `_features` asks of a stack itself, where another stack says it."""
    if not (stack.platform.enabled and _takes_contract(stack)):
        return
    for feature, need in NEEDS.items():
        if not getattr(stack.platform.features, feature):
            continue
        missing = {
            "platform.domain": need.domain and contract.domain is None,
            "platform.dns": need.dns_provider and contract.dns.provider == "none",
        }
        for key in (key for key, is_missing in missing.items() if is_missing):
            yield Problem(
                path=f"platform.features.{feature}",
                message=f"needs {key} in the stack whose contract this one takes: {need.reason}",
                value="true",
                fix=f"set {key} there and bring it up again, or switch {feature} off",
            )


def _same_domain(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    if stack.platform.domain not in (None, contract.domain):
        yield Problem(
            path="platform.domain",
            message=f"is not the domain of the substrate's contract ({contract.domain})",
            value=shown(stack.platform.domain),
            fix="remove it here: the domain comes with the contract",
        )


def _registry_mirrors(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    platform = stack.platform
    if platform.enabled and contract.registry_mirrors and not platform.features.security:
        source = (
            "gke.registry.pull_through"
            if isinstance(stack, GkeStack)
            else "registry_mirrors from the substrate's contract"
        )
        yield Problem(
            path="platform.features.security",
            message="is off, and it rewrites the names of images at admission: no pod would pull "
            "from the substrate's registry mirrors",
            value="false",
            fix=f"set platform.features.security: true, or remove {source}",
        )


def _gke_secrets(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    if not isinstance(stack, GkeStack):
        return
    for key in ("secret_locations", "supplied_secrets"):
        if getattr(stack.gke, key) and contract.secret_store.kind != "google-secret-manager":
            yield Problem(
                path=f"gke.{key}",
                message="is about secrets of Secret Manager, and this stack has none there",
                fix=f"remove {key}, or set secrets.store: google-secret-manager",
            )


_CONTRACT_RULES: Final[tuple[Callable[[Stack, SubstrateContract], Iterator[Problem]], ...]] = (
    gpu_rules.gpu_fit,
    gpu_rules.gpu_sum,
    gpu_rules.compute_class,
    capacity_rules.memory_fit,
    capacity_rules.host_fit,
    capacity_rules.prices_of_plans,
    _backups,
    _contract_has_names,
    _same_domain,
    _registry_mirrors,
    _gke_secrets,
)
