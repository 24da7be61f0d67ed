"""The public edge: listeners, certificates, routes, and policies that must name them rightly."""

import pytest

from components.platform.values.edge import EdgeValues, HostRoute
from tests.charts.rendering import HelmError, Json, of_kind, only, render
from tests.charts.values import EDGE_GATEWAY, EDGE_ROUTES

pytestmark = pytest.mark.charts

IDENTITY_HEADERS = {
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
}


def gateway() -> list[Json]:
    return render("edge", EDGE_GATEWAY, namespace="edge")


def routes() -> list[Json]:
    return render("edge", EDGE_ROUTES, namespace="experience")


def policy(objects: list[Json], name: str) -> Json:
    return only(objects, "AgentgatewayPolicy", name)["spec"]


def sign_in_policies(objects: list[Json]) -> list[Json]:
    return [
        one["spec"]
        for one in of_kind(objects, "AgentgatewayPolicy")
        if "extAuth" in one["spec"]["traffic"]
    ]


def test_only_the_edge_asks_for_a_load_balancer_with_what_the_cloud_wants() -> None:
    service = only(gateway(), "AgentgatewayParameters")["spec"]["service"]
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"] == {"example.com/load-balancer": "internal"}


def test_each_listener_has_a_certificate_of_its_own_for_its_host_alone() -> None:
    objects = gateway()
    listeners = only(objects, "Gateway")["spec"]["listeners"][1:]
    certificates = {
        one["spec"]["secretName"]: one["spec"]["dnsNames"]
        for one in of_kind(objects, "Certificate")
    }
    assert len(listeners) == len(certificates) == 2
    for listener in listeners:
        (reference,) = listener["tls"]["certificateRefs"]
        assert certificates[reference["name"]] == [listener["hostname"]]


def test_a_listener_takes_routes_of_one_namespace_and_the_plain_one_none_but_its_own() -> None:
    plain, *listeners = only(gateway(), "Gateway")["spec"]["listeners"]
    assert plain["protocol"] == "HTTP"
    assert plain["allowedRoutes"]["namespaces"] == {"from": "Same"}
    assert {
        one["hostname"]: one["allowedRoutes"]["namespaces"]["selector"]["matchLabels"]
        for one in listeners
    } == {
        "chat.llm.example.com": {"kubernetes.io/metadata.name": "experience"},
        "auth.llm.example.com": {"kubernetes.io/metadata.name": "identity"},
    }


def test_plain_http_is_redirected_for_the_hosts_of_the_domain() -> None:
    route = only(gateway(), "HTTPRoute")["spec"]
    assert route["parentRefs"][0]["sectionName"] == "http"
    assert route["hostnames"] == ["*.llm.example.com"]
    (rule,) = route["rules"]
    assert rule["filters"][0]["requestRedirect"] == {"scheme": "https", "statusCode": 301}


def test_every_policy_of_the_gateway_names_the_gateway() -> None:
    objects = gateway()
    name = only(objects, "Gateway")["metadata"]["name"]
    policies = of_kind(objects, "AgentgatewayPolicy")
    assert len(policies) == 4
    for one in policies:
        (target,) = one["spec"]["targetRefs"]
        assert (target["kind"], target["name"]) == ("Gateway", name)


def test_what_a_caller_says_of_himself_is_dropped_before_the_request_is_routed() -> None:
    traffic = policy(gateway(), "edge-request-headers")["traffic"]
    assert traffic["phase"] == "PreRouting"
    request = traffic["transformation"]["request"]
    assert set(request["remove"]) >= IDENTITY_HEADERS
    assert {one["name"]: one["value"] for one in request["set"]} == {
        "x-forwarded-for": "source.address",
        "x-real-ip": "source.address",
        "x-forwarded-host": "request.host",
        "x-forwarded-proto": '"https"',
    }


def test_the_sign_in_can_set_no_header_that_a_caller_could_set_too() -> None:
    removed = set(
        policy(gateway(), "edge-request-headers")["traffic"]["transformation"]["request"]["remove"]
    )
    (asked,) = sign_in_policies(routes())
    assert set(asked["traffic"]["extAuth"]["http"]["allowedResponseHeaders"]) <= removed


def test_answers_carry_the_headers_that_browsers_protect_users_by() -> None:
    response = policy(gateway(), "edge-responses")["traffic"]["headerModifiers"]["response"]
    headers = {one["name"]: one["value"] for one in response["set"]}
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert headers["x-content-type-options"] == "nosniff"
    assert {"x-frame-options", "referrer-policy", "permissions-policy"} <= headers.keys()
    assert response["remove"] == ["server", "x-powered-by"]


def test_old_versions_of_tls_are_refused_and_requests_are_limited() -> None:
    objects = gateway()
    assert policy(objects, "edge-connections")["frontend"]["tls"]["minProtocolVersion"] == "1.2"
    (limit,) = policy(objects, "edge-limit")["traffic"]["rateLimit"]["local"]
    assert limit == {"requests": 500, "unit": "Seconds", "burst": 500}


