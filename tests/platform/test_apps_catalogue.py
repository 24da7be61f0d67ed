"""What holds for the whole catalogue, whatever the stack."""

import itertools
import json
import re
import time

import pytest

from components.contract import SubstrateContract
from components.names import HELM_RELEASE_MAX
from components.platform.apps import BUILDERS, catalogue, namespaces
from components.platform.catalogue import (
    CatalogueEntry,
    Kustomization,
    PlatformInputs,
    UpstreamChart,
)
from components.platform.config import PROFILES, Features, Profile, Tier
from tests.platform.samples import (
    BARE,
    GKE,
    HETZNER,
    REVISION,
    entries,
    gated,
    inputs,
    leaves,
    model,
    tenant,
    values,
)

TIERS: tuple[Tier, ...] = ("cost", "dev", "prod")


def every_stack() -> list[PlatformInputs]:
    contracts: tuple[SubstrateContract, ...] = (GKE, HETZNER, BARE)
    return [
        inputs(
            profile=profile,
            tier=tier,
            features=Features(autoscaling=autoscaling),
            contract=contract,
            models=(
                model(),
                model("started", autostart=True),
                gated(),
            ),
            tenants=(tenant(), tenant("team-b", models=("started", "gated"))),
        )
        for profile, tier, autoscaling, contract in itertools.product(
            PROFILES, TIERS, (True, False), contracts
        )
    ]


STACKS = every_stack()


def every_entry() -> list[CatalogueEntry]:
    return [entry for stack in STACKS for entry in catalogue(stack)]


def reachable(name: str, by_name: dict[str, CatalogueEntry]) -> set[str]:
    direct = set(by_name[name].requires)
    return direct | {far for near in direct for far in reachable(near, by_name)}


def test_every_profile_tier_feature_and_substrate_gives_a_catalogue_in_order() -> None:
    for stack in STACKS:
        seen: set[str] = set()
        for entry in catalogue(stack):
            assert set(entry.requires) <= seen, entry.name
            seen.add(entry.name)


def test_nothing_requires_an_entry_that_is_synced_by_hand() -> None:
    for stack in STACKS:
        by_name = entries(stack)
        manual = {name for name, entry in by_name.items() if entry.sync == "manual"}
        assert not manual & {required for entry in by_name.values() for required in entry.requires}


def test_no_edge_repeats_what_another_edge_already_says() -> None:
    for stack in STACKS:
        by_name = entries(stack)
        for entry in by_name.values():
            for required in entry.requires:
                others = set(entry.requires) - {required}
                assert required not in {far for one in others for far in reachable(one, by_name)}


def test_a_profile_holds_all_entries_of_the_one_before_it() -> None:
    names = [set(entries(inputs(profile=profile))) for profile in PROFILES]
    for smaller, larger in itertools.pairwise(names):
        assert smaller <= larger


@pytest.mark.parametrize(
    ("profile", "layers"),
    [
        ("platform", {"platform"}),
        ("serving", {"platform", "serving"}),
        ("llm-gateway", {"platform", "serving", "routing", "llm-gateway"}),
    ],
)
def test_a_profile_has_its_layers_and_no_more(profile: Profile, layers: set[str]) -> None:
    assert {entry.layer for entry in catalogue(inputs(profile=profile))} == layers


def test_the_rollout_starts_with_many_entries_at_once() -> None:
    first = [
        entry.name
        for entry in catalogue(inputs())
        if not entry.requires and not entry.name.endswith("-network")
    ]
    assert first == [
        "gateway-api",
        "prometheus-crds",
        "external-secrets",
        "keda",
        "kueue",
        "inference-extension",
        "agentgateway-crds",
        "cloudnative-pg",
    ]


def test_the_longest_chain_of_waits_is_the_one_to_the_tenants() -> None:
    by_name = entries()

    def depth(name: str) -> int:
        return 1 + max((depth(one) for one in by_name[name].requires), default=0)

    deepest = max(by_name, key=depth)
    assert (deepest, depth(deepest)) == ("litellm-tenants", 6)


def test_kueue_is_in_nobody_elses_way() -> None:
    by_name = entries()
    assert [name for name, entry in by_name.items() if "kueue" in entry.requires] == [
        "kueue-queues",
        "team-a-tenant",
    ]


def test_entries_that_share_a_namespace_label_it_alike() -> None:
    for entry in every_entry():
        if entry.create_namespace:
            assert dict(entry.namespace_labels) == namespaces.labels(entry.namespace), entry.name
        else:
            assert not entry.namespace_labels, entry.name


def test_only_what_reads_or_replaces_the_node_is_privileged() -> None:
    privileged = {name for name, level in namespaces.POD_SECURITY.items() if level == "privileged"}
    assert privileged == {"monitoring", "system-upgrade"}


def test_every_namespace_reports_what_keeps_it_from_being_stricter() -> None:
    for namespace in namespaces.POD_SECURITY:
        labels = namespaces.labels(namespace)
        assert labels["pod-security.kubernetes.io/warn"] != "privileged"
        assert (
            labels["pod-security.kubernetes.io/warn"] == labels["pod-security.kubernetes.io/audit"]
        )


def test_no_name_of_a_system_ends_like_one_of_a_model() -> None:
    systems = set(entries(inputs(models=(), tier="prod")))
    assert not [name for name in systems if name.endswith(("-vllm", "-pool", "-route"))]


