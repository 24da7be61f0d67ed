"""Whether models scale as their charts say and as the simulation predicts: `lab scaling`.

Two models of a stack run on simulated nodes; API server, controllers, scheduler, Prometheus and
KEDA are real. Their load is only said: requests that wait for the first, which always has a
replica, and requests that are held for the second, which sleeps. What KEDA and the horizontal pod
autoscaler make of it is set against what `capacity.simulation` makes of the same metrics at the
same looks.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from capacity.horizontal_pod_autoscaler import SYNC_PERIOD_SECONDS, History, Observation, reconcile
from capacity.simulation import (
    Metrics,
    Scaling,
    Sleep,
    is_active,
    noted_seconds,
    readings,
    replicas_of_poll,
)
from components.platform.endpoints import pool_entry, vllm_entry
from lab.claims import Claim, claims_json, claims_table
from lab.command_line import Progress, page_console
from lab.control_plane import CONTROLLER_MANAGER, SCHEDULER, ControlPlane, control_plane
from lab.keda import OPERATOR, Look, looks, start_keda
from lab.keda import version_note as keda_note
from lab.nodes import create_nodes, nodes_of, start_kwok
from lab.processes import LabError
from lab.prometheus import start_prometheus
from lab.prometheus import version_note as prometheus_note
from lab.rendering import REVISION, own_chart, render
from lab.simulated_engines import (
    ENGINES,
    Engines,
    Load,
    Scrape,
    SimulatedEngines,
    metrics_at,
)
from stacks.config import Stack, parse_stack
from stacks.contracts import known_contract
from stacks.render import manifests

Json = dict[str, Any]

AWAKE_MODEL: Final = "qwen-steady"
SLEEPING_MODEL: Final = "qwen-sleeper"
AWAKE: Final = vllm_entry(AWAKE_MODEL)
SLEEPER: Final = vllm_entry(SLEEPING_MODEL)
CHART: Final = "vllm"
WAITING, KV_CACHE, HELD, ASKED_FOR = "waiting-requests", "kv-cache", "held-requests", "asked-for"
"""The triggers, by the names that the chart gives them."""
KINDS: Final = ("ServiceAccount", "ConfigMap", "Deployment", "ScaledObject")
"""Of the chart's kinds, those that scaling is about."""
SHORT_VALUES: Final[Mapping[str, int]] = {
    "scaleUpPeriodSeconds": 20,
    "scaleDownPeriodSeconds": 15,
}
"""Values of the chart for a run of minutes."""
SHORT_WINDOW_SECONDS: Final = 20
SHORT_IDLE_SECONDS: Final = 15
"""Shorter than the chart's values may be, hence changed in the ScaledObject itself."""
SHORT_SCRAPE_SECONDS: Final = 5
LOOK_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 90.0
AGREES_WITHIN_SECONDS: Final = 2.0
SCRAPE_TAKES_SECONDS: Final = 1.0
LEAST: Final = 0.001
"""What is left of a value in thousandths, as KEDA hands it on."""


