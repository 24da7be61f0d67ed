"""Does a stack converge: every Application Synced and Healthy, on a control plane of its own.

`python -m lab converge`; exit code 1 where it does not.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from components.platform.config import Profile
from lab import report
from lab.command_line import (
    Progress,
    add_stack,
    page_console,
    stack_file,
    upstream,
)
from lab.deployment import Deployment, Plan, plan
from lab.processes import LabError
from lab.rendering import ROOT, load_stack
from lab.report import Convergence
from lab.session import CHARTS, lab
from lab.simulated_controllers import SimulatedControllers, played
from lab.timeline import timeline
from lab.watch import ApplicationWatch, settled, unsettled
from stacks.config import Stack

STALL_SECONDS: Final = 180.0
"""How long nothing more may become Healthy: Argo CD waits as long at most before it tries again."""


def converge(
    stack: Stack,
    name: str,
    progress: Progress,
    *,
    edges: bool = True,
    from_upstream: bool = False,
) -> Convergence:
    """Run a stack from nothing until it is settled, models that are synced by hand at the end.

    Args:
        stack: the checked stack.
        name: what the report calls it.
        progress: is told how far it is.
        edges: whether to keep the order; without it all Applications are applied at once.
        from_upstream: whether charts of others come from the network.

    Raises:
        LabError: its contract is another stack's, or the lab itself does not work.
    """
    start = time.monotonic()
    progress.stage("starting the control plane and Argo CD")
    with lab(stack, upstream=from_upstream) as running:
        ready = time.monotonic() - start
        revision = running.sources.publish(CHARTS, "The working tree")
        wanted = plan(running.stack, running.contract, revision, running.sources)
        with (
            SimulatedControllers(running.client),
            ApplicationWatch(running.client) as watch,
        ):
            told: list[str] = []

            def tell(text: str) -> None:
                told.append(text)
                done = sum(map(settled, watch.latest().values()))
                progress.update(f"{done} of {len(wanted.applications)} Healthy; {text}")

            progress.stage("applying the Applications")
            deployment = Deployment(running.client, watch, edges=edges, told=tell)
            problem = bring_up(deployment, wanted, watch, progress)
            total = watch.seconds
            histories = watch.histories()
        found = report.rows(wanted, histories, upstream=from_upstream)
        healthy = [one.healthy for one in found if one.healthy is not None and not one.by_hand]
        problems = report.problems(wanted, found)
        return Convergence(
            stack=name,
            profile=running.stack.platform.profile,
            edges=edges,
            ready_seconds=ready,
            total_seconds=total if problems else max(healthy, default=0.0),
            rows=found,
            critical_path=report.critical_path(found),
            failures={
                name: one.failures for name, one in sorted(histories.items()) if one.failures
            },
            stand_ins=wanted.stand_ins,
            simulated=played(),
            problems=[*([problem] if problem else []), *problems],
        )


def bring_up(
    deployment: Deployment,
    wanted: Plan,
    watch: ApplicationWatch,
    progress: Progress,
) -> str:
    """Apply a plan, wait until all is settled, then sync by hand what is synced so.

    Returns:
        Why that did not come about, or nothing. What was reached by then can be seen all the same.
    """
    try:
        deployment.up(wanted)
        _settle(wanted.automatic, watch, progress)
        by_hand = frozenset(wanted.applications) - wanted.automatic
        for name in sorted(by_hand):
            deployment.sync(name)
        _settle(by_hand, watch, progress)
    except LabError as error:
        return str(error)
    return ""


def _settle(names: frozenset[str], watch: ApplicationWatch, progress: Progress) -> None:
    """Wait until Applications are Synced and Healthy.

    Raises:
        LabError: no further one has been for so long.
    """
    most = -1
    deadline = 0.0
    while True:
        latest = {name: one for name, one in watch.latest().items() if name in names}
        done = {name for name, one in latest.items() if settled(one)}
        if names <= done:
            return
        if len(done) > most:
            most = len(done)
            deadline = time.monotonic() + STALL_SECONDS
        if time.monotonic() > deadline:
            raise LabError(
                f"for {STALL_SECONDS:.0f} s nothing more became Healthy\n{unsettled(latest)}"
            )
        waiting = ", ".join(sorted(names - done)[:3])
        progress.update(f"{len(done)} of {len(names)} Healthy; waiting for {waiting}")
        watch.wait_change(1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 where the stack does not converge."""
    parser = argparse.ArgumentParser(prog="python -m lab converge", description=__doc__)
    add_stack(parser)
    parser.add_argument(
        "--profile", choices=get_args(Profile), default="full", help="instead of the file's own"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="where the SVG timeline goes")
    options = parser.parse_args(arguments)
    file = stack_file(options)
    stack = load_stack(file, options.profile)
    with Progress("lab") as shown:
        run = converge(stack, file.name, shown, from_upstream=upstream())
    picture: Path = options.picture or ROOT / ".llmp" / "lab" / f"{file.stem}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(timeline(run), encoding="utf-8")
    if options.json:
        print(json.dumps({**run.to_json(), "picture": str(picture)}, indent=2))
    else:
        console = page_console()
        report.show(run, console)
        console.print(f"Timeline: {picture}", soft_wrap=True)
    return 1 if run.problems else 0