def test_a_model_may_be_called_like_a_system() -> None:
    names = set(entries(inputs(models=(model("litellm"), model("keda"), model("keda-vllm")))))
    assert {"litellm", "litellm-vllm", "keda", "keda-vllm", "keda-vllm-vllm"} <= names


def test_names_fit_even_for_the_longest_model() -> None:
    longest = "m" * 35
    assert all(len(name) <= HELM_RELEASE_MAX for name in entries(inputs(models=(model(longest),))))


def test_adding_a_model_adds_its_three_entries_and_changes_litellm_and_the_network() -> None:
    before = entries(inputs(models=(model(),)))
    after = entries(inputs(models=(model(), model("second"))))
    assert set(after) - set(before) == {"second-vllm", "second-pool", "second-route"}
    assert {name for name in before if before[name] != after[name]} == {
        "litellm",
        # Its objectives.
        "observability",
        *(f"{namespace}-network" for namespace in ("inference", "monitoring", "serving")),
    }


def test_adding_a_tenant_changes_its_queue_its_team_and_who_reaches_litellm() -> None:
    before = entries(inputs(tenants=(tenant(),)))
    after = entries(inputs(tenants=(tenant(), tenant("team-b"))))
    assert set(after) - set(before) == {"team-b-network", "team-b-tenant"}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"kueue-queues", "litellm-tenants", "litellm", "litellm-network"}


def test_the_same_inputs_give_the_same_catalogue() -> None:
    assert catalogue(inputs()) == catalogue(inputs())


def test_values_are_json_and_nothing_else() -> None:
    for entry in every_entry():
        if not isinstance(entry.source, Kustomization):
            text = json.dumps(entry.source.values, allow_nan=False)
            assert json.loads(text) == json.loads(json.dumps(values(entry)))


def test_no_value_looks_like_a_secret() -> None:
    random_text = re.compile(r"sk-[A-Za-z0-9]{8}|[A-Za-z0-9+/]{40,}={0,2}|[0-9a-f]{32}")
    for entry in every_entry():
        if isinstance(entry.source, Kustomization):
            continue
        for path, leaf in leaves(entry.source.values):
            if isinstance(leaf, str):
                public = re.sub(r"sha256:[0-9a-f]{64}", "", leaf).replace(REVISION, "")
                assert not random_text.search(public), (entry.name, path, leaf)


def test_no_key_of_any_values_holds_a_password() -> None:
    forbidden = {"password", "adminpassword", "masterkey", "token", "apikey", "accesskey"}
    for entry in every_entry():
        if isinstance(entry.source, Kustomization):
            continue
        for path, leaf in leaves(entry.source.values):
            if path[-1].lower().replace("_", "") in forbidden:
                assert isinstance(leaf, str)
                assert leaf.startswith("os.environ/"), (entry.name, path)


def test_every_image_that_we_name_is_held_by_its_digest() -> None:
    named = 0
    for entry in every_entry():
        if isinstance(entry.source, Kustomization):
            continue
        for path, leaf in leaves(entry.source.values):
            if path[-1] == "image":
                assert re.search(r"@sha256:[0-9a-f]{64}$", str(leaf)), (entry.name, path)
                named += 1
            assert path[-1] != "tag", (entry.name, "a tag without a digest")
    assert named > 0


def test_nothing_asks_for_a_floating_image_or_a_public_service() -> None:
    for entry in every_entry():
        if not isinstance(entry.source, Kustomization):
            text = json.dumps(entry.source.values)
            assert not re.search(r":latest\b|LoadBalancer|NodePort", text), entry.name


def test_images_by_digest_are_pulled_once() -> None:
    for entry in every_entry():
        if not isinstance(entry.source, Kustomization):
            for path, leaf in leaves(entry.source.values):
                assert path[-1] != "pullPolicy" or leaf == "IfNotPresent", entry.name


def test_what_is_in_a_tenants_namespace_belongs_to_the_tenants_project_and_nothing_else_does() -> (
    None
):
    two = inputs(tenants=(tenant(), tenant("team-b")), profile="full")
    for entry in entries(two).values():
        reached = {entry.namespace, *entry.extra_namespaces}
        assert entry.project in ("platform", f"tenant-{entry.namespace}")
        if entry.project == "platform":
            assert not reached & {"team-a", "team-b"}, entry.name
        else:
            assert reached in ({"team-a"}, {"team-b"}), entry.name


def test_every_upstream_repository_is_reached_over_tls() -> None:
    for entry in every_entry():
        if isinstance(entry.source, UpstreamChart):
            repository = entry.source.pin.repository
            # Argo CD writes an OCI registry without scheme, and always speaks TLS to it.
            assert "://" not in repository or repository.startswith("https://")
        elif isinstance(entry.source, Kustomization):
            assert entry.source.pin.repository.startswith("https://")


def test_no_builder_is_listed_twice() -> None:
    assert len(set(BUILDERS)) == len(BUILDERS)


def test_a_hundred_models_are_built_in_well_under_half_a_second() -> None:
    many = inputs(models=tuple(model(f"model-{number}") for number in range(100)))
    # Three entries a model, and the network policies of their two namespaces.
    assert len(catalogue(many)) >= len(catalogue(inputs(models=()))) + 300
    seconds: list[float] = []
    for _ in range(3):
        start = time.process_time()
        catalogue(many)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.25
