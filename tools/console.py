"""How the set-up speaks: on stderr, with progress, and with what to do when something failed."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TAIL_LINES = 25
# A terminal gets one line that is rewritten; a log file gets a new line now and then.
TERMINAL_INTERVAL_SECONDS = 1.0
PLAIN_INTERVAL_SECONDS = 20.0


class SetupError(Exception):
    """The set-up cannot go on. The text says what happened and how to fix it."""

    def __init__(self, problem: str, *, fix: str, log: Path | None = None) -> None:
        """Args: problem: one sentence; fix: what to do; log: its last lines are shown."""
        parts = [problem]
        if log is not None and log.is_file():
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
            parts += [f"last lines of {log}:", *(f"    {line}" for line in tail)]
        parts.append(f"fix: {fix}")
        super().__init__("\n".join(parts))


def say(text: str) -> None:
    """Prints lines to stderr, each marked as coming from the set-up."""
    for line in text.splitlines():
        print(f"setup: {line}", file=sys.stderr, flush=True)


def run_with_progress(  # noqa: PLR0913 (one step of the set-up is described by all of these)
    command: Sequence[str],
    *,
    title: str,
    expected: str,
    log: Path,
    fix: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    detail: Callable[[], str] | None = None,
) -> None:
    """Runs a command with its output in a log file, and says how long it has been at it.

    Args:
        command: Program and arguments.
        title: What is being done, as it is told.
        expected: How long it usually takes, in words.
        log: Where the output goes; the file is replaced.
        fix: What to do when it fails.
        environment: The whole environment of the command; inherited when None.
        folder: Where it runs.
        detail: Called for each progress line; what is to be added to it.

    Raises:
        SetupError: The command cannot be started or ended with another exit code than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = sys.stderr.isatty()
    interval = TERMINAL_INTERVAL_SECONDS if terminal else PLAIN_INTERVAL_SECONDS
    say(f"{title} ({expected})")
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
            )
        except OSError as error:
            raise SetupError(f"{command[0]} cannot be started: {error.strerror}", fix=fix) from None
        try:
            while True:
                try:
                    code = process.wait(interval)
                    break
                except subprocess.TimeoutExpired:
                    pass
                line = f"{title}: {time.monotonic() - start:.0f} s so far"
                if detail is not None:
                    line += f", {detail()}"
                if terminal:
                    print(f"\r\033[Ksetup: {line}", end="", file=sys.stderr, flush=True)
                else:
                    say(line)
        finally:
            if terminal:
                print("\r\033[K", end="", file=sys.stderr, flush=True)
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code != 0:
        raise SetupError(f"{title} failed with exit code {code}", fix=fix, log=log)
    say(f"{title}: done in {time.monotonic() - start:.0f} s")
