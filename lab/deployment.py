"""Hands to Argo CD what the platform tree emits for a stack, as the engine and its provider would.

An Application is applied as soon as all that it requires is there; one with a gate is there when
what its annotation says holds. What is gone from the stack is deleted behind that, and a destroy
goes the same graph backwards. Beyond that graph nothing limits how many go at once.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast

from components.contract import SubstrateContract
from components.platform.apps import catalogue
from lab.client import MERGE, Client
from lab.processes import LabError
from lab.sources import Sources
from lab.stand_ins import StandIn
from lab.watch import APPLICATIONS, ApplicationWatch, describe
from stacks.config import Stack
from stacks.platform import platform_inputs
from stacks.render import manifests

Json = dict[str, Any]

WAIT_FOR: Final = "pulumi.com/waitFor"
TIMEOUT: Final = "pulumi.com/timeoutSeconds"
CONDITION: Final = re.compile(r"jsonpath=\{((?:\.\w+)+)\}=(.*)")
DELETE_SECONDS: Final = 300.0
"""How long a deletion may take here, where no load balancer has to go."""


class DeploymentError(LabError):
    """Something did not come up, or did not go. The text says what it is like."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a stack hands to Argo CD at one revision.

    Attributes:
        projects: the AppProjects by name.
        applications: the Applications by name, in rollout order.
        requires: what must be there first, by name of who needs it.
        stand_ins: what stands in for sources of others.
        own: names of the Applications that are made of own charts.
    """

    projects: Mapping[str, Json]
    applications: Mapping[str, Json]
    requires: Mapping[str, Sequence[str]]
    stand_ins: Sequence[StandIn] = ()
    own: frozenset[str] = frozenset()

    @property
    def automatic(self) -> frozenset[str]:
        """Names of the Applications that Argo CD syncs by itself."""
        return frozenset(name for name, one in self.applications.items() if is_automatic(one))


def plan(stack: Stack, contract: SubstrateContract, revision: str, sources: Sources) -> Plan:
    """Return what a stack hands to Argo CD, and have its sources served.

    Args:
        stack: the checked stack.
        contract: what its substrate promises.
        revision: commit of our own charts.
        sources: serves them, and stand-ins for all else.

    Raises:
        LabError: a stand-in cannot be made.
    """
    documents, stand_ins = sources.stand_ins(manifests(stack, contract, revision))
    applications = [one for one in documents if one["kind"] == "Application"]
    entries = catalogue(platform_inputs(stack, contract, revision))
    return Plan(
        projects={one["metadata"]["name"]: one for one in documents if one["kind"] == "AppProject"},
        applications={one["metadata"]["name"]: one for one in applications},
        requires={entry.name: entry.requires for entry in entries},
        stand_ins=stand_ins,
        own=frozenset(
            one["metadata"]["name"]
            for one in applications
            if one["spec"]["source"]["repoURL"] == sources.repository_url
        ),
    )


def is_automatic(application: Json) -> bool:
    """Return whether Argo CD syncs an Application by itself."""
    return "automated" in application["spec"].get("syncPolicy", {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What a gate waits for: a field that has a value."""

    path: Sequence[str]
    value: str

    def holds(self, one: Json) -> bool:
        """Return whether it holds; a field that is not there has no value."""
        found: object = one
        for key in self.path:
            if not isinstance(found, Mapping):
                return False
            found = cast("Mapping[str, object]", found).get(key)
        return found is not None and str(found) == self.value


def conditions(application: Json) -> Sequence[Condition]:
    """Return what must hold before those that require an Application go on; none without a gate.

    Raises:
        LabError: a condition is of a form that the lab does not know.
    """
    annotation: str = application["metadata"].get("annotations", {}).get(WAIT_FOR, "[]")
    found: list[Condition] = []
    for text in json.loads(annotation):
        match = CONDITION.fullmatch(text)
        if match is None:
            raise LabError(f"{application['metadata']['name']} waits for {text!r}")
        found.append(Condition(path=match[1].removeprefix(".").split("."), value=match[2]))
    return found


def ready(
    waiting: Sequence[str], requires: Mapping[str, Sequence[str]], done: frozenset[str]
) -> list[str]:
    """Return who may go now: all that they require is done.

    Args:
        waiting: who has not gone, in rollout order.
        requires: what must be done first, by name.
        done: who is.
    """
    return [name for name in waiting if done.issuperset(requires.get(name, ()))]


