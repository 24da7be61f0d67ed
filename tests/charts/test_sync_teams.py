"""The script that keeps LiteLLM's teams, run as the Job runs it against a strict double."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from components.platform.values.llm_gateway import Team
from tests.charts.litellm_double import MASTER_KEY, LiteLlm, running
from tests.charts.rendering import CHARTS
from tests.charts.values import TEAMS


@pytest.fixture
def litellm() -> Iterator[LiteLlm]:
    with running() as state:
        yield state


def sync(
    folder: Path,
    url: str,
    teams: Sequence[Team] = TEAMS,
    *,
    key: str = MASTER_KEY,
    wait: float = 5,
) -> subprocess.CompletedProcess[str]:
    path = folder / "teams.json"
    path.write_text(json.dumps([team.to_values() for team in teams]))
    return subprocess.run(
        [sys.executable, str(CHARTS / "llm-gateway/files/sync_teams.py"), str(path)],
        env={
            "PATH": os.environ["PATH"],
            "LITELLM_URL": url,
            "LITELLM_MASTER_KEY": key,
            "WAIT_SECONDS": str(wait),
            "PAUSE_SECONDS": "0.05",
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


def test_a_team_that_is_no_tenant_any_more_keeps_its_history(
    litellm: LiteLlm, tmp_path: Path
) -> None:
    sync(tmp_path, litellm.url)
    assert sync(tmp_path, litellm.url, TEAMS[:1]).returncode == 0
    assert "team-b" in litellm.teams


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
