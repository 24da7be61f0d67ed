"""Image repositories at Google: for models, and as caches of public registries."""

import dataclasses
from typing import Any

import pytest

from components.substrate.gke_topology import MIRRORED_REGISTRIES, gke_contract
from tests.harness import Recorder, Registration, deploy
from tests.substrate.gke_samples import SECRET_MANAGER, TOPOLOGY, substrate, topology

REPOSITORY = "gcp:artifactregistry/repository:Repository"
GRANT = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
SERVICE = "gcp:projects/service:Service"
NODES = "serviceAccount:llmp-nodes@my-project.iam.gserviceaccount.com"


def build(**registry: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate with some of its registry's settings changed."""
    changed = topology(registry=dataclasses.replace(TOPOLOGY.registry, **registry))
    return deploy(lambda: _drop(substrate(topology=changed)))


def apis(recorder: Recorder) -> set[str]:
    return {each.inputs["service"] for each in recorder.all(SERVICE)}


def caches(recorder: Recorder) -> list[Registration]:
    return [
        each for each in recorder.all(REPOSITORY) if each.inputs.get("mode") == "REMOTE_REPOSITORY"
    ]


# Model images


def test_tags_of_model_images_never_move_and_the_nodes_may_only_read() -> None:
    recorder = build()
    repository = recorder.one(REPOSITORY).inputs
    assert repository["format"] == "DOCKER"
    assert repository["dockerConfig"] == {"immutableTags": True}
    assert repository["labels"] == TOPOLOGY.resource_labels
    grant = recorder.one(GRANT).inputs
    assert grant["member"] == NODES
    assert grant["role"] == "roles/artifactregistry.reader"
    assert grant["repository"] == repository["repositoryId"] == "llmp-models"


def test_only_model_images_without_a_tag_are_cleaned_up() -> None:
    repository = build(untagged_days=7).one(REPOSITORY).inputs
    assert repository["cleanupPolicyDryRun"] is False
    assert repository["cleanupPolicies"] == [
        {
            "id": "delete-untagged",
            "action": "DELETE",
            "condition": {"tagState": "UNTAGGED", "olderThan": "7d"},
        }
    ]


@pytest.mark.parametrize(("scanning", "said"), [(True, "INHERITED"), (False, "DISABLED")])
def test_scanning_is_switched_on_or_off_and_never_left_to_the_project(
    *, scanning: bool, said: str
) -> None:
    recorder = build(scanning=scanning)
    config = recorder.one(REPOSITORY).inputs["vulnerabilityScanningConfig"]
    assert config == {"enablementConfig": said}
    assert ("containerscanning.googleapis.com" in apis(recorder)) is scanning


def test_the_repository_waits_for_its_apis() -> None:
    recorder = build()
    repository = recorder.one(REPOSITORY)
    for api in ("artifactregistry", "containerscanning"):
        service = recorder.one(SERVICE, f"substrate-services-{api}")
        assert service.urn in _all_dependencies(recorder, repository)


@pytest.mark.parametrize("protected", [True, False])
def test_model_images_are_protected_as_data_and_caches_are_not(*, protected: bool) -> None:
    changed = topology(
        deletion_protection=protected,
        registry=dataclasses.replace(TOPOLOGY.registry, pull_through=True),
    )
    recorder = deploy(lambda: _drop(substrate(topology=changed)))
    models = recorder.one(REPOSITORY, "substrate-model-registry-repository")
    assert bool(models.protect) is protected
    assert not [each.name for each in caches(recorder) if each.protect]


def test_without_a_registry_there_is_neither_repository_nor_prefix() -> None:
    recorder = build(models=False)
    assert not recorder.all(REPOSITORY)
    assert not recorder.all(GRANT)
    assert not apis(recorder) & {
        "artifactregistry.googleapis.com",
        "containerscanning.googleapis.com",
    }
    urn = recorder.one("llmp:substrate:GkeSubstrate").urn
    assert recorder.component_outputs(urn)["contract"].get("registry_prefix") is None


# Caches of public registries


def test_by_default_nothing_is_cached_and_the_contract_has_no_mirror() -> None:
    recorder = build()
    assert not caches(recorder)
    assert not recorder.all("llmp:substrate:GkePullThrough")
    assert gke_contract(TOPOLOGY, secret_store=SECRET_MANAGER).registry_mirrors == {}


def test_each_public_registry_has_a_cache_that_fetches_from_it() -> None:
    upstreams = {
        each.inputs["repositoryId"]: each.inputs["remoteRepositoryConfig"]
        for each in caches(build(pull_through=True))
    }
    assert upstreams == {
        "llmp-docker-io": {"dockerRepository": {"publicRepository": "DOCKER_HUB"}},
        **{
            f"llmp-{host.replace('.', '-')}": {"commonRepository": {"uri": f"https://{host}"}}
            for host in MIRRORED_REGISTRIES
            if host != "docker.io"
        },
    }


def test_caches_are_emptied_of_what_is_old_and_never_scanned() -> None:
    for each in caches(build(pull_through=True, cached_days=14)):
        assert each.inputs["cleanupPolicyDryRun"] is False
        assert each.inputs["cleanupPolicies"] == [
            {
                "id": "delete-old",
                "action": "DELETE",
                "condition": {"tagState": "ANY", "olderThan": "14d"},
            }
        ]
        assert each.inputs["vulnerabilityScanningConfig"] == {"enablementConfig": "DISABLED"}
        assert each.inputs["labels"] == TOPOLOGY.resource_labels


def test_the_nodes_may_read_each_cache_and_nobody_anything_in_the_whole_project() -> None:
    recorder = build(pull_through=True)
    grants = {
        (each.inputs["repository"], each.inputs["role"], each.inputs["member"])
        for each in recorder.all(GRANT)
    }
    assert grants == {
        (each.inputs["repositoryId"], "roles/artifactregistry.reader", NODES)
        for each in recorder.all(REPOSITORY)
    }
    in_project = recorder.all("gcp:projects/iAMMember:IAMMember")
    assert not [each for each in in_project if "artifactregistry" in each.inputs["role"]]


def test_the_contract_names_the_caches_that_are_made() -> None:
    changed = topology(registry=dataclasses.replace(TOPOLOGY.registry, pull_through=True))
    mirrors = gke_contract(changed, secret_store=SECRET_MANAGER).registry_mirrors
    assert set(mirrors) == set(MIRRORED_REGISTRIES)
    made = {each.inputs["repositoryId"] for each in caches(build(pull_through=True))}
    assert set(mirrors.values()) == {
        f"us-central1-docker.pkg.dev/my-project/{repository_id}" for repository_id in made
    }


def test_caches_need_no_repository_for_models_and_no_scanning() -> None:
    recorder = build(models=False, pull_through=True)
    assert len(recorder.all(REPOSITORY)) == len(MIRRORED_REGISTRIES)
    assert "artifactregistry.googleapis.com" in apis(recorder)
    assert "containerscanning.googleapis.com" not in apis(recorder)


def test_ids_of_repositories_fit_with_the_longest_name_of_a_cluster() -> None:
    longest = topology(
        cluster_name="c" * 40, registry=dataclasses.replace(TOPOLOGY.registry, pull_through=True)
    )
    ids = (longest.model_repository_id, *longest.mirror_repository_ids.values())
    assert max(len(each) for each in ids) <= 63


def _all_dependencies(recorder: Recorder, registration: Registration) -> set[str]:
    """Return what a resource waits for, with what its parents wait for."""
    by_urn = {each.urn: each for each in recorder.registrations}
    found: set[str] = set()
    current: Registration | None = registration
    while current is not None:
        found |= current.depends_on
        current = by_urn.get(current.parent)
    return found


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
