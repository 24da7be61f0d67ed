"""Inputs of the builders that the tests of the catalogue share."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from components.contract import Dns, GpuProfile, SecretStore, SubstrateContract
from components.platform.apps import catalogue
from components.platform.catalogue import CatalogueEntry, Kustomization, PlatformInputs
from components.platform.config import (
    Budget,
    Features,
    GitOps,
    HuggingFaceSource,
    Model,
    PlatformConfig,
    Price,
    Profile,
    RateLimits,
    Replicas,
    Tenant,
    Tier,
)
from components.platform.network import Pods
from components.substrate.gpu_profile import operator_profile
from tests.samples import contract

REVISION = "0123456789abcdef0123456789abcdef01234567"

GKE = contract(domain=None, dns=Dns())

HETZNER = SubstrateContract(
    cloud="hetzner",
    region="nbg1",
    cluster_name="llmp",
    storage_class="hcloud-volumes",
    gpu=operator_profile(
        products=("NVIDIA-RTX-4000-SFF-Ada-Generation",), max_gpus=1, max_gpus_per_node=1
    ),
    secret_store=SecretStore(kind="kubernetes"),
)

BARE = SubstrateContract(
    cloud="other",
    region="somewhere",
    cluster_name="kind",
    gpu=GpuProfile(managed_by="none"),
    secret_store=SecretStore(kind="kubernetes"),
)


def model(name: str = "qwen-small", **changes: object) -> Model:
    values: dict[str, Any] = {
        "name": name,
        "source": HuggingFaceSource(hugging_face="Qwen/Qwen2.5-0.5B-Instruct", revision=REVISION),
        "max_model_len": 8192,
        "replicas": Replicas(min=1, max=2),
        "price": Price(input_usd_per_million_tokens=0.5, output_usd_per_million_tokens=1.5),
        **changes,
    }
    return Model(**values)


def gated() -> Model:
    """A model whose weights need a hub token."""
    return model(
        "gated",
        source=HuggingFaceSource(
            hugging_face="meta-llama/Llama-3.1-8B-Instruct",
            revision=REVISION,
            token_secret="hf-token",  # noqa: S106 - the id of a secret
        ),
    )


def tenant(name: str = "team-a", models: tuple[str, ...] = ("qwen-small",)) -> Tenant:
    return Tenant(
        name=name,
        models=models,
        budget=Budget(usd=20.0, period="7d"),
        rate_limits=RateLimits(requests_per_minute=30, tokens_per_minute=50_000),
        gpu_quota=1,
    )


def inputs(  # noqa: PLR0913 - each test changes the one that it is about
    *,
    profile: Profile = "llm-gateway",
    tier: Tier = "cost",
    features: Features | None = None,
    models: tuple[Model, ...] | None = None,
    tenants: tuple[Tenant, ...] | None = None,
    contract: SubstrateContract = GKE,
) -> PlatformInputs:
    return PlatformInputs(
        config=PlatformConfig(
            profile=profile,
            tier=tier,
            features=Features() if features is None else features,
            gitops=GitOps(repository="https://github.com/your-org/llmp.git"),
        ),
        models=(model(),) if models is None else models,
        tenants=(tenant(),) if tenants is None else tenants,
        contract=contract,
        revision=REVISION,
    )


def entries(of: PlatformInputs | None = None) -> dict[str, CatalogueEntry]:
    return {entry.name: entry for entry in catalogue(inputs() if of is None else of)}


def values(entry: CatalogueEntry) -> dict[str, Any]:
    assert not isinstance(entry.source, Kustomization)
    return dict(entry.source.values)


def callers(of: Mapping[str, CatalogueEntry], pods: Pods) -> set[str]:
    """Return the namespaces whose pods may connect to these pods."""
    return {
        one.client.namespace
        for entry in of.values()
        for one in entry.connections
        if one.server == pods and isinstance(one.client, Pods)
    }


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every leaf of JSON data with the keys that lead to it."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for inner in cast("list[object]", value):
            yield from leaves(inner, path)
    else:
        yield path, value
