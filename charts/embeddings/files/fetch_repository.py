# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Fetch one commit of a repository on the Hugging Face hub, and check every file of it.

Runs in the init container, the only one that gets the hub's token, with nothing but Python's own
library. The hub says the SHA-256 of a large file and the git hash of a small one; a file that
does not match ends the container with an error, and the engine never starts.
"""

import hashlib
import http.client
import json
import os
import pathlib
import shutil
import sys
import urllib.parse
import urllib.request
from typing import Any

HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
MARK = ".staged"
ENDINGS = (".json", ".safetensors", ".model", ".txt", ".onnx", ".onnx_data")
"""What the engine reads: safetensors or ONNX weights, the tokenizer and the settings."""
TIMEOUT_SECONDS = 60
BLOCK_BYTES = 1 << 20


class FetchError(Exception):
    """What the hub sent is not what it announced."""


class TokenStaysHome(urllib.request.HTTPRedirectHandler):
    """Large files come from another host, and the token is for the hub alone."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the signature is that of the base class
        self,
        req: urllib.request.Request,
        fp: Any,  # noqa: ANN401
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request, without the token where it goes to another host."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and _host(following.full_url) != _host(req.full_url):
            following.remove_header("Authorization")
        return following


OPENER = urllib.request.build_opener(TokenStaysHome)


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def request(path: str) -> urllib.request.Request:
    """Return a request to the hub, with the token where there is one."""
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return urllib.request.Request(f"{HUB}{path}", headers=headers)  # noqa: S310 - HUB is ours


def files(repository: str, revision: str) -> list[dict[str, Any]]:
    """Return what the hub says of each file that the engine reads."""
    path = f"/api/models/{repository}/revision/{revision}?blobs=true"
    with OPENER.open(request(path), timeout=TIMEOUT_SECONDS) as answer:
        described = json.load(answer)
    if described.get("sha") != revision:
        msg = f"the hub answered with commit {described.get('sha')} instead of {revision}"
        raise FetchError(msg)
    wanted = [one for one in described["siblings"] if one["rfilename"].endswith(ENDINGS)]
    safetensors = any(one["rfilename"].endswith(".safetensors") for one in wanted)
    # The same weights once more, in another format.
    return [one for one in wanted if not (safetensors and ".onnx" in one["rfilename"])]


def check(path: pathlib.Path, described: dict[str, Any]) -> None:
    """Fail unless a file has the hash that the hub announced.

    Raises:
        FetchError: it has another one, or the hub announced none.
    """
    large = described.get("lfs")
    name = described["rfilename"]
    if large is not None:
        digest, wanted = hashlib.sha256(), large["sha256"]
    else:
        # The hash of git: its kind and its size go before the content.
        digest, wanted = hashlib.sha1(usedforsecurity=False), described.get("blobId")
        digest.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as content:
        while block := content.read(BLOCK_BYTES):
            digest.update(block)
    if wanted is None or digest.hexdigest() != wanted:
        msg = f"{name} has hash {digest.hexdigest()}, and the hub announced {wanted}"
        raise FetchError(msg)


def fetch(repository: str, revision: str, described: dict[str, Any], target: pathlib.Path) -> None:
    """Fetch one file below `target` and check it."""
    name = described["rfilename"]
    path = (target / name).resolve()
    if not path.is_relative_to(target.resolve()):
        msg = f"{name} would lie outside of {target}"
        raise FetchError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    quoted = urllib.parse.quote(name)
    source = request(f"/{repository}/resolve/{revision}/{quoted}")
    with OPENER.open(source, timeout=TIMEOUT_SECONDS) as answer, path.open("wb") as out:
        shutil.copyfileobj(answer, out, BLOCK_BYTES)
    check(path, described)


def main(target: pathlib.Path) -> int:
    """Fetch the repository into `target`, and return the exit status."""
    repository, revision = os.environ["REPOSITORY"], os.environ["REVISION"]
    wanted = f"{repository}@{revision}"
    mark = target / MARK
    if mark.is_file() and mark.read_text() == wanted:
        print(f"{wanted} is already here", flush=True)
        return 0
    try:
        for described in files(repository, revision):
            print(f"fetching {described['rfilename']}", flush=True)
            fetch(repository, revision, described, target)
    except (FetchError, OSError, http.client.HTTPException) as error:
        print(f"{wanted}: {error}", file=sys.stderr, flush=True)
        return 1
    mark.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
