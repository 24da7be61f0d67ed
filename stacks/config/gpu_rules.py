"""Rules between models, tenants and the GPU pools that they may use.

Where the substrate knows its pools one by one, a model is held against those that it may use, by
the functions that choose its nodes. Elsewhere there are only totals to hold it against.
"""

import math
from collections.abc import Iterator
from typing import Final

from components.contract import GpuPool, GpuProfile, SubstrateContract
from components.platform.apps import gpus
from components.platform.config import (
    Engine,
    ImageSource,
    Model,
    replica_range,
)
from stacks.config.problems import Problem, shown
from stacks.config.stack import GkeStack, Stack

GPU_ENGINES: Final[frozenset[Engine]] = frozenset({"vllm", "kserve", "llm_d"})
"""Engines that a GPU pool must hold."""

ENGINE_IMAGE_GIB: Final = 40
"""What the engine's image takes of a node's disk: 12 GB as it is pulled, which containerd may keep,
and 29 GB unpacked (vLLM on GitHub, issue 27154 and pull request 22377)."""

NODE_SYSTEM_GIB: Final = 10
"""What the operating system, GKE's own images and logs take of a node's disk. An assumption: Google
publishes what it reserves for them and for images together, not what they take."""

MODEL_IMAGE_COPIES: Final = 2
"""An image of weights lies on a node twice, as it was pulled and unpacked: weights hardly compress.
An assumption: GKE does not say whether its containerd drops what is unpacked."""

MOST_GPU_MEMORY: Final = 0.95
"""Share of a GPU's memory that engines may take together: as one alone may at most."""

LEAST_MEMORY_SHARE: Final = 0.1
"""The least that `gpu_memory_utilization` may be."""

_DISK_STEP_GIB: Final = 10


def allocatable_gib(disk_gib: float) -> float:
    """Return what GKE leaves pods of a boot disk, for their requests of ephemeral storage.

    GKE docs, "Plan GKE Standard node sizes": local ephemeral storage backed by the boot disk.
    """
    return disk_gib - min(0.5 * disk_gib, 6 + 0.35 * disk_gib, 100) - _evicting_gib(disk_gib)


def allocatable_cpu(vcpus: int) -> float:
    """Return how many cores GKE leaves pods of a machine.

    GKE docs, "Plan GKE Standard node sizes": CPU reservations.
    """
    return vcpus - _reserved(vcpus, ((1, 0.06), (2, 0.01), (4, 0.005), (math.inf, 0.0025)))


def allocatable_memory_gib(memory_gib: float) -> float:
    """Return how much memory GKE leaves pods of a machine.

    GKE docs, "Plan GKE Standard node sizes": memory reservations, and 100 MiB for eviction.
    """
    steps = ((4, 0.25), (8, 0.2), (16, 0.1), (128, 0.06), (math.inf, 0.02))
    return memory_gib - _reserved(memory_gib, steps) - 100 / 1024


def needed_disk_gib(model: Model) -> int:
    """Return the smallest boot disk on which one replica of a model starts and stays."""
    weights = model.resources.weights_gib
    from_image = isinstance(model.source, ImageSource)
    draft = model.speculation is not None and model.speculation.source is not None
    # Each has a volume of its own, and a pod requests them all.
    staged = weights * ((not from_image) + bool(model.lora_adapters) + draft)
    images = ENGINE_IMAGE_GIB + (MODEL_IMAGE_COPIES * weights if from_image else 0)
    disk = _DISK_STEP_GIB
    while (
        allocatable_gib(disk) < staged
        or disk - _evicting_gib(disk) < NODE_SYSTEM_GIB + images + staged
    ):
        disk += _DISK_STEP_GIB
    return disk


