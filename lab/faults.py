"""What the platform goes through: drift, programs that are killed, broken charts, and its end.

Each scenario makes a claim, does what the claim is about to a stack on a real control plane with
the real Argo CD, and says what it saw. `python -m lab faults`; exit code 1 where a claim fails.
"""

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from lab.argo_cd import CONTROLLER, REDIS, REPO_SERVER
from lab.client import MERGE
from lab.command_line import Progress, page_console
from lab.control_plane import API_SERVER, ETCD
from lab.deployed import DeployedLab, at_rest, deployed_lab
from lab.deployment import DeploymentError, Plan, conditions
from lab.objects import (
    DEFINITION,
    Found,
    Key,
    Snapshot,
    difference,
    of_applications,
    owned,
    wished,
)
from lab.processes import LabError
from lab.session import CHARTS
from lab.watch import APPLICATIONS, describe

Json = dict[str, Any]

STACK: Final = Path(__file__).resolve().parent / "stacks" / "faults.yaml"
SOMEBODY: Final = "somebody"
"""Field manager of who edits by hand."""
HEAL_SECONDS: Final = 90.0
DOWN_SECONDS: Final = 5.0
"""How long a killed program stays away."""
RUNS: Final = 10
"""How often the engine is run again that an API server which is away makes fail."""
DESTROY_SECONDS: Final = 120.0
"""How long each Application may take to go."""
STUCK_SECONDS: Final = 15.0
DEFAULT_DENY: Final = "default-deny"
"""NetworkPolicy that keeps the pods closed of a tenant who is gone."""


