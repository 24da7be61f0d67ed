"""Whether tenants' quotas hold, in small and at scale, and what that costs: `lab scheduling`.

First each rule of the queues alone, on a few nodes. Then, for each size, a rush: two tenants fill
the cluster with long work, most of it on quota of others; then all hand in short work at once. What
was lent has to come back, nobody may ever hold more than there is, and all has to get done.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from rich.table import Table

from lab.claims import Claim, StalledError, claims_json, claims_table
from lab.command_line import Progress, page_console
from lab.control_plane import API_SERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER
from lab.kueue import MANAGER, version_note
from lab.nodes import KWOK_PROGRAM
from lab.queues import GPUS_PER_NODE, JobRequest, QueueCluster, queue_cluster, stack_of
from lab.quota_rules import COHORTS, NODES, check_rules
from lab.quotas import GPU, Course

Json = dict[str, Any]

PERCENT: Final = {"team-a": 40, "team-b": 30, "team-c": 20, "team-d": 10, "team-e": 0}
"""Each tenant's share of the GPUs."""
DEMAND: Final = {"team-a": 40, "team-b": 30, "team-c": 20, "team-d": 5, "team-e": 5}
"""Each tenant's share of the short work."""
EARLY: Final = ("team-d", "team-e")
LATE: Final = tuple(tenant for tenant in PERCENT if tenant not in EARLY)
SIZES: Final = (1, 2, 4, 8)
"""GPUs of the pods of short work, in turn."""
PROGRAMS: Final = (MANAGER, API_SERVER, ETCD, CONTROLLER_MANAGER, SCHEDULER, KWOK_PROGRAM)
PODS_PER_NODE: Final = 10
RECLAIMED: Final = "InCohortReclamation"
SECONDS_PER_POD: Final = 1.0
LEAST_SECONDS: Final = 300.0
PERCENTILES: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A size of the rush.

    Attributes:
        nodes: with 8 GPUs each; the quotas are all of them.
        pods: how many pods there are in all, each one Job.
    """

    nodes: int
    pods: int

    @property
    def gpus(self) -> int:
        """All GPUs."""
        return self.nodes * GPUS_PER_NODE

    @property
    def short_seconds(self) -> float:
        """How long short work runs: such that quotas stay short at a few dozen admissions a second.

        A thousand nodes run about two thousand pods at once; with 60 s that is 36 a second.
        """
        return max(5.0, 0.06 * self.nodes)

    @property
    def long_seconds(self) -> float:
        """How long the work runs that fills the cluster: longer than Kueue takes to give it back.

        It first has to note all Jobs of the rush: with 1,000 pods owners got theirs after 56 s.
        """
        return max(20.0, 0.1 * self.pods)

    def quotas(self) -> dict[str, int]:
        """Return each tenant's quota in GPUs; together they are all that there is."""
        shares = {tenant: percent * self.gpus // 100 for tenant, percent in PERCENT.items()}
        first, *_ = shares
        shares[first] += self.gpus - sum(shares.values())
        return shares

    def long_work(self) -> list[JobRequest]:
        """Return what fills the cluster, a whole node each, and a little more."""
        count = min(self.nodes + self.nodes // 10, self.pods // 2)
        return [
            JobRequest(
                tenant=EARLY[index % len(EARLY)],
                name=f"long-{index}",
                gpus=GPUS_PER_NODE,
                seconds=self.long_seconds,
            )
            for index in range(count)
        ]

    def short_work(self) -> list[JobRequest]:
        """Return the rest of the pods, of all tenants in turn."""
        turn = [tenant for tenant, share in DEMAND.items() for _ in range(share)]
        count = self.pods - len(self.long_work())
        return [
            # 37 is prime to 100: each tenant comes up evenly.
            JobRequest(
                tenant=turn[index * 37 % len(turn)],
                name=f"short-{index}",
                gpus=SIZES[index % len(SIZES)],
                seconds=self.short_seconds,
            )
            for index in range(count)
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """Seconds from handing in to the first admission, over many Jobs."""

    median: float
    p95: float
    longest: float

    @classmethod
    def of(cls, courses: Sequence[Course]) -> "Waits":
        """Sum up Jobs that were admitted."""
        waited = sorted(one.waited for one in courses if one.waited is not None)
        if len(waited) == 1:
            waited *= 2
        cuts = statistics.quantiles(waited, n=PERCENTILES, method="inclusive")
        return cls(median=statistics.median(waited), p95=cuts[-1], longest=waited[-1])

    def as_json(self) -> Json:
        """Return it for a script."""
        return {
            "median": round(self.median, 2),
            "p95": round(self.p95, 2),
            "longest": round(self.longest, 2),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantResult:
    """What came out for one tenant.

    Attributes:
        name: the tenant.
        quota: its GPUs.
        peak: the most that it held.
        jobs: how many Jobs it handed in.
        preempted: how often work of its was preempted.
        waits: until admission.
        longest_pause: the longest time between two admissions.
    """

    name: str
    quota: Decimal
    peak: Decimal
    jobs: int
    preempted: int
    waits: Waits
    longest_pause: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RushResult:
    """What came out of one rush.

    Attributes:
        size: how large it was.
        seconds: from the first Job handed in to the last one done.
        waits: until admission, of all Jobs.
        tenants: each tenant's part.
        processor_seconds: processor time by program.
        memory_mib: the most memory that Kueue had.
        claims: what had to hold.
    """

    size: Size
    seconds: float
    waits: Waits
    tenants: Sequence[TenantResult]
    processor_seconds: Mapping[str, float]
    memory_mib: int
    claims: Sequence[Claim]

    @property
    def admissions_per_second(self) -> float:
        """Jobs done in a second, over the whole run."""
        return self.size.pods / self.seconds

    def as_json(self) -> Json:
        """Return it for a script."""
        return {
            "nodes": self.size.nodes,
            "pods": self.size.pods,
            "seconds": round(self.seconds, 1),
            "time_to_admit_seconds": self.waits.as_json(),
            "processor_seconds": {
                name: round(used, 1) for name, used in self.processor_seconds.items()
            },
            "kueue_memory_mib": self.memory_mib,
            "tenants": [
                {
                    "name": one.name,
                    "gpu_quota": int(one.quota),
                    "peak_gpus": int(one.peak),
                    "jobs": one.jobs,
                    "preempted": one.preempted,
                    "time_to_admit_seconds": one.waits.as_json(),
                    "longest_pause_seconds": round(one.longest_pause, 2),
                }
                for one in self.tenants
            ],
            "claims": claims_json(self.claims),
        }


def rush(size: Size, progress: Progress) -> RushResult:
    """Run one rush.

    Raises:
        StalledError: the queues never filled, or not all got done.
        LabError: a program is not there or ended.
        ValueError: the API server refuses an object.
    """
    limit = max(LEAST_SECONDS, SECONDS_PER_POD * size.pods)
    progress.stage(f"{size.nodes} nodes and {size.pods} pods: starting")
    with queue_cluster(stack_of(size.nodes, size.quotas())) as cluster:
        before = cluster.processor_seconds()
        start = time.monotonic()
        reserved = cluster.ledger.reserved(EARLY[0])
        progress.stage("long work fills the cluster")
        handed = cluster.hand_in(size.long_work())
        cluster.wait(
            lambda: reserved.held_by_all > size.gpus - GPUS_PER_NODE,
            seconds=limit,
            problem="long work does not fill the cluster",
            handing_in=handed,
        )
        progress.stage("all hand in short work")
        rushed = time.monotonic()
        handed = cluster.hand_in(size.short_work())

        def done() -> bool:
            finished = cluster.ledger.count_finished()
            progress.update(f"{finished} of {size.pods} Jobs are done")
            return finished == size.pods

        cluster.wait(done, seconds=limit, problem="not all Jobs are done", handing_in=handed)
        seconds = time.monotonic() - start
        used = cluster.processor_seconds()
        return _result(
            cluster,
            size,
            seconds=seconds,
            rushed=rushed,
            processor_seconds={name: used[name] - before[name] for name in PROGRAMS},
        )


def _result(
    cluster: QueueCluster,
    size: Size,
    *,
    seconds: float,
    rushed: float,
    processor_seconds: Mapping[str, float],
) -> RushResult:
    courses = cluster.ledger.courses()
    reserved = cluster.ledger.staying(EARLY[0])
    tenants: list[TenantResult] = []
    for tenant in PERCENT:
        own = [one for one in courses if one.tenant == tenant]
        admitted = sorted(one.admitted for one in own if one.admitted is not None)
        tenants.append(
            TenantResult(
                name=tenant,
                quota=cluster.quotas[tenant].nominal[GPU],
                peak=reserved.peaks[tenant],
                jobs=len(own),
                preempted=sum(len(one.preempted) for one in own),
                waits=Waits.of(own),
                longest_pause=max((b - a for a, b in pairwise(admitted)), default=0.0),
            )
        )
    return RushResult(
        size=size,
        seconds=seconds,
        waits=Waits.of(courses),
        tenants=tenants,
        processor_seconds=processor_seconds,
        memory_mib=cluster.peak_memory_mib(MANAGER),
        claims=_claims(cluster, size, courses, tenants, rushed),
    )


def _claims(
    cluster: QueueCluster,
    size: Size,
    courses: Sequence[Course],
    tenants: Sequence[TenantResult],
    rushed: float,
) -> list[Claim]:
    ledger = cluster.ledger
    reserved, running = ledger.staying(EARLY[0]), ledger.running(EARLY[0])
    twice = ledger.reserved(EARLY[0]).peak_of_all - reserved.peak_of_all
    breaches = ledger.breaches
    borrowed = {one.name: one.peak - one.quota for one in tenants if one.peak > one.quota}
    heads = {
        tenant: min(
            one.admitted for one in courses if one.tenant == tenant and one.admitted is not None
        )
        - rushed
        for tenant in LATE
    }
    first_end = min(
        one.finished for one in courses if one.tenant in EARLY and one.finished is not None
    )
    first_end -= rushed
    reasons = {reason for one in courses for reason in one.preempted}
    preempted = [one for one in courses if one.preempted]
    done = sum(one.finished is not None for one in courses)
    pauses = {one.name: one.longest_pause for one in tenants if one.name in LATE}
    return [
        Claim(
            says="at no moment was more reserved or running than the quotas grant",
            holds=not breaches,
            seen="; ".join(breaches[:3])
            or f"{reserved.moments + running.moments} moments, at most {reserved.peak_of_all} "
            f"GPUs reserved and {running.peak_of_all} running, of {size.gpus}; at most {twice} "
            "given away while the Job before was being preempted",
        ),
        Claim(
            says="what is idle is borrowed",
            holds=reserved.peak_of_all == size.gpus and set(borrowed) >= set(EARLY),
            seen=", ".join(f"{name} {gpus} GPUs" for name, gpus in borrowed.items()),
        ),
        Claim(
            says="an owner's first Job runs before any borrower's work ends",
            holds=max(heads.values()) < first_end,
            seen=", ".join(f"{name} {one:.1f} s" for name, one in heads.items())
            + f"; the first work ended after {first_end:.0f} s",
        ),
        Claim(
            says="only borrowers are preempted, and only for owners",
            holds=bool(preempted)
            and reasons == {RECLAIMED}
            and all(one.tenant in borrowed for one in preempted),
            seen=f"{len(preempted)} Jobs, {', '.join(sorted(reasons))}",
        ),
        Claim(
            says="a tenant with a quota and work waiting is never left without for long",
            holds=max(pauses.values()) < size.long_seconds,
            seen=f"at most {max(pauses.values()):.1f} s of {size.long_seconds:.0f} s between two",
        ),
        Claim(
            says="all gets done, what was preempted too",
            holds=done == size.pods == len(courses),
            seen=f"{done} of {size.pods}",
        ),
    ]


def growth(results: Sequence[RushResult], program: str) -> float:
    """Return the exponent with which a program's processor time grows with the number of pods."""
    points = [
        (math.log(one.size.pods), math.log(max(one.processor_seconds[program], 0.01)))
        for one in results
    ]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def main(arguments: Sequence[str] | None = None) -> int:
    """Check; return 0 where all holds and 1 where something does not.

    Raises:
        LabError: a program is not there or ended.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab scheduling",
        description="Hold tenants' quotas against a real Kueue, rule by rule and at scale.",
    )
    parser.add_argument("--nodes", type=int, help="GPU nodes (default: a tenth of the pods)")
    parser.add_argument(
        "--pods",
        type=int,
        nargs="*",
        default=[100, 500],
        help="pods, one number for each rush; none for the rules alone (default: 100 500)",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    options = parser.parse_args(arguments)
    sizes = [
        Size(nodes=pods // PODS_PER_NODE if options.nodes is None else options.nodes, pods=pods)
        for pods in options.pods
    ]
    for one in sizes:
        # Long work takes a node each, and short work needs more than that to be a rush.
        if one.nodes < 1 or one.pods < 2 * one.nodes + PODS_PER_NODE:
            parser.error(f"{one.pods} pods are too few for a rush on {one.nodes} nodes")
    with Progress("scheduling") as progress:
        rules = _rules(progress)
        results: list[RushResult] = []
        stalled: list[Claim] = []
        for one in sizes:
            try:
                results.append(rush(one, progress))
            except StalledError as error:
                says = f"a rush of {one.pods} pods on {one.nodes} nodes gets done"
                stalled.append(Claim(says=says, holds=False, seen=str(error)))
    if options.json:
        print(json.dumps(_as_json(rules, results, stalled), indent=2))
    else:
        _show(rules, results, stalled)
    claims = [*rules, *stalled, *(claim for one in results for claim in one.claims)]
    return 0 if all(one.holds for one in claims) else 1


def _rules(progress: Progress) -> list[Claim]:
    progress.stage("each rule alone")
    with queue_cluster(stack_of(NODES, {"rest": NODES * GPUS_PER_NODE}), COHORTS) as cluster:
        return check_rules(cluster)


def _as_json(
    rules: Sequence[Claim], results: Sequence[RushResult], stalled: Sequence[Claim]
) -> Json:
    return {
        "kueue": version_note(),
        "rules": claims_json(rules),
        "rushes": [one.as_json() for one in results],
        "stalled": claims_json(stalled),
        "processor_time_exponents": {name: round(growth(results, name), 2) for name in PROGRAMS}
        if _comparable(results)
        else {},
    }


def _comparable(results: Sequence[RushResult]) -> bool:
    return len({one.size.pods for one in results}) > 1


def _show(rules: Sequence[Claim], results: Sequence[RushResult], stalled: Sequence[Claim]) -> None:
    console = page_console()
    console.print(version_note())
    console.print(claims_table(rules, "each rule alone"))
    for one in results:
        title = f"{one.size.nodes} nodes, {one.size.pods} pods, {one.seconds:.0f} s"
        console.print(claims_table(one.claims, title))
        table = Table(
            "tenant",
            *("quota", "peak", "Jobs", "preempted", "admitted p50", "p95", "longest", "pause"),
            box=None,
            pad_edge=False,
        )
        for each in one.tenants:
            table.add_row(
                each.name,
                *(str(each.quota), str(each.peak), str(each.jobs), str(each.preempted)),
                *(f"{seconds:.1f} s" for seconds in _seconds(each.waits)),
                f"{each.longest_pause:.1f} s",
            )
        console.print(table)
    if stalled:
        console.print(claims_table(stalled, "what did not come to its end"))
    if not results:
        return
    table = Table(
        *("nodes", "pods", "seconds", "pods/s", "admitted p50", "p95", "longest"),
        *(f"{name}, CPU s" for name in PROGRAMS),
        "Kueue, MiB",
        title="what it costs",
        box=None,
        pad_edge=False,
    )
    for one in results:
        table.add_row(
            *(str(one.size.nodes), str(one.size.pods)),
            *(f"{one.seconds:.0f}", f"{one.admissions_per_second:.1f}"),
            *(f"{seconds:.1f} s" for seconds in _seconds(one.waits)),
            *(f"{one.processor_seconds[name]:.1f}" for name in PROGRAMS),
            str(one.memory_mib),
        )
    if _comparable(results):
        exponents = (f"^{growth(results, name):.2f}" for name in PROGRAMS)
        table.add_row("growth", *[""] * 6, *exponents, "")
    console.print(table)


def _seconds(waits: Waits) -> tuple[float, float, float]:
    return waits.median, waits.p95, waits.longest
