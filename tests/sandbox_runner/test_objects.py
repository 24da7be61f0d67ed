"""Printing kept Kubernetes objects."""

from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.project import Sandbox


@pytest.fixture
def root(tmp_path: Path) -> Path:
    sandbox = Sandbox(root=tmp_path)
    folder = sandbox.clouds("gke") / "objects" / "llmp" / "argocd"
    folder.mkdir(parents=True)
    (folder / "Application.litellm.yaml").write_text(
        "kind: Application\nmetadata: {name: litellm, namespace: argocd}\n", encoding="utf-8"
    )
    (folder / "Secret.redis.yaml").write_text(
        "kind: Secret\nmetadata: {name: redis, namespace: argocd}\ndata: {auth: aHVudGVyMg==}\n",
        encoding="utf-8",
    )
    return tmp_path


def test_an_object_is_printed_as_yaml(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "application/litellm", "--root", str(root)]) == 0

    assert "kind: Application" in capsys.readouterr().out


def test_the_values_of_a_secret_are_masked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "Secret/redis", "--root", str(root)]) == 0

    said = capsys.readouterr().out
    assert "auth: '[secret]'" in said
    assert "aHVudGVyMg" not in said


def test_all_objects_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--list", "--root", str(root)]) == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["argocd", "Application/litellm"], ["argocd", "Secret/redis"]]


@pytest.mark.parametrize(
    ("reference", "answer"),
    [("Application/litelm", "Application/litellm"), ("litellm", "Kind/name"), ("Job/x", "--list")],
)
def test_an_object_that_is_not_there_is_answered_with_help(
    root: Path, reference: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", reference, "--root", str(root)]) == 2

    assert answer in capsys.readouterr().err


def test_before_the_first_run_there_is_nothing_to_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "--list", "--root", str(tmp_path)]) == 2

    assert "make demo" in capsys.readouterr().err
