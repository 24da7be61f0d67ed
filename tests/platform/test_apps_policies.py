"""Kyverno and its policies in the catalogue."""

from components.platform.config import Features
from tests.platform.samples import BARE, entries, inputs, values


def test_admission_policies_are_on_unless_somebody_switches_them_off() -> None:
    assert {"kyverno", "policies"} <= set(entries())
    off = entries(inputs(features=Features(security=False)))
    assert not {"kyverno", "policies"} & set(off)
    assert "serving-network" in off


def test_policies_wait_for_the_webhook_that_admits_them() -> None:
    assert entries()["policies"].requires == ("kyverno",)


def test_prod_fails_closed_and_has_three_to_answer() -> None:
    cost, prod = entries(), entries(inputs(tier="prod"))
    assert values(cost["policies"])["failurePolicy"] == "Ignore"
    assert values(prod["policies"])["failurePolicy"] == "Fail"
    assert values(prod["policies"])["requireDigest"] is True
    assert values(prod["kyverno"])["admissionController"]["replicas"] == 3


def test_the_taints_of_the_gpu_nodes_are_those_of_the_substrate() -> None:
    assert values(entries()["policies"])["gpuTolerationKeys"] == ["nvidia.com/gpu"]
    bare = entries(inputs(contract=BARE))
    assert values(bare["policies"])["gpuTolerationKeys"] == []


def test_pods_pull_from_the_mirrors_of_the_substrate() -> None:
    assert values(entries(inputs(contract=BARE))["policies"])["registryMirrors"] == {}
    mirrors = {"docker.io": "us-central1-docker.pkg.dev/my-project/llmp-docker-io"}
    mirrored = entries(inputs(contract=BARE.model_copy(update={"registry_mirrors": mirrors})))
    assert values(mirrored["policies"])["registryMirrors"] == mirrors


def test_nobody_excepts_himself_from_a_policy() -> None:
    features = values(entries()["kyverno"])["features"]
    assert features["policyExceptions"] == {"enabled": False}
