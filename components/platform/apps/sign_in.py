"""Addresses and rights of the public edge and of single sign-on, as systems behind them see it.

Dex's own entry is in `identity`, the Gateway's in `edge`. Both stand on what other entries say, so
what those need of them is here.
"""

from typing import Final

from components import names
from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.catalogue import PlatformInputs, SignInClient
from components.platform.network import Connection, Pods
from components.platform.values.secrets import GeneratedSecret

DEX_PODS: Final = Pods(namespace=namespaces.IDENTITY, labels={"app.kubernetes.io/name": "dex"})

GROUP_SCOPES: Final = "openid profile email groups"
"""What a system asks of Dex: who somebody is, and in which groups."""


def has_edge(inputs: PlatformInputs) -> bool:
    """Return whether the stack has a public edge."""
    return inputs.config.features.public_edge and inputs.contract.domain is not None


def has_sign_in(inputs: PlatformInputs) -> bool:
    """Return whether the stack has single sign-on: browsers reach Dex through the edge."""
    return inputs.config.features.identity and has_edge(inputs)


def domain(inputs: PlatformInputs) -> str:
    """Return the domain of a stack that has an edge.

    Raises:
        ValueError: the stack has none.
    """
    if inputs.contract.domain is None:
        msg = "a stack without a domain has no public address"
        raise ValueError(msg)
    return inputs.contract.domain


def url(inputs: PlatformInputs, host: str, path: str = "") -> str:
    """Return the public address of a host."""
    return f"https://{host}.{domain(inputs)}{path}"


def issuer(inputs: PlatformInputs) -> str:
    """Return the issuer of the tokens, which is where browsers sign in."""
    return names.issuer_url(domain(inputs))


def authorization_url(inputs: PlatformInputs) -> str:
    """Return where a browser is sent to sign in."""
    return f"{issuer(inputs)}/auth"


def token_url() -> str:
    """Return where a system changes a code for a token.

    Dex's own Service, as for all that browsers do not call: the way over the public address needs a
    load balancer that its own cluster can reach, public DNS, and trust in the edge's certificate.
    """
    return endpoints.DEX.url("/token")


def keys_url() -> str:
    """Return where the keys are that Dex signs with."""
    return endpoints.DEX.url("/keys")


def userinfo_url() -> str:
    """Return where a system asks who a token belongs to."""
    return endpoints.DEX.url("/userinfo")


def admin_email(inputs: PlatformInputs) -> str:
    """Return the address of Dex's own user, who may do everything."""
    return names.admin_email(domain(inputs), inputs.config.identity.admin_email)


def client_secret(client: str) -> GeneratedSecret:
    """Return the secret between Dex and one of its clients."""
    return GeneratedSecret(remote_id=f"dex-{client}-client-secret")


def client(name: str, host: str, callback: str) -> SignInClient:
    """Return a client of Dex whose secret the cluster makes."""
    return SignInClient(
        id=name, host=host, callback=callback, secret_id=client_secret(name).remote_id
    )


def calls_dex(pods: Pods) -> Connection:
    """Return the connection of a system that signs its users in."""
    return Connection(client=pods, server=DEX_PODS, ports=(endpoints.DEX.port,))
