"""The chart of the MCP gateway: nobody calls a tool without a token, and only listed servers."""

import pytest

from tests.charts.rendering import only, render
from tests.charts.values import MCP_GATEWAY

pytestmark = pytest.mark.charts


def test_every_path_of_the_route_asks_for_a_token_of_this_audience() -> None:
    objects = render("mcp-gateway", MCP_GATEWAY, release="mcp-tools", namespace="mcp")
    policy = only(objects, "AgentgatewayPolicy")["spec"]
    route = only(objects, "HTTPRoute")
    # A policy for a route of another name is accepted, and does nothing.
    assert policy["targetRefs"] == [
        {
            "group": "gateway.networking.k8s.io",
            "kind": "HTTPRoute",
            "name": route["metadata"]["name"],
        }
    ]
    checked = policy["traffic"]["jwtAuthentication"]
    assert checked["mode"] == "Strict"
    (provider,) = checked["providers"]
    assert provider["issuer"] == "https://auth.llm.example.com"
    assert provider["audiences"] == ["mcp"]
    assert policy["traffic"]["rateLimit"]["local"][0]["requests"] == 10


def test_the_keys_of_the_tokens_come_from_the_identity_provider_which_allows_the_reference() -> (
    None
):
    objects = render("mcp-gateway", MCP_GATEWAY, release="mcp-tools", namespace="mcp")
    (provider,) = only(objects, "AgentgatewayPolicy")["spec"]["traffic"]["jwtAuthentication"][
        "providers"
    ]
    reference = provider["jwks"]["remote"]["backendRef"]
    grant = only(objects, "ReferenceGrant")
    assert grant["metadata"]["namespace"] == reference["namespace"] == "identity"
    assert grant["spec"]["to"] == [{"group": "", "kind": "Service", "name": reference["name"]}]
    assert grant["spec"]["from"][0]["namespace"] == "mcp"


def test_whoever_has_no_token_is_told_where_tokens_come_from() -> None:
    objects = render("mcp-gateway", MCP_GATEWAY)
    told = only(objects, "AgentgatewayPolicy")["spec"]["traffic"]["jwtAuthentication"]["mcp"]
    assert told["resourceMetadata"]["resource"] == "https://mcp.llm.example.com/mcp"
    assert told["resourceMetadata"]["authorizationServers"] == ["https://auth.llm.example.com"]
    # Other than Auth0 and Keycloak, the identity provider speaks for itself.
    assert "provider" not in told
    (rule,) = only(objects, "HTTPRoute")["spec"]["rules"]
    assert [match["path"]["value"] for match in rule["matches"]] == [
        "/mcp",
        "/.well-known/oauth-protected-resource",
    ]


def test_servers_of_others_are_those_of_the_list_by_https_with_their_tokens() -> None:
    objects = render("mcp-gateway", MCP_GATEWAY, namespace="mcp")
    own, docs, opened = only(objects, "AgentgatewayBackend")["spec"]["mcp"]["targets"]
    service = only(objects, "Service")
    assert own["static"]["host"] == f"{service['metadata']['name']}.mcp.svc.cluster.local"
    assert own["static"]["port"] == service["spec"]["ports"][0]["port"]
    assert docs["static"]["host"] == "mcp.example.org"
    assert docs["static"]["policies"] == {"tls": {}, "auth": {"secretRef": {"name": "docs-token"}}}
    assert opened["static"]["policies"] == {"tls": {}}
    assert opened["static"]["path"] == "/v1/mcp"
    assert {one["static"]["port"] for one in (docs, opened)} == {443}


def test_a_server_that_is_down_takes_no_other_tools_away() -> None:
    backend = only(render("mcp-gateway", MCP_GATEWAY), "AgentgatewayBackend")
    assert backend["spec"]["mcp"]["failureMode"] == "FailOpen"
