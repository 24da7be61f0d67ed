"""Whether the GPU quota of a project holds the pools at their largest: plain data and arithmetic.

Nothing here asks Google: `stacks.quota` does. Ids and dimensions are those of the Cloud Quotas API.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from components.substrate.gke_machines import Accelerator
from components.substrate.gke_topology import GkeGpuPool, GkeTopology

SERVICE: Final = "compute.googleapis.com"
UNLIMITED: Final = -1
"""How the Cloud Quotas API spells a quota without a limit."""

ALL_REGIONS: Final = "GPUS-ALL-REGIONS-per-project"
"""GPUs of all kinds in all regions, spot included: 0 in a new project (Compute Engine docs,
"Allocation quotas")."""

GPU_FAMILY: Final = "GPUS-PER-GPU-FAMILY-per-project-region"
"""On-demand GPUs of the newer products, which are told apart by dimension `gpu_family`."""

_OWN_QUOTA: Final[Mapping[Accelerator, str]] = {
    "nvidia-l4": "NVIDIA-L4",
    "nvidia-tesla-t4": "NVIDIA-T4",
    "nvidia-tesla-a100": "NVIDIA-A100",
    "nvidia-a100-80gb": "NVIDIA-A100-80GB",
}
"""Products whose on-demand GPUs have a quota of their own."""

_FAMILIES: Final[Mapping[Accelerator, str]] = {
    "nvidia-h100-80gb": "NVIDIA-H100",
    "nvidia-h100-mega-80gb": "NVIDIA-H100-MEGA",
    "nvidia-rtx-pro-6000": "NVIDIA-RTX-PRO-6000",
}
"""Products that share `GPU_FAMILY`. Their preemptible GPUs have a quota each, as all others do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """One limit on GPUs, as Google keeps it."""

    quota_id: str
    region: str | None = None
    """None for the one that holds in all regions."""
    gpu_family: str | None = None

    @property
    def metric(self) -> str:
        """What the console and error messages call it, such as NVIDIA_L4_GPUS."""
        name = self.quota_id.split("-per-project")[0].replace("-", "_")
        return name if self.gpu_family is None else f"{name} ({self.gpu_family})"

    @property
    def dimensions(self) -> dict[str, str]:
        """What tells its limit from others of the same id."""
        dimensions = {"region": self.region, "gpu_family": self.gpu_family}
        return {key: value for key, value in dimensions.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A limit as the API answers: one of the entries of `dimensionsInfos`."""

    dimensions: Mapping[str, str]
    locations: tuple[str, ...]
    """Regions that it applies to; `global` or empty for all."""
    value: int


def standard_quota(accelerator: Accelerator, region: str) -> Quota:
    """Return the quota of on-demand GPUs of a product."""
    if accelerator in _FAMILIES:
        family = _FAMILIES[accelerator].replace("-", "_")
        return Quota(quota_id=GPU_FAMILY, region=region, gpu_family=family)
    return Quota(quota_id=f"{_OWN_QUOTA[accelerator]}-GPUS-per-project-region", region=region)


def preemptible_quota(accelerator: Accelerator, region: str) -> Quota:
    """Return the quota of spot and flex-start GPUs of a product."""
    name = {**_OWN_QUOTA, **_FAMILIES}[accelerator]
    return Quota(quota_id=f"PREEMPTIBLE-{name}-GPUS-per-project-region", region=region)


def quotas_of(topology: GkeTopology) -> tuple[Quota, ...]:
    """Return every quota that the pools draw on; none where no pool does."""
    quotas: list[Quota] = []
    for pool in _drawing(topology):
        quotas.append(Quota(quota_id=ALL_REGIONS))
        if _is_preemptible(pool):
            quotas.append(preemptible_quota(pool.accelerator, topology.region))
        quotas.append(standard_quota(pool.accelerator, topology.region))
    return tuple(dict.fromkeys(quotas))


def limit_of(quota: Quota, limits: Sequence[Limit]) -> int | None:
    """Return the limit that is in force for a quota.

    Args:
        quota: which one.
        limits: all that the API answers for its id, the more specific ones first.

    Returns:
        0 where Google lists the quota and grants nothing; None where it does not list it at all.
    """
    for limit in limits:
        fits = all(quota.dimensions.get(key) == value for key, value in limit.dimensions.items())
        regions = set(limit.locations) - {"global"}
        if fits and (quota.region is None or not regions or quota.region in regions):
            return limit.value
    return 0 if limits else None


def shortages(topology: GkeTopology, limits: Mapping[Quota, int | None]) -> tuple[str, ...]:
    """Return what to ask Google for, in words, one message a quota that is too small.

    Counted are the nodes of each pool in the middle of an upgrade. Nodes of a reservation count
    against quota when the reservation is made, not again (Compute Engine docs, "Reservations").
    Spot and flex-start nodes draw on preemptible quota; where a region has none, on that of
    on-demand nodes (Compute Engine docs, "Spot VMs"). What else runs in the project is not seen.

    Args:
        topology: the pools.
        limits: what `limit_of` said of each of `quotas_of`; a quota that is None or absent is not
            judged.
    """
    needs: dict[Quota, list[GkeGpuPool]] = {}
    for pool in _drawing(topology):
        needs.setdefault(Quota(quota_id=ALL_REGIONS), []).append(pool)
        quota = standard_quota(pool.accelerator, topology.region)
        if _is_preemptible(pool):
            preemptible = preemptible_quota(pool.accelerator, topology.region)
            if limits.get(preemptible) != 0:
                quota = preemptible
        needs.setdefault(quota, []).append(pool)
    return tuple(_messages(topology, needs, limits))


def _messages(
    topology: GkeTopology,
    needs: Mapping[Quota, Sequence[GkeGpuPool]],
    limits: Mapping[Quota, int | None],
) -> Iterator[str]:
    for quota, pools in needs.items():
        limit = limits.get(quota)
        needed = sum(_gpus(pool) for pool in pools)
        if limit is None or limit == UNLIMITED or limit >= needed:
            continue
        place = "" if quota.region is None else f" in {quota.region}"
        parts = ", ".join(f"{pool.name} {_gpus(pool)}" for pool in pools)
        message = (
            f"GPU quota {quota.metric} of project {topology.project}{place} is {limit}, and the "
            f"pools grow to {needed} ({parts}; nodes that an upgrade adds are counted): nodes "
            f"beyond it never come. Ask for {needed} or more at {quota_page(topology.project)}, "
            f"filter {quota.quota_id}, or lower max_nodes."
        )
        if quota.quota_id == ALL_REGIONS and limit == 0:
            message += " New projects have 0, which keeps away every GPU of any kind."
        # Spot nodes only come here when their own quota is 0.
        if any(_is_preemptible(pool) for pool in pools) and quota.region is not None:
            own = preemptible_quota(pools[0].accelerator, topology.region)
            if quota != own:
                message += (
                    f" Spot and flex-start nodes count here while {own.metric} is 0: ask for that "
                    "one instead if all of them are."
                )
        yield message


def quota_page(project: str) -> str:
    """Return where people see and raise the quotas of a project."""
    return f"https://console.cloud.google.com/iam-admin/quotas?project={project}"


def _gpus(pool: GkeGpuPool) -> int:
    return pool.most_nodes * pool.accelerators_per_node


def _is_preemptible(pool: GkeGpuPool) -> bool:
    return pool.capacity in ("spot", "flex-start")


def _drawing(topology: GkeTopology) -> Iterator[GkeGpuPool]:
    return (pool for pool in topology.gpu_pools if pool.capacity != "reservation")
