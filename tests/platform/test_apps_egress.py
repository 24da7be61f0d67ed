"""Models of providers: one way out of the cluster, its keys in one place, and only for LiteLLM."""

from components.platform import endpoints
from components.platform.apps.egress import EGRESS_PODS
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.apps.parts import PROMETHEUS_PODS
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.apps.traces import COLLECTOR_PODS
from components.platform.catalogue import CatalogueEntry
from components.platform.config import ExternalSource, Features, Model, Price
from components.platform.network import Outside, Pods
from tests.platform.samples import entries, inputs, model, values

ON = Features(egress=True)


def external(name: str = "claude-haiku", key: str = "anthropic-api-key") -> Model:
    return Model(
        name=name,
        source=ExternalSource(provider="google", model="gemini-2.5-flash", api_key_secret=key),
        max_model_len=200_000,
        price=Price(input_usd_per_million_tokens=1.0, output_usd_per_million_tokens=5.0),
    )


def stack(*models: Model) -> dict[str, CatalogueEntry]:
    return entries(inputs(features=ON, models=(model(), *models)))


def connected(
    found: dict[str, CatalogueEntry],
) -> list[tuple[Pods | Outside, Pods | Outside]]:
    return [
        (connection.client, connection.server)
        for entry in found.values()
        for connection in entry.connections
    ]


def test_a_model_of_a_provider_has_no_engine_no_pool_and_no_gpu() -> None:
    names = {name for name in stack(external()) if name.startswith("claude-haiku")}
    assert names == {"claude-haiku-route"}


def test_the_engine_of_a_providers_model_needs_no_word() -> None:
    assert external().engine == "external"
    assert model().engine == "vllm"


def test_a_request_is_led_to_the_provider_by_its_own_name_of_the_model() -> None:
    (chart,) = values(stack(external())["claude-haiku-route"])["models"]
    assert (chart["provider"], chart["model"]) == ("gemini", "gemini-2.5-flash")
    assert chart["timeoutSeconds"] == external().request_seconds


def test_litellm_calls_the_egress_gateway_and_has_no_key_of_a_provider() -> None:
    found = stack(external())
    listed = {
        one["model_name"]: one["litellm_params"]
        for one in values(found["litellm"])["proxy_config"]["model_list"]
    }
    params = listed["claude-haiku"]
    assert params["api_base"] == endpoints.EGRESS_GATEWAY.url("/v1")
    # Neither does our own key leave the cluster.
    assert params["api_key"] == "none"
    assert params["input_cost_per_token"] == 1e-6
    assert "extra_headers" not in params
    assert "anthropic-api-key" not in str(values(found["litellm-secrets"]))


def test_the_key_is_in_the_gateways_namespace_alone() -> None:
    found = stack(external())
    holders = {name for name, entry in found.items() if "anthropic-api-key" in str(entry.source)}
    assert holders == {"egress-claude-haiku-api-key"}
    assert found["egress-claude-haiku-api-key"].namespace == "egress"


def test_a_key_that_nobody_supplied_holds_up_no_other_model() -> None:
    found = stack(external(), external("other", "other-key"))
    waiting = {
        name
        for name, entry in found.items()
        if {"egress-claude-haiku-api-key", "claude-haiku-route"} & set(entry.requires)
    }
    assert waiting == set()


def test_the_secret_is_the_one_that_the_route_names_under_the_key_that_the_gateway_reads() -> None:
    found = stack(external())
    (chart,) = values(found["claude-haiku-route"])["models"]
    (consumer,) = values(found["egress-claude-haiku-api-key"])["consumers"]
    assert consumer["name"] == chart["apiKeySecret"]
    assert [one["key"] for one in consumer["entries"]] == ["Authorization"]


def test_litellm_alone_reaches_the_gateway_and_the_gateway_alone_the_internet() -> None:
    pairs = connected(stack(external()))
    clients = [client for client, server in pairs if server == EGRESS_PODS]
    assert [one for one in clients if one != PROMETHEUS_PODS] == [LITELLM_PODS]
    outward = [client for client, server in pairs if server == Outside.INTERNET]
    assert EGRESS_PODS in outward
    assert LITELLM_PODS not in outward
    assert GATEWAY_PODS not in outward


def test_a_stack_without_egress_has_no_way_out() -> None:
    found = entries()
    assert "egress-gateway" not in found
    assert EGRESS_PODS not in [server for _, server in connected(found)]


def test_the_gateway_takes_routes_of_its_own_namespace_alone() -> None:
    gateway = values(stack(external())["egress-gateway"])["gateway"]
    assert gateway["name"] == endpoints.EGRESS_GATEWAY.service
    assert gateway["routeNamespaces"] == ["egress"]


def test_a_request_to_a_provider_is_part_of_its_trace() -> None:
    traced = entries(
        inputs(features=Features(egress=True, tracing=True), models=(model(), external()))
    )
    assert values(traced["egress-gateway"])["gateway"]["spans"]["name"] == "otel-collector"
    assert (EGRESS_PODS, COLLECTOR_PODS) in connected(traced)
    assert (EGRESS_PODS, COLLECTOR_PODS) not in connected(stack(external()))


def test_a_proxy_that_stops_lets_the_longest_answer_of_a_provider_end() -> None:
    slow = external().model_copy(update={"longest_request_seconds": 1800})
    gateway = values(stack(slow)["egress-gateway"])["gateway"]
    assert gateway["longestRequestSeconds"] == 1800
