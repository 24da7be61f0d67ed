"""One process at a time for one piece of the set-up; a second one waits and finds it done."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tools.console import say


@contextmanager
def only_one(lock: Path, *, title: str) -> Generator[None]:
    """Holds a lock file while the body runs. The kernel drops the lock when its holder dies.

    Args:
        lock: The lock file; made when missing, never removed, since that would let two in.
        title: What the holder does, as it is told to whoever waits.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{title}: another process is at it, waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
