"""The platform layer: each test is one thing that went wrong elsewhere, or would."""

from typing import Any

import pytest

from components.platform import endpoints
from components.platform.catalogue import Kustomization, UpstreamChart
from components.platform.config import Features, Tier
from components.versions import GATEWAY_API, KUEUE
from tests.platform.samples import (
    BARE,
    GKE,
    HETZNER,
    entries,
    gated,
    inputs,
    model,
    tenant,
    values,
)


def test_cert_manager_waits_for_the_gateway_api_that_it_exits_without() -> None:
    entry = entries()["cert-manager"]
    assert values(entry)["config"]["enableGatewayAPI"] is True
    assert entry.requires == ("gateway-api",)


def test_the_gateway_api_comes_from_one_commit() -> None:
    source = entries()["gateway-api"].source
    assert source == Kustomization(path="config/crd", pin=GATEWAY_API)


def test_definitions_make_no_namespace() -> None:
    by_name = entries()
    assert not by_name["gateway-api"].create_namespace
    assert not by_name["inference-extension"].create_namespace


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("cert-manager", ("", "webhook.", "cainjector.")),
        ("external-secrets", ("", "webhook.")),
        ("kueue", ("controllerManager.",)),
        ("cloudnative-pg", ("",)),
        ("litellm", ("",)),
        ("trust-manager", ("",)),
        ("kserve-llmisvc", ("kserve.llmisvc.controller.",)),
    ],
)
def test_two_replicas_keep_off_one_node_and_a_single_one_asks_for_nothing(
    name: str, parts: tuple[str, ...]
) -> None:
    features = Features(internal_ca=True, kserve=True, llm_d=True)
    for part in parts:
        found: dict[Tier, Any] = {}
        for tier in ("prod", "cost"):
            of: Any = values(entries(inputs(tier=tier, features=features))[name])
            for key in f"{part}topologySpreadConstraints".split("."):
                of = of[key]
            found[tier] = of
        (constraint,) = found["prod"]
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        assert constraint["labelSelector"]["matchLabels"]
        assert found["cost"] == []


