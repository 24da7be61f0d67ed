"""The public edge, its certificates and its records: what follows from the hosts of all entries."""

from dataclasses import replace
from typing import Any

import pytest

from components import names
from components.contract import Dns, SubstrateContract, WorkloadIdentity
from components.platform.apps import edge, identity
from components.platform.apps.certificates import CERT_MANAGER_PODS, PROXY_PODS, SOLVER_PODS
from components.platform.apps.dns import EXTERNAL_DNS_PODS
from components.platform.apps.routing import CONTROLLER_PODS
from components.platform.catalogue import (
    CatalogueEntry,
    CatalogueError,
    Host,
    OwnChart,
    PlatformInputs,
)
from components.platform.config import (
    PROFILES,
    EdgeConfig,
    Features,
    Profile,
)
from components.platform.network import Connection, Outside, Pods
from tests.platform.samples import BARE, GKE, HETZNER, entries, inputs, model, values

DOMAIN = "llm.example.com"
CLOUDFLARE = Dns(provider="cloudflare", zone="example.com", token_secret="cf-token")  # noqa: S106
GOOGLE = Dns(provider="google", zone="example-com")
WITH_DNS = HETZNER.model_copy(update={"domain": DOMAIN, "dns": CLOUDFLARE})
AT_GOOGLE = GKE.model_copy(
    update={
        "domain": DOMAIN,
        "dns": GOOGLE,
        "workload_identities": {
            key: WorkloadIdentity(
                namespace=namespace,
                service_account=namespace,
                annotations={"iam.gke.io/gcp-service-account": f"{namespace}@example.com"},
            )
            for key, namespace in (
                ("cert_manager", "cert-manager"),
                ("external_dns", "external-dns"),
            )
        },
    }
)
NO_ZONE = BARE.model_copy(update={"domain": DOMAIN})

APP = Pods(namespace="serving", labels={"app": "page"})


def public(
    contract: SubstrateContract = WITH_DNS,
    profile: Profile = "llm-gateway",
    **changes: Any,  # noqa: ANN401 - features, and sections of the config
) -> PlatformInputs:
    """Return inputs of a stack with a public edge, with features and settings."""
    settings = {key: changes.pop(key) for key in ("edge", "identity") if key in changes}
    tier = changes.pop("tier", "cost")
    signs_in = bool(changes.pop("sign_in", False))
    features = Features(public_edge=True, identity=signs_in, **changes)
    made = inputs(
        profile=profile,
        tier=tier,
        features=features,
        contract=contract,
        models=() if profile == "platform" else None,
        tenants=() if profile == "platform" else None,
    )
    return replace(made, config=made.config.model_copy(update=settings))


def gateway(of: dict[str, CatalogueEntry]) -> dict[str, Any]:
    return values(of["edge"])["gateway"]


def page(name: str = "page", **changes: Any) -> CatalogueEntry:  # noqa: ANN401 - of a Host
    """Return an entry with one host."""
    host = Host(name=name, service="page", port=80, pods=APP, target_port=8080, **changes)
    return CatalogueEntry(
        name=f"{name}-app",
        namespace=APP.namespace,
        layer="platform",
        source=OwnChart(chart="page", values={}),
        hosts=(host,),
    )


def edge_of(of: PlatformInputs, *pages: CatalogueEntry) -> dict[str, CatalogueEntry]:
    return {one.name: one for one in edge.edge(of, pages)}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_has_an_edge_with_all_that_it_stands_on(profile: Profile) -> None:
    of = entries(public(profile=profile, sign_in=True))
    assert {"edge", "agentgateway", "agentgateway-crds", "gateway-api", "acme"} <= set(of)
    assert "agentgateway" in of["edge"].requires


def test_without_the_feature_or_without_a_domain_nothing_is_public() -> None:
    for off in (inputs(contract=WITH_DNS), public(BARE)):
        of = entries(off)
        assert not {"edge", "acme", "external-dns", "dex", "oauth2-proxy"} & set(of)
        assert not any(one.hosts for one in of.values())
        assert not any(
            connection.client is Outside.ANYONE
            for one in of.values()
            for connection in one.connections
        )


def test_only_the_proxies_of_the_edge_are_reached_from_outside() -> None:
    of = entries(public(sign_in=True))
    assert [
        (connection.server, connection.ports)
        for one in of.values()
        for connection in one.connections
        if connection.client is Outside.ANYONE
    ] == [(PROXY_PODS, (80, 443))]


def test_without_sign_in_programs_reach_the_models_and_people_reach_no_page() -> None:
    hosts = [host for one in entries(public()).values() for host in one.hosts]
    assert [(host.name, host.paths) for host in hosts] == [("api", ("/v1",))]


