"""What Hetzner Cloud refuses when things are made and removed, and what it answers."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties
from tests.sandbox.conftest import Made, Provider

Configured = Callable[..., Provider]

NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
GROUP = "hcloud:index/placementGroup:PlacementGroup"
BALANCER = "hcloud:index/loadBalancer:LoadBalancer"
BALANCER_NETWORK = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
SERVER_NETWORK = "hcloud:index/serverNetwork:ServerNetwork"
TARGET = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"
PRIMARY = "hcloud:index/primaryIp:PrimaryIp"


@pytest.fixture
def hetzner(provider: Configured) -> Provider:
    """A project with nothing in it."""
    return provider("hcloud")


def _network(hetzner: Provider) -> Made:
    return hetzner.make(NETWORK, {"name": "net", "ipRange": "10.0.0.0/16"}, name="net")


def _subnet(hetzner: Provider, network: Made, block: str = "10.0.1.0/24") -> Made:
    inputs = {"networkId": int(network.id), "type": "cloud", "networkZone": "eu-central"}
    return hetzner.make(SUBNET, {**inputs, "ipRange": block}, name="subnet")


def _server(hetzner: Provider, **more: object) -> Made:
    inputs: Properties = {
        "serverType": "cx23",
        "image": "ubuntu-24.04",
        "location": "fsn1",
        **more,
    }
    return hetzner.make(SERVER, inputs, name=str(more.get("name", "server")))


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"serverType": "cx99"}, "serverType: there is no 'cx99'"),
        ({"location": "ber1"}, "location: there is no 'ber1'"),
        ({"image": "ubuntu-12.04"}, "image: there is no 'ubuntu-12.04'"),
        ({"serverType": "cax11", "location": "ash"}, "not offered in ash"),
        ({"placementGroupId": 7}, "names the PlacementGroup 7"),
        ({"sshKeys": ["me"]}, "names the SshKey 'me'"),
        ({"deleteProtection": True}, "must have the same value"),
    ],
)
def test_a_server_that_is_not_offered_is_refused(
    hetzner: Provider, inputs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ProviderError, match=reason):
        _server(hetzner, **inputs)


def test_a_snapshot_is_named_by_its_number(hetzner: Provider) -> None:
    assert _server(hetzner, image="4711").outputs["image"] == "4711"


def test_a_subnet_lies_inside_its_network_and_beside_the_others(hetzner: Provider) -> None:
    network = _network(hetzner)
    with pytest.raises(ProviderError, match="outside the network's range"):
        _subnet(hetzner, network, "10.1.0.0/24")
    _subnet(hetzner, network, "10.0.0.0/20")
    with pytest.raises(ProviderError, match="overlaps the subnet"):
        _subnet(hetzner, network, "10.0.4.0/24")


def test_a_server_joins_a_network_that_has_a_subnet(hetzner: Provider) -> None:
    network = _network(hetzner)
    joins = [{"networkId": int(network.id)}]
    with pytest.raises(ProviderError, match="no subnet yet"):
        _server(hetzner, networks=joins)
    _subnet(hetzner, network)
    assert _server(hetzner, networks=joins).outputs["networks"][0]["ip"] == "10.0.1.2"
    with pytest.raises(ProviderError, match="in no subnet"):
        _server(hetzner, name="b", networks=[{**joins[0], "ip": "10.0.9.9"}])
    with pytest.raises(ProviderError, match="reserved"):
        _server(hetzner, name="c", networks=[{**joins[0], "ip": "10.0.1.1"}])


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"protocol": "tcp"}, "a tcp rule needs a port"),
        ({"protocol": "icmp", "port": "22"}, "takes no port"),
        ({"protocol": "tcp", "port": "70000"}, "70000 is not a port"),
        ({"protocol": "tcp", "port": "90-80"}, "90-80 is not a port"),
        ({"protocol": "udp", "port": "53", "sourceIps": []}, "needs sourceIps"),
    ],
)
def test_a_firewall_rule_must_make_sense(
    hetzner: Provider, rule: dict[str, Any], reason: str
) -> None:
    full = {"direction": "in", "sourceIps": ["0.0.0.0/0"], **rule}
    with pytest.raises(ProviderError, match=reason):
        hetzner.make(FIREWALL, {"rules": [full]})


def test_the_order_of_rules_and_addresses_is_no_change(hetzner: Provider) -> None:
    one = {"direction": "in", "protocol": "tcp", "port": "22"}
    two = {"direction": "in", "protocol": "tcp", "port": "80", "sourceIps": ["::/0"]}
    made = hetzner.make(
        FIREWALL, {"rules": [{**one, "sourceIps": ["10.0.0.0/8", "192.168.0.0/16"]}, two]}
    )
    swapped = {"rules": [two, {**one, "sourceIps": ["192.168.0.0/16", "10.0.0.0/8"]}]}
    assert hetzner.diff(made, swapped).changes == []


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"serverType": "cx33"}, {"serverType": "cx23"}, r"smaller disk \(40 GB\)"),
        ({"serverType": "cx33"}, {"serverType": "cax21"}, "different architectures"),
    ],
)
def test_a_server_is_resized_only_to_what_its_disk_and_image_fit(
    hetzner: Provider, before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    server = _server(hetzner, **before)
    with pytest.raises(ProviderError, match=reason):
        hetzner.change(server, {**server.inputs, **after})


def test_a_server_that_kept_its_disk_goes_back(hetzner: Provider) -> None:
    server = _server(hetzner, keepDisk=True)
    larger = hetzner.change(server, {**server.inputs, "serverType": "cx43"})
    assert larger.outputs["primaryDiskSize"] == 40
    hetzner.change(larger, {**larger.inputs, "serverType": "cx23"})


def test_a_spread_group_takes_ten_servers(hetzner: Provider) -> None:
    group = hetzner.make(GROUP, {"type": "spread"})
    for number in range(10):
        _server(hetzner, name=f"s{number}", placementGroupId=int(group.id))
    with pytest.raises(ProviderError, match="10 servers"):
        _server(hetzner, name="s10", placementGroupId=int(group.id))


def test_a_firewall_in_use_can_t_be_removed(hetzner: Provider) -> None:
    rule = {"direction": "in", "protocol": "icmp", "sourceIps": ["0.0.0.0/0"]}
    firewall = hetzner.make(FIREWALL, {"rules": [rule]})
    server = _server(hetzner, firewallIds=[int(firewall.id)])
    with pytest.raises(ProviderError, match="in use by the Server server"):
        hetzner.remove(firewall)
    hetzner.remove(server)
    hetzner.remove(firewall)


def test_a_network_with_subnets_can_t_be_removed(hetzner: Provider) -> None:
    network = _network(hetzner)
    _subnet(hetzner, network)
    with pytest.raises(ProviderError, match="in use by the NetworkSubnet"):
        hetzner.remove(network)


def test_two_servers_can_t_have_one_name(hetzner: Provider) -> None:
    _server(hetzner, name="a")
    with pytest.raises(ProviderError, match="has the name 'a' already"):
        _server(hetzner, name="a")


def test_a_private_target_needs_a_load_balancer_in_a_network(hetzner: Provider) -> None:
    balancer = hetzner.make(BALANCER, {"loadBalancerType": "lb11", "location": "fsn1"})
    server = _server(hetzner)
    target = {
        "loadBalancerId": int(balancer.id),
        "type": "server",
        "serverId": int(server.id),
        "usePrivateIp": True,
    }
    with pytest.raises(ProviderError, match="in no network yet"):
        hetzner.make(TARGET, target)
    network = _network(hetzner)
    _subnet(hetzner, network)
    joins = {"loadBalancerId": int(balancer.id), "networkId": int(network.id)}
    hetzner.make(BALANCER_NETWORK, joins)
    assert hetzner.make(TARGET, target).outputs["usePrivateIp"] is True


def test_a_server_answers_with_its_addresses_and_keeps_them(hetzner: Provider) -> None:
    server = _server(hetzner, name="a")
    assert server.outputs["ipv4Address"].startswith("198.19.")
    assert server.outputs["primaryDiskSize"] == 40
    again = {"serverType": "cx33", "image": "ubuntu-24.04", "location": "fsn1", "name": "a"}
    changed = hetzner.change(server, again)
    assert changed.outputs["ipv4Address"] == server.outputs["ipv4Address"]
    assert changed.outputs["primaryDiskSize"] == 80


def test_a_server_takes_the_address_that_was_made_for_it(hetzner: Provider) -> None:
    primary = hetzner.make(PRIMARY, {"type": "ipv4", "location": "fsn1"})
    public = {"ipv4Enabled": True, "ipv4": int(primary.id), "ipv6Enabled": False}
    server = _server(hetzner, publicNets=[public])
    assert server.outputs["ipv4Address"] == primary.outputs["ipAddress"]
    assert server.outputs["ipv6Address"] == ""


def test_a_server_is_replaced_by_another_image_and_not_by_another_type(hetzner: Provider) -> None:
    server = _server(hetzner, name="a")
    inputs = {"serverType": "cx23", "image": "ubuntu-24.04", "location": "fsn1", "name": "a"}
    bigger = hetzner.diff(server, {**inputs, "serverType": "cx33"})
    assert [change.replaces for change in bigger.changes] == [False]
    other = hetzner.diff(server, {**inputs, "image": "debian-13"})
    assert [change.replaces for change in other.changes] == [True]
    assert other.delete_before_replace


def test_reading_back_finds_nothing_changed(hetzner: Provider) -> None:
    server = _server(hetzner)
    assert hetzner.read(server) == (server.id, server.inputs, server.outputs)


def test_a_vswitch_is_coupled_by_its_number_in_the_one_zone_that_can(hetzner: Provider) -> None:
    network = _network(hetzner)
    inputs: Properties = {
        "networkId": int(network.id),
        "type": "vswitch",
        "networkZone": "eu-central",
        "ipRange": "10.0.128.0/24",
    }
    with pytest.raises(ProviderError, match="needs vswitchId"):
        hetzner.make(SUBNET, inputs)
    with pytest.raises(ProviderError, match="in the zone eu-central alone"):
        hetzner.make(SUBNET, {**inputs, "vswitchId": 4711, "networkZone": "us-east"})
    assert hetzner.make(SUBNET, {**inputs, "vswitchId": 4711}).outputs["vswitchId"] == 4711


def test_all_subnets_of_a_network_are_in_one_zone(hetzner: Provider) -> None:
    network = _network(hetzner)
    _subnet(hetzner, network)
    inputs = {"networkId": int(network.id), "type": "cloud", "networkZone": "us-east"}
    with pytest.raises(ProviderError, match="in one zone: us-east is not eu-central"):
        hetzner.make(SUBNET, {**inputs, "ipRange": "10.0.2.0/24"})


def test_a_private_address_is_given_once(hetzner: Provider) -> None:
    subnet = _subnet(hetzner, _network(hetzner))
    balancer = hetzner.make(BALANCER, {"loadBalancerType": "lb11", "location": "fsn1"})
    address = {"subnetId": subnet.id, "ip": "10.0.1.250"}
    hetzner.make(BALANCER_NETWORK, {"loadBalancerId": int(balancer.id), **address})
    server = _server(hetzner)
    with pytest.raises(ProviderError, match=r"10\.0\.1\.250 is taken"):
        hetzner.make(SERVER_NETWORK, {"serverId": int(server.id), **address})
