"""What has to hold in a lab, and whether it does."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from lab.processes import LabError


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Something that has to hold.

    Attributes:
        says: what.
        holds: whether it does.
        seen: what was seen, in figures.
    """

    says: str
    holds: bool
    seen: str


class StalledError(LabError):
    """What a claim is about does not come about: it fails, and the lab itself works."""


def claims_json(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """Return claims for a script."""
    return [asdict(one) for one in claims]


def claims_table(claims: Sequence[Claim], title: str = "") -> Table:
    """Return claims for people."""
    table = Table("", "claim", "seen", title=title or None, box=None, pad_edge=False)
    for one in claims:
        table.add_row("[green]holds" if one.holds else "[red]fails", one.says, one.seen)
    return table
