"""Which GPU nodes a pod may use, for every engine and job."""

from typing import Any

import pytest

from components.contract import (
    GPU_SHARING,
    ComputeClass,
    GpuPool,
    GpuProfile,
    SubstrateContract,
    Taint,
    Toleration,
)
from components.platform.apps import gpus
from components.platform.config import Engine, Features, ModelGpu
from components.substrate.gke_topology import gke_profile
from tests.platform.samples import GKE, entries, inputs, model, tenant, values

CLASS = "cloud.google.com/compute-class"
SPOT = Taint(key="cloud.google.com/gke-spot", value="true")
NVIDIA = Taint(key="nvidia.com/gpu", value="present")
ENGINES: tuple[Engine, ...] = ("vllm", "kserve", "llm_d")


def pool(name: str, **changes: Any) -> GpuPool:  # noqa: ANN401 - whatever the field takes
    """Return a pool as a substrate describes it: its labels and taints follow from what it is."""
    fields: dict[str, Any] = {"product": "nvidia-l4", "gpus_per_node": 1, "max_nodes": 2, **changes}
    made = GpuPool(name=name, **fields)
    labels = {"llmp.dev/pool": name, "llmp.dev/gpu-product": made.product, CLASS: "gpus"}
    taints = [NVIDIA, Taint(key=CLASS, value="gpus")]
    if made.capacity == "spot":
        taints.append(SPOT)
    if made.sharing is not None:
        labels[GPU_SHARING] = made.sharing
        taints.append(Taint(key=GPU_SHARING, value=made.sharing))
    return made.model_copy(update={"labels": labels, "taints": tuple(taints)})


POOLS = (
    pool("l4"),
    pool("l4-spot", capacity="spot"),
    pool("l4-four", gpus_per_node=4),
    pool("l4-shared", sharing="time-slicing", clients_per_gpu=2),
    pool("l4-spot-shared", capacity="spot", sharing="time-slicing", clients_per_gpu=2),
    pool("l4-mps", sharing="mps", clients_per_gpu=2),
    pool("l4-reserved", capacity="reservation"),
    pool("t4", product="nvidia-tesla-t4"),
)

PROFILE: GpuProfile = gke_profile(
    products=("nvidia-l4", "nvidia-tesla-t4"), max_gpus=30, max_gpus_per_node=4
).model_copy(
    update={
        "pools": POOLS,
        "product_label": "llmp.dev/gpu-product",
        "node_selector": {CLASS: "gpus"},
        "tolerations": (Toleration(key="nvidia.com/gpu"), Toleration(key=CLASS)),
        "compute_class": ComputeClass(name="gpus", priorities=(("l4",),)),
    }
)

CONTRACT: SubstrateContract = GKE.model_copy(update={"gpu": PROFILE})


def tolerates(tolerations: list[dict[str, Any]], taint: Taint) -> bool:
    """Return what the scheduler would (Kubernetes docs, "Taints and Tolerations")."""
    return any(
        one["key"] == taint.key
        and one["effect"] == taint.effect
        and (one["operator"] == "Exists" or one.get("value") == taint.value)
        for one in tolerations
    )


def takes(one: GpuPool, selector: dict[str, str], tolerations: list[dict[str, Any]]) -> bool:
    """Return whether the scheduler would put a pod on a node of a pool, its GPUs left out."""
    return selector.items() <= one.labels.items() and all(
        tolerates(tolerations, taint) for taint in one.taints
    )


def gpu_of(engine: Engine, wanted: ModelGpu) -> dict[str, Any]:
    features = Features(kserve=True, llm_d=True, multi_node=True)
    found = entries(
        inputs(
            features=features,
            models=(model("qwen", engine=engine, gpu=wanted),),
            tenants=(),
            contract=CONTRACT,
        )
    )
    return values(found["qwen-vllm" if engine == "vllm" else "qwen-kserve"])["gpu"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ModelGpu(), {"l4", "l4-four", "l4-reserved", "t4"}),
        (ModelGpu(product="nvidia-l4"), {"l4", "l4-four", "l4-reserved"}),
        (ModelGpu(spot=True), {"l4", "l4-four", "l4-spot", "l4-reserved", "t4"}),
        (ModelGpu(shared=True), {"l4-shared"}),
        (ModelGpu(shared=True, spot=True), {"l4-shared", "l4-spot-shared"}),
        (ModelGpu(shared=True, product="nvidia-tesla-t4"), set[str]()),
        (ModelGpu(count=4), {"l4-four"}),
    ],
)
def test_the_scheduler_finds_the_pools_that_the_rules_count(
    engine: Engine, wanted: ModelGpu, expected: set[str]
) -> None:
    assert {one.name for one in gpus.usable_pools(PROFILE, wanted)} == expected
    gpu = gpu_of(engine, wanted)
    scheduled = {
        one.name
        for one in POOLS
        if takes(one, gpu.get("nodeSelector", {}), gpu["tolerations"])
        and one.gpus_per_node >= gpu["count"]
    }
    assert scheduled == expected


