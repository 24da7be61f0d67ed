"""Network, firewall and the way to the API of a Hetzner cluster, with and without their options."""

import itertools
import json
from typing import Any, cast

import pytest
import yaml
from pydantic import ValidationError

from components.contract import SecretStore
from components.substrate.hetzner_addons import csi_values
from components.substrate.hetzner_topology import PLACEMENT_GROUP_SIZE, hetzner_contract
from stacks.config import ConfigError, parse_stack
from tests.harness import Recorder, deploy
from tests.samples import HETZNER_STACK
from tests.substrate.hetzner_samples import VSWITCH, config, program, topology

NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
ATTACHMENT = "hcloud:index/serverNetwork:ServerNetwork"
BALANCER = "hcloud:index/loadBalancer:LoadBalancer"
BALANCER_NETWORK = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService"
TARGET = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"
COMMAND = "command:local:Command"
WAIT = "substrate-api-ready"

HIGH: dict[str, Any] = {"count": 3}
PRIVATE: dict[str, Any] = {"control_plane": {**HIGH, "load_balancer": "private"}}
CLOSED: dict[str, Any] = {**PRIVATE, "api_allowed_cidrs": []}
PUBLIC: dict[str, Any] = {
    "control_plane": {**HIGH, "load_balancer": "public"},
    "api_allowed_cidrs": [],
}
MODES = {"none": {"control_plane": HIGH}, "private": PRIVATE, "closed": CLOSED, "public": PUBLIC}


@pytest.fixture(scope="module")
def stacks() -> dict[str, Recorder]:
    """One stack of three API servers for each way to reach them."""
    return {mode: deploy(program(changes)) for mode, changes in MODES.items()}


def _cluster(recorder: Recorder) -> dict[str, Any]:
    document = yaml.safe_load(recorder.exports["kubeconfig"])
    return cast("dict[str, Any]", document["clusters"][0]["cluster"])


def _k3s(recorder: Recorder, server: str) -> dict[str, Any]:
    files = yaml.safe_load(recorder.one(SERVER, server).inputs["userData"])["write_files"]
    (content,) = [
        file["content"] for file in files if file["path"] == "/etc/rancher/k3s/config.yaml"
    ]
    return cast("dict[str, Any]", yaml.safe_load(content))


# The vSwitch.


def test_without_a_vswitch_the_network_has_one_subnet(stacks: dict[str, Recorder]) -> None:
    assert len(stacks["none"].all(SUBNET)) == 1
    assert stacks["none"].one(SUBNET).inputs["type"] == "cloud"


def test_a_vswitch_is_a_second_subnet_made_after_the_first() -> None:
    recorder = deploy(program(VSWITCH))
    cloud = recorder.one(SUBNET, "substrate-network-nodes")
    vswitch = recorder.one(SUBNET, "substrate-network-vswitch")
    assert vswitch.inputs["type"] == "vswitch"
    assert vswitch.inputs["vswitchId"] == 4711
    assert vswitch.inputs["ipRange"] == "10.0.128.0/24"
    assert vswitch.inputs["networkZone"] == "eu-central"
    assert cloud.urn in vswitch.depends_on
    assert "vswitchId" not in cloud.inputs


def test_a_vswitch_that_comes_later_changes_nothing_of_the_servers() -> None:
    without, beside = deploy(program()), deploy(program(VSWITCH))
    for kind in (SERVER, ATTACHMENT, NETWORK):
        before = [(each.urn, dict(each.inputs, userData="")) for each in without.all(kind)]
        assert [(each.urn, dict(each.inputs, userData="")) for each in beside.all(kind)] == before


