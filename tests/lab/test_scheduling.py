"""Tenants' quotas with a real Kueue, and what the command says of them."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from lab import queues, scheduling
from lab.claims import Claim, StalledError
from lab.command_line import Progress
from lab.scheduling import DEMAND, PERCENT, PROGRAMS, RushResult, Size, Waits, growth

PROGRAMS_NEEDED = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("kwok", "kueue", "helm"),
)
SIZE = Size(nodes=5, pods=60)


def result(pods: int, processor_seconds: float) -> RushResult:
    return RushResult(
        size=Size(nodes=pods // 10, pods=pods),
        seconds=10.0,
        waits=Waits(median=1.0, p95=2.0, longest=3.0),
        tenants=(),
        processor_seconds=dict.fromkeys(PROGRAMS, processor_seconds),
        memory_mib=100,
        claims=[Claim(says="something", holds=True, seen="it")],
    )


@pytest.mark.parametrize("nodes", [5, 50, 1000, 7])
def test_the_quotas_of_a_rush_are_all_gpus_that_there_are(nodes: int) -> None:
    quotas = Size(nodes=nodes, pods=10 * nodes).quotas()
    assert sum(quotas.values()) == 8 * nodes
    assert quotas["team-e"] == 0
    assert quotas["team-a"] > quotas["team-b"] > quotas["team-c"] > quotas["team-d"]


def test_a_rush_has_the_pods_that_it_says_each_tenants_share_and_more_long_work_than_nodes() -> (
    None
):
    size = Size(nodes=100, pods=1000)
    long, short = size.long_work(), size.short_work()
    assert len(long) == 110
    assert len(long) + len(short) == size.pods
    assert len({(one.tenant, one.name) for one in (*long, *short)}) == size.pods
    found = Counter(one.tenant for one in short)
    for tenant, share in DEMAND.items():
        assert found[tenant] == pytest.approx(len(short) * share / 100, rel=0.1)
        # Otherwise a tenant would never be short of anything.
        assert {one.gpus for one in short if one.tenant == tenant} == {1, 2, 4, 8}


def test_a_cost_that_doubles_with_the_pods_grows_with_exponent_one() -> None:
    rushes = [result(100, 5.0), result(1000, 50.0), result(10_000, 500.0)]
    assert growth(rushes, "kueue") == pytest.approx(1.0)
    assert growth([result(100, 5.0), result(1000, 500.0)], "kueue") == pytest.approx(2.0)


def test_the_queues_are_those_that_the_stack_emits() -> None:
    quotas, tenants = queues.queues_of(queues.stack_of(5, Size(nodes=5, pods=60).quotas()))
    values = quotas["spec"]["source"]["helm"]["valuesObject"]
    assert [one["name"] for one in values["tenants"]] == list(PERCENT)
    assert [one["gpus"] for one in values["tenants"]] == [16, 12, 8, 4, 0]
    assert [one["spec"]["destination"]["namespace"] for one in tenants] == list(PERCENT)


def test_another_tenants_application_is_about_that_tenant_alone() -> None:
    _, tenants = queues.queues_of(queues.stack_of(5, Size(nodes=5, pods=60).quotas()))
    other = queues.with_tenant(tenants[0], "lender")
    assert other["spec"]["destination"]["namespace"] == "lender"
    values = other["spec"]["source"]["helm"]["valuesObject"]
    assert values["name"] == "lender"
    assert values["queue"] == queues.QUEUE
    assert tenants[0]["spec"]["destination"]["namespace"] == "team-a"


@pytest.mark.parametrize(("holds", "code", "word"), [(True, 0, "holds"), (False, 1, "fails")])
def test_a_claim_that_does_not_hold_is_shown_and_ends_with_an_error(
    holds: bool,  # noqa: FBT001 - a row
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    claim = Claim(says="quotas hold", holds=holds, seen="81 of 80")
    outcome = replace(result(100, 5.0), claims=[claim])

    def no_rules(_: Progress) -> list[Claim]:
        return []

    def rush(_size: Size, _progress: Progress) -> RushResult:
        return outcome

    monkeypatch.setattr(scheduling, "_rules", no_rules)
    monkeypatch.setattr(scheduling, "rush", rush)
    assert scheduling.main(["--pods", "100"]) == code
    assert word in capsys.readouterr().out
    assert scheduling.main(["--pods", "100", "--json"]) == code
    told = json.loads(capsys.readouterr().out)
    assert told["rushes"][0]["claims"] == [
        {"says": "quotas hold", "holds": holds, "seen": "81 of 80"}
    ]


def test_what_never_comes_to_its_end_is_a_claim_that_fails_and_the_others_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rules(_: Progress) -> list[Claim]:
        return [Claim(says="a rule", holds=True, seen="it")]

    def rush(size: Size, _progress: Progress) -> RushResult:
        if size.pods > 100:
            raise StalledError("not all Jobs are done after 300 s")
        return result(100, 5.0)

    monkeypatch.setattr(scheduling, "_rules", rules)
    monkeypatch.setattr(scheduling, "rush", rush)
    assert scheduling.main(["--pods", "100", "500", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["stalled"] == [
        {
            "says": "a rush of 500 pods on 50 nodes gets done",
            "holds": False,
            "seen": "not all Jobs are done after 300 s",
        }
    ]
    assert [one["pods"] for one in told["rushes"]] == [100]
    assert scheduling.main(["--pods", "500"]) == 1
    assert "not all Jobs are done" in capsys.readouterr().out


def test_too_few_pods_for_a_rush_are_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        scheduling.main(["--pods", "100", "--nodes", "60"])
    assert "100 pods are too few for a rush on 60 nodes" in capsys.readouterr().err


@pytest.mark.lab
def test_every_rule_holds_and_so_do_quotas_in_a_rush(capsys: pytest.CaptureFixture[str]) -> None:
    for program in PROGRAMS_NEEDED:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH; `make test` builds it")
    code = scheduling.main(["--nodes", str(SIZE.nodes), "--pods", str(SIZE.pods), "--json"])
    told = json.loads(capsys.readouterr().out)
    claims = [*told["rules"], *(claim for one in told["rushes"] for claim in one["claims"])]
    assert [f"{one['says']}: {one['seen']}" for one in claims if not one["holds"]] == []
    assert (len(told["rules"]), len(claims)) == (10, 16)
    assert code == 0
    (rush,) = told["rushes"]
    assert sum(one["jobs"] for one in rush["tenants"]) == SIZE.pods
    assert rush["processor_seconds"]["kueue"] > 0
