"""The script that keeps LiteLLM's teams and keys, run as the Job runs it against strict doubles."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components.platform.values.llm_gateway import Team
from tests.charts import kubernetes_double
from tests.charts.kubernetes_double import Kubernetes
from tests.charts.litellm_double import MASTER_KEY, LiteLlm, digest, running
from tests.charts.rendering import CHARTS
from tests.charts.values import TEAMS as TEAMS_WITH_KEY

TEAMS = tuple(team.model_copy(update={"key_secret": None}) for team in TEAMS_WITH_KEY)
SECRETS = "/api/v1/namespaces/team-a/secrets"
METRICS_KEY = "sk-made-by-the-cluster-for-metrics"


@pytest.fixture
def litellm() -> Iterator[LiteLlm]:
    with running() as state:
        yield state


@pytest.fixture
def cluster() -> Iterator[Kubernetes]:
    """A cluster that grants the Job what its Role does."""
    state = Kubernetes()
    state.granted = {("create", SECRETS, None), ("get", SECRETS, "litellm-key")}
    with kubernetes_double.running(state):
        yield state


def sync(  # noqa: PLR0913 - each test changes the one that it is about
    folder: Path,
    url: str,
    teams: Sequence[Team] = TEAMS,
    *,
    key: str = MASTER_KEY,
    wait: float = 5,
    cluster: str = "http://127.0.0.1:9",
    service_keys: Sequence[Mapping[str, object]] = (),
) -> subprocess.CompletedProcess[str]:
    path = folder / "teams.json"
    path.write_text(
        json.dumps(
            {"teams": [team.to_values() for team in teams], "serviceKeys": list(service_keys)}
        )
    )
    return subprocess.run(
        [sys.executable, str(CHARTS / "llm-gateway/files/sync_teams.py"), str(path)],
        env={
            "PATH": os.environ["PATH"],
            "LITELLM_URL": url,
            "LITELLM_MASTER_KEY": key,
            "WAIT_SECONDS": str(wait),
            "PAUSE_SECONDS": "0.05",
            "KUBERNETES_URL": cluster,
            "SERVICE_ACCOUNT": str(kubernetes_double.account(folder)),
            "KEY_METRICS": METRICS_KEY,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_first_run_makes_every_team_with_its_limits(litellm: LiteLlm, tmp_path: Path) -> None:
    done = sync(tmp_path, litellm.url)
    assert done.returncode == 0, done.stderr
    assert litellm.teams["team-a"] == {
        "team_id": "team-a",
        "team_alias": "team-a",
        "models": ["coder", "qwen"],
        "max_budget": 50,
        "budget_duration": "30d",
        "rpm_limit": 60,
        "tpm_limit": 100_000,
        "metadata": {"managed_by": "litellm-tenants"},
    }
    assert done.stdout.splitlines() == ["team team-a: created", "team team-b: created"]


def test_a_team_without_models_can_call_none(litellm: LiteLlm, tmp_path: Path) -> None:
    sync(tmp_path, litellm.url)
    assert litellm.teams["team-b"]["models"] == ["no-default-models"]


def test_a_second_run_writes_nothing(litellm: LiteLlm, tmp_path: Path) -> None:
    sync(tmp_path, litellm.url)
    litellm.writes.clear()
    # LiteLLM may hand the models back in another order.
    litellm.teams["team-a"]["models"].reverse()
    done = sync(tmp_path, litellm.url)
    assert done.returncode == 0
    assert litellm.writes == []
    assert done.stdout.splitlines() == ["team team-a: unchanged", "team team-b: unchanged"]


def test_a_change_writes_that_field_alone_so_that_no_budget_period_starts_anew(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url)
    litellm.writes.clear()
    changed = TEAMS[0].model_copy(update={"requests_per_minute": 120})
    done = sync(tmp_path, litellm.url, (changed, TEAMS[1]))
    assert done.returncode == 0
    assert litellm.writes == [("/team/update", {"team_id": "team-a", "rpm_limit": 120})]


def test_a_limit_that_was_lifted_by_hand_comes_back(litellm: LiteLlm, tmp_path: Path) -> None:
    sync(tmp_path, litellm.url)
    litellm.teams["team-a"]["max_budget"] = None
    sync(tmp_path, litellm.url)
    assert litellm.teams["team-a"]["max_budget"] == 50


def test_a_team_that_is_no_tenant_any_more_keeps_its_history_and_spends_nothing(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url)
    litellm.writes.clear()
    done = sync(tmp_path, litellm.url, TEAMS[:1])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "team team-b: blocked: its tenant is gone"
    assert litellm.writes == [
        (
            "/team/update",
            {"team_id": "team-b", "blocked": True, "team_alias": "team-b (removed)"},
        )
    ]
    assert "team-b" not in sync(tmp_path, litellm.url, TEAMS[:1]).stdout
    assert len(litellm.writes) == 1


def test_a_tenant_that_comes_back_has_its_team_again(litellm: LiteLlm, tmp_path: Path) -> None:
    sync(tmp_path, litellm.url)
    before = dict(litellm.teams["team-b"])
    sync(tmp_path, litellm.url, TEAMS[:1])
    done = sync(tmp_path, litellm.url)
    assert "team team-b: updated: blocked, team_alias" in done.stdout
    assert litellm.teams["team-b"] == {**before, "blocked": False}


def test_a_tenant_whom_somebody_has_blocked_stays_blocked(litellm: LiteLlm, tmp_path: Path) -> None:
    sync(tmp_path, litellm.url)
    litellm.teams["team-a"]["blocked"] = True
    sync(tmp_path, litellm.url)
    assert litellm.teams["team-a"]["blocked"] is True


def test_teams_that_somebody_else_made_are_left_alone(litellm: LiteLlm, tmp_path: Path) -> None:
    litellm.teams["by-hand"] = {"team_id": "by-hand", "team_alias": None}
    litellm.teams["too"] = {"team_id": "too", "team_alias": "x", "metadata": {"managed_by": "us"}}
    done = sync(tmp_path, litellm.url)
    assert done.returncode == 0, done.stderr
    assert "blocked" not in litellm.teams["by-hand"] | litellm.teams["too"]


def test_a_team_that_was_there_before_becomes_the_tenants_and_goes_with_it(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    litellm.teams["team-b"] = {"team_id": "team-b", "team_alias": "B", "metadata": {}}
    sync(tmp_path, litellm.url)
    sync(tmp_path, litellm.url, TEAMS[:1])
    assert litellm.teams["team-b"]["blocked"] is True


def test_metadata_that_somebody_else_keeps_with_a_team_stays(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    theirs = {"team_member_budget_id": "7"}
    litellm.teams["team-b"] = {"team_id": "team-b", "team_alias": "B", "metadata": theirs}
    sync(tmp_path, litellm.url)
    assert litellm.teams["team-b"]["metadata"] == theirs


def test_a_team_that_cannot_be_blocked_fails_the_job_and_the_others_are_blocked(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url)
    litellm.broken_team = "team-a"
    done = sync(tmp_path, litellm.url, ())
    assert done.returncode == 1
    assert "team team-a: POST /team/update: 500" in done.stderr
    assert litellm.teams["team-b"]["blocked"] is True


def test_more_teams_than_fit_a_page_are_all_looked_at(litellm: LiteLlm, tmp_path: Path) -> None:
    many = [TEAMS[0].model_copy(update={"name": f"team-{index}"}) for index in range(101)]
    sync(tmp_path, litellm.url, many)
    done = sync(tmp_path, litellm.url, ())
    assert done.returncode == 0, done.stderr
    assert all(team["blocked"] for team in litellm.teams.values())
    assert len(litellm.teams) == len(many)


def test_one_bad_team_fails_the_job_and_leaves_no_other_behind(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    litellm.broken_team = "team-a"
    done = sync(tmp_path, litellm.url)
    assert done.returncode == 1
    assert "team team-a: POST /team/new: 500" in done.stderr
    assert "team-b" in litellm.teams


def test_a_wrong_key_fails_without_showing_it(litellm: LiteLlm, tmp_path: Path) -> None:
    done = sync(tmp_path, litellm.url, key="sk-wrong")
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "sk-wrong" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_job_waits_until_litellm_and_its_database_are_ready(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    litellm.unready_answers = 3
    assert sync(tmp_path, litellm.url).returncode == 0
    assert set(litellm.teams) == {"team-a", "team-b"}


def test_a_litellm_that_never_comes_is_said_in_one_line(tmp_path: Path) -> None:
    done = sync(tmp_path, "http://127.0.0.1:9", wait=0.2)
    assert done.returncode == 2
    assert done.stderr.startswith("LiteLLM is not ready:")
    assert len(done.stderr.splitlines()) == 1


def test_an_address_that_is_no_http_is_refused(tmp_path: Path) -> None:
    assert sync(tmp_path, "file:///etc").returncode == 2


def test_the_double_refuses_a_field_that_litellm_does_not_have(litellm: LiteLlm) -> None:
    status, _ = litellm.handle(
        "POST", "/team/new", f"Bearer {MASTER_KEY}", {"team_id": "x", "max_budgets": 1}
    )
    assert status == 422


def key_in(cluster: Kubernetes) -> str:
    return base64.b64decode(cluster.objects[f"{SECRETS}/litellm-key"]["data"]["api-key"]).decode()


def test_a_tenant_gets_one_key_of_its_team_and_nobody_else_sees_it(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    done = sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    assert done.returncode == 0, done.stderr
    assert "key of team-a: created" in done.stdout
    key = key_in(cluster)
    assert key.startswith("sk-")
    assert len(key) > 40
    assert litellm.keys == {
        digest(key): {
            "key_alias": "team-a-default",
            "team_id": "team-a",
            "max_parallel_requests": 50,
            "allowed_routes": [],
            "models": [],
        }
    }
    assert key not in done.stdout + done.stderr
    # Neither is it part of an address, which a log may keep.
    assert key not in "".join(litellm.paths)
    assert "team-b" not in "".join(cluster.objects)


def test_a_key_that_is_there_is_never_another_one(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    key = key_in(cluster)
    litellm.writes.clear()
    done = sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    assert "key of team-a: unchanged" in done.stdout
    assert key_in(cluster) == key
    assert litellm.writes == []


def test_a_litellm_that_has_forgotten_a_key_is_told_of_the_same_one(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    key = key_in(cluster)
    litellm.keys.clear()
    done = sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    assert "key of team-a: registered again" in done.stdout
    assert set(litellm.keys) == {digest(key)}
    assert key_in(cluster) == key


def test_who_deletes_the_secret_gets_another_key_and_the_former_one_ends(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    former = key_in(cluster)
    cluster.objects.clear()
    assert sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url).returncode == 0
    assert key_in(cluster) != former
    assert set(litellm.keys) == {digest(key_in(cluster))}


def test_a_limit_of_a_key_follows_its_tenant_and_the_key_stays(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    litellm.writes.clear()
    raised = TEAMS_WITH_KEY[0].model_copy(update={"parallel_requests": 80})
    sync(tmp_path, litellm.url, (raised, *TEAMS_WITH_KEY[1:]), cluster=cluster.url)
    assert litellm.writes == [("/key/update", {"max_parallel_requests": 80, "key": "…"})]


def test_a_secret_of_somebody_else_is_left_alone_and_said(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    cluster.put(SECRETS, {"metadata": {"name": "litellm-key"}, "stringData": {"other": "value"}})
    done = sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    assert done.returncode == 1
    assert "has no key of LiteLLM" in done.stderr
    assert litellm.keys == {}


def test_a_cluster_that_grants_nothing_fails_the_key_and_not_the_team(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    cluster.granted.clear()
    done = sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    assert done.returncode == 1
    assert "403 Forbidden" in done.stderr
    assert "never shown" not in done.stderr
    assert set(litellm.teams) == {"team-a", "team-b"}


def test_an_error_that_quotes_the_key_does_not_show_it(
    litellm: LiteLlm, cluster: Kubernetes, tmp_path: Path
) -> None:
    litellm.broken_team = "team-a"
    done = sync(tmp_path, litellm.url, TEAMS_WITH_KEY, cluster=cluster.url)
    assert "Unable to find team; key=sk-…" in done.stderr
    assert key_in(cluster) not in done.stderr


def test_a_key_that_the_cluster_made_for_a_system_may_call_its_routes_and_no_model(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    wanted = {"alias": "metrics", "variable": "KEY_METRICS", "routes": ["/metrics"]}
    done = sync(tmp_path, litellm.url, (), service_keys=(wanted,))
    assert done.returncode == 0, done.stderr
    assert litellm.keys == {
        digest(METRICS_KEY): {
            "key_alias": "metrics",
            "allowed_routes": ["/metrics"],
            "models": ["no-default-models"],
        }
    }
    assert METRICS_KEY not in done.stdout + "".join(litellm.paths)
    litellm.writes.clear()
    sync(tmp_path, litellm.url, (), service_keys=(wanted,))
    assert litellm.writes == []


APP_KEY: dict[str, Any] = {
    "alias": "open-webui",
    "variable": "KEY_METRICS",
    "routes": ["llm_api_routes"],
    "spending": {
        "models": ["qwen", "coder"],
        "maxBudgetUsd": 50.0,
        "budgetDuration": "30d",
        "requestsPerMinute": 600,
        "tokensPerMinute": 1_000_000,
        "parallelRequests": 50,
    },
}


def test_a_key_that_may_spend_has_its_models_its_budget_and_its_limits(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    done = sync(tmp_path, litellm.url, (), service_keys=(APP_KEY,))
    assert done.returncode == 0, done.stderr
    assert litellm.keys == {
        digest(METRICS_KEY): {
            "key_alias": "open-webui",
            "allowed_routes": ["llm_api_routes"],
            "models": ["coder", "qwen"],
            "max_budget": 50.0,
            "budget_duration": "30d",
            "rpm_limit": 600,
            "tpm_limit": 1_000_000,
            "max_parallel_requests": 50,
        }
    }


def test_a_key_that_is_as_it_should_be_is_not_written_so_that_its_period_goes_on(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url, (), service_keys=(APP_KEY,))
    litellm.writes.clear()
    litellm.keys[digest(METRICS_KEY)]["models"].reverse()
    assert sync(tmp_path, litellm.url, (), service_keys=(APP_KEY,)).returncode == 0
    assert litellm.writes == []
    changed = {**APP_KEY, "spending": {**APP_KEY["spending"], "maxBudgetUsd": 60.0}}
    assert sync(tmp_path, litellm.url, (), service_keys=(changed,)).returncode == 0
    assert litellm.writes == [("/key/update", {"max_budget": 60.0, "key": "…"})]


def test_a_new_value_in_the_store_ends_the_key_that_it_takes_the_place_of(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url, (), service_keys=(APP_KEY,))
    (former,) = litellm.keys
    litellm.keys["f" * 64] = litellm.keys.pop(former)
    litellm.details["f" * 64] = litellm.details.pop(former)
    assert sync(tmp_path, litellm.url, (), service_keys=(APP_KEY,)).returncode == 0
    assert list(litellm.keys) == [digest(METRICS_KEY)]