def test_the_controller_of_an_edge_without_models_asks_for_no_pools() -> None:
    controller = entries(public(profile="platform", sign_in=True))["agentgateway"]
    assert values(controller)["inferenceExtension"] == {"enabled": False}
    assert "inference-extension" not in controller.requires


def test_each_host_has_a_listener_a_route_and_a_way_for_its_packets() -> None:
    of = edge_of(public(), page(), page("other", paths=("/a",)))
    assert [
        (one["name"], one["hostname"], one["namespace"]) for one in gateway(of)["listeners"]
    ] == [
        ("other", f"other.{DOMAIN}", "serving"),
        ("page", f"page.{DOMAIN}", "serving"),
    ]
    routes = values(of["serving-routes"])["routes"]
    assert [(one["hostname"], one["service"], one["port"], one["paths"]) for one in routes] == [
        (f"other.{DOMAIN}", "page", 80, ["/a"]),
        (f"page.{DOMAIN}", "page", 80, ["/"]),
    ]
    assert Connection(client=PROXY_PODS, server=APP, ports=(8080,)) in of["edge"].connections


def test_listeners_and_routes_carry_the_same_names_in_every_stack() -> None:
    of = entries(public(AT_GOOGLE, sign_in=True))
    listeners = {one["name"]: one["namespace"] for one in gateway(of)["listeners"]}
    routes = {
        route["name"]: one.namespace
        for one in of.values()
        if one.name.endswith("-routes") and isinstance(one.source, OwnChart)
        for route in values(one).get("routes", ())
        if "hostname" in route
    }
    assert listeners == routes
    assert set(listeners) == {"api", "auth", "grafana", "llm", "login"}


def test_two_entries_cannot_have_one_host() -> None:
    with pytest.raises(CatalogueError, match="two entries want the host 'page'"):
        edge_of(public(), page(), page(paths=("/b",)))


def test_a_host_cannot_ask_for_a_session_where_nobody_gives_any() -> None:
    with pytest.raises(CatalogueError, match="nobody gives any"):
        edge_of(public(), page(sign_in=True))


def test_a_host_that_asks_for_a_session_is_behind_oauth2_proxy_and_granted_by_it() -> None:
    signed = public(sign_in=True)
    proxy = identity.oauth2_proxy(signed)[0]
    of = edge_of(signed, page(sign_in=True, open_paths=("/health",)), proxy)
    routes = values(of["serving-routes"])
    assert routes["routes"][0]["signIn"] is True
    assert routes["routes"][0]["openPaths"] == ["/health"]
    assert routes["signIn"] == {
        "service": "oauth2-proxy",
        "namespace": "identity",
        "port": 80,
        "startUrl": f"https://login.{DOMAIN}/oauth2/start",
    }
    assert values(of["identity-routes"])["grants"] == ["serving"]
    asks = Connection(client=PROXY_PODS, server=identity.OAUTH2_PROXY_PODS, ports=(4180,))
    assert asks in of["edge"].connections
    assert asks not in edge_of(signed, page())["edge"].connections


def test_the_page_that_signs_in_is_on_the_host_and_path_that_browsers_are_sent_to() -> None:
    (host,) = identity.oauth2_proxy(public(sign_in=True))[0].hosts
    assert identity.START_PATH.startswith(host.paths[0])
    assert host.name == identity.SESSION_HOST
    assert not host.sign_in


def test_the_proxies_get_their_configuration_and_their_metrics_are_read() -> None:
    connections = entries(public())["edge"].connections
    assert Connection(client=PROXY_PODS, server=CONTROLLER_PODS, ports=(9978,)) in connections
    assert {one.ports for one in connections if one.server == PROXY_PODS} == {(80, 443), (15020,)}


def test_nobody_waits_for_the_edge_whose_address_people_must_see_first() -> None:
    of = entries(public(sign_in=True, dns=True))
    assert not [one.name for one in of.values() if "edge" in one.requires]


def test_the_load_balancer_is_asked_for_as_the_substrate_says() -> None:
    asked = WITH_DNS.model_copy(update={"load_balancer_annotations": {"example.com/size": "small"}})
    of = entries(public(asked))
    assert gateway(of)["serviceAnnotations"] == {"example.com/size": "small"}


def test_a_proxy_that_stops_lets_the_longest_stream_of_any_model_end() -> None:
    slow = model(longest_request_seconds=1800)
    of = entries(replace(public(), models=(slow,)))
    assert gateway(of)["longestRequestSeconds"] == 1800


def test_tier_prod_has_two_proxies_and_the_limit_is_the_configs() -> None:
    of = entries(public(tier="prod", edge=EdgeConfig(requests_per_second=50)))
    assert gateway(of)["replicas"] == 2
    assert gateway(of)["limit"] == {"requestsPerSecond": 50, "burst": 50}


