"""The rule files of charts/observability, as data."""

from pathlib import Path
from typing import Any, Final

import yaml

Json = dict[str, Any]

CHART: Final = Path(__file__).resolve().parents[3] / "charts" / "observability"
FILES: Final = sorted((CHART / "rules").glob("*.yaml"))


def groups(path: Path) -> list[Json]:
    """Return the groups of one file."""
    found: list[Json] = yaml.safe_load(path.read_text())["groups"]
    return found


def all_groups() -> list[Json]:
    """Return the groups of all files."""
    return [group for path in FILES for group in groups(path)]


def alerts() -> dict[str, Json]:
    """Return every alert by its name."""
    return {
        rule["alert"]: rule for group in all_groups() for rule in group["rules"] if "alert" in rule
    }


def records() -> set[str]:
    """Return the names of the series that the rules record."""
    return {rule["record"] for group in all_groups() for rule in group["rules"] if "record" in rule}
