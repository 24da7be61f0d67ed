"""Who signs certificates: an ACME server, or the cluster itself."""

import pytest
from pydantic import ValidationError

from components.platform.values.base import ChartValues
from components.platform.values.issuers import Acme
from tests.charts.rendering import Json, only, render
from tests.charts.values import ACME_AT_CLOUDFLARE, ACME_AT_GOOGLE, ACME_BY_HTTP, INTERNAL_CA

pytestmark = pytest.mark.charts


def acme(values: ChartValues) -> Json:
    issuer = only(render("issuers", values, namespace="cert-manager"), "ClusterIssuer")
    return issuer["spec"]["acme"]


def solver(values: ChartValues) -> Json:
    (found,) = acme(values)["solvers"]
    return found


def test_an_account_has_an_address_only_where_one_is_given() -> None:
    assert acme(ACME_AT_CLOUDFLARE)["email"] == "platform@example.com"
    assert "email" not in acme(ACME_AT_GOOGLE)


@pytest.mark.parametrize("values", [ACME_AT_CLOUDFLARE, ACME_AT_GOOGLE, ACME_BY_HTTP])
def test_only_names_of_the_domain_are_asked_for(values: ChartValues) -> None:
    assert solver(values)["selector"] == {"dnsZones": ["llm.example.com"]}


def test_cloudflare_is_written_to_by_a_token_that_is_named_and_not_shown() -> None:
    assert solver(ACME_AT_CLOUDFLARE)["dns01"] == {
        "cloudflare": {"apiTokenSecretRef": {"name": "cloudflare-api-token", "key": "api-token"}}
    }


def test_google_is_written_to_by_zone_and_by_no_key() -> None:
    assert solver(ACME_AT_GOOGLE)["dns01"] == {
        "cloudDNS": {"project": "my-project", "hostedZoneName": "example-com"}
    }


def test_without_a_zone_the_plain_listener_of_the_edge_answers() -> None:
    answer = solver(ACME_BY_HTTP)["http01"]["gatewayHTTPRoute"]
    assert answer["serviceType"] == "ClusterIP"
    (parent,) = answer["parentRefs"]
    assert (parent["name"], parent["namespace"], parent["sectionName"]) == ("edge", "edge", "http")


@pytest.mark.parametrize("kind", ["http01", "cloudflare", "google"])
def test_a_solver_without_what_it_needs_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="misses one of its values"):
        Acme.model_validate(
            {
                "name": "acme",
                "server": "https://acme.example.com",
                "domain": "llm.example.com",
                "solver": kind,
            }
        )


def test_the_root_signs_itself_and_its_issuer_signs_with_the_root() -> None:
    objects = render("issuers", INTERNAL_CA, namespace="cert-manager")
    root = only(objects, "Certificate")
    assert root["spec"]["isCA"] is True
    assert root["spec"]["issuerRef"]["name"] == only(objects, "Issuer")["metadata"]["name"]
    assert only(objects, "Issuer")["spec"] == {"selfSigned": {}}
    assert only(objects, "ClusterIssuer")["spec"]["ca"]["secretName"] == root["spec"]["secretName"]
    assert root["metadata"]["namespace"] == "cert-manager"


def test_the_roots_key_is_never_replaced_and_stays_when_the_release_goes() -> None:
    root = only(render("issuers", INTERNAL_CA), "Certificate")
    assert root["spec"]["privateKey"]["rotationPolicy"] == "Never"
    options = root["metadata"]["annotations"]["argocd.argoproj.io/sync-options"]
    assert options == "Prune=false,Delete=false"


def test_the_bundle_holds_the_root_and_the_public_authorities() -> None:
    objects = render("issuers", INTERNAL_CA)
    bundle = only(objects, "Bundle")["spec"]
    secret = only(objects, "Certificate")["spec"]["secretName"]
    assert bundle["sources"] == [
        {"useDefaultCAs": True},
        {"secret": {"name": secret, "key": "tls.crt"}},
    ]
    assert bundle["target"] == {"configMap": {"key": "ca-certificates.crt"}}
