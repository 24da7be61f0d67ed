"""What an edit of a Hetzner stack changes at Hetzner: exactly what it says, and in a safe order.

One stack with three control-plane servers, a pool of two workers and one that scales is brought up;
each edit is then previewed, or done and undone, from there.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.records import Run
from sandbox.runner import EngineError
from tests.engine.conftest import Config, Lab, lab_in, stack_object

pytestmark = pytest.mark.engine

Changes = set[tuple[str, str]]
"""What was done to which kind of resource."""

SERVER = ("Server", "ServerNetwork")


def edited(config: Config, edit: Callable[[Config], None]) -> Config:
    """Return a config whose stack object was edited."""
    copied = copy.deepcopy(config)
    edit(stack_object(copied))
    return copied


def cluster(stack: Config) -> None:
    stack["hetzner"] = {
        "location": "nbg1",
        "api_allowed_cidrs": ["203.0.113.0/24"],
        "control_plane": {"count": 3, "server_type": "cpx32"},
        "worker_pools": [
            {"name": "platform", "server_type": "cpx42", "count": 2},
            {"name": "batch", "server_type": "cpx42", "autoscaling": {"min": 0, "max": 3}},
        ],
    }
    stack["models"] = []
    stack["tenants"] = []
    stack["platform"]["profile"] = "platform"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the committed Hetzner stack with another shape, brought up."""
    committed = lab_in(tmp_path_factory.mktemp("hetzner-edits"), "hetzner")
    config = edited(committed.config, cluster)
    lab = Lab(stack="hetzner", sandbox=committed.sandbox, config=config)
    assert lab.engine().up().changed
    assert not lab.engine().preview().changed
    return lab


def changes(run: Run) -> Changes:
    return {
        (one.operation, one.kind) for one in run.resources if one.custom and one.operation != "same"
    }


def at_hetzner(run: Run) -> set[tuple[str, str]]:
    """Return what a run does at Hetzner, by the names of resources."""
    return {
        (one.operation, one.name)
        for one in run.resources
        if one.operation != "same" and one.type.startswith("hcloud:")
    }


def preview(lab: Lab, edit: Callable[[Config], None]) -> Run:
    return lab.engine(edited(lab.config, edit)).preview()


def pool(stack: Config, index: int) -> dict[str, Any]:
    return stack["hetzner"]["worker_pools"][index]


def control_plane(stack: Config) -> dict[str, Any]:
    return stack["hetzner"]["control_plane"]


def done_since(lab: Lab, before: int) -> list[tuple[str, str]]:
    """Return what was done to servers and memberships, in order."""
    return [
        (entry["operation"], entry["name"].removeprefix("substrate-control-plane-"))
        for entry in lab.journal()[before:]
        if entry["type"] in ("hcloud:index/server:Server", "command:local:Command")
        and entry["name"].startswith("substrate-control-plane-")
    ]


def test_one_worker_more_is_created_and_no_server_changes_beside_it(lab: Lab) -> None:
    run = preview(lab, lambda stack: pool(stack, 0).update(count=3))
    assert at_hetzner(run) == {
        ("create", "substrate-pool-platform-2-server"),
        ("create", "substrate-pool-platform-2-attachment"),
    }
    assert changes(run) == {("create", kind) for kind in SERVER}


def test_one_worker_less_is_the_last_one(lab: Lab) -> None:
    run = preview(lab, lambda stack: pool(stack, 0).update(count=1))
    assert changes(run) == {("delete", kind) for kind in SERVER}
    assert ("delete", "substrate-pool-platform-1-server") in at_hetzner(run)


