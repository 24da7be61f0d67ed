"""Another release of k3s for the nodes that run: where there is such an entry, what it names."""

import pytest

from components.contract import SubstrateContract
from components.platform.apps.k3s_upgrades import CONTROLLER_PODS
from components.platform.catalogue import Kustomization, OwnChart, PlatformInputs
from components.platform.network import Outside
from components.versions import (
    K3S,
    K3S_UPGRADE_IMAGE,
    SYSTEM_UPGRADE_CONTROLLER,
    SYSTEM_UPGRADE_CONTROLLER_IMAGE,
)
from tests import pairwise
from tests.platform.samples import BARE, GKE, HETZNER, entries, inputs, values

OURS = {"k3s-upgrades", "k3s-upgrades-crd", "system-upgrade-network"}


def on(version: str = "v1.34.2+k3s1") -> PlatformInputs:
    """Return inputs of a cluster whose substrate names this release."""
    return inputs(contract=HETZNER.model_copy(update={"k3s_version": version}))


def test_nodes_are_brought_to_the_release_of_their_substrate_and_not_to_ours() -> None:
    of = entries(on("v1.34.2+k3s1"))
    assert set(of) >= OURS
    assert values(of["k3s-upgrades"]) == {
        "version": "v1.34.2+k3s1",
        "controllerImage": SYSTEM_UPGRADE_CONTROLLER_IMAGE.reference,
        "upgradeImage": K3S_UPGRADE_IMAGE,
        "compute": {"cpu": 0.01, "memoryMib": 128},
        "serverDeadlineSeconds": 1800,
        "workerDeadlineSeconds": 14400,
        "drainTimeoutSeconds": 1800,
    }


@pytest.mark.parametrize("contract", [GKE, BARE, HETZNER], ids=["gke", "existing", "older"])
def test_without_a_release_of_k3s_in_the_contract_there_is_none_of_it(
    contract: SubstrateContract,
) -> None:
    assert contract.k3s_version is None
    of = entries(inputs(contract=contract))
    assert not OURS & set(of)
    assert "k3s-upgrades" not in values(of["observability"])["rules"]


def test_a_hetzner_stack_names_the_release_of_its_servers_and_a_gke_stack_none() -> None:
    named = {
        stack.contract.cloud: stack.contract.k3s_version for stack in pairwise.stacks().values()
    }
    assert named == {"hetzner": K3S, "gcp": None}


def test_the_definition_comes_from_one_commit_before_the_plans() -> None:
    of = entries(on())
    source = of["k3s-upgrades-crd"].source
    assert source == Kustomization(path="pkg/crds/yaml/generated", pin=SYSTEM_UPGRADE_CONTROLLER)
    assert not of["k3s-upgrades-crd"].create_namespace
    assert "k3s-upgrades-crd" in of["k3s-upgrades"].requires
    assert isinstance(of["k3s-upgrades"].source, OwnChart)
    assert SYSTEM_UPGRADE_CONTROLLER.version == SYSTEM_UPGRADE_CONTROLLER_IMAGE.version


def test_its_pods_reach_the_api_and_nothing_else_and_nobody_reaches_them() -> None:
    connections = entries(on())["k3s-upgrades"].connections
    assert [(one.client, one.server) for one in connections] == [
        (CONTROLLER_PODS, Outside.API_SERVER)
    ]


def test_the_namespace_lets_jobs_have_their_node() -> None:
    labels = entries(on())["k3s-upgrades"].namespace_labels
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_a_release_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="k3s_version"):
        SubstrateContract.model_validate({**HETZNER.to_output(), "k3s_version": "v1.34.2"})
