# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Compute on the GPU with the engine's own PyTorch, and check the result against the CPU's."""

import importlib
import sys
from typing import Any

torch: Any = importlib.import_module("torch")

SIZE = 1024
TOLERANCE = 1e-2
"""Relative. The GPU multiplies in TF32: ten bits of mantissa, over sums of 1024 terms."""


def main() -> int:
    """Print what was found, and return the exit status."""
    if not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} (CUDA {torch.version.cuda}) sees no GPU", flush=True)
        return 1
    torch.manual_seed(0)
    left, right = torch.rand(SIZE, SIZE), torch.rand(SIZE, SIZE)
    expected = left @ right
    status = 0
    for index in range(torch.cuda.device_count()):
        device = f"cuda:{index}"
        name = torch.cuda.get_device_name(index)
        free, total = torch.cuda.mem_get_info(index)
        result = (left.to(device) @ right.to(device)).cpu()
        error = ((result - expected).abs() / expected).max().item()
        verdict = "ok" if error < TOLERANCE else "WRONG"
        print(
            f"{device} {name}: {free / 2**30:.1f} of {total / 2**30:.1f} GiB free, "
            f"largest relative error {error:.1e}: {verdict}",
            flush=True,
        )
        if verdict != "ok":
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
