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
    commit = _git(root, "rev-parse", "HEAD")
    if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        msg = (
            "platform.gitops.revision: is not set, and this folder is no git checkout whose commit "
            "could be used\n  fix:     run from a git checkout, or set it to a commit or a tag"
        )
        raise RevisionError(msg)
    return commit


def chart_warning(configured: str | None, root: Path = REPOSITORY_ROOT) -> str | None:
    """Return what to warn of where the charts at `root` are not those that Argo CD will deploy.

    None where a revision is configured, or no chart differs from the commit that is checked out
    and some remote branch, as far as this checkout knows, has that commit.
    """
    if configured is not None:
        return None
    if _git(root, "status", "--porcelain", "--", "charts"):
        return (
            "charts/ has changes that are not committed: Argo CD deploys the commit that is "
            "checked out, without them. Commit and push them first."
        )
    if _git(root, "remote") and not _git(root, "branch", "--remotes", "--contains", "HEAD"):
        return (
            "the commit that is checked out is on no remote branch: Argo CD cannot deploy charts "
            "from it until it is pushed."
        )
    return None


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints; nothing where it fails or is not there."""
    try:
        result = subprocess.run(  # noqa: S603 - no part of the command is a user's
            ["git", "-C", str(root), *arguments],  # noqa: S607 - git from PATH is meant
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
