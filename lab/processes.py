"""Programs of the lab: started, watched, killed and started again, and all gone at the end."""

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 5.0
SET_PARENT_DEATH_SIGNAL: Final = 1
TAIL_LINES: Final = 15


class LabError(Exception):
    """The lab cannot go on. The text says why, with what a program logged last."""


def free_ports(count: int) -> Sequence[int]:
    """Return ports of loopback that nobody listens at."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]


def answers(port: int, path: str) -> bool:
    """Return whether a program says at a port of loopback that all is well with it."""
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=2)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


class Program:
    """One program with its log; what it starts itself ends with it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        """Describe the program; `start` runs it.

        Args:
            name: what it is called here.
            command: program and arguments.
            log: where its output goes, one run after the other.
            environment: what is added to the environment of this process.
        """
        self.name = name
        self.log = log
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it.

        Raises:
            LabError: it is not on PATH, or a thread other than the first asks for it: Linux would
                end the program with that thread.
        """
        if threading.current_thread() is not threading.main_thread():
            raise LabError(f"{self.name} must be started by the main thread")
        with self.log.open("ab") as output:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self.log.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self._environment},
                    # A group of its own: Ctrl-C reaches this process alone, which ends the others
                    # in order.
                    start_new_session=True,
                    preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
                )
            except OSError as error:
                raise LabError(f"{self._command[0]} cannot be started: {error.strerror}") from None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    def kill(self) -> None:
        """End it at once, as a crash would, and all that it started."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """Ask it to end; `wait_ended` waits for that."""
        self._signal(signal.SIGTERM)

    def wait_ended(self, seconds: float = STOP_SECONDS) -> None:
        """Wait until it has ended; after so long it is killed."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        # What it started may be left in its group.
        self.kill()

    def wait_ready(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until a check says that it is ready.

        Raises:
            LabError: it ended, or is not ready in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                code = None if self._process is None else self._process.returncode
                raise LabError(f"{self.name} ended with {code}:\n{tail(self.log)}")
            if ready():
                return
            time.sleep(0.05)
        raise LabError(f"{self.name} is not ready after {seconds:.0f} s:\n{tail(self.log)}")

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Programs:
    """All programs of one lab, ended together with the block: the last one first."""

    def __init__(self, folder: Path) -> None:
        """Keep logs in a folder."""
        self.folder = folder
        self._programs: dict[str, Program] = {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        last_first = list(reversed(self._programs.values()))
        try:
            for one in last_first:
                one.terminate()
            for one in last_first:
                one.wait_ended()
        finally:
            # A second Ctrl-C: what is left would write into a folder that is being removed.
            for one in last_first:
                if one.running:
                    one.kill()

    def __getitem__(self, name: str) -> Program:
        return self._programs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._programs

    def __iter__(self) -> Iterator[Program]:
        return iter(self._programs.values())

    def start(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program under a name that no other one has.

        Raises:
            LabError: it cannot be started.
        """
        if name in self._programs:
            raise LabError(f"{name} is there already")
        program = Program(
            name,
            command,
            log=self.folder / f"{name}.log",
            environment=environment if environment is not None else {},
        )
        self._programs[name] = program
        program.start()
        return program
