# ruff: noqa: INP001 - a module that is mounted alone.
"""What the portal asks of LiteLLM: the keys of one person, and the spend of one team.

It calls with LiteLLM's master key. A lesser one is no boundary: whoever may make keys for others
may make one that can do everything. Standard library only.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, cast

Json = dict[str, Any]

REQUEST_SECONDS = 20
PAGE_SIZE = 100
MAX_PAGES = 50
"""Of a list of keys: LiteLLM matches parts of addresses, so that one list holds many people's."""


class LiteLlmError(Exception):
    """LiteLLM refused, did not answer, or answered what its API does not promise."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep the HTTP status; 0 where there was no answer."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Key:
    """A key as LiteLLM knows it, which is never the key itself."""

    token: str
    """Hash of the key, by which LiteLLM names it."""
    name: str
    hint: str
    team: str
    models: tuple[str, ...]
    spend: float
    max_budget: float | None
    expires: str
    created: str
    budget_reset: str


@dataclass(frozen=True)
class Team:
    """What a team has spent in its period."""

    spend: float
    max_budget: float | None
    budget_reset: str


class LiteLlm:
    """LiteLLM behind its address, for one process."""

    def __init__(self, url: str, master_key: str) -> None:
        """Remember where LiteLLM is; no call is made."""
        self._url = url.rstrip("/")
        self._master_key = master_key

    def keys_of(self, user: str) -> list[Key]:
        """Return the keys of exactly one person, newest first.

        LiteLLM 1.89 compares a user id as a part of others and without regard to case: asked for
        ann@example.com it answers with the keys of joann@example.com too.

        Raises:
            LiteLlmError: the list cannot be had, or does not end.
        """
        found: list[Key] = []
        for page in range(1, MAX_PAGES + 1):
            query = urllib.parse.urlencode(
                {
                    "user_id": user,
                    "return_full_object": "true",
                    "size": PAGE_SIZE,
                    "page": page,
                }
            )
            answer = self._call("GET", f"/key/list?{query}")
            found += [_key(one) for one in answer["keys"] if one.get("user_id") == user]
            if page >= int(answer.get("total_pages") or 0):
                return sorted(found, key=lambda key: key.created, reverse=True)
        msg = "the list of keys does not end"
        raise LiteLlmError(msg)

    def team(self, team_id: str) -> Team:
        """Return the spend of a team.

        Raises:
            LiteLlmError: there is no such team, or it cannot be asked for.
        """
        query = urllib.parse.urlencode({"team_id": team_id})
        info = self._call("GET", f"/team/info?{query}")["team_info"]
        return Team(
            spend=float(info.get("spend") or 0),
            max_budget=info.get("max_budget"),
            budget_reset=_text(info.get("budget_reset_at")),
        )

    def make(self, fields: Json) -> str:
        """Make a key and return it: the only time that anybody sees it.

        Raises:
            LiteLlmError: LiteLLM refused.
        """
        value = self._call("POST", "/key/generate", fields).get("key")
        if not isinstance(value, str):
            msg = "POST /key/generate: the answer holds no key"
            raise LiteLlmError(msg)
        return value

    def revoke(self, token: str) -> None:
        """End a key, at once.

        Raises:
            LiteLlmError: LiteLLM refused.
        """
        self._call("POST", "/key/delete", {"keys": [token]})

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        what = f"{method} {path.partition('?')[0]}"
        call = urllib.request.Request(  # noqa: S310 - the scheme is checked at start
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Bearer " + self._master_key,
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(call, timeout=REQUEST_SECONDS) as answer:  # noqa: S310
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            # What LiteLLM says may quote what it was sent, so that it stays out of pages and logs.
            error.close()
            raise LiteLlmError(f"{what}: {error.code}", error.code) from None
        except OSError as error:
            raise LiteLlmError(f"{what}: {error}") from None
        except ValueError:
            raise LiteLlmError(f"{what}: the answer is not JSON") from None
        if not isinstance(found, dict):
            msg = f"{what}: the answer is no object"
            raise LiteLlmError(msg)
        return cast("Json", found)


def _key(one: Json) -> Key:
    # Aliases are unique over all people, so that the person is a part of them.
    alias = _text(one.get("key_alias"))
    return Key(
        token=_text(one.get("token")),
        name=alias.rpartition("/")[2] or "(no name)",
        hint=_text(one.get("key_name")),
        team=_text(one.get("team_id")),
        models=tuple(one.get("models") or ()),
        spend=float(one.get("spend") or 0),
        max_budget=one.get("max_budget"),
        expires=_text(one.get("expires")),
        created=_text(one.get("created_at")),
        budget_reset=_text(one.get("budget_reset_at")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
