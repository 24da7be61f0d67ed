"""What happens when a run does not go well."""

import json
from pathlib import Path

import pytest

from sandbox.errors import EngineError
from tests.engine.conftest import committed_config, lab_in, run_sandbox

pytestmark = pytest.mark.engine


def test_after_a_failure_in_the_middle_the_next_up_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_in(tmp_path, "gke")
    monkeypatch.setenv("LLMP_SANDBOX_FAIL_AT", "20")
    with pytest.raises(EngineError) as failure:
        lab.engine().up()
    monkeypatch.delenv("LLMP_SANDBOX_FAIL_AT")

    assert "LLMP_SANDBOX_FAIL_AT=20" in str(failure.value)
    assert "Traceback" not in str(failure.value)
    kept = {one["urn"] for one in lab.engine().export()["resources"]}
    assert len(kept) > 10

    rest = lab.engine().up()

    assert "replace" not in rest.operations
    assert "delete" not in rest.operations
    assert rest.operations["create"] > 0
    assert rest.operations["same"] > 0
    assert not lab.engine().up().changed


def test_an_application_that_fails_stops_only_what_requires_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = lab_in(tmp_path, "local")
    monkeypatch.setenv("LLMP_SANDBOX_FAIL_ON", "cert-manager-application")
    with pytest.raises(EngineError) as failure:
        lab.engine().up()
    monkeypatch.delenv("LLMP_SANDBOX_FAIL_ON")

    assert any("cert-manager-application" in problem for problem in failure.value.problems)
    rest = lab.engine().up()
    assert "cert-manager-application" in {
        one.name for one in rest.resources if one.operation == "create"
    }


def test_a_bad_config_shows_all_errors_and_creates_nothing(tmp_path: Path) -> None:
    config = committed_config("gke")
    config["llmp:stack"]["gke"]["region"] = "us-central1-a"
    config["llmp:stack"]["platform"]["profile"] = "everything"
    config["llmp:stack"]["tenants"][0]["models"] = ["no-such-model"]
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(json.dumps({"config": config}), encoding="utf-8")
    root = tmp_path / "root"

    result = run_sandbox("demo", "--config", str(path), root=root)

    assert result.returncode == 2
    for expected in ("gke.region", "platform.profile", "no-such-model"):
        assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not root.exists()


def test_the_program_itself_refuses_a_bad_config_without_a_traceback(tmp_path: Path) -> None:
    lab = lab_in(tmp_path, "gke")
    lab.config["llmp:stack"]["gke"]["region"] = "us-central1-a"

    with pytest.raises(EngineError) as failure:
        lab.engine().preview()

    assert "gke.region" in str(failure.value)
    assert "Traceback" not in str(failure.value)
    assert not lab.journal()
