"""The MCP gateway: reached through the edge, by who has a token, and leading only where it may."""

from components.platform.apps.mcp import MCP_PROXY_PODS, MCP_SERVER_PODS
from components.platform.apps.routing import CONTROLLER_PODS
from components.platform.apps.sign_in import DEX_PODS
from components.platform.catalogue import PlatformInputs
from components.platform.config import Features, McpGatewayConfig, McpServer
from components.platform.network import Outside
from tests.platform.samples import callers, entries, inputs, model, values
from tests.samples import contract

ON = Features(public_edge=True, identity=True, mcp_gateway=True)
SERVERS = McpGatewayConfig(
    servers=(
        McpServer(name="docs", host="mcp.example.org", token_secret="docs-mcp"),  # noqa: S106
        McpServer(name="open", host="tools.example.org", path="/v1/mcp"),
    )
)


def of(mcp: McpGatewayConfig | None = None) -> PlatformInputs:
    plain = inputs(
        features=ON,
        models=(model(), model("vectors", engine="text_embeddings_inference")),
        contract=contract(),
    )
    if mcp is not None:
        config = plain.config.model_copy(update={"mcp_gateway": mcp})
        object.__setattr__(plain, "config", config)
    return plain


def test_without_sign_in_there_is_no_gateway_that_could_check_nobody() -> None:
    assert "mcp-gateway" not in entries()
    assert "mcp-gateway" not in entries(inputs(features=Features(mcp_gateway=True)))


def test_the_audience_of_the_tokens_is_a_client_of_dex_that_needs_no_secret() -> None:
    found = entries(of())
    chart = values(found["mcp-tools"])
    clients = {one["id"]: one for one in values(found["dex"])["config"]["staticClients"]}
    client = clients[chart["callers"]["audience"]]
    assert client == {"id": "mcp", "name": "mcp", "public": True}
    assert chart["callers"]["issuer"] == values(found["dex"])["config"]["issuer"]


def test_the_edge_leads_to_the_gateway_and_only_the_edge_does() -> None:
    found = entries(of())
    assert callers(found, MCP_PROXY_PODS) == {"edge", "monitoring"}
    assert callers(found, MCP_SERVER_PODS) == {"mcp"}
    (host,) = found["mcp-gateway"].hosts
    assert (host.name, host.sign_in) == ("mcp", False)
    # Nothing else of the gateway is of use to anybody outside.
    assert host.paths == ("/mcp", "/.well-known/oauth-protected-resource")


def test_the_controller_may_fetch_the_keys_that_tokens_are_checked_by() -> None:
    opened = entries(of())["mcp-tools"].connections
    assert [(one.client, one.server) for one in opened] == [(CONTROLLER_PODS, DEX_PODS)]


def test_the_gateway_leaves_the_cluster_only_for_servers_that_are_listed() -> None:
    def outside(found: PlatformInputs) -> bool:
        opened = entries(found)["mcp-gateway"].connections
        return Outside.INTERNET in [one.server for one in opened if one.client == MCP_PROXY_PODS]

    assert not outside(of())
    assert outside(of(SERVERS))


def test_servers_of_others_have_their_tokens_as_secrets_that_people_supply() -> None:
    entry = entries(of(SERVERS))["mcp-tools"]
    docs, opened = values(entry)["others"]
    assert (docs["host"], docs["tokenSecret"]) == ("mcp.example.org", "docs-token")
    assert "tokenSecret" not in opened
    (token,) = entry.secrets
    assert (token.name, token.entries[0].remote_id) == ("docs-token", "docs-mcp")
    # agentgateway looks for it there, whatever the header is.
    assert token.entries[0].key == "Authorization"


def test_the_platforms_own_tools_know_every_model_and_its_price() -> None:
    models = {one["name"]: one for one in values(entries(of())["mcp-tools"])["own"]["models"]}
    assert models["qwen-small"]["price"] == {"input": 0.5, "output": 1.5}
    assert models["vectors"]["does"] == "embeddings"
