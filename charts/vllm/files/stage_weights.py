# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Download files of exact commits from the hub into the pod's own volumes, once, and verify them.

Arguments are `<folder>=<repository>@<commit>`. Runs in the init container, the only one that gets
the hub's token. One that starts again finds the mark of a finished download and does nothing.

What the hub says of a commit is compared with what lies on the disk, file by file: SHA-256 for the
large files, git's own hash for the rest. That finds a download that was cut or mixed up, and a
cache or mirror on the way that changed something. The hub itself is trusted: it says the hashes.
"""

import fnmatch
import hashlib
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from huggingface_hub import (  # pyright: ignore[reportMissingImports]
    HfApi,  # pyright: ignore[reportUnknownVariableType]
    snapshot_download,  # pyright: ignore[reportUnknownVariableType]
)

MARK: Final = ".staged"
SKIPPED: Final = ("*.pt", "*.pth", "*.gguf", "*.onnx", "original/*")
"""Other formats of the same weights: vLLM loads safetensors."""
BLOCK: Final = 16 * 2**20
"""Bytes that are read at once: weights do not fit the memory of the container."""


class MismatchError(Exception):
    """A file is not what the commit says."""


def main(arguments: Sequence[str]) -> int:
    """Stage each argument, and return the exit status."""
    for argument in arguments:
        folder, _, wanted = argument.partition("=")
        repository, _, revision = wanted.partition("@")
        try:
            stage(pathlib.Path(folder), repository, revision)
        except MismatchError as error:
            print(f"{wanted}: {error}", file=sys.stderr, flush=True)
            return 1
    return 0


def stage(target: pathlib.Path, repository: str, revision: str) -> None:
    """Download one commit into `target` and verify it.

    Raises:
        MismatchError: a file is missing or differs.
    """
    wanted = f"{repository}@{revision}"
    mark = target / MARK
    if mark.is_file() and mark.read_text() == wanted:
        print(f"{wanted} is already here", flush=True)
        return
    print(f"downloading {wanted}", flush=True)
    snapshot_download(
        repository, revision=revision, local_dir=str(target), ignore_patterns=list(SKIPPED)
    )
    verified = verify(target, expected(repository, revision))
    print(f"downloaded and verified {verified / 2**30:.1f} GiB", flush=True)
    mark.write_text(wanted)


def expected(repository: str, revision: str) -> dict[str, tuple[str, int | None]]:
    """Return the hash, with its kind, and the size of each file that the commit has for us.

    Raises:
        MismatchError: the hub answered for another commit.
    """
    hub = cast("Any", HfApi())
    found: Any = hub.model_info(repository, revision=revision, files_metadata=True)
    if found.sha != revision:
        message = f"the hub answered for {found.sha}"
        raise MismatchError(message)
    files: dict[str, tuple[str, int | None]] = {}
    for one in found.siblings:
        # As the client itself leaves files out.
        if any(fnmatch.fnmatch(one.rfilename, pattern) for pattern in SKIPPED):
            continue
        # Git keeps small files; large ones it only points to, and the hub knows them by SHA-256.
        sha256 = getattr(one.lfs, "sha256", None)
        digest = f"git:{one.blob_id}" if sha256 is None else f"sha256:{sha256}"
        files[one.rfilename] = (digest, one.size)
    return files


def verify(target: pathlib.Path, files: Mapping[str, tuple[str, int | None]]) -> int:
    """Compare every file with what the commit says, and return their bytes.

    Raises:
        MismatchError: a file is missing or differs. It is removed, so that the next try fetches it.
    """
    total = 0
    for name, (wanted, size) in files.items():
        path = target / name
        if not path.is_file():
            message = f"{name} is missing"
            raise MismatchError(message)
        found = path.stat().st_size
        digest = hashed(path, wanted.partition(":")[0])
        if digest != wanted or size not in {None, found}:
            path.unlink()
            message = f"{name} is not the file of the commit: {digest} instead of {wanted}"
            raise MismatchError(message)
        total += found
    return total


def hashed(path: pathlib.Path, kind: str) -> str:
    """Return the hash of a file: its content's SHA-256, or the SHA-1 by which git names a blob."""
    if kind == "sha256":
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(usedforsecurity=False)
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
