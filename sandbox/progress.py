"""Says on stderr how far the engine is: one line that is rewritten, or a line now and then."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.status import Status

_SECONDS_BETWEEN_LINES: Final = 10.0


class Progress:
    """Progress of one run of the engine; use it as a context manager."""

    def __init__(self, title: str) -> None:
        """Show progress under a title such as `up gke`."""
        self._title = title
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._last_line = 0.0

    def __enter__(self) -> Self:
        """Show the first line."""
        text = f"{self._title}: starting the engine"
        if self._console.is_terminal:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._console.print(f"{text} …")
        self._last_line = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()

    def update(self, finished: int, started: int, name: str) -> None:
        """Show that `finished` of the `started` operations are done, `name` being the latest."""
        text = f"{self._title}: {finished} done, {started - finished} under way ({name})"
        if self._status is not None:
            self._status.update(text)
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._console.print(text)
            self._last_line = time.monotonic()
