"""The set-up tells what it does on stderr, and what to do when it fails."""

import sys
from pathlib import Path

import pytest

from tools.console import SetupError, run_with_progress


def test_a_failed_step_shows_the_end_of_its_log_and_the_fix(tmp_path: Path) -> None:
    program = "print('\\n'.join(f'line {n}' for n in range(100))); raise SystemExit(3)"
    with pytest.raises(SetupError) as caught:
        run_with_progress(
            [sys.executable, "-c", program],
            title="building it",
            expected="seconds",
            log=tmp_path / "logs" / "it.log",
            fix="turn it off and on",
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "building it failed with exit code 3"
    assert "    line 99" in lines
    assert "    line 10" not in lines
    assert lines[-1] == "fix: turn it off and on"


def test_a_program_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no-such-program cannot be started"):
        run_with_progress(
            ["no-such-program"],
            title="x",
            expected="seconds",
            log=tmp_path / "x.log",
            fix="install it",
        )


def test_progress_goes_to_stderr_and_leaves_stdout_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run_with_progress(
        [sys.executable, "-c", "print('chatter')"],
        title="doing it",
        expected="seconds",
        log=tmp_path / "it.log",
        fix="none",
    )
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "setup: doing it (seconds)" in captured.err
    assert "setup: doing it: done in" in captured.err
    assert (tmp_path / "it.log").read_text(encoding="utf-8") == "chatter\n"


def test_a_long_step_says_how_long_it_has_been_at_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.console.PLAIN_INTERVAL_SECONDS", 0.05)
    run_with_progress(
        [sys.executable, "-c", "import time; time.sleep(0.5)"],
        title="waiting",
        expected="seconds",
        log=tmp_path / "it.log",
        fix="none",
        detail=lambda: "7 packages compiled",
    )
    assert "setup: waiting: 0 s so far, 7 packages compiled" in capfd.readouterr().err
