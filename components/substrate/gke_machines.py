"""The GPU machines that Google sells, and how: plain data from Compute Engine's documents."""

from collections.abc import Mapping
from typing import Final, Literal

Accelerator = Literal[
    "nvidia-l4",
    "nvidia-tesla-t4",
    "nvidia-tesla-a100",
    "nvidia-a100-80gb",
    "nvidia-h100-80gb",
]

_N1_SIZES: Final[Mapping[str, tuple[int, ...]]] = {
    "n1-standard": (1, 2, 4, 8, 16, 32, 64, 96),
    "n1-highmem": (2, 4, 8, 16, 32, 64, 96),
    "n1-highcpu": (2, 4, 8, 16, 32, 64, 96),
}
"""vCPUs of the N1 machine types (Compute Engine docs, "N1 machine series")."""


def _n1_types(max_vcpus: int) -> tuple[str, ...]:
    types = [
        (vcpus, f"{family}-{vcpus}")
        for family, sizes in _N1_SIZES.items()
        for vcpus in sizes
        if vcpus <= max_vcpus
    ]
    # The default comes first: four vCPUs and 15 GB are the least that an engine starts with.
    return ("n1-standard-4", *(name for _, name in sorted(types) if name != "n1-standard-4"))


GPU_MACHINE_TYPES: Final[Mapping[Accelerator, Mapping[int, tuple[str, ...]]]] = {
    "nvidia-l4": {
        1: ("g2-standard-4", "g2-standard-8", "g2-standard-12", "g2-standard-16", "g2-standard-32"),
        2: ("g2-standard-24",),
        4: ("g2-standard-48",),
        8: ("g2-standard-96",),
    },
    "nvidia-tesla-t4": {1: _n1_types(48), 2: _n1_types(48), 4: _n1_types(96)},
    "nvidia-tesla-a100": {
        1: ("a2-highgpu-1g",),
        2: ("a2-highgpu-2g",),
        4: ("a2-highgpu-4g",),
        8: ("a2-highgpu-8g",),
        16: ("a2-megagpu-16g",),
    },
    "nvidia-a100-80gb": {
        1: ("a2-ultragpu-1g",),
        2: ("a2-ultragpu-2g",),
        4: ("a2-ultragpu-4g",),
        8: ("a2-ultragpu-8g",),
    },
    "nvidia-h100-80gb": {
        1: ("a3-highgpu-1g",),
        2: ("a3-highgpu-2g",),
        4: ("a3-highgpu-4g",),
        8: ("a3-highgpu-8g",),
    },
}
"""Machine types that Google sells with each number of GPUs, the default first.

Compute Engine docs, "GPU machine types".
"""

SPOT_ONLY_MACHINE_TYPES: Final = ("a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g")
"""Sold as spot or flex-start capacity only (Compute Engine docs, "A3 High machine types")."""
