"""What the other tests rely on in promtool: it refuses what is wrong, and says what."""

from typing import Any

import pytest

from tests.charts import promtool
from tests.charts.promtool import PromtoolError

SLOW = {
    "name": "slow",
    "rules": [
        {"record": "job:up:sum", "expr": "sum by (job) (up)"},
        {
            "alert": "Down",
            "expr": "job:up:sum == 0",
            "for": "5m",
            "labels": {"severity": "page"},
            "annotations": {"summary": "{{ $labels.job }} is down"},
        },
    ],
}


def down_test(*, fires: bool) -> dict[str, Any]:
    alert = {
        "exp_labels": {"job": "api", "severity": "page"},
        "exp_annotations": {"summary": "api is down"},
    }
    return {
        "interval": "1m",
        "input_series": [{"series": 'up{job="api"}', "values": "0x10"}],
        "alert_rule_test": [
            {"eval_time": "6m", "alertname": "Down", "exp_alerts": [alert] if fires else []}
        ],
    }


@pytest.mark.charts
def test_rules_that_are_right_pass() -> None:
    promtool.check_rules([SLOW])


@pytest.mark.charts
@pytest.mark.parametrize(
    "rule",
    [
        {"record": "a", "expr": "sum by (job) (up"},
        {"alert": "A", "expr": "rate(up)"},
        {"alert": "A", "expr": "up", "for": "five minutes"},
        {"alert": "A", "expr": "up", "annotations": {"summary": "{{ $labels.job "}},
        {"alert": "A", "expr": "up", "severity": "page"},
    ],
    ids=["syntax", "types", "duration", "template", "field"],
)
def test_a_rule_that_is_wrong_is_refused(rule: dict[str, str]) -> None:
    with pytest.raises(PromtoolError):
        promtool.check_rules([{"name": "wrong", "rules": [rule]}])


@pytest.mark.charts
def test_two_equal_rules_are_refused() -> None:
    rule = {"record": "a", "expr": "up"}
    with pytest.raises(PromtoolError, match="duplicate"):
        promtool.check_rules([{"name": "twice", "rules": [rule, rule]}])


@pytest.mark.charts
def test_an_alert_that_fires_as_expected_passes() -> None:
    promtool.check_rule_tests([SLOW], [down_test(fires=True)])


@pytest.mark.charts
def test_an_alert_that_fires_unexpectedly_fails() -> None:
    with pytest.raises(PromtoolError, match="Down"):
        promtool.check_rule_tests([SLOW], [down_test(fires=False)])


@pytest.mark.charts
def test_expressions_that_parse_pass_and_the_others_are_quoted() -> None:
    promtool.check_expressions(["up", "up", "histogram_quantile(0.9, sum by (le) (rate(a[5m])))"])
    with pytest.raises(PromtoolError, match=r"expression:1 is rate\(up\)") as caught:
        promtool.check_expressions(["up", "rate(up)"])
    assert "expression:0 is" not in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        ("rate(a[$__rate_interval])", "rate(a[5m])"),
        ("increase(a[${__range}])", "increase(a[5m])"),
        ('a{model=~"$model",x="${y:regex}"}', 'a{model=~"value",x="value"}'),
    ],
)
def test_the_variables_of_a_dashboard_are_filled_in(expression: str, plain: str) -> None:
    assert promtool.without_variables(expression) == plain


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("up", {"up"}),
        ("sum by (le, model) (rate(vllm:e2e_bucket{model='a b'}[5m:1m]))", {"vllm:e2e_bucket"}),
        ('a{x="} b{"} / on (job) group_left (team) b offset 5m > bool 3e2', {"a", "b"}),
        ("sum(a) by (job) or vector(0) # c", {"a"}),
        ("(a unless on() b) * 100 and time() - d @ start() > -Inf", {"a", "b", "d"}),
        ("count_over_time(a:b:c [1h]) group_left c", {"a:b:c", "c"}),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, names: set[str]) -> None:
    assert promtool.metric_names(expression) == names