def test_every_server_and_the_load_balancer_stay_in_the_subnet_of_the_cloud_servers() -> None:
    recorder = deploy(program({**VSWITCH, **PRIVATE}))
    subnets = {
        each.inputs["subnetId"]
        for kind in (ATTACHMENT, BALANCER_NETWORK)
        for each in recorder.all(kind)
    }
    assert len(subnets) == 1
    assert subnets.pop().endswith("-10.0.0.0/17")


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"location": "ash"}, "vswitch", "move to fsn1, nbg1 or hel1"),
        ({"vswitch": {"id": 1, "cidr": "10.1.0.0/24"}}, "vswitch", "not inside network_cidr"),
        ({"vswitch": {"id": 1, "cidr": "10.0.3.0/24"}}, "vswitch", "set hetzner.node_cidr"),
        ({"node_cidr": "10.0.128.0/20"}, "vswitch", "overlaps the subnet 10.0.128.0/20"),
        ({"vswitch": {"id": 1, "cidr": "10.0.128.0/30"}}, "vswitch.cidr", "take a /29 or larger"),
        ({"vswitch": {"id": 0, "cidr": "10.0.128.0/24"}}, "vswitch.id", "greater than or equal"),
        ({"vswitch": {"id": 1, "cidr": "8.8.8.0/24"}}, "vswitch.cidr", "is not private"),
        ({"vswitch": {"id": 1, "cidr": "10.0.128.1/24"}}, "vswitch.cidr", "10.0.128.0/24"),
        ({"vswitch": {"cidr": "10.0.128.0/24"}}, "vswitch.id", "required"),
        ({"node_cidr": "10.0.0.0/24", "vswitch": {"id": 1, "cidr": "10.0.3.0/24"}}, None, ""),
    ],
)
def test_a_vswitch_that_cannot_be_coupled_is_refused_with_the_fix(
    changes: dict[str, object], where: str | None, says: str
) -> None:
    _refused({**VSWITCH, **changes}, where, says)


def _refused(changes: dict[str, object], where: str | None, says: str) -> None:
    if where is None:
        config(changes)
        return
    with pytest.raises(ValidationError) as raised:
        config(changes)
    found = {
        ".".join(str(part) for part in error["loc"]): error["msg"]
        for error in raised.value.errors()
    }
    assert says in found[where], found


# Who gets in.


@pytest.mark.parametrize("mode", MODES)
def test_the_world_reaches_icmp_at_the_servers_and_nothing_else(
    stacks: dict[str, Recorder], mode: str
) -> None:
    for firewall in stacks[mode].all(FIREWALL):
        for rule in firewall.inputs["rules"]:
            assert rule["direction"] == "in"
            if set(rule["sourceIps"]) & {"0.0.0.0/0", "::/0"}:
                assert (rule["protocol"], rule.get("port")) == ("icmp", None)


@pytest.mark.parametrize("mode", MODES)
def test_the_api_is_let_in_at_the_servers_from_the_given_networks_alone(
    stacks: dict[str, Recorder], mode: str
) -> None:
    given = cast("list[str]", MODES[mode].get("api_allowed_cidrs", ["203.0.113.0/24"]))
    rules = stacks[mode].one(FIREWALL, "substrate-firewall-control-plane").inputs["rules"]
    sources = [rule["sourceIps"] for rule in rules if rule.get("port") == "6443"]
    assert sources == ([given] if given else [])


def test_no_rule_opens_ssh_by_any_protocol(stacks: dict[str, Recorder]) -> None:
    for recorder in stacks.values():
        for firewall in recorder.all(FIREWALL):
            assert {rule.get("port") for rule in firewall.inputs["rules"]} <= {None, "6443"}


def test_what_the_api_is_let_in_from_is_ipv4_and_the_control_plane_has_nothing_else(
    stacks: dict[str, Recorder],
) -> None:
    for recorder in stacks.values():
        for server in recorder.all(SERVER):
            if server.inputs["labels"]["role"] == "control-plane":
                assert server.inputs["publicNets"][0]["ipv6Enabled"] is False


def test_every_firewall_is_there_before_the_servers_that_it_guards(
    stacks: dict[str, Recorder],
) -> None:
    recorder = stacks["closed"]
    firewalls = {each.urn for each in recorder.all(FIREWALL)}
    for server in recorder.all(SERVER):
        assert len(firewalls & server.depends_on) == 1


# The load balancer.


def test_without_one_nobody_pays_for_a_load_balancer(stacks: dict[str, Recorder]) -> None:
    kinds = {each.type for each in stacks["none"].registrations}
    assert not kinds & {BALANCER, BALANCER_NETWORK, SERVICE, TARGET}


@pytest.mark.parametrize(
    ("mode", "public"), [("private", False), ("closed", False), ("public", True)]
)
def test_it_has_a_public_side_only_where_the_config_says_so(
    stacks: dict[str, Recorder], mode: str, *, public: bool
) -> None:
    attachment = stacks[mode].one(BALANCER_NETWORK)
    assert attachment.inputs["enablePublicInterface"] is public
    assert attachment.inputs["ip"] == "10.0.127.249"


