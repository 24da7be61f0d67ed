"""Feature tracing: who sends spans, what is kept of them, and what never is."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from components.contract import SubstrateContract
from components.platform import endpoints
from components.platform.apps.edge import PROXY_PODS
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.apps.serving import engine_pods
from components.platform.apps.traces import (
    COLLECTOR_PODS,
    PROMPT_ATTRIBUTES,
    TEMPO_PODS,
    collector_config,
    tempo_config,
)
from components.platform.catalogue import CatalogueEntry, PlatformInputs
from components.platform.config import Features, Tier, Tracing
from components.platform.network import Pods
from tests.platform.samples import GKE, HETZNER, callers, entries, inputs, values
from tests.samples import contract as with_domain

TRACES = Features(tracing=True)
COLLECTOR = {"name": "otel-collector", "namespace": "tracing", "port": 4317}


def stack(
    *,
    tier: Tier = "cost",
    contract: SubstrateContract = GKE,
    features: Features = TRACES,
) -> PlatformInputs:
    return inputs(features=features, tier=tier, contract=contract)


def traced(
    *,
    tier: Tier = "cost",
    contract: SubstrateContract = GKE,
    features: Features = TRACES,
) -> dict[str, CatalogueEntry]:
    return entries(stack(tier=tier, contract=contract, features=features))


def sampled(of: PlatformInputs) -> float:
    percentage = collector_config(of)["processors"]["probabilistic_sampler"]["sampling_percentage"]
    assert isinstance(percentage, float | int)
    return percentage


def senders(of: dict[str, CatalogueEntry]) -> list[Pods]:
    return [
        one.client
        for entry in of.values()
        for one in entry.connections
        if one.server == COLLECTOR_PODS and isinstance(one.client, Pods) and one.ports == (4317,)
    ]


def test_spans_go_to_the_service_that_every_sender_knows() -> None:
    set_values = values(traced()["otel-collector"])
    assert set_values["fullnameOverride"] == "otel-collector"
    assert endpoints.SPANS_GRPC.url() == "http://otel-collector.tracing.svc.cluster.local:4317"


def test_every_system_on_the_way_of_a_request_may_send_spans() -> None:
    found = senders(
        traced(
            features=Features(tracing=True, public_edge=True, identity=True),
            contract=with_domain(),
        )
    )
    picker = Pods(namespace="serving", labels={"inferencepool": "qwen-small-pool-epp"})
    assert {one.namespace for one in found} == {"edge", "litellm", "inference", "serving"}
    for pods in (PROXY_PODS, LITELLM_PODS, GATEWAY_PODS, picker, engine_pods("qwen-small")):
        assert pods in found


def test_nobody_sends_spans_where_tracing_is_off() -> None:
    by_name = entries(inputs())
    assert senders(by_name) == []
    for entry in by_name.values():
        assert "otel-collector" not in json.dumps(getattr(entry.source, "values", {}), default=str)


def test_the_inference_gateway_and_the_edge_hand_their_spans_in() -> None:
    by_name = traced(features=Features(tracing=True, public_edge=True), contract=with_domain())
    for name in ("inference-gateway", "edge"):
        assert values(by_name[name])["gateway"]["spans"] == COLLECTOR
    assert "spans" not in values(entries(inputs())["inference-gateway"])["gateway"]


def test_engines_and_pickers_hand_their_spans_in() -> None:
    by_name = traced()
    url = endpoints.SPANS_GRPC.url()
    assert values(by_name["qwen-small-vllm"])["spansUrl"] == url
    picker = values(by_name["qwen-small-pool"])["inferenceExtension"]["tracing"]
    assert (picker["enabled"], picker["otelExporterEndpoint"]) == (True, url)
    # All of them: who samples too, cuts parts out of traces that are kept.
    assert picker["sampling"] == {"sampler": "parentbased_traceidratio", "samplerArg": "1"}


def test_litellm_hands_its_spans_in_and_passes_the_trace_on() -> None:
    litellm = values(traced()["litellm"])
    settings = litellm["proxy_config"]["litellm_settings"]
    assert "otel" in settings["callbacks"]
    assert settings["forward_traceparent_to_llm_provider"] is True
    assert settings["turn_off_message_logging"] is True
    assert litellm["envVars"]["OTEL_ENDPOINT"] == endpoints.SPANS_GRPC.url()


@pytest.mark.parametrize(
    ("tier", "ratio", "percent"),
    [
        ("cost", None, 100),
        ("dev", None, 100),
        ("prod", None, 10),
        ("prod", 1.0, 100),
        ("cost", 0.0125, 1.25),
    ],
)
def test_the_share_that_is_kept_is_the_configs_or_the_tiers(
    tier: Tier, ratio: float | None, percent: float
) -> None:
    of = stack(tier=tier)
    config = of.config.model_copy(update={"tracing": Tracing(sampling_ratio=ratio)})
    assert sampled(replace(of, config=config)) == percent


def test_replicas_of_the_collector_keep_the_same_traces() -> None:
    sampler = collector_config(stack(tier="prod"))["processors"]["probabilistic_sampler"]
    # By the trace's id and a seed that all of them share.
    assert (sampler["mode"], sampler["hash_seed"]) == ("hash_seed", 1)
    assert values(traced(tier="prod")["otel-collector"])["replicaCount"] == 2


def test_every_part_of_the_pipeline_is_defined_and_every_definition_is_used() -> None:
    config = collector_config(stack())
    pipeline = config["service"]["pipelines"]["traces"]
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) == set(config[part])
    assert pipeline["processors"][0] == "memory_limiter"
    assert pipeline["processors"][-1] == "batch"


@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("gen_ai.prompt.0.content", True),
        ("gen_ai.completion.0.content", True),
        ("gen_ai.input.messages", True),
        ("gen_ai.output.messages", True),
        ("gen_ai.content.prompt", True),
        ("gen_ai.system_instructions", True),
        ("gen_ai.tool.call.arguments", True),
        ("llm.openai.messages", True),
        ("llm.prompts.0", True),
        ("input.value", True),
        ("output.value", True),
        ("hidden_params", True),
        ("http.request.body", True),
        ("metadata.requester_ip_address", True),
        ("metadata.user_api_key_hash", True),
        ("metadata.user_api_key_user_email", True),
        ("metadata.user_api_key_team_alias", False),
        ("gen_ai.usage.prompt_tokens", False),
        ("gen_ai.usage.completion_tokens", False),
        ("gen_ai.request.model", False),
        ("gen_ai.request.max_tokens", False),
        ("gen_ai.latency.time_to_first_token", False),
        ("gen_ai.response.id", False),
        ("http.response.status_code", False),
        ("litellm.call_id", False),
    ],
)
def test_what_was_asked_and_answered_is_in_no_trace(name: str, *, removed: bool) -> None:
    assert bool(re.search(PROMPT_ATTRIBUTES, name)) is removed


def test_prompts_are_removed_from_spans_and_from_their_events() -> None:
    processor = collector_config(stack())["processors"]["transform/prompts"]
    # By default a span that could not be cleaned is passed on.
    assert processor["error_mode"] == "propagate"
    assert {one["context"] for one in processor["trace_statements"]} == {"span", "spanevent"}
    for one in processor["trace_statements"]:
        (statement,) = one["statements"]
        found = re.fullmatch(r'delete_matching_keys\(attributes, (".*")\)', statement)
        assert found is not None
        assert json.loads(found.group(1)) == PROMPT_ATTRIBUTES


def test_no_dollar_sign_is_left_that_the_collector_would_read_as_a_variable() -> None:
    assert "$" not in json.dumps(collector_config(stack()))


def test_tempo_takes_spans_from_the_collector_alone() -> None:
    by_name = traced()
    config = tempo_config(stack())
    assert json.loads(values(by_name["tempo"])["config"]) == config
    assert config["distributor"]["receivers"] == {
        "otlp": {"protocols": {"grpc": {"endpoint": "0.0.0.0:4317"}}}
    }
    to_tempo = [
        one.client
        for entry in by_name.values()
        for one in entry.connections
        if one.server == TEMPO_PODS and endpoints.TEMPO_SPANS.port in one.ports
    ]
    assert to_tempo == [COLLECTOR_PODS]
    assert callers(by_name, TEMPO_PODS) == {"tracing", "monitoring"}


@pytest.mark.parametrize(
    ("tier", "disk", "retention"),
    [("cost", "10Gi", "72h"), ("dev", "10Gi", "72h"), ("prod", "50Gi", "336h")],
)
def test_traces_are_kept_by_tier(tier: Tier, disk: str, retention: str) -> None:
    set_values = values(traced(tier=tier, contract=HETZNER)["tempo"])
    assert set_values["persistence"]["enabled"] is True
    assert set_values["persistence"]["size"] == disk
    assert set_values["persistence"]["storageClassName"] == "hcloud-volumes"
    assert set_values["replicas"] == 1
    assert tempo_config(stack(tier=tier))["compactor"]["compaction"] == {
        "block_retention": retention
    }


def test_nothing_waits_for_traces() -> None:
    required = {one for entry in traced().values() for one in entry.requires}
    assert not {"tempo", "otel-collector"} & required


def test_a_trace_leads_to_its_lines_only_where_there_are_logs() -> None:
    def links(of: dict[str, CatalogueEntry]) -> dict[str, Any]:
        (config_map,) = values(of["otel-collector"])["extraManifests"]
        assert config_map["metadata"]["namespace"] == "monitoring"
        (source,) = json.loads(config_map["data"]["tempo.yaml"])["datasources"]
        assert source["uid"] == "tempo"
        return dict(source["jsonData"])

    assert links(traced()) == {}
    both = links(traced(features=Features(logging=True, tracing=True)))
    assert both["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert 'trace_id="$${__trace.traceId}"' in both["tracesToLogsV2"]["query"]
