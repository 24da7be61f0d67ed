"""The virtual environment `.venv`: made once, filled again when the pinned requirements change."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.console import SetupError, run_with_progress, say
from tools.locking import only_one

REQUIREMENTS = "requirements-dev.txt"
CONSTRAINTS = "constraints.txt"
INPUTS = ("requirements.txt", REQUIREMENTS, CONSTRAINTS)
STAMP = "llmp-requirements"
EXPECTED = "about a minute"


def ensure_virtual_environment(root: Path) -> Path:
    """Makes `.venv` hold exactly what the requirement files pin.

    Args:
        root: The folder of the project.

    Returns:
        The folder of the environment.

    Raises:
        SetupError: It cannot be made or filled.
    """
    folder = root / ".venv"
    stamp = folder / STAMP
    wanted = requirements_digest(root, folder)
    if is_current(stamp, wanted):
        return folder
    state = root / ".llmp"
    with only_one(state / "locks" / "venv.lock", title="Python packages"):
        if is_current(stamp, wanted):
            return folder
        stamp.unlink(missing_ok=True)
        install(root, folder, state / "logs")
        stamp.write_text(wanted, encoding="utf-8")
    return folder


def requirements_digest(root: Path, folder: Path) -> str:
    """A digest of all that decides what the environment holds and where it works.

    The place is part of it because a virtual environment cannot be moved.
    """
    digest = hashlib.sha256(str(folder).encode())
    digest.update(repr(sys.version_info[:2]).encode())
    for name in INPUTS:
        digest.update(b"\0" + (root / name).read_bytes())
    return digest.hexdigest()


def is_current(stamp: Path, wanted: str) -> bool:
    """Whether the environment was filled from these very files."""
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted


def install(root: Path, folder: Path, logs: Path) -> None:
    """Makes the environment and installs into it: with uv where it is and works, else with pip."""
    uv = shutil.which("uv")
    if uv is not None:
        try:
            install_with_uv(uv, root, folder, logs)
        except SetupError as error:
            say(f"{error}\nuv did not do it; trying pip")
        else:
            return
    install_with_pip(root, folder, logs)


def install_with_uv(uv: str, root: Path, folder: Path, logs: Path) -> None:
    """Uses uv, which is faster and removes what is no longer pinned."""
    run_with_progress(
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        title="making .venv with uv",
        expected="seconds",
        log=logs / "venv.log",
        fix="see the log",
    )
    run_with_progress(
        [
            *(uv, "pip", "install", "--python", str(folder / "bin" / "python")),
            *("--requirement", REQUIREMENTS, "--constraint", CONSTRAINTS),
        ],
        title="installing Python packages with uv",
        expected=EXPECTED,
        log=logs / "packages.log",
        fix="see the log",
        folder=root,
        environment={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
    )


def install_with_pip(root: Path, folder: Path, logs: Path) -> None:
    """Uses venv and pip of the running Python."""
    python = folder / "bin" / "python"
    if not works_in_place(python, folder):
        run_with_progress(
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            title="making .venv",
            expected="seconds",
            log=logs / "venv.log",
            fix="install the venv module (Debian, Ubuntu: apt-get install python3-venv) or uv,"
            " then run the same command again",
        )
    run_with_progress(
        [
            *(str(python), "-m", "pip", "install", "--disable-pip-version-check"),
            *("--progress-bar", "off", "--no-input"),
            *("--requirement", REQUIREMENTS, "--constraint", CONSTRAINTS),
        ],
        title="installing Python packages with pip",
        expected=EXPECTED,
        log=logs / "packages.log",
        fix="check that the Python package index (pypi.org, or what PIP_INDEX_URL names) can be"
        " reached, then run the same command again",
        folder=root,
    )


def works_in_place(python: Path, folder: Path) -> bool:
    """Whether its Python starts, belongs to this folder, is of this version and has pip."""
    question = "import sys, pip; print(sys.prefix, *sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(python), "-c", question], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    expected = f"{folder} {sys.version_info[0]} {sys.version_info[1]}"
    return answer.returncode == 0 and answer.stdout.strip() == expected
