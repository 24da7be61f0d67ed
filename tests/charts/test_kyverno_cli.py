"""What the other tests rely on in the kyverno CLI: it tells passes from failures, rule by rule."""

import copy
from typing import Any

import pytest

from tests.charts import kyverno_cli
from tests.charts.kyverno_cli import KyvernoError

pytestmark = pytest.mark.charts

BY_RULES: dict[str, Any] = {
    "apiVersion": "kyverno.io/v1",
    "kind": "ClusterPolicy",
    "metadata": {"name": "labels"},
    "spec": {
        "rules": [
            {
                "name": "team",
                "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "validate": {
                    "failureAction": "Enforce",
                    "message": "a team is needed",
                    "pattern": {"metadata": {"labels": {"team": "?*"}}},
                },
            },
            {
                "name": "model",
                "match": {
                    "any": [
                        {
                            "resources": {
                                "kinds": ["Pod"],
                                "namespaceSelector": {"matchLabels": {"serving": "true"}},
                            }
                        }
                    ]
                },
                "validate": {
                    "failureAction": "Enforce",
                    "message": "a model is needed",
                    "pattern": {"metadata": {"labels": {"model": "?*"}}},
                },
            },
        ]
    },
}
BY_EXPRESSIONS: dict[str, Any] = {
    "apiVersion": "policies.kyverno.io/v1",
    "kind": "ValidatingPolicy",
    "metadata": {"name": "team-label"},
    "spec": {
        "validationActions": ["Deny"],
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }
            ]
        },
        "validations": [
            {
                "expression": "'team' in object.metadata.?labels.orValue({})",
                "message": "a team is needed",
            }
        ],
    },
}
EXCEPTION: dict[str, Any] = {
    "apiVersion": "kyverno.io/v2",
    "kind": "PolicyException",
    "metadata": {"name": "exception", "namespace": "kyverno"},
    "spec": {
        "exceptions": [{"policyName": "labels", "ruleNames": ["team", "autogen-team"]}],
        "match": {"any": [{"resources": {"kinds": ["Pod"], "names": ["bad"]}}]},
    },
}
SERVING: dict[str, Any] = {
    "apiVersion": "cli.kyverno.io/v1alpha1",
    "kind": "Values",
    "metadata": {"name": "values"},
    "namespaceSelector": [{"name": "default", "labels": {"serving": "true"}}],
}


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "image:v1"}]},
    }


GOOD, BAD = pod("good", team="a"), pod("bad")


@pytest.mark.parametrize(
    ("policy", "rule"), [(BY_RULES, "team"), (BY_EXPRESSIONS, "")], ids=["rules", "expressions"]
)
def test_each_object_gets_what_each_rule_says_of_it(policy: dict[str, Any], rule: str) -> None:
    results = kyverno_cli.apply([policy], [GOOD, BAD])
    name = policy["metadata"]["name"]
    assert kyverno_cli.of_result(results, "pass") == {(name, rule, "good")}
    assert kyverno_cli.of_result(results, "fail") == {(name, rule, "bad")}
    assert ["a team is needed" in one.message for one in results if one.result == "fail"] == [True]


def test_several_policies_are_applied_at_once() -> None:
    results = kyverno_cli.apply([BY_RULES, BY_EXPRESSIONS], [BAD])
    assert kyverno_cli.of_result(results, "fail") == {
        ("labels", "team", "bad"),
        ("team-label", "", "bad"),
    }


def test_what_no_rule_matches_is_in_no_result() -> None:
    assert kyverno_cli.apply([BY_RULES], [kyverno_cli.HARMLESS]) == []


def test_an_exception_is_taken_into_account() -> None:
    results = kyverno_cli.apply([BY_RULES], [BAD], exceptions=[EXCEPTION])
    assert kyverno_cli.of_result(results, "skip") == {("labels", "team", "bad")}


def test_the_labels_of_a_namespace_can_be_given() -> None:
    results = kyverno_cli.apply([BY_RULES], [GOOD], values=SERVING)
    assert kyverno_cli.of_result(results, "fail") == {("labels", "model", "good")}


def test_a_policy_that_the_program_would_leave_out_is_refused() -> None:
    changed = copy.deepcopy(BY_RULES)
    changed["spec"]["rules"][0]["validate"]["patern"] = {}
    with pytest.raises(KyvernoError, match="ClusterPolicy labels"):
        kyverno_cli.apply([changed], [GOOD])


def test_an_expression_that_does_not_compile_is_refused() -> None:
    changed = copy.deepcopy(BY_EXPRESSIONS)
    changed["spec"]["validations"][0]["expression"] = "'team' im object"
    with pytest.raises(KyvernoError, match="Syntax error"):
        kyverno_cli.apply([changed], [GOOD])
