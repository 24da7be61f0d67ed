"""A command that fails answers on its own terms: in JSON where that was asked for."""

import json
from pathlib import Path

import pytest

from sandbox.__main__ import main


@pytest.mark.parametrize("name", ["..", "../../x", "a b", "", ".", "-", "it's"])
def test_a_name_that_is_no_stack_forgets_nothing(name: str, tmp_path: Path) -> None:
    root = tmp_path / "sandbox"
    (root / "stacks" / "gke").mkdir(parents=True)
    assert main(["reset", f"--stack={name}", f"--root={root}"]) == 2
    assert (root / "stacks" / "gke").is_dir()


@pytest.mark.parametrize("arguments", [["--stack=nope"], ["--stack=../x"], ["--config=/nope.yaml"]])
def test_a_wrong_stack_is_answered_with_one_document(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--json", *arguments]) == 2
    assert json.loads(capsys.readouterr().out)["errors"][0]["message"]


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [(KeyboardInterrupt(), 130, "go on"), (OSError(28, "No space left"), 2, "No space left")],
)
def test_what_ends_a_run_is_told_in_json(
    raised: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def read(_path: Path) -> None:
        raise raised

    monkeypatch.setattr("sandbox.__main__.read_stack_file", read)
    assert main(["demo", "--json"]) == code
    assert says in json.loads(capsys.readouterr().out)["errors"][0]["message"]
