"""One GKE pool of every kind: Google takes them all, and no edit of one replaces it.

The stack has nothing but its pools.
"""

import copy
from typing import Any

import pytest

from tests.engine.conftest import Config, Lab, lab_in, stack_object

pytestmark = pytest.mark.engine

IMAGE = "projects/my-project/global/images/vllm"
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "zones": {"zones": ["us-central1-b", "us-central1-c"], "location_policy": "balanced"},
    "spot": {"capacity": "spot", "driver_version": "latest"},
    "waiting": {"capacity": "flex-start"},
    "reserved": {"capacity": "reservation", "reservation": "l4-reserved"},
    "blue-green": {"upgrade": {"strategy": "blue-green", "batch_nodes": 2}},
    "surge": {"upgrade": {"max_surge": 1, "max_unavailable": 0}},
    "sliced": {"sharing": {"strategy": "time-slicing", "clients_per_gpu": 4}},
    "mps": {"sharing": {"strategy": "mps", "clients_per_gpu": 4}},
    "preloaded": {"image_streaming": True, "preloaded_images": [IMAGE]},
    "t4": {"accelerator": "nvidia-tesla-t4", "accelerators_per_node": 4},
    "a100": {"accelerator": "nvidia-tesla-a100", "accelerators_per_node": 16},
    "a100-80": {"accelerator": "nvidia-a100-80gb"},
    "h100": {"accelerator": "nvidia-h100-80gb", "capacity": "spot"},
    "h100-waiting": {"accelerator": "nvidia-h100-80gb", "capacity": "flex-start"},
    "h100-mega": {"accelerator": "nvidia-h100-mega-80gb", "accelerators_per_node": 8},
    "rtx": {"accelerator": "nvidia-rtx-pro-6000", "accelerators_per_node": 2},
}

UPDATES: dict[str, dict[str, Any]] = {
    "plain": {"max_nodes": 5, "min_nodes": 1},
    "zones": {"zones": ["us-central1-b"]},
    "spot": {"max_nodes": 9, "machine_type": "g2-standard-8"},
    "waiting": {"disk_size_gib": 300},
    "blue-green": {"upgrade": {"max_surge": 1}},
    "surge": {"upgrade": {"strategy": "blue-green"}},
    "mps": {"image_streaming": True},
}
NEW_POOLS: dict[str, dict[str, Any]] = {
    "reserved": {"reservation": "another"},
    "sliced": {"sharing": None},
    "preloaded": {"preloaded_images": [f"{IMAGE}-2"]},
    "t4": {"accelerators_per_node": 2},
    "a100-80": {"driver_version": "latest"},
    "h100": {"capacity": "flex-start"},
    "rtx": {"capacity": "spot"},
}
"""What Google cannot change on a pool."""


def with_pools(config: Config, edits: dict[str, dict[str, Any]]) -> Config:
    """Return a config with a pool of every kind, some of them edited; None takes a key away."""
    edited = copy.deepcopy(config)
    stack = stack_object(edited)
    stack["platform"]["profile"] = "platform"
    stack["models"], stack["tenants"] = [], []
    pools = [
        {"name": name, "accelerator": "nvidia-l4", **settings, **edits.get(name, {})}
        for name, settings in KINDS.items()
    ]
    stack["gke"]["gpu_pools"] = [
        {key: value for key, value in pool.items() if value is not None} for pool in pools
    ]
    return edited


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a stack with a pool of every kind, brought up."""
    committed = lab_in(tmp_path_factory.mktemp("gke-pools"), "gke")
    lab = Lab(stack="gke", sandbox=committed.sandbox, config=with_pools(committed.config, {}))
    assert lab.engine().up().changed
    return lab


def operations_on_pools(lab: Lab) -> list[str]:
    """Return what was done to pools so far, in order."""
    return [
        entry["operation"]
        for entry in lab.journal()
        if entry["type"] == "gcp:container/nodePool:NodePool"
    ]


def test_a_pool_of_every_kind_is_made_and_then_left_alone(lab: Lab) -> None:
    assert operations_on_pools(lab) == ["create"] * (1 + len(KINDS))
    assert not lab.engine().up().changed


def test_edits_change_pools_or_make_new_ones_before_the_old_ones_go(lab: Lab) -> None:
    before = len(operations_on_pools(lab))
    run = lab.engine(with_pools(lab.config, {**UPDATES, **NEW_POOLS})).up()
    assert not [operation for operation in run.operations if "replace" in operation]
    done = operations_on_pools(lab)[before:]
    updates, news = ["update"] * len(UPDATES), len(NEW_POOLS)
    assert sorted(done[:-news]) == sorted([*updates, *["create"] * news])
    assert done[-news:] == ["delete"] * news


def test_the_way_back_leaves_what_there_was(lab: Lab) -> None:
    assert lab.engine().up().changed
    assert not lab.engine().preview().changed