def scaling_stack() -> Stack:
    """Return a stack with a model that scales between replicas, and one that sleeps."""
    source = {
        "hugging_face": "Qwen/Qwen2.5-0.5B-Instruct",
        "revision": "7ae557604adf67be50417f59c2c2f167def9a775",
    }
    model: Json = {
        "source": source,
        "max_model_len": 8192,
        "gpu_memory_utilization": 0.6,
        "autostart": True,
        "price": {"input_usd_per_million_tokens": 0.5, "output_usd_per_million_tokens": 1.5},
    }
    targets: Json = {"waiting_requests_per_replica": 5, "kv_cache_usage": 0.8}
    return parse_stack(
        {
            "kind": "gke",
            "gke": {
                "project": "my-project",
                "region": "us-central1",
                "cluster_name": "llmp",
                "gpu_pools": [
                    {
                        "name": "l4",
                        "accelerator": "nvidia-l4",
                        "zones": ["us-central1-a"],
                        "max_nodes": 8,
                        "disk_size_gib": 100,
                    }
                ],
            },
            "platform": {
                "profile": "llm-gateway",
                "gitops": {"repository": "https://github.com/your-org/llmp.git"},
            },
            "models": [
                {
                    **model,
                    "name": AWAKE_MODEL,
                    "replicas": {"min": 1, "max": 4},
                    "scaling": targets,
                },
                {
                    **model,
                    "name": SLEEPING_MODEL,
                    "replicas": {"min": 1, "max": 2},
                    "scaling": {**targets, "to_zero": {"idle_minutes": 10, "when_asleep": "hold"}},
                },
            ],
        },
        "the stack of the scaling lab",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledModel:
    """A model as its chart renders it.

    Attributes:
        name: its name, that of its Deployment, Service and ScaledObject.
        namespace: where it is.
        pool: its InferencePool.
        objects: what is applied.
        scaling: what its ScaledObject says.
    """

    name: str
    namespace: str
    pool: str
    objects: Sequence[Json]
    scaling: Scaling


def scaled_models(stack: Stack, *, short: bool) -> list[ScaledModel]:
    """Return the models of a stack that scale, rendered.

    Args:
        stack: whose models.
        short: whether windows and periods are for a run of minutes instead of the stack's own.

    Raises:
        LabError: the stack emits no such model, or helm is not there.
    """
    contract = known_contract(stack)
    handed = [] if contract is None else manifests(stack, contract, REVISION)
    found: list[ScaledModel] = []
    for application in handed:
        if application["kind"] != "Application" or own_chart(application) != CHART:
            continue
        helm = application["spec"]["source"]["helm"]
        autoscaling = helm["valuesObject"].get("autoscaling")
        if autoscaling is None:
            continue
        if short:
            autoscaling.update(SHORT_VALUES)
            helm["valuesObject"]["scrapeSeconds"] = SHORT_SCRAPE_SECONDS
        objects = render(application)
        (scaled,) = (one for one in objects if one["kind"] == "ScaledObject")
        (monitor,) = (one for one in objects if one["kind"] == "ServiceMonitor")
        if short:
            _shorten(scaled["spec"])
        scrape = monitor["spec"]["endpoints"][0]["interval"].removesuffix("s")
        found.append(
            ScaledModel(
                name=scaled["metadata"]["name"],
                namespace=scaled["metadata"]["namespace"],
                pool=pool_entry(helm["valuesObject"]["model"]),
                objects=[one for one in objects if one["kind"] in KINDS],
                scaling=scaling_of(scaled["spec"], scrape_seconds=int(scrape)),
            )
        )
    if {one.name for one in found} != {AWAKE, SLEEPER}:
        raise LabError("the stack does not emit the models that scale")
    return found


def _shorten(spec: Json) -> None:
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    behavior["scaleDown"]["stabilizationWindowSeconds"] = SHORT_WINDOW_SECONDS
    if "cooldownPeriod" in spec:
        spec["cooldownPeriod"] = SHORT_IDLE_SECONDS


def scaling_of(spec: Json, *, scrape_seconds: int) -> Scaling:
    """Return what a ScaledObject of the chart says, as the simulation takes it."""
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    (up,), (down,) = behavior["scaleUp"]["policies"], behavior["scaleDown"]["policies"]
    targets = {one["name"]: float(one["metadata"]["threshold"]) for one in spec["triggers"]}
    return Scaling(
        min_replicas=spec["minReplicaCount"],
        max_replicas=spec["maxReplicaCount"],
        waiting_requests_per_replica=int(targets[WAITING]),
        kv_cache_usage=targets[KV_CACHE],
        sleep=None
        if "idleReplicaCount" not in spec
        else Sleep(
            idle_minutes=spec["cooldownPeriod"] / 60,
            when_asleep="hold" if HELD in targets else "unavailable",
            polling_seconds=spec["pollingInterval"],
        ),
        scale_up_pods=up["value"],
        scale_up_period_seconds=up["periodSeconds"],
        scale_down_window_seconds=behavior["scaleDown"]["stabilizationWindowSeconds"],
        scale_down_period_seconds=down["periodSeconds"],
        scrape_seconds=scrape_seconds,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """From so many seconds after the start on, a model has this load."""

    seconds: float
    load: Load


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """From a time in seconds since 1970 on, a model has so many replicas."""

    at: float
    replicas: int


def course(scaling: Scaling) -> Sequence[Step]:
    """Return a load that makes a model do all that its ScaledObject says, one after the other."""
    down = scaling.scale_down_window_seconds + scaling.scale_down_period_seconds * (
        scaling.max_replicas - scaling.min_replicas
    )
    per_replica = scaling.waiting_requests_per_replica
    if scaling.sleep is None:
        # Twice what the most replicas are for, until the last of them has come.
        climbs = -(-(scaling.max_replicas - scaling.min_replicas) // scaling.scale_up_pods)
        up = 5 + (climbs - 1) * scaling.scale_up_period_seconds + 2 * SYNC_PERIOD_SECONDS
        rest = up + down + SYNC_PERIOD_SECONDS
        full = SYNC_PERIOD_SECONDS + scaling.scrape_seconds + 5
        return (
            Step(seconds=5, load=Load(waiting=2 * scaling.max_replicas * per_replica, running=8)),
            Step(seconds=up, load=Load(running=2)),
            # Full altogether: up to 1.1 times its target a metric brings nothing.
            Step(seconds=rest, load=Load(running=2, kv_cache=1.0)),
            Step(seconds=rest + full, load=Load()),
        )
    idle = 60 * scaling.sleep.idle_minutes
    # A scrape and a look may pass before KEDA knows of the last request.
    asleep = 60 + scaling.scrape_seconds + scaling.sleep.polling_seconds + idle + 10
    return (
        Step(seconds=5, load=Load(held=3)),
        Step(seconds=25, load=Load(running=3)),
        Step(seconds=60, load=Load()),
        # More than one replica is for: KEDA wakes it, the autoscaler takes it further.
        Step(seconds=asleep, load=Load(held=4 * per_replica)),
        Step(seconds=asleep + 35, load=Load()),
    )


def end_of(scaling: Scaling) -> float:
    """Return how many seconds a course takes until all has come to rest."""
    idle = 0.0 if scaling.sleep is None else 60 * scaling.sleep.idle_minutes
    last = course(scaling)[-1].seconds
    return last + max(idle, scaling.scale_down_window_seconds) + SYNC_PERIOD_SECONDS + 10


def metrics_of(look: Look) -> Metrics:
    """Return what a look read, as the simulation takes it."""
    values = look.values
    return Metrics(
        waiting=values.get(WAITING),
        kv_cache=values.get(KV_CACHE),
        held=values.get(HELD) or 0.0,
        asked_for=values.get(ASKED_FOR) or 0.0,
    )


def predicted(scaling: Scaling, looks_of_model: Sequence[Look]) -> list[Change]:
    """Return what the simulation makes of the same metrics at the same looks, from 1 replica on."""
    replicas, history = 1, History()
    last_active = float("-inf")
    changes: list[Change] = []
    for look in looks_of_model:
        seen = metrics_of(look)
        if look.by == "keda":
            if is_active(seen):
                last_active = noted_seconds(look.at)
            after = replicas_of_poll(scaling, seen, replicas, idle_seconds=look.at - last_active)
        else:
            decision = reconcile(
                scaling.autoscaler,
                history,
                Observation(
                    now_seconds=look.at,
                    spec_replicas=replicas,
                    current_replicas=replicas,
                    readings=readings(scaling, seen),
                ),
            )
            after, history = decision.replicas, decision.history
        if after != replicas:
            replicas = after
            changes.append(Change(at=look.at, replicas=after))
    return changes


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One change of a model's replicas, seen and predicted; None where only the other has it."""

    model: str
    before: int
    after: int
    seen: float | None
    predicted: float | None

    @property
    def difference(self) -> float | None:
        """Seconds by which it came after the prediction."""
        if self.seen is None or self.predicted is None:
            return None
        return self.seen - self.predicted


def compared(model: str, seen: Sequence[Change], wanted: Sequence[Change]) -> list[Compared]:
    """Return changes side by side, as long as both go the same way; then each alone."""
    rows: list[Compared] = []
    before = 1
    same = 0
    for one, other in zip(seen, wanted, strict=False):
        if one.replicas != other.replicas:
            break
        rows.append(
            Compared(
                model=model,
                before=before,
                after=one.replicas,
                seen=one.at,
                predicted=other.at,
            )
        )
        before = one.replicas
        same += 1
    for rest, is_seen in ((seen[same:], True), (wanted[same:], False)):
        last = before
        for one in rest:
            rows.append(
                Compared(
                    model=model,
                    before=last,
                    after=one.replicas,
                    seen=one.at if is_seen else None,
                    predicted=None if is_seen else one.at,
                )
            )
            last = one.replicas
    return rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came out.

    Attributes:
        start: when the courses began, in seconds since 1970.
        seconds: how long they took.
        models: the models.
        seen: each model's replicas over time; the first is what it had when it was made.
        rows: what was seen and what was predicted.
        looks: what KEDA and the autoscaler read.
        scrapes: what Prometheus was told.
    """

    start: float
    seconds: float
    models: Sequence[ScaledModel]
    seen: Mapping[str, Sequence[Change]]
    rows: Sequence[Compared]
    looks: Sequence[Look]
    scrapes: Sequence[Scrape]


def run(progress: Progress) -> Outcome:
    """Let both models go through their courses, with windows and periods for a run of minutes.

    Raises:
        LabError: a program is not there or ended, or the models do not settle before it begins.
        ValueError: the API server refuses an object.
    """
    stack = scaling_stack()
    contract = known_contract(stack)
    if contract is None:
        raise LabError("the stack has no contract of its own")
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="llmp-lab-")))
        models = scaled_models(stack, short=True)
        engines = running.enter_context(
            SimulatedEngines(
                [
                    Engines(namespace=one.namespace, service=one.name, pool=one.pool)
                    for one in models
                ]
            )
        )
        progress.stage("starting the control plane, Prometheus and KEDA")
        plane = running.enter_context(
            control_plane(folder, controllers=(CONTROLLER_MANAGER, SCHEDULER))
        )
        start_kwok(plane)
        create_nodes(plane, nodes_of(contract))
        (scrape,) = {round(one.scaling.scrape_seconds) for one in models}
        targets = engines.targets(scrape, round(Sleep().picker_scrape_seconds))
        start_keda(plane, start_prometheus(plane, targets))
        replicas = _Replicas(plane, engines, models)
        for one in models:
            _apply(plane, one)
        progress.stage("the models settle: one is awake, one falls asleep")
        deadline = time.monotonic() + SETTLE_SECONDS
        while not _settled(plane, replicas, models):
            if time.monotonic() > deadline:
                raise LabError(f"the models have {replicas.last} replicas and do not settle")
            replicas.look({})
        start = time.time()
        courses = {one.name: course(one.scaling) for one in models}
        seconds = max(end_of(one.scaling) for one in models)
        while (now := time.time() - start) < seconds:
            replicas.look({name: _load(steps, now) for name, steps in courses.items()})
            shown = ", ".join(f"{name} {count}" for name, count in replicas.last.items())
            progress.update(f"{now:.0f} of {seconds:.0f} s: {shown}")
        noted = looks(plane.programs[OPERATOR].log)
        rows = [
            row
            for one in models
            for row in compared(
                one.name,
                replicas.changes[one.name],
                predicted(one.scaling, [look for look in noted if look.scaled_object == one.name]),
            )
        ]
        return Outcome(
            start=start,
            seconds=seconds,
            models=models,
            seen=replicas.changes,
            rows=rows,
            looks=noted,
            scrapes=engines.scrapes,
        )


def _apply(plane: ControlPlane, model: ScaledModel) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": model.namespace}}
    plane.client.apply(space, dry_run=False).json()
    for one in model.objects:
        plane.client.apply(one, dry_run=False).json()


def _load(steps: Sequence[Step], seconds: float) -> Load:
    return ([one.load for one in steps if one.seconds <= seconds] or [Load()])[-1]


class _Replicas:
    """What the models' Deployments have, looked at again and again."""

    def __init__(
        self, plane: ControlPlane, engines: SimulatedEngines, models: Sequence[ScaledModel]
    ) -> None:
        self._plane = plane
        self._engines = engines
        self._paths = {
            one.name: f"/apis/apps/v1/namespaces/{one.namespace}/deployments/{one.name}"
            for one in models
        }
        self.last: dict[str, int] = dict.fromkeys(self._paths, 1)
        self.changes: dict[str, list[Change]] = {name: [] for name in self._paths}

    def look(self, loads: Mapping[str, Load]) -> None:
        for name, path in self._paths.items():
            found = self._plane.client.request("GET", path).json()
            replicas: int = found["spec"]["replicas"]
            if replicas != self.last[name]:
                self.last[name] = replicas
                self.changes[name].append(Change(at=time.time(), replicas=replicas))
            ready: int = found.get("status", {}).get("readyReplicas", 0)
            self._engines.set(name, replicas=ready, load=loads.get(name, Load()))
        for program in self._plane.programs:
            if not program.running:
                raise LabError(f"{program.name} has ended; its log is {program.log}")
        time.sleep(LOOK_SECONDS)


def _settled(plane: ControlPlane, replicas: _Replicas, models: Sequence[ScaledModel]) -> bool:
    """Whether each model has the replicas that no load asks for, and is looked at."""
    rest = {one.name: 0 if one.scaling.sleep else one.scaling.min_replicas for one in models}
    if replicas.last != rest:
        return False
    noted = looks(plane.programs[OPERATOR].log)
    return any(one.by == "autoscaler" and one.scaled_object == AWAKE for one in noted)


def claims_of(outcome: Outcome) -> list[Claim]:
    """Return what has to hold."""
    models = {one.name: one for one in outcome.models}
    after = {
        name: [one for one in changes if one.at >= outcome.start]
        for name, changes in outcome.seen.items()
    }
    return [
        *_claims_awake(models[AWAKE].scaling, after[AWAKE], outcome),
        *_claims_sleeper(models[SLEEPER].scaling, after[SLEEPER], outcome),
        Claim(
            says="never more replicas than the most",
            holds=all(
                one.replicas <= models[name].scaling.max_replicas
                for name, changes in outcome.seen.items()
                for one in changes
            ),
            seen=", ".join(
                f"{name} {max((one.replicas for one in changes), default=1)} of "
                f"{models[name].scaling.max_replicas}"
                for name, changes in outcome.seen.items()
            ),
        ),
        _claim_queries(outcome),
        _claim_prediction(outcome.rows),
    ]


def _claims_awake(scaling: Scaling, changes: Sequence[Change], outcome: Outcome) -> list[Claim]:
    steps = course(scaling)
    dropped = _told(outcome, AWAKE, steps[1].seconds, lambda load: load.waiting == 0)
    counts = [scaling.min_replicas, *(one.replicas for one in changes)]
    pairs = list(pairwise(counts))
    ups = [(one.at, new - old) for one, (old, new) in zip(changes, pairs, strict=True) if new > old]
    fastest = max(
        (
            sum(
                pods
                for at, pods in ups
                if first <= at < first + scaling.scale_up_period_seconds - 1
            )
            for first, _ in ups
        ),
        default=0,
    )
    downs = [one.at for one, (old, new) in zip(changes, pairs, strict=True) if new < old]
    first_down = min(downs, default=float("nan")) - dropped
    gaps = [second - first for first, second in pairwise(downs)]
    highest = max(counts)
    return [
        Claim(
            says="requests that wait bring replicas, up to the most",
            holds=highest == scaling.max_replicas and bool(ups),
            seen=f"{highest} replicas "
            f"{next((one.at for one in changes if one.replicas == highest), 0) - outcome.start:.1f}"
            " s after the start",
        ),
        Claim(
            says="no more come in a period than the chart says",
            holds=0 < fastest <= scaling.scale_up_pods,
            seen=f"{fastest} in {scaling.scale_up_period_seconds:.0f} s",
        ),
        Claim(
            says="they go when the load has been low for the stabilization window, not before",
            # The last high look may be up to a period of the autoscaler before the load drops.
            holds=bool(downs)
            and -SYNC_PERIOD_SECONDS
            <= first_down - scaling.scale_down_window_seconds
            <= 2 * SYNC_PERIOD_SECONDS,
            seen=f"the first {first_down:.1f} s after the load; the window is "
            f"{scaling.scale_down_window_seconds:.0f} s",
        ),
        Claim(
            says="one goes at a time, a period apart",
            holds=bool(gaps)
            and min(gaps) >= scaling.scale_down_period_seconds - 1
            and all(old - new == 1 for old, new in pairs if new < old),
            seen=", ".join(f"{gap:.1f} s" for gap in gaps),
        ),
        Claim(
            says="full KV caches bring a replica too, when no request waits",
            holds=any(
                one.at - outcome.start > steps[2].seconds and new > old
                for one, (old, new) in zip(changes, pairs, strict=True)
            ),
            seen="replicas " + ", ".join(map(str, counts)),
        ),
    ]


def _claims_sleeper(scaling: Scaling, changes: Sequence[Change], outcome: Outcome) -> list[Claim]:
    steps = course(scaling)
    sleep = scaling.sleep or Sleep()
    asked = outcome.start + steps[0].seconds
    idle = _told(outcome, SLEEPER, steps[2].seconds, lambda load: load.running == 0)
    woken = next((one.at for one in changes if one.replicas > 0), float("nan")) - asked
    slept = next((one.at for one in changes if one.replicas == 0), float("nan")) - idle
    most = sleep.polling_seconds + sleep.picker_scrape_seconds + AGREES_WITHIN_SECONDS
    cooldown = 60 * sleep.idle_minutes
    counts = [0, *(one.replicas for one in changes)]
    return [
        Claim(
            says="a request that is held wakes a model that sleeps",
            holds=0 <= woken <= most,
            seen=f"after {woken:.1f} s; a scrape and a look of KEDA take at most {most:.0f} s",
        ),
        Claim(
            says="it sleeps when nobody has asked for so long, and not while it works",
            # KEDA's last look at work may be a look before that, noted in whole seconds.
            holds=-sleep.polling_seconds - 1 <= slept - cooldown <= 2 * sleep.polling_seconds + 2,
            seen=f"{slept:.1f} s after its last request; {cooldown:.0f} s are told",
        ),
        Claim(
            says="held requests of more than a replica bring more than one",
            holds=max(counts) == scaling.max_replicas and counts[-1] == 0,
            seen="replicas " + ", ".join(map(str, counts)),
        ),
    ]


def _total(seen: Metrics, trigger: str) -> float:
    """Return the value of a trigger of a model that sleeps, or has an engine."""
    return {
        WAITING: seen.waiting or 0.0,
        KV_CACHE: seen.kv_cache or 0.0,
        HELD: seen.held,
        ASKED_FOR: seen.asked_for,
    }[trigger]


def _claim_queries(outcome: Outcome) -> Claim:
    looked = [one for one in outcome.looks if one.at >= outcome.start]
    wrong: list[str] = []
    for look in looked:
        # Either side of a scrape that the look ran into.
        told = [
            metrics_at(outcome.scrapes, look.scaled_object, at)
            for at in (look.at, look.at - SCRAPE_TAKES_SECONDS)
        ]
        for trigger, value in look.values.items():
            expected = [_total(one, trigger) for one in told]
            if value is None or all(abs(value - one) >= LEAST for one in expected):
                wrong.append(f"{look.scaled_object} {trigger}: {value} instead of {expected}")
    return Claim(
        says="every trigger reads what the engines and the picker told last",
        holds=bool(looked) and not wrong,
        seen="; ".join(wrong[:3]) or f"{len(looked)} looks",
    )


def _claim_prediction(rows: Sequence[Compared]) -> Claim:
    differences = [row.difference for row in rows]
    known = [abs(one) for one in differences if one is not None]
    return Claim(
        says="every change of replicas is the one that the simulation's rules predict",
        holds=bool(known)
        and len(known) == len(differences)
        and max(known) <= AGREES_WITHIN_SECONDS,
        seen=f"{len(known)} of {len(differences)} changes, at most "
        f"{max(known, default=float('nan')):.2f} s apart",
    )


def _told(outcome: Outcome, model: str, seconds: float, low: Callable[[Load], bool]) -> float:
    """Return when Prometheus was first told of a load at or after a time of a course."""
    return next(
        (
            one.at
            for one in outcome.scrapes
            if one.path == f"{ENGINES}{model}"
            and one.at >= outcome.start + seconds
            and low(one.engines[model].load)
        ),
        float("nan"),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Check; return 0 where all holds and 1 where something does not.

    Raises:
        LabError: a program is not there or ended.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab scaling",
        description="Let a real KEDA scale two models, and compare that with the simulation.",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    options = parser.parse_args(arguments)
    with Progress("scaling") as progress:
        outcome = run(progress)
    claims = claims_of(outcome)
    if options.json:
        print(json.dumps(as_json(outcome, claims), indent=2))
    else:
        _show(outcome, claims)
    return 0 if all(one.holds for one in claims) else 1


def as_json(outcome: Outcome, claims: Sequence[Claim]) -> Json:
    """Return the outcome for a script."""
    return {
        "keda": keda_note(),
        "prometheus": prometheus_note(),
        "seconds": round(outcome.seconds, 1),
        "settings": {
            one.name: {
                "scale_up_period_seconds": one.scaling.scale_up_period_seconds,
                "scale_down_period_seconds": one.scaling.scale_down_period_seconds,
                "scale_down_window_seconds": one.scaling.scale_down_window_seconds,
                "idle_seconds": None
                if one.scaling.sleep is None
                else round(60 * one.scaling.sleep.idle_minutes),
            }
            for one in outcome.models
        },
        "changes": [
            {
                "model": row.model,
                "before": row.before,
                "after": row.after,
                "seen_seconds": _since(outcome, row.seen),
                "predicted_seconds": _since(outcome, row.predicted),
                "difference_seconds": None if row.difference is None else round(row.difference, 3),
            }
            for row in outcome.rows
        ],
        "claims": claims_json(claims),
    }


def _since(outcome: Outcome, at: float | None) -> float | None:
    return None if at is None else round(at - outcome.start, 2)


def _show(outcome: Outcome, claims: Sequence[Claim]) -> None:
    console = page_console()
    console.print(f"{keda_note()}; {prometheus_note()}")
    for one in outcome.models:
        scaling = one.scaling
        console.print(
            f"{one.name}: up {scaling.scale_up_pods} in {scaling.scale_up_period_seconds:.0f} s, "
            f"down 1 in {scaling.scale_down_period_seconds:.0f} s after "
            f"{scaling.scale_down_window_seconds:.0f} s"
            + (
                ""
                if scaling.sleep is None
                else f", asleep after {60 * scaling.sleep.idle_minutes:.0f} s"
            )
        )
    console.print(claims_table(claims))
    table = Table(
        *("model", "replicas", "seen", "predicted", "apart"),
        title="seconds after the start; what was before it is when the models were made",
        box=None,
        pad_edge=False,
    )
    for row in outcome.rows:
        table.add_row(
            row.model,
            f"{row.before} -> {row.after}",
            *(
                "none" if value is None else f"{value:.2f}"
                for value in (
                    _since(outcome, row.seen),
                    _since(outcome, row.predicted),
                    row.difference,
                )
            ),
        )
    console.print(table)
