"""The set-up as a program."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bootstrap
from tools.console import SetupError

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tools" / "bootstrap.py"


def test_it_parses_on_a_python_too_old_to_run_it() -> None:
    ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_it_imports_nothing_of_its_own_before_the_version_is_checked() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    check = next(node for node in tree.body if isinstance(node, ast.If))
    early = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.Import) and node.lineno < check.lineno
        for alias in node.names
    ]
    assert early == ["os", "shutil", "sys"]
    assert not any(
        isinstance(node, ast.ImportFrom) and node.lineno < check.lineno for node in tree.body
    )


def test_an_unknown_part_is_refused_with_the_parts_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        bootstrap.main(["motor"])
    assert caught.value.code == 2
    assert "'motor'; the parts are engine, helm, actionlint, " in capsys.readouterr().err


def test_a_failed_set_up_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_parts: object) -> dict[str, str]:
        raise SetupError("no Go", fix="install Go")

    monkeypatch.setattr(bootstrap, "set_up", fail)
    assert bootstrap.main(["engine"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "setup: no Go\nsetup: fix: install Go\n"


def test_a_cache_that_cannot_be_written_is_told_with_its_fix_and_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def set_up(_parts: list[str]) -> dict[str, str]:
        raise PermissionError(13, "Permission denied", "/home/me/.cache/llmp")

    monkeypatch.setattr(bootstrap, "set_up", set_up)
    assert bootstrap.main(["--", "python", "-m", "sandbox", "demo", "--json"]) == 1
    said = capsys.readouterr()
    assert "/home/me/.cache/llmp: Permission denied" in said.err
    assert "LLMP_CACHE=<folder>" in said.err
    assert "LLMP_CACHE" in json.loads(said.out)["errors"][0]["message"]


def test_the_command_keeps_its_exit_code_and_its_stdout() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tools.bootstrap", "--", "sh", "-c", "echo only this; exit 7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (7, "only this\n")


def test_the_command_runs_with_the_environment_first_on_path() -> None:
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "tools.bootstrap", "--"),
            *("python", "-c", "import sys; print(sys.prefix)"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str(ROOT / ".venv")


def test_the_environment_file_can_be_sourced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    folder = tmp_path / "a folder with 'quotes'"
    bootstrap.write_environment_file([folder], {"PATH": "ignored", "ANSWER": "4 2"})
    answer = subprocess.run(
        ["/bin/sh", "-c", '. .llmp/env && echo "$ANSWER" && echo "$PATH"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.defpath},
    )
    assert answer.stdout == f"4 2\n{folder}{os.pathsep}{os.defpath}\n"
