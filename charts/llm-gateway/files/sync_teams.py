# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Make LiteLLM's teams equal to the tenants: one team a tenant, its name the team id.

Reads the tenants from a JSON file, the address and the master key from the environment. Standard
library only, so that any image with Python 3.9 runs it. Changes only what differs: LiteLLM starts a
new budget period whenever a team's period is written. Never deletes a team, whose spend is history.

Exit status: 0 when every team is as it should be, 1 when one is not, 2 when LiteLLM is not there.
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Optional

Json = dict[str, Any]

NO_MODELS = ["no-default-models"]
"""LiteLLM reads an empty list as every model; this name matches none."""

REQUEST_SECONDS = 30
NOT_FOUND = 404


class LiteLlmError(Exception):
    """LiteLLM refused a request, or answered what its API does not promise."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep the HTTP status; 0 where the answer itself was the problem."""
        super().__init__(message)
        self.status = status


def request(method: str, path: str, body: Optional[Json] = None) -> Json:  # noqa: UP045 - 3.9
    """Return the parsed JSON answer.

    Raises:
        LiteLlmError: LiteLLM answered with an error status, or with something else than JSON.
        OSError: LiteLLM cannot be reached.
    """
    what = f"{method} {path.partition('?')[0]}"
    call = urllib.request.Request(  # noqa: S310 - the scheme is checked in main()
        os.environ["LITELLM_URL"].rstrip("/") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + os.environ["LITELLM_MASTER_KEY"],
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(call, timeout=REQUEST_SECONDS) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")[:500]
        raise LiteLlmError(f"{what}: {error.code}: {text}", error.code) from None
    except ValueError:
        raise LiteLlmError(f"{what}: the answer is not JSON") from None


def wait_until_ready() -> bool:
    """Return whether LiteLLM is ready, database included, within the time."""
    deadline = time.monotonic() + float(os.environ.get("WAIT_SECONDS", "300"))
    while True:
        try:
            if request("GET", "/health/readiness").get("db") == "connected":
                return True
            problem = "its database is not connected"
        except (LiteLlmError, OSError) as error:
            problem = str(error)
        if time.monotonic() >= deadline:
            print(f"LiteLLM is not ready: {problem}", file=sys.stderr)
            return False
        time.sleep(float(os.environ.get("PAUSE_SECONDS", "5")))


def wanted(team: Json) -> Json:
    """Return a tenant as the fields of LiteLLM's team."""
    return {
        "team_alias": team["name"],
        "models": sorted(team["models"]) or NO_MODELS,
        "max_budget": team["maxBudgetUsd"],
        "budget_duration": team["budgetDuration"],
        "rpm_limit": team["requestsPerMinute"],
        "tpm_limit": team["tokensPerMinute"],
    }


def current(team_id: str) -> Optional[Json]:  # noqa: UP045 - 3.9
    """Return the team as LiteLLM has it, or None."""
    query = urllib.parse.urlencode({"team_id": team_id})
    try:
        answer = request("GET", f"/team/info?{query}")
    except LiteLlmError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    team: Json = answer["team_info"]
    return team


def same(name: str, have: Any, want: Any) -> bool:  # noqa: ANN401 - a field of any kind
    """Return whether a field is as it should be; the order of models says nothing."""
    return bool(sorted(have or []) == want if name == "models" else have == want)


def sync(team: Json) -> str:
    """Create or update one team and return what was done."""
    team_id, fields = team["name"], wanted(team)
    have = current(team_id)
    if have is None:
        request("POST", "/team/new", {"team_id": team_id, **fields})
        return "created"
    changed = {key: value for key, value in fields.items() if not same(key, have.get(key), value)}
    if not changed:
        return "unchanged"
    request("POST", "/team/update", {"team_id": team_id, **changed})
    return "updated: " + ", ".join(sorted(changed))


def main(path: str) -> int:
    """Bring every team in line and return the exit status."""
    if not os.environ["LITELLM_URL"].startswith(("http://", "https://")):
        print("LITELLM_URL is no HTTP address", file=sys.stderr)
        return 2
    teams = json.loads(pathlib.Path(path).read_text())
    if not wait_until_ready():
        return 2
    failed = False
    for team in teams:
        try:
            print(f"team {team['name']}: {sync(team)}", flush=True)
        except (LiteLlmError, OSError, KeyError) as error:
            failed = True
            print(f"team {team['name']}: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
