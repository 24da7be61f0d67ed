"""A LiteLLM that knows teams and keys and nothing else, over real HTTP, as strict as the real one.

Paths, fields, status codes and answers follow LiteLLM 1.89.2 (proxy/management_endpoints/
{team,key_management}_endpoints.py and proxy/_types.py). It refuses what the real one would drop in
silence: a field that a request class does not have.
"""

import hashlib
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.charts.json_server import serving

MASTER_KEY = "sk-only-for-this-test"
FIELDS: dict[str, type | tuple[type, ...]] = {
    "team_id": str,
    "team_alias": str,
    "models": list,
    "max_budget": (int, float),
    "budget_duration": str,
    "rpm_limit": int,
    "tpm_limit": int,
    "blocked": bool,
    "metadata": dict,
}
"""Fields that both NewTeamRequest and UpdateTeamRequest have, and that concern us."""
KEY_FIELDS: dict[str, type | tuple[type, ...]] = {
    "key": str,
    "key_alias": str,
    "team_id": str,
    "models": list,
    "allowed_routes": list,
    "max_parallel_requests": int,
    "max_budget": (int, float),
    "budget_duration": str,
    "rpm_limit": int,
    "tpm_limit": int,
    "user_id": str,
    "duration": str,
    "metadata": dict,
}
"""Fields that both GenerateKeyRequest and UpdateKeyRequest have, and that concern us."""
GENERATE_FIELDS = KEY_FIELDS | {"key_type": str}
ROUTES_OF_TYPE = {"llm_api": ["llm_api_routes"], "default": []}
"""What LiteLLM makes of a type of key (handle_key_type); it keeps the routes and not the type."""


