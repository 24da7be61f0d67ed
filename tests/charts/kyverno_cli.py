"""Runs the real kyverno CLI: which rules of which policies do objects pass?"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

Json = dict[str, Any]

REPORT: Final = '{"kind":"ClusterReport"'
HARMLESS: Final[Json] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "harmless", "namespace": "default"},
}


class KyvernoError(Exception):
    """Kyverno refused a policy or could not apply it; the text is what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleResult:
    """What one rule says of one object.

    Attributes:
        policy: Name of the policy.
        rule: Name of the rule; empty for the policies of `policies.kyverno.io`, which have none.
            A rule for Pods that was applied to what makes Pods starts with `autogen-`.
        kind: Kind of the object.
        namespace: Its namespace; empty when it is in none.
        name: Its name.
        result: `pass`, `fail`, `warn`, `error` or `skip`.
        message: What the rule says.
    """

    policy: str
    rule: str
    kind: str
    namespace: str
    name: str
    result: str
    message: str


def apply(
    policies: Sequence[Json],
    resources: Sequence[Json],
    *,
    exceptions: Sequence[Json] = (),
    values: Mapping[str, Any] | None = None,
) -> list[RuleResult]:
    """Apply policies to objects, as admission would.

    An object that no rule matches is in no result: a test that expects a pass asks for it.

    Args:
        policies: ClusterPolicies, Policies, or policies of `policies.kyverno.io`.
        resources: The objects.
        exceptions: PolicyExceptions.
        values: A file of the CLI's own kind `Values`: labels of namespaces for a
            `namespaceSelector`, variables.

    Raises:
        KyvernoError: a policy is refused, or can't be applied.
    """
    for policy in policies:
        ensure_loads(json.dumps(policy))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = [_file(folder / "policies.yaml", policies)]
        arguments += ["--resource", _file(folder / "resources.yaml", resources)]
        if exceptions:
            arguments += ["--exception", _file(folder / "exceptions.yaml", exceptions)]
        if values is not None:
            arguments += ["--values-file", _file(folder / "values.yaml", [dict(values)])]
        done = _kyverno("apply", *arguments, "--policy-report", "--output-format", "json")
    # Exit code 1 stands for a failed rule too. What was mutated is printed before the report.
    _, found, report = done.stdout.partition(REPORT)
    if not found:
        if done.returncode != 0:
            raise KyvernoError(done.stdout + done.stderr)
        return []
    return [
        RuleResult(
            policy=one["policy"],
            rule=one.get("rule", ""),
            kind=resource["kind"],
            namespace=resource.get("namespace", ""),
            name=resource["name"],
            result=one["result"],
            message=one.get("message", ""),
        )
        for one in json.loads(REPORT + report)["results"]
        for resource in one["resources"]
    ]


def mutate(policies: Sequence[Json], resource: Json, *, values: Mapping[str, Any]) -> Json:
    """Return an object as it is after admission, changed by policies or not.

    Args:
        policies: MutatingPolicies.
        resource: The object.
        values: As for `apply`.

    Raises:
        KyvernoError: a policy is refused, or can't be applied.
    """
    for policy in policies:
        ensure_loads(json.dumps(policy))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        changed = folder / "changed.yaml"
        changed.touch()
        done = _kyverno(
            *("apply", _file(folder / "policies.yaml", policies)),
            *("--resource", _file(folder / "resource.yaml", [resource])),
            *("--values-file", _file(folder / "values.yaml", [dict(values)])),
            *("--output", str(changed)),
        )
        if done.returncode != 0:
            raise KyvernoError(done.stdout + done.stderr)
        documents = [one for one in yaml.safe_load_all(changed.read_text("utf-8")) if one]
    # Nothing is written of what no policy matches.
    return documents[-1] if documents else resource


def of_result(results: Sequence[RuleResult], result: str) -> set[tuple[str, str, str]]:
    """Return policy, rule and name of the object of all results of a kind, `fail` for example."""
    return {(one.policy, one.rule, one.name) for one in results if one.result == result}


@cache
def ensure_loads(policy: str) -> None:
    """Refuse a policy that the CLI would leave out without a word.

    Args:
        policy: The policy as JSON.

    Raises:
        KyvernoError: it has an unknown field, a wrong type, or no rule.
    """
    content = json.loads(policy)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = _kyverno(
            *("apply", _file(folder / "policy.yaml", [content])),
            *("--resource", _file(folder / "resource.yaml", [HARMLESS])),
        )
    counted = re.search(r"Applying (\d+) policy rule", done.stdout)
    if counted is None or counted[1] == "0":
        raise KyvernoError(
            f"{content['kind']} {content['metadata']['name']} is not one that Kyverno can read:"
            f" {done.stdout}{done.stderr}"
        )


def _file(path: Path, documents: Sequence[Json]) -> str:
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return str(path)


def _kyverno(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("kyverno")
    if program is None:
        pytest.skip("kyverno is not on PATH; `make test` builds it")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
