"""A Qdrant that knows collections of points and nothing else, over real HTTP.

Paths and answers follow Qdrant 1.19's REST API. It asks for its key, and refuses a vector of
another size and a collection that is not there, as the real one does.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from email.message import Message
from typing import Any

from tests.charts.json_server import serving

API_KEY = "qdrant-key-only-for-this-test"

Json = dict[str, Any]


class Qdrant:
    """What the double holds, and all that it was told."""

    def __init__(self) -> None:
        """Start empty."""
        self.sizes: dict[str, int] = {}
        self.points: dict[str, dict[str, Json]] = {}
        self.indexes: set[tuple[str, str]] = set()
        self.told: list[str] = []
        self.broken = False
        self.hides = False
        """Says of collections that are there that they are not: another client is faster."""
        self.filters = True
        """False answers as one whose filters do nothing."""
        self.url = ""

    def handle(self, method: str, path: str, key: str | None, body: Any) -> tuple[int, Any]:  # noqa: ANN401, C901, PLR0911, PLR0912
        """Return status and answer of one request."""
        self.told.append(json.dumps(body))
        if self.broken:
            return 500, {"status": {"error": "the disk is full"}}
        if key != API_KEY:
            return 401, {"status": {"error": "Must provide an API key"}}
        _, _, name, *rest = path.split("/")
        if rest == ["exists"]:
            return 200, {"result": {"exists": name in self.sizes and not self.hides}}
        if (method, rest) == ("PUT", []):
            if name in self.sizes:
                return 409, {"status": {"error": "already exists"}}
            assert body["vectors"]["distance"] == "Cosine"
            self.sizes[name], self.points[name] = body["vectors"]["size"], {}
            return 200, {"result": True}
        if name not in self.sizes:
            return 404, {"status": {"error": f"Collection `{name}` doesn't exist!"}}
        if (method, rest) == ("PUT", ["index"]):
            self.indexes.add((name, body["field_name"]))
            return 200, {"result": {"status": "acknowledged"}}
        if (method, rest) == ("PUT", ["points"]):
            for point in body["points"]:
                if len(point["vector"]) != self.sizes[name]:
                    return 400, {"status": {"error": "Vector dimension error"}}
                self.points[name][point["id"]] = point
            return 200, {"result": {"status": "acknowledged"}}
        found = [one for one in self.points[name].values() if self._passes(one, body["filter"])]
        if (method, rest) == ("POST", ["points", "delete"]):
            for one in found:
                del self.points[name][one["id"]]
            return 200, {"result": {"status": "acknowledged"}}
        if (method, rest) == ("POST", ["points", "query"]):
            scored = [
                {"id": one["id"], "score": cosine(one["vector"], body["query"]), **one}
                for one in found
            ]
            near = [one for one in scored if one["score"] >= body["score_threshold"]]
            near.sort(key=lambda one: one["score"], reverse=True)
            return 200, {"result": {"points": near[: body["limit"]]}}
        return 404, {}

    def _passes(self, point: Json, conditions: Json) -> bool:
        if not self.filters:
            return True
        for condition in conditions["must"]:
            value = point["payload"].get(condition["key"])
            if "match" in condition and value != condition["match"]["value"]:
                return False
            limits = condition.get("range", {})
            if "gt" in limits and not value > limits["gt"]:
                return False
            if "lte" in limits and not value <= limits["lte"]:
                return False
        return True


def cosine(one: list[float], other: list[float]) -> float:
    """Return the similarity of two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))


@contextmanager
def running() -> Generator[Qdrant]:
    """Serve on a free port of the loopback until the block ends."""
    state = Qdrant()

    def handle(method: str, path: str, headers: Message, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - a JSON value
        return state.handle(method, path, headers.get("api-key"), body)

    with serving(handle, ("GET", "POST", "PUT")) as state.url:
        yield state
