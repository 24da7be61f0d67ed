"""What charts/observability makes for the operator and for Grafana."""

import json
from typing import Any

import pytest

from components.platform.values.observability import ObservabilityValues
from tests.charts.observability.rules import FILES, groups
from tests.charts.observability.samples import OBSERVABILITY
from tests.charts.promtool import check_rules
from tests.charts.rendering import HelmError, Json, of_kind, only, render, render_values
from tools import dashboards

pytestmark = pytest.mark.charts

ALL_RULES = ObservabilityValues(
    rules=tuple(path.stem for path in FILES), runbooks=OBSERVABILITY.runbooks
)


def objectives() -> list[Json]:
    found = only(render("observability", OBSERVABILITY), "PrometheusRule", "llmp-objectives")
    rules: list[Json] = found["spec"]["groups"][0]["rules"]
    return rules


def receiver(name: str) -> Json:
    spec: Json = only(render("observability", OBSERVABILITY), "AlertmanagerConfig", name)["spec"]
    return spec


def severities(spec: Json) -> str:
    (found,) = [one["value"] for one in spec["route"]["matchers"] if one["name"] == "severity"]
    return str(found)


def without_runbooks(found: list[Json]) -> list[Json]:
    for group in found:
        for rule in group["rules"]:
            rule.get("annotations", {}).pop("runbook_url", None)
    return found


def test_nothing_is_made_where_nothing_is_wanted() -> None:
    assert render("observability", ObservabilityValues()) == []


def test_rules_arrive_as_they_are_in_their_files() -> None:
    objects = render("observability", ALL_RULES)
    for path in FILES:
        made = only(objects, "PrometheusRule", f"llmp-{path.stem}")["spec"]["groups"]
        assert without_runbooks(made) == groups(path)


def test_every_alert_leads_to_its_runbook() -> None:
    for one in of_kind(render("observability", ALL_RULES), "PrometheusRule"):
        for group in one["spec"]["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    anchor = rule["alert"].lower()
                    url = rule["annotations"]["runbook_url"]
                    assert url == f"{OBSERVABILITY.runbooks}#{anchor}"


def test_an_alert_leads_nowhere_rather_than_to_nothing() -> None:
    (made,) = render("observability", ObservabilityValues(rules=("argo-cd",)))
    rules = made["spec"]["groups"][0]["rules"]
    assert all("runbook_url" not in rule["annotations"] for rule in rules)


def test_objectives_become_series_that_promtool_takes() -> None:
    check_rules([{"name": "objectives", "rules": objectives()}])


def test_an_objective_picks_its_bucket_by_the_label_that_buckets_have() -> None:
    (bucket,) = [one for one in objectives() if one["record"] == "llmp:slo_threshold:bucket"]
    assert bucket["labels"] == {"model_name": "qwen", "slo": "ttft", "le": "2.5"}
    (seconds,) = [one for one in objectives() if one["record"] == "llmp:slo_threshold:seconds"]
    assert seconds["expr"] == "vector(2.5)"


def test_every_objective_has_a_target() -> None:
    targets = {
        one["labels"]["slo"]: one["expr"]
        for one in objectives()
        if one["record"] == "llmp:slo_target:ratio"
    }
    assert targets == {
        "ttft": "vector(0.95)",
        "saturation": "vector(0.95)",
        "availability": "vector(0.99)",
    }


def test_a_dashboard_is_one_that_grafana_looks_for() -> None:
    made = only(render("observability", OBSERVABILITY), "ConfigMap", "dashboard-serving")
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(made["data"]["serving.json"]) == json.loads(
        dashboards.files()["serving.json"]
    )


@pytest.mark.parametrize("values", [{"dashboards": ["missing"]}, {"rules": ["missing"]}])
def test_a_name_without_a_file_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(HelmError, match="there is no"):
        render_values("observability", values)


def test_a_receiver_reads_its_own_secret_and_names_no_value() -> None:
    objects = of_kind(render("observability", OBSERVABILITY), "AlertmanagerConfig")
    assert {one["metadata"]["name"] for one in objects} == {
        "chat",
        "on-call",
        "mail",
        "dead-mans-switch",
    }
    for one in objects:
        name = one["metadata"]["name"]
        assert f'"name": "alerting-{name}"' in json.dumps(one["spec"]["receivers"])


@pytest.mark.parametrize(
    ("name", "told_of"),
    [("on-call", "critical"), ("chat", "critical|warning"), ("mail", "critical|warning|info")],
)
def test_a_receiver_is_told_from_its_least_severity_on(name: str, told_of: str) -> None:
    assert severities(receiver(name)) == told_of


def test_no_receiver_is_told_of_what_only_holds_others_back() -> None:
    for name in ("on-call", "chat", "mail"):
        matchers = receiver(name)["route"]["matchers"]
        assert {"name": "alertname", "matchType": "!=", "value": "InfoInhibitor"} in matchers


def test_the_dead_mans_switch_is_called_again_and_again() -> None:
    route = receiver("dead-mans-switch")["route"]
    assert route["repeatInterval"] == "5m"
    assert route["matchers"] == [{"name": "alertname", "matchType": "=", "value": "Watchdog"}]
    (hook,) = receiver("dead-mans-switch")["receivers"][0]["webhookConfigs"]
    assert hook["sendResolved"] is False


def test_alerts_are_told_together_by_model_and_team() -> None:
    assert receiver("chat")["route"]["groupBy"] == ["alertname", "namespace", "model_name", "team"]


def test_a_series_keeps_the_namespace_of_what_it_is_about() -> None:
    objects = render("observability", OBSERVABILITY)
    for one in of_kind(objects, "PodMonitor"):
        assert all(end["honorLabels"] for end in one["spec"]["podMetricsEndpoints"])


def test_prometheus_own_token_goes_over_tls_only() -> None:
    (endpoint,) = only(render("observability", OBSERVABILITY), "ServiceMonitor")["spec"][
        "endpoints"
    ]
    assert endpoint["scheme"] == "https"
    assert endpoint["bearerTokenFile"].startswith("/var/run/secrets/kubernetes.io/")


def test_a_system_that_asks_for_a_key_is_shown_one_of_a_secret() -> None:
    monitor = only(render("observability", OBSERVABILITY), "PodMonitor", "with-a-key")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "system-metrics", "key": "key"}


def test_what_nobody_reads_is_not_kept() -> None:
    monitor = only(render("observability", OBSERVABILITY), "PodMonitor", "pods")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["metricRelabelings"] == [
        {"sourceLabels": ["__name__"], "regex": ".+_bucket", "action": "drop"}
    ]
