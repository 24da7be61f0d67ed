"""The node pools of GKE: what each setting makes and never makes, and what a pool is called."""

import dataclasses
from collections.abc import Iterator
from typing import Any, cast

import pytest

from components.contract import SecretStore
from components.substrate import gke_topology
from components.substrate.gke_machines import GPU_MACHINES, boot_disk_type
from components.substrate.gke_node_identity import NODE_ROLES, STREAMING_ROLES
from components.substrate.gke_node_pool import GkeNodePool, GkeNodePoolArgs
from components.substrate.gke_topology import (
    POOL_NAME_BASELINE,
    POOL_REVISION,
    GkeGpuPool,
    GkeGpuSharing,
    GkePlatformPool,
    gke_contract,
)
from sandbox.provider import gcp_pools, rules
from sandbox.provider.diff import compare, rule_path
from sandbox.provider.values import Properties
from tests.conftest import Run
from tests.harness import Recorder, Registration, deploy
from tests.substrate.gke_samples import L4_POOL, SURGE, TOPOLOGY, substrate, topology

POOL = "gcp:container/nodePool:NodePool"
PLATFORM = TOPOLOGY.platform_pool
IMAGE = "projects/my-project/global/images/vllm"
BLUE_GREEN = dataclasses.replace(
    SURGE, strategy="blue-green", batch_nodes=2, batch_soak_minutes=5, soak_minutes=30
)
MPS = GkeGpuSharing(strategy="mps", clients_per_gpu=4)


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(topology=topology(**changes))))


def pool(recorder: Recorder, name: str) -> Registration:
    return next(
        each
        for each in recorder.all(POOL)
        if each.inputs["nodeConfig"]["labels"]["llmp.dev/pool"] == name
    )


def gpu_pool(**changes: Any) -> GkeGpuPool:  # noqa: ANN401 - whatever the field takes
    return dataclasses.replace(L4_POOL, **changes)


