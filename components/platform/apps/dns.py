"""external-dns: the edge's hosts as records of the platform's DNS zone."""

from typing import Any, Final

from components.contract import EXTERNAL_DNS_IDENTITY
from components.platform.apps import namespaces, sign_in
from components.platform.apps.certificates import (
    CLOUDFLARE_TOKEN,
    EDGE,
    cloudflare_token,
    reads_google_identity,
)
from components.platform.apps.parts import (
    calls_api_server,
    calls_internet,
    compute,
    entry,
    scraped,
)
from components.platform.apps.platform import GATEWAY_API_ENTRY, PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, PlatformInputs, UpstreamChart
from components.platform.network import Pods
from components.platform.values.secrets import ConsumerSecret
from components.versions import EXTERNAL_DNS

EXTERNAL_DNS_ENTRY: Final = "external-dns"

EXTERNAL_DNS_PODS: Final = Pods(
    namespace=namespaces.EXTERNAL_DNS, labels={"app.kubernetes.io/name": "external-dns"}
)


def external_dns(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Writes a record for each host of the edge, and takes it away with the host.

    Policy `sync`: a record that outlives its host leads to an address that is somebody else's one
    day. It touches only records that its own TXT records say are this cluster's, of the one zone
    and of the one Gateway.
    """
    dns = inputs.contract.dns
    if not (inputs.config.features.dns and sign_in.has_edge(inputs)) or dns.provider == "none":
        return ()
    values: dict[str, Any] = {
        "provider": {"name": dns.provider},
        "sources": ["gateway-httproute"],
        "gatewayNamespace": EDGE.namespace,
        "policy": "sync",
        "registry": "txt",
        "txtOwnerId": inputs.contract.cluster_name,
        "interval": "1m",
        "logFormat": "json",
        "resources": compute(10, 128),
        "serviceMonitor": {"enabled": True},
    }
    arguments = [f"--gateway-name={EDGE.name}"]
    secrets: tuple[ConsumerSecret, ...] = ()
    connections = [
        calls_api_server(EXTERNAL_DNS_PODS),
        calls_internet(EXTERNAL_DNS_PODS),
        scraped(EXTERNAL_DNS_PODS, 7979),
    ]
    if dns.provider == "cloudflare":
        # The zone and not the domain: external-dns leaves out a zone whose name does not match
        # (its v0.21.0, provider/cloudflare).
        values["domainFilters"] = [dns.zone]
        values["env"] = [
            {
                "name": "CF_API_TOKEN",
                "valueFrom": {"secretKeyRef": CLOUDFLARE_TOKEN.model_dump()},
            }
        ]
        if dns.token_secret is not None:
            secrets = (cloudflare_token(namespaces.EXTERNAL_DNS, dns.token_secret),)
    else:
        arguments += [f"--google-project={inputs.contract.project}", f"--zone-id-filter={dns.zone}"]
        connections.append(reads_google_identity(EXTERNAL_DNS_PODS))
        identity = inputs.contract.workload_identities.get(EXTERNAL_DNS_IDENTITY)
        if identity is not None:
            values["serviceAccount"] = {
                "name": identity.service_account,
                "annotations": dict(identity.annotations),
            }
    return (
        entry(
            EXTERNAL_DNS_ENTRY,
            namespaces.EXTERNAL_DNS,
            "platform",
            UpstreamChart(pin=EXTERNAL_DNS, values={**values, "extraArgs": arguments}),
            feature="dns",
            description="Records of the edge's hosts in the DNS zone",
            rules=("external-dns",),
            # It exits without the kinds that it watches; the chart brings a ServiceMonitor.
            requires=(GATEWAY_API_ENTRY, PROMETHEUS_CRDS_ENTRY),
            secrets=secrets,
            connections=tuple(connections),
        ),
    )
