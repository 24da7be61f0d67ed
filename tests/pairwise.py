"""Stacks that together hold every two choices that can be made together.

A choice is a kind of substrate, a profile, a tier, a DNS provider, or a feature on or off. Each row
is a stack file that the config accepts, so what is tested on these is what users can have.
"""

import itertools
from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import Any, Final, get_args

from components.contract import SubstrateContract
from components.platform.catalogue import PlatformInputs
from components.platform.config import PROFILES, Feature, Profile, profile_includes
from stacks.config import Stack, parse_stack
from stacks.config.rules import NEEDS
from stacks.contracts import known_contract
from stacks.platform import platform_inputs
from tests.samples import GKE_STACK, HETZNER_STACK, MODEL, TENANT

REVISION: Final = "0" * 40
FEATURES: Final[tuple[Feature, ...]] = get_args(Feature)

Choices = Mapping[str, Any]
"""Value by parameter: kind, profile, tier, dns_provider, and each feature."""

PARAMETERS: Final[Mapping[str, Sequence[Any]]] = {
    "kind": ("gke", "hetzner"),
    "profile": PROFILES,
    "tier": ("cost", "prod"),
    "dns_provider": ("none", "cloudflare", "google"),
    **dict.fromkeys(FEATURES, (True, False)),
}

GKE_ONLY: Final = frozenset({"compute_class"})
"""Features that a Hetzner stack is refused."""

DNS: Final[Mapping[str, Mapping[str, str]]] = {
    "none": {"provider": "none"},
    "cloudflare": {
        "provider": "cloudflare",
        "zone": "example.com",
        "token_secret": "cloudflare-api-token",
    },
    "google": {"provider": "google", "zone": "example-com"},
}


def choosable(choices: Choices) -> bool:
    """Return whether these choices, of all or of some parameters, can be made together."""
    on: list[Feature] = [name for name in FEATURES if choices.get(name) is True]
    return (
        all(_needs_are_met(feature, choices) for feature in on)
        and _edge_has_hosts(choices)
        and _substrate_can(choices)
    )


def _needs_are_met(feature: Feature, choices: Choices) -> bool:
    need = NEEDS.get(feature)
    if need is None:
        return True
    return not (
        any(choices.get(other) is False for other in need.features)
        or not profile_includes(choices.get("profile", "full"), need.profile)
        or (need.dns_provider and choices.get("dns_provider") == "none")
    )


def _edge_has_hosts(choices: Choices) -> bool:
    """Return whether a public edge has something behind it: an API, or what asks for a session."""
    return (
        not choices.get("public_edge")
        or choices.get("identity") is not False
        or profile_includes(choices.get("profile", "full"), "llm-gateway")
    )


def _substrate_can(choices: Choices) -> bool:
    if choices.get("kind") != "hetzner":
        return True
    # It has no identity that Cloud DNS would trust.
    return not (
        choices.get("dns_provider") == "google" or any(choices.get(feature) for feature in GKE_ONLY)
    )


def closed(choices: Choices) -> dict[str, Any] | None:
    """Return all choices that follow from some, the rest as little as can be; None if none can."""
    full: dict[str, Any] = {"kind": "gke", "tier": "cost", **choices}
    pending: list[Feature] = [name for name in FEATURES if full.get(name) is True]
    least: list[Profile] = ["platform"]
    while pending:
        need = NEEDS.get(pending.pop())
        if need is None:
            continue
        least.append(need.profile)
        if need.dns_provider:
            full.setdefault("dns_provider", "cloudflare")
        for other in need.features:
            if other not in full:
                full[other] = True
                pending.append(other)
    if full.get("public_edge") and not full.get("identity"):
        if profile_includes(full.get("profile", "full"), "llm-gateway"):
            least.append("llm-gateway")
        else:
            full.setdefault("identity", True)
    full.setdefault("profile", max(least, key=PROFILES.index))
    full.setdefault("dns_provider", "none")
    for name in FEATURES:
        full.setdefault(name, False)
    return full if choosable(full) else None


