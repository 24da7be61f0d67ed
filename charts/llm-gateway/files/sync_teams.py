# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Make LiteLLM's teams equal to the tenants: one team a tenant, its name the team id.

Reads the tenants from a JSON file, the address and the master key from the environment. Standard
library only, so that any image with Python 3.9 runs it. Changes only what differs: LiteLLM starts a
new budget period whenever a team's period is written. A team whose tenant is gone is called so and
blocked, so that no key of its can spend; the tenant's return unblocks it. Never deletes a team: its
spend is history. Leaves teams alone that it did not make.

Then gives each tenant that asks for it a first key, as a Secret of the tenant's namespace. The
Secret decides: while it is there its key stays, and LiteLLM is told of it again should it have
forgotten. Once it is gone there is another key, and the former one ends. At last tells LiteLLM of
the keys that the cluster made for systems. No key is ever printed, nor part of an address.

Exit status: 0 when every team and key is as it should be, 1 when one is not, 2 when LiteLLM is not
there.
"""

import base64
import hashlib
import json
import os
import pathlib
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Optional

import kubernetes_api
from kubernetes_api import KubernetesError, quoted

Json = dict[str, Any]

KEY_ENTRY = "api-key"
KEY_BYTES = 32

NO_MODELS = ["no-default-models"]
"""LiteLLM reads an empty list as every model; this name matches none."""

MADE_HERE = {"managed_by": "litellm-tenants"}
"""What LiteLLM keeps with a team of ours; not where it keeps something else already, which an
update would replace."""
REMOVED = "{} (removed)"
"""What a team is called whose tenant is gone: its block is ours, and not somebody's."""
TEAMS_PER_PAGE = 100

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
        if body and body.get("key"):
            text = text.replace(body["key"], "sk-…")
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
        request("POST", "/team/new", {"team_id": team_id, **fields, "metadata": MADE_HERE})
        return "created"
    changed = {key: value for key, value in fields.items() if not same(key, have.get(key), value)}
    if have.get("team_alias") == REMOVED.format(team_id):
        changed["blocked"] = False
    if not have.get("metadata"):
        changed["metadata"] = MADE_HERE
    if not changed:
        return "unchanged"
    request("POST", "/team/update", {"team_id": team_id, **changed})
    return "updated: " + ", ".join(sorted(changed))


def removed(names: "list[str]") -> "list[Json]":
    """Return the teams of ours whose tenants are not among these, and that do not say so yet."""
    return [
        team
        for team in all_teams()
        if (team.get("metadata") or {}).items() >= MADE_HERE.items()
        and team["team_id"] not in names
        # One that somebody has unblocked since stays as it is.
        and team["team_alias"] != REMOVED.format(team["team_id"])
    ]


def block(team: Json) -> str:
    """Block a team whose tenant is gone, and return what was done."""
    alias = REMOVED.format(team["team_id"])
    request(
        "POST", "/team/update", {"team_id": team["team_id"], "blocked": True, "team_alias": alias}
    )
    return "blocked: its tenant is gone"


def all_teams() -> "list[Json]":
    """Return all teams that LiteLLM knows."""
    teams: "list[Json]" = []  # noqa: UP037 - 3.9
    pages = page = 1
    while page <= pages:
        query = urllib.parse.urlencode(
            {"page": page, "page_size": TEAMS_PER_PAGE, "sort_by": "team_id"}
        )
        answer = request("GET", f"/v2/team/list?{query}")
        teams += answer["teams"]
        pages = answer["total_pages"]
        page += 1
    return teams


