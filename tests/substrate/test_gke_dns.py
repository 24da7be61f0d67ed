"""The zone of Cloud DNS, who writes its records, and the reserved address of the edge."""

import json
from typing import Any

import pytest

from components.contract import Dns
from components.substrate.gke_dns_access import LIST_PERMISSIONS, RECORD_PERMISSIONS
from stacks import gke
from stacks.config import GkeStack, parse_stack
from tests.config.test_bad_configs import apply
from tests.conftest import Run
from tests.harness import UNKNOWN, Recorder, deploy
from tests.samples import GKE_STACK
from tests.substrate.gke_samples import substrate, topology

ZONE = "gcp:dns/managedZone:ManagedZone"
ZONE_ROLE = "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember"
CUSTOM_ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
PROJECT_ROLE = "gcp:projects/iAMMember:IAMMember"
ADDRESS = "gcp:compute/address:Address"
SERVICE = "gcp:projects/service:Service"

NEW_ZONE: dict[str, Any] = {
    "topology": topology(create_dns_zone=True),
    "domain": "llm.example.com",
    "dns": Dns(provider="google", zone="llm-example-com"),
}
FOREIGN_ZONE: dict[str, Any] = {"dns": Dns(provider="google", zone="example-com")}


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(**changes)))


def deploy_stack(change: dict[str, Any]) -> Recorder:
    """Run the composition root on a stack that leaves the platform to another one."""
    stack = parse_stack(
        apply(GKE_STACK, {"platform.enabled": False, "models": [], "tenants": [], **change}),
        "Pulumi.test.yaml",
    )
    assert isinstance(stack, GkeStack)
    return deploy(lambda: gke.deploy(stack))


# Zone


def test_the_zone_is_public_signed_and_for_the_domain(run: Run) -> None:
    zone = run(lambda: _drop(substrate(**NEW_ZONE))).one(ZONE).inputs
    assert (zone["name"], zone["dnsName"]) == ("llm-example-com", "llm.example.com.")
    assert zone["visibility"] == "public"
    assert zone["dnssecConfig"] == {"state": "on"}
    assert zone["labels"]["llmp-cluster"] == "llmp"


@pytest.mark.parametrize("protected", [True, False])
def test_a_zone_goes_with_its_records_only_where_nothing_is_protected(*, protected: bool) -> None:
    shape = topology(create_dns_zone=True, deletion_protection=protected)
    zone = build(**{**NEW_ZONE, "topology": shape}).one(ZONE)
    assert zone.inputs["forceDestroy"] is not protected
    assert bool(zone.protect) is protected


def test_nobody_gets_rights_on_the_zone_before_it_is_there() -> None:
    recorder = build(**NEW_ZONE)
    zone = recorder.one(ZONE)
    rights = recorder.all(ZONE_ROLE)
    assert len(rights) == 2
    for each in rights:
        assert zone.urn in each.depends_on
        assert each.inputs["managedZone"] == zone.inputs["name"]


def test_a_zone_that_is_there_already_is_not_made() -> None:
    recorder = build(**FOREIGN_ZONE)
    assert not recorder.all(ZONE)
    assert {each.inputs["managedZone"] for each in recorder.all(ZONE_ROLE)} == {"example-com"}


def test_a_zone_without_a_domain_is_refused() -> None:
    with pytest.raises(ValueError, match="names no domain for it"):
        build(**{**NEW_ZONE, "domain": None})


def test_without_a_zone_at_google_nobody_writes_records() -> None:
    recorder = build(dns=Dns(provider="cloudflare", zone="example.com"))
    assert not recorder.all(ZONE)
    assert not recorder.all(ZONE_ROLE)
    assert not recorder.all(CUSTOM_ROLE)
    assert "dns.googleapis.com" not in {each.inputs["service"] for each in recorder.all(SERVICE)}


# Rights


