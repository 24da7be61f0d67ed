"""Who signs certificates: a public authority by ACME, or one of the cluster's own.

The edge needs one of the two. A DNS provider lets an ACME server ask by records, which works before
anything is reachable; without one the cluster's own authority signs where feature internal_ca is
on, else the ACME server asks the edge itself.
"""

from typing import Final, Literal

from components import names
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
    webhook,
)
from components.platform.apps.platform import CERT_MANAGER_ENTRY, PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, OwnChart, PlatformInputs, UpstreamChart
from components.platform.network import Connection, Outside, Pods
from components.platform.values.base import SecretKey
from components.platform.values.edge import GatewayReference
from components.platform.values.issuers import ACME_SERVERS, Acme, InternalCa, IssuersValues
from components.platform.values.secrets import ConsumerSecret, SecretEntry
from components.versions import TRUST_MANAGER

ACME_ENTRY: Final = "acme"
TRUST_MANAGER_ENTRY: Final = "trust-manager"
INTERNAL_CA_ENTRY: Final = "internal-ca"

ACME_ISSUER: Final = "acme"
INTERNAL_ISSUER: Final = "internal-ca"

EDGE: Final = GatewayReference(name="edge", namespace=namespaces.EDGE)
"""The public Gateway."""
PROXY_PODS: Final = Pods(
    namespace=EDGE.namespace, labels={"gateway.networking.k8s.io/gateway-name": EDGE.name}
)
CERT_MANAGER_PODS: Final = Pods(
    namespace=namespaces.CERT_MANAGER, labels={"app.kubernetes.io/name": "cert-manager"}
)
TRUST_MANAGER_PODS: Final = Pods(namespace=namespaces.CERT_MANAGER, labels={"app": "trust-manager"})
SOLVER_PODS: Final = Pods(
    namespace=EDGE.namespace, labels={"acme.cert-manager.io/http01-solver": "true"}
)
"""What answers an ACME server on port 80, while it asks (cert-manager's http01 source)."""

CLOUDFLARE_TOKEN: Final = SecretKey(name="cloudflare-api-token", key="api-token")

_DNS_PORT: Final = 53
_SOLVER_PORT: Final = 8089


def edge_issuer(inputs: PlatformInputs) -> str:
    """Return the ClusterIssuer that signs the edge's certificates."""
    own = inputs.contract.dns.provider == "none" and inputs.config.features.internal_ca
    return INTERNAL_ISSUER if own else ACME_ISSUER


def edge_is_private(inputs: PlatformInputs) -> bool:
    """Return whether clients must be told to trust the edge's certificates."""
    return edge_issuer(inputs) == INTERNAL_ISSUER


def cloudflare_token(namespace: str, remote_id: str) -> ConsumerSecret:
    """Return the Secret with Cloudflare's API token, which people supply, in one namespace."""
    return ConsumerSecret(
        name=CLOUDFLARE_TOKEN.name,
        namespace=namespace,
        entries=(SecretEntry(key=CLOUDFLARE_TOKEN.key, remote_id=remote_id),),
    )


def reads_google_identity(pods: Pods) -> Connection:
    """Return the connection by which pods get the tokens of their workload identity on GKE."""
    return Connection(client=pods, server=Outside.METADATA_SERVER, ports=(80, 988))


