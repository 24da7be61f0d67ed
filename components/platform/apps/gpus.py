"""Which GPU nodes a pod may use, and how it says so: pure functions of a model and the contract.

Every engine chooses its nodes here, and the rules of a stack's config judge by the same functions.
A pod says what it may use by labels of nodes and by tolerations, never by the names of pools: a
pool that is added later takes models that run already, without a restart of any.

No pod selects GKE's own labels on our pools. GKE refuses a pod that selects a compute class and a
label that is a field of such a class, as the accelerator and spot are (GKE docs, "About custom
ComputeClasses": node selectors for system node labels). The contract names a label that is ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from components.contract import GPU_SHARING, GpuPool, GpuProfile, Taint
from components.platform.config import ModelGpu
from components.platform.values.base import Toleration

USABLE_SHARING: Final = "time-slicing"
"""The one way of sharing that pods of ours can use. On GKE a pod reaches the MPS daemon of its node
only with `hostIPC: true` (GKE docs, "Share GPUs with multiple workloads using NVIDIA MPS"), and Pod
Security keeps host namespaces from models and from tenants (Kubernetes docs, "Pod Security
Standards", baseline)."""

Obstacle = Literal["product", "count", "spot", "shared", "not-shared", "mps"]
"""Why a model cannot use a pool: `shared` and `not-shared` say what the pool is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuNodes:
    """What a pod says of the nodes that it may run on."""

    selector: dict[str, str]
    tolerations: tuple[Toleration, ...]
    runtime_class: str | None


def obstacles(pool: GpuPool, wanted: ModelGpu) -> Iterator[Obstacle]:
    """Yield why a model cannot use a pool; nothing where it can."""
    if wanted.product not in (None, pool.product):
        yield "product"
    if pool.gpus_per_node < wanted.count:
        yield "count"
    if pool.capacity == "spot" and not wanted.spot:
        yield "spot"
    if pool.sharing is None and wanted.shared:
        yield "not-shared"
    if pool.sharing is not None and not wanted.shared:
        yield "shared"
    if pool.sharing not in (None, USABLE_SHARING):
        yield "mps"


def usable_pools(profile: GpuProfile, wanted: ModelGpu) -> tuple[GpuPool, ...]:
    """Return the pools that a model may use, of those that the substrate knows one by one."""
    return tuple(pool for pool in profile.pools if not any(obstacles(pool, wanted)))


def replicas_on(pool: GpuPool, wanted: ModelGpu) -> int:
    """Return how many pods of a model's shape a pool holds with every node there."""
    return pool.max_nodes * (pool.gpus_per_node * pool.clients_per_gpu // wanted.count)


def model_nodes(profile: GpuProfile, wanted: ModelGpu) -> GpuNodes:
    """Return what the pods of a model say of their nodes.

    The taints of spot and of shared nodes keep out who does not tolerate them. Sharing is selected
    too: a share of a GPU is what such a model was sized for.
    """
    selector = dict(profile.node_selector)
    if wanted.product is not None and profile.product_label is not None:
        selector[profile.product_label] = wanted.product
    if wanted.shared:
        selector[GPU_SHARING] = USABLE_SHARING
    return GpuNodes(
        selector=selector,
        tolerations=_tolerations(profile, spot=wanted.spot, shared=wanted.shared),
        runtime_class=profile.runtime_class,
    )


def job_nodes(profile: GpuProfile) -> GpuNodes:
    """Return what the queue says for the jobs of tenants.

    A job on spot nodes says so itself, by a toleration of its own: only its author knows whether
    it may be started again. One that shares a GPU alike.
    """
    return GpuNodes(
        selector=dict(profile.node_selector),
        tolerations=_tolerations(profile, spot=False, shared=False),
        runtime_class=profile.runtime_class,
    )


def any_nodes(profile: GpuProfile) -> GpuNodes:
    """Return what the proof of a GPU says: it takes whatever comes, and is started again."""
    return GpuNodes(
        selector=dict(profile.node_selector),
        tolerations=_tolerations(
            profile, spot=True, shared=any(pool.sharing for pool in profile.pools)
        ),
        runtime_class=profile.runtime_class,
    )


def _tolerations(profile: GpuProfile, *, spot: bool, shared: bool) -> tuple[Toleration, ...]:
    found = [*profile.tolerations, *(profile.spot_tolerations if spot else ())]
    if shared:
        found.append(Taint(key=GPU_SHARING, value=USABLE_SHARING).toleration())
    return tuple(Toleration(**one.model_dump()) for one in found)
