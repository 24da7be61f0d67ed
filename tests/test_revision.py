"""The charts that Argo CD deploys are those of a commit: what differs from it is told."""

import subprocess
from pathlib import Path

import pytest

from stacks.revision import RevisionError, chart_revision, chart_warning


def git(folder: Path, *arguments: str) -> None:
    """Run git, with an author of its own."""
    author = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    subprocess.run(["git", "-C", str(folder), *author, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a clone of a repository with one chart, all of it pushed."""
    origin = tmp_path / "origin"
    chart = origin / "charts" / "vllm" / "values.yaml"
    chart.parent.mkdir(parents=True)
    chart.write_text("a: 1\n", encoding="utf-8")
    git(origin, "init")
    git(origin, "add", ".")
    git(origin, "commit", "-m", "one")
    git(tmp_path, "clone", str(origin), "clone")
    return tmp_path / "clone"


def change(checkout: Path) -> None:
    """Change the chart."""
    (checkout / "charts" / "vllm" / "values.yaml").write_text("a: 2\n", encoding="utf-8")


def test_a_pushed_checkout_without_changes_is_warned_of_nothing(checkout: Path) -> None:
    assert chart_warning(None, checkout) is None


def test_changes_outside_the_charts_are_warned_of_nothing(checkout: Path) -> None:
    (checkout / "note.txt").write_text("x", encoding="utf-8")
    assert chart_warning(None, checkout) is None


def test_a_chart_that_is_not_committed_is_warned_of(checkout: Path) -> None:
    change(checkout)
    assert "not committed" in str(chart_warning(None, checkout))


def test_a_commit_that_is_not_pushed_is_warned_of(checkout: Path) -> None:
    change(checkout)
    git(checkout, "commit", "--all", "-m", "two")
    assert "no remote branch" in str(chart_warning(None, checkout))


def test_a_configured_revision_is_warned_of_nothing(checkout: Path) -> None:
    change(checkout)
    assert chart_warning("v1.0.0", checkout) is None


def test_a_folder_without_git_wants_a_revision_and_says_how(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="set it to a commit or a tag"):
        chart_revision(None, tmp_path)
    assert chart_warning(None, tmp_path) is None
