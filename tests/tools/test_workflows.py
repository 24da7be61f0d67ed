"""The workflows give away no more than they must. What actionlint checks is not repeated here."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in FILES}
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}


def triggers(name: str) -> dict[str, Any]:
    """The events of a workflow; YAML 1.1 reads their key `on` as a truth value."""
    found: dict[str, Any] = WORKFLOWS[name][True]
    return found


def jobs(name: str) -> dict[str, dict[str, Any]]:
    """The jobs of a workflow."""
    found: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return found


def test_there_are_the_workflows_that_the_project_needs() -> None:
    assert set(TEXTS) == {"ci.yaml", "deploy.yaml", "preview-comment.yaml", "preview.yaml"}


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(name: str) -> None:
    uses = re.findall(r"^\s*(?:- )?uses: (.+)$", TEXTS[name], re.MULTILINE)
    assert uses
    for use in uses:
        if not use.startswith("./"):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_permitted_but_what_a_job_asks_for(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    for job in jobs(name).values():
        assert job["permissions"]
        assert "uses" in job or job["timeout-minutes"] <= 120


@pytest.mark.parametrize("name", TEXTS)
def test_no_checkout_leaves_its_token_behind(name: str) -> None:
    for job in jobs(name).values():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", TEXTS)
def test_no_expression_is_pasted_into_a_script(name: str) -> None:
    for job in jobs(name).values():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("name", TEXTS)
def test_no_workflow_runs_foreign_code_with_the_rights_of_the_project(name: str) -> None:
    assert "pull_request_target" not in triggers(name)


def test_who_may_write_runs_only_the_code_of_the_default_branch() -> None:
    writers = {
        name
        for name in TEXTS
        for job in jobs(name).values()
        if "write" in {v for k, v in job["permissions"].items() if k != "id-token"}
    }
    assert writers == {"preview-comment.yaml"}
    assert set(triggers("preview-comment.yaml")) == {"workflow_run"}
    (job,) = jobs("preview-comment.yaml").values()
    checkouts = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert [set(step["with"]) for step in checkouts] == [{"persist-credentials"}]


def test_the_sandbox_preview_sees_no_secret_and_no_identity() -> None:
    sandbox = jobs("preview.yaml")["sandbox"]
    assert sandbox["permissions"] == {"contents": "read"}
    assert "secrets." not in repr(sandbox)


def test_forks_get_no_real_preview() -> None:
    condition = jobs("preview.yaml")["real"]["if"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition


def test_every_up_waits_for_its_environment_and_for_the_tests() -> None:
    up = jobs("deploy.yaml")["up"]
    assert up["environment"] == "deploy-${{ matrix.stack }}"
    assert up["needs"] == "test"
    assert up["concurrency"]["cancel-in-progress"] is False


def test_no_key_is_long_lived_but_those_that_have_no_replacement() -> None:
    named = {name for text in TEXTS.values() for name in re.findall(r"secrets\.(\w+)", text)}
    assert named == {
        *("HCLOUD_TOKEN", "GPU_SERVERS_SSH_KEY"),
        *("OBJECT_STORAGE_ACCESS_KEY", "OBJECT_STORAGE_SECRET_KEY"),
    }


def test_the_comment_is_found_again_by_its_marker() -> None:
    assert '"<!-- llmp:preview -->"' in TEXTS["preview-comment.yaml"]


def test_the_tests_run_with_a_go_that_is_new_enough_for_every_tool() -> None:
    def wanted(path: Path) -> tuple[int, ...]:
        found = re.search(r"^go ([\d.]+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None
        return tuple(map(int, found[1].split(".")))

    (step,) = [
        step
        for step in jobs("ci.yaml")["test"]["steps"]
        if step.get("uses", "").startswith("actions/setup-go@")
    ]
    named = ROOT / step["with"]["go-version-file"]
    assert wanted(named) == max(wanted(path) for path in (ROOT / "tools").glob("*/go.mod"))
