"""Which git revision of our own charts Argo CD deploys: the commit that the program runs from."""

import re
import subprocess
from pathlib import Path
from typing import Final

REPOSITORY_ROOT: Final = Path(__file__).resolve().parent.parent


class RevisionError(Exception):
    """The commit that the program runs from cannot be told."""


def chart_revision(configured: str | None, root: Path = REPOSITORY_ROOT) -> str:
    """Return the configured revision, or the commit that is checked out at `root`.

    Values and charts then come from one commit and cannot drift apart.

    Raises:
        RevisionError: nothing is configured and `root` is no git checkout with a commit.
    """
    if configured is not None:
        return configured
    try:
        result = subprocess.run(  # noqa: S603 - no part of the command is a user's
            ["git", "-C", str(root), "rev-parse", "HEAD"],  # noqa: S607 - git from PATH is meant
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        commit = ""
    else:
        commit = result.stdout.strip()
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        msg = (
            "platform.gitops.revision: is not set, and this folder is no git checkout whose commit "
            "could be used\n  fix:     run from a git checkout, or set it to a commit or a tag"
        )
        raise RevisionError(msg)
    return commit
