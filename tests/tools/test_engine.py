"""Which engine is used. The engines here are scripts: what is under test is the choice."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import engine, go_tools
from tools.console import SetupError

MakeEngine = Callable[[str, str], Path]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty virtual environment and cache, and a PATH with nothing of Pulumi on it."""
    monkeypatch.setenv("LLMP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    return tmp_path / "venv"


@pytest.fixture
def make_engine(tmp_path: Path) -> MakeEngine:
    """Makes a folder with a `pulumi` that has a version and ends previews with an exit code."""

    def make(version: str, preview_exit: str) -> Path:
        folder = tmp_path / f"pulumi-{version}"
        folder.mkdir()
        program = folder / "pulumi"
        program.write_text(
            f'#!/bin/sh\ncase "$1" in version) echo v{version};; preview) {preview_exit};; esac\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        return folder

    return make


def no_internet(_folder: Path) -> bool:
    """The official installer where it can't be reached."""
    return False


def put_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Puts a folder first on PATH."""
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")


def test_an_engine_on_path_that_is_new_enough_is_used_as_it_is(
    environment: Path, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(monkeypatch, make_engine(engine.wanted_version(), "exit 0"))
    assert engine.find_engine(environment) == []


def test_an_engine_on_path_that_is_too_old_is_told_and_not_used(
    environment: Path,
    make_engine: MakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_on_path(monkeypatch, make_engine("3.100.0", "exit 0"))
    assert engine.engine_from_path(environment) is None
    assert "is 3.100.0, older than" in capsys.readouterr().err


def test_an_engine_on_path_without_language_host_gets_one(
    environment: Path, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needs_host = "command -v pulumi-language-python"
    put_on_path(monkeypatch, make_engine(engine.wanted_version(), needs_host))
    host = tmp_path / "host"
    host.mkdir()
    (host / "pulumi-language-python").write_text("#!/bin/sh\n", encoding="utf-8")
    (host / "pulumi-language-python").chmod(0o755)

    def built(tool: go_tools.GoTool) -> Path:
        assert tool is go_tools.LANGUAGE_HOST
        return host

    monkeypatch.setattr(engine, "ensure_tool", built)
    assert engine.find_engine(environment) == [host]


def test_the_build_comes_where_there_is_neither_engine_nor_internet(
    environment: Path, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "pulumi-language-python").touch()
    parts = {
        "pulumi": make_engine(engine.wanted_version(), "exit 0"),
        "pulumi-language-python": host,
    }

    def built(tool: go_tools.GoTool) -> Path:
        return parts[tool.name]

    monkeypatch.setattr(engine, "install_officially", no_internet)
    monkeypatch.setattr(engine, "ensure_tool", built)
    (folder,) = engine.find_engine(environment)
    # Side by side, or the engine warns about its host at each command.
    assert sorted(file.name for file in folder.iterdir()) == ["pulumi", "pulumi-language-python"]
    assert not any(file.is_symlink() for file in folder.iterdir())

    def no_build(_tool: go_tools.GoTool) -> Path:
        raise AssertionError

    monkeypatch.setattr(engine, "ensure_tool", no_build)
    assert engine.find_engine(environment) == [folder]


def test_the_official_installer_comes_before_the_build(
    environment: Path, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_engine(engine.wanted_version(), "exit 0")

    def install(folder: Path) -> bool:
        folder.parent.mkdir(parents=True)
        made.rename(folder)
        return True

    monkeypatch.setattr(engine, "install_officially", install)
    assert engine.find_engine(environment) == [engine.installed_folder()]


def test_an_engine_that_runs_no_program_is_an_error_with_its_log(
    environment: Path, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = make_engine(engine.wanted_version(), "echo no host; exit 1")
    empty = tmp_path / "empty"
    empty.mkdir()

    def built(tool: go_tools.GoTool) -> Path:
        return folder if tool is go_tools.PULUMI else empty

    monkeypatch.setattr(engine, "install_officially", no_internet)
    monkeypatch.setattr(engine, "ensure_tool", built)
    with pytest.raises(SetupError, match="an empty program does not run") as caught:
        engine.find_engine(environment)
    assert "    no host" in str(caught.value)


def test_a_no_is_asked_again(
    environment: Path, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_on_path(monkeypatch, make_engine("3.300.0", f"test -e {tmp_path}/fixed"))
    assert not engine.host_works(environment, [])
    (tmp_path / "fixed").touch()
    assert engine.host_works(environment, [])


def test_an_installer_that_cannot_be_reached_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "INSTALLER", (tmp_path / "nothing").as_uri())
    assert not engine.install_officially(tmp_path / "bin")
    assert "cannot be reached" in capsys.readouterr().err


def test_the_installer_gets_the_pinned_version_and_a_folder_of_its_own(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del environment
    script = tmp_path / "install.sh"
    script.write_text(
        '#!/bin/sh\nset -e\n[ "$1" = --version ] && [ "$3" = --install-root ]\n'
        '[ "$5" = --no-edit-path ]\nmkdir -p "$4/bin"\n'
        'printf "#!/bin/sh\\necho v$2\\n" > "$4/bin/pulumi"\nchmod +x "$4/bin/pulumi"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(engine, "INSTALLER", script.as_uri())
    folder = engine.installed_folder()
    assert engine.install_officially(folder)
    assert engine.version_of(str(folder / "pulumi")) == engine.parse_version(
        engine.wanted_version()
    )