def gpu_fit(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    """Yield why a model finds no nodes, or fewer than it has replicas."""
    gpu = contract.gpu
    for index, model in enumerate(stack.models):
        if model.engine not in GPU_ENGINES:
            continue
        path = f"models[{index}]"
        if gpu.max_gpus == 0:
            yield Problem(
                path=f"{path}.gpu",
                message="the substrate has no GPU for it",
                value=shown(model.name),
                fix="add a GPU pool to the substrate, or remove the model",
            )
            continue
        impossible = list(_impossible(f"{path}.gpu", model, gpu))
        yield from impossible
        if impossible:
            continue
        pools = gpus.usable_pools(gpu, model.gpu)
        if gpu.pools and not pools:
            yield _no_pool(f"{path}.gpu", model, gpu)
            continue
        yield from _one_product(f"{path}.gpu", model, pools)
        yield from _replicas(path, stack, model, gpu)
        yield from _memory(f"{path}.gpu_memory_utilization", model, pools)
        yield from _disk(f"{path}.resources.weights_gib", model, pools)
        yield from _host(f"{path}.resources", stack, model, pools)


def gpu_sum(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    """Yield where models that start by themselves, or tenants' quotas, ask for too many GPUs."""
    gpu = contract.gpu
    wanted: dict[frozenset[str], int] = {}
    names: dict[frozenset[str], list[str]] = {}
    for model in stack.models:
        if not (model.autostart and model.engine in GPU_ENGINES):
            continue
        # One that sleeps takes its GPU when it is asked for.
        if model.scaling.to_zero is not None:
            continue
        pools = frozenset(pool.name for pool in gpus.usable_pools(gpu, model.gpu))
        if gpu.pools and not pools:
            continue
        count = replica_range(model, stack.platform.tier).least + _further_replicas(model)
        wanted[pools] = wanted.get(pools, 0) + model.gpu.total * count
        names.setdefault(pools, []).append(model.name)
    for pools in _unions(wanted):
        # Models that may use no other pool than these.
        inside = [one for one in wanted if one <= pools]
        started = sum(wanted[one] for one in inside)
        total = sum(one.gpus for one in gpu.pools if one.name in pools) or gpu.max_gpus
        if started > total > 0:
            yield Problem(
                path="models",
                message=f"models with autostart ({_list(n for one in inside for n in names[one])}) "
                f"want {started} GPUs at once, {_called(pools)} {_have(pools)} {total} at "
                f"{_its(pools)} maximum",
                fix="raise the maximum of a GPU pool, set autostart: false on some models, or let "
                "some of them use other pools",
            )
            # Larger sets of pools are too small for the same reason.
            break
    quota = sum(tenant.gpu_quota for tenant in stack.tenants)
    whole = [pool for pool in gpu.pools if pool.sharing is None]
    total = sum(pool.gpus for pool in whole) if gpu.pools else gpu.max_gpus
    if quota > total:
        yield Problem(
            path="tenants",
            message=f"GPU quotas add up to {quota}, the pools have {total} at their maximum"
            + (" without those that share GPUs" if len(whole) < len(gpu.pools) else ""),
            fix="lower gpu_quota of some tenants, or raise the maximum of a GPU pool",
        )


def compute_class(stack: Stack, contract: SubstrateContract) -> Iterator[Problem]:
    """Yield where the feature is on and no pool belongs to a class."""
    offered = contract.gpu.compute_class is not None
    if stack.platform.enabled and stack.platform.features.compute_class and not offered:
        yield Problem(
            path="platform.features.compute_class",
            message="the substrate has no GPU pools that belong to a compute class of GKE",
            value="true",
            fix="add gke.gpu_pools"
            if isinstance(stack, GkeStack)
            else "switch it off; or on, in the stack of kind gke whose contract this one takes",
        )


def _impossible(path: str, model: Model, gpu: GpuProfile) -> Iterator[Problem]:
    """Yield what no pool has, whatever the others say."""
    if model.gpu.shared and not gpu.pools:
        yield Problem(
            path=f"{path}.shared",
            message="nodes that share their GPUs are known where a stack of kind gke or hetzner "
            "has them",
            value="true",
            fix="set shared: false",
        )
    if model.gpu.product is not None and model.gpu.product not in gpu.products:
        yield Problem(
            path=f"{path}.product",
            message="no GPU pool has this product",
            value=shown(model.gpu.product),
            allowed=", ".join(gpu.products) or "none",
            fix="name a product of the pools, or leave it out to take any",
        )
    if model.gpu.count > gpu.max_gpus_per_node:
        yield Problem(
            path=f"{path}.count",
            message="no node has so many GPUs, and that many are asked of one",
            value=str(model.gpu.count),
            allowed=f"1 to {gpu.max_gpus_per_node}",
            fix="lower count, or add a pool with more GPUs on a node",
        )


def _no_pool(path: str, model: Model, gpu: GpuProfile) -> Problem:
    found = {pool.name: list(gpus.obstacles(pool, model.gpu)) for pool in gpu.pools}
    pools = {pool.name: pool for pool in gpu.pools}
    why = "; ".join(
        f"{name} {' and '.join(_obstacle(one, pools[name]) for one in obstacles)}"
        for name, obstacles in found.items()
    )
    # What would open a pool by itself.
    alone = {obstacles[0] for obstacles in found.values() if len(obstacles) == 1}
    fixes = [text for obstacle, text in _FIXES.items() if obstacle in alone]
    return Problem(
        path=path,
        message=f"no GPU pool is for this model: {why}",
        value=shown(model.name),
        fix=", or ".join([*fixes, _MORE[gpu.managed_by]]),
    )


_MORE: Final[dict[str, str]] = {
    "gke": "add a pool to gke.gpu_pools that takes it",
    "gpu-operator": "add a server to hetzner.gpu_servers that takes it",
}

_FIXES: Final[dict[gpus.Obstacle, str]] = {
    "spot": "set gpu.spot: true where the model bears to lose a node",
    "shared": "set gpu.shared: true where a part of a GPU is enough",
    "not-shared": "set gpu.shared: false",
    "product": "name another gpu.product",
    "count": "lower gpu.count",
    "mps": "set sharing.strategy: time-slicing on the pool",
}


def _obstacle(obstacle: gpus.Obstacle, pool: GpuPool) -> str:
    match obstacle:
        case "product":
            return f"has {pool.product}"
        case "count":
            return f"has {_counted(pool.gpus_per_node, 'GPU')} on a node"
        case "spot":
            return "is spot"
        case "shared":
            return "shares its GPUs"
        case "not-shared":
            return "does not share its GPUs"
        case "mps":
            return "uses MPS, which needs the host's IPC, and no model has that"


def _one_product(path: str, model: Model, pools: tuple[GpuPool, ...]) -> Iterator[Problem]:
    products = sorted({pool.product for pool in pools})
    if model.gpu.nodes > 1 and len(products) > 1:
        yield Problem(
            path=f"{path}.product",
            message="one replica on several nodes could get GPUs of different products, and runs "
            "as the slowest with the least memory",
            allowed=", ".join(products),
            fix=f"name one, for example product: {products[0]}",
        )


def _replicas(path: str, stack: Stack, model: Model, gpu: GpuProfile) -> Iterator[Problem]:
    pools = gpus.usable_pools(gpu, model.gpu)
    most = replica_range(model, stack.platform.tier).most
    further = _further_replicas(model)
    if gpu.pools:
        held = sum(gpus.replicas_on(pool, model.gpu) for pool in pools) // model.gpu.nodes
        total = sum(pool.gpus for pool in pools)
    else:
        held = gpu.max_gpus // model.gpu.total
        total = gpu.max_gpus
    fitting = held - further
    if most <= fitting:
        return
    beside = f" and {further} beside them" if further else ""
    names = frozenset(pool.name for pool in pools)
    # The same with one more node type allowed may be all that is missing.
    spot = any(list(gpus.obstacles(pool, model.gpu)) == ["spot"] for pool in gpu.pools)
    yield Problem(
        path=f"{path}.replicas.max",
        message=f"{_counted(most, 'replica')}{beside}, each of "
        f"{_counted(model.gpu.total, 'GPU')}"
        f"{f' on {model.gpu.nodes} nodes' if model.gpu.nodes > 1 else ''}, want more than the "
        f"{total} of {_called(names)} at {_its(names)} maximum",
        value=str(most),
        allowed=f"1 to {fitting}" if fitting > 0 else "none: one replica is more",
        fix="lower max, or raise the maximum of a GPU pool"
        + (", or set gpu.spot: true" if spot else ""),
    )


def _memory(path: str, model: Model, pools: tuple[GpuPool, ...]) -> Iterator[Problem]:
    """Yield where engines that share a GPU would together take more memory than it has."""
    if not model.gpu.shared:
        return
    # The scheduler may choose any of the pools.
    crowded = max(pools, key=lambda pool: pool.clients_per_gpu)
    clients = crowded.clients_per_gpu
    if model.gpu_memory_utilization * clients <= MOST_GPU_MEMORY:
        return
    share = math.floor(100 * MOST_GPU_MEMORY / clients) / 100
    most_clients = math.floor(MOST_GPU_MEMORY / LEAST_MEMORY_SHARE)
    yield Problem(
        path=path,
        message=f"{clients} pods share a GPU of pool {crowded.name}, and as many engines with this "
        "share of its memory do not fit",
        value=str(model.gpu_memory_utilization),
        allowed=f"up to {share}" if share >= LEAST_MEMORY_SHARE else None,
        fix=f"write gpu_memory_utilization: {share}, or lower clients_per_gpu of the pool"
        if share >= LEAST_MEMORY_SHARE
        else f"lower clients_per_gpu of the pool to {most_clients} or less, and then this",
    )


def _disk(path: str, model: Model, pools: tuple[GpuPool, ...]) -> Iterator[Problem]:
    """Yield where nodes that a model may come to have too small a disk for it.

    One such pool is enough: its images would fill the node, and what evicts them then takes the
    models beside it along.
    """
    needed = needed_disk_gib(model)
    small = [pool for pool in pools if 0 < pool.disk_size_gib < needed]
    if small:
        yield Problem(
            path=path,
            message=f"the engine, {model.resources.weights_gib} GiB of weights and what GKE keeps "
            f"for the node need a boot disk of {needed} GiB, and "
            + _list(f"{pool.name} has {pool.disk_size_gib}" for pool in small),
            value=str(model.resources.weights_gib),
            fix=f"set disk_size_gib: {needed} on {_called(frozenset(one.name for one in small))}, "
            "or lower weights_gib to what the weights take",
        )


def _host(path: str, stack: Stack, model: Model, pools: tuple[GpuPool, ...]) -> Iterator[Problem]:
    """Yield where one replica asks for more processors or memory than any machine leaves it.

    No node would ever come for it: the autoscaler tries a pod on an empty node first. What GKE's
    own pods take of a node differs by version and is left out.
    """
    if not isinstance(stack, GkeStack) or not pools:
        return
    machines = {pool.name: pool.machine for pool in stack.gke.gpu_pools}
    room = {
        pool.name: (
            allocatable_cpu(machines[pool.name].vcpus),
            allocatable_memory_gib(machines[pool.name].memory_gib),
        )
        for pool in pools
    }
    wanted = model.resources
    if any(wanted.cpu <= cpu and wanted.memory_gib <= memory for cpu, memory in room.values()):
        return
    left = _list(
        f"{name} ({machines[name].name}) leaves {cpu:.4g} CPU and {math.floor(memory)} GiB"
        for name, (cpu, memory) in room.items()
    )
    yield Problem(
        path=path,
        message=f"one replica wants {wanted.cpu:g} CPU and {wanted.memory_gib} GiB of memory, and "
        f"no node has both: {left}",
        value=f"cpu: {wanted.cpu:g}, memory_gib: {wanted.memory_gib}",
        fix="lower cpu or memory_gib, or set a larger machine_type on a pool",
    )


def _reserved(amount: float, steps: tuple[tuple[float, float], ...]) -> float:
    """Return the sum of a share of each step, which is written by its end."""
    reserved = reached = 0.0
    for end, share in steps:
        reserved += share * max(0.0, min(amount, end) - reached)
        reached = end
    return reserved


def _further_replicas(model: Model) -> int:
    """Return how many pods a model has beside its replicas, each with the GPUs of one."""
    on_trial = 0 if model.canary is None else model.canary.replicas
    return on_trial + (model.prefill_replicas if model.engine == "llm_d" else 0)


def _unions(sets: dict[frozenset[str], int]) -> list[frozenset[str]]:
    """Return every union of the sets, the smallest first.

    Counted in single GPUs, models fit exactly when no union of their sets of pools is asked for
    more than it has (Hall's theorem).
    """
    found: set[frozenset[str]] = set()
    for one in sets:
        found |= {one, *(one | other for other in found)}
    return sorted(found, key=lambda one: (len(one), sorted(one)))


def _evicting_gib(disk_gib: float) -> float:
    """Return the free space below which kubelet evicts pods (GKE docs, as `allocatable_gib`)."""
    return 0.1 * disk_gib


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _list(names: Iterator[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _called(pools: frozenset[str]) -> str:
    if not pools:
        return "all pools"
    return f"{'pool' if len(pools) == 1 else 'pools'} {_list(iter(sorted(pools)))}"


def _have(pools: frozenset[str]) -> str:
    return "has" if len(pools) == 1 else "have"


def _its(pools: frozenset[str]) -> str:
    return "its" if len(pools) == 1 else "their"
