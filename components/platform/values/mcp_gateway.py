"""Values of charts/mcp-gateway: MCP tools behind one address that checks its callers.

The Gateway itself is a release of charts/inference-routing.
"""

from typing import Literal

from pydantic import Field

from components.platform.values.base import (
    ChartValues,
    Compute,
    Image,
    Name,
    ObjectName,
    Url,
)
from components.platform.values.inference_routing import GatewayReference


class PricePerMillion(ChartValues):
    """USD for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class ListedModel(ChartValues):
    """A model as the platform's own MCP server tells of it."""

    name: Name
    does: Literal["chat", "embeddings"]
    max_tokens: int = Field(ge=1)
    price: PricePerMillion


class OwnServer(ChartValues):
    """The platform's own MCP server."""

    image: Image = Field(description="Any image with a `python3` of 3.11 or later.")
    replicas: int = Field(default=1, ge=1)
    models_url: Url
    models: tuple[ListedModel, ...]
    compute: Compute = Compute(cpu=0.05, memory_mib=64)


class OtherServer(ChartValues):
    """An MCP server of somebody else, called by HTTPS at port 443."""

    name: Name
    host: str = Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")
    path: str = Field(default="/mcp", pattern=r"^/\S*$")
    token_secret: ObjectName | None = Field(
        default=None, description="Secret with the key `Authorization`."
    )


class Callers(ChartValues):
    """Whose tokens are taken, and where the keys are that these are signed with."""

    issuer: Url
    audience: str = Field(min_length=1)
    keys_service: Name
    keys_namespace: Name
    keys_port: int = Field(ge=1, le=65535)
    keys_path: str = Field(default="/keys", pattern=r"^/\S*$")
    scopes: tuple[str, ...] = ("openid", "email")


class McpGatewayValues(ChartValues):
    """All values of charts/mcp-gateway."""

    gateway_reference: GatewayReference
    public_url: Url = Field(description="Its address for callers, without a path.")
    callers: Callers
    own: OwnServer
    others: tuple[OtherServer, ...] = Field(default=(), max_length=31)
    requests_per_second: int = Field(default=10, ge=1)