def test_it_carries_nothing_before_its_public_side_is_as_it_should_be(
    stacks: dict[str, Recorder],
) -> None:
    recorder = stacks["private"]
    attachment = recorder.one(BALANCER_NETWORK).urn
    assert attachment in recorder.one(SERVICE).depends_on
    assert attachment in recorder.one(TARGET).depends_on


def test_it_finds_the_api_servers_by_their_labels_over_the_private_network(
    stacks: dict[str, Recorder],
) -> None:
    recorder = stacks["private"]
    target = recorder.one(TARGET).inputs
    assert (target["type"], target["usePrivateIp"]) == ("label_selector", True)
    wanted = dict(part.split("=") for part in target["labelSelector"].split(","))
    chosen = [
        server.name
        for server in recorder.all(SERVER)
        if wanted.items() <= server.inputs["labels"].items()
    ]
    assert chosen == [f"substrate-control-plane-{index}-server" for index in range(3)]


def test_tls_passes_through_it_to_the_api(stacks: dict[str, Recorder]) -> None:
    service = stacks["private"].one(SERVICE).inputs
    assert (service["protocol"], service["listenPort"], service["destinationPort"]) == (
        "tcp",
        6443,
        6443,
    )
    assert service["healthCheck"]["protocol"] == "tcp"
    assert not service.get("proxyprotocol")


def test_its_address_is_free_whatever_the_size_of_the_control_plane() -> None:
    for count in (1, 3, 5):
        shape = topology({"control_plane": {"count": count}})
        servers = {shape.control_plane_address(index) for index in range(count)}
        assert shape.load_balancer_address not in servers
        assert shape.load_balancer_address == "10.0.127.249"


@pytest.mark.parametrize(
    ("mode", "address"), [("none", "10.0.127.254"), ("private", "10.0.127.249")]
)
def test_new_nodes_join_at_the_load_balancer_where_there_is_one(
    stacks: dict[str, Recorder], mode: str, address: str
) -> None:
    for server in ("substrate-control-plane-1-server", "substrate-pool-platform-0-server"):
        assert _k3s(stacks[mode], server)["server"] == f"https://{address}:6443"


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(MODES, 2)))
def test_another_way_to_the_api_replaces_no_server(
    stacks: dict[str, Recorder], old: str, new: str
) -> None:
    for kind in (SERVER, ATTACHMENT, "hcloud:index/primaryIp:PrimaryIp"):
        before = {each.urn: each for each in stacks[old].all(kind)}
        after = {each.urn: each for each in stacks[new].all(kind)}
        assert before.keys() == after.keys()
        for urn, each in before.items():
            ignored = set(each.ignore_changes)
            changed = {
                key
                for key in each.inputs.keys() | after[urn].inputs.keys()
                if each.inputs.get(key) != after[urn].inputs.get(key)
            }
            assert changed <= ignored


def test_certificates_name_the_load_balancer_before_there_is_one(
    stacks: dict[str, Recorder],
) -> None:
    for recorder, index in itertools.product(stacks.values(), range(3)):
        names = _k3s(recorder, f"substrate-control-plane-{index}-server")["tls-san"]
        assert "10.0.127.249" in names


# Where the kubeconfig leads.


def test_the_kubeconfig_leads_to_a_door_that_is_open(stacks: dict[str, Recorder]) -> None:
    servers = {mode: _cluster(recorder)["server"] for mode, recorder in stacks.items()}
    assert servers["none"] == servers["private"]
    assert servers["none"].startswith("https://192.0.2.")
    assert servers["closed"] == "https://10.0.127.249:6443"
    assert servers["public"] == "https://192.0.2.40:6443"


def test_only_at_the_public_address_is_the_certificate_known_by_another_name(
    stacks: dict[str, Recorder],
) -> None:
    names = {mode: _cluster(each).get("tls-server-name") for mode, each in stacks.items()}
    assert names == {"none": None, "private": None, "closed": None, "public": "kubernetes"}


