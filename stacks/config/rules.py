"""Rules between sections of a stack file: what one part needs of another.

Each rule is a function from the stack to problems. What a feature needs is the table `NEEDS`.
Everything that other platforms only warn about is an error here, with the line to write.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from components.contract import SubstrateContract
from components.platform.apps import namespaces
from components.platform.config import Feature, Features, ImageSource, Profile, profile_includes
from components.versions import K3S
from stacks.config.gke import GkeConfig
from stacks.config.hetzner import HetznerConfig
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
    "benchmark": Need(profile="serving", reason="it loads models"),
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
    """Return the problems between the platform's sections and what the substrate promises."""
    return [problem for rule in _CONTRACT_RULES for problem in rule(stack, contract)]


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


def _features(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
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
        if need.domain and platform.domain is None:
            yield Problem(
                path=path,
                message=f"needs a domain: {need.reason}",
                value="true",
                fix="set platform.domain, for example llm.example.com",
            )
        if need.dns_provider and platform.dns.provider == "none":
            yield Problem(
                path=path,
                message=f"needs DNS credentials: {need.reason}",
                value="true",
                allowed="platform.dns.provider: google or cloudflare",
                fix="set platform.dns with its provider and zone",
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


def _secrets(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    on_google = isinstance(stack, GkeStack) or (
        isinstance(stack, ExistingStack)
        and (stack.existing.contract is None or stack.existing.contract.cloud == "gcp")
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
    if stack.platform.features.egress and stack.secrets.anthropic_api_key is None:
        yield Problem(
            path="secrets.anthropic_api_key",
            message="feature egress calls the provider with a key, by its id in the secret store",
            fix="add `anthropic_api_key: anthropic-api-key` and put the key in the store",
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
    yield from _duplicates("tenants", (tenant.name for tenant in stack.tenants))
    for index, tenant in enumerate(stack.tenants):
        if tenant.name in namespaces.RESERVED:
            yield Problem(
                path=f"tenants[{index}].name",
                message="is a namespace of the platform or of the cluster, and a tenant gets one "
                "of its own name",
                value=shown(tenant.name),
                fix=f"take another name, for example team-{tenant.name}",
            )


def _tenant_models(stack: Stack, raw: dict[str, Any]) -> Iterator[Problem]:
    raw_models = raw.get("models")
    known = {model.name for model in stack.models}
    # A model whose own section is wrong still counts: its problem is reported once, there.
    for one in cast("list[object]", raw_models) if isinstance(raw_models, list) else []:
        known |= {str(name) for key, name in mapping(one).items() if key == "name"}
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


def _weights(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    minor = int(K3S.split(".")[1])
    if not isinstance(stack, HetznerStack) or minor >= IMAGE_VOLUMES_MINOR:
        return
    for index, model in enumerate(stack.models):
        if isinstance(model.source, ImageSource):
            yield Problem(
                path=f"models[{index}].source.image",
                message=f"k3s {K3S} does not mount images: Kubernetes does from 1."
                f"{IMAGE_VOLUMES_MINOR} on",
                value=shown(model.source.image),
                fix="take the weights from the hub: hugging_face and revision",
            )


def _scaling(stack: Stack, _raw: dict[str, Any]) -> Iterator[Problem]:
    if stack.platform.features.autoscaling:
        return
    for index, model in enumerate(stack.models):
        if model.replicas.max > model.replicas.min:
            yield Problem(
                path=f"models[{index}].replicas.max",
                message="nothing scales it: platform.features.autoscaling is off",
                value=str(model.replicas.max),
                fix="switch autoscaling on, or set max equal to min",
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
    substrate: GkeConfig | HetznerConfig | None = None
    if isinstance(stack, GkeStack):
        substrate = stack.gke
    elif isinstance(stack, HetznerStack):
        substrate = stack.hetzner
    if substrate is not None and not substrate.deletion_protection:
        yield Problem(
            path=f"{stack.kind}.deletion_protection",
            message="tier prod must not be deletable by one wrong command",
            value="false",
            fix="set deletion_protection: true; a teardown first sets it to false again",
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
    _dns,
    _secrets,
    _names,
    _tenant_models,
    _weights,
    _scaling,
    _existing,
    _tier,
)


def _gpu_fit(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    gpu = contract.gpu
    for index, model in enumerate(stack.models):
        path = f"models[{index}].gpu"
        if gpu.max_gpus == 0:
            yield Problem(
                path=path,
                message="the substrate has no GPU for it",
                value=shown(model.name),
                fix="add a GPU pool to the substrate, or remove the model",
            )
            continue
        if model.gpu.product is not None and model.gpu.product not in gpu.products:
            yield Problem(
                path=f"{path}.product",
                message="no GPU pool has this product",
                value=shown(model.gpu.product),
                allowed=", ".join(gpu.products) or "none",
                fix="name a product of the pools, or leave it out to take any",
            )
        if model.gpu.count > gpu.max_gpus_per_node:
            yield Problem(
                path=f"{path}.count",
                message="no node has so many GPUs, and one replica runs on one node",
                value=str(model.gpu.count),
                allowed=f"1 to {gpu.max_gpus_per_node}",
                fix="lower count, or add a pool with more GPUs on a node",
            )
        elif model.gpu.count * model.replicas.max > gpu.max_gpus:
            yield Problem(
                path=f"models[{index}].replicas.max",
                message=f"{model.replicas.max} replicas of {model.gpu.count} GPUs are more than "
                f"the {gpu.max_gpus} of all pools at their maximum",
                value=str(model.replicas.max),
                allowed=f"1 to {gpu.max_gpus // model.gpu.count}",
                fix="lower max, or raise the maximum of a GPU pool",
            )


def _gpu_sum(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    total = contract.gpu.max_gpus
    started = sum(model.gpu.count * model.replicas.min for model in stack.models if model.autostart)
    if started > total > 0:
        yield Problem(
            path="models",
            message=f"models with autostart want {started} GPUs at once, the pools have {total} "
            "at their maximum",
            fix="raise the maximum of a GPU pool, or set autostart: false on some models",
        )
    quota = sum(tenant.gpu_quota for tenant in stack.tenants)
    if quota > total:
        yield Problem(
            path="tenants",
            message=f"GPU quotas add up to {quota}, the pools have {total} at their maximum",
            fix="lower gpu_quota of some tenants, or raise the maximum of a GPU pool",
        )


def _backups(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    if (
        stack.platform.enabled
        and stack.platform.tier == "prod"
        and profile_includes(stack.platform.profile, "llm-gateway")
        and contract.snapshot_class is None
    ):
        yield Problem(
            path="platform.tier",
            message="tier prod backs the database up by volume snapshots, and the substrate has "
            "no VolumeSnapshotClass",
            value="prod",
            allowed="cost, dev",
            fix="set existing.contract.snapshot_class to a class of the cluster, or lower the tier"
            if isinstance(stack, ExistingStack)
            else "lower the tier: volumes of Hetzner Cloud have no snapshots",
        )


def _same_domain(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    if stack.platform.domain not in (None, contract.domain):
        yield Problem(
            path="platform.domain",
            message=f"is not the domain of the substrate's contract ({contract.domain})",
            value=shown(stack.platform.domain),
            fix="remove it here: the domain comes with the contract",
        )


_CONTRACT_RULES: Final[tuple[Callable[[Stack, SubstrateContract], Iterator[Problem]], ...]] = (
    _gpu_fit,
    _gpu_sum,
    _backups,
    _same_domain,
)
