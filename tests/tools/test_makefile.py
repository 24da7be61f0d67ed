"""The commands that the README names are there, quiet, and keep exit codes and stdout."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = (
    *("help", "demo", "test", "lint", "format", "preview", "up", "destroy"),
    *("bench", "generate", "check", "clean"),
)


def make(*arguments: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Runs make."""
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_every_command(command: str) -> None:
    assert re.search(rf"^  {command} +\S", make("help").stdout, re.MULTILINE)


def test_help_is_what_make_alone_does() -> None:
    assert make().stdout == make("help").stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["demo"], "python -m sandbox demo --stack 'gke'"),
        (["demo", "STACK=local", "JSON=1"], "python -m sandbox demo --stack 'local' --json"),
        (["demo", "JSON=0"], "python -m sandbox demo --stack 'gke'"),
        (["demo", "POLICIES=0"], "python -m sandbox demo --stack 'gke' --no-policies"),
        (["demo", "CONFIG=a b.yaml"], "python -m sandbox demo --stack 'gke' --config 'a b.yaml'"),
        (["bench"], "python -m sandbox bench"),
        (["check", "STACK=local"], "python -m stacks.check 'Pulumi.local.yaml'"),
        (["check", "CONFIG=a b.yaml"], "python -m stacks.check 'a b.yaml'"),
        (["up", "STACK=gke", "ARGS=--yes"], "python -m tools.stack_command up 'gke' --yes"),
        (["lab", "LAB=scaling"], "prometheus keda-operator keda-adapter -- python -m lab scaling"),
        (
            ["lab", "LAB=up", "LAB_WITH=kueue,keda"],
            "keda-adapter -- python -m lab up --file 'Pulumi.gke.yaml' --with 'kueue,keda'",
        ),
    ],
)
def test_a_command_becomes_one_call(arguments: list[str], expected: str) -> None:
    printed = " ".join(make("--dry-run", *arguments).stdout.replace("\\\n", " ").split())
    assert printed.endswith(expected)


@pytest.mark.parametrize("command", ["faults", "scheduling", "scaling"])
@pytest.mark.parametrize("stack", ["STACK=gke", "CONFIG=my-stack.yaml"])
def test_what_brings_a_stack_of_its_own_refuses_another(command: str, stack: str) -> None:
    answer = make("lab", f"LAB={command}", stack, "PYTHON=true")
    assert answer.returncode != 0
    assert "brings a stack of its own; leave STACK and CONFIG out" in answer.stderr


@pytest.mark.parametrize("command", ["preview", "up", "destroy"])
def test_what_costs_or_deletes_wants_its_stack_named(command: str) -> None:
    answer = make(command, "PYTHON=true")
    assert answer.returncode != 0
    assert "no stack was named; add STACK=<name>: gke hetzner local" in answer.stderr


@pytest.mark.parametrize("command", ["preview", "up", "destroy"])
def test_what_costs_or_deletes_does_not_take_another_file_than_was_given(command: str) -> None:
    answer = make(command, "STACK=gke", "CONFIG=my-stack.yaml", "PYTHON=true")
    assert answer.returncode != 0
    assert "reads Pulumi.<name>.yaml and no CONFIG" in answer.stderr


@pytest.mark.parametrize("command", ["demo", "check", "sandbox-preview", "up", "destroy"])
def test_an_unknown_stack_is_answered_with_those_there_are(command: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("gke", "local"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    answer = make(command, "STACK=prod", folder=tmp_path)
    assert answer.returncode != 0
    assert "there is no Pulumi.prod.yaml; STACK can be: gke local" in answer.stderr


def test_exit_codes_and_stdout_are_left_alone(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "{}"\nexit 1\n', encoding="utf-8")
    python.chmod(0o755)
    answer = make("demo", "JSON=1", "CONFIG=x.yaml", f"PYTHON={python}", folder=tmp_path)
    assert answer.stdout == "{}\n"
    assert answer.returncode != 0


def test_a_machine_without_python_is_told_what_to_install() -> None:
    answer = make("demo", "PYTHON=no-such-python")
    assert answer.returncode != 0
    assert "no-such-python is not on PATH" in answer.stderr
    assert "apt-get install python3" in answer.stderr


def test_with_json_an_unknown_stack_is_left_to_the_command_that_answers_in_json() -> None:
    answer = make("--dry-run", "demo", "STACK=nope", "JSON=1")
    assert "python -m sandbox demo --stack 'nope'" in answer.stdout
    assert "there is no Pulumi.nope.yaml" not in answer.stdout
