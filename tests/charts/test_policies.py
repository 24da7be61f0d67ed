"""What Kyverno itself says of objects under the policies of charts/policies."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from components.platform.values.policies import PoliciesValues
from tests.charts import kyverno_cli
from tests.charts.rendering import Json, of_kind, render
from tests.charts.values import POLICIES, POLICIES_PROD

pytestmark = pytest.mark.charts

DIGEST = "registry.example.com:5000/team/app@sha256:" + "a" * 64

POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "good",
        "namespace": "team-a",
        "labels": {
            "kueue.x-k8s.io/queue-name": "gpu",
            "llmp.dev/team": "team-a",
            "llmp.dev/model": "qwen-small",
            "llmp.dev/environment": "dev",
        },
    },
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [
            {
                "name": "app",
                "image": DIGEST,
                "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "1Gi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}

SERVICE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "team-a"},
    "spec": {"ports": [{"port": 80}]},
}

NAMESPACES: Json = {
    "apiVersion": "cli.kyverno.io/v1alpha1",
    "kind": "Values",
    "metadata": {"name": "values"},
    "namespaceSelector": [
        {
            "name": "team-a",
            "labels": {"llmp.dev/tenant": "team-a", "kubernetes.io/metadata.name": "team-a"},
        },
        {"name": "serving", "labels": {"kubernetes.io/metadata.name": "serving"}},
        {"name": "edge", "labels": {"kubernetes.io/metadata.name": "edge"}},
    ],
}
TEAM_A: Json = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "team-a",
        "labels": {"llmp.dev/tenant": "team-a", "kubernetes.io/metadata.name": "team-a"},
    },
}


def verdicts(one: Json, values: PoliciesValues = POLICIES_PROD) -> dict[str, str]:
    """Return what each policy that looked at an object says of it."""
    policies = of_kind(render("policies", values), "ValidatingPolicy")
    found: dict[str, str] = {}
    for result in kyverno_cli.apply(policies, [TEAM_A, one], values=NAMESPACES):
        if result.kind == one["kind"]:
            found[result.policy] = result.result
    return found


def failed(one: Json, values: PoliciesValues = POLICIES_PROD) -> set[str]:
    # `skip` is an object that a policy's conditions leave out.
    return {
        policy for policy, result in verdicts(one, values).items() if result not in {"pass", "skip"}
    }


def changed(base: Json, changes: dict[str, Any]) -> Json:
    """Return an object with values at dotted paths changed; None removes."""
    made = copy.deepcopy(base)
    for path, value in changes.items():
        *parents, last = (int(one) if one.isdigit() else one for one in path.split("|"))
        node: Any = made
        for part in parents:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    return made


def job(pod: Json, labels: dict[str, str]) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "train", "namespace": "team-a", "labels": labels},
        "spec": {
            "suspend": True,
            "template": {
                "metadata": {"labels": pod["metadata"]["labels"]},
                "spec": {**pod["spec"], "restartPolicy": "Never"},
            },
        },
    }


def test_a_pod_that_keeps_every_rule_passes_every_policy_of_tenants() -> None:
    assert verdicts(POD) == dict.fromkeys(
        (
            "gpu-queue-name",
            "gpu-workload-limits",
            "gpu-cost-labels",
            "image-versions",
            "pod-security",
        ),
        "pass",
    )


def bad_pods() -> Iterator[Any]:
    """Yield each mistake with the one policy that refuses it."""
    container = "spec|containers|0"
    mistakes: list[tuple[str, str, dict[str, Any]]] = [
        (
            "gpu-queue-name",
            "no queue",
            {
                "metadata|labels": {
                    name: value
                    for name, value in POD["metadata"]["labels"].items()
                    if not name.startswith("kueue")
                }
            },
        ),
        ("gpu-workload-limits", "no memory limit", {f"{container}|resources|limits|memory": None}),
        ("gpu-workload-limits", "no toleration", {"spec|tolerations": []}),
        (
            "gpu-workload-limits",
            "a GPU node without a GPU",
            {f"{container}|resources|limits": {"memory": "1Gi"}},
        ),
        ("gpu-cost-labels", "no environment", {"metadata|labels|llmp.dev/environment": ""}),
        ("gpu-cost-labels", "another team's name", {"metadata|labels|llmp.dev/team": "team-b"}),
        ("image-versions", "latest", {f"{container}|image": "registry.example.com/app:latest"}),
        ("image-versions", "no tag", {f"{container}|image": "registry.example.com:5000/app"}),
        ("image-versions", "a tag alone in prod", {f"{container}|image": "example.com/app:v1"}),
        ("pod-security", "the host's network", {"spec|hostNetwork": True}),
        (
            "pod-security",
            "a path of the host",
            {"spec|volumes": [{"name": "host", "hostPath": {"path": "/"}}]},
        ),
        ("pod-security", "perhaps root", {"spec|securityContext|runAsNonRoot": None}),
        (
            "pod-security",
            "privilege escalation",
            {f"{container}|securityContext|allowPrivilegeEscalation": None},
        ),
        (
            "pod-security",
            "capabilities",
            {f"{container}|securityContext|capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
        ),
        ("pod-security", "no seccomp profile", {"spec|securityContext|seccompProfile": None}),
    ]
    for policy, mistake, change in mistakes:
        yield pytest.param(policy, change, id=f"{policy}: {mistake}")


@pytest.mark.parametrize(("policy", "change"), list(bad_pods()))
def test_one_mistake_fails_the_one_policy_that_is_about_it(
    policy: str, change: dict[str, Any]
) -> None:
    assert failed(changed(POD, change)) == {policy}


def test_a_gpu_in_an_init_container_counts_too() -> None:
    pod = changed(
        POD,
        {
            "metadata|labels": {},
            "spec|initContainers": [POD["spec"]["containers"][0]],
            "spec|containers|0|resources|limits": {"memory": "1Gi"},
        },
    )
    assert {"gpu-queue-name", "gpu-cost-labels"} <= failed(pod)


def test_a_pod_without_gpus_needs_no_queue_and_no_labels() -> None:
    plain = changed(
        POD,
        {
            "metadata|labels": {},
            "spec|tolerations": None,
            "spec|containers|0|resources": {},
        },
    )
    assert failed(plain) == set()


def test_a_job_is_asked_for_its_queue_and_the_pods_it_makes_are_not_asked_again() -> None:
    assert "gpu-queue-name" in failed(job(POD, {}))
    assert "gpu-queue-name" not in failed(job(POD, {"kueue.x-k8s.io/queue-name": "gpu"}))
    made = changed(
        POD,
        {
            "metadata|labels|kueue.x-k8s.io/queue-name": None,
            "metadata|ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": "train",
                    "uid": "1",
                    "controller": True,
                }
            ],
        },
    )
    assert "gpu-queue-name" not in failed(made)


def test_a_suspended_job_has_no_toleration_yet_because_its_queue_adds_it() -> None:
    suspended = job(changed(POD, {"spec|tolerations": None}), {"kueue.x-k8s.io/queue-name": "gpu"})
    assert failed(suspended) == set()


def test_outside_prod_a_version_is_enough_and_latest_is_not() -> None:
    image = "spec|containers|0|image"
    assert failed(changed(POD, {image: "localhost:5000/app:v1.2"}), POLICIES) == set()
    assert failed(changed(POD, {image: "localhost:5000/app"}), POLICIES) == {"image-versions"}
    assert failed(changed(POD, {image: "app:latest"}), POLICIES) == {"image-versions"}


def test_pods_of_the_platform_are_asked_for_digests_alone() -> None:
    ours = changed(
        POD,
        {
            "metadata|namespace": "serving",
            "metadata|labels": {"app.kubernetes.io/part-of": "llmp"},
        },
    )
    assert verdicts(ours) == {"image-digests": "pass"}
    by_tag = changed(ours, {"spec|containers|0|image": "example.com/app:v1"})
    assert failed(by_tag) == {"image-digests"}


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, False),
        ({"spec|type": "LoadBalancer"}, True),
        ({"spec|type": "NodePort"}, True),
        ({"spec|externalIPs": ["203.0.113.7"]}, True),
        ({"spec|type": "LoadBalancer", "metadata|namespace": "edge"}, False),
    ],
    ids=["cluster IP", "load balancer", "node port", "external IP", "at the edge"],
)
def test_only_the_edge_has_a_public_service(change: dict[str, Any], refused: bool) -> None:  # noqa: FBT001 - a column of the table
    assert ("no-public-services" in failed(changed(SERVICE, change))) == refused


def test_prod_fails_closed_for_tenants_and_never_for_the_platform_itself() -> None:
    found = {
        one["metadata"]["name"]: one["spec"]["failurePolicy"]
        for one in of_kind(render("policies", POLICIES_PROD), "ValidatingPolicy")
    }
    assert found.pop("image-digests") == "Ignore"
    assert set(found.values()) == {"Fail"}
    assert {
        one["spec"]["failurePolicy"]
        for one in of_kind(render("policies", POLICIES), "ValidatingPolicy")
    } == {"Ignore"}
