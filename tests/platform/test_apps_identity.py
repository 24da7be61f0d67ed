"""Single sign-on: Dex, oauth2-proxy, and the systems that sign their users in."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from components import names
from components.contract import SubstrateContract
from components.platform import endpoints
from components.platform.apps import generated_secrets, identity, supplied_secrets
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.apps.platform import GRAFANA_PODS
from components.platform.apps.sign_in import DEX_PODS
from components.platform.catalogue import CatalogueEntry, PlatformInputs
from components.platform.config import (
    PROFILES,
    Features,
    GitHubConnector,
    GoogleConnector,
    IdentityConfig,
    OidcConnector,
    Profile,
)
from components.platform.network import Connection, Outside
from tests.platform.samples import HETZNER, callers, entries, inputs, values

DOMAIN = "llm.example.com"
OURS = HETZNER.model_copy(update={"domain": DOMAIN, "argo_cd_sign_in": True})
THEIRS = HETZNER.model_copy(update={"domain": DOMAIN})
CONNECTORS = (
    GitHubConnector(
        provider="github",
        organizations=("your-org",),
        client_id="github-id",
        client_secret="github-client-secret",  # noqa: S106 - the id of a secret
    ),
    GoogleConnector(
        provider="google",
        hosted_domains=("example.com",),
        client_id="google-id",
        client_secret="google-client-secret",  # noqa: S106 - the id of a secret
    ),
    OidcConnector(
        provider="oidc",
        name="keycloak",
        issuer="https://keycloak.example.com/realms/your-org",
        client_id="oidc-id",
        client_secret="keycloak-client-secret",  # noqa: S106 - the id of a secret
    ),
)


def stack(
    contract: SubstrateContract, profile: Profile, features: Features | None = None
) -> PlatformInputs:
    """Return inputs of a stack, with models where its profile serves any."""
    return inputs(
        profile=profile,
        features=features,
        contract=contract,
        models=() if profile == "platform" else None,
        tenants=() if profile == "platform" else None,
    )


def signed_in(
    contract: SubstrateContract = OURS,
    profile: Profile = "llm-gateway",
    settings: IdentityConfig | None = None,
) -> PlatformInputs:
    """Return inputs of a stack with single sign-on."""
    made = stack(contract, profile, Features(public_edge=True, identity=True))
    if settings is None:
        return made
    return replace(made, config=made.config.model_copy(update={"identity": settings}))


def config(of: dict[str, CatalogueEntry]) -> dict[str, Any]:
    return values(of["dex"])["config"]


def proxy_config(of: dict[str, CatalogueEntry]) -> dict[str, Any]:
    return tomllib.loads(values(of["oauth2-proxy"])["config"]["configFile"])


def secret_ids(entry: CatalogueEntry, secret: str) -> dict[str, str]:
    (found,) = [one for one in entry.secrets if one.name == secret]
    return {one.key: one.remote_id for one in found.entries}


@pytest.mark.parametrize("profile", PROFILES)
def test_single_sign_on_is_whole_at_every_profile(profile: Profile) -> None:
    of = entries(signed_in(profile=profile))
    hosts = {host.name for one in of.values() for host in one.hosts}
    clients = [client for one in of.values() for client in one.sign_in_clients]
    assert {"dex", "oauth2-proxy", "edge"} <= set(of)
    assert {client.host for client in clients} <= hosts
    assert {"grafana", "argocd", "login", "auth"} <= hosts


def test_every_client_of_dex_has_its_secret_made_and_comes_back_to_a_host_of_the_edge() -> None:
    of = entries(signed_in())
    clients = {client.id: client for one in of.values() for client in one.sign_in_clients}
    assert set(clients) == {"argocd", "grafana", "litellm", "oauth2-proxy"}
    by_id = {one["id"]: one for one in config(of)["staticClients"]}
    assert {name: one["redirectURIs"] for name, one in by_id.items()} == {
        "argocd": [f"https://argocd.{DOMAIN}/auth/callback"],
        "grafana": [f"https://grafana.{DOMAIN}/login/generic_oauth"],
        "litellm": [f"https://llm.{DOMAIN}/sso/callback"],
        "oauth2-proxy": [f"https://login.{DOMAIN}/oauth2/callback"],
    }
    given = secret_ids(of["dex"], "dex-clients")
    for name, client in clients.items():
        assert given[by_id[name]["secretEnv"]] == client.secret_id
        assert client.secret_id in generated_secrets(signed_in())


def test_dex_gets_every_variable_that_its_config_names_and_no_secret_is_in_it() -> None:
    of = entries(signed_in(settings=IdentityConfig(connectors=CONNECTORS)))
    settings = config(of)
    named = {one["secretEnv"] for one in settings["staticClients"]}
    named |= {one["hashFromEnv"] for one in settings["staticPasswords"]}
    named |= {one["config"]["clientSecret"].removeprefix("$") for one in settings["connectors"]}
    variables = {
        one["name"]: one["valueFrom"]["secretKeyRef"] for one in values(of["dex"])["envVars"]
    }
    assert named == set(variables)
    for name, reference in variables.items():
        assert reference["key"] in secret_ids(of["dex"], reference["name"]), name


def test_dex_has_the_folder_that_its_image_fills_the_config_in_and_no_other() -> None:
    settings = values(entries(signed_in())["dex"])
    assert settings["securityContext"]["readOnlyRootFilesystem"] is True
    (mount,) = settings["volumeMounts"]
    (volume,) = settings["volumes"]
    assert mount == {"name": volume["name"], "mountPath": "/tmp"}  # noqa: S108
    assert "emptyDir" in volume


def test_the_admins_password_is_in_the_cluster_only_as_a_hash() -> None:
    of = entries(signed_in())
    readers = [
        (secret.name, entry.key, entry.hashed)
        for one in of.values()
        for secret in one.secrets
        for entry in secret.entries
        if entry.remote_id == identity.ADMIN_PASSWORD.remote_id
    ]
    assert readers == [("dex-clients", "DEX_ADMIN_PASSWORD_HASH", "bcrypt")]
    assert identity.ADMIN_PASSWORD.remote_id in generated_secrets(signed_in())


def test_the_administrator_is_one_person_in_every_system() -> None:
    settings = IdentityConfig(admin_email="boss@example.com", admin_groups=("your-org:platform",))
    of = entries(signed_in(settings=settings))
    assert config(of)["staticPasswords"][0]["email"] == "boss@example.com"
    role = values(of["kube-prometheus-stack"])["grafana"]["grafana.ini"]["auth.generic_oauth"]
    assert role["role_attribute_path"] == (
        "(email == 'boss@example.com' || contains(groups || `[]`, 'your-org:platform')) "
        "&& 'Admin' || 'Viewer'"
    )
    assert values(of["litellm"])["envVars"]["PROXY_ADMIN_ID"] == "boss@example.com"
    assert values(of["litellm"])["envVars"]["GENERIC_USER_ID_ATTRIBUTE"] == "email"
    assert config(entries(signed_in()))["staticPasswords"][0]["email"] == f"admin@{DOMAIN}"


def test_sign_ins_outlive_a_restart_of_dex() -> None:
    assert config(entries(signed_in()))["storage"]["type"] == "kubernetes"


def test_browsers_are_sent_to_the_public_address_and_systems_ask_inside_the_cluster() -> None:
    of = entries(signed_in())
    issuer = f"https://auth.{DOMAIN}"
    assert config(of)["issuer"] == issuer
    inside = endpoints.DEX.url()
    oauth = values(of["kube-prometheus-stack"])["grafana"]["grafana.ini"]["auth.generic_oauth"]
    litellm = values(of["litellm"])["envVars"]
    proxy = proxy_config(of)
    assert proxy["oidc_issuer_url"] == issuer
    assert proxy["skip_oidc_discovery"] is True
    assert {
        oauth["auth_url"],
        litellm["GENERIC_AUTHORIZATION_ENDPOINT"],
        proxy["login_url"],
    } == {f"{issuer}/auth"}
    assert {oauth["token_url"], litellm["GENERIC_TOKEN_ENDPOINT"], proxy["redeem_url"]} == {
        f"{inside}/token"
    }
    assert {oauth["api_url"], litellm["GENERIC_USERINFO_ENDPOINT"]} == {f"{inside}/userinfo"}
    assert proxy["oidc_jwks_url"] == f"{inside}/keys"


def test_only_who_signs_in_there_reaches_dex() -> None:
    of = entries(signed_in())
    assert callers(of, DEX_PODS) == {"edge", "identity", "litellm", "monitoring"}
    for pods in (GRAFANA_PODS, LITELLM_PODS, identity.OAUTH2_PROXY_PODS):
        assert any(
            Connection(client=pods, server=DEX_PODS, ports=(5556,)) in one.connections
            for one in of.values()
        )


def test_dex_calls_the_internet_only_where_people_have_accounts_elsewhere() -> None:
    def calls(settings: IdentityConfig | None) -> bool:
        dex = entries(signed_in(settings=settings))["dex"]
        return any(one.server is Outside.INTERNET for one in dex.connections)

    assert calls(IdentityConfig(connectors=CONNECTORS))
    assert not calls(None)


def test_dex_reaches_an_identity_provider_on_the_port_of_its_url() -> None:
    def ports(*issuers: str) -> set[int]:
        connectors = tuple(
            CONNECTORS[2].model_copy(update={"name": f"oidc-{number}", "issuer": issuer})
            for number, issuer in enumerate(issuers)
        )
        dex = entries(signed_in(settings=IdentityConfig(connectors=connectors)))["dex"]
        (way_out,) = [one for one in dex.connections if one.server is Outside.INTERNET]
        return set(way_out.ports)

    assert ports("https://sso.example.com:8443/realms/one") == {8443}
    assert ports("https://sso.example.com/realms/one") == {443}
    assert ports("https://a.example.com", "https://b.example.com:9443") == {443, 9443}


def test_connectors_let_in_their_own_organisation_alone() -> None:
    found = config(entries(signed_in(settings=IdentityConfig(connectors=CONNECTORS))))["connectors"]
    by_id = {one["id"]: one for one in found}
    assert by_id["github"]["config"]["orgs"] == [{"name": "your-org"}]
    assert by_id["google"]["config"]["hostedDomains"] == ["example.com"]
    assert by_id["keycloak"]["type"] == "oidc"
    assert by_id["keycloak"]["config"]["issuer"] == "https://keycloak.example.com/realms/your-org"
    assert {one["config"]["redirectURI"] for one in found} == {f"https://auth.{DOMAIN}/callback"}


def test_the_secrets_of_connectors_are_peoples_and_hold_up_nothing_else() -> None:
    made = signed_in(settings=IdentityConfig(connectors=CONNECTORS))
    assert supplied_secrets(made) == {
        "github-client-secret": ("dex",),
        "google-client-secret": ("dex",),
        "keycloak-client-secret": ("dex",),
    }
    of = entries(made)
    assert "identity-dex-connector-github" in of
    assert not [one.name for one in of.values() if "identity-dex-connector-github" in one.requires]


def test_dex_starts_before_people_have_put_a_connectors_secret_into_the_store() -> None:
    made = signed_in(settings=IdentityConfig(connectors=CONNECTORS))
    variables = {one["name"]: one for one in values(entries(made)["dex"])["envVars"]}
    connector = variables["DEX_CONNECTOR_GITHUB_SECRET"]["valueFrom"]["secretKeyRef"]
    assert connector["optional"] is True
    assert "optional" not in variables["DEX_CLIENT_GRAFANA_SECRET"]["valueFrom"]["secretKeyRef"]


def test_a_session_is_a_cookie_that_only_browsers_on_tls_send() -> None:
    settings = proxy_config(entries(signed_in()))
    assert settings["cookie_name"].startswith("__Secure-")
    assert settings["cookie_secure"] is True
    assert settings["cookie_httponly"] is True
    assert settings["cookie_samesite"] == "lax"
    assert settings["cookie_domains"] == settings["whitelist_domains"] == [f".{DOMAIN}"]
    assert settings["session_cookie_minimal"] is True
    assert "client_secret" not in settings
    assert "cookie_secret" not in settings


def test_the_cookie_secret_has_a_length_that_a_cipher_takes() -> None:
    (made,) = identity.oauth2_proxy(signed_in())[0].generates
    assert made.prefix == ""
    assert made.length == 32


def test_oauth2_proxy_says_yes_or_no_and_passes_nothing_on() -> None:
    of = entries(signed_in())
    assert proxy_config(of)["upstreams"] == ["static://202"]
    assert "allowed_groups" not in proxy_config(of)
    some = IdentityConfig(allowed_groups=("your-org:engineering",))
    assert proxy_config(entries(signed_in(settings=some)))["allowed_groups"] == [
        "your-org:engineering"
    ]


def test_oauth2_proxy_reads_all_three_keys_from_a_secret_of_ours() -> None:
    entry = entries(signed_in())["oauth2-proxy"]
    (secret,) = entry.secrets
    assert values(entry)["config"]["existingSecret"] == secret.name
    keys = {one.key for one in secret.entries} | set(secret.literals)
    assert keys == {"client-id", "client-secret", "cookie-secret"}
    assert secret.literals == {"client-id": "oauth2-proxy"}


def test_sign_in_takes_nothing_from_grafanas_other_settings() -> None:
    security = values(entries(signed_in())["kube-prometheus-stack"])["grafana"]["grafana.ini"][
        "security"
    ]
    assert security == {"cookie_secure": True, "disable_gravatar": True}


@pytest.mark.parametrize("profile", PROFILES)
def test_grafanas_login_form_goes_only_where_there_is_another_way_in(profile: Profile) -> None:
    def settings(of: PlatformInputs) -> dict[str, Any]:
        return values(entries(of)["kube-prometheus-stack"])["grafana"]["grafana.ini"]

    without = settings(stack(OURS, profile))
    assert "disable_login_form" not in without.get("auth", {})
    assert "auth.generic_oauth" not in without
    with_it = settings(signed_in(profile=profile))
    assert with_it["auth"] == {"disable_login_form": True}
    assert with_it["auth.generic_oauth"]["enabled"] is True


def test_without_identity_no_system_waits_for_a_secret_of_dex() -> None:
    of = entries(inputs(contract=OURS))
    assert not [
        entry.remote_id
        for one in of.values()
        for secret in one.secrets
        for entry in secret.entries
        if entry.remote_id.startswith("dex-")
    ]
    assert "GENERIC_CLIENT_ID" not in values(of["litellm"])["envVars"]


def test_grafana_reads_its_client_secret_from_the_secret_that_is_made_for_it() -> None:
    entry = entries(signed_in())["kube-prometheus-stack"]
    reference = values(entry)["grafana"]["envValueFrom"]["GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"]
    given = secret_ids(entry, reference["secretKeyRef"]["name"])
    assert given == {reference["secretKeyRef"]["key"]: "dex-grafana-client-secret"}


def test_litellm_gets_its_client_secret_beside_its_other_keys() -> None:
    entry = entries(signed_in())["litellm"]
    given = secret_ids(entry, "litellm-secrets")
    assert given["GENERIC_CLIENT_SECRET"] == "dex-litellm-client-secret"  # noqa: S105
    assert values(entry)["envVars"]["PROXY_BASE_URL"] == f"https://llm.{DOMAIN}"


def test_argo_cd_reads_its_client_secret_by_name_key_and_label() -> None:
    of = entries(signed_in())
    (secret,) = [one for one in of["dex"].secrets if one.namespace == names.ARGO_CD_NAMESPACE]
    assert secret.name == names.ARGO_CD_CLIENT_SECRET
    assert secret_ids(of["dex"], secret.name) == {
        names.ARGO_CD_CLIENT_SECRET_KEY: "dex-argocd-client-secret"
    }
    assert secret.labels == {"app.kubernetes.io/part-of": "argocd"}


def test_what_is_put_into_argo_cds_namespace_neither_makes_nor_relabels_it() -> None:
    of = entries(signed_in())
    own = [one for one in of.values() if one.namespace == names.ARGO_CD_NAMESPACE]
    assert {one.name for one in own} == {"argocd-routes", "argocd-secrets"}
    assert not any(one.create_namespace or one.namespace_labels for one in own)


def test_an_argo_cd_of_somebody_else_is_left_alone() -> None:
    of = entries(signed_in(THEIRS))
    assert "argocd" not in {host.name for one in of.values() for host in one.hosts}
    assert "argocd" not in {one["id"] for one in config(of)["staticClients"]}
    assert not [one for one in of.values() if one.namespace == names.ARGO_CD_NAMESPACE]