def acme(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The ClusterIssuer of a public authority, and all that it takes to prove who we are.

    The token of the DNS provider comes with it, so that the edge has certificates also where nobody
    publishes its records.
    """
    if not sign_in.has_edge(inputs) or edge_issuer(inputs) != ACME_ISSUER:
        return ()
    dns, config = inputs.contract.dns, inputs.config.edge
    solver: Literal["http01", "cloudflare", "google"] = (
        "http01" if dns.provider == "none" else dns.provider
    )
    values = Acme(
        name=ACME_ISSUER,
        server=ACME_SERVERS[config.acme_server],
        email=config.acme_email,
        domain=sign_in.domain(inputs),
        solver=solver,
        gateway=EDGE if solver == "http01" else None,
        token=CLOUDFLARE_TOKEN if solver == "cloudflare" else None,
        project=inputs.contract.project if solver == "google" else None,
        zone=dns.zone if solver == "google" else None,
    )
    token = dns.token_secret if solver == "cloudflare" else None
    return (
        entry(
            ACME_ENTRY,
            namespaces.CERT_MANAGER,
            "platform",
            OwnChart(chart="issuers", values=IssuersValues(acme=values).to_values()),
            feature="public_edge",
            description="Certificates of the edge, signed by a public authority",
            # Its webhook admits the issuer.
            requires=(CERT_MANAGER_ENTRY,),
            secrets=() if token is None else (cloudflare_token(namespaces.CERT_MANAGER, token),),
            connections=_acme_connections(solver),
        ),
    )


def _acme_connections(solver: str) -> tuple[Connection, ...]:
    # The ACME server, and the API of the DNS provider.
    found = [calls_internet(CERT_MANAGER_PODS)]
    if solver == "http01":
        found += [
            Connection(client=PROXY_PODS, server=SOLVER_PODS, ports=(_SOLVER_PORT,)),
            # It asks first itself, by the public address; some clusters make a short cut of that.
            calls_internet(CERT_MANAGER_PODS, 80),
            Connection(client=CERT_MANAGER_PODS, server=PROXY_PODS, ports=(80,)),
        ]
        return tuple(found)
    # It looks for its record at the servers of the zone itself before the ACME server does.
    found += [
        calls_internet(CERT_MANAGER_PODS, _DNS_PORT),
        Connection(
            client=CERT_MANAGER_PODS,
            server=Outside.INTERNET,
            ports=(_DNS_PORT,),
            protocol="UDP",
        ),
    ]
    if solver == "google":
        found.append(reads_google_identity(CERT_MANAGER_PODS))
    return tuple(found)


def trust_manager(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Brings the certificates that clients must trust into every namespace."""
    if not inputs.config.features.internal_ca:
        return ()
    return (
        entry(
            TRUST_MANAGER_ENTRY,
            namespaces.CERT_MANAGER,
            "platform",
            UpstreamChart(
                pin=TRUST_MANAGER,
                values={
                    "replicaCount": replicas(inputs),
                    "app": {
                        "trust": {"namespace": namespaces.CERT_MANAGER},
                        "metrics": {"service": {"servicemonitor": {"enabled": True}}},
                    },
                    "podDisruptionBudget": disruption_budget(inputs),
                    "topologySpreadConstraints": spread(inputs, TRUST_MANAGER_PODS),
                    "resources": compute(25, 128),
                    "defaultPackage": {"resources": compute(10, 64)},
                },
            ),
            feature="internal_ca",
            description="The authorities to trust, as a ConfigMap of every namespace",
            # Its webhook has a certificate; the chart brings a ServiceMonitor.
            requires=(CERT_MANAGER_ENTRY, PROMETHEUS_CRDS_ENTRY),
            connections=(
                calls_api_server(TRUST_MANAGER_PODS),
                webhook(TRUST_MANAGER_PODS, 6443),
                scraped(TRUST_MANAGER_PODS, 9402),
            ),
        ),
    )


def internal_ca(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """A root of the cluster's own, its ClusterIssuer, and the bundle by which clients trust it."""
    if not inputs.config.features.internal_ca:
        return ()
    values = InternalCa(
        name=INTERNAL_ISSUER,
        # An X.509 common name holds 64 characters.
        common_name=f"llmp {inputs.contract.cluster_name}"[:64],
        bundle=names.TRUST_BUNDLE,
        bundle_key=names.TRUST_BUNDLE_KEY,
    )
    return (
        entry(
            INTERNAL_CA_ENTRY,
            namespaces.CERT_MANAGER,
            "platform",
            OwnChart(chart="issuers", values=IssuersValues(internal_ca=values).to_values()),
            feature="internal_ca",
            description="A certificate authority of the cluster's own",
            # The webhooks of both admit its objects.
            requires=(CERT_MANAGER_ENTRY, TRUST_MANAGER_ENTRY),
        ),
    )