class ClaimError(LabError):
    """What a scenario claims does not hold. The text says what is there instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a scenario.

    Attributes:
        name: of the scenario.
        claim: what it claims.
        seconds: how long it took, without what all scenarios share.
        facts: what was seen.
        problem: why the claim does not hold; empty where it does.
    """

    name: str
    claim: str
    seconds: float
    facts: Sequence[str] = ()
    problem: str = ""

    def to_json(self) -> Json:
        """Return it as JSON data."""
        return {
            "name": self.name,
            "claim": self.claim,
            "holds": not self.problem,
            "seconds": round(self.seconds, 1),
            "facts": list(self.facts),
            "problem": self.problem,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Undisturbed:
    """What a stack is like that nothing was done to.

    Attributes:
        objects: all objects, when it is settled.
        hook_runs: how often each Job was run that Argo CD runs as a hook.
    """

    objects: Snapshot
    hook_runs: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A claim, and what is done to see whether it holds.

    Attributes:
        name: what the command line calls it.
        claim: what holds, in a sentence.
        run: does it to a settled stack and returns what it saw; raises `ClaimError`.
    """

    name: str
    claim: str
    run: Callable[[DeployedLab], Sequence[str]]


KILLED: Final = (REDIS, REPO_SERVER, CONTROLLER, API_SERVER, ETCD)
"""Programs that are killed while a stack is brought up from nothing, in this order."""


# Drift


def heals_deletion(lab: DeployedLab) -> Sequence[str]:
    """Delete objects of several kinds, one after the other."""
    facts: list[str] = []
    before = lab.snapshot()
    for kind in ("NetworkPolicy", "Deployment", "Service", "ConfigMap"):
        key, found = _managed(before, kind)
        start = time.monotonic()
        lab.session.client.request("DELETE", found.path).json()
        _wait_for_another(lab, key, found)
        facts.append(f"{key} is back after {time.monotonic() - start:.1f} s")
        lab.settle()
    changes = difference(of_applications(before), of_applications(lab.snapshot()))
    if changes.gone or changes.new or changes.changed:
        raise ClaimError(f"other than before: {changes}")
    return facts


def _wait_for_another(lab: DeployedLab, key: Key, found: Found) -> None:
    """Wait until an object is there again that was deleted."""
    _wait(lambda: _uid(lab, found.path) not in (None, found.uid), f"{key} is not made again")


def heals_edit(lab: DeployedLab) -> Sequence[str]:
    """Change fields that the charts set, as somebody with kubectl does."""
    before = lab.snapshot()
    facts: list[str] = []
    for kind, patch in _EDITS.items():
        key, found = _managed(before, kind)
        start = time.monotonic()
        wanted = lab.session.client.request("GET", found.path).json()["spec"]
        lab.session.client.request(
            "PATCH", f"{found.path}?fieldManager={SOMEBODY}", patch(wanted), content_type=MERGE
        ).json()

        def healed(path: str = found.path, wanted: Json = wanted) -> bool:
            return lab.session.client.request("GET", path).json()["spec"] == wanted

        if healed():
            raise ClaimError(f"the edit of {key} changes nothing")
        _wait(healed, f"{key} stays as somebody left it")
        facts.append(f"{key} is as before after {time.monotonic() - start:.1f} s")
        lab.settle()
    changes = difference(of_applications(before), of_applications(lab.snapshot()))
    if changes.gone or changes.new or changes.replaced or changes.changed:
        raise ClaimError(f"other than before: {changes}")
    return facts


def _another_image(spec: Json) -> Json:
    containers = [
        {**one, "image": "registry.example.com/other:1"}
        for one in spec["template"]["spec"]["containers"]
    ]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


_EDITS: Final[Mapping[str, Callable[[Json], Json]]] = {
    # Everything may go out.
    "NetworkPolicy": lambda _: {"spec": {"egress": [{}]}},
    "Deployment": _another_image,
}


def leaves_replicas(lab: DeployedLab) -> Sequence[str]:
    """Scale a model as KEDA would; then have it compared, and synced."""
    name, key, found = _scaled(lab)
    path = f"{found.path}/scale"
    before = lab.session.client.request("GET", path).json()["spec"]["replicas"]
    scaled = before + 2

    def scale(replicas: int) -> None:
        lab.session.client.request(
            "PATCH",
            f"{path}?fieldManager=keda",
            {"spec": {"replicas": replicas}},
            content_type=MERGE,
        ).json()

    def check(when: str) -> None:
        replicas = lab.session.client.request("GET", path).json()["spec"]["replicas"]
        if replicas != scaled:
            raise ClaimError(f"{key} has {replicas} replicas instead of {scaled} {when}")

    scale(scaled)
    try:
        _refresh(lab, name)
        check("after Argo CD has compared it")
        if not at_rest(lab.watch.latest()[name]):
            lab.settle(frozenset({name}))
        finished = _finished(lab, name)
        lab.deployment.sync(name)
        _wait(lambda: _finished(lab, name) != finished, f"the sync of {name} does not end")
        check("after a sync")
        lab.settle(frozenset({name}))
        check("once its pods are ready")
    finally:
        scale(before)
    lab.settle()
    return [f"{key} has kept {scaled} replicas over a comparison and a sync; git says {before}"]


def _scaled(lab: DeployedLab) -> tuple[str, Key, Found]:
    """Return an Application whose replicas are left alone, and the Deployment in it."""
    plan = _plan(lab)
    for key, found in sorted(of_applications(lab.snapshot()).items()):
        if key.kind != "Deployment" or found.application not in plan.applications:
            continue
        ignored = plan.applications[found.application]["spec"].get("ignoreDifferences", [])
        if any("/spec/replicas" in one["jsonPointers"] for one in ignored) and (
            '"replicas"' in found.content
        ):
            return found.application, key, found
    raise ClaimError("no Deployment of this stack has replicas that are left alone")


# What is handed over changes


def gates_wait_for_values(lab: DeployedLab) -> Sequence[str]:
    """Change nothing but values of gates, and look at each when it opens."""
    before = _plan(lab)
    after = lab.plan(_another_price)
    changed = [
        name
        for name, one in after.applications.items()
        if conditions(one)
        and one != before.applications[name]
        and _version(one) == _version(before.applications[name])
    ]
    if not changed:
        raise ClaimError("no gate differs in its values alone: the claim is about nothing")
    facts: list[str] = []
    too_early: list[str] = []
    for name in changed:
        wanted = after.applications[name]
        start = time.monotonic()
        lab.session.client.apply(wanted, dry_run=False).json()
        stale, opened = 0.0, None
        while opened is None or stale:
            # Asked for anew: the watch may lag behind, and the engine asks too.
            one = lab.session.client.request("GET", f"{APPLICATIONS}/{name}").json()
            seconds = time.monotonic() - start
            compared = one["status"]["sync"]["comparedTo"]["source"] == one["spec"]["source"]
            looks_done = _looks_done(one)
            if opened is None and all(each.holds(one) for each in conditions(wanted)):
                opened = seconds
                if not compared:
                    too_early.append(f"{name} opens after {seconds:.1f} s with the old values")
            if not compared and looks_done:
                stale = seconds
            elif opened is not None:
                break
            if seconds > HEAL_SECONDS:
                raise ClaimError(f"{name} does not open: {describe(one)}")
        facts.append(
            f"{name}: Synced and Healthy of the values before for {stale:.1f} s, "
            f"open after {opened:.1f} s"
        )
    lab.up(after)
    if too_early:
        raise ClaimError("; ".join(too_early))
    return facts


def _another_price(stack: Json) -> None:
    for model in stack["models"]:
        model["price"]["input_usd_per_million_tokens"] = 7.5


def _looks_done(one: Json) -> bool:
    status: Json = one["status"]
    return status["sync"]["status"] == "Synced" and status["health"]["status"] == "Healthy"


def _version(application: Json) -> object:
    return application["spec"]["source"]["targetRevision"]


def broken_charts(lab: DeployedLab) -> Sequence[str]:
    """Deploy a revision in which two charts are broken; then pin the one before."""
    before = _plan(lab)
    objects = lab.snapshot()
    unrendered, refused = _who(before, "vllm"), _who(before, "observability")
    with tempfile.TemporaryDirectory(prefix="llmp-lab-charts-") as folder:
        charts = Path(folder) / "charts"
        shutil.copytree(CHARTS, charts)
        (charts / "vllm/templates/broken.yaml").write_text(
            '{{ fail "broken on purpose" }}\n', encoding="utf-8"
        )
        (charts / "observability/templates/broken.yaml").write_text(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: Not_A_Name\n", encoding="utf-8"
        )
        commit = lab.session.sources.publish(charts, "Broken on purpose")
    lab.deployment.up(lab.plan(lambda stack: _pin(stack, commit)))
    others = _plan(lab).automatic - {unrendered, refused}
    start = time.monotonic()
    lab.settle(others)
    _wait(lambda: _says(lab, unrendered, "broken on purpose"), f"{unrendered} says nothing")
    _wait(lambda: _says(lab, refused, "Not_A_Name"), f"{refused} says nothing")
    facts = [f"{len(others)} others settled at the broken commit, {time.monotonic() - start:.1f} s"]
    latest = lab.watch.latest()
    for name in (unrendered, refused):
        if at_rest(latest[name]):
            raise ClaimError(f"{name} is broken and says that all is well")
        facts.append(f"{name}: {describe(latest[name])[:150]}")
    behind = [
        name for name in others & before.own if latest[name]["status"]["sync"]["revision"] != commit
    ]
    if behind:
        raise ClaimError(f"held back: {', '.join(sorted(behind))}")
    for key, one in of_applications(objects).items():
        if one.application in (unrendered, refused) and _uid(lab, one.path) != one.uid:
            raise ClaimError(f"{key} of a broken chart is gone")
    start = time.monotonic()
    lab.deployment.up(lab.plan(lambda stack: _pin(stack, lab.commit)))
    _terminate(lab, refused)
    lab.settle()
    changes = difference(of_applications(objects), of_applications(lab.snapshot()))
    if changes.gone or changes.new or changes.changed or changes.replaced:
        raise ClaimError(f"other than before: {changes}")
    facts.append(
        f"pinned to the commit before, and the sync of {refused} terminated by hand: all settled "
        f"after {time.monotonic() - start:.1f} s"
    )
    return facts


def _terminate(lab: DeployedLab, name: str) -> None:
    """End the sync of an Application, as `argocd app terminate-op` does.

    What fails at the API server is tried again with the source that it had at first. Corrections
    have to wait until Argo CD gives that up.
    """
    if "operation" not in lab.watch.latest()[name]:
        raise ClaimError(f"{name} is not tried again")
    lab.session.client.request(
        "PATCH",
        f"{APPLICATIONS}/{name}",
        {"status": {"operationState": {"phase": "Terminating"}}},
        content_type=MERGE,
    ).json()


def _pin(stack: Json, commit: str) -> None:
    stack["platform"]["gitops"]["revision"] = commit


def _who(plan: Plan, chart: str) -> str:
    for name, one in plan.applications.items():
        if one["spec"]["source"].get("path") == f"charts/{chart}" and not conditions(one):
            return name
    raise ClaimError(f"this stack has no Application of charts/{chart} that nobody waits for")


def _says(lab: DeployedLab, name: str, text: str) -> bool:
    return text in json.dumps(lab.watch.latest()[name].get("status", {}))


def feature_off(lab: DeployedLab) -> Sequence[str]:
    """Switch autoscaling off, as docs/models.md says: first what KEDA scales, then KEDA."""
    lab.up(lab.plan(_without_scaling))
    return _take_away(lab, _without_autoscaling)


def tenant_removed(lab: DeployedLab) -> Sequence[str]:
    """Remove a tenant who has something in its namespace."""
    tenant = lab.document["tenants"][-1]["name"]
    theirs: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "theirs", "namespace": tenant},
    }
    client = lab.session.client
    client.apply(theirs, dry_run=False).json()
    try:
        facts = _take_away(lab, _without_last_tenant, stays=frozenset({DEFAULT_DENY}))
        left = {
            key.name
            for key in lab.snapshot()
            if key.namespace == tenant and not _comes_with_namespace(key, {tenant})
        }
    finally:
        client.request("DELETE", client.path(theirs))
    if left != {DEFAULT_DENY, theirs["metadata"]["name"]}:
        raise ClaimError(f"in the namespace of {tenant} there is: {', '.join(sorted(left))}")
    return [*facts, f"namespace {tenant} is there, closed, with what {tenant} itself made"]


def _without_last_tenant(stack: Json) -> None:
    stack["tenants"].pop()


def _take_away(
    lab: DeployedLab, edit: Callable[[Json], None], *, stays: frozenset[str] = frozenset()
) -> Sequence[str]:
    """Make an edit by which Applications go, and return facts.

    Args:
        lab: with a settled stack.
        edit: changes the stack's file.
        stays: names of objects that outlive their Applications, as namespaces always do.

    Raises:
        ClaimError: something of them is left, or something else changes.
    """
    before, objects = _plan(lab), lab.snapshot()
    after = lab.plan(edit)
    start = time.monotonic()
    lab.up(after)
    seconds = time.monotonic() - start
    gone = before.applications.keys() - after.applications.keys()
    touched = {
        name for name, one in after.applications.items() if one != before.applications.get(name)
    }
    if not gone:
        raise ClaimError("no Application goes: the claim is about nothing")
    now = lab.snapshot()
    changes = difference(wished(objects), wished(now))
    left = sorted(
        str(key)
        for key, one in wished(now).items()
        # Namespaces are never deleted: what is in them may be somebody else's.
        if one.application in gone and key.kind != "Namespace" and key.name not in stays
    )
    if left:
        raise ClaimError(f"left over: {', '.join(left)}")
    allowed = gone | touched
    strange = sorted(
        str(key)
        for key in changes.gone | changes.new | changes.replaced | changes.changed
        if (objects[key] if key in objects else now[key]).application not in allowed
        # What is handed over differs, of course.
        and not (key.group == "argoproj.io" and (key.kind == "AppProject" or key.name in allowed))
    )
    if strange:
        raise ClaimError(f"changed without a reason: {', '.join(strange)}")
    # A sync runs its hooks anew.
    replaced = sorted(str(key) for key in changes.replaced if not now[key].hook)
    if replaced:
        raise ClaimError(f"made anew: {', '.join(replaced)}")
    same = len(wished(objects)) - len(changes.gone) - len(changes.changed)
    return [
        f"{', '.join(sorted(gone))} gone with {len(changes.gone)} objects in {seconds:.1f} s",
        f"{len(changes.changed)} objects of {', '.join(sorted(touched))} changed",
        f"{len(changes.new)} new, {same} as before",
    ]


def _without_scaling(stack: Json) -> None:
    for model in stack["models"]:
        model["replicas"] = {"min": 1, "max": 1}


def _without_autoscaling(stack: Json) -> None:
    _without_scaling(stack)
    stack["platform"].setdefault("features", {})["autoscaling"] = False


# The end


def destroys(lab: DeployedLab) -> Sequence[str]:
    """Destroy the stack, first without Argo CD, then with it."""
    before = lab.snapshot()
    lab.session.argo_cd.controller.kill()
    start = time.monotonic()
    try:
        lab.deployment.destroy(seconds=STUCK_SECONDS)
    except DeploymentError as error:
        facts = [f"without Argo CD: {error}"[:200]]
    else:
        raise ClaimError("a destroy without Argo CD says that all is gone")
    if difference(of_applications(before), of_applications(lab.snapshot())).gone:
        raise ClaimError("objects went without Argo CD")
    lab.restart(CONTROLLER)
    start = time.monotonic()
    lab.deployment.destroy(seconds=DESTROY_SECONDS)
    facts.append(f"with it again, all Applications are gone after {time.monotonic() - start:.1f} s")
    _wait(lambda: not _terminating(lab), "an object is still being deleted", DESTROY_SECONDS)
    left = difference(lab.empty, lab.snapshot()).new
    # Argo CD leaves definitions, with which all that is made of them would go.
    definitions = [key for key in left if key.kind == DEFINITION]
    kept = {key.name for key in left if key.kind == "Namespace"}
    closed = {one["name"] for one in lab.document["tenants"]}
    strange = [
        key
        for key in left
        if key.kind not in (DEFINITION, "Namespace")
        and not _comes_with_namespace(key, kept)
        and not (key.name == DEFAULT_DENY and key.namespace in closed)
    ]
    if strange:
        raise ClaimError(f"left over: {', '.join(map(str, sorted(strange)))}")
    facts.append(f"what stays: {len(definitions)} definitions, which Argo CD never deletes, and")
    facts.append(f"the empty namespaces {', '.join(sorted(kept))}; those of tenants are closed")
    return facts


def _comes_with_namespace(key: Key, namespaces: set[str]) -> bool:
    """Return whether Kubernetes itself puts an object into each namespace."""
    return key.namespace in namespaces and (key.kind, key.name) in {
        ("ServiceAccount", "default"),
        ("ConfigMap", "kube-root-ca.crt"),
    }


def _terminating(lab: DeployedLab) -> bool:
    """Return whether something of the platform is still being deleted."""
    now = lab.snapshot()
    answers = (
        lab.session.client.request("GET", now[key].path) for key in now.keys() - lab.empty.keys()
    )
    return any("deletionTimestamp" in one.json()["metadata"] for one in answers if one.accepted)


# Programs that are killed


def survives(lab: DeployedLab, undisturbed: Undisturbed) -> Sequence[str]:
    """Bring a stack up, and kill one program after the other in the middle of its syncs."""
    done = _bring_up_in_background(lab, lab.plan())
    facts: list[str] = []
    known: dict[Key, Found] = {}
    for program in KILLED:
        syncing = _wait_for_sync(lab, done, program)
        known |= of_applications(lab.snapshot())
        lab.session.plane.programs[program].kill()
        lab.told(f"{program} is killed")
        facts.append(f"{program} killed while {_some(syncing)} synced")
        time.sleep(DOWN_SECONDS)
        lab.restart(program)
    killed = time.monotonic()
    again = done.result()
    lab.settle()
    facts.append(f"settled {time.monotonic() - killed:.1f} s after the last one was back")
    if again:
        facts.append(f"`pulumi up` was run {len(again) + 1} times: {'; '.join(again)[:150]}")
    now = lab.snapshot()
    lost = [key for key, one in known.items() if key not in now or now[key].uid != one.uid]
    if lost:
        raise ClaimError(f"deleted, or made again: {', '.join(map(str, sorted(lost)))}")
    facts.append(f"the {len(known)} objects that were there at a kill are the same ones")
    facts.append(_same_as_undisturbed(lab, now, undisturbed))
    return facts


def _wait_for_sync(lab: DeployedLab, done: Future[list[str]], program: str) -> list[str]:
    """Wait until Applications are being synced, and return their names."""
    count = len(lab.watch.latest())

    def enough(there: Mapping[str, Json]) -> bool:
        # Each kill hits other syncs than the one before.
        return bool(_syncing(there)) and len(there) > count

    lab.watch.wait(
        lambda there: done.done() or enough(there),
        seconds=HEAL_SECONDS * 3,
        problem=f"{program} is not killed: no Application is being synced",
    )
    if done.done():
        done.result()
        raise ClaimError(f"all was there before {program} could be killed")
    return _syncing(lab.watch.latest())


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    more = f" and {len(names) - 3} more" if names[3:] else ""
    return f"{shown}{more} {'were' if names[1:] else 'was'}"


def _same_as_undisturbed(lab: DeployedLab, now: Snapshot, undisturbed: Undisturbed) -> str:
    """Return a fact.

    Raises:
        ClaimError: something is there that is not in an undisturbed run, or the other way round.
    """
    there = undisturbed.objects
    changes = difference(wished(there), wished(now))
    if changes.gone or changes.new:
        raise ClaimError(
            f"lost: {sorted(map(str, changes.gone))}, too much: {sorted(map(str, changes.new))}"
        )
    if owned(now) != owned(there):
        raise ClaimError(
            f"not as many of each kind: {owned(now) - owned(there)} too many, "
            f"{owned(there) - owned(now)} missing"
        )
    for name, uids in lab.hook_runs.items():
        # A sync that was cut short may have started it already.
        if len(uids) > undisturbed.hook_runs.get(name, 0) + len(KILLED):
            raise ClaimError(f"the hook {name} ran {len(uids)} times")
    runs = ", ".join(f"{name} {len(uids)}" for name, uids in sorted(lab.hook_runs.items()))
    return f"the same {len(wished(now))} objects as in an undisturbed run; runs of hooks: {runs}"


def _syncing(applications: Mapping[str, Json]) -> list[str]:
    return sorted(
        name
        for name, one in applications.items()
        if one.get("status", {}).get("operationState", {}).get("phase") == "Running"
    )


def _bring_up_in_background(lab: DeployedLab, wanted: Plan) -> Future[list[str]]:
    """Bring a plan up while the main thread does something else.

    Returns:
        The errors of the runs that failed, once one has succeeded.
    """
    done: Future[list[str]] = Future()

    def run() -> None:
        problems: list[str] = []
        while True:
            try:
                lab.deployment.up(wanted)
            except (OSError, ValueError, LabError) as error:
                problems.append(str(error))
                if len(problems) == RUNS:
                    done.set_exception(error)
                    return
                # As long as somebody needs to see it and to try again.
                time.sleep(DOWN_SECONDS)
            else:
                done.set_result(problems)
                return

    threading.Thread(target=run, name="the engine", daemon=True).start()
    return done


# What all use


def _plan(lab: DeployedLab) -> Plan:
    if lab.deployment.plan is None:
        raise ClaimError("nothing is there")
    return lab.deployment.plan


def _managed(there: Snapshot, kind: str) -> tuple[Key, Found]:
    """Return an object of a kind that an Application made."""
    for key, one in sorted(of_applications(there).items(), key=lambda item: item[0]):
        if key.kind == kind and not key.name.endswith("-stand-in"):
            return key, one
    raise ClaimError(f"no {kind} is there")


def _uid(lab: DeployedLab, path: str) -> str | None:
    answer = lab.session.client.request("GET", path)
    return answer.json()["metadata"]["uid"] if answer.accepted else None


def _finished(lab: DeployedLab, name: str) -> str:
    one = lab.session.client.request("GET", f"{APPLICATIONS}/{name}").json()
    state: Json = one.get("status", {}).get("operationState", {})
    # While the next one is asked for, the last one is still told of.
    return "" if "operation" in one else f"{state.get('phase')} {state.get('finishedAt')}"


def _refresh(lab: DeployedLab, name: str) -> None:
    """Have Argo CD compare an Application, and wait until it has."""
    annotation = "argocd.argoproj.io/refresh"
    path = f"{APPLICATIONS}/{name}"
    lab.session.client.request(
        "PATCH", path, {"metadata": {"annotations": {annotation: "normal"}}}, content_type=MERGE
    ).json()
    _wait(
        lambda: (
            annotation
            not in lab.session.client.request("GET", path).json()["metadata"]["annotations"]
        ),
        f"Argo CD does not compare {name}",
    )


def _wait(condition: Callable[[], bool], problem: str, seconds: float = HEAL_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ClaimError(f"{problem} after {seconds:.0f} s")
        time.sleep(0.1)


SCENARIOS: Final = (
    Scenario(
        name="deleted",
        claim="a managed object that is deleted is made again",
        run=heals_deletion,
    ),
    Scenario(
        name="edited",
        claim="a field of ours that somebody changes is set back, and the object stays",
        run=heals_edit,
    ),
    Scenario(
        name="replicas",
        claim="replicas that the scaler sets are left alone",
        run=leaves_replicas,
    ),
    Scenario(
        name="values",
        claim="a gate whose values change opens for the new values, not for the old ones",
        run=gates_wait_for_values,
    ),
    Scenario(
        name="broken-charts",
        claim="a broken chart harms its own Application alone; pinning the commit before heals it, "
        "once syncs that are still tried again are ended by hand",
        run=broken_charts,
    ),
    Scenario(
        name="feature-off",
        claim="a feature that is switched off goes with its objects, and nothing else changes",
        run=feature_off,
    ),
    Scenario(
        name="tenant-removed",
        claim="a removed tenant loses what the platform made for it, and nothing of its own",
        run=tenant_removed,
    ),
    Scenario(
        name="destroy",
        claim="only definitions and namespaces stay, those of tenants closed; without Argo CD it "
        "says so, and goes on later",
        run=destroys,
    ),
)
"""In this order, on one stack; each begins with the stack as its file has it."""

KILLS: Final = "killed"
KILLS_CLAIM: Final = (
    f"{', '.join(KILLED)} may each be killed in the middle of syncs: nothing is lost or doubled, "
    "but a hook that was running may run again"
)

NAMES: Final = (*(one.name for one in SCENARIOS), KILLS)


def faults(
    names: Sequence[str] = NAMES,
    *,
    file: Path = STACK,
    told: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Run scenarios.

    Args:
        names: which ones.
        file: the stack; it must have what the scenarios are about.
        told: is told how far it is.

    Returns:
        What became of each, in the order of `NAMES`.

    Raises:
        ConfigError: the stack file cannot be used.
        LabError: a lab does not come up, or the stack is not settled in it when all is well.
    """
    outcomes: list[Outcome] = []
    told("an undisturbed run")
    with deployed_lab(file, told) as lab:
        lab.up(lab.plan())
        undisturbed = Undisturbed(
            objects=lab.snapshot(),
            hook_runs={name: len(uids) for name, uids in lab.hook_runs.items()},
        )
        for one in SCENARIOS:
            if one.name in names:
                told(one.name)
                with recorded(one.name, one.claim, outcomes) as seen:
                    if _plan(lab) != lab.plan():
                        lab.up(lab.plan())
                    seen.extend(one.run(lab))
    if KILLS in names:
        told(KILLS)
        with deployed_lab(file, told) as fresh, recorded(KILLS, KILLS_CLAIM, outcomes) as seen:
            seen.extend(survives(fresh, undisturbed))
    return outcomes


@contextmanager
def recorded(name: str, claim: str, outcomes: list[Outcome]) -> Generator[list[str]]:
    """Keep what becomes of what is done within the block, also where it fails."""
    start = time.monotonic()
    facts: list[str] = []
    problem = ""
    try:
        yield facts
    except (LabError, ValueError, OSError) as error:
        problem = str(error) or type(error).__name__
    outcomes.append(
        Outcome(
            name=name,
            claim=claim,
            seconds=time.monotonic() - start,
            facts=facts,
            problem=problem,
        )
    )


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print outcomes for people."""
    table = Table(title="Drift and faults", title_justify="left", show_lines=True)
    table.add_column("Scenario", no_wrap=True)
    table.add_column("Claim", ratio=2)
    table.add_column("Holds")
    table.add_column("Seconds", justify="right")
    table.add_column("Seen", ratio=3)
    for one in outcomes:
        seen = [*one.facts, *([one.problem] if one.problem else [])]
        table.add_row(
            one.name,
            one.claim,
            "[red]no[/red]" if one.problem else "[green]yes[/green]",
            f"{one.seconds:.0f}",
            "\n".join(seen).replace("[", r"\["),
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 where a claim does not hold."""
    parser = argparse.ArgumentParser(prog="python -m lab faults", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    with Progress("lab") as shown:
        outcomes = faults(options.only, told=shown.update)
    if options.json:
        print(json.dumps({"scenarios": [one.to_json() for one in outcomes]}, indent=2))
    else:
        show(outcomes, page_console())
    return 1 if any(one.problem for one in outcomes) else 0
