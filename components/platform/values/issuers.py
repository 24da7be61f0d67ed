"""Values of charts/issuers: who signs certificates. One release for ACME, one for an own authority.

Both in cert-manager's namespace, the only one whose Secrets a ClusterIssuer reads.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.platform.values.base import ChartValues, Name, SecretKey
from components.platform.values.edge import GatewayReference, HostName

ACME_SERVERS = {
    "production": "https://acme-v02.api.letsencrypt.org/directory",
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Let's Encrypt: staging signs what no browser trusts, with limits that a trial never meets."""

EmailAddress = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class Acme(ChartValues):
    """A ClusterIssuer that proves control over the domain to a public authority."""

    name: Name
    server: str = Field(pattern=r"^https://\S+$")
    email: EmailAddress | None = Field(default=None, description="Of the account; not published.")
    domain: HostName = Field(description="Only this name and those below it are asked for.")
    solver: Literal["http01", "cloudflare", "google"]
    gateway: GatewayReference | None = Field(default=None, description="http01: who answers.")
    token: SecretKey | None = Field(default=None, description="cloudflare: the API token.")
    project: str | None = Field(default=None, description="google: the project of the zone.")
    zone: str | None = Field(default=None, description="google: name of the managed zone.")

    @model_validator(mode="after")
    def _solver_is_whole(self) -> Self:
        needs = {
            "http01": (self.gateway,),
            "cloudflare": (self.token,),
            "google": (self.project, self.zone),
        }
        if any(value is None for value in needs[self.solver]):
            msg = f"solver {self.solver} misses one of its values"
            raise ValueError(msg)
        return self


class InternalCa(ChartValues):
    """An authority of the cluster's own, and the certificates that its clients must trust."""

    name: Name
    common_name: str = Field(min_length=1, max_length=64)
    bundle: Name = Field(description="ConfigMap of every namespace with all that is trusted.")
    bundle_key: str = Field(default="ca-certificates.crt", pattern=r"^[A-Za-z0-9._-]+$")


class IssuersValues(ChartValues):
    """All values of charts/issuers."""

    acme: Acme | None = None
    internal_ca: InternalCa | None = None
