"""Feature logging: what is read, what is kept, and what never is."""

import json
import re
from typing import Any

import pytest

from components.contract import SubstrateContract
from components.platform.apps.logs import ALLOY_PODS, LOKI_PODS, PROMPT_LINES, pipeline
from components.platform.apps.platform import GRAFANA_PODS
from components.platform.catalogue import CatalogueEntry
from components.platform.config import Features, Profile, Tier
from components.platform.network import Outside
from tests.platform.samples import GKE, HETZNER, callers, entries, inputs, values

LOGS = Features(logging=True)


def logged(
    *,
    profile: Profile = "llm-gateway",
    tier: Tier = "cost",
    contract: SubstrateContract = GKE,
    features: Features = LOGS,
) -> dict[str, CatalogueEntry]:
    return entries(inputs(features=features, profile=profile, tier=tier, contract=contract))


def datasource(loki: CatalogueEntry) -> dict[str, Any]:
    (config_map,) = values(loki)["extraObjects"]
    assert config_map["metadata"]["namespace"] == "monitoring"
    assert config_map["metadata"]["labels"] == {"grafana_datasource": "1"}
    (source,) = json.loads(config_map["data"]["loki.yaml"])["datasources"]
    return source


@pytest.mark.parametrize("profile", ["platform", "full"])
def test_logs_are_a_feature_of_every_profile(profile: Profile) -> None:
    assert {"loki", "alloy", "logging-network"} <= set(logged(profile=profile))
    off = set(entries(inputs(profile=profile)))
    assert not {"loki", "alloy", "logging-network"} & off


def test_nothing_waits_for_logs() -> None:
    required = {one for entry in logged().values() for one in entry.requires}
    assert not {"loki", "alloy"} & required


def test_alloy_reads_through_the_api_and_mounts_nothing_of_a_node() -> None:
    set_values = values(logged()["alloy"])
    assert set_values["controller"]["type"] == "deployment"
    assert "hostPath" not in json.dumps(set_values)
    assert "loki.source.kubernetes" in pipeline()
    assert "loki.source.file" not in pipeline()
    assert any(
        one.client == ALLOY_PODS and one.server is Outside.API_SERVER
        for one in logged()["alloy"].connections
    )


def test_alloy_may_read_pods_and_their_logs_and_no_secret() -> None:
    rbac = values(logged()["alloy"])["rbac"]
    rules = [*rbac["rules"], *rbac["clusterRules"]]
    assert {one for rule in rules for one in rule["resources"]} == {
        "pods",
        "pods/log",
        "namespaces",
    }
    assert {one for rule in rules for one in rule["verbs"]} == {"get", "list", "watch"}
    # The chart writes one list behind the other, and an empty one as `[]`.
    assert rbac["rules"]
    assert rbac["clusterRules"]


def test_a_stream_has_five_labels_and_none_of_a_request() -> None:
    (kept,) = re.findall(r"stage\.label_keep \{\s+values = (\[.*\])", pipeline())
    assert json.loads(kept) == ["namespace", "pod", "app", "model", "team"]
    (metadata,) = re.findall(r"stage\.structured_metadata \{\s+values = \{(.*)\}", pipeline())
    assert re.findall(r"(\w+) =", metadata) == ["container", "trace_id", "request_id"]


def test_labels_come_from_the_pods_labels_as_discovery_spells_them() -> None:
    text = pipeline()
    assert '"__meta_kubernetes_pod_label_llmp_dev_model"' in text
    assert '"__meta_kubernetes_pod_label_llmp_dev_team"' in text


def unquoted(name: str) -> list[str]:
    """Return the strings of one argument of Alloy's configuration, read as Alloy reads them."""
    found = re.findall(rf'{name} += ("(?:[^"\\]|\\.)*")', pipeline())
    return [json.loads(one) for one in found]


@pytest.mark.parametrize(
    ("line", "dropped"),
    [
        ("INFO Request cmpl-1 details: prompt: 'my secret', prompt_token_ids: [1]", True),
        ("INFO Received request chatcmpl-1: prompt: 'my secret', params: ...", True),
        ("INFO Generated response chatcmpl-1: output: 'an answer'", True),
        ('{"message": "POST Request Sent from LiteLLM: curl ..."}', True),
        ("RAW RESPONSE: {...}", True),
        ('body={"model": "qwen", "messages": [{"role": "user"}]}', True),
        ('body={"model":"qwen","prompt":"my secret"}', True),
        ("INFO Received request chatcmpl-1: params: SamplingParams(n=1)", False),
        ('INFO 10.0.0.1 - "POST /v1/chat/completions HTTP/1.1" 200 OK', False),
        ('{"message": "no messages were lost"}', False),
    ],
)
def test_lines_that_hold_a_prompt_never_reach_loki(line: str, *, dropped: bool) -> None:
    assert unquoted("expression")[0] == PROMPT_LINES
    assert bool(re.search(PROMPT_LINES, line)) is dropped


