"""The tests of the pack that need the engine are skipped, with the reason, where there is none."""

from tests.engine.conftest import pytest_runtest_setup

__all__ = ["pytest_runtest_setup"]
