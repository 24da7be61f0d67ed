"""Stack files of the sandbox: how they name a stack, and what is said of an unusable one."""

import json
from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.stack_file import stack_name

UNUSABLE = {
    "not YAML": "config: [",
    "no mapping": "- one\n- two\n",
    "empty": "",
    "no config": "kind: gke\n",
    "config is a list": "config: [llmp:stack]\n",
    "no stack object": "config:\n  gcp:project: my-project\n",
    "stack object is text": "config:\n  llmp:stack: gke\n",
    "unknown kind": "config:\n  llmp:stack: {kind: aws}\n",
}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("Pulumi.gke.yaml", "gke"),
        ("Pulumi.gke-prod.yml", "gke-prod"),
        ("my stack.yaml", "my-stack"),
        ("weiß & grün.yaml", "wei-gr-n"),
        ("...yaml", "stack"),
    ],
)
def test_a_stack_file_names_its_stack(file: str, name: str) -> None:
    assert stack_name(Path("folder") / file) == name


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE.keys())
@pytest.mark.parametrize("command", ["demo", "preview"])
def test_an_unusable_stack_file_is_one_message_and_exit_code_2(
    command: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    path.write_text(content, encoding="utf-8")
    root = tmp_path / "root"

    assert main([command, "--config", str(path), "--root", str(root)]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert str(path) in said.err
    assert "fix:" in said.err
    assert "Traceback" not in said.err
    assert not root.exists()


def test_a_missing_stack_file_is_answered_with_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.there.yaml").touch()

    assert main(["demo", "--config", str(tmp_path / "Pulumi.gone.yaml")]) == 2

    said = capsys.readouterr().err
    assert "does not exist" in said
    assert "Pulumi.there.yaml" in said


def test_a_folder_is_not_taken_for_a_stack_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--config", str(tmp_path)]) == 2

    assert "is a folder" in capsys.readouterr().err


def test_all_problems_of_a_stack_file_are_in_the_one_json_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Pulumi.bad.yaml"
    stack = {"kind": "gke", "gke": {"regoin": "here"}, "platform": {"profile": "huge"}}
    path.write_text(json.dumps({"config": {"llmp:stack": stack}}), encoding="utf-8")

    assert main(["demo", "--config", str(path), "--json"]) == 2

    document = json.loads(capsys.readouterr().out)
    assert document["stack"] == "bad"
    paths = [error["path"] for error in document["errors"]]
    assert "gke.regoin" in paths
    assert "platform.profile" in paths
    assert all(error["fix"] for error in document["errors"])


def test_a_missing_stack_file_is_one_json_document_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", "--config", str(tmp_path / "gone.yaml"), "--json"]) == 2

    document = json.loads(capsys.readouterr().out)
    assert document["stack"] == "gone"
    assert "does not exist" in document["errors"][0]["message"]
