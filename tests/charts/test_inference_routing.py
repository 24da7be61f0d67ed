"""The routing chart: a gateway that nobody outside reaches, and routes by the model in the body."""

import pytest
from pydantic import ValidationError

from components.platform.values.inference_routing import GatewayValues, InferenceRoutingValues
from tests.charts.rendering import HelmError, Json, of_kind, only, render, render_values
from tests.charts.values import GATEWAY, ROUTES

pytestmark = pytest.mark.charts


def test_the_default_renders_nothing() -> None:
    assert render("inference-routing", InferenceRoutingValues()) == []


def test_the_gateway_is_no_load_balancer() -> None:
    objects = render("inference-routing", GATEWAY, namespace="inference")
    parameters = only(objects, "AgentgatewayParameters")
    assert parameters["spec"]["service"] == {"spec": {"type": "ClusterIP"}}
    reference = only(objects, "Gateway")["spec"]["infrastructure"]["parametersRef"]
    assert reference == {
        "group": "agentgateway.dev",
        "kind": "AgentgatewayParameters",
        "name": parameters["metadata"]["name"],
    }


def test_only_routes_of_the_pools_namespaces_attach() -> None:
    (listener,) = only(render("inference-routing", GATEWAY), "Gateway")["spec"]["listeners"]
    assert (listener["protocol"], listener["port"]) == ("HTTP", 80)
    assert listener["allowedRoutes"]["namespaces"] == {
        "from": "Selector",
        "selector": {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "In",
                    "values": ["serving"],
                }
            ]
        },
    }


def test_the_model_of_the_body_always_overwrites_the_header_even_when_there_is_none() -> None:
    objects = render("inference-routing", GATEWAY)
    policy = only(objects, "AgentgatewayPolicy", "inference-gateway-model-header")["spec"]
    assert policy["traffic"]["phase"] == "PreRouting"
    assert policy["targetRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": only(objects, "Gateway")["metadata"]["name"],
        }
    ]
    (header,) = policy["traffic"]["transformation"]["request"]["set"]
    assert header["name"] == "X-Gateway-Base-Model-Name"
    # `coalesce` swallows every error and has a last value that cannot fail.
    assert header["value"] == 'coalesce(string(json(request.body).model), "")'


def test_a_body_may_be_larger_than_the_gateways_default() -> None:
    policy = only(
        render("inference-routing", GATEWAY), "AgentgatewayPolicy", "inference-gateway-body-size"
    )
    assert policy["spec"]["frontend"]["http"]["maxBufferSize"] == "16Mi"


def test_a_proxy_that_stops_lets_the_longest_stream_end() -> None:
    parameters = only(render("inference-routing", GATEWAY), "AgentgatewayParameters")["spec"]
    assert parameters["shutdown"]["max"] > 300


def test_several_proxies_have_a_budget_and_are_spread_and_one_has_neither() -> None:
    several = only(render("inference-routing", GATEWAY), "AgentgatewayParameters")["spec"]
    assert several["podDisruptionBudget"] == {"spec": {"maxUnavailable": 1}}
    assert several["deployment"]["spec"]["replicas"] == 2
    (constraint,) = several["deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"]["matchLabels"] == {
        "gateway.networking.k8s.io/gateway-name": "inference-gateway"
    }
    one = InferenceRoutingValues(gateway=GatewayValues())
    alone = only(render("inference-routing", one), "AgentgatewayParameters")["spec"]
    assert "podDisruptionBudget" not in alone
    assert "topologySpreadConstraints" not in alone["deployment"]["spec"]["template"]["spec"]


def test_the_proxy_holds_no_token_of_the_api_server_and_logs_as_the_edge_does() -> None:
    parameters = only(render("inference-routing", GATEWAY), "AgentgatewayParameters")["spec"]
    assert not parameters["deployment"]["spec"]["template"]["spec"]["automountServiceAccountToken"]
    assert parameters["logging"] == {"format": "json"}


