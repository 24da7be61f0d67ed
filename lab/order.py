"""Is the order worth it: a stack in the order of its edges, against all Applications at once.

Each on a fresh lab, one after the other on the same machine. Claim: with edges no sync fails, and
it takes no longer than without, give or take what two runs of the same differ by.
`python -m lab order`; exit code 1 where that does not hold.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.platform.config import Profile
from lab.command_line import (
    Progress,
    add_stack,
    page_console,
    stack_file,
    upstream,
)
from lab.converge import converge
from lab.rendering import load_stack
from lab.report import Convergence

TOLERANCE: Final = 0.15
"""How much longer the edges may take: two runs of one and the same differ by about that much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two runs of one stack.

    Attributes:
        edges: in the order of the edges.
        at_once: without.
    """

    edges: Convergence
    at_once: Convergence

    @property
    def problems(self) -> list[str]:
        """What contradicts the claim; empty if it holds."""
        found = [f"in order: {one}" for one in self.edges.problems]
        # Whether it comes up at all without edges is what is asked, so that is no problem.
        if self.edges.failed_attempts:
            names = ", ".join(self.edges.failures)
            found.append(f"{self.edges.failed_attempts} syncs failed in order: {names}")
        slowest = self.at_once.total_seconds * (1 + TOLERANCE)
        if self.edges.total_seconds > slowest:
            found.append(
                f"{self.edges.total_seconds:.0f} s in order, {self.at_once.total_seconds:.0f} s "
                f"at once; {TOLERANCE:.0%} more would be within what runs differ by"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON data."""
        return {
            "edges": self.edges.to_json(),
            "at_once": self.at_once.to_json(),
            "tolerance": TOLERANCE,
            "problems": self.problems,
        }


def show(found: Comparison, console: Console) -> None:
    """Print a comparison as a page."""
    run = found.edges
    table = Table(title=f"{run.stack}, profile {run.profile}", title_justify="left")
    for name in ("", "in order", "at once"):
        table.add_column(name, justify="right" if name else "left")
    both = (found.edges, found.at_once)
    table.add_row("seconds until all are Healthy", *(f"{one.total_seconds:.1f}" for one in both))
    table.add_row("failed syncs", *(str(one.failed_attempts) for one in both))
    table.add_row("Applications with failed syncs", *(str(len(one.failures)) for one in both))
    table.add_row("Applications that never were", *(str(_unsettled(one)) for one in both))
    console.print(table)
    for name, messages in found.at_once.failures.items():
        console.print(
            f"at once, {escape(name)} failed {len(messages)} times: {escape(messages[0])}",
            soft_wrap=True,
        )
    for one in found.problems:
        console.print(f"[red]{escape(one)}[/]", soft_wrap=True)


def _unsettled(run: Convergence) -> int:
    return sum(one.healthy is None for one in run.rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 where the claim does not hold."""
    parser = argparse.ArgumentParser(prog="python -m lab order", description=__doc__)
    add_stack(parser)
    parser.add_argument(
        "--profile", choices=get_args(Profile), default="full", help="instead of the file's own"
    )
    options = parser.parse_args(arguments)
    file = stack_file(options)
    stack = load_stack(file, options.profile)
    runs: list[Convergence] = []
    for edges, title in ((True, "in order"), (False, "at once")):
        with Progress(f"lab, {title}") as shown:
            run = converge(stack, file.name, shown, edges=edges, from_upstream=upstream())
            runs.append(run)
    found = Comparison(edges=runs[0], at_once=runs[1])
    if options.json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        show(found, page_console())
    return 1 if found.problems else 0