def tenant_key(team: Json) -> str:
    """Give a tenant its first key, and return what was done."""
    namespace, name = team["name"], team["keySecret"]
    path = f"/api/v1/namespaces/{quoted(namespace)}/secrets"
    made = False
    try:
        secret = kubernetes_api.request("GET", f"{path}/{quoted(name)}")
    except KubernetesError as error:
        if error.status != NOT_FOUND:
            raise
        # The Secret comes first: a key that LiteLLM knew and nobody kept would be lost.
        value = "sk-" + secrets.token_urlsafe(KEY_BYTES)
        secret = kubernetes_api.request("POST", path, secret_of(team, value))
        made = True
    encoded = secret.get("data", {}).get(KEY_ENTRY, "")
    value = base64.b64decode(encoded).decode()
    if not value.startswith("sk-"):
        raise KeyError(f"Secret {namespace}/{name} has no key of LiteLLM under {KEY_ENTRY}")
    known = register(
        value,
        {
            "key_alias": f"{namespace}-default",
            "team_id": namespace,
            "max_parallel_requests": team["parallelRequests"],
        },
    )
    if made:
        return "created"
    return "unchanged" if known else "registered again"


def secret_of(team: Json, value: str) -> Json:
    """Return the Secret of a tenant's key, as Kubernetes takes it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": team["keySecret"],
            "labels": {
                "app.kubernetes.io/part-of": "llmp",
                "app.kubernetes.io/managed-by": "litellm-tenants",
            },
        },
        "type": "Opaque",
        "stringData": {KEY_ENTRY: value, "base-url": os.environ["LITELLM_URL"].rstrip("/") + "/v1"},
    }


def register(value: str, fields: Json) -> bool:
    """Make LiteLLM know a key, and return whether it knew it already.

    Another key of the same name is one that this one takes the place of.
    """
    # LiteLLM takes the hash in place of the key: an address ends up in logs.
    query = urllib.parse.urlencode({"key": hashlib.sha256(value.encode()).hexdigest()})
    try:
        info: Json = request("GET", f"/key/info?{query}")["info"]
    except LiteLlmError as error:
        if error.status != NOT_FOUND:
            raise
        former = {"key_aliases": [fields["key_alias"]]}
        try:
            request("POST", "/key/delete", former)
        except LiteLlmError as refusal:
            if refusal.status != NOT_FOUND:
                raise
        request("POST", "/key/generate", {"key": value, **fields})
        return False
    changed = {name: want for name, want in fields.items() if not same(name, info.get(name), want)}
    if changed:
        request("POST", "/key/update", {"key": value, **changed})
    return True


def service_key(wanted_key: Json) -> str:
    """Make LiteLLM know a key that the cluster made for a system."""
    value = os.environ[wanted_key["variable"]]
    fields = {
        "key_alias": wanted_key["alias"],
        "allowed_routes": wanted_key["routes"],
        "models": NO_MODELS,
    }
    spending = wanted_key.get("spending")
    if spending:
        fields |= {
            "models": sorted(spending["models"]),
            "max_budget": spending["maxBudgetUsd"],
            "budget_duration": spending["budgetDuration"],
            "rpm_limit": spending["requestsPerMinute"],
            "tpm_limit": spending["tokensPerMinute"],
            "max_parallel_requests": spending["parallelRequests"],
        }
    return "unchanged" if register(value, fields) else "created"


def main(path: str) -> int:
    """Bring every team and key in line and return the exit status."""
    if not os.environ["LITELLM_URL"].startswith(("http://", "https://")):
        print("LITELLM_URL is no HTTP address", file=sys.stderr)
        return 2
    wanted_state = json.loads(pathlib.Path(path).read_text())
    if not wait_until_ready():
        return 2
    steps = [(f"team {team['name']}", sync, team) for team in wanted_state["teams"]]
    steps += [
        (f"key of {team['name']}", tenant_key, team)
        for team in wanted_state["teams"]
        if team.get("keySecret")
    ]
    steps += [(f"key {key['alias']}", service_key, key) for key in wanted_state["serviceKeys"]]
    failed = False
    try:
        gone = removed([team["name"] for team in wanted_state["teams"]])
        steps += [(f"team {team['team_id']}", block, team) for team in gone]
    except (LiteLlmError, OSError, KeyError) as error:
        failed = True
        print(f"teams of tenants that are gone: {error}", file=sys.stderr, flush=True)
    for what, step, argument in steps:
        try:
            print(f"{what}: {step(argument)}", flush=True)
        except (LiteLlmError, KubernetesError, OSError, KeyError, ValueError) as error:
            failed = True
            print(f"{what}: {error}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
