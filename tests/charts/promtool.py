"""Runs the real promtool over rules, over unit tests of rules, and over single expressions."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

Json = dict[str, Any]

KEYWORDS: Final = frozenset(
    {"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", "start", "end"}
)
GRAFANA_DURATIONS: Final = re.compile(r"\$\{?__(?:rate_interval|interval|range)\}?")
GRAFANA_VARIABLE: Final = re.compile(r"\$\{[^}]+\}|\$\w+")


class PromtoolError(Exception):
    """Promtool refused, or a unit test failed; the text is what it said."""


def promtool(*arguments: str, given: str | None = None) -> str:
    """Return what promtool prints.

    Raises:
        PromtoolError: it ended with an error.
    """
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not on PATH; `make test` builds it")
    done = subprocess.run(
        [program, *arguments], input=given, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PromtoolError(done.stdout + done.stderr)
    return done.stdout


def check_rules(groups: Sequence[Json]) -> None:
    """Have the groups of a PrometheusRule checked: syntax, expressions, templates, duplicates.

    Args:
        groups: `spec.groups` of a PrometheusRule.

    Raises:
        PromtoolError: a rule is refused.
    """
    promtool("check", "rules", "--lint=all", "--lint-fatal", given=json.dumps({"groups": groups}))


def check_rule_tests(
    groups: Sequence[Json], tests: Sequence[Json], *, evaluation_interval: str = "1m"
) -> None:
    """Run unit tests of rules.

    Args:
        groups: `spec.groups` of one or more PrometheusRules.
        tests: Entries of `tests` as in a promtool test file: `interval`, `input_series`,
            `alert_rule_test`, `promql_expr_test`.
        evaluation_interval: How often the rules are evaluated.

    Raises:
        PromtoolError: an alert fires that should not, does not fire, or has other labels or
            annotations than expected.
    """
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.json"
        rules.write_text(json.dumps({"groups": groups}), encoding="utf-8")
        suite = Path(folder) / "tests.json"
        suite.write_text(
            json.dumps(
                {
                    "rule_files": [str(rules)],
                    "evaluation_interval": evaluation_interval,
                    "tests": tests,
                }
            ),
            encoding="utf-8",
        )
        promtool("test", "rules", str(suite))


def check_expressions(expressions: Iterable[str]) -> None:
    """Have expressions parsed, all by one process.

    Args:
        expressions: PromQL, without variables of Grafana: see `without_variables`.

    Raises:
        PromtoolError: some do not parse; the text quotes each of them and says why.
    """
    rules = [
        {"record": f"expression:{index}", "expr": expression}
        for index, expression in enumerate(dict.fromkeys(expressions))
    ]
    try:
        promtool("check", "rules", given=json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    except PromtoolError as error:
        # Promtool names a rule by its record alone.
        quoted = [
            f"{rule['record']} is {rule['expr']}" for rule in rules if rule["record"] in str(error)
        ]
        raise PromtoolError("\n".join([str(error), *quoted])) from None


def without_variables(expression: str) -> str:
    """Return a query of a dashboard with its variables filled in, so that it can be parsed."""
    return GRAFANA_VARIABLE.sub("value", GRAFANA_DURATIONS.sub("5m", expression))


def metric_names(expression: str) -> set[str]:
    """Return the names of the metrics that an expression reads, without those given by `__name__`.

    Args:
        expression: PromQL that parses, without variables of Grafana.
    """
    text = re.sub(r"#.*", "", re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', "", expression))
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", text)
    text = re.sub(
        r"\b(?:by|without|on|ignoring|group_left|group_right)\b(?:\s*\([^)]*\))?",
        " ",
        text,
        flags=re.IGNORECASE,
    )
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", text)
    return {name for name in names if name.lower() not in KEYWORDS}