def test_a_canary_and_all_nodes_of_a_replica_choose_as_their_model_does() -> None:
    wanted = ModelGpu(spot=True, product="nvidia-l4")
    trial = model(
        gpu=wanted, canary={"weight": 5, "engine_image": "docker.io/x@sha256:" + "0" * 64}
    )
    found = entries(inputs(models=(trial,), contract=CONTRACT))
    own, canary = (values(found[f"qwen-small{name}-vllm"])["gpu"] for name in ("", "-canary"))
    assert own == canary
    wide = values(
        entries(
            inputs(
                features=Features(multi_node=True),
                models=(model(gpu=wanted.model_copy(update={"nodes": 2})),),
                contract=CONTRACT,
            )
        )["qwen-small-vllm"]
    )["gpu"]
    assert wide == {**own, "nodes": 2}


@pytest.mark.parametrize("wanted", [ModelGpu(), ModelGpu(spot=True), ModelGpu(shared=True)])
def test_no_pod_selects_a_label_that_gke_refuses_beside_a_class(wanted: ModelGpu) -> None:
    selector = gpus.model_nodes(
        PROFILE, wanted.model_copy(update={"product": "nvidia-l4"})
    ).selector
    assert {key for key in selector if "google.com" in key or "gke.io" in key} == {CLASS}


def test_a_new_pool_changes_nothing_of_a_model_that_runs() -> None:
    more = PROFILE.model_copy(update={"pools": (*POOLS, pool("l4-new", max_nodes=8))})
    for wanted in (ModelGpu(), ModelGpu(spot=True), ModelGpu(shared=True)):
        assert gpus.model_nodes(more, wanted) == gpus.model_nodes(PROFILE, wanted)


def test_tenants_jobs_get_no_toleration_of_spot_or_of_shared_gpus() -> None:
    flavor = values(entries(inputs(tenants=(tenant(),), contract=CONTRACT))["kueue-queues"])[
        "flavor"
    ]
    found = {one.name for one in POOLS if takes(one, flavor["nodeLabels"], flavor["tolerations"])}
    assert found == {"l4", "l4-four", "l4-reserved", "t4"}


def test_the_proof_of_a_gpu_reaches_every_pool_but_those_that_need_the_hosts_ipc() -> None:
    chart = values(
        entries(inputs(features=Features(gpu_smoke=True), contract=CONTRACT))["gpu-smoke"]
    )
    found = {one.name for one in POOLS if takes(one, chart["nodeSelector"], chart["tolerations"])}
    assert found == {one.name for one in POOLS} - {"l4-mps"}


def test_where_pools_are_not_known_a_model_still_says_whether_it_bears_spot() -> None:
    assert gpus.usable_pools(GKE.gpu, ModelGpu()) == ()
    keys = [one.key for one in gpus.model_nodes(GKE.gpu, ModelGpu()).tolerations]
    spot = [one.key for one in gpus.model_nodes(GKE.gpu, ModelGpu(spot=True)).tolerations]
    assert (keys, spot) == (["nvidia.com/gpu"], ["nvidia.com/gpu", SPOT.key])


def test_a_pool_holds_as_many_replicas_as_its_nodes_have_room_for() -> None:
    eight = pool("l4-eight", gpus_per_node=8, max_nodes=3)
    assert gpus.replicas_on(eight, ModelGpu(count=3)) == 6
    shared = pool("l4-shared", sharing="time-slicing", clients_per_gpu=4, max_nodes=3)
    assert gpus.replicas_on(shared, ModelGpu(shared=True)) == 12
