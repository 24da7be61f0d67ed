"""The GPU machines that Google sells, and how: plain data from Google's documents.

Sizes and GPUs are those of Compute Engine docs, "Accelerator-optimized machine family"
and "N1 machine series". GKE itself asks for no version that its release channels no longer have but
one: nodes with RTX PRO 6000 need GKE 1.34 (GKE docs, "About GPUs in GKE").
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Accelerator = Literal[
    "nvidia-l4",
    "nvidia-tesla-t4",
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
    "nvidia-h100-mega-80gb",
    "nvidia-rtx-pro-6000",
]
Capacity = Literal["on-demand", "spot", "flex-start", "reservation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A machine type with some number of one GPU."""

    name: str
    vcpus: int
    memory_gib: float
    """Of the host."""
    capacity: tuple[Capacity, ...] = ("on-demand", "spot", "flex-start", "reservation")
    """How Google sells it."""


_SHARED: Final[tuple[Capacity, ...]] = ("spot", "flex-start")
"""A3 machines with fewer than eight GPUs are sold so only (Compute Engine docs, "A3 High machine
types")."""


def _n1(max_vcpus: int) -> tuple[Machine, ...]:
    """Return the N1 machines up to a size, the default first."""
    sizes = (2, 4, 8, 16, 32, 64, 96)
    families = (("standard", 3.75), ("highmem", 6.5), ("highcpu", 0.9))
    types = [Machine(name="n1-standard-1", vcpus=1, memory_gib=3.75)]
    types += [
        Machine(name=f"n1-{family}-{vcpus}", vcpus=vcpus, memory_gib=round(each * vcpus, 2))
        for vcpus, (family, each) in itertools.product(sizes, families)
        if vcpus <= max_vcpus
    ]
    # Four vCPUs and 15 GiB are the least that an engine starts with.
    return tuple(sorted(types, key=lambda one: one.name != "n1-standard-4"))


GPU_MACHINES: Final[Mapping[Accelerator, Mapping[int, tuple[Machine, ...]]]] = {
    "nvidia-l4": {
        1: (
            Machine(name="g2-standard-4", vcpus=4, memory_gib=16),
            Machine(name="g2-standard-8", vcpus=8, memory_gib=32),
            Machine(name="g2-standard-12", vcpus=12, memory_gib=48),
            Machine(name="g2-standard-16", vcpus=16, memory_gib=64),
            Machine(name="g2-standard-32", vcpus=32, memory_gib=128),
        ),
        2: (Machine(name="g2-standard-24", vcpus=24, memory_gib=96),),
        4: (Machine(name="g2-standard-48", vcpus=48, memory_gib=192),),
        8: (Machine(name="g2-standard-96", vcpus=96, memory_gib=384),),
    },
    # Compute Engine docs, "N1 machine series": four T4 take up to 96 vCPUs, fewer up to 48.
    "nvidia-tesla-t4": {1: _n1(48), 2: _n1(48), 4: _n1(96)},
    "nvidia-tesla-a100": {
        1: (Machine(name="a2-highgpu-1g", vcpus=12, memory_gib=85),),
        2: (Machine(name="a2-highgpu-2g", vcpus=24, memory_gib=170),),
        4: (Machine(name="a2-highgpu-4g", vcpus=48, memory_gib=340),),
        8: (Machine(name="a2-highgpu-8g", vcpus=96, memory_gib=680),),
        16: (Machine(name="a2-megagpu-16g", vcpus=96, memory_gib=1360),),
    },
    "nvidia-a100-80gb": {
        1: (Machine(name="a2-ultragpu-1g", vcpus=12, memory_gib=170),),
        2: (Machine(name="a2-ultragpu-2g", vcpus=24, memory_gib=340),),
        4: (Machine(name="a2-ultragpu-4g", vcpus=48, memory_gib=680),),
        8: (Machine(name="a2-ultragpu-8g", vcpus=96, memory_gib=1360),),
    },
    "nvidia-h100-80gb": {
        1: (Machine(name="a3-highgpu-1g", vcpus=26, memory_gib=234, capacity=_SHARED),),
        2: (Machine(name="a3-highgpu-2g", vcpus=52, memory_gib=468, capacity=_SHARED),),
        4: (Machine(name="a3-highgpu-4g", vcpus=104, memory_gib=936, capacity=_SHARED),),
        8: (Machine(name="a3-highgpu-8g", vcpus=208, memory_gib=1872),),
    },
    "nvidia-h100-mega-80gb": {
        8: (Machine(name="a3-megagpu-8g", vcpus=208, memory_gib=1872),),
    },
    "nvidia-rtx-pro-6000": {
        1: (Machine(name="g4-standard-48", vcpus=48, memory_gib=180),),
        2: (Machine(name="g4-standard-96", vcpus=96, memory_gib=360),),
        4: (Machine(name="g4-standard-192", vcpus=192, memory_gib=720),),
        8: (Machine(name="g4-standard-384", vcpus=384, memory_gib=1440),),
    },
}
"""What Google sells with each number of GPUs, the default first. G4 types with a part of a GPU are
left out: GKE counts that part as a whole GPU."""


def boot_disk_type(machine_type: str) -> str:
    """Return the kind of boot disk of a machine type.

    All types that this module and the platform pool know boot from a balanced persistent disk, but
    G4 takes Hyperdisk alone, for volumes of its pods too (Compute Engine docs,
    "Accelerator-optimized machine family").
    """
    return "hyperdisk-balanced" if machine_type.startswith("g4-") else "pd-balanced"
