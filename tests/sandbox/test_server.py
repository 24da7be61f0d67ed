"""How a provider's process begins and ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
        said, complaints = process.communicate(timeout=20)
    assert (said, complaints, process.returncode) == ("", "", 0)
