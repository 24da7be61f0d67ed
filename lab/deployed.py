"""A lab with a stack brought up in it, for what is then done to that stack."""

import copy
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from lab.argo_cd import CONTROLLER, REDIS, REPO_SERVER
from lab.deployment import Deployment, Plan, plan
from lab.objects import HOOK, Snapshot, snapshot
from lab.processes import LabError
from lab.rendering import load_stack
from lab.session import CHARTS, Lab, lab
from lab.simulated_controllers import SimulatedControllers
from lab.watch import ApplicationWatch, Change, Follower, settled, unsettled
from stacks.config import CONFIG_KEY, parse_stack

Json = dict[str, Any]

SETTLE_SECONDS: Final = 420.0
"""How long a stack may take to be settled. A quiet machine needs less than a minute."""
QUIET_SECONDS: Final = 3.0
"""How long nothing may change before a stack counts as settled: right after a change of its
Applications, Argo CD has not looked at them."""
JOBS: Final = "/apis/batch/v1/jobs"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployedLab:
    """A lab, and the stack in it.

    Attributes:
        session: the lab.
        watch: of the Applications; watches.
        deployment: what was handed over by now.
        document: the stack, as it is in its file.
        commit: of the charts in the working tree.
        hook_runs: ids of the Jobs that Argo CD ran as hooks, by namespace and name.
        empty: what was there before the platform.
        told: is told how far it is.
    """

    session: Lab
    watch: ApplicationWatch
    deployment: Deployment
    document: Json
    commit: str
    hook_runs: Mapping[str, set[str]]
    empty: Snapshot = field(repr=False)
    told: Callable[[str], None]

    def plan(self, edit: Callable[[Json], None] = lambda _: None) -> Plan:
        """Return what the stack hands over, after an edit of its file.

        Args:
            edit: changes the stack, as in its file.

        Raises:
            ConfigError: the edited file is wrong.
            LabError: a stand-in cannot be made.
        """
        document = copy.deepcopy(self.document)
        edit(document)
        stack = parse_stack(document, "the edited stack")
        pinned = stack.platform.gitops.revision
        revision = self.commit if pinned is None else pinned
        return plan(stack, self.session.contract, revision, self.session.sources)

    def settle(
        self, names: frozenset[str] | None = None, *, seconds: float = SETTLE_SECONDS
    ) -> None:
        """Wait until Applications are Synced and Healthy, without a sync that runs, for a while.

        Args:
            names: which ones; all that sync by themselves without.
            seconds: how long.

        Raises:
            LabError: they are not in time.
        """
        there = self.deployment.plan
        wanted = (
            names if names is not None else frozenset[str]() if there is None else there.automatic
        )
        deadline = time.monotonic() + seconds
        since: float | None = None
        while True:
            latest = self.watch.latest()
            waiting = sorted(name for name in wanted if not at_rest(latest.get(name, {})))
            now = time.monotonic()
            if waiting:
                since = None
                self.told(f"{len(wanted) - len(waiting)} of {len(wanted)} settled")
            elif since is None:
                since = now
            elif now - since >= QUIET_SECONDS:
                return
            if now > deadline:
                left = {name: latest[name] for name in waiting if name in latest}
                raise LabError(f"not settled after {seconds:.0f} s\n{unsettled(left)}")
            self.watch.wait_change(0.5)

    def up(self, wanted: Plan) -> None:
        """Bring the stack to a plan and wait until it is settled.

        Raises:
            LabError: it does not come to that.
        """
        self.deployment.up(wanted)
        self.settle()

    def snapshot(self) -> Snapshot:
        """Return all objects that are there."""
        # Definitions came and went.
        self.session.client.forget_kinds()
        return snapshot(self.session.client)

    def restart(self, program: str) -> None:
        """Start a program that was killed, and wait until it answers.

        Raises:
            LabError: it does not come back.
        """
        self.session.plane.restart(program)
        if program in (CONTROLLER, REPO_SERVER, REDIS):
            self.session.plane.programs[program].wait_ready(self.session.argo_cd.healthy)


def at_rest(application: Json) -> bool:
    """Return whether an Application is settled and no sync of it runs."""
    if not application or "operation" in application:
        return False
    phase = application.get("status", {}).get("operationState", {}).get("phase")
    return settled(application) and phase != "Running"


@contextmanager
def deployed_lab(file: Path, told: Callable[[str], None]) -> Generator[DeployedLab]:
    """Start a lab for a stack. Nothing of the stack is handed over yet.

    Args:
        file: the stack file.
        told: is told how far it is.

    Raises:
        ConfigError: the file cannot be used.
        LabError: the lab does not come up.
    """
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    runs: dict[str, set[str]] = {}

    def seen(change: Change) -> None:
        metadata: Json = change.one["metadata"]
        if HOOK in metadata.get("annotations", {}):
            name = f"{metadata['namespace']}/{metadata['name']}"
            runs.setdefault(name, set()).add(metadata["uid"])

    with lab(load_stack(file)) as running:
        commit = running.sources.publish(CHARTS, "The working tree")
        with (
            SimulatedControllers(running.client),
            Follower(running.client, JOBS, seen),
            ApplicationWatch(running.client) as watch,
        ):
            yield DeployedLab(
                session=running,
                watch=watch,
                deployment=Deployment(running.client, watch, told=told),
                document=document["config"][CONFIG_KEY],
                commit=commit,
                hook_runs=runs,
                empty=snapshot(running.client),
                told=told,
            )
