"""Single sign-on: Dex knows who somebody is, oauth2-proxy says so for systems that cannot ask.

Both work at every profile. What signs in at Dex follows from the `sign_in_clients` of all entries.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from components import names
from components.platform import endpoints
from components.platform.apps import namespaces, sign_in
from components.platform.apps.parts import (
    calls_api_server,
    calls_internet,
    compute,
    disruption_budget,
    entry,
    replicas,
    scraped,
    spread,
)
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    Host,
    PlatformInputs,
    SignInClient,
    UpstreamChart,
)
from components.platform.config import (
    HTTPS_PORT,
    GitHubConnector,
    GoogleConnector,
    IdentityConnector,
    OidcConnector,
)
from components.platform.network import Connection, Pods
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry
from components.versions import DEX, OAUTH2_PROXY

DEX_ENTRY: Final = "dex"
OAUTH2_PROXY_ENTRY: Final = "oauth2-proxy"

OAUTH2_PROXY_PODS: Final = Pods(
    namespace=namespaces.IDENTITY, labels={"app.kubernetes.io/name": "oauth2-proxy"}
)
ARGO_CD_PODS: Final = Pods(
    namespace=names.ARGO_CD_NAMESPACE, labels={"app.kubernetes.io/name": "argocd-server"}
)

SESSION_HOST: Final = "login"
"""Host of oauth2-proxy: where a browser without a session is sent first, and comes back to."""
START_PATH: Final = "/oauth2/start"
_CALLBACK_PATH: Final = "/oauth2/callback"
_PROXY_PORT: Final = 4180
_TELEMETRY_PORT: Final = 5558

ADMIN_PASSWORD: Final = GeneratedSecret(remote_id="dex-admin-password")
"""Of Dex's own user. People read it in the store; in the cluster there is only its hash."""
_HASH_VARIABLE: Final = "DEX_ADMIN_PASSWORD_HASH"
_CLIENTS: Final = "dex-clients"
_CONNECTOR_KEY: Final = "client-secret"
_SESSION: Final = "oauth2-proxy-session"
_COOKIE_SECRET: Final = GeneratedSecret(remote_id="oauth2-proxy-cookie-secret", length=32)
"""Its length picks the cipher: oauth2-proxy takes 16, 24 or 32 bytes and nothing else."""

_SIGN_IN_REQUESTS_PER_SECOND: Final = 20
"""Slows down who guesses passwords; bcrypt alone takes Dex about 50 ms of a CPU each."""

