"""What the commands of the lab share: which stack, whose charts, and how far they are."""

import argparse
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.status import Status

from lab.processes import LabError
from lab.rendering import ROOT

UPSTREAM: Final = "LAB_UPSTREAM"
PAGE_WIDTH: Final = 140
"""Columns of a page where there is no terminal to ask."""
SECONDS_BETWEEN_LINES: Final = 10.0


def add_stack(parser: argparse.ArgumentParser) -> None:
    """Add the options that say for which stack a command is."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--stack", default="gke", metavar="NAME", help="the <name> of a Pulumi.<name>.yaml"
    )
    which.add_argument("--file", type=Path, metavar="FILE", help="a stack file anywhere")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def stack_file(options: argparse.Namespace) -> Path:
    """Return the stack file that the options name.

    Raises:
        LabError: there is none.
    """
    if options.file is not None:
        return options.file
    file = ROOT / f"Pulumi.{options.stack}.yaml"
    if not file.is_file():
        names = ", ".join(sorted(one.name.split(".")[1] for one in ROOT.glob("Pulumi.*.yaml")))
        raise LabError(f"there is no {file.name}; --stack can be: {names}")
    return file


def upstream() -> bool:
    """Return whether charts of others come from the network: `LAB_UPSTREAM=1`."""
    return os.environ.get(UPSTREAM, "0") not in ("", "0")


def page_console() -> Console:
    """Return the console for pages on stdout; without colour codes where that is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PAGE_WIDTH)


class Progress:
    """How far a command is, on stderr: one line that is rewritten, or a line now and then."""

    def __init__(self, title: str) -> None:
        """Show progress under a title within a `with` block."""
        self._title = title
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._start = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status(self._title)
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def stage(self, text: str) -> None:
        """Show that something longer begins, always."""
        self._last_line = 0.0
        self.update(text)

    def update(self, text: str) -> None:
        """Show how far it is."""
        now = time.monotonic()
        line = f"{self._title}: {text} ({now - self._start:.0f} s)"
        if self._status is not None:
            self._status.update(line)
        elif now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._console.print(line, markup=False, soft_wrap=True)
            self._last_line = now