def backwards(
    names: Sequence[str], requires: Mapping[str, Sequence[str]]
) -> Mapping[str, list[str]]:
    """Return who must be gone before each of some goes: those that require it."""
    return {name: [other for other in names if name in requires.get(other, ())] for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What was done with one Application.

    Attributes:
        name: its name.
        started: when it was applied or deleted, in seconds of the watch.
        done: when those behind it could go on.
    """

    name: str
    started: float
    done: float


@dataclass(kw_only=True, slots=True)
class _Running:
    """An Application that was applied or deleted and is not there, or not gone."""

    started: float
    deadline: float
    conditions: Sequence[Condition] = field(default_factory=tuple[Condition, ...])


class Deployment:
    """What of a stack is handed to Argo CD by now; the engine's state and what changes it."""

    def __init__(
        self,
        client: Client,
        watch: ApplicationWatch,
        *,
        edges: bool = True,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Start with nothing.

        Args:
            client: applies and deletes.
            watch: of the Applications; must watch.
            edges: whether to keep the order; without it all go at once and nothing is waited for.
            told: is told of each step in a line.
        """
        self._client = client
        self._watch = watch
        self._edges = edges
        self._told = told
        self.plan: Plan | None = None
        # What a run that failed still waited for: the engine waits again, and holds back the rest.
        self._closed: set[str] = set()

    def up(self, wanted: Plan) -> Sequence[Step]:
        """Bring what is handed over to a plan: create, update, and delete what it lacks.

        Args:
            wanted: all that is to be there afterwards.

        Returns:
            What was created or updated, in the order in which it was done. Gates are done when
            they are open; all else at once.

        Raises:
            DeploymentError: the API server refuses an object, a gate stays closed for longer than
                its annotation says, or what is gone from the plan does not go.
        """
        before = self.plan
        had: Mapping[str, Json] = {} if before is None else before.applications
        had_projects: Mapping[str, Json] = {} if before is None else before.projects
        for name, one in wanted.projects.items():
            if had_projects.get(name) != one:
                self._apply(one)
        # What was there before stays known until it is gone, also where this fails half-way.
        kept: dict[str, Json] = dict(had)
        same = {name for name, one in wanted.applications.items() if had.get(name) == one}
        same -= self._closed
        waiting = [name for name in wanted.applications if name not in same]
        requires: Mapping[str, Sequence[str]] = wanted.requires if self._edges else {}
        done = set(same)
        running: dict[str, _Running] = {}
        steps: list[Step] = []
        while waiting or running:
            for name in ready(waiting, requires, frozenset(done)):
                one = wanted.applications[name]
                waiting.remove(name)
                started = self._watch.seconds
                self._apply(one)
                kept[name] = one
                self._closed.add(name)
                self.plan = _with(wanted, kept, before)
                self._told(f"{name} is applied")
                running[name] = _Running(
                    started=started,
                    deadline=time.monotonic() + _timeout(one),
                    conditions=conditions(one) if self._edges else (),
                )
            finished = self._opened(running)
            for name in finished:
                one = running.pop(name)
                steps.append(Step(name=name, started=one.started, done=self._watch.seconds))
                done.add(name)
                self._closed.discard(name)
                if one.conditions:
                    self._told(f"{name} is there")
            if not finished and running:
                self._watch.wait_change(1.0)
        gone = [name for name in had if name not in wanted.applications]
        if before is not None:
            self._delete(gone, before.requires, DELETE_SECONDS)
            self._delete_projects(
                [one for name, one in had_projects.items() if name not in wanted.projects],
                DELETE_SECONDS,
            )
        self.plan = wanted
        return steps

    def sync(self, name: str) -> None:
        """Have an Application synced that is synced by hand.

        Raises:
            LabError: no such Application was applied.
            ValueError: the API server refuses.
        """
        if self.plan is None or name not in self.plan.applications:
            raise LabError(f"no Application {name} was applied")
        sync(self._client, self.plan.applications[name])

    def destroy(self, *, seconds: float = DELETE_SECONDS) -> Sequence[Step]:
        """Delete everything, dependants first, and the projects last.

        Args:
            seconds: how long each Application may take with all that it made.

        Raises:
            DeploymentError: something does not go.
        """
        if self.plan is None:
            return []
        there = self.plan
        steps = self._delete(list(there.applications), there.requires, seconds)
        self._delete_projects(list(there.projects.values()), seconds)
        self.plan = None
        return steps

    def _opened(self, running: Mapping[str, _Running]) -> list[str]:
        """Return whose gates are open.

        Raises:
            DeploymentError: one has been closed for too long.
        """
        latest = self._watch.latest()
        found: list[str] = []
        for name, one in running.items():
            if all(each.holds(latest.get(name, {})) for each in one.conditions):
                found.append(name)
            elif time.monotonic() > one.deadline:
                text = describe(latest[name]) if name in latest else "it is not there"
                raise DeploymentError(f"{name} is not ready in time: {text}")
        return found

    def _delete(
        self, names: Sequence[str], requires: Mapping[str, Sequence[str]], seconds: float
    ) -> list[Step]:
        before: Mapping[str, Sequence[str]] = backwards(names, requires) if self._edges else {}
        waiting = list(reversed(names))
        running: dict[str, _Running] = {}
        steps: list[Step] = []
        while waiting or running:
            for name in ready(waiting, before, frozenset(one.name for one in steps)):
                waiting.remove(name)
                self._remove(f"{APPLICATIONS}/{name}")
                self._told(f"{name} is being deleted")
                running[name] = _Running(
                    started=self._watch.seconds, deadline=time.monotonic() + seconds
                )
            latest = self._watch.latest()
            for name in [one for one in running if one not in latest]:
                started = running.pop(name).started
                steps.append(Step(name=name, started=started, done=self._watch.seconds))
                self._told(f"{name} is gone")
            for name, one in running.items():
                if time.monotonic() > one.deadline:
                    text = describe(latest[name]) if name in latest else ""
                    raise DeploymentError(f"{name} is not gone after {seconds:.0f} s: {text}")
            if running and not ready(waiting, before, frozenset(one.name for one in steps)):
                self._watch.wait_change(1.0)
        return steps

    def _delete_projects(self, projects: Sequence[Json], seconds: float) -> None:
        paths = [self._client.path(one) for one in projects]
        for path in paths:
            self._remove(path)
        deadline = time.monotonic() + seconds
        for path in paths:
            while self._client.request("GET", path).status != HTTPStatus.NOT_FOUND:
                if time.monotonic() > deadline:
                    raise DeploymentError(f"{path} is not gone after {seconds:.0f} s")
                time.sleep(0.2)

    def _apply(self, one: Json) -> None:
        answer = self._client.apply(one, dry_run=False)
        if not answer.accepted:
            name = f"{one['kind']} {one['metadata']['name']}"
            raise DeploymentError(f"{name} is refused: {answer.message}")

    def _remove(self, path: str) -> None:
        answer = self._client.request("DELETE", path)
        if not answer.accepted and answer.status != HTTPStatus.NOT_FOUND:
            raise DeploymentError(f"{path} cannot be deleted: {answer.message}")


def _with(wanted: Plan, applications: Mapping[str, Json], before: Plan | None) -> Plan:
    """Return the state half-way: what was there, and what was applied by now."""
    return Plan(
        # Those of tenants that are gone stay until the last.
        projects={**({} if before is None else before.projects), **wanted.projects},
        applications=dict(applications),
        requires={**({} if before is None else before.requires), **wanted.requires},
        stand_ins=wanted.stand_ins,
        own=wanted.own if before is None else wanted.own | before.own,
    )


def _timeout(application: Json) -> float:
    return float(application["metadata"].get("annotations", {}).get(TIMEOUT, "0"))


def sync(client: Client, application: Json) -> None:
    """Have Argo CD sync an Application once, as its command line would ask for it.

    Args:
        client: may write Applications.
        application: as it was applied.

    Raises:
        ValueError: the API server refuses.
    """
    spec = application["spec"]
    policy: Json = spec.get("syncPolicy", {})
    operation: Json = {
        "initiatedBy": {"username": "admin"},
        "sync": {
            "revision": spec["source"]["targetRevision"],
            "source": spec["source"],
            "syncOptions": policy.get("syncOptions", []),
            "syncStrategy": {"hook": {}},
        },
        **({"retry": policy["retry"]} if "retry" in policy else {}),
    }
    client.request(
        "PATCH",
        f"{APPLICATIONS}/{application['metadata']['name']}",
        {"operation": operation},
        content_type=MERGE,
    ).json()
