"""The `hetzner` section: what it fills in, and what it refuses."""

import pytest
from pydantic import ValidationError

from components.contract import GpuProfile, SecretStore, SubstrateContract
from components.platform.config import Tier
from components.substrate.hetzner_topology import NETWORK_ZONES, hetzner_contract
from tests.substrate.hetzner_samples import (
    OBJECT_STORAGE,
    SMALLEST,
    VSWITCH,
    WITH_GPU,
    config,
    topology,
)

STORAGE = OBJECT_STORAGE["object_storage"]


def test_two_lines_make_a_cluster_with_one_control_plane_and_three_workers() -> None:
    shape = topology()
    assert (shape.control_plane.count, shape.control_plane.server_type) == (1, "cpx32")
    assert [(pool.name, pool.server_type, pool.count) for pool in shape.worker_pools] == [
        ("platform", "cpx42", 3)
    ]
    assert shape.node_cidr == "10.0.0.0/17"
    assert shape.cluster_dns == "10.43.0.10"
    assert not shape.deletion_protection


@pytest.mark.parametrize("location", sorted(NETWORK_ZONES))
def test_every_location_has_its_network_zone(location: str) -> None:
    zones = {"fsn1": "eu-central", "nbg1": "eu-central", "hel1": "eu-central"}
    zones |= {"ash": "us-east", "hil": "us-west", "sin": "ap-southeast"}
    assert topology({"location": location}).network_zone == zones[location]


def test_outside_europe_the_default_types_are_sold_there() -> None:
    shape = topology({"location": "ash"})
    assert shape.control_plane.server_type == "ccx23"
    assert shape.worker_pools[0].server_type == "ccx33"


def test_a_cluster_is_audited_and_not_encrypted_between_nodes_unless_it_says_otherwise() -> None:
    shape = topology()
    assert shape.control_plane.audit_log
    assert not shape.wireguard
    assert shape.object_storage is None
    assert topology({"wireguard": True}).wireguard


def test_control_plane_addresses_come_from_the_end_of_the_subnet() -> None:
    shape = topology({"control_plane": {"count": 3}})
    addresses = [shape.control_plane_address(index) for index in range(3)]
    assert addresses == ["10.0.127.254", "10.0.127.253", "10.0.127.252"]


def test_the_network_is_only_as_wide_as_the_way_to_dedicated_servers() -> None:
    assert topology().underlay_mtu == 1450
    assert topology(VSWITCH).underlay_mtu == 1400


