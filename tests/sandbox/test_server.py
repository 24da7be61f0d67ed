"""How a provider's process begins and ends."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE_SECONDS = 20
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_provider_that_the_engine_ends_says_nothing(ending: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox.provider", "random"],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        process.send_signal(ending)
        said, complaints = process.communicate(timeout=PATIENCE_SECONDS)
    assert (said, complaints, process.returncode) == ("", "", 0)


def test_a_provider_whose_engine_was_killed_ends_too() -> None:
    command = f"{sys.executable} -m sandbox.provider random & wait"
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as engine:
        assert engine.stdout is not None
        assert int(engine.stdout.readline()) > 0
        engine.kill()
        engine.wait(timeout=PATIENCE_SECONDS)
        # The pipe ends when nobody is left who could write into it.
        ended, _, _ = select.select([engine.stdout], [], [], PATIENCE_SECONDS)
        assert ended
        assert engine.stdout.read() == ""
