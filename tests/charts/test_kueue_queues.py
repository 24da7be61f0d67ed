"""Quota of the tenants, and Kueue kept to their namespaces."""

import pytest
import yaml
from pydantic import ValidationError

from components.platform.values.kueue import kueue_values
from components.platform.values.kueue_queues import (
    FlavorValues,
    KueueQueuesValues,
    TenantQueue,
)
from tests.charts.rendering import of_kind, only, render
from tests.charts.values import QUEUES

pytestmark = pytest.mark.charts


def test_all_tenants_share_one_cohort_by_the_field_that_the_api_has() -> None:
    queues = of_kind(render("kueue-queues", QUEUES), "ClusterQueue")
    assert {queue["spec"]["cohortName"] for queue in queues} == {"tenants"}
    for queue in queues:
        assert queue["apiVersion"] == "kueue.x-k8s.io/v1beta2"
        # Kueue's v1beta2 drops the older field without a word.
        assert "cohort" not in queue["spec"]


def test_a_tenant_has_its_nominal_quota_of_gpus() -> None:
    queue = only(render("kueue-queues", QUEUES), "ClusterQueue", "team-a")["spec"]
    (group,) = queue["resourceGroups"]
    (flavor,) = group["flavors"]
    assert [resource["name"] for resource in flavor["resources"]] == group["coveredResources"]
    quota = {one["name"]: one["nominalQuota"] for one in flavor["resources"]}
    assert quota == {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "2"}


def test_a_borrowing_limit_is_there_only_when_it_is_given_also_when_it_is_0() -> None:
    objects = render("kueue-queues", QUEUES)
    limits = {
        queue["metadata"]["name"]: queue["spec"]["resourceGroups"][0]["flavors"][0]["resources"][2]
        for queue in of_kind(objects, "ClusterQueue")
    }
    assert "borrowingLimit" not in limits["team-a"]
    assert limits["team-b"]["borrowingLimit"] == "0"


def test_only_the_tenants_own_namespace_may_submit_to_its_queue() -> None:
    objects = render("kueue-queues", QUEUES)
    queue = only(objects, "ClusterQueue", "team-a")["spec"]
    assert queue["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "team-a"}


def test_all_of_it_belongs_to_the_cluster_and_not_to_a_tenants_namespace() -> None:
    kinds = {one["kind"] for one in render("kueue-queues", QUEUES)}
    assert kinds == {"ClusterQueue", "ResourceFlavor", "WorkloadPriorityClass"}


def test_every_field_that_kueue_fills_in_is_written_out() -> None:
    queue = only(render("kueue-queues", QUEUES), "ClusterQueue", "team-a")["spec"]
    assert queue["queueingStrategy"] == "StrictFIFO"
    assert queue["stopPolicy"] == "None"
    assert queue["flavorFungibility"] == {
        "whenCanBorrow": "MayStopSearch",
        "whenCanPreempt": "TryNextFlavor",
    }
    assert queue["preemption"] == {
        "withinClusterQueue": "LowerPriority",
        "reclaimWithinCohort": "Any",
        "borrowWithinCohort": {"policy": "Never"},
    }


def test_admitted_pods_get_the_tolerations_of_the_gpu_nodes() -> None:
    flavor = only(render("kueue-queues", QUEUES), "ResourceFlavor")["spec"]
    assert flavor["nodeLabels"] == {"pool": "gpu"}
    assert flavor["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_a_flavor_of_all_nodes_is_none_that_the_api_server_refuses() -> None:
    flavor = only(
        render("kueue-queues", KueueQueuesValues(flavor=FlavorValues())), "ResourceFlavor"
    )
    # `spec` without a value is null, which is no object.
    assert flavor["spec"] == {}


def test_priorities_are_ordered() -> None:
    classes = of_kind(render("kueue-queues", QUEUES), "WorkloadPriorityClass")
    assert {one["metadata"]["name"]: one["value"] for one in classes} == {
        "low-priority": 100,
        "high-priority": 1000,
    }


def test_two_tenants_of_one_name_are_refused() -> None:
    twin = TenantQueue.for_gpus("team-a", 1)
    with pytest.raises(ValidationError, match="same name"):
        KueueQueuesValues(tenants=(twin, twin))


def test_a_tenant_without_gpus_has_room_for_a_job_without_one() -> None:
    queue = TenantQueue.for_gpus("team-a", 0)
    assert (queue.gpus, queue.cpus, queue.memory_gib) == (0, 8, 32)


def test_kueue_sees_managed_namespaces_alone() -> None:
    text = kueue_values(replicas=2)["managerConfig"]["controllerManagerConfigYaml"]
    configuration = yaml.safe_load(text)
    assert configuration["managedJobsNamespaceSelector"] == {
        "matchLabels": {"llmp.dev/kueue-managed": "true"}
    }
    assert configuration["manageJobsWithoutQueueName"] is False
    assert "batch/job" in configuration["integrations"]["frameworks"]
    assert kueue_values(replicas=2)["controllerManager"]["replicas"] == 2


def test_kueue_is_not_left_with_the_slow_defaults_that_its_chart_overrides() -> None:
    text = kueue_values()["managerConfig"]["controllerManagerConfigYaml"]
    configuration = yaml.safe_load(text)
    assert configuration["clientConnection"]["qps"] > 20
    assert configuration["clientConnection"]["burst"] > configuration["clientConnection"]["qps"]
    assert configuration["controller"]["groupKindConcurrency"]["Workload.kueue.x-k8s.io"] > 1
