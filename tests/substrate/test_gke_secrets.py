"""Secret Manager: containers that hold nothing yet, and who may use which."""

from typing import Any

import pytest

from components.contract import SecretStore
from tests.conftest import Run
from tests.harness import Recorder, deploy
from tests.substrate.gke_samples import TOPOLOGY, substrate, topology

SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
SECRET_ROLE = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type token


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(**changes)))


def test_secrets_are_empty_containers(run: Run) -> None:
    types = {each.type for each in run(lambda: _drop(substrate())).registrations}
    assert SECRET in types
    assert not [token for token in types if "secretVersion" in token.lower()]


def test_a_generated_secret_lets_external_secrets_push_and_a_supplied_one_only_read() -> None:
    recorder = build()
    roles: dict[str, set[str]] = {}
    for each in recorder.all(SECRET_ROLE):
        roles.setdefault(each.inputs["secretId"], set()).add(each.inputs["role"])
    assert roles == {
        "staging-vllm-api-key": {
            "roles/secretmanager.secretAccessor",
            "roles/secretmanager.viewer",
            "roles/secretmanager.secretVersionAdder",
        },
        "staging-hugging-face-token": {"roles/secretmanager.secretAccessor"},
    }


def test_rights_are_those_of_external_secrets_alone_and_on_single_secrets() -> None:
    recorder = build()
    assert {each.inputs["member"] for each in recorder.all(SECRET_ROLE)} == {
        "serviceAccount:llmp-secrets@my-project.iam.gserviceaccount.com"
    }
    in_project = recorder.all("gcp:projects/iAMMember:IAMMember")
    assert not [each for each in in_project if "secretmanager" in each.inputs["role"]]


def test_a_generated_secret_is_marked_as_external_secrets_wants_it() -> None:
    generated = build().one(SECRET, "substrate-secrets-staging-vllm-api-key").inputs
    assert generated["labels"] == {**TOPOLOGY.resource_labels, "managed-by": "external-secrets"}
    assert "annotations" not in generated
    assert "topics" not in generated


def test_a_secret_cannot_be_generated_and_supplied() -> None:
    with pytest.raises(ValueError, match="staging-a cannot be generated and supplied"):
        build(generated_secrets=("a",), supplied_secrets=("a",))


def test_without_secret_manager_there_are_no_secrets_and_no_identity_for_them() -> None:
    recorder = build(secret_store=SecretStore(kind="kubernetes"))
    assert not recorder.all(SECRET)
    assert not recorder.all("gcp:serviceaccount/iAMMember:IAMMember")


def test_google_chooses_where_values_are_kept_unless_regions_are_named() -> None:
    for each in build().all(SECRET):
        assert each.inputs["replication"] == {"auto": {}}
    chosen = topology(secret_locations=("europe-west4", "europe-west1"))
    for each in build(topology=chosen).all(SECRET):
        assert each.inputs["replication"] == {
            "userManaged": {
                "replicas": [{"location": "europe-west4"}, {"location": "europe-west1"}]
            }
        }


def test_a_version_that_is_destroyed_can_be_brought_back_for_a_week() -> None:
    assert {each.inputs["versionDestroyTtl"] for each in build().all(SECRET)} == {"604800s"}


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