def built(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the field takes
    """Return the inputs of a GPU pool with some settings changed."""
    return pool(build(gpu_pools=(gpu_pool(**changes),)), "l4").inputs


def node(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the field takes
    """Return the node config of a GPU pool with some settings changed."""
    return built(**changes)["nodeConfig"]


# What every pool has


def test_gpu_pools_are_tainted_start_at_zero_and_get_their_driver_from_gke(run: Run) -> None:
    gpu = pool(run(lambda: _drop(substrate())), "l4").inputs
    assert gpu["initialNodeCount"] == 0
    assert gpu["autoscaling"]["totalMinNodeCount"] == 0
    assert gpu["nodeConfig"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    ]
    (accelerator,) = gpu["nodeConfig"]["guestAccelerators"]
    assert accelerator == {
        "type": "nvidia-l4",
        "count": 1,
        "gpuDriverInstallationConfig": {"gpuDriverVersion": "DEFAULT"},
    }
    assert gpu["nodeConfig"]["imageType"] == "COS_CONTAINERD"


def test_a_plain_pool_asks_for_nothing_that_costs_or_excludes_something() -> None:
    gpu = built()
    assert gpu["nodeConfig"]["spot"] is False
    assert gpu["nodeConfig"]["gcfsConfig"] == {"enabled": False}
    assert "nodeLocations" not in gpu
    absent = {"flexStart", "maxRunDuration", "reservationAffinity", "secondaryBootDisks"}
    assert not absent & set(gpu["nodeConfig"])


def test_the_platform_pool_has_neither_taint_nor_gpu_and_starts_with_a_node() -> None:
    platform = pool(build(), "platform").inputs
    assert not {"taints", "guestAccelerators", "gvnic"} & set(platform["nodeConfig"])
    assert platform["initialNodeCount"] == 1
    assert platform["nodeConfig"]["diskType"] == "pd-balanced"


def test_every_pool_runs_as_the_nodes_identity_behind_the_metadata_server() -> None:
    pools = build(gpu_pools=tuple(KINDS.values())).all(POOL)
    assert len(pools) == 1 + len(KINDS)
    for each in pools:
        config = each.inputs["nodeConfig"]
        assert config["serviceAccount"] == "llmp-nodes@my-project.iam.gserviceaccount.com"
        assert config["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert config["metadata"] == {"disable-legacy-endpoints": "true"}
        assert config["kubeletConfig"] == {"insecureKubeletReadonlyPortEnabled": "FALSE"}
        assert config["shieldedInstanceConfig"] == {
            "enableSecureBoot": True,
            "enableIntegrityMonitoring": True,
        }
        assert config["resourceLabels"]["managed-by"] == "llmp"
        assert each.inputs["networkConfig"] == {"enablePrivateNodes": True}
        assert each.inputs["management"]["autoUpgrade"] is True


def test_spot_and_gpu_pools_take_any_zone_that_has_machines() -> None:
    assert built()["autoscaling"]["locationPolicy"] == "ANY"
    assert pool(build(), "platform").inputs["autoscaling"]["locationPolicy"] == "BALANCED"
    assert built(location_policy="balanced")["autoscaling"]["locationPolicy"] == "BALANCED"


# Settings, one by one


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        ({"max_nodes": 8}, 60 + 8 * 60),
        ({"max_nodes": 8, "upgrade": dataclasses.replace(SURGE, max_surge=3)}, 60 + 3 * 60),
        ({"max_nodes": 3, "upgrade": BLUE_GREEN}, 60 + 2 * 65 + 30),
    ],
)
def test_an_update_is_waited_for_as_long_as_gke_may_take(
    changes: dict[str, Any], minutes: int
) -> None:
    built_pool = pool(build(gpu_pools=(gpu_pool(**changes),)), "l4")
    assert built_pool.update_timeout == f"{minutes}m"


def test_nodes_that_run_out_are_not_waited_for() -> None:
    flex_start = gpu_pool(capacity="flex-start", upgrade=None)
    assert pool(build(gpu_pools=(flex_start,)), "l4").update_timeout == ""


def test_zones_are_those_of_the_pool_where_it_names_some() -> None:
    zones = ("us-central1-b", "us-central1-c")
    recorder = build(
        platform_pool=dataclasses.replace(PLATFORM, zones=zones[:1]),
        gpu_pools=(gpu_pool(zones=zones),),
    )
    assert pool(recorder, "l4").inputs["nodeLocations"] == list(zones)
    assert pool(recorder, "platform").inputs["nodeLocations"] == ["us-central1-b"]


def test_spot_nodes_are_tainted_and_the_contract_says_what_tolerates_them() -> None:
    spot = gpu_pool(capacity="spot")
    config = node(capacity="spot")
    assert config["spot"] is True
    assert {
        "key": "cloud.google.com/gke-spot",
        "value": "true",
        "effect": "NO_SCHEDULE",
    } in config["taints"]
    gpu = contract_of(spot)
    assert {one.key for one in gpu.tolerations} == {"nvidia.com/gpu"}
    assert {one.key for one in gpu.spot_tolerations} == {"cloud.google.com/gke-spot"}


def test_a_pool_that_is_not_spot_has_no_taint_of_spot() -> None:
    for capacity in ("on-demand", "reservation", "flex-start"):
        config = built_node_of_kind(capacity)
        assert "cloud.google.com/gke-spot" not in {one["key"] for one in config["taints"]}


def test_flex_start_nodes_live_seven_days_and_are_neither_repaired_nor_upgraded_in_place() -> None:
    inputs = built(capacity="flex-start", upgrade=None)
    config = inputs["nodeConfig"]
    assert config["flexStart"] is True
    assert config["maxRunDuration"] == "604800s"
    assert config["reservationAffinity"] == {"consumeReservationType": "NO_RESERVATION"}
    assert inputs["management"]["autoRepair"] is False
    assert inputs["autoscaling"]["locationPolicy"] == "ANY"
    assert "upgradeSettings" not in inputs
    assert config["spot"] is False


def test_nodes_of_all_other_kinds_are_repaired() -> None:
    for name, kind in KINDS.items():
        repaired = pool(build(gpu_pools=(kind,)), name).inputs["management"]["autoRepair"]
        assert repaired is (kind.capacity != "flex-start"), name


def test_a_reservation_is_taken_by_its_name() -> None:
    config = node(capacity="reservation", reservation="l4-reserved")
    assert config["reservationAffinity"] == {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": ["l4-reserved"],
    }


def test_a_surge_upgrade_of_gpus_needs_no_quota_beyond_the_pool() -> None:
    assert built()["upgradeSettings"] == {
        "strategy": "SURGE",
        "maxSurge": 0,
        "maxUnavailable": 1,
    }


def test_a_blue_green_upgrade_has_its_own_settings_and_none_of_the_surge() -> None:
    assert built(upgrade=BLUE_GREEN)["upgradeSettings"] == {
        "strategy": "BLUE_GREEN",
        "blueGreenSettings": {
            "nodePoolSoakDuration": "1800s",
            "standardRolloutPolicy": {"batchNodeCount": 2, "batchSoakDuration": "300s"},
        },
    }


def test_an_upgrade_may_need_more_nodes_than_the_pool_has() -> None:
    assert gpu_pool(max_nodes=4).most_nodes == 4
    assert gpu_pool(max_nodes=4, upgrade=SURGE).most_nodes == 5
    assert gpu_pool(max_nodes=4, upgrade=BLUE_GREEN).most_nodes == 8
    assert gpu_pool(max_nodes=4, upgrade=None, capacity="flex-start").most_nodes == 4
    assert dataclasses.replace(PLATFORM, max_nodes=3).most_nodes == 4


def test_the_newest_driver_comes_where_it_is_asked_for() -> None:
    (accelerator,) = node(driver_version="latest")["guestAccelerators"]
    assert accelerator["gpuDriverInstallationConfig"] == {"gpuDriverVersion": "LATEST"}


@pytest.mark.parametrize(("strategy", "name"), [("time-slicing", "TIME_SHARING"), ("mps", "MPS")])
def test_shared_gpus_are_tainted_by_the_way_they_are_shared(strategy: str, name: str) -> None:
    sharing = GkeGpuSharing(strategy=cast("Any", strategy), clients_per_gpu=4)
    config = node(sharing=sharing)
    (accelerator,) = config["guestAccelerators"]
    assert accelerator["gpuSharingConfig"] == {
        "gpuSharingStrategy": name,
        "maxSharedClientsPerGpu": 4,
    }
    assert {
        "key": "llmp.dev/gpu-sharing",
        "value": strategy,
        "effect": "NO_SCHEDULE",
    } in config["taints"]


def test_images_are_streamed_where_asked_with_the_api_and_the_right_that_it_takes() -> None:
    recorder = build(gpu_pools=(gpu_pool(image_streaming=True),))
    assert pool(recorder, "l4").inputs["nodeConfig"]["gcfsConfig"] == {"enabled": True}
    assert pool(recorder, "platform").inputs["nodeConfig"]["gcfsConfig"] == {"enabled": False}
    assert "containerfilesystem.googleapis.com" in services(recorder)
    assert node_roles(recorder) == {*NODE_ROLES.values(), *STREAMING_ROLES.values()}


def test_without_streaming_neither_its_api_nor_its_role_is_there() -> None:
    recorder = build()
    assert "containerfilesystem.googleapis.com" not in services(recorder)
    assert not node_roles(recorder) & set(STREAMING_ROLES.values())


def test_the_platform_pool_streams_images_too() -> None:
    recorder = build(platform_pool=dataclasses.replace(PLATFORM, image_streaming=True))
    assert pool(recorder, "platform").inputs["nodeConfig"]["gcfsConfig"] == {"enabled": True}
    assert "containerfilesystem.googleapis.com" in services(recorder)


def test_preloaded_images_are_secondary_boot_disks() -> None:
    config = node(image_streaming=True, preloaded_images=(IMAGE,))
    assert config["secondaryBootDisks"] == [{"diskImage": IMAGE, "mode": "CONTAINER_IMAGE_CACHE"}]


def test_a_g4_machine_boots_from_hyperdisk_and_all_others_from_a_balanced_disk() -> None:
    g4 = gpu_pool(accelerator="nvidia-rtx-pro-6000", machine_type="g4-standard-48")
    config = pool(build(gpu_pools=(g4,)), "l4").inputs["nodeConfig"]
    assert (config["diskType"], config["diskSizeGb"]) == ("hyperdisk-balanced", 200)
    assert node()["diskType"] == "pd-balanced"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_nodes": 3}, "min_nodes 3 is over 2"),
        ({"accelerators_per_node": 0}, "come together"),
        ({"reservation": "l4"}, "reservation and capacity reservation come together"),
        ({"capacity": "reservation"}, "reservation and capacity reservation come together"),
        ({"capacity": "flex-start"}, "upgrade is None with capacity flex-start, and only there"),
        ({"upgrade": None}, "upgrade is None with capacity flex-start, and only there"),
        ({"preloaded_images": (IMAGE,)}, "preloaded_images need image_streaming"),
        ({"accelerator": None, "accelerators_per_node": 0, "sharing": MPS}, "no GPU to share"),
    ],
)
def test_a_pool_refuses_settings_that_contradict_each_other(
    changes: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "project": "my-project",
        "location": "us-central1-a",
        "cluster": "llmp",
        "pool_name": "l4",
        "node_account": "nodes@my-project.iam.gserviceaccount.com",
        "machine_type": "g2-standard-4",
        "min_nodes": 0,
        "max_nodes": 2,
        "disk_size_gib": 200,
        "location_policy": "any",
        "upgrade": SURGE,
        "accelerator": "nvidia-l4",
        "accelerators_per_node": 1,
        "node_labels": {},
        "labels": {},
    }
    with pytest.raises(ValueError, match=message):
        GkeNodePool("pool", GkeNodePoolArgs(**{**arguments, **changes}))


