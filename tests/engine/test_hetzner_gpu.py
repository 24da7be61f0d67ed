"""Dedicated GPU servers by the real engine: what an edit of one does, and what goes before what.

One stack is brought up with a server that is joined by SSH and one by a script; each edit is
previewed from there, one is done, and the stack is taken down.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.records import Run
from tests.engine.conftest import Config, Lab, lab_in, stack_object

pytestmark = pytest.mark.engine

COMMAND = ("update", "Command")


def _edited(config: Config, edit: Callable[[Config], None]) -> Config:
    copied = copy.deepcopy(config)
    edit(stack_object(copied)["hetzner"])
    return copied


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return the committed stack's substrate with one more server, brought up."""
    committed = lab_in(tmp_path_factory.mktemp("hetzner-gpu"), "hetzner")
    config = copy.deepcopy(committed.config)
    stack = stack_object(config)
    stack["platform"]["profile"] = "platform"
    del stack["models"], stack["tenants"]
    stack["hetzner"]["gpu_servers"].append(
        {"name": "pro-0", "model": "GEX131", "private_address": "10.0.128.3", "join": "script"}
    )
    lab = Lab(stack="hetzner", sandbox=committed.sandbox, config=config)
    assert lab.engine().up().changed
    return lab


def _changes(run: Run) -> set[tuple[str, str]]:
    return {
        (one.operation, one.kind) for one in run.resources if one.custom and one.operation != "same"
    }


def _preview(lab: Lab, edit: Callable[[Config], None]) -> set[tuple[str, str]]:
    return _changes(lab.engine(_edited(lab.config, edit)).preview())


def test_a_second_up_joins_nobody_again(lab: Lab) -> None:
    assert not lab.engine().up().changed


def test_a_label_runs_the_script_on_that_server_alone(lab: Lab) -> None:
    def edit(hetzner: Config) -> None:
        hetzner["gpu_servers"][0]["labels"] = {"team": "vision"}

    assert _preview(lab, edit) == {COMMAND}


def test_a_new_host_key_joins_again_and_replaces_nothing(lab: Lab) -> None:
    def edit(hetzner: Config) -> None:
        hetzner["gpu_servers"][0]["host_key"] = (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKR6OtjxEjdyMa4QMkjfQwxRHzhzB5jtPX1cy+/89NGA"
        )

    assert _preview(lab, edit) == {COMMAND}


def test_shared_gpus_reach_servers_operator_and_contract_in_place(lab: Lab) -> None:
    changed = _preview(lab, lambda hetzner: hetzner.update(gpu_operator={"time_slicing": 2}))
    assert {COMMAND, ("update", "Release"), ("update", "Secret")} <= changed
    assert {operation for operation, _ in changed} == {"update"}


def test_one_server_more_touches_no_other(lab: Lab) -> None:
    def edit(hetzner: Config) -> None:
        more = {**hetzner["gpu_servers"][1], "name": "pro-1", "private_address": "10.0.128.4"}
        hetzner["gpu_servers"].append(more)

    # The script of that one is an output; what the contract promises grows.
    changed = _preview(lab, edit)
    assert ("update", "Secret") in changed
    assert not {one for one in changed if one[0] != "update" or one[1] == "Command"}


def test_taking_a_server_out_runs_what_leaves(lab: Lab) -> None:
    def edit(hetzner: Config) -> None:
        del hetzner["gpu_servers"][0]

    changed = _preview(lab, edit)
    assert ("delete", "Command") in changed
    assert {kind for operation, kind in changed if operation == "delete"} == {"Command"}


def test_at_a_destroy_servers_leave_after_their_daemons_and_before_the_cluster(lab: Lab) -> None:
    secret = lab.sandbox.environment(lab.stack)["GPU_SERVERS_SSH_KEY"].splitlines()[1]
    for path in lab.sandbox.clouds(lab.stack).rglob("*"):
        assert not path.is_file() or f"\n{secret}\n" not in path.read_text("utf-8")
    before = len(lab.journal())
    assert lab.engine().destroy().changed
    order: list[Any] = [
        (one["type"].rpartition(":")[2], one["name"]) for one in lab.journal()[before:]
    ]
    left = order.index(("Command", "substrate-gpu-servers-ada-0"))
    assert order.index(("Release", "substrate-gpu-operator-release")) < left
    assert left < order.index(("Server", "substrate-control-plane-0-server"))
    assert left < order.index(("NetworkSubnet", "substrate-network-vswitch"))
