"""The report of a convergence: its figures, its critical path, its picture."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from rich.console import Console

from lab.deployment import Plan
from lab.order import TOLERANCE, Comparison
from lab.report import Convergence, Row, critical_path, problems, rows, show
from lab.timeline import STEPS, step, timeline
from lab.watch import History, Observation

SVG = "{http://www.w3.org/2000/svg}"


def row(name: str, healthy: float | None, *requires: str, **changed: Any) -> Row:  # noqa: ANN401
    """Return a row of an Application."""
    values: dict[str, Any] = {
        "source": "own",
        "by_hand": False,
        "applied": 0.0,
        "synced": healthy,
        "failed_attempts": 0,
        "state": "Synced, Healthy" if healthy is not None else "OutOfSync, Missing",
    }
    return Row(name=name, healthy=healthy, requires=requires, **{**values, **changed})


ROWS = (
    row("definitions", 10.0),
    row("quick", 1.0),
    row("issuers", 20.0, "definitions", "quick"),
    row("edge", 25.0, "issuers", "quick"),
    row("model", 60.0, by_hand=True, source="stand-in", failed_attempts=2),
)


def run(*found: Row, seconds: float = 25.0, **changed: Any) -> Convergence:  # noqa: ANN401
    """Return a run with these rows."""
    values: dict[str, Any] = {
        "stack": "Pulumi.<x>.yaml",
        "profile": "full",
        "edges": True,
        "ready_seconds": 9.0,
        "total_seconds": seconds,
        "rows": found,
        "critical_path": critical_path(found),
        "failures": {},
        "stand_ins": (),
        "simulated": ("KEDA",),
        "problems": (),
    }
    return Convergence(**{**values, **changed})


def history(name: str, *states: tuple[float, str, str]) -> History:
    """Return what was seen of an Application: seconds, sync and health."""
    return History(
        name=name,
        created=states[0][0],
        observations=tuple(
            Observation(
                seconds=seconds,
                sync=sync,
                health=health,
                phase="",
                revision="",
                failed_attempts=0,
                message="",
            )
            for seconds, sync, health in states
        ),
        failures=(),
        gone=None,
    )


PLAN = Plan(
    projects={},
    applications={
        "own": {"spec": {"syncPolicy": {"automated": {}}}},
        "theirs": {"spec": {"syncPolicy": {}}},
        "last": {"spec": {"syncPolicy": {"automated": {}}}},
    },
    requires={"own": (), "theirs": ("own",), "last": ("own",)},
    own=frozenset({"own", "last"}),
)


def test_times_count_from_the_first_application_that_was_applied() -> None:
    found = rows(
        PLAN,
        {
            "own": history("own", (5.0, "", ""), (6.0, "Synced", "Progressing")),
            "theirs": history("theirs", (7.0, "", ""), (9.0, "Synced", "Healthy")),
        },
        upstream=False,
    )
    assert [(one.name, one.applied, one.synced, one.healthy) for one in found] == [
        ("own", 0.0, 1.0, None),
        ("theirs", 2.0, 4.0, 4.0),
    ]
    assert [(one.source, one.by_hand) for one in found] == [("own", False), ("stand-in", True)]
    assert problems(PLAN, found) == ["last was never applied", "own is Synced, Progressing"]


def test_the_critical_path_goes_back_over_who_was_there_last() -> None:
    assert critical_path(ROWS) == ["definitions", "issuers", "edge"]


def test_nothing_is_critical_where_nothing_is_healthy() -> None:
    assert critical_path([row("a", None)]) == []


def test_a_page_names_each_application_with_what_stands_in_and_what_is_wrong() -> None:
    console = Console(width=160)
    failed = run(*ROWS, row("broken", None), problems=("broken is OutOfSync, Missing",))
    with console.capture() as page:
        show(failed, console)
    text = page.get()
    for expected in (
        "edge *",
        "stand-in, by hand",
        "broken is OutOfSync",
        "2 failed syncs",
        "KEDA",
    ):
        assert expected in text


def test_a_run_as_json_has_its_rows_and_sums() -> None:
    document = run(*ROWS).to_json()
    assert document["failed_attempts"] == 2
    assert [one["name"] for one in document["rows"]] == [one.name for one in ROWS]


def test_the_picture_has_a_bar_for_each_application_that_ends_when_it_is_healthy() -> None:
    picture = ET.fromstring(timeline(run(*ROWS, seconds=60.0)))  # noqa: S314 - made here
    texts = [one.text for one in picture.iter(f"{SVG}text")]
    assert {
        "edge *",
        "model (s) (h)",
        "60.0  2 failed",
        "Pulumi.<x>.yaml, profile full: 60.0 s",
    } <= set(texts)
    bars = [one for one in picture.iter(f"{SVG}rect") if float(one.get("y", "0")) >= 64]
    ends = [float(one.attrib["x"]) + float(one.attrib["width"]) for one in bars]
    assert len(bars) == 2 * len(ROWS)
    assert max(ends) == pytest.approx(230 + 720, abs=2)


def test_who_is_never_healthy_is_red_to_the_end() -> None:
    picture = timeline(run(row("broken", None, synced=2.0), seconds=10.0))
    assert picture.count('fill="#de2d26"') == 2
    assert 'fill="#de2d26"' not in timeline(run(*ROWS)).split("Synced, not Healthy yet")[0]


@pytest.mark.parametrize(("total", "expected"), [(3, 1), (90, 10), (240, 20), (100_000, 600)])
def test_the_axis_has_few_lines(total: float, expected: int) -> None:
    assert step(total) == expected
    assert expected in STEPS


def test_the_order_is_worth_it_only_without_failed_syncs_and_without_losing_time() -> None:
    at_once = run(*ROWS, seconds=100.0, edges=False)
    quick = run(row("a", 1.0), seconds=100.0)
    slow = run(row("a", 1.0), seconds=100.0 * (1 + TOLERANCE) + 1)
    failing = run(row("a", 1.0, failed_attempts=1), failures={"a": ["no"]}, seconds=100.0)
    unsettled = run(row("a", None), seconds=100.0, problems=("a is Missing",))
    assert Comparison(edges=quick, at_once=at_once).problems == []
    assert len(Comparison(edges=slow, at_once=at_once).problems) == 1
    assert "a" in Comparison(edges=failing, at_once=at_once).problems[0]
    assert Comparison(edges=unsettled, at_once=at_once).problems == ["in order: a is Missing"]
