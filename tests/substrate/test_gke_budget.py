"""The budget: what it counts, when it warns and whom."""

import dataclasses
import json
from typing import Any

import pytest

from components.substrate.gke_topology import GkeBudget
from stacks.config.gke import GkeConfig
from tests.conftest import Run
from tests.harness import Recorder, deploy
from tests.substrate.gke_samples import BUDGET, TOPOLOGY, substrate, topology

TYPE = "gcp:billing/budget:Budget"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
SERVICE = "gcp:projects/service:Service"
WRITTEN: dict[str, Any] = {"billing_account": "012345-6789AB-CDEF01", "monthly": 1000}


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate whose budget is changed, as an up would."""
    budget = dataclasses.replace(BUDGET, **changes)
    return deploy(lambda: _drop(substrate(topology=topology(budget=budget))))


def written(budget: dict[str, object] | None) -> GkeBudget | None:
    """Return the budget of a `gke` section that writes one so."""
    section = {
        "project": "my-project",
        "region": "us-central1",
        "zone": "us-central1-a",
        "budget": budget,
    }
    config = GkeConfig.model_validate_json(json.dumps(section))
    return config.topology(tier="cost", database=False, compute_class=False).budget


def test_a_month_is_measured_in_the_currency_of_the_account(run: Run) -> None:
    recorder = run(lambda: _drop(substrate(topology=topology(budget=BUDGET))))
    budget = recorder.one(TYPE).inputs
    assert budget["billingAccount"] == "012345-6789AB-CDEF01"
    assert budget["amount"] == {"specifiedAmount": {"units": "1000"}}
    assert budget["budgetFilter"]["calendarPeriod"] == "MONTH"


def test_only_what_carries_the_label_of_this_cluster_counts() -> None:
    recorder = build()
    counted = recorder.one(TYPE).inputs["budgetFilter"]
    assert counted["labels"] == {"llmp-cluster-id": "my-project-llmp"}
    assert "projects" not in counted
    cluster = recorder.one("gcp:container/cluster:Cluster").inputs
    pools = recorder.all("gcp:container/nodePool:NodePool")
    for labels in (
        cluster["resourceLabels"],
        *(each.inputs["nodeConfig"]["resourceLabels"] for each in pools),
    ):
        assert counted["labels"].items() <= labels.items()


def test_a_cluster_of_the_same_name_in_another_project_has_another_label() -> None:
    other = topology(project="other-project")
    assert other.cost_label != TOPOLOGY.cost_label
    longest = topology(project="p" * 30, cluster_name="c" * 40)
    assert len(longest.cost_label[1]) <= 63


def test_it_warns_of_what_is_spent_and_of_what_is_going_to_be() -> None:
    rules = build().one(TYPE).inputs["thresholdRules"]
    assert rules == [
        {"thresholdPercent": 0.5, "spendBasis": "CURRENT_SPEND"},
        {"thresholdPercent": 1, "spendBasis": "CURRENT_SPEND"},
        {"thresholdPercent": 1, "spendBasis": "FORECASTED_SPEND"},
    ]


def test_each_address_is_a_channel_beside_the_account_s_own_people() -> None:
    recorder = build(emails=("a@example.com", "b@example.com"))
    channels = recorder.all(CHANNEL)
    assert {each.inputs["labels"]["email_address"] for each in channels} == {
        "a@example.com",
        "b@example.com",
    }
    assert {each.inputs["type"] for each in channels} == {"email"}
    rule = recorder.one(TYPE).inputs["allUpdatesRule"]
    assert len(rule["monitoringNotificationChannels"]) == 2
    assert rule["disableDefaultIamRecipients"] is False


def test_without_addresses_google_warns_the_account_s_own_people_alone() -> None:
    recorder = build(emails=())
    assert not recorder.all(CHANNEL)
    assert "allUpdatesRule" not in recorder.one(TYPE).inputs


def test_the_call_counts_towards_the_project_and_no_other_resource_s_call_does() -> None:
    recorder = build()
    provider = recorder.one("pulumi:providers:gcp", "substrate-budget-quota-project")
    assert provider.inputs["billingProject"] == "my-project"
    assert provider.inputs["userProjectOverride"] == "true"
    users = [each for each in recorder.registrations if each.provider == provider.name]
    assert [each.type for each in users] == [TYPE]


def test_its_api_is_on_before_and_only_where_there_is_a_budget() -> None:
    name = "billingbudgets.googleapis.com"
    recorder = build()
    (api,) = [each for each in recorder.all(SERVICE) if each.inputs["service"] == name]
    assert api.urn in recorder.one("llmp:substrate:GkeBudgetAlerts").depends_on
    without = deploy(lambda: _drop(substrate()))
    assert name not in {each.inputs["service"] for each in without.all(SERVICE)}
    assert not without.all(TYPE)


# Config


def test_half_nearly_all_and_all_are_warned_of_where_nothing_else_is_said() -> None:
    budget = written(WRITTEN)
    assert budget is not None
    assert budget.thresholds == (0.5, 0.9, 1.0)
    assert budget.forecast_thresholds == (1.0,)
    assert budget.emails == ()


def test_nobody_is_warned_without_a_budget() -> None:
    assert written(None) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"billing_account": "012345"}, "pattern"),
        ({"monthly": 0}, "greater than or equal to 1"),
        ({"thresholds": []}, "at least 1 item"),
        ({"thresholds": [0]}, "0 is no share of the budget; write one above 0"),
        ({"thresholds": [50, 90]}, "50 is no share of the budget; write one above 0 and up to 10"),
        ({"thresholds": [1.0, 0.5]}, r"out of order, or one is there twice; write \[0.5, 1\]"),
        ({"forecast_thresholds": [1.0, 1.0]}, r"one is there twice; write \[1\]"),
        ({"emails": ["nobody"]}, "pattern"),
        ({"emails": [f"{one}@example.com" for one in "abcdef"]}, "at most 5 items"),
        ({"emails": ["a@example.com", "A@example.com"]}, "a@example.com is listed twice"),
    ],
)
def test_a_bad_budget_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        written({**WRITTEN, **changes})


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
