"""What an edit of a GKE stack changes at Google: exactly what it says, and never by replacing.

One regional stack is brought up; each edit is then previewed, or done and undone, from there.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.records import Run
from tests.engine.conftest import Config, Lab, lab_in, stack_object

pytestmark = pytest.mark.engine

Changes = set[tuple[str, str]]
"""What was done to which kind of resource."""


def edited(config: Config, edit: Callable[[Config], None]) -> Config:
    """Return a config whose stack object was edited."""
    copied = copy.deepcopy(config)
    edit(stack_object(copied))
    return copied


def regional(stack: Config) -> None:
    del stack["gke"]["zone"]
    stack["gke"]["gpu_pools"][0]["zones"] = ["us-central1-a", "us-central1-b"]
    stack["platform"]["tier"] = "dev"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the committed GKE stack, regional and of tier dev, brought up."""
    committed = lab_in(tmp_path_factory.mktemp("gke-edits"), "gke")
    config = edited(committed.config, regional)
    lab = Lab(stack="gke", sandbox=committed.sandbox, config=config)
    assert lab.engine().up().changed
    return lab


def changes(run: Run) -> Changes:
    return {
        (one.operation, one.kind) for one in run.resources if one.custom and one.operation != "same"
    }


def at_google(run: Run) -> Changes:
    """Return what a run does outside the cluster."""
    return {
        (one.operation, one.kind)
        for one in run.resources
        if one.operation != "same" and one.type.startswith("gcp:")
    }


def preview(lab: Lab, edit: Callable[[Config], None]) -> Run:
    return lab.engine(edited(lab.config, edit)).preview()


def pool(stack: Config) -> dict[str, Any]:
    return stack["gke"]["gpu_pools"][0]


def test_a_new_pool_is_created_and_nothing_at_google_changes_beside_it(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        stack["gke"]["gpu_pools"].append(
            {"name": "t4", "accelerator": "nvidia-tesla-t4", "zones": ["us-central1-a"]}
        )

    run = preview(lab, edit)
    assert at_google(run) == {("create", "NodePool")}
    assert not {one for one in changes(run) if one[0] in ("replace", "delete")}


def test_a_larger_maximum_updates_the_pool_in_place(lab: Lab) -> None:
    run = preview(lab, lambda stack: pool(stack).update(max_nodes=5))
    assert at_google(run) == {("update", "NodePool")}
    assert not {one for one in changes(run) if one[0] in ("replace", "delete")}


def test_a_larger_minimum_of_either_pool_updates_it_in_place(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        pool(stack)["min_nodes"] = 1
        stack["gke"]["platform_pool"] = {"min_nodes": 3, "max_nodes": 6}

    assert at_google(preview(lab, edit)) == {("update", "NodePool")}


def test_another_release_channel_updates_the_cluster_in_place(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        stack["gke"]["control_plane"] = {"release_channel": "stable"}

    run = preview(lab, edit)
    assert at_google(run) == {("update", "Cluster")}
    # The provider of the cluster's own objects is not made anew with it.
    assert not {one for one in changes(run) if one[0] in ("replace", "delete")}


def test_another_version_of_the_charts_changes_nothing_at_google(lab: Lab) -> None:
    run = preview(lab, lambda stack: stack["platform"]["gitops"].update(revision="v1.1.0"))
    assert at_google(run) == set()
    # The project of Argo CD and its cluster Secret do not carry the revision.
    assert changes(run) == {("update", "Application")}


def test_tier_prod_protects_what_holds_data_and_replaces_nothing(lab: Lab) -> None:
    run = preview(lab, lambda stack: stack["platform"].update(tier="prod"))
    done = changes(run)
    assert ("update", "Cluster") in done
    assert ("update", "Secret") in done
    assert not {one for one in done if one[0] in ("replace", "delete")}
    assert ("update", "NodePool") not in done


def test_a_pool_that_becomes_spot_is_a_new_pool_before_the_old_one_goes(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        pool(stack)["capacity"] = "spot"
        stack["models"][0]["gpu"] = {"spot": True}

    before = len(lab.journal())
    run = lab.engine(edited(lab.config, edit)).up()
    assert at_google(run) == {("create", "NodePool"), ("delete", "NodePool")}
    assert "replace" not in run.operations
    done = [
        entry["operation"]
        for entry in lab.journal()[before:]
        if entry["type"] == "gcp:container/nodePool:NodePool"
    ]
    assert done == ["create", "delete"]

    back = lab.engine().up()
    assert at_google(back) == {("create", "NodePool"), ("delete", "NodePool")}
    assert not lab.engine().preview().changed


def test_the_first_reserved_things_are_added_without_touching_the_cluster(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        stack["gke"]["registry"] = {"pull_through": True}
        stack["gke"]["network"] = {"nat_addresses": 1}

    run = preview(lab, edit)
    done = at_google(run)
    assert ("create", "Repository") in done
    assert ("create", "Address") in done
    assert ("update", "RouterNat") in done
    assert not {
        one for one in done if one[1] in ("Cluster", "NodePool") or one[0] in ("replace", "delete")
    }


@pytest.mark.parametrize(
    "edit",
    [
        {"zone": "us-central1-a"},
        {"cluster_name": "other"},
        {"network": {"control_plane_cidr": "172.16.1.0/28"}},
    ],
)
def test_an_edit_that_takes_the_cluster_is_a_replacement_in_the_preview(
    lab: Lab, edit: dict[str, Any]
) -> None:
    run = preview(lab, lambda stack: stack["gke"].update(edit))
    assert ("replace", "Cluster") in at_google(run)
