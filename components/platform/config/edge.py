"""The public edge, and who answers for its domain."""

from typing import Annotated, Literal, cast

from pydantic import (
    Discriminator,
    Field,
    Tag,
)

from components.platform.config.base import (
    DnsLabel,
    EmailAddress,
    HostName,
    RemoteSecretId,
    Section,
)


class Cloudflare(Section):
    """DNS at Cloudflare, by an API token that may edit the one zone."""

    provider: Literal["cloudflare"]
    zone: HostName
    token_secret: RemoteSecretId | None = Field(
        default=None, description="Id of the API token in the secret store."
    )


class GoogleDns(Section):
    """DNS in a Cloud DNS managed zone, by workload identity."""

    provider: Literal["google"]
    zone: DnsLabel = Field(
        description="name of the managed zone: letters, digits and hyphens, without dots",
        examples=["example-com"],
    )


class NoDns(Section):
    """Nobody manages records for this stack."""

    provider: Literal["none"] = "none"


def _dns_tag(value: object) -> str | None:
    if isinstance(value, dict):
        provider = cast("dict[str, object]", value).get("provider", "none")
    else:
        provider = getattr(value, "provider", None)
    return f"<{provider}>" if provider in {"none", "google", "cloudflare"} else None


DnsConfig = Annotated[
    Annotated[NoDns, Tag("<none>")]
    | Annotated[GoogleDns, Tag("<google>")]
    | Annotated[Cloudflare, Tag("<cloudflare>")],
    Discriminator(_dns_tag),
]
"""Tags in angle brackets never look like a key, so an error's YAML path can leave them out."""


class EdgeConfig(Section):
    """The public edge. What signs its certificates follows from `platform.dns` and the features.

    With a DNS provider an ACME server, asked by records in the zone; without one and with feature
    internal_ca the cluster's own authority; else an ACME server that calls the edge itself, on port
    80 and by names that already lead there.
    """

    acme_server: Literal["production", "staging"] = Field(
        default="production",
        description="Of Let's Encrypt; staging is not trusted, and its limits are wide.",
    )
    acme_email: EmailAddress | None = Field(
        default=None, description="Of the account at the ACME server, which need not know one."
    )
    requests_per_second: int = Field(
        default=500, ge=1, le=1_000_000, description="What one proxy lets in, over all callers."
    )
