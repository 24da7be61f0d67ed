"""The runner of all checks counts honestly."""

import sys
from pathlib import Path

import pytest

from tools import run_tests
from tools.run_tests import Check, Totals

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="passes"/>
<testcase classname="a" name="fails"><failure message="no"/></testcase>
<testcase classname="a" name="breaks"><error message="no"/></testcase>
<testcase classname="a" name="waits"><skipped message="there is no helm"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_added_up_and_skips_keep_their_reason(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    totals = Totals(passed=1)
    assert run_tests.count(report, totals)
    assert (totals.passed, totals.failed, totals.errors) == (2, 1, 1)
    assert totals.skips == ["a::waits: there is no helm"]


def test_the_last_line_is_the_total_over_all_runs() -> None:
    totals = Totals(passed=5, failed=1, skips=["a: because"], broken=["pyright (exit code 1)"])
    lines = run_tests.summary(totals, 1.5).splitlines()
    assert lines[-1].strip("= ") == "1 failed, 5 passed, 1 skipped, 1 errors in 1.50s"
    assert "  a: because" in lines
    assert "FAILED: pyright (exit code 1)" in lines


def test_nothing_skipped_is_said_too() -> None:
    assert "nothing was skipped" in run_tests.summary(Totals(passed=1), 1.0)


@pytest.mark.parametrize(
    ("command", "broken"),
    [
        ((sys.executable, "-c", "pass"), []),
        ((sys.executable, "-c", "raise SystemExit(4)"), ["it (exit code 4)"]),
        (("no-such-program",), ["it"]),
    ],
)
def test_a_check_that_does_not_pass_is_listed(command: tuple[str, ...], broken: list[str]) -> None:
    totals = Totals()
    run_tests.run(Check(name="it", command=command), {}, totals)
    assert totals.broken == broken


def test_a_test_run_that_collects_nothing_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tests, "REPORTS", tmp_path)
    totals = Totals()
    command = (sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", str(tmp_path))
    run_tests.run(Check(name="empty", command=command), {}, totals)
    assert totals.broken == ["empty (exit code 5)"]


def test_every_test_is_in_exactly_one_run() -> None:
    expressions = [
        check.command[check.command.index("-m", 3) + 1]
        for check in run_tests.checks()
        if check.is_pytest
    ]
    for engine in (False, True):
        for charts in (False, True):
            marks = {"engine": engine, "charts": charts}
            chosen = [one for one in expressions if eval(one, {}, marks)]  # noqa: S307
            assert len(chosen) == 1, marks