# Compute class


def test_pools_of_a_compute_class_take_only_pods_that_select_it() -> None:
    spot = gpu_pool(name="l4-spot", capacity="spot")
    with_class = topology(gpu_pools=(L4_POOL, spot), compute_class=True)
    recorder = build(gpu_pools=(L4_POOL, spot), compute_class=True)
    gpu = gke_contract(with_class, secret_store=SecretStore(kind="kubernetes")).gpu
    assert gpu.compute_class is not None
    # Spot first, whatever the order of the config.
    assert gpu.compute_class.priorities == ((spot.node_pool_name,), (L4_POOL.node_pool_name,))
    made = {each.inputs["name"] for each in recorder.all(POOL)}
    assert {name for names in gpu.compute_class.priorities for name in names} <= made
    ((key, value),) = gpu.node_selector.items()
    for name in ("l4", "l4-spot"):
        config = pool(recorder, name).inputs["nodeConfig"]
        assert config["labels"][key] == value == gpu.compute_class.name
        assert {"key": key, "value": value, "effect": "NO_SCHEDULE"} in config["taints"]
        # Whoever is meant to run there tolerates every taint.
        tolerated = {one.key for one in gpu.tolerations}
        if name == "l4-spot":
            tolerated |= {one.key for one in gpu.spot_tolerations}
        assert tolerated == {one["key"] for one in config["taints"]}
    assert key not in pool(recorder, "platform").inputs["nodeConfig"]["labels"]