def test_several_proxies_have_a_budget_and_are_spread_and_one_has_neither() -> None:
    assert EDGE_GATEWAY.gateway is not None
    alone = EDGE_GATEWAY.gateway.model_copy(update={"replicas": 1})
    many = only(gateway(), "AgentgatewayParameters")["spec"]
    one = only(render("edge", EdgeValues(gateway=alone)), "AgentgatewayParameters")["spec"]
    assert many["podDisruptionBudget"]["spec"] == {"maxUnavailable": 1}
    assert many["deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert "podDisruptionBudget" not in one
    assert "topologySpreadConstraints" not in one["deployment"]["spec"]["template"]["spec"]


def test_a_proxy_drains_for_longer_than_a_request_may_take() -> None:
    assert EDGE_GATEWAY.gateway is not None
    shutdown = only(gateway(), "AgentgatewayParameters")["spec"]["shutdown"]
    assert shutdown["max"] > EDGE_GATEWAY.gateway.longest_request_seconds


def test_a_route_attaches_to_the_listener_of_its_name_and_leads_to_its_own_namespace() -> None:
    for route, values in zip(
        ["edge-chat", "edge-api", "edge-plain"], EDGE_ROUTES.routes, strict=True
    ):
        spec = only(routes(), "HTTPRoute", route)["spec"]
        assert spec["parentRefs"][0]["sectionName"] == f"https-{values.name}"
        assert spec["parentRefs"][0]["namespace"] == "edge"
        (backend,) = spec["rules"][0]["backendRefs"]
        assert (backend["name"], backend["port"]) == (values.service, values.port)
        assert "namespace" not in backend


def test_a_policy_names_a_route_that_is_there_or_it_would_never_run() -> None:
    objects = routes()
    there = {one["metadata"]["name"] for one in of_kind(objects, "HTTPRoute")}
    targets = [
        target
        for one in of_kind(objects, "AgentgatewayPolicy")
        for target in one["spec"]["targetRefs"]
    ]
    assert [one["kind"] for one in targets] == ["HTTPRoute"] * 2
    assert {one["name"] for one in targets} == {"edge-chat", "edge-api"}
    assert {one["name"] for one in targets} <= there


def test_exactly_the_routes_that_ask_for_a_session_are_behind_the_sign_in() -> None:
    (asked,) = sign_in_policies(routes())
    assert [one["name"] for one in asked["targetRefs"]] == ["edge-chat"]


def test_the_sign_in_fails_closed_and_sends_a_browser_back_to_where_it_came_from() -> None:
    (asked,) = sign_in_policies(routes())
    auth = asked["traffic"]["extAuth"]
    assert auth["failureMode"] == "FailClosed"
    assert auth["backendRef"] == {
        "group": "",
        "kind": "Service",
        "name": "oauth2-proxy",
        "namespace": "identity",
        "port": 80,
    }
    assert auth["http"]["path"] == '"/oauth2/auth"'
    assert auth["http"]["allowedRequestHeaders"] == ["cookie"]
    assert auth["http"]["redirect"].startswith(
        '"https://login.llm.example.com/oauth2/start?rd=https://chat.llm.example.com" '
        "+ request.pathAndQuery.replace("
    )


def test_a_route_comes_after_its_policy_so_that_it_is_never_open() -> None:
    waves = {
        one["kind"]: one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0")
        for one in routes()
    }
    assert int(waves["HTTPRoute"]) > int(waves["AgentgatewayPolicy"])


def test_open_paths_have_a_route_of_their_own_without_the_sign_in() -> None:
    objects = routes()
    spec = only(objects, "HTTPRoute", "edge-chat-open")["spec"]
    assert [one["path"]["value"] for one in spec["rules"][0]["matches"]] == ["/health"]
    assert spec["hostnames"] == only(objects, "HTTPRoute", "edge-chat")["spec"]["hostnames"]


def test_the_sign_in_grants_the_namespaces_that_ask_it_and_no_other_service() -> None:
    grant = only(routes(), "ReferenceGrant")["spec"]
    assert [one["namespace"] for one in grant["from"]] == ["experience", "monitoring"]
    assert {one["kind"] for one in grant["from"]} == {"AgentgatewayPolicy"}
    assert grant["to"] == [{"group": "", "kind": "Service", "name": "oauth2-proxy"}]


def test_a_route_that_asks_for_a_session_is_refused_where_nobody_gives_any() -> None:
    route = HostRoute(
        name="chat", hostname="chat.llm.example.com", service="chat", port=80, sign_in=True
    )
    with pytest.raises(HelmError, match="signIn is required"):
        render("edge", EdgeValues(routes=(route,)))
