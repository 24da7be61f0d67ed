"""Whether quotas do what our chart says: each rule alone, on a few nodes, with a real Kueue."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from components.platform.values.kueue_queues import (
    DEFAULT_PRIORITIES,
    KueueQueuesValues,
    TenantQueue,
)
from lab.claims import Claim, StalledError
from lab.queues import GPUS_PER_NODE, JobRequest, QueueCluster
from lab.quotas import GPU, Course

LOW, HIGH = (one.name for one in DEFAULT_PRIORITIES)
NODES: Final = 10
SECONDS: Final = 120.0
FOREVER: Final = 3600.0
SHORT: Final = 1.0
SMALL: Final = 2
CLOCK_SECONDS: Final = 1.1
"""Kueue orders by creation times, which are whole seconds."""

COHORTS: Final = (
    KueueQueuesValues(
        cohort="rules",
        tenants=(TenantQueue.for_gpus("lender", 16), TenantQueue.for_gpus("borrower", 16)),
    ),
    KueueQueuesValues(
        cohort="limits",
        tenants=(
            TenantQueue.for_gpus("idle", 16),
            TenantQueue.for_gpus("limited", 8).model_copy(update={"borrowing_gpus": 8}),
            # As one whose quota in a stack is 0.
            TenantQueue.for_gpus("guest", 0),
        ),
    ),
    KueueQueuesValues(cohort="order", tenants=(TenantQueue.for_gpus("busy", 8),)),
)
"""Tenants of three cohorts: what happens in one is no business of the others'."""


def check_rules(cluster: QueueCluster) -> list[Claim]:
    """Go through the rules, one after the other.

    Args:
        cluster: one with `COHORTS`, and `NODES` nodes.

    Raises:
        LabError: a program ended, or a watch missed something.
        ValueError: the API server refuses a Job.
    """
    found: list[Claim] = []
    for says, rules in _RULES.items():
        try:
            found += rules(cluster)
        except StalledError as error:
            found.append(Claim(says=says, holds=False, seen=str(error)))
    breaches = cluster.ledger.breaches
    never = Claim(
        says="at no moment was more reserved or running than the quotas grant",
        holds=not breaches,
        seen="; ".join(breaches[:3]) or "no such moment",
    )
    return [*found, never]


def _lend_and_reclaim(cluster: QueueCluster) -> list[Claim]:
    ledger = cluster.ledger
    first = _jobs("borrower", "first", 2, seconds=FOREVER, priority=HIGH)
    borrowed = _jobs("borrower", "borrowed", 2, seconds=FOREVER, priority=LOW)
    _admit(cluster, first, "the borrower gets its own quota")
    _admit(cluster, borrowed, "the borrower gets what its neighbour leaves idle")
    at_most = ledger.reserved("borrower").held("borrower")
    borrows = Claim(
        says="what a tenant leaves idle another borrows",
        holds=at_most == 4 * GPUS_PER_NODE,
        seen=f"{at_most} GPUs held, {cluster.quotas['borrower'].nominal[GPU]} of them its own",
    )

    extra = _jobs("borrower", "extra", 1, seconds=SHORT, priority=LOW)
    told = _turn_away(cluster, extra)
    waits = Claim(
        says="over its quota, with nothing left to borrow, a tenant waits",
        holds="insufficient unused quota" in told,
        seen=told,
    )

    owners = _jobs("lender", "own", 2, seconds=FOREVER, priority=LOW)
    _admit(cluster, owners, "the lender gets back its own quota")
    courses = {one.name: ledger.course("borrower", one.name) for one in (*first, *borrowed)}
    reclaimed = Claim(
        says="an owner gets back what it lent, whatever the priority, from what was borrowed",
        holds=all(ledger.course("lender", one.name).admitted is not None for one in owners)
        and all(courses[one.name].preempted == ("InCohortReclamation",) for one in borrowed),
        seen=f"{_longest(cluster, owners):.1f} s after it asked",
    )
    kept = Claim(
        says="a tenant keeps its own quota when what it borrowed is reclaimed",
        holds=all(not courses[one.name].preempted for one in first),
        seen=f"{ledger.reserved('borrower').held('borrower')} GPUs held",
    )

    urgent = _jobs("lender", "urgent", 1, seconds=SHORT, priority=HIGH)
    _admit(cluster, urgent, "urgent work goes first")
    preempted = [reason for one in owners for reason in ledger.course("lender", one.name).preempted]
    ahead = Claim(
        says="within a tenant, work of higher priority preempts work of lower priority",
        holds=preempted == ["InClusterQueue"],
        seen=f"{_longest(cluster, urgent):.1f} s after it was asked for",
    )

    greedy = _jobs("borrower", "greedy", 1, seconds=SHORT, priority=HIGH)
    cluster.wait(
        lambda: _all(cluster, owners, lambda one: len(one.preempted) in (0, 1) and _runs(one)),
        seconds=SECONDS,
        problem="preempted work does not come back",
    )
    told = _turn_away(cluster, greedy)
    courses = {one.name: ledger.course("lender", one.name) for one in owners}
    never = Claim(
        says="nobody preempts another tenant's work to borrow, whatever the priority",
        holds=sum(len(one.preempted) for one in courses.values()) == 1,
        seen=told,
    )
    return [waits, borrows, reclaimed, kept, ahead, never]