def test_without_a_compute_class_pods_select_no_pool() -> None:
    gpu = contract_of(L4_POOL)
    assert gpu.compute_class is None
    assert gpu.node_selector == {}


@pytest.mark.parametrize("compute_class", [True, False])
def test_the_contract_names_the_labels_and_taints_that_nodes_get(*, compute_class: bool) -> None:
    recorder = build(gpu_pools=tuple(KINDS.values()), compute_class=compute_class)
    changed = topology(gpu_pools=tuple(KINDS.values()), compute_class=compute_class)
    promised = gke_contract(changed, secret_store=SecretStore(kind="kubernetes")).gpu.pools
    assert len(promised) == len(KINDS)
    for each in promised:
        config = pool(recorder, each.name).inputs["nodeConfig"]
        assert config["labels"] == each.labels
        assert [(one["key"], one["value"]) for one in config["taints"]] == [
            (taint.key, taint.value) for taint in each.taints
        ]


# What a pool is called

KINDS = {
    "on-demand": gpu_pool(name="on-demand"),
    "spot": gpu_pool(name="spot", capacity="spot"),
    "flex-start": gpu_pool(name="flex-start", capacity="flex-start", upgrade=None),
    "reservation": gpu_pool(name="reservation", capacity="reservation", reservation="mine"),
    "shared": gpu_pool(name="shared", sharing=MPS),
    "preloaded": gpu_pool(name="preloaded", image_streaming=True, preloaded_images=(IMAGE,)),
    "g4": gpu_pool(name="g4", accelerator="nvidia-rtx-pro-6000", machine_type="g4-standard-48"),
}