@cache
def rows() -> tuple[dict[str, Any], ...]:
    """Return choices that cover every pair that can be chosen together.

    Greedy: a row starts from the first pair that no row has, and takes in all that still fit.
    """
    missing = [pair for pair in pairs() if closed(dict(pair)) is not None]
    found: list[dict[str, Any]] = []
    while missing:
        chosen: dict[str, Any] = {}
        for pair in missing:
            if all(chosen.get(name, value) == value for name, value in pair):
                wider = {**chosen, **dict(pair)}
                if closed(wider) is not None:
                    chosen = wider
        row = closed(chosen)
        assert row is not None
        found.append(row)
        missing = [pair for pair in missing if not covers(row, pair)]
    return tuple(found)


Pair = tuple[tuple[str, Any], tuple[str, Any]]


def pairs() -> list[Pair]:
    """Return every two choices of two parameters, whether they can be made together or not."""
    return [
        ((one, left), (other, right))
        for one, other in itertools.combinations(PARAMETERS, 2)
        for left in PARAMETERS[one]
        for right in PARAMETERS[other]
    ]


def covers(row: Choices, pair: Pair) -> bool:
    """Return whether a row makes both choices of a pair."""
    return all(row[name] == value for name, value in pair)


def document(choices: Choices) -> dict[str, Any]:
    """Return the stack object that makes these choices, with what its features need beside them."""
    base = GKE_STACK if choices["kind"] == "gke" else HETZNER_STACK
    profile: Profile = choices["profile"]
    on: set[Feature] = {name for name in FEATURES if choices[name]}
    prod = choices["tier"] == "prod"
    platform: dict[str, Any] = {
        **base["platform"],
        "profile": profile,
        "tier": choices["tier"],
        "features": {name: choices[name] for name in FEATURES},
        "dns": dict(DNS[choices["dns_provider"]]),
    }
    if choices["dns_provider"] != "none" or any(NEEDS[name].domain for name in on if name in NEEDS):
        platform["domain"] = "llm.example.com"
    made = {**base, "platform": platform}
    if choices["kind"] == "gke":
        made["gke"] = _gke(base["gke"], prod=prod)
        if prod and "security" in on:
            made["gke"]["registry"] = {"pull_through": True}
    else:
        made["hetzner"] = _hetzner(base["hetzner"], prod=prod)
    serves = profile_includes(profile, "serving")
    gateway = profile_includes(profile, "llm-gateway")
    made["models"] = _models(on, gateway=gateway) if serves else []
    members = {"members": ["ann@example.com"]} if "key_portal" in on else {}
    made["tenants"] = [{**TENANT, **members}, {**TENANT, "name": "team-b"}] if gateway else []
    if "mcp_gateway" in on:
        platform["mcp_gateway"] = {
            "servers": [
                {"name": "docs", "host": "mcp.example.org", "token_secret": "docs-mcp-token"}
            ]
        }
    if "n8n" in on:
        platform["n8n"] = {"internet": prod, "webhooks": prod}
    return made


def stack(choices: Choices) -> Stack:
    """Return the checked stack of these choices.

    Raises:
        ConfigError: the config refuses them, so they should not have been called choosable.
    """
    return parse_stack(document(choices), name_of(choices))


def name_of(choices: Choices) -> str:
    """Return what a test calls these choices."""
    features = ",".join(name for name in FEATURES if choices[name])
    return "-".join(
        [choices["kind"], choices["profile"], choices["tier"], choices["dns_provider"], features]
    )


def inputs(choices: Choices) -> PlatformInputs:
    """Return what the builders get for these choices."""
    checked = stack(choices)
    contract = known_contract(checked)
    assert isinstance(contract, SubstrateContract)
    return platform_inputs(checked, contract, REVISION)


def singles() -> dict[str, dict[str, Any]]:
    """Return each feature alone on the least that it needs, and each profile bare, by name."""
    found: dict[str, dict[str, Any]] = {}
    for kind in ("gke", "hetzner"):
        for profile in PROFILES:
            bare = closed({"kind": kind, "profile": profile, **dict.fromkeys(FEATURES, False)})
            assert bare is not None
            found[f"{kind}-{profile}-bare"] = bare
        for feature in FEATURES:
            alone = closed({"kind": kind, feature: True})
            if alone is not None:
                found[f"{kind}-{feature}"] = alone
    return found


