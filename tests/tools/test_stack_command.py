"""`make preview|up|destroy`: plain `pulumi`, with plain words where it would leave one alone."""

from pathlib import Path

import pytest

from tools import stack_command


class Handover(Exception):  # noqa: N818 (it is no error)
    """Stands where the process would become `pulumi`."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two stacks and a `pulumi` that is logged in and knows one of them."""
    for name in ("gke", "local"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    write_pulumi(tmp_path, '[ "$1" = whoami ] || echo \'[{"name": "me/llmp/gke"}]\'')

    def handover(_program: str, arguments: list[str]) -> None:
        raise Handover(" ".join(arguments))

    # Put back at the end, also where the program changes it.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stack_command, "ROOT", tmp_path)
    monkeypatch.setattr("tools.stack_command.os.execvp", handover)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("POLICIES", raising=False)
    return tmp_path


def write_pulumi(folder: Path, body: str) -> None:
    """Writes a `pulumi` that notes its arguments and does what the body says."""
    program = folder / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/calls\n{body}\n', encoding="utf-8")
    program.chmod(0o755)


def calls(folder: Path) -> list[str]:
    """What `pulumi` was asked."""
    return (folder / "calls").read_text(encoding="utf-8").splitlines()


def test_pulumi_takes_over_with_the_verb_the_stack_and_the_arguments(project: Path) -> None:
    with pytest.raises(
        Handover, match=r"^pulumi preview --stack gke --policy-pack policies --diff$"
    ):
        stack_command.main(["preview", "gke", "--diff"])
    assert not any("init" in call for call in calls(project))


@pytest.mark.parametrize(
    ("chosen", "handed_on"),
    [
        ("1", " --policy-pack policies"),
        ("", " --policy-pack policies"),
        ("0", ""),
        ("teardown", " --policy-pack policies --policy-pack-config policies/teardown.json"),
    ],
)
@pytest.mark.usefixtures("project")
def test_the_policies_have_their_say_unless_they_are_told_not_to(
    chosen: str, handed_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLICIES", chosen)
    with pytest.raises(Handover, match=rf"^pulumi up --stack gke{handed_on}$"):
        stack_command.main(["up", "gke"])


@pytest.mark.usefixtures("project")
def test_destroy_asks_no_policy() -> None:
    with pytest.raises(Handover, match=r"^pulumi destroy --stack gke$"):
        stack_command.main(["destroy", "gke"])


def test_policies_that_mean_nothing_are_refused_before_pulumi_is_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLICIES", "off")
    assert stack_command.main(["up", "gke"]) == 1
    assert "POLICIES=off means nothing" in capsys.readouterr().err
    assert not (project / "calls").exists()


def test_the_files_that_are_handed_on_are_there() -> None:
    for arguments in stack_command.POLICIES.values():
        for path in arguments[1::2]:
            assert (Path(__file__).resolve().parents[2] / path).exists()


def test_a_stack_that_the_backend_does_not_know_is_made_and_not_selected(project: Path) -> None:
    with pytest.raises(Handover, match=r"^pulumi up --stack local --policy-pack policies$"):
        stack_command.main(["up", "local"])
    assert "stack init local --no-select" in calls(project)


def test_a_stack_that_the_backend_does_not_know_is_not_made_to_be_destroyed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stack_command.main(["destroy", "local"]) == 0
    assert "nothing to destroy" in capsys.readouterr().err
    assert not any("init" in call for call in calls(project))


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "prod"], "there is no Pulumi.prod.yaml"),
        (["up", ""], "no stack was named"),
        (["up"], "no stack was named"),
    ],
)
def test_an_unknown_stack_is_answered_with_those_there_are(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stack_command.main(arguments) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "gke, local" in told


def test_without_a_login_it_says_how_to_log_in(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pulumi(project, "echo 'error: PULUMI_ACCESS_TOKEN must be set for login' >&2; exit 3")
    assert stack_command.main(["preview", "gke"]) == 1
    told = capsys.readouterr().err
    assert "pulumi is not logged in to any backend" in told
    assert "pulumi login gs://<bucket>" in told


def test_a_stack_that_cannot_be_made_keeps_the_exit_code(project: Path) -> None:
    write_pulumi(
        project,
        'case "$1 $2" in "stack ls") echo "[]";; "stack init") exit 5;; esac',
    )
    assert stack_command.main(["up", "gke"]) == 5
