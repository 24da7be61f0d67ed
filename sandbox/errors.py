"""What can go wrong in a sandbox run, in words for people."""

from collections.abc import Sequence
from pathlib import Path


class SandboxError(Exception):
    """A run that cannot start; the text says why and what to do."""


class EngineError(Exception):
    """The engine ran and did not complete. The text holds what it said, without tracebacks."""

    def __init__(self, problems: Sequence[str], *, log: Path, completed: int) -> None:
        """Keep the engine's messages.

        Args:
            problems: one text for each failed resource or other error.
            log: file that holds all that the engine said.
            completed: resources that were completed before, and are kept in the state.
        """
        self.problems = tuple(problems)
        self.log = log
        self.completed = completed
        super().__init__("\n".join(self.problems))