def test_the_proxy_asks_for_the_default_seccomp_profile() -> None:
    parameters = only(render("inference-routing", GATEWAY), "AgentgatewayParameters")["spec"]
    security = parameters["deployment"]["spec"]["template"]["spec"]["securityContext"]
    assert security == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_the_proxies_are_scraped_by_the_port_that_only_their_pods_have() -> None:
    objects = render("inference-routing", GATEWAY)
    monitor = only(objects, "PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"] == {
        "gateway.networking.k8s.io/gateway-name": only(objects, "Gateway")["metadata"]["name"]
    }
    assert [endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]] == ["metrics"]


def route(name: str) -> Json:
    return only(render("inference-routing", ROUTES, namespace="serving"), "HTTPRoute", name)


def policy_of(name: str) -> Json:
    return only(render("inference-routing", ROUTES), "AgentgatewayPolicy", name)["spec"]


def test_a_route_leads_from_the_exact_model_to_the_pool_of_its_own_namespace() -> None:
    found = route("qwen")
    assert found["metadata"]["namespace"] == "serving"
    assert found["spec"]["parentRefs"][0]["namespace"] == "inference"
    (rule,) = found["spec"]["rules"]
    (match,) = rule["matches"]
    assert match["headers"] == [
        {"type": "Exact", "name": "X-Gateway-Base-Model-Name", "value": "qwen"}
    ]
    assert rule["timeouts"] == {"request": "300s"}
    (backend,) = rule["backendRefs"]
    assert backend == {
        "group": "inference.networking.k8s.io",
        "kind": "InferencePool",
        "name": "qwen-pool",
        "weight": 1,
    }
    assert of_kind(render("inference-routing", ROUTES), "Gateway") == []


def test_the_names_of_adapters_lead_to_the_pool_of_their_model() -> None:
    (rule,) = route("coder")["spec"]["rules"]
    assert [match["headers"][0]["value"] for match in rule["matches"]] == ["coder", "coder-sql"]


def test_a_canary_is_a_second_pool_with_its_share_of_the_requests() -> None:
    (rule,) = route("coder")["spec"]["rules"]
    assert [(one["name"], one["weight"]) for one in rule["backendRefs"]] == [
        ("coder-pool", 90),
        ("coder-canary-pool", 10),
    ]


def test_only_what_no_replica_worked_on_is_tried_again_and_once() -> None:
    assert policy_of("qwen")["traffic"] == {
        "retry": {"attempts": 1, "backoff": "250ms", "codes": [503]}
    }


def test_a_policy_attaches_to_the_route_that_it_is_for() -> None:
    objects = render("inference-routing", ROUTES)
    for name in ("qwen", "coder"):
        (target,) = policy_of(name)["targetRefs"]
        assert target["kind"] == "HTTPRoute"
        # A name that no route has would be accepted, and do nothing.
        assert of_kind(objects, "HTTPRoute", target["name"]) != []


def test_what_a_sleeping_model_refuses_says_when_to_come_back_and_other_answers_stay() -> None:
    (header,) = policy_of("coder")["traffic"]["transformation"]["response"]["set"]
    assert header["name"] == "Retry-After"
    # Without replicas the picker answers 503, and 429 to requests of a batch model.
    assert header["value"] == (
        'response.code == 503 || response.code == 429 ? "60" : response.headers["retry-after"]'
    )


def test_an_objective_gives_its_pool_a_priority() -> None:
    objective = only(render("inference-routing", ROUTES), "InferenceObjective")
    assert objective["apiVersion"] == "inference.networking.x-k8s.io/v1alpha2"
    assert objective["spec"]["priority"] == 10
    assert objective["spec"]["poolRef"]["name"] == "qwen-pool"


def test_a_gateway_that_no_route_could_attach_to_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        GatewayValues(route_namespaces=())
    values = GATEWAY.to_values()
    values["gateway"]["routeNamespaces"] = []
    with pytest.raises(HelmError, match="minItems"):
        render_values("inference-routing", values)