def _borrow_to_the_limit(cluster: QueueCluster) -> list[Claim]:
    ledger = cluster.ledger
    own = _jobs("limited", "own", 2, seconds=FOREVER)
    _admit(cluster, own, "a tenant borrows up to its limit")
    told = _turn_away(cluster, _jobs("limited", "over", 1, seconds=SHORT))
    idle = (
        sum(cluster.quotas[one].nominal[GPU] for one in ("idle", "limited", "guest"))
        - ledger.reserved("limited").held_by_all
    )
    limit = Claim(
        says="a tenant borrows up to its limit and no more, though more is idle",
        holds=ledger.reserved("limited").held("limited") == 2 * GPUS_PER_NODE
        and GPU in told
        and idle >= GPUS_PER_NODE,
        seen=f"{told}; {idle} idle",
    )
    guest = _jobs("guest", "guest", 1, gpus=1, seconds=SHORT)
    cluster.hand_in(guest)
    cluster.wait(
        lambda: _all(cluster, guest, lambda one: one.finished is not None),
        seconds=SECONDS,
        problem="a tenant without a quota gets nothing of what is idle",
    )
    served = Claim(
        says="a tenant without a quota is served from what is idle",
        holds=True,
        seen=f"done {_done(cluster, guest):.1f} s after it was handed in",
    )
    return [limit, served]


def _keep_order(cluster: QueueCluster) -> list[Claim]:
    # They end one after the other, so that there is soon room for small work and late for large.
    before = [
        replace(one, seconds=3.0 + 3.0 * index)
        for index, one in enumerate(
            _jobs("busy", "before", GPUS_PER_NODE // SMALL, gpus=SMALL, seconds=SHORT), 1
        )
    ]
    _admit(cluster, before, "a tenant gets its quota in small parts")
    time.sleep(CLOCK_SECONDS)
    large = _jobs("busy", "large", 1, seconds=SHORT)
    _turn_away(cluster, large)
    time.sleep(CLOCK_SECONDS)
    behind = _jobs("busy", "behind", len(before), gpus=SMALL, seconds=SHORT)
    handed = cluster.hand_in(behind)
    cluster.wait(
        lambda: _all(cluster, (*large, *behind), lambda one: one.admitted is not None),
        seconds=SECONDS,
        problem="large and small work is not admitted",
        handing_in=handed,
    )
    moment = _admitted(cluster, large[0])
    overtook = sum(_admitted(cluster, one) < moment for one in behind)
    order = Claim(
        says="large work is not overtaken by small work that was handed in behind it",
        holds=overtook == 0,
        seen=f"admitted after {_longest(cluster, large):.1f} s, overtaken by {overtook}",
    )
    return [order]


def _jobs(  # noqa: PLR0913 - what a Job is
    tenant: str,
    name: str,
    count: int,
    *,
    seconds: float,
    gpus: int = GPUS_PER_NODE,
    priority: str = LOW,
) -> list[JobRequest]:
    return [
        JobRequest(
            tenant=tenant, name=f"{name}-{index}", gpus=gpus, seconds=seconds, priority=priority
        )
        for index in range(1, count + 1)
    ]


def _admit(cluster: QueueCluster, jobs: Sequence[JobRequest], problem: str) -> None:
    handed = cluster.hand_in(jobs)
    cluster.wait(
        lambda: _all(cluster, jobs, lambda one: one.admitted is not None),
        seconds=SECONDS,
        problem=f"not seen: {problem}",
        handing_in=handed,
    )


def _turn_away(cluster: QueueCluster, jobs: Sequence[JobRequest]) -> str:
    """Hand in a Job that has to wait; return what Kueue says of it."""
    handed = cluster.hand_in(jobs)
    cluster.wait(
        lambda: _all(cluster, jobs, lambda one: bool(one.waits) or one.admitted is not None),
        seconds=SECONDS,
        problem="Kueue says nothing of a Job that cannot run",
        handing_in=handed,
    )
    (job,) = jobs
    return cluster.ledger.course(job.tenant, job.name).waits


def _all(
    cluster: QueueCluster, jobs: Sequence[JobRequest], holds: Callable[[Course], bool]
) -> bool:
    courses = [cluster.ledger.find(one.tenant, one.name) for one in jobs]
    return all(one is not None and holds(one) for one in courses)


def _runs(one: Course) -> bool:
    return not one.waits and one.admitted is not None


def _longest(cluster: QueueCluster, jobs: Sequence[JobRequest]) -> float:
    waited = [cluster.ledger.course(one.tenant, one.name).waited for one in jobs]
    return max(one for one in waited if one is not None)


def _admitted(cluster: QueueCluster, job: JobRequest) -> float:
    admitted = cluster.ledger.course(job.tenant, job.name).admitted
    return math.inf if admitted is None else admitted


def _done(cluster: QueueCluster, jobs: Sequence[JobRequest]) -> float:
    courses = [cluster.ledger.course(one.tenant, one.name) for one in jobs]
    return max(one.finished - one.submitted for one in courses if one.finished is not None)


_RULES: Final[Mapping[str, Callable[[QueueCluster], list[Claim]]]] = {
    "what is idle is lent, and comes back when its owner needs it": _lend_and_reclaim,
    "a tenant borrows up to its limit": _borrow_to_the_limit,
    "work goes in the order in which it was handed in": _keep_order,
}
"""By what they are about; each leaves the cluster such that the next can begin."""