@pytest.mark.parametrize("name", ["agentgateway", "leader-worker-set"])
def test_a_chart_that_cannot_spread_its_replicas_is_told_to_keep_them_apart(name: str) -> None:
    features = Features(multi_node=True)
    affinity = values(entries(inputs(tier="prod", features=features))[name])["affinity"]
    (wish,) = affinity["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert wish["podAffinityTerm"]["labelSelector"]["matchLabels"]
    assert values(entries(inputs(features=features))[name])["affinity"] == {}


def test_each_part_of_keda_is_spread_by_its_own_pods() -> None:
    parts = values(entries(inputs(tier="prod"))["keda"])["topologySpreadConstraints"]
    assert [one[0]["labelSelector"]["matchLabels"]["app"] for one in parts.values()] == [
        "keda-operator",
        "keda-operator-metrics-apiserver",
        "keda-admission-webhooks",
    ]


@pytest.mark.parametrize("multi_node", [False, True])
def test_keda_reads_no_secret_and_scales_only_what_models_run_as(*, multi_node: bool) -> None:
    features = Features(autoscaling=True, multi_node=multi_node)
    found = values(entries(inputs(features=features))["keda"])
    assert found["permissions"]["operator"]["restrict"]["secret"] is True
    assert found["rbac"] == {
        "enabledCustomScaledRefKinds": multi_node,
        "scaledRefKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "kind": "leaderworkersets"}],
    }


def test_kube_state_metrics_reads_neither_secrets_nor_config_maps() -> None:
    collectors = values(entries()["kube-prometheus-stack"])["kube-state-metrics"]["collectors"]
    assert not {"secrets", "configmaps"} & set(collectors)
    assert {"pods", "deployments", "namespaces", "nodes", "statefulsets"} <= set(collectors)


def test_external_secrets_carries_the_identity_that_the_substrate_promises() -> None:
    account = values(entries()["external-secrets"])["serviceAccount"]
    identity = GKE.workload_identities["external_secrets"]
    assert account["name"] == identity.service_account
    assert account["annotations"] == identity.annotations
    assert entries()["external-secrets"].namespace == identity.namespace


def test_what_upstream_charts_leave_unprobed_is_probed() -> None:
    by_name = entries(inputs(tier="prod"))
    secrets, valkey = values(by_name["external-secrets"]), values(by_name["litellm-valkey"])
    assert secrets["livenessProbe"]["enabled"]
    assert secrets["readinessProbe"]["enabled"]
    assert valkey["readinessProbe"]["enabled"]


def test_external_secrets_needs_no_identity_where_there_is_none() -> None:
    account = values(entries(inputs(contract=HETZNER))["external-secrets"])["serviceAccount"]
    assert account == {"create": True}


def test_the_store_waits_for_the_webhook_that_admits_it() -> None:
    assert entries()["secret-store"].requires == ("external-secrets",)


def test_a_store_in_the_cluster_may_write_to_its_own_namespace() -> None:
    assert entries(inputs(contract=HETZNER))["secret-store"].extra_namespaces == (
        "llmp-secret-store",
    )
    assert entries(inputs(contract=GKE))["secret-store"].extra_namespaces == ()


def test_only_namespaces_that_read_a_secret_may_use_the_store() -> None:
    store = values(entries()["secret-store"])["store"]
    assert store["consumerNamespaces"] == ["litellm", "monitoring", "serving"]
    store = values(entries(inputs(profile="platform"))["secret-store"])["store"]
    assert store["consumerNamespaces"] == ["monitoring"]


def test_each_namespace_has_secrets_of_its_own_behind_the_store() -> None:
    by_name = entries()
    for namespace in ("litellm", "monitoring", "serving"):
        entry = by_name[f"{namespace}-secrets"]
        assert entry.namespace == namespace
        assert entry.requires == ("secret-store",)
        assert {one["namespace"] for one in values(entry)["consumers"]} == {namespace}


@pytest.mark.parametrize("tier", ["cost", "prod"])
def test_the_cluster_makes_every_secret_that_is_read_and_none_that_is_not(tier: Tier) -> None:
    by_name = entries(inputs(tier=tier))
    made = {one["remoteId"] for one in values(by_name["secret-store"])["generated"]}
    read = {
        key["remoteId"]
        for name, entry in by_name.items()
        if name.endswith("-secrets") and name != "external-secrets"
        for secret in values(entry)["consumers"]
        for key in secret["entries"]
    }
    assert made == read


def test_a_hub_token_is_read_and_never_made() -> None:
    by_name = entries(inputs(models=(gated(),)))
    made = {one["remoteId"] for one in values(by_name["secret-store"])["generated"]}
    read = {
        key["remoteId"]
        for secret in values(by_name["serving-gated-hub-token"])["consumers"]
        for key in secret["entries"]
    }
    assert read == {"hf-token"}
    assert not read & made
    assert values(by_name["gated-vllm"])["weights"]["token"]["name"] == "gated-hub-token"


def test_a_missing_hub_token_holds_up_no_other_model() -> None:
    by_name = entries(inputs(models=(model(), gated())))
    assert "serving-gated-hub-token" not in {
        required for entry in by_name.values() for required in entry.requires
    }


def test_the_master_key_starts_as_litellm_wants_it() -> None:
    made = {one["remoteId"]: one for one in values(entries()["secret-store"])["generated"]}
    assert made["litellm-master-key"]["prefix"] == "sk-"


def test_the_databases_password_is_of_the_type_that_its_operator_takes() -> None:
    secrets = {one["name"]: one for one in values(entries()["litellm-secrets"])["consumers"]}
    assert secrets["litellm-pg-app"]["type"] == "kubernetes.io/basic-auth"
    assert secrets["litellm-pg-app"]["literals"] == {"username": "litellm"}


def test_the_prefix_of_the_store_is_known_to_every_reader() -> None:
    by_name = entries()
    for name in ("secret-store", "litellm-secrets", "monitoring-secrets", "serving-secrets"):
        assert values(by_name[name])["reference"]["prefix"] == "llmp-"


def test_prometheus_sees_the_monitors_of_every_namespace() -> None:
    spec = values(entries()["kube-prometheus-stack"])["prometheus"]["prometheusSpec"]
    for kind in ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig"):
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False


def test_prometheus_never_fills_its_disk() -> None:
    for tier, disk, kept in (("cost", "10Gi", "8GiB"), ("prod", "50Gi", "40GiB")):
        stack = entries(inputs(tier="prod" if tier == "prod" else "cost"))
        spec = values(stack["kube-prometheus-stack"])["prometheus"]["prometheusSpec"]
        claim = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
        assert claim["resources"]["requests"]["storage"] == disk
        assert spec["retentionSize"] == kept


def test_the_disk_of_prometheus_goes_with_prometheus() -> None:
    spec = values(entries()["kube-prometheus-stack"])["prometheus"]["prometheusSpec"]
    assert spec["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Delete",
        "whenScaled": "Retain",
    }


def test_volumes_take_the_storage_class_of_the_substrate_or_the_clusters_own() -> None:
    def claim(stack_name: str) -> dict[str, object]:
        contract = HETZNER if stack_name == "hetzner" else BARE
        stack = entries(inputs(contract=contract))
        spec = values(stack["kube-prometheus-stack"])["prometheus"]["prometheusSpec"]
        return dict(spec["storageSpec"]["volumeClaimTemplate"]["spec"])

    assert claim("hetzner")["storageClassName"] == "hcloud-volumes"
    assert "storageClassName" not in claim("bare")


def test_the_control_plane_that_nobody_can_reach_is_not_scraped() -> None:
    stack = values(entries()["kube-prometheus-stack"])
    for part in ("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy"):
        assert stack[part] == {"enabled": False}


def test_core_dns_is_scraped_where_it_runs() -> None:
    assert not values(entries()["kube-prometheus-stack"])["coreDns"]["enabled"]
    hetzner = entries(inputs(contract=HETZNER))
    assert values(hetzner["kube-prometheus-stack"])["coreDns"]["enabled"]


def test_grafanas_password_is_one_that_the_chart_did_not_make() -> None:
    by_name = entries()
    admin = values(by_name["kube-prometheus-stack"])["grafana"]["admin"]
    secret = values(by_name["monitoring-secrets"])["consumers"][0]
    assert admin["existingSecret"] == secret["name"]
    keys = {key["key"] for key in secret["entries"]} | set(secret["literals"])
    assert {admin["userKey"], admin["passwordKey"]} == keys
    assert "monitoring-secrets" in by_name["kube-prometheus-stack"].requires


def test_the_substrates_own_dcgm_exporter_is_scraped_and_no_second_one_runs() -> None:
    monitors = values(entries()["kube-prometheus-stack"])["prometheus"]["additionalPodMonitors"]
    (monitor,) = monitors
    assert monitor["namespaceSelector"] == {"matchNames": ["gke-managed-system"]}
    assert monitor["selector"] == {
        "matchLabels": {"app.kubernetes.io/name": "gke-managed-dcgm-exporter"}
    }
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["port"] == "metrics"
    # What the exporter calls its host is a node or a pod, as it was installed.
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    ]
    bare = entries(inputs(contract=BARE))
    assert values(bare["kube-prometheus-stack"])["prometheus"]["additionalPodMonitors"] == []


