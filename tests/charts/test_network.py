"""What charts/network renders, as the API server would read it."""

import ipaddress

import pytest

from components.platform.values.network import (
    NetworkPolicyValues,
    NetworkValues,
    PeerValues,
    PortValues,
    RuleValues,
)
from tests.charts.rendering import Json, of_kind, only, render
from tests.charts.values import NETWORK_CLOSED, NETWORK_OPEN

pytestmark = pytest.mark.charts


def rule(kind: str) -> tuple[Json, Json]:
    """Return one rule of this kind as ingress and as egress."""
    one = RuleValues(peer=PeerValues.model_validate({"kind": kind}), ports=(PortValues(port=443),))
    values = NetworkValues(
        policies=(NetworkPolicyValues(name="one", ingress=(one,), egress=(one,)),)
    )
    spec = only(render("network", values), "NetworkPolicy", "one")["spec"]
    return spec["ingress"][0], spec["egress"][0]


def test_a_namespace_without_rules_denies_everything_but_dns() -> None:
    (policy,) = of_kind(render("network", NETWORK_CLOSED), "NetworkPolicy")
    assert policy["spec"]["podSelector"] == {}
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]
    (egress,) = policy["spec"]["egress"]
    assert {port["port"] for port in egress["ports"]} == {53}


def test_a_default_that_outlives_its_release_is_alone_in_that() -> None:
    values = NETWORK_OPEN.model_copy(update={"keep_default_deny": True})
    kept = [
        one["metadata"]["name"]
        for one in of_kind(render("network", values), "NetworkPolicy")
        if one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options")
        == "Prune=false,Delete=false"
    ]
    assert kept == ["default-deny"]
    for one in of_kind(render("network", NETWORK_OPEN), "NetworkPolicy"):
        assert "annotations" not in one["metadata"]


def test_a_policy_names_only_the_directions_that_it_opens() -> None:
    # A direction that is named and has no rule denies: that is the default's business.
    policy = only(render("network", NETWORK_OPEN), "NetworkPolicy", "all-pods")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert policy["spec"]["podSelector"] == {}


def test_pods_are_chosen_by_namespace_and_labels_together() -> None:
    policy = only(render("network", NETWORK_OPEN), "NetworkPolicy", "server")
    (peer,) = policy["spec"]["ingress"][0]["from"]
    assert set(peer) == {"namespaceSelector", "podSelector"}
    assert policy["spec"]["ingress"][0]["ports"][0] == {
        "port": 1,
        "endPort": 65535,
        "protocol": "TCP",
    }


def test_the_internet_is_public_addresses_alone() -> None:
    _, egress = rule("internet")
    (peer,) = egress["to"]
    closed = [ipaddress.ip_network(one) for one in peer["ipBlock"]["except"]]
    inside = (
        *("10.1.2.3", "172.31.0.1", "192.168.1.1", "100.127.255.254"),
        # Where clouds answer about the machine itself.
        *("169.254.169.254", "169.254.169.252", "100.100.100.200"),
        # Ranges that GKE takes for pods and Services too, and nobody else has.
        *("192.0.0.10", "198.19.0.1", "240.10.0.1"),
    )
    for address in inside:
        assert any(ipaddress.ip_address(address) in network for network in closed), address
    for address in ("8.8.8.8", "140.82.112.3", "199.36.153.8"):
        assert not any(ipaddress.ip_address(address) in network for network in closed), address


@pytest.mark.parametrize("kind", ["api-server", "nodes", "anyone"])
def test_what_no_selector_matches_is_open_on_its_port_alone(kind: str) -> None:
    ingress, egress = rule(kind)
    assert "from" not in ingress
    assert "to" not in egress
    assert ingress["ports"] == egress["ports"] == [{"port": 443, "protocol": "TCP"}]


def test_the_metadata_server_is_two_addresses() -> None:
    _, egress = rule("metadata-server")
    assert [one["ipBlock"]["cidr"] for one in egress["to"]] == [
        "169.254.169.252/32",
        "169.254.169.254/32",
    ]