def stacks() -> dict[str, PlatformInputs]:
    """Return all stacks that tests of the whole platform look at, by name."""
    chosen = dict(singles())
    for number, row in enumerate(rows()):
        chosen[f"pairs-{number}-{row['kind']}-{row['profile']}-{row['tier']}"] = row
    return {name: inputs(row) for name, row in chosen.items()}


def _gke(base: Mapping[str, Any], *, prod: bool) -> dict[str, Any]:
    pools = [
        {"name": "l4", "accelerator": "nvidia-l4", "accelerators_per_node": 1, "max_nodes": 16}
    ]
    if not prod:
        return {**base, "gpu_pools": pools}
    regional = {key: value for key, value in base.items() if key != "zone"}
    zones = ["us-central1-a", "us-central1-b", "us-central1-c"]
    placed = [{**pool, "zones": zones} for pool in pools]
    return {**regional, "gpu_pools": placed, "deletion_protection": True}


def _hetzner(base: Mapping[str, Any], *, prod: bool) -> dict[str, Any]:
    server = {"model": "other", "product": "NVIDIA-L40S", "gpus": 2, "join": "script"}
    servers = [
        {**server, "name": f"l40s-{index}", "private_address": f"10.0.128.{index + 2}"}
        for index in range(8)
    ]
    made = {**base, "gpu_servers": servers}
    if prod:
        made |= {
            "deletion_protection": True,
            "control_plane": {"count": 3, "server_type": "cpx32"},
            "object_storage": {
                "endpoint": "nbg1.your-objectstorage.com",
                "region": "nbg1",
                "bucket": "acme-llmp-backups",
            },
        }
    return made


def _models(on: Container[str], *, gateway: bool) -> list[dict[str, Any]]:  # noqa: C901 - flat
    """Return a model for each thing that a feature makes possible."""
    commit = MODEL["source"]["revision"]
    main: dict[str, Any] = {**MODEL, "autostart": True}
    found = [main, {**MODEL, "name": "trial", "engine": "simulator"}]
    if "autoscaling" in on:
        main["replicas"] = {"min": 1, "max": 3}
    if gateway:
        main["canary"] = {
            "weight": 10,
            "source": {"hugging_face": "your-org/tuned", "revision": commit},
        }
        main["lora_adapters"] = [
            {"name": "tuned", "hugging_face": "your-org/adapter", "revision": commit}
        ]
        if "autoscaling" in on:
            found += [
                {**MODEL, "name": f"sleeps-{what}", "scaling": {"to_zero": {"when_asleep": what}}}
                for what in ("hold", "unavailable")
            ]
            to_zero = {"when_asleep": "fallback", "fallback_model": MODEL["name"]}
            found.append({**MODEL, "name": "sleeps-else", "scaling": {"to_zero": to_zero}})
    if "kserve" in on:
        found.append({**MODEL, "name": "by-kserve", "engine": "kserve"})
    if "llm_d" in on:
        found.append({**MODEL, "name": "by-llm-d", "engine": "llm_d"})
    if "multi_node" in on:
        found.append({**MODEL, "name": "wide", "gpu": {"count": 1, "nodes": 2}})
    if "egress" in on:
        found.append(
            {
                "name": "claude",
                "source": {
                    "provider": "anthropic",
                    "model": "claude-haiku-4-5",
                    "api_key_secret": "anthropic-api-key",
                },
                "max_model_len": 200_000,
                "price": MODEL["price"],
            }
        )
    if "caching" in on:
        main["cache"] = {"ttl_seconds": 600}
    if "semantic_caching" in on:
        main["cache"] = {"semantic": {"embedding_model": "embeddings"}}
    if "semantic_caching" in on or "coding_assistant" in on:
        found.append(
            {
                "name": "embeddings",
                "engine": "text_embeddings_inference",
                "source": {"hugging_face": "BAAI/bge-base-en-v1.5", "revision": commit},
                "max_model_len": 512,
                "price": {"input_usd_per_million_tokens": 0.1},
            }
        )
    return found