GPU_EDITS: dict[str, dict[str, Any]] = {
    "accelerator": {"accelerator": "nvidia-tesla-t4", "machine_type": "n1-standard-4"},
    "accelerators_per_node": {"accelerators_per_node": 2, "machine_type": "g2-standard-24"},
    "machine_type": {"machine_type": "g2-standard-8"},
    "capacity": {"capacity": "spot"},
    "reservation": {"capacity": "reservation", "reservation": "mine"},
    "min_nodes": {"min_nodes": 1},
    "max_nodes": {"max_nodes": 5},
    "disk_size_gib": {"disk_size_gib": 300},
    "zones": {"zones": ("us-central1-b",)},
    "location_policy": {"location_policy": "balanced"},
    "upgrade": {"upgrade": BLUE_GREEN},
    "driver_version": {"driver_version": "latest"},
    "sharing": {"sharing": MPS},
    "image_streaming": {"image_streaming": True},
    "preloaded_images": {"preloaded_images": (IMAGE,), "image_streaming": True},
}
MORE_GPU_EDITS = {
    "flex-start": {"capacity": "flex-start", "upgrade": None},
    "other clients": {"sharing": dataclasses.replace(MPS, clients_per_gpu=8)},
}
PLATFORM_EDITS: dict[str, dict[str, Any]] = {
    "machine_type": {"machine_type": "n2-standard-8"},
    "min_nodes": {"min_nodes": 2},
    "max_nodes": {"max_nodes": 9},
    "disk_size_gib": {"disk_size_gib": 200},
    "zones": {"zones": ("us-central1-b",)},
    "upgrade": {"upgrade": BLUE_GREEN},
    "image_streaming": {"image_streaming": True},
}


CONSTANTS = ("oauthScopes", "metadata", "shieldedInstanceConfig", "maxRunDuration")
"""What every pool of ours has alike and Google cannot change on one that exists."""


def replacing(old: Registration, new: Registration) -> set[str]:
    """Return the changed inputs that would replace a pool, its name and ignored ones left out."""
    row = rules.load("gcp").types[POOL]
    assert "nodeConfig.spot" in row.immutable
    changes = compare(old.inputs, new.inputs, immutable=row.immutable)
    paths = {rule_path(change.path) for change in changes if change.replaces} - {"name"}
    return {path for path in paths if not path.startswith(tuple(new.ignore_changes))}


def test_every_setting_of_a_pool_is_tried_below() -> None:
    fields = {field.name for field in dataclasses.fields(GkeGpuPool)} - {"name"}
    assert set(GPU_EDITS) == fields
    assert set(PLATFORM_EDITS) == {field.name for field in dataclasses.fields(GkePlatformPool)}


@pytest.mark.parametrize("edit", [*GPU_EDITS, *MORE_GPU_EDITS])
def test_a_gpu_pool_has_another_name_exactly_where_google_would_replace_it(edit: str) -> None:
    changed = gpu_pool(**{**GPU_EDITS, **MORE_GPU_EDITS}[edit])
    old, new = (pool(build(gpu_pools=(one,)), "l4") for one in (L4_POOL, changed))
    assert (old.inputs["name"] != new.inputs["name"]) is bool(replacing(old, new))
    # Pulumi makes what has another URN before it deletes what is gone.
    assert (old.urn != new.urn) is (old.inputs["name"] != new.inputs["name"])
    assert new.inputs["name"] == changed.node_pool_name


def test_some_edits_of_a_gpu_pool_make_a_new_one_and_some_do_not() -> None:
    renamed = {
        edit
        for edit, change in GPU_EDITS.items()
        if gpu_pool(**change).node_pool_name != L4_POOL.node_pool_name
    }
    assert renamed == {
        "accelerator",
        "accelerators_per_node",
        "capacity",
        "reservation",
        "driver_version",
        "sharing",
        "preloaded_images",
    }


@pytest.mark.parametrize("edit", list(PLATFORM_EDITS))
def test_no_edit_of_the_platform_pool_replaces_it(edit: str) -> None:
    changed = dataclasses.replace(PLATFORM, **PLATFORM_EDITS[edit])
    old, new = (pool(build(platform_pool=one), "platform") for one in (PLATFORM, changed))
    assert old.inputs != new.inputs
    assert not replacing(old, new)
    assert (old.urn, old.inputs["name"]) == (new.urn, new.inputs["name"])


