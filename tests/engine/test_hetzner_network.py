"""A Hetzner stack with a vSwitch and a load balancer before the API, by the real engine.

It is brought up, left alone, previewed with other ways to the API, and taken down.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.records import Run
from tests.engine.conftest import Config, Lab, lab_in, stack_object

pytestmark = pytest.mark.engine

HETZNER: dict[str, Any] = {
    "location": "nbg1",
    "api_allowed_cidrs": ["203.0.113.0/24"],
    "control_plane": {"count": 3, "load_balancer": "private"},
    "worker_pools": [{"name": "platform", "count": 2}],
    "vswitch": {"id": 4711, "cidr": "10.0.128.0/24"},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a stack without GPUs that has both."""
    committed = lab_in(tmp_path_factory.mktemp("hetzner-network"), "hetzner")
    config = copy.deepcopy(committed.config)
    stack = stack_object(config)
    stack["hetzner"] = copy.deepcopy(HETZNER)
    stack["platform"]["profile"] = "platform"
    del stack["models"], stack["tenants"]
    return Lab(stack="hetzner", sandbox=committed.sandbox, config=config)


@pytest.fixture(scope="module")
def up(lab: Lab) -> Run:
    return lab.engine().up()


@pytest.fixture(scope="module")
def again(lab: Lab, up: Run) -> Run:
    assert up.changed
    return lab.engine().up()


@pytest.fixture(scope="module")
def destroyed(lab: Lab, again: Run) -> list[dict[str, Any]]:
    """Destroy the stack, and return what the providers did."""
    assert not again.changed
    before = len(lab.journal())
    assert lab.engine().destroy().changed
    return lab.journal()[before:]


def preview(lab: Lab, edit: Callable[[Config], None]) -> set[tuple[str, str]]:
    """Return what an edit of the section does to which kind of resource."""
    config = copy.deepcopy(lab.config)
    edit(stack_object(config)["hetzner"])
    return {
        (one.operation, one.kind)
        for one in lab.engine(config).preview().resources
        if one.custom and one.operation != "same"
    }


def at_hetzner(lab: Lab) -> list[Path]:
    return list((lab.sandbox.clouds(lab.stack) / "cloud" / "hcloud").rglob("*.json"))


def test_an_up_makes_the_subnet_and_the_load_balancer(up: Run) -> None:
    made = [one.kind for one in up.resources if one.operation == "create"]
    assert made.count("NetworkSubnet") == 2
    for kind in ("LoadBalancer", "LoadBalancerNetwork", "LoadBalancerService"):
        assert made.count(kind) == 1
    assert made.count("LoadBalancerTarget") == 1


def test_a_second_up_changes_nothing(lab: Lab, again: Run) -> None:
    assert not again.changed
    assert at_hetzner(lab)


def test_another_way_to_the_api_touches_no_server(lab: Lab, again: Run) -> None:
    assert not again.changed

    def public(section: Config) -> None:
        section["control_plane"]["load_balancer"] = "public"
        section["api_allowed_cidrs"] = []

    assert preview(lab, public) == {
        ("update", "Firewall"),
        ("update", "LoadBalancerNetwork"),
        ("update", "Command"),
        ("update", "kubernetes provider"),
    }


def test_without_the_load_balancer_it_alone_goes(lab: Lab, again: Run) -> None:
    assert not again.changed
    done = preview(lab, lambda section: section["control_plane"].pop("load_balancer"))
    assert done == {
        ("delete", "LoadBalancer"),
        ("delete", "LoadBalancerNetwork"),
        ("delete", "LoadBalancerService"),
        ("delete", "LoadBalancerTarget"),
    }


def test_without_the_vswitch_its_subnet_goes_and_the_tunnel_is_told(lab: Lab, again: Run) -> None:
    assert not again.changed
    done = preview(lab, lambda section: section.pop("vswitch"))
    assert done == {("delete", "NetworkSubnet"), ("update", "Release")}


def test_applications_go_while_what_frees_their_load_balancers_lives(
    destroyed: list[dict[str, Any]],
) -> None:
    gone = [entry["type"] for entry in destroyed if entry["operation"] == "delete"]
    last_application = max(
        index for index, kind in enumerate(gone) if kind.endswith(":Application")
    )
    first = min(index for index, kind in enumerate(gone) if kind.startswith("hcloud:"))
    assert last_application < first


def test_a_destroy_leaves_nothing_at_hetzner(lab: Lab, destroyed: list[dict[str, Any]]) -> None:
    assert not [entry for entry in destroyed if entry.get("error")]
    assert not at_hetzner(lab)