def test_a_long_cluster_name_leaves_server_names_within_the_limit_and_apart() -> None:
    shape = topology({"cluster_name": "c" * 40, "worker_pools": [{"name": "p" * 40, "count": 2}]})
    names = [shape.physical_name(f"{'p' * 40}-{index}") for index in range(2)]
    assert all(len(name) <= 63 for name in names)
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"location": "nbg2"}, "location", "'nbg1'"),
        ({"api_allowed_cidrs": []}, "api_allowed_cidrs", "the network that this program runs from"),
        ({"api_allowed_cidrs": ["0.0.0.0/0"]}, "api_allowed_cidrs.0", "203.0.113.7/32"),
        ({"api_allowed_cidrs": ["0.0.0.0/1"]}, "api_allowed_cidrs.0", "much of the internet"),
        ({"api_allowed_cidrs": ["203.0.113.7/24"]}, "api_allowed_cidrs.0", "write 203.0.113.0/24"),
        ({"api_allowed_cidrs": ["203.0.113.7"]}, "api_allowed_cidrs.0", "write 203.0.113.7/32"),
        ({"api_allowed_cidrs": ["2001:db8::/32"]}, "api_allowed_cidrs.0", "an IPv4 network"),
        ({"api_allowed_cidrs": ["home"]}, "api_allowed_cidrs.0", "not a network"),
        ({"api_allowed_cidrs": ["192.168.1.0/24"]}, "api_allowed_cidrs.0", "public address"),
        ({"api_allowed_cidrs": ["127.0.0.1/32"]}, "api_allowed_cidrs.0", "public address"),
        ({"api_allowed_cidrs": ["100.64.0.7/32"]}, "api_allowed_cidrs.0", "public address"),
        ({"api_allowed_cidrs": ["203.0.113.0/24"] * 2}, "api_allowed_cidrs", "write it once"),
        ({"control_plane": {"count": 2}}, "control_plane.count", "1, 3 or 5"),
        ({"control_plane": {"count": True}}, "control_plane.count", "1, 3 or 5"),
        ({"control_plane": {"count": 3.0}}, "control_plane.count", "1, 3 or 5"),
        ({"control_plane": {"server_type": "gex44"}}, "control_plane.server_type", "gpu_servers"),
        ({"control_plane": {"server_type": "cpx4"}}, "control_plane.server_type", "such as cpx32"),
        (
            {"worker_pools": [{"name": "gpu", "server_type": "a100", "count": 1}]},
            "worker_pools.0.server_type",
            "no server with a GPU",
        ),
        (
            {"worker_pools": [{"name": "a", "count": 1}, {"name": "a", "count": 1}]},
            "worker_pools",
            "a name of its own",
        ),
        ({"worker_pools": []}, "worker_pools", "schedulable: true"),
        ({"worker_pools": [{"name": "a", "count": 0}]}, "worker_pools", "a count above 0"),
        (
            {"worker_pools": [{"name": "control-plane", "count": 1}]},
            "worker_pools.0.name",
            "another name",
        ),
        (
            {
                "worker_pools": [
                    {"name": "a", "count": 1, "labels": {"node-role.kubernetes.io/gpu": "x"}}
                ]
            },
            "worker_pools.0.labels",
            "a prefix of your own",
        ),
        (
            {"worker_pools": [{"name": "a", "count": 1, "labels": {"bad key": "x"}}]},
            "worker_pools.0.labels",
            "not a Kubernetes label",
        ),
        *(
            (
                {"worker_pools": [{"name": "a", "count": 1, "labels": {key: "x"}}]},
                "worker_pools.0.labels",
                "they go by it",
            )
            for key in (
                "llmp.dev/pool",
                "hcloud/node-group",
                "instance.hetzner.cloud/provided-by",
                "nvidia.com/gpu.present",
            )
        ),
        (
            {"worker_pools": [{"name": "a", "count": 1, "taints": [{"key": "nvidia.com/gpu"}]}]},
            "worker_pools.0.taints",
            "set by the program",
        ),
        (
            {
                "worker_pools": [
                    {
                        "name": "a",
                        "count": 1,
                        "taints": [{"key": "b", "value": "c"}, {"key": "b", "value": "d"}],
                    }
                ]
            },
            "worker_pools.0.taints",
            "each key and effect once",
        ),
        (
            {"worker_pools": [{"name": "a", "count": 3, "taints": [{"key": "b"}]}]},
            "worker_pools",
            "tolerates no taint of a pool",
        ),
        (
            {
                "worker_pools": [
                    {
                        "name": "a",
                        "count": 3,
                        "taints": [{"key": "b", "effect": "PreferNoSchedule"}],
                    }
                ]
            },
            None,
            "",
        ),
        ({"network_cidr": "203.0.113.0/24"}, "network_cidr", "is not private"),
        ({"network_cidr": "10.0.0.0/25"}, "network_cidr", "a /24 or larger"),
        ({"node_cidr": "10.1.0.0/24"}, "node_cidr", "not inside network_cidr"),
        ({"pod_cidr": "10.0.0.0/20"}, "pod_cidr", "overlaps network_cidr"),
        ({"service_cidr": "10.244.0.0/20"}, "service_cidr", "overlaps pod_cidr"),
        ({"service_cidr": "10.43.0.0/28"}, "service_cidr", "/12 to /24"),
        ({"network_cidr": "10.44.0.0/15"}, None, ""),
        ({"network_cidr": "10.42.0.0/15"}, "service_cidr", "overlaps network_cidr"),
        ({"pod_cidr": "10.244.0.0/23"}, "", "a larger pod_cidr"),
        (
            {"network_cidr": "10.0.0.0/24", "worker_pools": [{"name": "a", "count": 99}]},
            None,
            "",
        ),
        ({"worker_pools": [{"name": "a", "count": 100}]}, "", "a network takes 100"),
        (
            {
                "worker_pools": [
                    {"name": "a", "count": 50},
                    {"name": "b", "autoscaling": {"min": 0, "max": 50}},
                ]
            },
            "",
            "lower autoscaling.max",
        ),
        ({"node_cidr": "10.0.0.0/28"}, "", "room for 0 beside"),
        ({"node_cidr": "10.0.0.0/28"}, "", "a larger node_cidr"),
        (
            {
                "network_cidr": "10.0.0.0/24",
                "pod_cidr": "10.240.0.0/16",
                "worker_pools": [{"name": "a", "count": 2}],
                "vswitch": {"id": 1, "cidr": "10.0.0.128/25"},
            },
            None,
            "",
        ),
        ({"gpu_nodes": 1}, "gpu_nodes", "Extra inputs"),
        ({"wireguard": "yes"}, "wireguard", "valid boolean"),
        ({"control_plane": {"audit_log": 1}}, "control_plane.audit_log", "valid boolean"),
        (
            {"object_storage": {**STORAGE, "endpoint": "https://nbg1.your-objectstorage.com"}},
            "object_storage.endpoint",
            "the host alone is wanted",
        ),
        (
            {"object_storage": {**STORAGE, "endpoint": "nbg1"}},
            "object_storage.endpoint",
            "such as nbg1.your-objectstorage.com",
        ),
        ({"object_storage": {**STORAGE, "endpoint": "s3.example.com:9000"}}, None, ""),
        (
            {"object_storage": {**STORAGE, "endpoint": "s3.example.com:70000"}},
            "object_storage.endpoint",
            "no host name",
        ),
        (
            {
                "object_storage": {
                    **STORAGE,
                    "endpoint": f"{STORAGE['bucket']}.nbg1.your-objectstorage.com",
                }
            },
            "object_storage",
            "write endpoint: nbg1.your-objectstorage.com",
        ),
        ({"object_storage": {**STORAGE, "region": "NBG1"}}, "object_storage.region", "pattern"),
        (
            {"object_storage": {**STORAGE, "bucket": "Backups"}},
            "object_storage.bucket",
            "such as acme-llmp-backups",
        ),
        (
            {"object_storage": {**STORAGE, "bucket": "10.0.0.1"}},
            "object_storage.bucket",
            "no name of a bucket",
        ),
        (
            {"object_storage": {**STORAGE, "access_key": "A"}},
            "object_storage.access_key",
            "Extra inputs",
        ),
    ],
)
def test_what_hetzner_or_kubernetes_would_refuse_is_refused_with_the_fix(
    changes: dict[str, object], where: str | None, says: str
) -> None:
    if where is None:
        config(changes)
        return
    with pytest.raises(ValidationError) as raised:
        config(changes)
    found = {
        ".".join(str(part) for part in error["loc"]): error["msg"]
        for error in raised.value.errors()
    }
    assert where in found, found
    assert says in found[where]