@pytest.mark.parametrize(
    ("contract", "internal_ca", "issuer", "solver"),
    [
        (WITH_DNS, False, "acme", "cloudflare"),
        (AT_GOOGLE, False, "acme", "google"),
        (WITH_DNS, True, "acme", "cloudflare"),
        (NO_ZONE, False, "acme", "http01"),
        (NO_ZONE, True, "internal-ca", None),
    ],
)
def test_the_edge_always_has_one_way_to_certificates(
    contract: SubstrateContract, *, internal_ca: bool, issuer: str, solver: str | None
) -> None:
    of = entries(public(contract, internal_ca=internal_ca))
    assert gateway(of)["issuer"] == issuer
    if solver is None:
        assert "acme" not in of
        assert values(of["internal-ca"])["internalCa"]["name"] == issuer
    else:
        acme = values(of["acme"])["acme"]
        assert (acme["name"], acme["solver"], acme["domain"]) == (issuer, solver, DOMAIN)


def test_the_token_of_the_dns_provider_comes_with_the_edge_and_not_with_external_dns() -> None:
    of = entries(public())
    assert "external-dns" not in of
    (secret,) = of["acme"].secrets
    assert (secret.namespace, secret.entries[0].remote_id) == ("cert-manager", "cf-token")
    assert "cert-manager-cloudflare-api-token" in of
    assert "cert-manager-secrets" not in of["acme"].requires


def test_the_staging_server_and_the_address_of_the_account_are_the_configs() -> None:
    config = EdgeConfig(acme_server="staging", acme_email="platform@example.com")
    acme = values(entries(public(edge=config))["acme"])["acme"]
    assert acme["server"] == "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert acme["email"] == "platform@example.com"


def test_cert_manager_reaches_the_acme_server_and_the_zones_own_dns_servers() -> None:
    found = entries(public())["acme"].connections
    assert {(one.ports, one.protocol) for one in found if one.server is Outside.INTERNET} == {
        ((443,), "TCP"),
        ((53,), "TCP"),
        ((53,), "UDP"),
    }
    assert all(one.client == CERT_MANAGER_PODS for one in found)


def test_google_is_written_to_by_the_identities_of_the_contract_and_by_no_key() -> None:
    of = entries(public(AT_GOOGLE, dns=True))
    for name in ("cert-manager", "external-dns"):
        account = values(of[name])["serviceAccount"]
        assert account["name"] == name
        assert account["annotations"]["iam.gke.io/gcp-service-account"] == f"{name}@example.com"
    for name, pods in (("acme", CERT_MANAGER_PODS), ("external-dns", EXTERNAL_DNS_PODS)):
        assert of[name].secrets == ()
        assert Connection(client=pods, server=Outside.METADATA_SERVER, ports=(80, 988)) in (
            of[name].connections
        )


def test_an_acme_server_that_asks_the_edge_reaches_the_answer_through_it() -> None:
    found = entries(public(NO_ZONE))["acme"].connections
    assert Connection(client=PROXY_PODS, server=SOLVER_PODS, ports=(8089,)) in found
    assert Connection(client=CERT_MANAGER_PODS, server=PROXY_PODS, ports=(80,)) in found


def test_the_own_authority_is_trusted_through_a_bundle_of_every_namespace() -> None:
    of = entries(inputs(features=Features(internal_ca=True), contract=BARE))
    made = values(of["internal-ca"])["internalCa"]
    assert (made["bundle"], made["bundleKey"]) == (names.TRUST_BUNDLE, names.TRUST_BUNDLE_KEY)
    assert "trust-manager" in of["internal-ca"].requires
    assert values(of["trust-manager"])["app"]["trust"]["namespace"] == of["internal-ca"].namespace


def test_external_dns_writes_for_one_gateway_and_touches_only_its_own_records() -> None:
    entry = entries(public(dns=True))["external-dns"]
    settings = values(entry)
    assert settings["sources"] == ["gateway-httproute"]
    assert settings["gatewayNamespace"] == "edge"
    assert "--gateway-name=edge" in settings["extraArgs"]
    assert (settings["policy"], settings["registry"]) == ("sync", "txt")
    assert settings["txtOwnerId"] == WITH_DNS.cluster_name
    assert settings["domainFilters"] == ["example.com"]
    (variable,) = settings["env"]
    reference = variable["valueFrom"]["secretKeyRef"]
    (secret,) = entry.secrets
    assert (reference["name"], reference["key"]) == (secret.name, secret.entries[0].key)


def test_external_dns_looks_at_one_zone_of_google_alone() -> None:
    settings = values(entries(public(AT_GOOGLE, dns=True))["external-dns"])
    assert settings["extraArgs"] == [
        "--gateway-name=edge",
        "--google-project=my-project",
        "--zone-id-filter=example-com",
    ]
    assert "env" not in settings
