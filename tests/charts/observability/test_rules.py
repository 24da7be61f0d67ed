"""Every alert fires when it should and only then; the real promtool says so."""

import copy
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from components.names import ARGO_CD_NAMESPACE
from components.platform import endpoints
from components.platform.apps.namespaces import POD_SECURITY, SERVING
from components.platform.apps.tenants import TENANTS_ENTRY
from tests.charts.observability.cases import CASES, Case
from tests.charts.observability.rules import FILES, alerts, all_groups, groups
from tests.charts.promtool import PromtoolError, check_rule_tests, check_rules
from tests.charts.rendering import only, render
from tests.charts.values import SEVERAL_NODES, TENANTS

Json = dict[str, Any]

RUNBOOKS = Path(__file__).resolve().parents[3] / "docs" / "runbooks.md"
ALERTS = alerts()


def rules_for(alert: str) -> list[Json]:
    """Return the alert and what records for it, without annotations.

    Promtool would compare those word by word; here it is about who fires.
    """
    found = copy.deepcopy(all_groups())
    has_records = "llmp:" in ALERTS[alert]["expr"]
    for group in found:
        group["rules"] = [
            rule
            for rule in group["rules"]
            if rule.get("alert") == alert or ("record" in rule and has_records)
        ]
        for rule in group["rules"]:
            rule.pop("annotations", None)
    return [group for group in found if group["rules"]]


def rule_test(case: Case) -> Json:
    severity = ALERTS[case.alert]["labels"]["severity"]
    return {
        "name": f"{case.alert}: {case.because}",
        "interval": "1m",
        "input_series": [
            {"series": series, "values": values} for series, values in case.series.items()
        ],
        "alert_rule_test": [
            {
                "eval_time": case.at,
                "alertname": case.alert,
                "exp_alerts": [
                    {"exp_labels": {**labels, "severity": severity}} for labels in case.fires
                ],
            }
        ],
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.charts
def test_promtool_takes_every_rule(path: Path) -> None:
    check_rules(groups(path))


@pytest.mark.parametrize("alert", sorted(ALERTS))
@pytest.mark.charts
def test_an_alert_fires_when_it_should_and_only_then(alert: str) -> None:
    tests = [rule_test(case) for case in CASES if case.alert == alert]
    check_rule_tests(rules_for(alert), tests)


@pytest.mark.charts
def test_a_wrong_expectation_is_found() -> None:
    case = next(case for case in CASES if case.fires)
    with pytest.raises(PromtoolError):
        check_rule_tests(
            rules_for(case.alert),
            [rule_test(Case(alert=case.alert, because="", series=case.series, at=case.at))],
        )


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_every_alert_is_shown_to_fire_and_not_to_fire(alert: str) -> None:
    assert {bool(case.fires) for case in CASES if case.alert == alert} == {True, False}


@pytest.mark.charts
def test_a_model_on_several_nodes_has_the_name_that_the_rules_know_it_by() -> None:
    (known,) = (
        re.findall(r'"model_name", "\$1", "statefulset", "(.+)"', rule["expr"])
        for group in all_groups()
        for rule in group["rules"]
        if rule.get("record") == "llmp:model_workload:info"
    )
    objects = render("vllm", SEVERAL_NODES, release=endpoints.vllm_entry("qwen-2"))
    # The operator calls the StatefulSet of the leaders like their group.
    group = only(objects, "LeaderWorkerSet")["metadata"]["name"]
    assert [re.sub(one, r"\1", group) for one in known] == ["qwen-2"]


@pytest.mark.charts
def test_the_job_of_the_tenants_has_the_name_that_its_alert_asks_for() -> None:
    objects = render("llm-gateway", TENANTS, release=TENANTS_ENTRY)
    name = only(objects, "Job")["metadata"]["name"]
    assert f'job_name="{name}"' in ALERTS["TenantsNotBroughtUpToDate"]["expr"]


def watched(alert: str) -> set[str]:
    """Return the namespaces that an alert selects by name."""
    found = re.findall(r'namespace=~?"([^"]+)"', ALERTS[alert]["expr"])
    return {name for one in found for name in one.split("|")}


def test_somebody_is_told_when_a_system_of_any_namespace_is_gone() -> None:
    down = [name for name in ALERTS if name.endswith(("Down", "Sealed"))]
    told = set[str]().union(*(watched(name) for name in down))
    # An engine that is gone is told by its model, whatever its namespace.
    assert told | {SERVING} == {*POD_SECURITY, ARGO_CD_NAMESPACE}


def test_no_alert_has_the_name_of_another() -> None:
    names = Counter(
        rule["alert"] for group in all_groups() for rule in group["rules"] if "alert" in rule
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_no_group_has_the_name_of_another() -> None:
    names = Counter(group["name"] for group in all_groups())
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_an_alert_says_how_bad_it_is_and_what_it_means(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert "$labels" in rule["annotations"]["summary"] or alert in {"LiteLlmDown", "ArgoCdDown"}


def test_every_alert_has_a_runbook_and_no_runbook_is_left_over() -> None:
    headings = re.findall(r"^### (\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert Counter(headings) == Counter(list(ALERTS))


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_a_runbook_says_what_to_look_at_and_what_to_do(alert: str) -> None:
    text = RUNBOOKS.read_text()
    section = re.split(r"^##", text.split(f"### {alert}\n", 1)[1], flags=re.MULTILINE)[0]
    assert "**Look**" in section
    assert "**Do**" in section