def test_definitions_of_monitors_come_before_and_apart_from_prometheus() -> None:
    by_name = entries()
    assert values(by_name["kube-prometheus-stack"])["crds"] == {"enabled": False}
    assert by_name["prometheus-crds"].requires == ()
    waits = {name for name, entry in by_name.items() if "kube-prometheus-stack" in entry.requires}
    assert waits == set()


def test_the_address_of_prometheus_follows_from_its_entry() -> None:
    assert endpoints.PROMETHEUS.service == "kube-prometheus-stack-prometheus"
    assert "kube-prometheus-stack" in entries()
    assert endpoints.PROMETHEUS.namespace == entries()["kube-prometheus-stack"].namespace
    assert endpoints.PROMETHEUS.url() == (
        "http://kube-prometheus-stack-prometheus.monitoring.svc.cluster.local:9090"
    )


def test_kueue_sees_no_namespace_but_those_of_tenants() -> None:
    source = entries()["kueue"].source
    assert isinstance(source, UpstreamChart)
    assert source.pin == KUEUE
    configuration = source.values["managerConfig"]["controllerManagerConfigYaml"]
    assert '"llmp.dev/kueue-managed": "true"' in configuration
    assert '"manageJobsWithoutQueueName": false' in configuration


def test_queues_wait_for_the_webhook_that_admits_them() -> None:
    assert entries()["kueue-queues"].requires == ("kueue",)


def test_a_tenants_quota_is_its_own_and_admitted_pods_tolerate_the_gpu_nodes() -> None:
    queues = values(entries(inputs(tenants=(tenant(), tenant("team-b"))))["kueue-queues"])
    assert [(one["name"], one["gpus"]) for one in queues["tenants"]] == [
        ("team-a", 1),
        ("team-b", 1),
    ]
    assert queues["cohort"]
    assert queues["flavor"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_prod_has_two_of_what_can_be_two_and_lets_nodes_drain() -> None:
    cost, prod = entries(), entries(inputs(tier="prod"))
    assert values(cost["cert-manager"])["replicaCount"] == 1
    assert values(prod["cert-manager"])["replicaCount"] == 2
    assert values(cost["cert-manager"])["podDisruptionBudget"] == {"enabled": False}
    assert values(prod["cert-manager"])["podDisruptionBudget"]["enabled"] is True
    assert values(prod["external-secrets"])["leaderElect"] is True
    assert "podDisruptionBudget" not in values(cost["keda"])
    assert values(prod["keda"])["podDisruptionBudget"]["operator"] == {"minAvailable": 1}
    assert values(prod["kueue"])["controllerManager"]["replicas"] == 2


def test_charts_that_write_to_kube_system_say_so() -> None:
    by_name = entries()
    for name in ("keda", "kueue", "kube-prometheus-stack"):
        assert by_name[name].extra_namespaces == ("kube-system",)
    assert values(by_name["cert-manager"])["global"]["leaderElection"]["namespace"] == (
        "cert-manager"
    )
