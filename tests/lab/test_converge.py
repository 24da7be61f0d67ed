"""A small stack converges on a real control plane with the real Argo CD, edge by edge."""

import json
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Final

import pytest

from lab import __main__ as command_line
from lab.session import ROOT
from tools.custom_resources import definitions_folder

Json = dict[str, Any]

PROGRAMS: Final = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("argocd", "kwok", "helm", "kustomize"),
)


@pytest.fixture
def programs() -> None:
    """Skip where the lab cannot run."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH; `make test` builds it")
    if not definitions_folder().is_dir():
        pytest.skip("the custom resource definitions are not there; `make test` brings them")


@pytest.mark.lab
@pytest.mark.usefixtures("programs")
def test_the_local_example_converges_and_each_application_follows_those_it_requires(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "local.svg"
    code = command_line.main(
        [
            *("converge", "--stack", "local", "--profile", "llm-gateway", "--json"),
            *("--picture", str(picture)),
        ]
    )
    run: Json = json.loads(capsys.readouterr().out)
    assert run["problems"] == []
    assert code == 0
    # A stand-in is Healthy once its definitions are established, without a controller that has to
    # start. A busy API server lists their kinds some seconds later, and syncs by then are retried.
    failed = [one for messages in run["failures"].values() for one in messages]
    assert [one for one in failed if "no matches for kind" not in one] == []
    rows: dict[str, Json] = {one["name"]: one for one in run["rows"]}
    assert rows["qwen-small-vllm"]["by_hand"]
    assert {one["source"] for one in rows.values()} == {"own", "stand-in"}
    assert {one["application"] for one in run["stand_ins"]} == {
        name for name, one in rows.items() if one["source"] == "stand-in"
    }
    for one in rows.values():
        for required in one["requires"]:
            assert rows[required]["synced"] <= one["applied"], (required, one["name"])
    ET.parse(picture)  # noqa: S314 - made here


@pytest.mark.lab
@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_lab_that_was_stopped(stop: signal.Signals) -> None:
    # Where the tests run in the background it may be ignored, which is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "lab", "up", "--stack", "local", "--json"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        running: Json = json.loads(process.stdout.readline())
        folder = Path(running["kubeconfig"]).parent
        assert any(str(folder) in one for one in commands_running())
        process.send_signal(stop)
        assert process.wait(60) == command_line.INTERRUPTED
    assert not folder.exists()
    assert [one for one in commands_running() if str(folder) in one] == []


def commands_running() -> list[str]:
    """Return the command lines of all processes."""
    found: list[str] = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit() and int(one.name) != os.getpid():
            try:
                found.append((one / "cmdline").read_text(encoding="utf-8", errors="replace"))
            except OSError:
                continue
    return found


def test_a_command_that_is_not_there_is_told_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command_line.main(["convert"]) == command_line.WRONG
    told = capsys.readouterr().err
    assert "convert" in told
    assert "converge" in told


def test_a_stack_that_is_not_there_is_told_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command_line.main(["converge", "--stack", "moon", "--json"]) == command_line.WRONG
    assert "Pulumi.moon.yaml" in json.loads(capsys.readouterr().out)["errors"][0]["message"]


def test_a_stack_file_that_is_wrong_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Pulumi.wrong.yaml"
    file.write_text("config: {}\n", encoding="utf-8")
    assert command_line.main(["converge", "--file", str(file)]) == command_line.WRONG
    told = capsys.readouterr().err
    assert "Pulumi.wrong.yaml" in told
    assert "Traceback" not in told