def test_what_servers_are_told_anew_changes_none_that_is_there(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        pool(stack, 0)["labels"] = {"disk": "large"}
        pool(stack, 0)["taints"] = [{"key": "dedicated"}]
        control_plane(stack)["audit_log"] = False
        control_plane(stack)["schedulable"] = True

    assert at_hetzner(preview(lab, edit)) == set()


def test_another_name_of_the_cluster_renames_no_server(lab: Lab) -> None:
    run = preview(lab, lambda stack: stack["hetzner"].update(cluster_name="other"))
    assert not {one for one in at_hetzner(run) if one[0] in ("replace", "delete")}
    names = {
        one.name: one.inputs["name"]
        for one in run.resources
        if one.type == "hcloud:index/server:Server"
    }
    assert names["substrate-pool-platform-0-server"] == "llmp-platform-0"


def test_a_larger_maximum_changes_the_autoscaler_alone(lab: Lab) -> None:
    run = preview(lab, lambda stack: pool(stack, 1)["autoscaling"].update(max=5))
    assert changes(run) == {("update", "Release")}


def test_what_scaled_servers_are_told_is_told_to_the_autoscaler_alone(lab: Lab) -> None:
    run = preview(lab, lambda stack: pool(stack, 1).update(labels={"workload": "batch"}))
    assert at_hetzner(run) == set()
    # The provider of Kubernetes changes no Secret: it makes it anew, before the release.
    assert changes(run) == {("update", "Release"), ("replace", "Secret")}


def test_a_pool_that_goes_takes_its_servers_alone(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        stack["hetzner"]["worker_pools"][0] = {"name": "other", "count": 1}

    run = preview(lab, edit)
    assert {name for operation, name in at_hetzner(run) if operation == "delete"} == {
        "substrate-pool-platform-spread-0",
        *(
            f"substrate-pool-platform-{index}-{part}"
            for index in (0, 1)
            for part in ("server", "attachment")
        ),
    }
    assert not {one for one in at_hetzner(run) if one[0] in ("replace", "update")}


def test_a_scaling_pool_that_goes_is_forgotten_before_its_servers_are_deleted(lab: Lab) -> None:
    def edit(stack: Config) -> None:
        stack["hetzner"]["worker_pools"].append(
            {"name": "night", "autoscaling": {"min": 0, "max": 2}}
        )

    more = lab.engine(edited(lab.config, edit)).up()
    assert changes(more) == {
        ("create", "PlacementGroup"),
        ("create", "Command"),
        ("update", "Release"),
        ("replace", "Secret"),
    }
    before = len(lab.journal())
    lab.engine().up()
    order = [
        (entry["operation"], entry["name"])
        for entry in lab.journal()[before:]
        if "autoscaler" in entry["name"]
    ]
    forgotten = order.index(("update", "substrate-autoscaler-release"))
    deleted = order.index(("delete", "substrate-autoscaler-night-servers"))
    group = order.index(("delete", "substrate-autoscaler-night-spread"))
    assert forgotten < deleted < group
    assert not lab.engine().preview().changed


def test_a_pool_that_moves_is_made_anew_and_nothing_else_is(lab: Lab) -> None:
    run = preview(lab, lambda stack: pool(stack, 0).update(location="fsn1"))
    assert {name for operation, name in at_hetzner(run) if operation == "replace"} == {
        f"substrate-pool-platform-{index}-{part}"
        for index in (0, 1)
        for part in ("server", "attachment")
    }
    assert not {name for _, name in at_hetzner(run) if "control-plane" in name}


def test_a_control_plane_that_would_move_is_refused_before_anything_is_done(lab: Lab) -> None:
    before = len(lab.journal())
    with pytest.raises(EngineError) as raised:
        lab.engine(
            edited(lab.config, lambda stack: stack["hetzner"].update(location="fsn1"))
        ).preview()
    assert "set hetzner.location: nbg1" in str(raised.value)
    assert len(lab.journal()) == before


def test_control_plane_servers_are_resized_one_after_the_other(lab: Lab) -> None:
    before = len(lab.journal())
    larger = edited(lab.config, lambda stack: control_plane(stack).update(server_type="cpx42"))
    run = lab.engine(larger).up()
    assert {operation for operation, _ in at_hetzner(run)} == {"update"}
    assert done_since(lab, before) == [
        ("update", "0-server"),
        ("update", "0-member-joined"),
        ("update", "1-server"),
        ("update", "1-member-joined"),
        ("update", "2-server"),
        ("update", "2-member-joined"),
    ]
    # Their disks have grown, and Hetzner makes none smaller.
    with pytest.raises(EngineError, match="smaller disk"):
        lab.engine().up()
    stack_object(lab.config)["hetzner"]["control_plane"]["server_type"] = "cpx42"
    lab.engine().up()
    assert not lab.engine().preview().changed


def test_servers_leave_etcd_before_they_go_and_join_one_after_the_other(lab: Lab) -> None:
    before = len(lab.journal())
    fewer = edited(lab.config, lambda stack: control_plane(stack).update(count=1))
    run = lab.engine(fewer).up()
    assert not {one for one in at_hetzner(run) if one[0] in ("replace", "update")}
    order = done_since(lab, before)
    assert ("delete", "0-server") not in order
    for index in (1, 2):
        left = order.index(("delete", f"{index}-member-joined"))
        assert left < order.index(("delete", f"{index}-server"))

    before = len(lab.journal())
    run = lab.engine().up()
    assert {one for one in at_hetzner(run) if one[0] != "create"} == set()
    assert done_since(lab, before) == [
        ("create", "0-member-joined"),
        ("create", "1-server"),
        ("create", "1-member-joined"),
        ("create", "2-server"),
        ("create", "2-member-joined"),
    ]


def test_protection_reaches_what_is_there_without_replacing_it_and_keeps_it(lab: Lab) -> None:
    protected = edited(lab.config, lambda stack: stack["hetzner"].update(deletion_protection=True))
    run = lab.engine(protected).up()
    assert {operation for operation, _ in at_hetzner(run)} == {"update"}
    fewer = edited(protected, lambda stack: control_plane(stack).update(count=1))
    with pytest.raises(EngineError, match="protect"):
        lab.engine(fewer).preview()
    lab.engine().up()


def test_a_destroy_stops_the_autoscaler_first_and_lets_nobody_leave_etcd(lab: Lab) -> None:
    before = len(lab.journal())
    lab.engine().destroy()
    order = [
        (entry["operation"], entry["name"])
        for entry in lab.journal()[before:]
        if not entry["type"].startswith("kubernetes:argoproj")
    ]
    stopped = order.index(("delete", "substrate-autoscaler-release"))
    cleaned = order.index(("delete", "substrate-autoscaler-batch-servers"))
    firewall = order.index(("delete", "substrate-firewall-workers"))
    assert stopped < cleaned < firewall
    assert not [name for _, name in order if name.endswith("-member-joined") and "-0-" not in name]
