"""What an Application and the AppProject say to Argo CD."""

import json
from typing import Any

from components.platform.apps.namespaces import POD_SECURITY
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    Kustomization,
    OwnChart,
    UpstreamChart,
)
from components.platform.manifests import application_manifest, manifests, project_spec
from components.substrate.argocd import SYNC_TIMEOUT_SECONDS
from components.versions import ChartPin, GitPin

REPOSITORY = "https://github.com/your-org/llmp.git"
PIN = ChartPin(repository="https://charts.example.com", chart="thing", version="1.2.3")


def entry(**changes: object) -> CatalogueEntry:
    values: dict[str, Any] = {
        "name": "thing",
        "namespace": "things",
        "layer": "platform",
        "source": UpstreamChart(pin=PIN, values={"replicas": 2}),
    }
    values.update(changes)
    return CatalogueEntry(**values)


def manifest(*, is_gate: bool = False, **changes: object) -> dict[str, Any]:
    return application_manifest(entry(**changes), REPOSITORY, "abc123", is_gate=is_gate)


def test_an_upstream_chart_is_taken_at_its_exact_version_with_typed_values() -> None:
    assert manifest()["spec"]["source"] == {
        "repoURL": "https://charts.example.com",
        "chart": "thing",
        "targetRevision": "1.2.3",
        "helm": {"releaseName": "thing", "valuesObject": {"replicas": 2}},
    }


def test_our_own_chart_is_taken_from_the_commit_that_the_program_runs_from() -> None:
    source = manifest(source=OwnChart(chart="vllm", values={}))["spec"]["source"]
    assert (source["repoURL"], source["path"]) == (REPOSITORY, "charts/vllm")
    assert source["targetRevision"] == "abc123"


def test_a_foreign_repository_is_held_by_commit_not_by_tag() -> None:
    pin = GitPin(repository="https://git.example.com/x", version="v1", commit="f" * 40)
    source = manifest(source=Kustomization(path="config/crd", pin=pin))["spec"]["source"]
    assert source["targetRevision"] == "f" * 40


def test_a_gate_is_waited_for_until_healthy_and_synced_within_a_bound() -> None:
    annotations = manifest(is_gate=True, gate_timeout_seconds=90)["metadata"]["annotations"]
    assert {
        "jsonpath={.status.health.status}=Healthy",
        "jsonpath={.status.sync.status}=Synced",
    } < set(json.loads(annotations["pulumi.com/waitFor"]))
    assert annotations["pulumi.com/timeoutSeconds"] == "90"


def test_a_gate_that_brings_definitions_alone_opens_when_its_sync_is_over() -> None:
    annotations = manifest(is_gate=True, definitions_only=True)["metadata"]["annotations"]
    conditions = set(json.loads(annotations["pulumi.com/waitFor"]))
    assert {
        "jsonpath={.status.operationState.phase}=Succeeded",
        "jsonpath={.status.sync.status}=Synced",
    } < conditions
    assert not [one for one in conditions if "health" in one]


def test_a_gate_that_is_updated_does_not_open_on_the_status_of_the_source_before() -> None:
    newer = GitPin(repository="https://git.example.com/x", version="v1", commit="f" * 40)
    sources = (
        UpstreamChart(pin=PIN, values={}),
        UpstreamChart(pin=PIN, values={"replicas": 1}),
        UpstreamChart(pin=PIN, values={"replicas": 2}),
        OwnChart(chart="vllm", values={}),
        Kustomization(path="config/crd", pin=newer),
    )
    opens_for: list[str] = []
    for source in sources:
        gate = manifest(is_gate=True, source=source)
        name = gate["spec"]["source"]["name"]
        assert f"jsonpath={{.status.sync.comparedTo.source.name}}={name}" in json.loads(
            gate["metadata"]["annotations"]["pulumi.com/waitFor"]
        )
        opens_for.append(name)
    assert len(set(opens_for)) == len(sources)


def test_a_gate_whose_source_is_the_same_keeps_its_name() -> None:
    one, other = ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    first, second = (
        manifest(is_gate=True, source=UpstreamChart(pin=PIN, values=values))["spec"]["source"]
        for values in (one, other)
    )
    assert first["name"] == second["name"]
    assert "name" not in manifest()["spec"]["source"]


def test_an_application_that_nobody_requires_is_not_waited_for() -> None:
    assert not [key for key in manifest()["metadata"]["annotations"] if key.startswith("pulumi.")]


