"""What Argo CD is handed by each committed stack, held as YAML that a reviewer can read."""

from pathlib import Path

import pytest
import yaml

from tools.generate import GOLDEN_FOLDER, ROOT, golden_files

STACKS = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_stack_emits_is_what_was_reviewed(stack: str) -> None:
    files = golden_files(ROOT)
    path = GOLDEN_FOLDER / f"{stack}.yaml"
    assert path.read_text(encoding="utf-8") == files[path], "`make generate`, and read the diff"


def test_no_golden_file_is_left_of_a_stack_that_is_gone() -> None:
    assert sorted(path.stem for path in Path(GOLDEN_FOLDER).glob("*.yaml")) == STACKS


@pytest.mark.parametrize("stack", STACKS)
def test_a_golden_file_holds_projects_and_then_applications_only(stack: str) -> None:
    text = (GOLDEN_FOLDER / f"{stack}.yaml").read_text(encoding="utf-8")
    kinds = [document["kind"] for document in yaml.safe_load_all(text)]
    projects = kinds.count("AppProject")
    assert projects
    assert kinds[:projects] == ["AppProject"] * projects
    assert set(kinds[projects:]) == {"Application"}
