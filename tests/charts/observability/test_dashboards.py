"""Dashboards ask for what there is, in queries that parse, and stand where they should."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from components.platform.config import Features
from tests.charts.observability import metrics
from tests.charts.observability.rules import CHART, FILES, all_groups, records
from tests.charts.promtool import check_expressions, metric_names, without_variables
from tests.platform.samples import entries, inputs, model, values
from tests.samples import contract
from tools import dashboards

Json = dict[str, Any]

NAMES = sorted(path.stem for path in (CHART / "dashboards").glob("*.json"))
COLUMNS = {
    "LiteLLM_SpendLogs": {
        "api_key",
        "completion_tokens",
        "model",
        "model_group",
        "prompt_tokens",
        "spend",
        "startTime",
        "team_id",
        "total_tokens",
    },
    "LiteLLM_TeamTable": {
        "budget_duration",
        "budget_reset_at",
        "max_budget",
        "spend",
        "team_alias",
        "team_id",
    },
    "LiteLLM_VerificationToken": {
        "expires",
        "key_alias",
        "key_name",
        "last_active",
        "max_budget",
        "spend",
        "team_id",
        "token",
    },
}
"""Columns that we read, of the tables in the schema.prisma of LiteLLM 1.89.2."""


def catalogue_values(entry: str) -> Json:
    """Return the values of an entry in a stack that has every system with a rule."""
    stack = inputs(
        tier="prod",
        contract=contract(k3s_version="v1.33.12+k3s1"),
        features=Features(**dict.fromkeys(Features.model_fields, True)),
        models=(model(autostart=True), model("vectors", engine="text_embeddings_inference")),
    )
    return values(entries(stack)[entry])


def dashboard(name: str) -> Json:
    found: Json = json.loads((CHART / "dashboards" / f"{name}.json").read_text())
    return found


def panels(name: str) -> list[Json]:
    return [panel for panel in dashboard(name)["panels"] if panel["type"] != "row"]


def targets(name: str) -> Iterator[Json]:
    for panel in panels(name):
        yield from panel["targets"]


def expressions(name: str) -> list[str]:
    return [without_variables(one["expr"]) for one in targets(name) if "expr" in one]


def rule_expressions() -> list[str]:
    return [rule["expr"] for group in all_groups() for rule in group["rules"]]


def test_every_dashboard_is_one_of_the_generator() -> None:
    assert [f"{name}.json" for name in NAMES] == sorted(dashboards.files())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.charts
def test_every_query_of_a_dashboard_parses(name: str) -> None:
    found = expressions(name)
    if found:
        check_expressions(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_reads_only_metrics_that_exist(name: str) -> None:
    read = set[str]().union(*(metric_names(one) for one in expressions(name)))
    assert read - metrics.READABLE - records() == set()


def test_rules_read_only_metrics_that_exist() -> None:
    read = set[str]().union(*(metric_names(one) for one in rule_expressions()))
    assert read - metrics.READABLE - records() == set()


def test_no_metric_is_listed_that_nobody_reads() -> None:
    queries = [*rule_expressions(), *(one for name in NAMES for one in expressions(name))]
    assert metrics.READABLE - set[str]().union(*(metric_names(one) for one in queries)) == set()


def test_nothing_is_thrown_away_that_somebody_reads() -> None:
    values = catalogue_values("kube-prometheus-stack")
    (scrape_class,) = values["prometheus"]["prometheusSpec"]["scrapeClasses"]
    (drop,) = scrape_class["metricRelabelings"]
    dropped = [drop["regex"]]
    dropped += [
        one["dropped"]
        for one in catalogue_values("observability")["monitors"]
        if one.get("dropped") is not None
    ]
    for regex in dropped:
        assert [name for name in metrics.READABLE if re.fullmatch(regex, name)] == []
    assert scrape_class["default"] is True
    assert re.fullmatch(drop["regex"], "vllm:num_preemptions_created")
    assert not re.fullmatch(drop["regex"], "kube_pod_created")


def test_names_of_the_former_engine_are_no_metrics() -> None:
    assert set() == metrics.READABLE & metrics.UNREADABLE


@pytest.mark.parametrize("name", NAMES)
def test_variables_choose_from_labels_of_metrics_that_exist(name: str) -> None:
    for variable in dashboard(name)["templating"]["list"]:
        found = re.fullmatch(r"label_values\(([\w:]+), (\w+)\)", variable["definition"])
        assert found is not None
        assert found.group(1) in metrics.READABLE | records()


def test_a_canary_is_told_from_the_model_that_it_shares_a_name_with() -> None:
    (service,) = (
        one for one in dashboard("serving")["templating"]["list"] if one["name"] == "service"
    )
    # Engines of which pods are read have no Service, and must not vanish with all of them chosen.
    assert re.fullmatch(service["allValue"], "") is not None
    engines = [one["expr"] for one in targets("serving") if "vllm:" in one["expr"]]
    assert engines
    for expr in engines:
        assert expr.count('service=~"$service"') == expr.count("vllm:")
        grouped = re.findall(r"(?:sum|avg) by \(([^)]+)\)", expr)
        assert all({"model_name", "service"} <= set(one.split(", ")) for one in grouped)


@pytest.mark.parametrize("name", NAMES)
def test_sql_reads_columns_that_exist(name: str) -> None:
    for one in targets(name):
        if "rawSql" not in one:
            continue
        sql = re.sub(r"'[^']*'", "", one["rawSql"])
        tables = set(re.findall(r'"(LiteLLM_\w+)"', sql))
        assert tables
        assert tables <= set(COLUMNS)
        known = set[str]().union(*(COLUMNS[table] for table in tables))
        for alias, column in re.findall(r'\b([a-z])\."?(\w+)"?', sql):
            table = re.search(rf'"(LiteLLM_\w+)" {alias}\b', sql)
            assert table is not None
            assert column in COLUMNS[table.group(1)]
        if len(tables) == 1:
            assert set(re.findall(r"\b[a-z]+_[a-z_]+\b", sql)) <= known


@pytest.mark.parametrize("name", NAMES)
def test_no_dashboard_asks_for_what_was_said(name: str) -> None:
    text = (CHART / "dashboards" / f"{name}.json").read_text()
    assert not re.search(r"\b(messages|response|proxy_server_request|end_user)\b", text)


@pytest.mark.parametrize("name", NAMES)
def test_panels_stand_beside_each_other_and_not_on_top(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(name)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not taken & cells
        taken |= cells


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_its_own_number_and_a_title(name: str) -> None:
    all_of_them = dashboard(name)["panels"]
    assert len({panel["id"] for panel in all_of_them}) == len(all_of_them)
    assert all(panel["title"] for panel in all_of_them)


def test_no_dashboard_takes_the_place_of_another() -> None:
    uids = [dashboard(name)["uid"] for name in NAMES]
    titles = [dashboard(name)["title"] for name in NAMES]
    assert len(set(uids)) == len(set(titles)) == len(NAMES)
    # Grafana takes no longer ones.
    assert all(len(uid) <= 40 for uid in uids)


def test_every_dashboard_and_every_rule_file_belongs_to_a_system() -> None:
    values = catalogue_values("observability")
    assert set(values["dashboards"]) == set(NAMES)
    assert set(values["rules"]) == {path.stem for path in FILES}
