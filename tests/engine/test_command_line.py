"""The command line of the sandbox, as `make demo` runs it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.project import REPOSITORY
from tests.engine.conftest import run_sandbox

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(root: Path) -> "subprocess.CompletedProcess[str]":
    return run_sandbox("demo", "--stack", "local", "--json", root=root)


@pytest.fixture(scope="module")
def document(first: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert first.returncode == 0, first.stderr
    return json.loads(first.stdout)


@pytest.fixture(scope="module")
def page(root: Path, document: dict[str, Any]) -> str:
    assert document["changed"]
    result = run_sandbox("demo", "--stack", "local", root=root)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_demo_prints_one_json_document(document: dict[str, Any]) -> None:
    assert set(document) == {
        "stack",
        "operations",
        "resources",
        "applications",
        "cost",
        "warnings",
        "advice",
        "outputs",
        "seconds",
        "changed",
    }
    assert document["stack"] == "local"
    assert document["seconds"] > 0
    assert sum(document["operations"].values()) == len(document["resources"])
    names = [one["name"] for one in document["applications"]]
    for position, application in enumerate(document["applications"]):
        assert set(application["requires"]) <= set(names[:position])
        assert application["source"]
        assert application["version"]


def test_a_second_demo_says_that_nothing_changed(page: str, document: dict[str, Any]) -> None:
    assert f"Nothing changed: {len(document['resources'])} resources." in page
    assert "Traceback" not in page
    assert "\x1b" not in page


def test_the_page_shows_the_applications_in_their_order(
    page: str, document: dict[str, Any]
) -> None:
    names = [one["name"] for one in document["applications"]]
    table = page[page.index("in the order they roll out") :]
    rows = [
        line.split()[1]
        for line in table.splitlines()
        if line.split()[:1] != ["#"] and line.split() and line.split()[0].isdigit()
    ]

    assert rows == names


def test_a_preview_changes_nothing(root: Path, page: str) -> None:
    assert page
    result = run_sandbox("preview", "--stack", "local", "--json", root=root)

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["changed"] is False


def test_an_emitted_application_can_be_printed(root: Path, page: str) -> None:
    assert page
    result = run_sandbox("show", "--stack", "local", "Application/litellm", root=root)

    assert result.returncode == 0, result.stderr
    assert "argoproj.io/v1alpha1" in result.stdout


def test_the_committed_stack_files_are_only_read(page: str) -> None:
    assert page
    for path in REPOSITORY.glob("Pulumi.*.yaml"):
        assert "encryptionsalt" not in path.read_text(encoding="utf-8")