class LiteLlm:
    """What the double holds, and what was asked of it."""

    def __init__(self) -> None:
        """Start without teams, ready at once."""
        self.teams: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        """By the hash of the key, as in its database."""
        self.details: dict[str, dict[str, Any]] = {}
        """What LiteLLM itself writes beside the fields of a key, by the same hash."""
        self.paths: list[str] = []
        self.writes: list[tuple[str, dict[str, Any]]] = []
        self.unready_answers = 0
        self.broken_team: str | None = None
        self.url = ""

    def handle(self, method: str, path: str, key: str, body: Any) -> tuple[int, Any]:  # noqa: ANN401, PLR0911
        """Return status and answer of one request."""
        self.paths.append(path)
        route, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        if (method, route) == ("GET", "/health/readiness"):
            if self.unready_answers > 0:
                self.unready_answers -= 1
                return 503, {"status": "unhealthy", "db": "disconnected"}
            return 200, {"status": "connected", "db": "connected"}
        if key != f"Bearer {MASTER_KEY}":
            return 401, {"error": {"message": "Authentication Error", "code": "401"}}
        if (method, route) == ("GET", "/team/info"):
            (team_id,) = query["team_id"]
            return self._info(team_id)
        if method == "POST" and route in {"/team/new", "/team/update"}:
            return self._write(route, body)
        if (method, route) == ("GET", "/key/info"):
            (name,) = query["key"]
            return self._key_info(name)
        if method == "POST" and route == "/key/delete":
            return self._delete_keys(body)
        lists = {"/key/list": self._list_keys, "/v2/team/list": self._list_teams}
        if method == "GET" and route in lists:
            return lists[route]({name: values[0] for name, values in query.items()})
        if method == "POST" and route in {"/key/generate", "/key/update"}:
            return self._write_key(route, body)
        return 404, {"detail": "Not Found"}

    def _key_info(self, name: str) -> tuple[int, Any]:
        hashed = digest(name) if name.startswith("sk-") else name
        if hashed not in self.keys:
            return 404, {"error": {"message": "Key not found in database", "code": "404"}}
        return 200, {"key": name, "info": {"spend": 0.5, **self.keys[hashed]}}

    def _list_keys(self, query: dict[str, str]) -> tuple[int, Any]:
        """As for its administrator: a user id is found within others, whatever its case."""
        wanted, size, page = query["user_id"], int(query["size"]), int(query["page"])
        if not 1 <= size <= 100 or page < 1 or query["return_full_object"] != "true":
            return 422, {"detail": [{"loc": ["query"], "msg": "out of bounds"}]}
        found = [
            {"token": name, **self.details[name], **key}
            for name, key in self.keys.items()
            if wanted.lower() in str(key.get("user_id", "")).lower()
        ]
        return 200, {
            "keys": found[(page - 1) * size : page * size],
            "total_count": len(found),
            "current_page": page,
            "total_pages": -(-len(found) // size),
        }

    def _delete_keys(self, body: dict[str, list[str]]) -> tuple[int, Any]:
        if not body.keys() <= {"keys", "key_aliases"}:
            return 422, {"detail": [{"loc": ["body"], "msg": "unknown"}]}
        tokens, aliases = body.get("keys", []), body.get("key_aliases", [])
        gone = [
            name for name, key in self.keys.items() if name in tokens or key["key_alias"] in aliases
        ]
        if not gone:
            return 404, {"detail": {"error": "No keys found"}}
        for name in gone:
            del self.keys[name], self.details[name]
        self.writes.append(("/key/delete", dict(body)))
        return 200, {"deleted_keys": tokens or aliases}

    def _write_key(self, route: str, body: dict[str, Any]) -> tuple[int, Any]:
        known = GENERATE_FIELDS if route == "/key/generate" else KEY_FIELDS
        for name, value in body.items():
            if name not in known or not isinstance(value, known[name]):
                return 422, {"detail": [{"loc": ["body", name], "msg": "unknown or ill-typed"}]}
        if route == "/key/generate" and "key" not in body:
            body = {**body, "key": f"sk-{secrets.token_urlsafe(16)}"}
        if not body["key"].startswith("sk-"):
            return 400, {"error": {"message": f"Invalid key format: {body['key']}"}}
        hashed = digest(body["key"])
        fields = {name: value for name, value in body.items() if name != "key"}
        if route == "/key/generate":
            if fields["key_alias"] in {key["key_alias"] for key in self.keys.values()}:
                return 400, {"error": {"message": "Key with this alias already exists"}}
            if "team_id" in fields and fields["team_id"] not in self.teams:
                return 400, {"error": {"message": f"Unable to find team; key={body['key']}"}}
            routes = ROUTES_OF_TYPE[fields.pop("key_type", "default")]
            self.keys[hashed] = {"allowed_routes": routes, "models": []}
            self.details[hashed] = {
                "spend": 0.0,
                "key_name": f"sk-...{body['key'][-4:]}",
                "created_at": datetime.now(UTC).isoformat(),
                "expires": expiry(fields.pop("duration", None)),
            }
        elif hashed not in self.keys:
            return 404, {"error": {"message": "Key not found"}}
        self.keys[hashed].update(fields)
        self.writes.append((route, {**fields, "key": "…"}))
        return 200, {"key": body["key"], **fields}

    def _info(self, team_id: str) -> tuple[int, Any]:
        if team_id not in self.teams:
            return 404, {"detail": {"message": f"Team not found, passed team id: {team_id}."}}
        team = {"spend": 1.5, "blocked": False, **self.teams[team_id]}
        return 200, {"team_id": team_id, "team_info": team, "keys": [], "team_memberships": []}

    def _list_teams(self, query: dict[str, str]) -> tuple[int, Any]:
        size, page = int(query["page_size"]), int(query["page"])
        if not 1 <= size <= 100 or page < 1:
            return 422, {"detail": [{"loc": ["query"], "msg": "out of bounds"}]}
        # What is no column of its choice it ignores; then they come in the order of their making.
        order = sorted(self.teams) if query["sort_by"] == "team_id" else reversed(self.teams)
        found = [self._info(team_id)[1]["team_info"] for team_id in order]
        return 200, {
            "teams": found[(page - 1) * size : page * size],
            "total": len(found),
            "page": page,
            "page_size": size,
            "total_pages": -(-len(found) // size),
        }

    def _write(self, route: str, body: dict[str, Any]) -> tuple[int, Any]:
        for name, value in body.items():
            if name not in FIELDS or not isinstance(value, FIELDS[name]):
                return 422, {"detail": [{"loc": ["body", name], "msg": "unknown or ill-typed"}]}
        team_id = body["team_id"]
        if team_id == self.broken_team:
            return 500, {"error": {"message": "the database is gone"}}
        if route == "/team/new" and team_id in self.teams:
            return 400, {"error": {"message": f"Team id = {team_id} already exists."}}
        if route == "/team/update" and team_id not in self.teams:
            return 404, {"detail": {"error": f"Team not found, passed team_id={team_id}"}}
        self.writes.append((route, body))
        self.teams.setdefault(team_id, {}).update(body)
        return 200, {"team_id": team_id, "data": self.teams[team_id]}


def expiry(duration: str | None) -> str | None:
    """Return when a key ends whose duration is days, such as `30d`."""
    if duration is None:
        return None
    return (datetime.now(UTC) + timedelta(days=int(duration.removesuffix("d")))).isoformat()


def digest(key: str) -> str:
    """Return what LiteLLM keeps of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


@contextmanager
def running() -> Generator[LiteLlm]:
    """Serve on a free port of the loopback until the block ends."""
    state = LiteLlm()

    def handle(method: str, path: str, headers: Message, body: Any) -> tuple[int, Any]:  # noqa: ANN401 - a JSON value
        return state.handle(method, path, headers.get("Authorization", ""), body)

    with serving(handle, ("GET", "POST")) as state.url:
        yield state
