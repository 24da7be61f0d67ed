"""Finds or gets the Pulumi engine together with a Python language host that works.

The order: `pulumi` from PATH when it is new enough; else what an earlier run got; else the
official installer, where the internet is there; else a build from Go modules. "Works" is not
guessed: an empty program is previewed once per engine and Python.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from tools.console import SetupError, run_with_progress, say
from tools.go_tools import (
    LANGUAGE_HOST,
    PULUMI,
    cache_folder,
    ensure_tool,
    module_version,
    tool_folder,
)
from tools.locking import only_one

INSTALLER: Final = "https://get.pulumi.com/"
PROBE_SECONDS: Final = 4.0
PROBE_PROJECT: Final = "name: probe\nruntime: python\n"
PROBE_PROGRAM: Final = 'import pulumi\n\npulumi.export("probe", "works")\n'


def wanted_version() -> str:
    """The version that is got, and the oldest that is used: the pin of tools/pulumi/go.mod."""
    return module_version(PULUMI.name, PULUMI.module).removeprefix("v")


def find_engine(environment: Path) -> list[Path]:
    """Finds or gets an engine.

    Args:
        environment: The virtual environment with the Pulumi SDK, in which programs are run.

    Returns:
        The folders to put on PATH, first one first; empty when what is on PATH is good as it is.

    Raises:
        SetupError: No engine can be had.
    """
    on_path = engine_from_path(environment)
    if on_path is not None:
        return on_path
    installed = installed_folder()
    built = built_folder()
    if (installed / "pulumi").is_file() and host_works(environment, [installed]):
        return [installed]
    if not built.is_dir():
        if install_officially(installed) and host_works(environment, [installed]):
            return [installed]
        put_together([ensure_tool(PULUMI), ensure_tool(LANGUAGE_HOST)], built)
    if not host_works(environment, [built]):
        raise SetupError(
            "the Pulumi engine was built, but an empty program does not run with it",
            fix=f"remove {cache_folder()} and run the same command again",
            log=probe_log(),
        )
    return [built]


def built_folder() -> Path:
    """Where the engine and the language host that were built lie side by side."""
    parts = (tool_folder(PULUMI).name, tool_folder(LANGUAGE_HOST).name)
    return cache_folder() / "bin" / f"engine-{'-'.join(parts)}"


def put_together(folders: list[Path], target: Path) -> None:
    """Links the files of some folders into one, whole or not at all.

    The engine warns at each command about a language host that is not in its own folder, and it
    is not fooled by symbolic links.
    """
    with only_one(
        cache_folder() / "locks" / f"{target.name}.lock", title="putting pulumi together"
    ):
        if target.is_dir():
            return
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        try:
            for file in (file for folder in folders for file in folder.iterdir()):
                (draft / file.name).hardlink_to(file)
            draft.rename(target)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def engine_from_path(environment: Path) -> list[Path] | None:
    """The engine on PATH when it is new enough, with our language host where its own is missing."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    if Path(found).is_relative_to(cache_folder()):
        # A shell that sourced `.llmp/env`: that is the cached one, and it is checked below as such.
        return None
    version = version_of(found)
    wanted = parse_version(wanted_version())
    if version is None or wanted is None or version < wanted:
        shown = "of unknown version" if version is None else ".".join(map(str, version))
        say(f"{found} is {shown}, older than {wanted_version()}: not used")
        return None
    if host_works(environment, []):
        return []
    say(f"{found} comes without a Python language host that works: adding one")
    host = ensure_tool(LANGUAGE_HOST)
    if host_works(environment, [host]):
        return [host]
    say(f"{found} does not run an empty Python program (see {probe_log()}): not used")
    return None


