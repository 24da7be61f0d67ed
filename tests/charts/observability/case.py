"""What the world looks like, and what an alert does in it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the world looks like, and what the alert does at one moment of it."""

    alert: str
    because: str
    series: Mapping[str, str]
    at: str
    fires: tuple[Mapping[str, str], ...] = ()
    """Labels of each alert that fires, without its severity; none fires where it is empty."""