@pytest.mark.parametrize("mode", MODES)
def test_the_wait_asks_where_the_kubeconfig_leads(stacks: dict[str, Recorder], mode: str) -> None:
    asked = json.loads(stacks[mode].one(COMMAND, WAIT).inputs["stdin"])
    cluster = _cluster(stacks[mode])
    assert asked["url"] == f"{cluster['server']}/readyz"
    assert asked["tls_server_name"] == cluster.get("tls-server-name")


@pytest.mark.parametrize("mode", ["private", "closed", "public"])
def test_the_cluster_is_reached_only_once_the_load_balancer_is_whole(
    stacks: dict[str, Recorder], mode: str
) -> None:
    recorder = stacks[mode]
    ready = {recorder.one(SERVICE).urn, recorder.one(TARGET).urn}
    assert ready <= recorder.one(COMMAND, WAIT).depends_on


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"api_allowed_cidrs": []}, "api_allowed_cidrs", "that this program runs from"),
        ({**PUBLIC, "api_allowed_cidrs": ["203.0.113.0/24"]}, "api_allowed_cidrs", "private"),
        (
            {"api_allowed_cidrs": [f"203.0.{number}.0/24" for number in range(101)]},
            "api_allowed_cidrs",
            "takes 1 to 100",
        ),
        ({"control_plane": {"load_balancer": "yes"}}, "control_plane.load_balancer", "'private'"),
        (CLOSED, None, ""),
        (PUBLIC, None, ""),
    ],
)
def test_a_way_to_the_api_that_leads_nowhere_is_refused(
    changes: dict[str, object], where: str | None, says: str
) -> None:
    _refused(changes, where, says)


# Placement groups.


def test_a_stack_with_more_placement_groups_than_a_project_has_is_refused() -> None:
    pools = [{"name": f"p{index}", "count": 1} for index in range(50)]
    _refused({"worker_pools": pools}, "", "51 placement groups")
    assert config({"worker_pools": pools[:49]}).topology(tier="cost").placement_groups == 50


def test_as_many_groups_are_made_as_are_counted() -> None:
    changes: dict[str, Any] = {
        "worker_pools": [
            {"name": "a", "count": PLACEMENT_GROUP_SIZE},
            {"name": "b", "count": PLACEMENT_GROUP_SIZE + 1},
            {"name": "c", "count": 0},
        ]
    }
    made = deploy(program(changes)).all("hcloud:index/placementGroup:PlacementGroup")
    assert len(made) == topology(changes).placement_groups == 4


# What the cluster makes at Hetzner.


def test_volumes_carry_the_name_of_their_cluster() -> None:
    values = csi_values(topology({"cluster_name": "west"}))
    assert values["controller"]["volumeExtraLabels"] == {"cluster": "west"}


def test_the_private_address_of_a_load_balancer_stays_out_of_public_dns_and_of_the_vswitch() -> (
    None
):
    contract = hetzner_contract(topology(VSWITCH), secret_store=SecretStore(kind="kubernetes"))
    annotations = contract.load_balancer_annotations
    assert annotations["load-balancer.hetzner.cloud/disable-private-ingress"] == "true"
    assert annotations["load-balancer.hetzner.cloud/private-subnet-ip-range"] == "10.0.0.0/17"


def test_no_annotation_gives_two_services_one_load_balancer() -> None:
    contract = hetzner_contract(topology(), secret_store=SecretStore(kind="kubernetes"))
    assert "load-balancer.hetzner.cloud/name" not in contract.load_balancer_annotations


def test_volumes_of_hetzner_take_no_snapshots_and_none_are_promised() -> None:
    contract = hetzner_contract(topology(), secret_store=SecretStore(kind="kubernetes"))
    assert contract.storage_class == "hcloud-volumes"
    assert (contract.snapshot_class, contract.snapshot_driver) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"location": "ash"},
        {"control_plane": {"load_balancer": "public"}},
        {"vswitch": {"id": 1, "vlan": 4000, "cidr": "10.0.3.0/24"}},
    ],
)
def test_a_fault_of_the_network_is_told_once_and_not_of_the_models_too(
    changes: dict[str, object],
) -> None:
    document = {**HETZNER_STACK, "hetzner": {**HETZNER_STACK["hetzner"], **changes}}
    with pytest.raises(ConfigError) as raised:
        parse_stack(document, "Pulumi.hetzner.yaml")
    assert len(raised.value.problems) == 1, str(raised.value)
