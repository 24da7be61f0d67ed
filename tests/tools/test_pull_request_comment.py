"""The comment on a pull request is whole, bounded, and safe whatever a run left behind."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import pull_request_comment
from tools.pull_request_comment import MARKER, MOST_CHARACTERS, render


def document(**fields: object) -> dict[str, object]:
    """What a sandbox run prints."""
    return {
        "stack": "gke",
        "operations": {"create": 1, "replace": 1},
        "resources": [
            {"type": "gcp:container/cluster:Cluster", "name": "c", "operation": "replace"},
            {"type": "gcp:compute/network:Network", "name": "n", "operation": "same"},
            {"type": "gcp:storage/bucket:Bucket", "name": "b", "operation": "create"},
        ],
        "applications": [{"name": "keda", "version": "2.21.0", "requires": ["a"], "source": "s"}],
        "cost": {"currency": "USD", "monthly_idle": 310.4, "monthly_max": 5210},
        **fields,
    }


def write(folder: Path, name: str, content: object) -> None:
    """Writes a result file; text as it is, anything else as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")


def test_it_shows_what_changes_and_not_what_stays(tmp_path: Path) -> None:
    write(tmp_path, "head-gke.json", document())
    write(tmp_path, "base-gke.json", document())
    text = render(tmp_path)
    assert text.startswith(MARKER)
    assert "! gcp:container/cluster:Cluster c (replace)" in text
    assert "+ gcp:storage/bucket:Bucket b (create)" in text
    assert "compute/network" not in text
    assert "Sandbox: 1 create, 1 replace." in text
    assert "Applications: no change." in text


def test_it_shows_applications_that_come_change_and_go(tmp_path: Path) -> None:
    base = [{"name": "keda", "version": "2.20.1"}, {"name": "old", "version": "1"}]
    head = [{"name": "keda", "version": "2.21.0", "requires": ["a"]}, {"name": "new"}]
    write(tmp_path, "base-gke.json", document(applications=base))
    write(tmp_path, "head-gke.json", document(applications=head))
    text = render(tmp_path)
    assert "~ keda: version 2.20.1 -> 2.21.0" in text
    assert "~ keda: requires none -> a" in text
    assert "+ new" in text
    assert "- old" in text


def test_the_cost_line_has_the_difference(tmp_path: Path) -> None:
    cost = {"currency": "USD", "monthly_idle": 300, "monthly_max": 5210}
    write(tmp_path, "base-gke.json", document(cost=cost))
    write(tmp_path, "head-gke.json", document())
    expected = "List prices: $310 a month idle (+10), $5,210 a month at all limits (+0)."
    assert expected in render(tmp_path)


@pytest.mark.parametrize("cost", [None, 5, {"monthly_idle": "free"}, {"monthly_idle": 1e300}])
def test_a_cost_that_is_none_is_said_to_be_none(tmp_path: Path, cost: object) -> None:
    write(tmp_path, "head-gke.json", document(cost=cost))
    assert "List prices: no estimate." in render(tmp_path)


def test_a_preview_that_fails_is_told_with_its_errors(tmp_path: Path) -> None:
    errors = [{"path": "substrate.region", "message": "is a zone"}]
    write(tmp_path, "head-gke.json", {"stack": "gke", "errors": errors})
    text = render(tmp_path)
    assert "**The sandbox preview fails.**" in text
    assert "substrate.region is a zone" in text


def test_a_base_without_the_stack_is_said(tmp_path: Path) -> None:
    write(tmp_path, "head-gke.json", document())
    assert "no such stack to compare with" in render(tmp_path)


def test_a_real_preview_is_shown_beside_the_sandbox(tmp_path: Path) -> None:
    write(tmp_path, "head-gke.json", document())
    write(tmp_path, "real-gke.txt", "\x1b[31m+ 3 to create\x1b[0m\n")
    text = render(tmp_path)
    assert "\n+ 3 to create\n" in text
    assert "\x1b" not in text


def test_no_results_are_said(tmp_path: Path) -> None:
    assert "left no results" in render(tmp_path / "missing")


def test_content_cannot_close_its_block(tmp_path: Path) -> None:
    evil = "````\n# owned\n@everyone <img src=x>"
    resources = [{"type": evil, "name": "```", "operation": "create"}]
    write(tmp_path, "head-gke.json", document(resources=resources, operations={evil: 1}))
    write(tmp_path, "real-gke.txt", f"`````\n{evil}")
    assert_nothing_escapes(render(tmp_path))


def assert_nothing_escapes(text: str) -> None:
    """Outside fenced blocks only what this project writes is left."""
    fence = ""
    for line in text.splitlines():
        run = re.match(r"`{3,}", line)
        if fence:
            if run is not None and len(run[0]) >= len(fence) and not line.strip("` "):
                fence = ""
            continue
        if run is not None:
            fence = run[0]
            continue
        assert re.fullmatch(
            r"<!-- llmp:preview -->|## What this pull request changes|### `[a-z0-9-]+`"
            r"|</?details>.*|\*\*The sandbox preview fails\.\*\*|Sandbox: .*|.*: no change\."
            r"|The sandbox preview left no result\.|The base branch has no such stack .*"
            r"|Too long to show here.*|The preview left no results\.|",
            line,
        ), line
        assert "@" not in line
        assert "<img" not in line
    assert fence == ""


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2", encoding="utf-8")
    results = tmp_path / "results"
    results.mkdir()
    (results / "real-gke.txt").symlink_to(secret)
    assert "hunter2" not in render(results)


def test_files_with_other_names_are_ignored(tmp_path: Path) -> None:
    for name in ("head-GKE`.json", "head-a b.json", "comment.md", "head-" + "x" * 60 + ".json"):
        write(tmp_path, name, document())
    assert "left no results" in render(tmp_path)


def test_it_stays_under_the_limit_of_a_comment(tmp_path: Path) -> None:
    resources = [
        {"type": "x" * 200, "name": "`" * 90 + str(number), "operation": "create"}
        for number in range(2000)
    ]
    for stack in "abcdefghijklmnop":
        write(tmp_path, f"head-{stack}.json", document(resources=resources))
        write(tmp_path, f"real-{stack}.txt", "y\n" * 100_000)
    text = render(tmp_path)
    assert len(text) < 65_536
    assert len(text) > MOST_CHARACTERS / 4
    assert "more lines" in text
    assert_nothing_escapes(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = ("operations", "resources", "applications", "cost", "errors")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, st.text())
def test_whatever_a_run_leaves_gives_a_comment(tmp_path: Path, found: object, real: str) -> None:
    write(tmp_path, "head-gke.json", json.dumps(found))
    write(tmp_path, "base-gke.json", json.dumps(found))
    (tmp_path / "real-gke.txt").write_bytes(real.encode("utf-8", "surrogatepass"))
    assert_nothing_escapes(render(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[1]", "[" * 100_000, '{"operations": ' + "9" * 5000])
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    write(tmp_path, "head-gke.json", text)
    assert "left no readable result" in render(tmp_path)


def test_the_command_prints_the_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pull_request_comment.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(MARKER)
