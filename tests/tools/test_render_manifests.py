"""All manifests of a stack for review."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import render_manifests

ROOT = Path(__file__).resolve().parents[2]


def application(source: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "Application",
        "metadata": {"name": "one"},
        "spec": {"source": source, "destination": {"namespace": "space"}},
    }


@pytest.mark.charts
def test_every_own_chart_of_a_stack_is_written_as_what_it_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    arguments = [str(ROOT / "Pulumi.gke.yaml"), f"--output={folder}", "--own-charts", "--json"]
    assert render_manifests.main(arguments) == 0
    outcomes = {one["application"]: one for one in json.loads(capsys.readouterr().out)}
    assert outcomes["kueue-queues"]["objects"] > 0
    assert outcomes["keda"]["note"] == "upstream, left out"
    assert outcomes["gateway-api"]["note"] == "definitions, from git"
    made = list(yaml.safe_load_all((folder / "kueue-queues" / "manifests.yaml").read_text()))
    assert len(made) == outcomes["kueue-queues"]["objects"]
    assert (folder / "application-keda.yaml").is_file()
    # A second run replaces what the first one wrote.
    assert render_manifests.main(arguments) == 0


@pytest.mark.charts
def test_a_chart_that_cannot_be_had_is_a_failure_with_what_helm_said(tmp_path: Path) -> None:
    missing = application(
        {
            "repoURL": "https://charts.example.invalid",
            "chart": "nothing",
            "targetRevision": "1.0.0",
            "helm": {"valuesObject": {}},
        }
    )
    (outcome,) = render_manifests.render_all([missing], tmp_path, own_only=False)
    assert outcome.failed
    assert "charts.example.invalid" in outcome.note


def test_without_helm_it_says_who_builds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render_manifests.main(["any", f"--output={tmp_path / 'out'}"]) == 2
    assert "make render" in capsys.readouterr().err


@pytest.mark.charts
def test_a_folder_with_other_files_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "precious").write_text("mine")
    code = render_manifests.main([str(ROOT / "Pulumi.gke.yaml"), f"--output={tmp_path}"])
    assert code == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.charts
def test_a_bad_file_is_told_like_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "Pulumi.bad.yaml"
    bad.write_text("config: {llmp:stack: {kind: aws}}")
    assert render_manifests.main([str(bad), f"--output={tmp_path / 'out'}"]) == 2
    assert "gke, hetzner, existing" in capsys.readouterr().err