def version_of(pulumi: str) -> tuple[int, int, int] | None:
    """What an engine says of itself; None when it says nothing that can be read."""
    try:
        answer = subprocess.run(
            [pulumi, "version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(answer.stdout)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Reads the three numbers of `v3.259.0` or `3.259.0-dev`."""
    match = re.match(r"\s*v?(\d+)\.(\d+)\.(\d+)", text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def installed_folder() -> Path:
    """Where the official installer puts the pinned version."""
    return cache_folder() / f"pulumi-{wanted_version()}" / "bin"


def install_officially(folder: Path) -> bool:
    """Runs the official installer where it can be reached.

    Returns:
        Whether the engine is there now. A failure is told, no error: the build comes next.
    """
    try:
        with urllib.request.urlopen(INSTALLER, timeout=PROBE_SECONDS) as answer:
            script: bytes = answer.read()
    except (OSError, urllib.error.URLError):
        say(f"{INSTALLER} cannot be reached: the engine will be built from Go modules")
        return False
    if not script.startswith(b"#!"):
        say(f"{INSTALLER} did not answer with a script: the engine will be built from Go modules")
        return False
    with only_one(cache_folder() / "locks" / "installer.lock", title="installing pulumi"):
        if (folder / "pulumi").is_file():
            return True
        draft = folder.parent.with_name(f"{folder.parent.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        (draft / "install.sh").write_bytes(script)
        try:
            run_with_progress(
                [
                    *("sh", str(draft / "install.sh"), "--version", wanted_version()),
                    *("--install-root", str(draft), "--no-edit-path"),
                ],
                title=f"installing pulumi {wanted_version()} with the official installer",
                expected="about a minute",
                log=cache_folder() / "logs" / "installer.log",
                fix="none needed, it is built instead",
            )
            if version_of(str(draft / "bin" / "pulumi")) is None:
                say("the official installer left no working engine: building it instead")
                return False
            shutil.rmtree(folder.parent, ignore_errors=True)
            draft.rename(folder.parent)
        except SetupError as error:
            say(str(error))
            return False
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return True


def probe_log() -> Path:
    """Where the last probe's output is."""
    return cache_folder() / "logs" / "probe.log"


def host_works(environment: Path, folders: list[Path]) -> bool:
    """Whether the engine previews an empty Python program.

    A yes is remembered per engine, host and environment; a no is asked again.

    Args:
        environment: The virtual environment whose Python runs the program.
        folders: What to put on PATH before what is there.
    """
    path = os.pathsep.join(
        [str(environment / "bin"), *map(str, folders), os.environ.get("PATH", os.defpath)]
    )
    key = hashlib.sha256(str(environment).encode())
    for program in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec"):
        found = shutil.which(program, path=path)
        state = Path(found).stat() if found is not None else None
        known = None if state is None else (found, state.st_size, state.st_mtime_ns)
        key.update(repr(known).encode())
    for stamp in environment.glob("llmp-*"):
        key.update(stamp.read_bytes())
    answer = cache_folder() / "probes" / key.hexdigest()[:20]
    if answer.is_file():
        return True
    if not probe(path):
        return False
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.touch()
    return True


def probe(path: str) -> bool:
    """Previews an empty program in a folder of its own, with a state of its own."""
    say("checking that the engine runs a Python program")
    with tempfile.TemporaryDirectory(prefix="llmp-probe-") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text(PROBE_PROJECT, encoding="utf-8")
        (folder / "__main__.py").write_text(PROBE_PROGRAM, encoding="utf-8")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
        variables = {
            **inherited,
            "PATH": path,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "probe",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        probe_log().parent.mkdir(parents=True, exist_ok=True)
        with probe_log().open("w", encoding="utf-8") as log:
            for command in (
                ["pulumi", "stack", "init", "probe", "--non-interactive"],
                ["pulumi", "preview", "--stack", "probe", "--non-interactive"],
            ):
                program = shutil.which(command[0], path=path)
                if program is None:
                    return False
                code = subprocess.run(
                    [program, *command[1:]],
                    cwd=folder,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).returncode
                if code != 0:
                    return False
    return True