@pytest.mark.parametrize(
    ("line", "trace", "request_id"),
    [
        (
            "trace.id=0af7651916cd43dd8448eb211c80319c span.id=b7ad6b7169203331",
            "0af7651916cd43dd8448eb211c80319c",
            None,
        ),
        (
            '{"trace_id": "0af7651916cd43dd8448eb211c80319c", "request_id": "chatcmpl-12345678"}',
            "0af7651916cd43dd8448eb211c80319c",
            "chatcmpl-12345678",
        ),
        ("x-request-id: 5f0c3a1e-9d7b", None, "5f0c3a1e-9d7b"),
        ("a line about requests and traces", None, None),
    ],
)
def test_a_line_is_found_by_its_trace_and_its_request(
    line: str, trace: str | None, request_id: str | None
) -> None:
    _, of_trace, of_request = unquoted("expression")
    found = re.search(of_trace, line)
    assert (found and found.group("trace_id")) == trace
    found = re.search(of_request, line)
    assert (found and found.group("request_id")) == request_id


def test_alloys_configuration_is_no_template_of_helm() -> None:
    assert "{{" not in pipeline()


@pytest.mark.parametrize(
    ("tier", "disk", "retention"), [("cost", 10, 72), ("dev", 20, 168), ("prod", 100, 720)]
)
def test_logs_are_kept_by_tier_and_then_deleted(tier: Tier, disk: int, retention: int) -> None:
    set_values = values(logged(tier=tier)["loki"])
    assert set_values["singleBinary"]["persistence"]["size"] == f"{disk}Gi"
    assert set_values["loki"]["limits_config"]["retention_period"] == f"{retention}h"
    assert set_values["loki"]["compactor"]["retention_enabled"] is True


@pytest.mark.parametrize("tier", ["cost", "prod"])
def test_loki_is_one_replica_because_its_disk_is_the_only_copy(tier: Tier) -> None:
    set_values = values(logged(tier=tier)["loki"])
    assert set_values["loki"]["storage"] == {"type": "filesystem"}
    assert set_values["singleBinary"]["replicas"] == 1
    assert set_values["singleBinary"]["podDisruptionBudget"] == {"enabled": False}
    for part in ("read", "write", "backend"):
        assert set_values[part] == {"replicas": 0}


def test_loki_brings_no_caches_proxies_or_tests_of_its_own() -> None:
    set_values = values(logged()["loki"])
    for part in ("chunksCache", "resultsCache", "gateway", "lokiCanary", "test"):
        assert set_values[part] == {"enabled": False}
    assert set_values["sidecar"]["rules"]["enabled"] is False
    assert set_values["defaults"]["automountServiceAccountToken"] is False
    assert set_values["rbac"]["namespaced"] is True


def test_the_disk_is_of_the_class_that_the_substrate_promises() -> None:
    disk = values(logged(contract=HETZNER)["loki"])["singleBinary"]["persistence"]
    assert disk["storageClass"] == "hcloud-volumes"
    disk = values(logged(contract=GKE.model_copy(update={"storage_class": None}))["loki"])[
        "singleBinary"
    ]["persistence"]
    assert "storageClass" not in disk


def test_two_alloys_share_the_pods_between_them() -> None:
    alone = values(logged(tier="cost")["alloy"])
    shared = values(logged(tier="prod")["alloy"])
    assert (alone["controller"]["replicas"], shared["controller"]["replicas"]) == (1, 2)
    assert alone["alloy"]["clustering"]["enabled"] is False
    assert shared["alloy"]["clustering"]["enabled"] is True
    assert any(
        one.client == ALLOY_PODS and one.server == ALLOY_PODS
        for one in logged(tier="prod")["alloy"].connections
    )


def test_alloy_and_grafana_reach_loki_and_nobody_of_the_tenants() -> None:
    by_name = logged()
    assert callers(by_name, LOKI_PODS) == {"logging", "monitoring"}
    assert any(
        one.client == GRAFANA_PODS and one.server == LOKI_PODS
        for one in by_name["loki"].connections
    )


def test_a_line_leads_to_its_trace_only_where_there_are_traces() -> None:
    assert datasource(logged()["loki"])["jsonData"]["derivedFields"] == []
    both = logged(features=Features(logging=True, tracing=True))
    (field,) = datasource(both["loki"])["jsonData"]["derivedFields"]
    assert (field["matcherRegex"], field["datasourceUid"]) == ("trace_id", "tempo")
    # Grafana replaces a single dollar sign by a variable of its environment.
    assert field["url"] == "$${__value.raw}"
