"""Fixtures that the tests of both trees share."""

from collections.abc import Callable

import pytest

from tests.harness import Recorder, deploy

Run = Callable[[Callable[[], None]], Recorder]


def pytest_configure(config: pytest.Config) -> None:
    """Let the Google SDK import: it warns about its own deprecated modules while it loads them."""
    config.addinivalue_line(
        "filterwarnings", r"ignore:gcp\..* has been deprecated:DeprecationWarning"
    )


@pytest.fixture(params=[False, True], ids=["up", "preview"])
def preview(request: pytest.FixtureRequest) -> bool:
    """Run the test twice: once with computed outputs known, once with them unknown."""
    return bool(request.param)


@pytest.fixture
def run(preview: bool) -> Run:  # noqa: FBT001 - a fixture's name, not a flag of ours
    """Run a program to its end, as an up and as a preview."""

    def run_program(program: Callable[[], None]) -> Recorder:
        return deploy(program, preview=preview)

    return run_program
