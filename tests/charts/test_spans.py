"""What proxies and engines tell of a request: all of its way, and nothing of its words."""

import pytest

from components.platform.values.vllm import VllmValues
from tests.charts.rendering import Json, of_kind, only, render
from tests.charts.values import (
    EDGE_GATEWAY,
    GATEWAY,
    ONE_REPLICA,
    ROUTES,
    SEVERAL_NODES,
    TRACED_EDGE,
    TRACED_GATEWAY,
)

pytestmark = pytest.mark.charts

URL = "http://otel-collector.tracing.svc.cluster.local:4317"

TRACED = {"inference-routing": TRACED_GATEWAY, "edge": TRACED_EDGE}
UNTRACED = {"inference-routing": GATEWAY, "edge": EDGE_GATEWAY}


def tracing_policies(chart: str, objects: list[Json]) -> list[Json]:
    assert of_kind(objects, "Gateway"), chart
    return [
        one["spec"]
        for one in of_kind(objects, "AgentgatewayPolicy")
        if "tracing" in one["spec"].get("frontend", {})
    ]


@pytest.mark.parametrize("chart", TRACED)
def test_a_gateway_hands_every_span_to_the_collector(chart: str) -> None:
    objects = render(chart, TRACED[chart])
    (policy,) = tracing_policies(chart, objects)
    name = only(objects, "Gateway")["metadata"]["name"]
    assert [one["name"] for one in policy["targetRefs"]] == [name]
    tracing = policy["frontend"]["tracing"]
    assert tracing["backendRef"] == {"name": "otel-collector", "namespace": "tracing", "port": 4317}
    assert tracing["protocol"] == "GRPC"
    # Without the second one, a request that brings no trace would begin none.
    assert (tracing["clientSampling"], tracing["randomSampling"]) == ("true", "true")
    assert tracing["resources"] == [{"name": "service.name", "expression": f'"{name}"'}]


@pytest.mark.parametrize("chart", TRACED)
def test_a_gateway_adds_the_requests_id_to_a_span_and_nothing_of_its_body(chart: str) -> None:
    (policy,) = tracing_policies(chart, render(chart, TRACED[chart]))
    added = policy["frontend"]["tracing"]["attributes"]["add"]
    assert [one["expression"] for one in added] == ['request.headers["x-request-id"]']


@pytest.mark.parametrize("chart", UNTRACED)
def test_a_gateway_traces_nothing_by_default(chart: str) -> None:
    assert tracing_policies(chart, render(chart, UNTRACED[chart])) == []


def servers(values: VllmValues) -> list[Json]:
    """Return the engine's containers, those that answer HTTP first."""
    objects = render("vllm", values, release="qwen-vllm", namespace="serving")
    deployments = of_kind(objects, "Deployment")
    if deployments:
        return [deployments[0]["spec"]["template"]["spec"]["containers"][0]]
    group = only(objects, "LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]
    return [group[role]["spec"]["containers"][0] for role in ("leaderTemplate", "workerTemplate")]


def test_an_engine_sends_a_span_of_each_request_under_its_own_name() -> None:
    (server,) = servers(ONE_REPLICA.model_copy(update={"spans_url": URL}))
    assert f"--otlp-traces-endpoint={URL}" in server["args"]
    names = {one["name"]: one.get("value") for one in server["env"]}
    assert names["OTEL_SERVICE_NAME"] == "qwen-vllm"
    # Both would add what costs time at every token, or what was asked.
    assert not [
        one
        for one in server["args"]
        if one.startswith(("--collect-detailed-traces", "--enable-log-requests"))
    ]


def test_of_an_engine_on_several_nodes_only_the_one_that_answers_sends_spans() -> None:
    leader, worker = servers(SEVERAL_NODES.model_copy(update={"spans_url": URL}))
    assert f"--otlp-traces-endpoint={URL}" in leader["args"]
    assert not [one for one in worker["args"] if one.startswith("--otlp")]


def test_an_engine_traces_nothing_by_default() -> None:
    (server,) = servers(ONE_REPLICA)
    assert not [one for one in server["args"] if one.startswith("--otlp")]
    assert "OTEL_SERVICE_NAME" not in {one["name"] for one in server["env"]}


def test_a_request_has_its_models_priority_whatever_its_caller_asked_for() -> None:
    for route in of_kind(render("inference-routing", ROUTES), "HTTPRoute"):
        (rule,) = route["spec"]["rules"]
        (filtered,) = rule["filters"]
        assert filtered["type"] == "RequestHeaderModifier"
        assert filtered["requestHeaderModifier"]["set"] == [
            {"name": "x-gateway-inference-objective", "value": route["metadata"]["name"]}
        ]