_RESTRICTED_POD: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_RESTRICTED_CONTAINER: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def oauth2_proxy(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Answers the edge whether a request has a session, and signs a browser without one in."""
    if not sign_in.has_sign_in(inputs):
        return ()
    client = sign_in.client(OAUTH2_PROXY_ENTRY, SESSION_HOST, _CALLBACK_PATH)
    return (
        entry(
            OAUTH2_PROXY_ENTRY,
            namespaces.IDENTITY,
            "platform",
            UpstreamChart(
                pin=OAUTH2_PROXY,
                values={
                    "replicaCount": replicas(inputs),
                    "config": {
                        "existingSecret": _SESSION,
                        "configFile": _as_toml(_oauth2_proxy_config(inputs)),
                    },
                    "metrics": {"serviceMonitor": {"enabled": True}},
                    "serviceAccount": {"automountServiceAccountToken": False},
                    "enableServiceLinks": False,
                    "podSecurityContext": _RESTRICTED_POD,
                    "resources": compute(25, 64),
                    "podDisruptionBudget": disruption_budget(inputs),
                    "topologySpreadConstraints": spread(inputs, OAUTH2_PROXY_PODS),
                },
            ),
            feature="identity",
            description="Sessions for systems behind the edge that have no sign-in of their own",
            rules=("sign-in",),
            # The chart brings a ServiceMonitor.
            requires=(PROMETHEUS_CRDS_ENTRY,),
            secrets=(
                ConsumerSecret(
                    name=_SESSION,
                    namespace=namespaces.IDENTITY,
                    entries=(
                        SecretEntry(key="client-secret", remote_id=client.secret_id),
                        SecretEntry(key="cookie-secret", remote_id=_COOKIE_SECRET.remote_id),
                    ),
                    literals={"client-id": client.id},
                ),
            ),
            generates=(_COOKIE_SECRET,),
            connections=(
                sign_in.calls_dex(OAUTH2_PROXY_PODS),
                scraped(OAUTH2_PROXY_PODS, 44180),
            ),
            hosts=(
                Host(
                    name=SESSION_HOST,
                    service=endpoints.OAUTH2_PROXY.service,
                    port=endpoints.OAUTH2_PROXY.port,
                    pods=OAUTH2_PROXY_PODS,
                    target_port=_PROXY_PORT,
                    paths=("/oauth2",),
                    requests_per_second=_SIGN_IN_REQUESTS_PER_SECOND,
                ),
            ),
            sign_in_clients=(client,),
        ),
    )


def _oauth2_proxy_config(inputs: PlatformInputs) -> dict[str, Any]:
    """Return oauth2-proxy's settings, as its file spells them. The secrets are not among them."""
    shared = f".{sign_in.domain(inputs)}"
    settings: dict[str, Any] = {
        "provider": "oidc",
        "provider_display_name": "Dex",
        "oidc_issuer_url": sign_in.issuer(inputs),
        # All but the page where people sign in is asked for inside the cluster.
        "skip_oidc_discovery": True,
        "login_url": sign_in.authorization_url(inputs),
        "redeem_url": sign_in.token_url(),
        "oidc_jwks_url": sign_in.keys_url(),
        "scope": sign_in.GROUP_SCOPES,
        "code_challenge_method": "S256",
        "redirect_url": sign_in.url(inputs, SESSION_HOST, _CALLBACK_PATH),
        "skip_provider_button": True,
        # It only says yes or no to the edge, and passes nothing on.
        "upstreams": ["static://202"],
        "set_xauthrequest": True,
        # Who may sign in at all is Dex's to say.
        "email_domains": ["*"],
        "cookie_name": "__Secure-llmp",
        "cookie_domains": [shared],
        "whitelist_domains": [shared],
        "cookie_secure": True,
        "cookie_httponly": True,
        "cookie_samesite": "lax",
        "cookie_expire": "12h",
        # Two tabs that sign in at once must not end each other's attempt.
        "cookie_csrf_per_request": True,
        "cookie_csrf_expire": "15m",
        # Without Dex's tokens the cookie fits in one header, and no system behind can use them.
        "session_cookie_minimal": True,
        "silence_ping_logging": True,
    }
    if inputs.config.identity.allowed_groups:
        settings["allowed_groups"] = list(inputs.config.identity.allowed_groups)
    return settings


def _as_toml(settings: dict[str, Any]) -> str:
    """Return flat settings as TOML, which spells texts, flags and lists of them as JSON does."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def dex(inputs: PlatformInputs, entries: Sequence[CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
    """Dex, with a client for each system that signs people in.

    Argo CD is no entry of the catalogue, so its host and its client are said here, where the
    substrate's Argo CD is set up for it.
    """
    if not sign_in.has_sign_in(inputs):
        return ()
    own = _argo_cd_client() if inputs.contract.argo_cd_sign_in else ()
    clients = (*own, *(client for each in entries for client in each.sign_in_clients))
    connectors = inputs.config.identity.connectors
    made = tuple(GeneratedSecret(remote_id=client.secret_id) for client in clients)
    return (
        entry(
            DEX_ENTRY,
            namespaces.IDENTITY,
            "platform",
            UpstreamChart(
                pin=DEX,
                values={
                    "replicaCount": replicas(inputs),
                    "config": _dex_config(
                        inputs, clients, [name for each in entries for name in each.public_clients]
                    ),
                    "envVars": _environment(clients, connectors),
                    "rbac": {"create": True, "createClusterScoped": True},
                    "podSecurityContext": {**_RESTRICTED_POD, "runAsUser": 1001},
                    "securityContext": _RESTRICTED_CONTAINER,
                    # Its image fills the config in there before it starts Dex.
                    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}],
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
                    "serviceMonitor": {"enabled": True},
                    "resources": compute(50, 128),
                    "podDisruptionBudget": disruption_budget(inputs),
                    "topologySpreadConstraints": spread(inputs, sign_in.DEX_PODS),
                },
            ),
            feature="identity",
            description="Who somebody is: one sign-in for all systems",
            rules=("sign-in",),
            # The chart brings a ServiceMonitor.
            requires=(PROMETHEUS_CRDS_ENTRY,),
            secrets=_dex_secrets(inputs, clients),
            generates=(*made, ADMIN_PASSWORD),
            connections=(
                # Its storage: custom resources, whose definitions it makes itself.
                calls_api_server(sign_in.DEX_PODS),
                scraped(sign_in.DEX_PODS, _TELEMETRY_PORT),
                *_connector_connections(connectors),
            ),
            hosts=(
                Host(
                    name=names.SIGN_IN_HOST,
                    service=endpoints.DEX.service,
                    port=endpoints.DEX.port,
                    pods=sign_in.DEX_PODS,
                    target_port=endpoints.DEX.port,
                    requests_per_second=_SIGN_IN_REQUESTS_PER_SECOND,
                ),
                *((_argo_cd_host(),) if own else ()),
            ),
            sign_in_clients=own,
        ),
    )


def _connector_connections(connectors: Sequence[IdentityConnector]) -> tuple[Connection, ...]:
    """Return the ways to the providers of identities, on the ports that their URLs name."""
    ports = {one.port if isinstance(one, OidcConnector) else HTTPS_PORT for one in connectors}
    return (calls_internet(sign_in.DEX_PODS, *sorted(ports)),) if ports else ()


def _argo_cd_client() -> tuple[SignInClient, ...]:
    return (sign_in.client(names.ARGO_CD_CLIENT, names.ARGO_CD_HOST, "/auth/callback"),)


def _argo_cd_host() -> Host:
    return Host(
        name=names.ARGO_CD_HOST,
        service="argocd-server",
        port=80,
        pods=ARGO_CD_PODS,
        target_port=8080,
    )


def _dex_config(
    inputs: PlatformInputs, clients: Sequence[SignInClient], public_clients: Sequence[str]
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "issuer": sign_in.issuer(inputs),
        # In memory, a restart would end every sign-in that is under way.
        "storage": {"type": "kubernetes", "config": {"inCluster": True}},
        "web": {"http": f"0.0.0.0:{endpoints.DEX.port}"},
        "telemetry": {"http": f"0.0.0.0:{_TELEMETRY_PORT}"},
        "logger": {"format": "json"},
        # All clients are the platform's own.
        "oauth2": {"skipApprovalScreen": True},
        "expiry": {
            "idTokens": "1h",
            "refreshTokens": {"validIfNotUsedFor": "168h", "absoluteLifetime": "720h"},
        },
        "enablePasswordDB": True,
        "staticPasswords": [
            {
                "email": sign_in.admin_email(inputs),
                "hashFromEnv": _HASH_VARIABLE,
                "username": "admin",
                "userID": "llmp-admin",
            }
        ],
        "staticClients": [
            {
                "id": client.id,
                "name": client.id,
                "secretEnv": _variable("client", client.id),
                "redirectURIs": [sign_in.url(inputs, client.host, client.callback)],
            }
            for client in clients
        ]
        # Without an address of their own, Dex sends their users back to their own machine alone.
        + [{"id": name, "name": name, "public": True} for name in public_clients],
    }
    if inputs.config.identity.connectors:
        config["connectors"] = [
            _connector(inputs, one) for one in inputs.config.identity.connectors
        ]
    return config


def _connector(inputs: PlatformInputs, connector: IdentityConnector) -> dict[str, Any]:
    config: dict[str, Any] = {
        "clientID": connector.client_id,
        # Dex puts variables of its environment into the config of connectors.
        "clientSecret": f"${_variable('connector', connector.name)}",
        "redirectURI": f"{sign_in.issuer(inputs)}/callback",
    }
    match connector:
        case GitHubConnector(organizations=organizations):
            config["orgs"] = [{"name": name} for name in organizations]
            config["teamNameField"] = "slug"
        case GoogleConnector(hosted_domains=domains):
            config["hostedDomains"] = list(domains)
        case OidcConnector(issuer=issuer):
            config |= {
                "issuer": issuer,
                "scopes": ["profile", "email"],
                "getUserInfo": True,
                # Taken over where the provider's tokens have them; rights rest on them.
                "insecureEnableGroups": True,
            }
    return {
        "type": connector.provider,
        "id": connector.name,
        "name": connector.name,
        "config": config,
    }


def _dex_secrets(
    inputs: PlatformInputs, clients: Sequence[SignInClient]
) -> tuple[ConsumerSecret, ...]:
    found = [
        ConsumerSecret(
            name=_CLIENTS,
            namespace=namespaces.IDENTITY,
            entries=(
                *(
                    SecretEntry(key=_variable("client", client.id), remote_id=client.secret_id)
                    for client in clients
                ),
                SecretEntry(
                    key=_HASH_VARIABLE, remote_id=ADMIN_PASSWORD.remote_id, hashed="bcrypt"
                ),
            ),
        )
    ]
    found += [
        # One each: who has not put one into the store yet misses that connector alone.
        ConsumerSecret(
            name=_connector_secret(one),
            namespace=namespaces.IDENTITY,
            entries=(SecretEntry(key=_CONNECTOR_KEY, remote_id=one.client_secret),),
        )
        for one in inputs.config.identity.connectors
    ]
    if inputs.contract.argo_cd_sign_in:
        found.append(
            ConsumerSecret(
                name=names.ARGO_CD_CLIENT_SECRET,
                namespace=names.ARGO_CD_NAMESPACE,
                entries=(
                    SecretEntry(
                        key=names.ARGO_CD_CLIENT_SECRET_KEY,
                        remote_id=sign_in.client_secret(names.ARGO_CD_CLIENT).remote_id,
                    ),
                ),
                # Argo CD reads no Secret without it. One of its own, because what is put into
                # argocd-secret goes with the next upgrade of its chart.
                labels={"app.kubernetes.io/part-of": "argocd"},
            )
        )
    return tuple(found)


def _environment(
    clients: Sequence[SignInClient], connectors: Sequence[IdentityConnector]
) -> list[dict[str, Any]]:
    """Return Dex's variables.

    It starts without the secret of a connector, which people supply: that connector alone refuses,
    until the secret is there and Dex is started anew.
    """
    own = [*(_variable("client", client.id) for client in clients), _HASH_VARIABLE]
    return [
        *(
            {"name": key, "valueFrom": {"secretKeyRef": {"name": _CLIENTS, "key": key}}}
            for key in own
        ),
        *(
            {
                "name": _variable("connector", one.name),
                "valueFrom": {
                    "secretKeyRef": {
                        "name": _connector_secret(one),
                        "key": _CONNECTOR_KEY,
                        "optional": True,
                    }
                },
            }
            for one in connectors
        ),
    ]


def _connector_secret(connector: IdentityConnector) -> str:
    return f"dex-connector-{connector.name}"


def _variable(kind: str, name: str) -> str:
    """Return the variable with the secret of a client or connector; names are DNS labels."""
    return f"DEX_{kind}_{name}_SECRET".upper().replace("-", "_")


def asks_for_sessions(proxies: Pods) -> Connection:
    """Return the connection by which proxies of a Gateway ask whether a request has a session."""
    return Connection(client=proxies, server=OAUTH2_PROXY_PODS, ports=(_PROXY_PORT,))
