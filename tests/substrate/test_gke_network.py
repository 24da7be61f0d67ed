"""The network of a GKE cluster: what it has, what it lets in and how it reaches the internet."""

import dataclasses
import json
from typing import Any

import pytest

from components.substrate.gke_network import WEBHOOK_PORTS
from tests.conftest import Run
from tests.harness import Recorder, deploy
from tests.substrate.gke_samples import TOPOLOGY, substrate, topology

ADDRESS = "gcp:compute/address:Address"
CLUSTER = "gcp:container/cluster:Cluster"
NAT = "gcp:compute/routerNat:RouterNat"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(**changes)))


def network(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate whose network is another one."""
    changed = dataclasses.replace(TOPOLOGY.network, **changes)
    return build(topology=topology(network=changed))


def test_the_network_is_its_own_and_has_no_automatic_subnets(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    assert recorder.one("gcp:compute/network:Network").inputs["autoCreateSubnetworks"] is False
    subnetwork = recorder.one("gcp:compute/subnetwork:Subnetwork")
    assert subnetwork.inputs["privateIpGoogleAccess"] is True
    ranges = {
        each["rangeName"]: each["ipCidrRange"] for each in subnetwork.inputs["secondaryIpRanges"]
    }
    assert ranges == {"pods": "10.4.0.0/14", "services": "10.8.0.0/20"}
    policy = recorder.one(CLUSTER).inputs["ipAllocationPolicy"]
    assert set(policy.values()) == set(ranges)


def test_private_nodes_reach_the_internet_through_nat_before_the_cluster_needs_it() -> None:
    recorder = build()
    nat = recorder.one("gcp:compute/routerNat:RouterNat")
    assert nat.inputs["sourceSubnetworkIpRangesToNat"] == "ALL_SUBNETWORKS_ALL_IP_RANGES"
    assert nat.inputs["logConfig"]["enable"] is True
    assert nat.urn in recorder.one("llmp:substrate:GkeCluster").depends_on


def test_only_the_control_plane_is_let_in_and_only_to_webhooks() -> None:
    recorder = build()
    rule = recorder.one("gcp:compute/firewall:Firewall").inputs
    assert rule["sourceRanges"] == ["172.16.0.0/28"]
    assert rule["targetServiceAccounts"] == ["llmp-nodes@my-project.iam.gserviceaccount.com"]
    assert rule["allows"] == [{"protocol": "tcp", "ports": list(WEBHOOK_PORTS)}]


@pytest.mark.parametrize(
    ("port", "who"),
    [
        ("6443", "the metrics API of KEDA"),
        ("8082", "the visibility API of Kueue"),
        ("9443", "the webhooks of CloudNativePG, KEDA and Kueue"),
        ("10250", "the webhooks of cert-manager, External Secrets and Prometheus"),
    ],
)
def test_the_control_plane_reaches_whatever_extends_the_api(port: str, who: str) -> None:
    assert port in WEBHOOK_PORTS, f"no way to {who}"


def test_nothing_is_open_to_the_world() -> None:
    recorder = build()
    everything = json.dumps([each.inputs for each in recorder.registrations])
    assert "0.0.0.0/0" not in everything
    assert "allUsers" not in everything
    assert "allAuthenticatedUsers" not in everything


def test_the_default_network_is_never_used(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    vpc = recorder.one("gcp:compute/network:Network")
    for each in (recorder.one(SUBNETWORK), recorder.one("gcp:compute/router:Router")):
        assert vpc.urn in each.depends_on
    assert vpc.urn in recorder.one("gcp:compute/firewall:Firewall").depends_on


def test_a_node_full_of_pods_has_ports_from_the_start_and_can_get_more() -> None:
    nat = build().one(NAT).inputs
    assert nat["enableDynamicPortAllocation"] is True
    assert nat["enableEndpointIndependentMapping"] is False
    assert nat["minPortsPerVm"] >= 110
    assert nat["maxPortsPerVm"] > nat["minPortsPerVm"]
    for ports in (nat["minPortsPerVm"], nat["maxPortsPerVm"]):
        assert ports & (ports - 1) == 0


def test_without_reserved_addresses_google_picks_them_and_none_is_made() -> None:
    recorder = build()
    assert not recorder.all(ADDRESS)
    nat = recorder.one(NAT).inputs
    assert nat["natIpAllocateOption"] == "AUTO_ONLY"
    assert "natIps" not in nat


def test_reserved_addresses_have_names_that_stay_and_are_all_that_nat_takes(run: Run) -> None:
    changed = topology(network=dataclasses.replace(TOPOLOGY.network, nat_addresses=2))
    recorder = run(lambda: _drop(substrate(topology=changed)))
    addresses = recorder.all(ADDRESS)
    assert [each.inputs["name"] for each in addresses] == ["llmp-nat-1", "llmp-nat-2"]
    assert {each.inputs["region"] for each in addresses} == {"us-central1"}
    nat = recorder.one(NAT)
    assert nat.inputs["natIpAllocateOption"] == "MANUAL_ONLY"
    assert len(nat.inputs["natIps"]) == 2
    assert {each.urn for each in addresses} <= nat.depends_on


def test_one_more_address_leaves_the_others_as_they_are() -> None:
    before = {each.urn: each.inputs for each in network(nat_addresses=1).all(ADDRESS)}
    after = {each.urn: each.inputs for each in network(nat_addresses=3).all(ADDRESS)}
    assert len(before) == 1
    assert {urn: after[urn] for urn in before} == before


@pytest.mark.parametrize("protected", [True, False])
def test_an_address_that_others_let_in_is_protected_with_the_data(*, protected: bool) -> None:
    changed = topology(
        network=dataclasses.replace(TOPOLOGY.network, nat_addresses=1),
        deletion_protection=protected,
    )
    assert bool(build(topology=changed).one(ADDRESS).protect) is protected


def test_flow_logs_see_connections_within_a_node_too() -> None:
    recorder = network(flow_logs=True)
    assert recorder.one(SUBNETWORK).inputs["logConfig"]["metadata"] == "INCLUDE_ALL_METADATA"
    assert recorder.one(CLUSTER).inputs["enableIntranodeVisibility"] is True


def test_without_flow_logs_nothing_of_the_traffic_is_kept() -> None:
    recorder = build()
    assert "logConfig" not in recorder.one(SUBNETWORK).inputs
    assert recorder.one(CLUSTER).inputs["enableIntranodeVisibility"] is False


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
