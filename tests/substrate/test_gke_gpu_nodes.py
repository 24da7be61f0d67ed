"""GPU pools of GKE as the platform sees them: labels, taints, steps of the compute class."""

import dataclasses

from components.contract import GPU_SHARING, SecretStore
from components.substrate.gke_topology import (
    COMPUTE_CLASS,
    GkeGpuPool,
    GkeGpuSharing,
    gke_contract,
    gke_profile,
)
from tests.substrate.gke_samples import L4_POOL, topology

STORE = SecretStore(kind="kubernetes")
SHARED = GkeGpuSharing(strategy="time-slicing", clients_per_gpu=2)


def named(name: str, **changes: object) -> GkeGpuPool:
    return dataclasses.replace(L4_POOL, name=name, **changes)


def test_the_label_that_models_select_is_on_every_node_and_none_of_gkes() -> None:
    pools = (L4_POOL, named("t4", accelerator="nvidia-tesla-t4"))
    for compute_class in (False, True):
        gpu = gke_contract(
            topology(gpu_pools=pools, compute_class=compute_class), secret_store=STORE
        ).gpu
        assert gpu.product_label is not None
        assert not gpu.product_label.startswith("cloud.google.com/")
        assert [one.labels[gpu.product_label] for one in gpu.pools] == [
            "nvidia-l4",
            "nvidia-tesla-t4",
        ]


def test_on_a_cluster_that_others_made_models_select_gkes_own_label() -> None:
    gpu = gke_profile(products=("nvidia-l4",), max_gpus=1, max_gpus_per_node=1)
    assert gpu.product_label == "cloud.google.com/gke-accelerator"
    assert gpu.compute_class is None


def test_nodes_that_share_say_so_by_label_and_by_taint() -> None:
    gpu = gke_contract(
        topology(gpu_pools=(L4_POOL, named("l4-shared", sharing=SHARED))), secret_store=STORE
    ).gpu
    whole, shared = gpu.pools
    assert shared.labels[GPU_SHARING] == "time-slicing"
    assert [one.value for one in shared.taints if one.key == GPU_SHARING] == ["time-slicing"]
    assert GPU_SHARING not in whole.labels
    assert GPU_SHARING not in [one.key for one in whole.taints]


def test_a_class_goes_by_product_then_by_what_capacity_costs() -> None:
    other = named("t4-spot", accelerator="nvidia-tesla-t4", capacity="spot")
    spot = named("l4-spot", capacity="spot")
    reserved = named("l4-reserved", capacity="reservation", reservation="l4")
    waiting = named("l4-waiting", capacity="flex-start")
    pools = (waiting, L4_POOL, other, spot, reserved)
    offered = gke_contract(
        topology(gpu_pools=pools, compute_class=True), secret_store=STORE
    ).gpu.compute_class
    assert offered is not None
    assert offered.priorities == tuple(
        (one.node_pool_name,) for one in (reserved, spot, L4_POOL, waiting, other)
    )


def test_pools_of_one_product_and_capacity_are_one_step() -> None:
    large = named("l4-eight", accelerators_per_node=8, machine_type="g2-standard-96")
    offered = gke_contract(
        topology(gpu_pools=(large, L4_POOL), compute_class=True), secret_store=STORE
    ).gpu.compute_class
    assert offered is not None
    assert offered.priorities == ((large.node_pool_name, L4_POOL.node_pool_name),)


def test_the_name_of_the_class_is_none_that_gke_keeps_for_itself() -> None:
    # GKE docs, "About custom ComputeClasses": limitations.
    assert not COMPUTE_CLASS.startswith(("gke", "autopilot"))
