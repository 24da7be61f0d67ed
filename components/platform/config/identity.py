"""Who signs in, and by which provider."""

from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from components.platform.config.base import (
    HTTPS_PORT,
    EmailAddress,
    HostName,
    Section,
    is_supplied,
    is_text,
)

GroupName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._:@/-]+( [A-Za-z0-9._:@/-]+)*$",
        max_length=255,
        description="a group as the connector names it, without quotes and commas",
        examples=["your-org:platform"],
    ),
]


ConnectorName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=30,
        description="lower case letters, digits and hyphens, a letter first, at most 30 characters",
        examples=["keycloak"],
    ),
    AfterValidator(is_text),
]
"""What tells a connector from the others; 30 characters leave room for our prefix in 53."""


GitHubOrganization = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$",
        max_length=39,
        description="the name of an organisation as it stands in its URL",
        examples=["your-org"],
    ),
]


ClientId = Annotated[
    str,
    Field(
        # Dex puts variables of its environment where it reads a dollar.
        pattern=r"^[^\s$]+$",
        max_length=255,
        description="id of our client at the provider, without blanks and dollars",
        examples=["Ov23liExample"],
    ),
]


ClientSecretId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,200}$",
        description="id of our client's secret in the secret store, never the secret itself",
        examples=["github-client-secret"],
    ),
    AfterValidator(is_supplied),
]


class GitHubConnector(Section):
    """GitHub accounts; their groups are `organization:team`."""

    provider: Literal["github"]
    organizations: tuple[GitHubOrganization, ...] = Field(
        min_length=1,
        description="who is in none of them cannot sign in",
        examples=[["your-org"]],
    )
    client_id: ClientId
    client_secret: ClientSecretId

    @property
    def name(self) -> str:
        """What tells it from the other connectors."""
        return self.provider


class GoogleConnector(Section):
    """Google accounts of an organisation; they come without groups."""

    provider: Literal["google"]
    hosted_domains: tuple[HostName, ...] = Field(
        min_length=1,
        description="who is in none of them cannot sign in: without one, all of Google could",
        examples=[["example.com"]],
    )
    client_id: ClientId
    client_secret: ClientSecretId

    @property
    def name(self) -> str:
        """What tells it from the other connectors."""
        return self.provider


class OidcConnector(Section):
    """Any provider of OpenID Connect, such as Keycloak or Entra ID: whoever it knows signs in."""

    provider: Literal["oidc"]
    name: ConnectorName
    issuer: str = Field(
        pattern=r"^https://[^\s/?#]+(/[^\s?#]*)?$",
        description="URL of the issuer, without .well-known, at a public address",
        examples=["https://keycloak.example.com/realms/your-org"],
    )
    client_id: ClientId
    client_secret: ClientSecretId

    @property
    def port(self) -> int:
        """The port of the issuer, to which alone the network lets the identity provider out.

        Raises:
            ValueError: the URL names none that there is.
        """
        port = urlsplit(self.issuer).port
        return HTTPS_PORT if port is None else port

    @model_validator(mode="after")
    def _issuer_has_a_port(self) -> Self:
        try:
            can_be_called = self.port > 0
        except ValueError:
            can_be_called = False
        if not can_be_called:
            msg = (
                "the issuer's URL has no port from 1 to 65535; correct it, or leave it out for 443"
            )
            raise ValueError(msg)
        return self


def _connector_tag(value: object) -> str | None:
    if isinstance(value, dict):
        provider = cast("dict[str, object]", value).get("provider")
    else:
        provider = getattr(value, "provider", None)
    return f"<{provider}>" if provider in {"github", "google", "oidc"} else None


IdentityConnector = Annotated[
    Annotated[GitHubConnector, Tag("<github>")]
    | Annotated[GoogleConnector, Tag("<google>")]
    | Annotated[OidcConnector, Tag("<oidc>")],
    Discriminator(_connector_tag),
]


class IdentityConfig(Section):
    """Who signs in at feature identity, and who may do everything."""

    admin_email: EmailAddress | None = Field(
        default=None,
        description="of the one user that Dex has itself; left out, admin@ the domain. Its "
        "password is made in the cluster, under the id dex-admin-password of the store",
    )
    admin_groups: tuple[GroupName, ...] = Field(
        default=(),
        description="Groups of the connectors whose people administer Argo CD and Grafana.",
        examples=[["your-org:platform"]],
    )
    allowed_groups: tuple[GroupName, ...] = Field(
        default=(),
        description="groups that pass the sign-in of the edge; left out, everybody who signs in. "
        "The user of Dex itself has no group",
        examples=[["your-org:engineering"]],
    )
    connectors: tuple[IdentityConnector, ...] = ()