def test_who_writes_records_may_do_nothing_else_and_in_one_zone_alone(run: Run) -> None:
    recorder = run(lambda: _drop(substrate(**FOREIGN_ZONE)))
    role = recorder.one(CUSTOM_ROLE, "substrate-dns-access-records-role")
    assert set(role.inputs["permissions"]) == set(RECORD_PERMISSIONS)
    assert not {one for one in RECORD_PERMISSIONS if "managedZones" in one or "Policy" in one}
    rights = recorder.all(ZONE_ROLE)
    assert {each.name for each in rights} == {
        "substrate-dns-access-cert-manager-writer",
        "substrate-dns-access-external-dns-writer",
    }
    assert all(role.urn in each.depends_on for each in rights)


def test_only_external_dns_sees_which_zones_there_are_and_no_record_of_them() -> None:
    recorder = build(**FOREIGN_ZONE)
    role = recorder.one(CUSTOM_ROLE, "substrate-dns-access-list-role")
    assert tuple(role.inputs["permissions"]) == LIST_PERMISSIONS == ("dns.managedZones.list",)
    (granted,) = [each for each in recorder.all(PROJECT_ROLE) if role.urn in each.depends_on]
    assert granted.inputs["role"] == f"projects/my-project/roles/{role.inputs['roleId']}"
    assert granted.inputs["member"] == (
        "serviceAccount:llmp-external-dns@my-project.iam.gserviceaccount.com"
    )


def test_the_ids_of_roles_are_drawn_because_google_keeps_those_of_deleted_ones() -> None:
    recorder = deploy(lambda: _drop(substrate(**FOREIGN_ZONE)), preview=True)
    assert {each.inputs["roleId"] for each in recorder.all(CUSTOM_ROLE)} == {UNKNOWN}
    made = build(**FOREIGN_ZONE)
    for each in made.all(CUSTOM_ROLE):
        assert each.inputs["roleId"].endswith("_00000000")
        assert "-" not in each.inputs["roleId"]


# Edge


def test_the_edge_asks_for_the_address_that_is_reserved(run: Run) -> None:
    recorder = run(lambda: _drop(substrate(topology=topology(edge_address=True))))
    address = recorder.one(ADDRESS).inputs
    assert (address["region"], address["addressType"]) == ("us-central1", "EXTERNAL")
    urn = recorder.one("llmp:substrate:GkeSubstrate").urn
    annotations = recorder.component_outputs(urn)["contract"]["load_balancer_annotations"]
    assert annotations["networking.gke.io/load-balancer-ip-addresses"] == address["name"]


def test_the_tier_of_the_address_is_the_one_that_the_edge_gets() -> None:
    recorder = build(topology=topology(edge_address=True))
    urn = recorder.one("llmp:substrate:GkeSubstrate").urn
    annotations = recorder.component_outputs(urn)["contract"]["load_balancer_annotations"]
    assert recorder.one(ADDRESS).inputs["networkTier"] == "PREMIUM"
    assert "cloud.google.com/network-tier" not in annotations
    assert annotations["cloud.google.com/l4-rbs"] == "enabled"


@pytest.mark.parametrize("protected", [True, False])
def test_the_address_is_protected_as_the_cluster_is(*, protected: bool) -> None:
    shape = topology(edge_address=True, deletion_protection=protected)
    assert bool(build(topology=shape).one(ADDRESS).protect) is protected


def test_without_a_reserved_address_the_edge_asks_for_none() -> None:
    recorder = build()
    assert "substrate-edge-address-address" not in {each.name for each in recorder.all(ADDRESS)}
    assert "load-balancer-ip-addresses" not in json.dumps(
        [each.inputs for each in recorder.registrations]
    )


# Stack outputs


def test_a_stack_says_what_to_delegate_to_and_where_its_edge_is() -> None:
    exports = deploy_stack(
        {
            "gke.create_dns_zone": True,
            "gke.edge_address": True,
            "platform.domain": "llm.example.com",
            "platform.dns": {"provider": "google", "zone": "llm-example-com"},
        }
    ).exports
    assert exports["edge_address"] == "192.0.2.30"
    assert exports["dns_name_servers"] == [
        "ns-cloud-a1.googledomains.com.",
        "ns-cloud-a2.googledomains.com.",
    ]


def test_a_stack_without_them_does_not_export_them() -> None:
    assert not {"dns_name_servers", "edge_address"} & set(deploy_stack({}).exports)


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
