"""A Kubernetes API for the scripts of our charts: few kinds, over real HTTP, with real rights.

It knows what a script was granted, and answers 403 for all else, as the API server does.
"""

import base64
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.charts.json_server import serving

TOKEN = "token-only-for-this-test"  # noqa: S105
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}

Json = dict[str, Any]


class Kubernetes:
    """What the double holds, by path, and what was asked of it."""

    def __init__(self, page: int = 500) -> None:
        """Start empty.

        Args:
            page: objects in one answer to a list.
        """
        self.objects: dict[str, Json] = {}
        self.granted: set[tuple[str, str, str | None]] = set()
        """Verb, path of the collection, and a name where only that one is granted."""
        self.asked: list[tuple[str, str]] = []
        self.page = page
        self.url = ""

    def put(self, collection: str, one: Json) -> Json:
        """Keep an object as the API server would, with what it adds."""
        metadata = one.setdefault("metadata", {})
        metadata.setdefault("uid", str(uuid.uuid4()))
        for name, text in one.pop("stringData", {}).items():
            one.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()
        self.objects[f"{collection}/{metadata['name']}"] = one
        return one

    def handle(  # noqa: PLR0911 - an answer is a return
        self,
        method: str,
        url: str,
        headers: Any,  # noqa: ANN401
        body: Any,  # noqa: ANN401
    ) -> tuple[int, Any]:
        """Return status and answer of one request."""
        path, query = unquote(urlsplit(url).path), parse_qs(urlsplit(url).query)
        self.asked.append((method, path))
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return status(401, "Unauthorized")
        one = path in self.objects or path.rpartition("/")[2] not in {
            granted[1].rpartition("/")[2] for granted in self.granted
        }
        collection, name = (path.rpartition("/")[0], path.rpartition("/")[2]) if one else (path, "")
        verb = VERBS.get(method, "get" if one else "list")
        if not {(verb, collection, None), (verb, collection, name)} & self.granted:
            return status(403, "Forbidden")
        if verb == "create":
            name = body["metadata"]["name"]
            if f"{path}/{name}" in self.objects:
                return status(409, "AlreadyExists")
            return 201, self.put(path, body)
        if verb == "list":
            return self._list(path, query)
        if path not in self.objects:
            return status(404, "NotFound")
        found = self.objects[path]
        if verb == "patch":
            assert headers["Content-Type"] == "application/merge-patch+json"
            found["spec"] = {**found.get("spec", {}), **body["spec"]}
        if verb == "delete":
            if body["preconditions"]["uid"] != found["metadata"]["uid"]:
                return status(409, "Conflict")
            del self.objects[path]
        return 200, found

    def _list(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        label, _, value = query["labelSelector"][0].partition("=")
        items = [
            one
            for key, one in sorted(self.objects.items())
            if key.rpartition("/")[0] == path
            and one["metadata"].get("labels", {}).get(label) == value
        ]
        start = int(query.get("continue", ["0"])[0])
        end = start + self.page
        more = {"continue": str(end)} if end < len(items) else {}
        return 200, {"items": items[start:end], "metadata": more}


def status(code: int, reason: str) -> tuple[int, Any]:
    """Return a Status that quotes what was sent, as those of admission may."""
    return code, {"kind": "Status", "reason": reason, "message": "never shown", "code": code}


@contextmanager
def running(state: Kubernetes) -> Generator[Kubernetes]:
    """Serve on a free port of the loopback until the block ends."""
    with serving(state.handle, ("GET", "POST", "PATCH", "DELETE")) as state.url:
        yield state


def account(folder: Path) -> Path:
    """Write the files that Kubernetes mounts for a service account, and return their folder."""
    mounted = folder / "serviceaccount"
    mounted.mkdir(exist_ok=True)
    (mounted / "token").write_text(TOKEN + "\n")
    return mounted
