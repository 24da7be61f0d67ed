# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Download the weights of one revision from the hub into the pod's own volume, once.

Runs in the init container, the only one that gets the hub's token. One that starts again
finds the mark of a finished download and does nothing.
"""

import os
import pathlib
import sys

from huggingface_hub import snapshot_download  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

MARK = ".staged"
SKIPPED = ("*.pt", "*.pth", "*.gguf", "*.onnx", "original/*")
"""Other formats of the same weights: vLLM loads safetensors."""


def main(target: pathlib.Path) -> int:
    """Download into `target`, and return the exit status."""
    repository, revision = os.environ["REPOSITORY"], os.environ["REVISION"]
    wanted = f"{repository}@{revision}"
    mark = target / MARK
    if mark.is_file() and mark.read_text() == wanted:
        print(f"{wanted} is already here", flush=True)
        return 0
    print(f"downloading {wanted}", flush=True)
    snapshot_download(
        repository, revision=revision, local_dir=str(target), ignore_patterns=list(SKIPPED)
    )
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"downloaded {size / 2**30:.1f} GiB", flush=True)
    mark.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
