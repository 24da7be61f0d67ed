"""The quota check, by the real engine: it warns, stays quiet, and never stops a run."""

from collections.abc import Iterator

import pytest

from sandbox.provider.gcp_quotas import VARIABLE
from sandbox.records import Run
from tests.engine.conftest import Lab, lab_in

pytestmark = pytest.mark.engine

ZERO = "GPUS-ALL-REGIONS-per-project=0"


def about_quota(lab: Lab, run: Run) -> tuple[list[str], list[str]]:
    """Return the warnings of a run about quota, and what it else says of it."""
    warnings = [text for text in run.warnings if "quota" in text]
    log = lab.sandbox.engine_log(lab.stack).read_text(encoding="utf-8")
    lines = [line for line in log.splitlines() if line.startswith("info") and "quota" in line]
    return warnings, lines


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        yield lab_in(tmp_path_factory.mktemp("quota"), "gke")


def test_the_preview_of_an_empty_project_says_that_it_could_not_check(lab: Lab) -> None:
    warnings, lines = about_quota(lab, lab.engine().preview())
    assert warnings == []
    (line,) = lines
    assert "GPU quota was not checked" in line
    assert "Cloud Quotas API has not been used" in line
    assert "gcloud services enable cloudquotas.googleapis.com" in line


@pytest.fixture(scope="module")
def made(lab: Lab) -> Run:
    return lab.engine().up()


def test_a_stack_with_enough_quota_says_nothing(lab: Lab, made: Run) -> None:
    assert made.changed
    assert about_quota(lab, lab.engine().preview()) == ([], [])


def test_a_preview_warns_of_a_quota_of_zero(
    lab: Lab, made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made.changed
    monkeypatch.setenv(VARIABLE, ZERO)
    run = lab.engine().preview()
    (warning,), lines = about_quota(lab, run)
    assert warning.startswith("GPU quota GPUS_ALL_REGIONS")
    assert lines == []
    assert not run.changed


def test_an_up_that_may_not_see_the_quota_goes_on(
    lab: Lab, made: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made.changed
    monkeypatch.setenv(VARIABLE, "denied")
    run = lab.engine().up()
    warnings, (line,) = about_quota(lab, run)
    assert warnings == []
    assert "Permission" in line
    assert not run.changed