def test_defaults_of_the_api_server_are_no_difference_to_any_argo_cd() -> None:
    for is_gate in (True, False):
        annotations = manifest(is_gate=is_gate)["metadata"]["annotations"]
        assert annotations["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true"


def test_an_application_takes_its_objects_with_it_when_it_is_deleted() -> None:
    assert manifest()["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]


def test_a_project_waits_for_no_argo_cd_that_may_remember_applications_that_are_gone() -> None:
    project, application = manifests([entry()], REPOSITORY, "abc123")
    assert "finalizers" not in project["metadata"]
    assert application["metadata"]["finalizers"]


def test_manual_sync_creates_the_application_and_starts_nothing() -> None:
    assert "automated" not in manifest(sync="manual")["spec"]["syncPolicy"]
    assert manifest()["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


def test_argo_cd_retries_for_as_long_as_dependants_wait_and_then_takes_a_corrected_source() -> None:
    retry = manifest()["spec"]["syncPolicy"]["retry"]
    assert retry["backoff"] == {"duration": "10s", "factor": 2, "maxDuration": "3m"}
    pauses = [min(10 * 2**attempt, 180) for attempt in range(retry["limit"])]
    longest_wait = int(
        manifest(is_gate=True)["metadata"]["annotations"]["pulumi.com/timeoutSeconds"]
    )
    assert longest_wait <= sum(pauses) < SYNC_TIMEOUT_SECONDS / 3


def test_ignored_fields_are_neither_reported_nor_reset() -> None:
    ignored = IgnoreDifference(group="apps", kind="Deployment", json_pointers=("/spec/replicas",))
    spec = manifest(ignore_differences=(ignored,))["spec"]
    assert spec["ignoreDifferences"] == [
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}
    ]
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]


def test_large_crds_are_applied_on_the_server() -> None:
    assert "ServerSideApply=true" in manifest()["spec"]["syncPolicy"]["syncOptions"]


def test_every_application_belongs_to_the_platform_project_never_to_default() -> None:
    assert manifest()["spec"]["project"] == "platform"


def test_a_tenants_project_reaches_that_tenants_namespace_and_makes_nothing_else_cluster_wide() -> (
    None
):
    own = OwnChart(chart="tenant", values={})
    given = [
        entry(),
        *(
            entry(name=f"{name}-tenant", namespace=name, project=f"tenant-{name}", source=own)
            for name in ("team-a", "team-b")
        ),
    ]
    handed = manifests(given, REPOSITORY, "abc123")
    projects = {one["metadata"]["name"]: one["spec"] for one in handed[:3]}
    assert list(projects) == ["platform", "tenant-team-a", "tenant-team-b"]
    for name in ("team-a", "team-b"):
        spec = projects[f"tenant-{name}"]
        assert [one["namespace"] for one in spec["destinations"]] == [name]
        assert spec["sourceRepos"] == [REPOSITORY]
        assert spec["clusterResourceWhitelist"] == [
            {"group": "", "kind": "Namespace", "name": name}
        ]
    reached = {one["namespace"] for one in projects["platform"]["destinations"]}
    assert not reached & {"team-a", "team-b"}


def test_removing_a_tenant_changes_no_project_but_its_own() -> None:
    """Argo CD deletes nothing in a namespace that the project has lost before."""
    one = entry(name="a", namespace="team-a", project="tenant-team-a")
    other = entry(name="b", namespace="team-b", project="tenant-team-b")
    before = manifests([entry(), one, other], REPOSITORY, "abc123")
    after = manifests([entry(), one], REPOSITORY, "abc123")
    assert [each for each in before if each not in after] == [before[2], before[5]]


def test_the_project_lists_exact_sources_and_namespaces_and_no_wildcard() -> None:
    spec = project_spec(
        "platform", [entry(), entry(name="other", namespace="elsewhere")], REPOSITORY
    )
    assert spec["sourceRepos"] == ["https://charts.example.com", REPOSITORY]
    namespaces = [one["namespace"] for one in spec["destinations"]]
    assert namespaces == sorted({"elsewhere", "things", *POD_SECURITY})
    assert not [name for name in namespaces if "*" in name]
    kinds = [(one["group"], one["kind"]) for one in spec["clusterResourceWhitelist"]]
    assert ("*", "*") not in kinds
    assert all("*" not in group and "*" not in kind for group, kind in kinds)


def test_a_chart_that_writes_elsewhere_gets_just_that_namespace() -> None:
    spec = project_spec("platform", [entry(extra_namespaces=("kube-system",))], REPOSITORY)
    namespaces = {one["namespace"] for one in spec["destinations"]}
    assert namespaces - POD_SECURITY.keys() == {"things", "kube-system"}


def test_what_is_switched_off_can_still_be_deleted() -> None:
    """Argo CD deletes nothing in a namespace that the project has lost before."""
    one, other = entry(), entry(name="scaler", namespace="keda")
    before = project_spec("platform", [one, other], REPOSITORY)
    after = project_spec("platform", [one], REPOSITORY)
    assert before["destinations"] == after["destinations"]
