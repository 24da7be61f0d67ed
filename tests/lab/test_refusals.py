"""What a stack refuses is refused by the real programs; a claim that does not hold is told."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from lab import refusals
from lab.client import Answer, Client
from lab.processes import LabError
from lab.refusals import DEFAULT_STACK, Verdict, changed, judge_policies, pod, policy_cases
from lab.rendering import ROOT, RenderedStack, load_stack, render_stack

pytestmark = pytest.mark.lab

Json = dict[str, Any]

PROGRAMS: Final = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "helm", "argocd"),
    "kyverno-admission-controller",
)
HELD: Final = Verdict(
    chain="chain", claim="claim", expected="why", refused=True, said="that is why", twin_passes=True
)


class Silent(Client):
    """An API server that takes everything."""

    def __init__(self) -> None:
        """Connect to nothing."""

    def try_to_create(self, one: Json) -> Answer:
        """Take it."""
        assert one["kind"]
        return Answer(status=201, body="{}", warnings=())


@pytest.fixture(scope="module")
def stack() -> RenderedStack:
    """The stack with every system."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH; `make test` builds it")
    return render_stack(load_stack(ROOT / DEFAULT_STACK), DEFAULT_STACK)


@pytest.fixture(scope="module")
def verdicts(stack: RenderedStack) -> Sequence[Verdict]:
    """What became of all that must be refused, asked once."""
    return refusals.refusals(stack, lambda _: None)


def policies_of(stack: RenderedStack) -> list[Json]:
    return [one for one in stack.objects["policies"] if one["kind"] == "ValidatingPolicy"]


def cases_of(stack: RenderedStack) -> list[refusals.Case]:
    keys = [one.key for one in stack.inputs.contract.gpu.tolerations]
    return list(policy_cases(stack.inputs.tenants[0].name, keys))


def test_all_that_must_be_refused_is_refused_for_its_reason_and_the_twins_pass(
    verdicts: Sequence[Verdict],
) -> None:
    assert [f"{one.chain}: {one.claim}: {one.problem}" for one in verdicts if not one.holds] == []


def test_each_policy_each_namespace_the_projects_and_the_rights_were_tried(
    verdicts: Sequence[Verdict], stack: RenderedStack
) -> None:
    tried = Counter(one.chain for one in verdicts)
    for policy in policies_of(stack):
        assert tried[f"Kyverno, {policy['metadata']['name']}"] >= len(policy["spec"]["validations"])
    levels = [one["metadata"]["labels"].get(refusals.ENFORCE) for one in refusals.spaces_of(stack)]
    for level in ("restricted", "baseline"):
        assert tried[f"Pod Security, {level}"] == levels.count(level) > 0
    assert tried["Kyverno, registry-mirrors"] == len(stack.inputs.contract.registry_mirrors) > 0
    # The platform's own, and a tenant's, which in addition makes one namespace alone.
    assert tried["Argo CD, AppProject"] == 5 + 6
    assert tried["RBAC"] == 3 * len(stack.inputs.tenants)
    assert tried["Kyverno that is gone"] == 1


def test_a_refusal_says_what_the_policy_says(
    verdicts: Sequence[Verdict], stack: RenderedStack
) -> None:
    messages = {
        rule["message"] for policy in policies_of(stack) for rule in policy["spec"]["validations"]
    }
    said = " ".join(one.said for one in verdicts)
    assert {one for one in messages if one not in said} == set()


def test_policies_that_let_everything_pass_are_told(stack: RenderedStack) -> None:
    found = list(judge_policies(Silent(), policies_of(stack), cases_of(stack)))
    assert found
    assert {one.problem for one in found} == {"it was not refused"}


def test_a_rule_that_no_case_breaks_is_told(stack: RenderedStack) -> None:
    cases = [one for one in cases_of(stack) if one.policy != "gpu-cost-labels"]
    found = judge_policies(Silent(), policies_of(stack), cases)
    untried = [one for one in found if one.claim.startswith("nothing was tried that breaks")]
    assert {one.chain for one in untried} == {"Kyverno, gpu-cost-labels"}
    assert not any(one.holds for one in untried)


def test_a_stack_without_policies_cannot_refuse(stack: RenderedStack) -> None:
    without = replace(stack, entries=[one for one in stack.entries if one.name != "kyverno"])
    with pytest.raises(LabError, match="feature security"):
        refusals.refusals(without, lambda _: None)


@pytest.mark.parametrize(
    ("verdict", "problem"),
    [
        (HELD, ""),
        (replace(HELD, refused=False, said=""), "it was not refused"),
        (
            replace(HELD, said="the server is tired"),
            "it was refused for another reason: the server is tired",
        ),
        (
            replace(HELD, twin_passes=False, twin_said="no"),
            "the twin that keeps the rule fails: no",
        ),
    ],
    ids=["held", "not refused", "another reason", "twin refused"],
)
def test_a_claim_holds_for_its_reason_and_with_its_twin_alone(
    verdict: Verdict, problem: str
) -> None:
    assert verdict.holds == (problem == "")
    assert verdict.problem == problem


def test_a_mistake_changes_one_place_of_a_copy() -> None:
    good = pod("space")
    bad = changed(good, (*refusals.CONTAINER, "image"), "image:latest")
    assert bad["spec"]["containers"][0]["image"] == "image:latest"
    assert changed(bad, (*refusals.CONTAINER, "image"), refusals.DIGEST) == good
    assert "securityContext" not in changed(good, ("spec", "securityContext"), None)["spec"]
    assert good == pod("space")