def test_without_workers_a_schedulable_control_plane_is_enough() -> None:
    shape = topology({"worker_pools": [], "control_plane": {"schedulable": True}})
    assert shape.node_count == 1


def _contract(changes: dict[str, object] | None = None) -> SubstrateContract:
    return hetzner_contract(topology(changes), secret_store=SecretStore(kind="kubernetes"))


def test_the_contract_promises_no_gpu_where_no_server_has_one() -> None:
    assert _contract().gpu == GpuProfile(managed_by="none")


def test_with_the_operator_the_contract_says_how_a_pod_gets_its_gpu() -> None:
    gpu = _contract(WITH_GPU).gpu
    assert (gpu.managed_by, gpu.max_gpus, gpu.max_gpus_per_node) == ("gpu-operator", 2, 1)
    assert gpu.runtime_class == "nvidia"
    assert gpu.product_label == "llmp.dev/gpu-product"
    assert [each.to_kubernetes() for each in gpu.tolerations] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert gpu.dcgm is not None
    assert gpu.dcgm.namespace == "gpu-operator"


def test_the_contract_survives_the_way_through_stack_output_and_annotations() -> None:
    contract = _contract(WITH_GPU)
    assert SubstrateContract.from_output(contract.to_output()) == contract
    assert SubstrateContract.from_annotations(contract.annotations()) == contract


def test_load_balancers_stay_on_the_private_network_and_in_the_location() -> None:
    assert _contract().load_balancer_annotations == {
        "load-balancer.hetzner.cloud/location": SMALLEST["location"],
        "load-balancer.hetzner.cloud/use-private-ip": "true",
        "load-balancer.hetzner.cloud/disable-private-ingress": "true",
        "load-balancer.hetzner.cloud/private-subnet-ip-range": "10.0.0.0/17",
    }


@pytest.mark.parametrize(
    ("written", "tier", "protected"),
    [
        (None, "prod", True),
        (None, "dev", False),
        (None, "cost", False),
        (False, "prod", False),
        (True, "cost", True),
    ],
)
def test_production_is_protected_unless_a_teardown_says_otherwise(
    *, written: bool | None, tier: Tier, protected: bool
) -> None:
    section = config({"deletion_protection": written})
    assert section.topology(tier=tier).deletion_protection is protected
