"""The `gke` section: what is refused, with the fix, and what follows from a few lines."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.substrate.gke_machines import GPU_MACHINES
from components.substrate.gke_topology import GkeTopology, gke_contract
from stacks.config.gke import GkeConfig
from tests.substrate.gke_samples import SECRET_MANAGER

SMALLEST: dict[str, Any] = {
    "project": "my-project",
    "region": "us-central1",
    "zone": "us-central1-a",
}


def parse(**changes: object) -> GkeConfig:
    """Read a section as a stack file is read; a change to None leaves the key out."""
    section = {key: value for key, value in {**SMALLEST, **changes}.items() if value is not None}
    return GkeConfig.model_validate_json(json.dumps(section))


def shape(config: GkeConfig) -> GkeTopology:
    """Return the topology of a section in a stack that asks nothing more of it."""
    return config.topology(tier="cost", database=False, compute_class=False)


def gpu_pool(**changes: object) -> dict[str, list[dict[str, object]]]:
    return {"gpu_pools": [{"name": "gpu", "accelerator": "nvidia-l4", **changes}]}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"registry": {"untagged_days": 0}}, "registry.untagged_days", "greater than or equal to 1"),
    ({"registry": {"cached_days": 0}}, "registry.cached_days", "greater than or equal to 1"),
    (
        {"secret_locations": ["europe-west4-a"]},
        "secret_locations",
        "'europe-west4-a' is no region, and Secret Manager keeps values in regions; write one",
    ),
    ({"secret_locations": ["eu"]}, "secret_locations", "'eu' is no region"),
    (
        {"secret_locations": ["europe-west4", "europe-west1", "europe-west4"]},
        "secret_locations",
        "europe-west4 stands twice; write each region once",
    ),
    (
        {"supplied_secrets": ["hugging-face-token", "hugging-face-token"]},
        "supplied_secrets",
        "hugging-face-token stands twice; write each secret once",
    ),
    ({"project": "My_Project"}, "project", "pattern"),
    ({"project": "short"}, "project", "pattern"),
    ({"project": "ends-in-hyphen-"}, "project", "pattern"),
    ({"region": "us-central1-a"}, "region", "us-central1-a is a zone; write `region: us-central1`"),
    ({"region": "Iowa"}, "region", "'Iowa' is no region; write one such as us-central1"),
    ({"zone": "us-central1"}, "zone", "is a region; leave zone out for a regional control plane"),
    ({"zone": "a"}, "zone", "'a' is no zone"),
    ({"zone": "europe-west4-a"}, "zone", "not in region us-central1; write us-central1-a"),
    ({"cluster_name": "a" * 41}, "cluster_name", "at most 40"),
    ({"cluster_name": "1st"}, "cluster_name", "pattern"),
    (
        {"control_plane": {"release_channel": "REGULAR"}},
        "control_plane.release_channel",
        "'rapid', 'regular', 'stable'",
    ),
    ({"network": {"node_cidr": "8.8.0.0/20"}}, "network.node_cidr", "is not a private range"),
    ({"network": {"node_cidr": "10.0.0.1/20"}}, "network.node_cidr", "host bits set"),
    ({"network": {"node_cidr": "10.0.0.0/30"}}, "network.node_cidr", "write a /8 to a /29"),
    ({"network": {"pod_cidr": "10.0.0.0/16"}}, "network.pod_cidr", "overlaps node_cidr"),
    ({"network": {"node_cidr": "10.8.0.0/22"}}, "network.service_cidr", "overlaps node_cidr"),
    ({"network": {"control_plane_cidr": "172.16.0.0/24"}}, "network.control_plane_cidr", "/28"),
    (
        {"network": {"control_plane_cidr": "172.17.3.0/28"}},
        "network.control_plane_cidr",
        "overlaps 172.17.0.0/16, which the nodes use themselves",
    ),
    ({"network": {"pod_cidr": "172.16.0.0/12"}}, "network.pod_cidr", "overlaps 172.17.0.0/16"),
    ({"network": {"service_cidr": "10.8.0.0/15"}}, "network.service_cidr", "write a /16 to /24"),
    ({"network": {"service_cidr": "10.8.0.0/25"}}, "network.service_cidr", "write a /16 to /24"),
    (
        {"control_plane": {"endpoint": "ip"}},
        "control_plane.authorized_networks",
        "nobody reaches an address without networks; list the networks",
    ),
    (
        {"control_plane": {"authorized_networks": ["203.0.113.0/24"]}},
        "control_plane.authorized_networks",
        "no meaning with endpoint dns",
    ),
    (
        {"control_plane": {"endpoint": "ip", "authorized_networks": ["0.0.0.0/0"]}},
        "control_plane.authorized_networks.0",
        "lets the whole internet reach the control plane",
    ),
    (
        {"platform_pool": {"machine_type": "g2-standard-4"}},
        "platform_pool.machine_type",
        "has GPUs; describe GPU nodes in gke.gpu_pools",
    ),
    (
        {"platform_pool": {"machine_type": "n4-standard-4"}},
        "platform_pool.machine_type",
        "takes no persistent disk",
    ),
    (
        {"platform_pool": {"machine_type": "c4a-standard-4"}},
        "platform_pool.machine_type",
        "takes no persistent disk",
    ),
    (
        {"platform_pool": {"machine_type": "t2a-standard-4"}},
        "platform_pool.machine_type",
        "is Arm",
    ),
    (
        {"platform_pool": {"min_nodes": 5}},
        "platform_pool.max_nodes",
        "raise max_nodes or lower min_nodes",
    ),
    ({"platform_pool": {"min_nodes": 0}}, "platform_pool.min_nodes", "greater than or equal to 1"),
    (
        {"zone": None, "platform_pool": {"max_nodes": 2}, "gpu_pools": []},
        "",
        "set platform_pool.max_nodes: 3",
    ),
    (
        {"zone": None},
        "",
        "GPU; write zones: [<zones of us-central1 that have nvidia-l4>] in the pool",
    ),
    ({"zone": None, **gpu_pool()}, "", "pool gpu of a regional cluster needs zones"),
    (gpu_pool(accelerator="nvidia-l40s"), "gpu_pools.0.accelerator", "'nvidia-l4'"),
    (
        gpu_pool(accelerators_per_node=3),
        "gpu_pools.0.accelerators_per_node",
        "Google sells no machine with 3 nvidia-l4; write one of 1, 2, 4, 8",
    ),
    (
        gpu_pool(machine_type="g2-standard-24"),
        "gpu_pools.0.machine_type",
        "does not sell g2-standard-24 with 1 nvidia-l4; leave it out for g2-standard-4",
    ),
    (gpu_pool(machine_type="n1-standard-4"), "gpu_pools.0.machine_type", "does not sell"),
    (
        gpu_pool(accelerator="nvidia-h100-80gb"),
        "gpu_pools.0.machine_type",
        "a3-highgpu-1g is only sold as spot or flex-start; set capacity: spot",
    ),
    (
        gpu_pool(accelerator="nvidia-rtx-pro-6000", machine_type="g4-standard-24"),
        "gpu_pools.0.machine_type",
        "does not sell g4-standard-24 with 1 nvidia-rtx-pro-6000; leave it out for g4-standard-48",
    ),
    (gpu_pool(accelerators_per_node=0), "gpu_pools.0.accelerators_per_node", "greater than"),
    (
        gpu_pool(capacity="reservation"),
        "gpu_pools.0.reservation",
        "needs the name of one; write reservation: <its name>",
    ),
    (
        gpu_pool(capacity="spot", reservation="mine"),
        "gpu_pools.0.reservation",
        "capacity spot takes nothing from a reservation; set capacity: reservation",
    ),
    (
        gpu_pool(capacity="reservation", reservation="projects/x/mine"),
        "gpu_pools.0.reservation",
        "pattern",
    ),
    (
        {"zone": None, **gpu_pool(capacity="reservation", reservation="mine")},
        "",
        "write zones: [<zone of the reservation>] in the pool",
    ),
    (
        gpu_pool(capacity="flex-start", min_nodes=1),
        "gpu_pools.0.min_nodes",
        "go after seven days, so there is no minimum of 1; set min_nodes: 0",
    ),
    (
        gpu_pool(capacity="flex-start", location_policy="balanced"),
        "gpu_pools.0.location_policy",
        "it cannot be balanced; leave location_policy out",
    ),
    (
        gpu_pool(capacity="flex-start", upgrade={"max_unavailable": 2}),
        "gpu_pools.0",
        "lets them run out, within seven days; leave upgrade out",
    ),
    (gpu_pool(capacity="preemptible"), "gpu_pools.0.capacity", "'flex-start'"),
    (
        gpu_pool(upgrade={"max_surge": 0, "max_unavailable": 0}),
        "gpu_pools.0.upgrade",
        "no node could ever be upgraded; set one of them to 1",
    ),
    (
        {"platform_pool": {"upgrade": {"max_surge": 0}}},
        "platform_pool.upgrade",
        "no node could ever be upgraded; set one of them to 1",
    ),
    (
        gpu_pool(upgrade={"max_surge": 15, "max_unavailable": 6}),
        "gpu_pools.0.upgrade",
        "20 nodes at once at most, and max_surge with max_unavailable makes 21",
    ),
    (
        gpu_pool(upgrade={"strategy": "blue-green", "max_surge": 1}),
        "gpu_pools.0.upgrade",
        "max_surge has no meaning with strategy blue-green; leave it out, or set strategy: surge",
    ),
    (
        gpu_pool(upgrade={"soak_minutes": 5}),
        "gpu_pools.0.upgrade",
        "soak_minutes has no meaning with strategy surge; leave it out",
    ),
    (
        gpu_pool(upgrade={"strategy": "blue-green", "soak_minutes": 20_000}),
        "gpu_pools.0.upgrade.soak_minutes",
        "less than or equal to 10080",
    ),
    (
        gpu_pool(preloaded_images=["projects/my-project/global/images/vllm"]),
        "gpu_pools.0.preloaded_images",
        "through image streaming; set image_streaming: true",
    ),
    (
        gpu_pool(image_streaming=True, preloaded_images=["vllm"]),
        "gpu_pools.0.preloaded_images.0",
        "pattern",
    ),
    (
        gpu_pool(
            image_streaming=True,
            preloaded_images=["projects/my-project/global/images/family/vllm"],
        ),
        "gpu_pools.0.preloaded_images.0",
        "pattern",
    ),
    (
        gpu_pool(sharing={"strategy": "mps", "clients_per_gpu": 49}),
        "gpu_pools.0.sharing.clients_per_gpu",
        "less than or equal to 48",
    ),
    (
        gpu_pool(sharing={"strategy": "mps", "clients_per_gpu": 1}),
        "gpu_pools.0.sharing.clients_per_gpu",
        "greater than or equal to 2",
    ),
    (
        gpu_pool(sharing={"strategy": "mig", "clients_per_gpu": 2}),
        "gpu_pools.0.sharing.strategy",
        "'time-slicing'",
    ),
    (gpu_pool(driver_version="570"), "gpu_pools.0.driver_version", "'latest'"),
    (
        gpu_pool(zones=["europe-west4-a"]),
        "gpu_pools",
        "pool gpu: europe-west4-a is not in region us-central1, where the cluster is; write",
    ),
    (gpu_pool(zones=["us-central1"]), "gpu_pools", "pool gpu: 'us-central1' is no zone"),
    (
        gpu_pool(zones=["us-central1-a", "us-central1-a"]),
        "gpu_pools",
        "pool gpu: us-central1-a stands twice in zones",
    ),
    (
        {"platform_pool": {"zones": ["us-east1-b"]}},
        "platform_pool",
        "us-east1-b is not in region us-central1",
    ),
    (
        {
            "platform_pool": {
                "max_nodes": 1,
                "zones": ["us-central1-a", "us-central1-b"],
            }
        },
        "",
        "in each of its 2 zones and platform_pool.max_nodes is 1; set platform_pool.max_nodes: 2",
    ),
    (
        {
            "network": {"node_cidr": "10.0.0.0/28"},
            **gpu_pool(max_nodes=5, upgrade={"strategy": "blue-green"}),
        },
        "",
        "(4 platform + 10 gpu): network.node_cidr 10.0.0.0/28 has room for 12 nodes",
    ),
    (gpu_pool(min_nodes=2), "gpu_pools.0.max_nodes", "max_nodes 1 is under min_nodes 2"),
    (gpu_pool(disk_size_gib=20), "gpu_pools.0.disk_size_gib", "greater than or equal to 50"),
    (gpu_pool(name="platform"), "gpu_pools", "is the pool without GPUs; take another name"),
    (gpu_pool(name="L4"), "gpu_pools.0.name", "pattern"),
    (gpu_pool(min_nodez=1), "gpu_pools.0.min_nodez", "Extra inputs"),
    (
        {"gpu_pools": [{"name": "a", "accelerator": "nvidia-l4"}] * 2},
        "gpu_pools",
        "two pools are called 'a'",
    ),
    ({"deletion_protection": "yes"}, "deletion_protection", "valid boolean"),
]


@pytest.mark.parametrize(("changes", "path", "message"), REFUSED)
def test_a_bad_value_is_refused_where_it_stands(
    changes: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(**changes)
    problems = {
        ".".join(str(part) for part in error["loc"]): error["msg"]
        for error in caught.value.errors()
    }
    assert path in problems
    assert message in problems[path]


def test_three_lines_make_a_zonal_cluster_with_one_l4_that_scales_from_zero() -> None:
    topology = shape(parse())
    assert topology.location == "us-central1-a"
    (pool,) = topology.gpu_pools
    assert (pool.accelerator, pool.machine_type) == ("nvidia-l4", "g2-standard-4")
    assert (pool.min_nodes, pool.max_nodes, pool.capacity) == (0, 1, "on-demand")
    assert pool.disk_size_gib >= 200


def test_without_a_zone_the_control_plane_is_regional() -> None:
    assert shape(parse(zone=None, gpu_pools=[])).location == "us-central1"


@pytest.mark.parametrize(
    ("accelerator", "count", "machine_type"),
    [
        ("nvidia-l4", 1, "g2-standard-4"),
        ("nvidia-l4", 2, "g2-standard-24"),
        ("nvidia-l4", 4, "g2-standard-48"),
        ("nvidia-l4", 8, "g2-standard-96"),
        ("nvidia-tesla-t4", 1, "n1-standard-4"),
        ("nvidia-tesla-a100", 16, "a2-megagpu-16g"),
        ("nvidia-a100-80gb", 4, "a2-ultragpu-4g"),
        ("nvidia-h100-80gb", 8, "a3-highgpu-8g"),
        ("nvidia-h100-mega-80gb", 8, "a3-megagpu-8g"),
        ("nvidia-rtx-pro-6000", 1, "g4-standard-48"),
        ("nvidia-rtx-pro-6000", 8, "g4-standard-384"),
    ],
)
def test_the_machine_type_follows_from_the_gpus(
    accelerator: str, count: int, machine_type: str
) -> None:
    section = parse(**gpu_pool(accelerator=accelerator, accelerators_per_node=count))
    assert shape(section).gpu_pools[0].machine_type == machine_type


@pytest.mark.parametrize(
    "machine_type",
    ["e2-standard-8", "n2d-highmem-4", "n1-standard-4", "c3-standard-8", "t2d-standard-4"],
)
def test_machines_that_take_persistent_disks_run_the_platform(machine_type: str) -> None:
    section = parse(platform_pool={"machine_type": machine_type})
    assert shape(section).platform_pool.machine_type == machine_type


def test_four_t4_may_have_more_vcpus_than_one() -> None:
    four, one = (
        {machine.name for machine in GPU_MACHINES["nvidia-tesla-t4"][count]} for count in (4, 1)
    )
    assert "n1-standard-96" in four
    assert "n1-standard-64" not in one


def test_small_h100_machines_are_taken_as_spot() -> None:
    section = parse(**gpu_pool(accelerator="nvidia-h100-80gb", capacity="spot"))
    assert shape(section).gpu_pools[0].machine_type == "a3-highgpu-1g"


def test_a_pool_takes_all_of_its_settings_to_the_substrate() -> None:
    section = parse(
        **gpu_pool(
            capacity="reservation",
            reservation="projects/other-project/reservations/mine",
            zones=["us-central1-b"],
            upgrade={
                "strategy": "blue-green",
                "batch_nodes": 2,
                "batch_soak_minutes": 5,
                "soak_minutes": 30,
            },
            driver_version="latest",
            sharing={"strategy": "time-slicing", "clients_per_gpu": 3},
            image_streaming=True,
            preloaded_images=["projects/my-project/global/images/vllm"],
        )
    )
    (pool,) = shape(section).gpu_pools
    assert (pool.capacity, pool.reservation) == (
        "reservation",
        "projects/other-project/reservations/mine",
    )
    assert pool.zones == ("us-central1-b",)
    assert pool.upgrade is not None
    assert (pool.upgrade.strategy, pool.upgrade.batch_nodes) == ("blue-green", 2)
    assert (pool.upgrade.batch_soak_minutes, pool.upgrade.soak_minutes) == (5, 30)
    assert pool.sharing is not None
    assert (pool.sharing.strategy, pool.sharing.clients_per_gpu) == ("time-slicing", 3)
    assert (pool.driver_version, pool.image_streaming) == ("latest", True)
    assert pool.preloaded_images == ("projects/my-project/global/images/vllm",)


def test_flex_start_nodes_are_not_upgraded() -> None:
    (pool,) = shape(parse(**gpu_pool(capacity="flex-start"))).gpu_pools
    assert pool.upgrade is None
    assert pool.location_policy == "any"


def test_a_partial_surge_of_gpus_keeps_the_rest_of_its_defaults() -> None:
    (pool,) = shape(parse(**gpu_pool(upgrade={"max_unavailable": 2}))).gpu_pools
    assert pool.upgrade is not None
    assert (pool.upgrade.max_surge, pool.upgrade.max_unavailable) == (0, 2)


def test_a_zonal_cluster_takes_nodes_of_other_zones_of_its_region() -> None:
    section = parse(platform_pool={"zones": ["us-central1-b"]}, **gpu_pool(zones=["us-central1-f"]))
    assert shape(section).platform_pool.zones == ("us-central1-b",)
    assert shape(section).gpu_pools[0].zones == ("us-central1-f",)


def test_a_regional_cluster_with_one_zone_of_nodes_may_have_one_node() -> None:
    section = parse(
        zone=None, platform_pool={"max_nodes": 1, "zones": ["us-central1-b"]}, gpu_pools=[]
    )
    assert shape(section).platform_pool.max_nodes == 1


def test_all_problems_of_a_section_come_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        parse(
            region="us-central1-a",
            project="x",
            control_plane={"release_channel": "fast"},
            **gpu_pool(min_nodes=2),
        )
    assert len(caught.value.errors()) == 4


def test_the_contract_counts_gpus_over_all_pools() -> None:
    section = parse(
        gpu_pools=[
            {"name": "one", "accelerator": "nvidia-l4", "max_nodes": 3},
            {"name": "four", "accelerator": "nvidia-l4", "accelerators_per_node": 4},
            {"name": "old", "accelerator": "nvidia-tesla-t4"},
        ]
    )
    gpu = gke_contract(shape(section), secret_store=SECRET_MANAGER).gpu
    assert gpu.products == ("nvidia-l4", "nvidia-tesla-t4")
    assert (gpu.max_gpus, gpu.max_gpus_per_node) == (3 + 4 + 1, 4)


def test_a_cluster_without_gpu_pools_promises_no_gpu() -> None:
    gpu = gke_contract(shape(parse(gpu_pools=[])), secret_store=SECRET_MANAGER).gpu
    assert (gpu.managed_by, gpu.max_gpus, gpu.dcgm) == ("none", 0, None)
