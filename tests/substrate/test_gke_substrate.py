"""The GKE substrate as a whole: what it makes, in which order, and what it never makes."""

import dataclasses
from typing import Any

import pytest

from components.contract import SecretStore
from tests.conftest import Run
from tests.harness import Recorder, Registration, deploy
from tests.substrate.gke_samples import TOPOLOGY, substrate, topology

CLUSTER = "gcp:container/cluster:Cluster"
NO_MODELS = dataclasses.replace(TOPOLOGY.registry, models=False)
POOL = "gcp:container/nodePool:NodePool"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
SECRET_ROLE = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type token


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(**changes)))


def pool(recorder: Recorder, name: str) -> Registration:
    return next(
        each
        for each in recorder.all(POOL)
        if each.inputs["nodeConfig"]["labels"]["llmp.dev/pool"] == name
    )


def test_everything_is_below_the_substrate(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    for each in recorder.registrations:
        if each.type not in ("llmp:substrate:GkeSubstrate", "pulumi:providers:gcp"):
            assert recorder.ancestors(each)[-1] == "llmp:substrate:GkeSubstrate", each.urn


def test_every_component_registers_its_outputs(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    for each in recorder.registrations:
        if not each.custom:
            assert recorder.component_outputs(each.urn)


def test_google_resources_take_the_provider_of_the_composition_root(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    google = [each for each in recorder.registrations if each.type.startswith("gcp:")]
    assert google
    assert {each.provider for each in google} == {"google"}


def test_only_argo_cd_is_made_in_the_cluster(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    inside = [each for each in recorder.registrations if each.type.startswith("kubernetes:")]
    assert inside
    assert {each.parent_type for each in inside} == {"llmp:substrate:ArgoCd"}
    assert {each.provider for each in inside} == {"substrate-kubernetes"}


def test_apis_stay_on_when_the_stack_goes(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    services = recorder.all("gcp:projects/service:Service")
    assert {each.inputs["service"] for each in services} >= {
        "container.googleapis.com",
        "artifactregistry.googleapis.com",
        "secretmanager.googleapis.com",
    }
    assert all(each.inputs["disableOnDestroy"] is False for each in services)


def test_apis_that_nothing_uses_are_not_switched_on() -> None:
    recorder = build(
        topology=topology(registry=NO_MODELS), secret_store=SecretStore(kind="kubernetes")
    )
    services = {each.inputs["service"] for each in recorder.all("gcp:projects/service:Service")}
    assert not services & {"artifactregistry.googleapis.com", "secretmanager.googleapis.com"}


# Protection and places


@pytest.mark.parametrize("protected", [True, False])
def test_deletion_protection_stops_pulumi_and_google(*, protected: bool) -> None:
    recorder = build(topology=topology(deletion_protection=protected))
    for each in (recorder.one(CLUSTER), *recorder.all(SECRET)):
        assert each.inputs["deletionProtection"] is protected
        assert bool(each.protect) is protected


def test_a_regional_cluster_puts_control_plane_and_pools_in_the_region() -> None:
    recorder = build(topology=topology(zone=None))
    places = {each.inputs["location"] for each in (*recorder.all(POOL), recorder.one(CLUSTER))}
    assert places == {"us-central1"}


# Identity


def test_nodes_have_the_least_role_that_gke_knows_and_no_other_in_the_project() -> None:
    granted = build().all("gcp:projects/iAMMember:IAMMember")
    assert {each.inputs["role"] for each in granted} == {
        "roles/container.defaultNodeServiceAccount"
    }
    assert {each.inputs["member"] for each in granted} == {
        "serviceAccount:llmp-nodes@my-project.iam.gserviceaccount.com"
    }


def test_argo_cd_waits_for_nodes_to_run_on() -> None:
    recorder = build()
    namespace = recorder.one("kubernetes:core/v1:Namespace")
    assert pool(recorder, "platform").urn in namespace.depends_on


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