def test_what_the_tier_and_the_cluster_change_replaces_no_pool() -> None:
    before = build()
    after = build(
        deletion_protection=True,
        compute_class=True,
        edge_address=True,
        control_plane=dataclasses.replace(TOPOLOGY.control_plane, release_channel="stable"),
    )
    for name in ("platform", "l4"):
        old, new = pool(before, name), pool(after, name)
        assert not replacing(old, new)
        assert old.urn == new.urn


def test_pools_keep_their_names_from_release_to_release() -> None:
    assert PLATFORM.node_pool_name == "platform"
    assert L4_POOL.node_pool_name == "l4-488cf6"
    assert gpu_pool(capacity="spot").node_pool_name == "l4-07353b"


def test_what_all_pools_have_and_google_cannot_change_goes_with_the_revision() -> None:
    row = rules.load("gcp").types[POOL]
    recorder = build(gpu_pools=(KINDS["flex-start"],))
    constants = {
        name: [pool(recorder, name).inputs["nodeConfig"].get(key) for key in CONSTANTS]
        for name in ("platform", "flex-start")
    }
    assert {f"nodeConfig.{key}" for key in CONSTANTS} <= row.immutable
    common = [
        ["https://www.googleapis.com/auth/cloud-platform"],
        {"disable-legacy-endpoints": "true"},
        {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
    ]
    # Whoever changes one of these raises POOL_REVISION, and writes both down here.
    assert POOL_REVISION == POOL_NAME_BASELINE["revision"] == 1
    assert constants == {"platform": [*common, None], "flex-start": [*common, "604800s"]}


def test_a_new_revision_gives_all_pools_new_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gke_topology, "POOL_REVISION", 2)
    assert PLATFORM.node_pool_name not in ("platform", L4_POOL.node_pool_name)
    assert PLATFORM.node_pool_name.startswith("platform-")
    assert L4_POOL.node_pool_name != "l4-488cf6"


def test_a_long_name_leaves_room_for_what_tells_pools_apart() -> None:
    long = gpu_pool(name="a" * 40)
    spot = gpu_pool(name="a" * 40, capacity="spot")
    assert len(long.node_pool_name) <= 40
    assert long.node_pool_name != spot.node_pool_name


def test_the_local_disks_that_gke_gives_a_machine_never_replace_its_pool() -> None:
    ignored = pool(build(), "l4").ignore_changes
    assert "nodeConfig.ephemeralStorageLocalSsdConfig" in ignored
    assert "nodeConfig.localNvmeSsdBlockConfig" in ignored


# Machines


def machines() -> Iterator[tuple[str, int, str]]:
    for accelerator, counts in GPU_MACHINES.items():
        for count, sold in counts.items():
            for machine in sold:
                yield accelerator, count, machine.name


@pytest.mark.parametrize(("accelerator", "count", "machine"), list(machines()))
def test_what_we_call_sold_is_what_the_cloud_takes(
    accelerator: str, count: int, machine: str
) -> None:
    config: Properties = {
        "machineType": machine,
        "diskType": boot_disk_type(machine),
        "spot": True,
        "guestAccelerators": [{"type": accelerator, "count": count}],
    }
    gcp_pools.check_nodes({"nodeConfig": config}, rules.load("gcp").tables)


def test_the_smallest_machine_is_the_default_but_for_t4() -> None:
    for accelerator, counts in GPU_MACHINES.items():
        for sold in counts.values():
            smallest = min(sold, key=lambda one: one.vcpus)
            default = "n1-standard-4" if accelerator == "nvidia-tesla-t4" else smallest.name
            assert sold[0].name == default


def contract_of(*pools: GkeGpuPool) -> Any:  # noqa: ANN401 - a model with its own types
    changed = topology(gpu_pools=pools)
    return gke_contract(changed, secret_store=SecretStore(kind="kubernetes")).gpu


def built_node_of_kind(kind: str) -> dict[str, Any]:
    return pool(build(gpu_pools=(KINDS[kind],)), kind).inputs["nodeConfig"]


def services(recorder: Recorder) -> set[str]:
    return {each.inputs["service"] for each in recorder.all("gcp:projects/service:Service")}


def node_roles(recorder: Recorder) -> set[str]:
    return {
        each.inputs["role"]
        for each in recorder.all("gcp:projects/iAMMember:IAMMember")
        if each.inputs["member"] == "serviceAccount:llmp-nodes@my-project.iam.gserviceaccount.com"
    }


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
