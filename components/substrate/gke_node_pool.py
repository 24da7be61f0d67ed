"""A pool of GKE nodes, with or without GPUs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.contract import Taint
from components.substrate.gke_machines import Accelerator, Capacity, boot_disk_type
from components.substrate.gke_topology import (
    DriverVersion,
    GkeGpuSharing,
    GkeUpgrade,
    LocationPolicy,
    SharingStrategy,
)

TAINT_EFFECTS: Final = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}
"""How Google's API spells what Kubernetes calls the effects."""

SHARING_STRATEGIES: Final[Mapping[SharingStrategy, str]] = {
    "time-slicing": "TIME_SHARING",
    "mps": "MPS",
}
"""How Google's API calls the ways to share a GPU."""

RESERVATION_KEY: Final = "compute.googleapis.com/reservation-name"
"""What a reservation is picked by (Kubernetes Engine API, ReservationAffinity)."""

FLEX_START_SECONDS: Final = 604_800
"""Seven days, the longest that Google lets a flex-start node live (GKE docs,
"About flex-start")."""

DRAIN_MINUTES: Final = 60
"""How long GKE waits for the pods of one node in an upgrade (GKE docs, "Node upgrade
strategies")."""

START_MINUTES: Final = 60
"""For new machines of a pool, which with GPUs have a driver to install."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeNodePoolArgs:
    """Inputs of one node pool."""

    project: str
    location: str
    cluster: pulumi.Input[str]
    """Name of the cluster."""
    pool_name: str
    """At most 40 characters."""
    node_account: pulumi.Input[str]
    machine_type: str
    min_nodes: int
    """Nodes in all zones together; `max_nodes` alike."""
    max_nodes: int
    disk_size_gib: int
    zones: tuple[str, ...] = ()
    """Empty for those of the cluster."""
    location_policy: LocationPolicy
    upgrade: GkeUpgrade | None
    """None exactly with capacity `flex-start`."""
    capacity: Capacity = "on-demand"
    reservation: str | None = None
    """Name of the reservation, with capacity `reservation`."""
    image_streaming: bool = False
    preloaded_images: tuple[str, ...] = ()
    """Disk images with container images in them; they need image streaming."""
    accelerator: Accelerator | None = None
    accelerators_per_node: int = 0
    driver_version: DriverVersion = "default"
    sharing: GkeGpuSharing | None = None
    node_labels: Mapping[str, str]
    """Kubernetes labels of the nodes."""
    taints: tuple[Taint, ...] = ()
    labels: Mapping[str, str]
    """Labels of the machines at Google, for cost reports."""


class GkeNodePool(pulumi.ComponentResource):
    """One node pool that scales between its limits; with GPUs it starts at zero nodes.

    It does not own the cluster or the identity of the nodes. GKE installs the GPU driver that fits
    its node image, and its device plugin; Google signs the driver, so secure boot stays on.

    Raises:
        ValueError: limits, GPUs, reservation, upgrade or preloaded images contradict each other.
    """

    pool_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: GkeNodePoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        _check(name, args)
        super().__init__("llmp:substrate:GkeNodePool", name, None, opts)
        has_gpus = args.accelerator is not None
        flex_start = args.capacity == "flex-start"
        pool = gcp.container.NodePool(
            f"{name}-nodes",
            project=args.project,
            location=args.location,
            node_locations=list(args.zones) or None,
            cluster=args.cluster,
            name=args.pool_name,
            # Nodes a zone at creation, no limit: a value that followed min_nodes would replace the
            # pool whenever the minimum is raised. The autoscaler brings it to its limits.
            initial_node_count=0 if has_gpus else 1,
            autoscaling=gcp.container.NodePoolAutoscalingArgs(
                total_min_node_count=args.min_nodes,
                total_max_node_count=args.max_nodes,
                location_policy=args.location_policy.upper(),
            ),
            management=gcp.container.NodePoolManagementArgs(
                # GKE makes no flex-start pool that repairs its nodes.
                auto_repair=not flex_start,
                auto_upgrade=True,
            ),
            upgrade_settings=None if args.upgrade is None else _upgrade_settings(args.upgrade),
            network_config=gcp.container.NodePoolNetworkConfigArgs(enable_private_nodes=True),
            node_config=gcp.container.NodePoolNodeConfigArgs(
                machine_type=args.machine_type,
                image_type="COS_CONTAINERD",
                disk_type=boot_disk_type(args.machine_type),
                disk_size_gb=args.disk_size_gib,
                spot=args.capacity == "spot",
                flex_start=True if flex_start else None,
                max_run_duration=f"{FLEX_START_SECONDS}s" if flex_start else None,
                reservation_affinity=_reservation_affinity(args),
                service_account=args.node_account,
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                metadata={"disable-legacy-endpoints": "true"},
                workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
                    mode="GKE_METADATA"
                ),
                shielded_instance_config=gcp.container.NodePoolNodeConfigShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                ),
                kubelet_config=gcp.container.NodePoolNodeConfigKubeletConfigArgs(
                    # Port 10255 tells whoever reaches a node about all its pods, unasked.
                    insecure_kubelet_readonly_port_enabled="FALSE"
                ),
                gcfs_config=gcp.container.NodePoolNodeConfigGcfsConfigArgs(
                    enabled=args.image_streaming
                ),
                # Newer GPU machines take no other network card, and all are faster with it.
                gvnic=gcp.container.NodePoolNodeConfigGvnicArgs(enabled=True) if has_gpus else None,
                secondary_boot_disks=[
                    gcp.container.NodePoolNodeConfigSecondaryBootDiskArgs(
                        disk_image=image, mode="CONTAINER_IMAGE_CACHE"
                    )
                    for image in args.preloaded_images
                ]
                or None,
                guest_accelerators=_accelerators(args) or None,
                taints=[
                    gcp.container.NodePoolNodeConfigTaintArgs(
                        key=taint.key, value=taint.value, effect=TAINT_EFFECTS[taint.effect]
                    )
                    for taint in args.taints
                ]
                or None,
                labels=args.node_labels,
                resource_labels=args.labels,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                # Another machine type or disk takes as long as an upgrade does, and the provider
                # gives up after two hours.
                custom_timeouts=None
                if args.upgrade is None
                else pulumi.CustomTimeouts(update=f"{_upgrade_minutes(args)}m"),
                ignore_changes=[
                    "initialNodeCount",
                    # Machines that come with local disks get one of these from GKE, and taking it
                    # away again would replace the pool.
                    "nodeConfig.ephemeralStorageLocalSsdConfig",
                    "nodeConfig.localNvmeSsdBlockConfig",
                ],
            ),
        )
        self.pool_name = pool.name
        self.register_outputs({"pool_name": self.pool_name})


def _check(name: str, args: GkeNodePoolArgs) -> None:
    if args.min_nodes > args.max_nodes:
        raise ValueError(f"{name}: min_nodes {args.min_nodes} is over {args.max_nodes}")
    if (args.accelerator is None) != (args.accelerators_per_node == 0):
        raise ValueError(f"{name}: accelerator and accelerators_per_node come together")
    if args.sharing is not None and args.accelerator is None:
        raise ValueError(f"{name}: there is no GPU to share")
    if (args.reservation is None) != (args.capacity != "reservation"):
        raise ValueError(f"{name}: reservation and capacity reservation come together")
    if (args.upgrade is None) != (args.capacity == "flex-start"):
        raise ValueError(f"{name}: upgrade is None with capacity flex-start, and only there")
    if args.preloaded_images and not args.image_streaming:
        raise ValueError(f"{name}: preloaded_images need image_streaming")


def _upgrade_minutes(args: GkeNodePoolArgs) -> int:
    """Return how long GKE may take to give a pool of the largest size new nodes."""
    upgrade = args.upgrade
    if upgrade is None:
        raise ValueError("nodes that run out are not upgraded")
    at_once, soak = upgrade.max_surge + upgrade.max_unavailable, 0
    each = DRAIN_MINUTES
    if upgrade.strategy == "blue-green":
        at_once, soak = upgrade.batch_nodes, upgrade.soak_minutes
        each += upgrade.batch_soak_minutes
    return START_MINUTES + -(-args.max_nodes // at_once) * each + soak


def _upgrade_settings(upgrade: GkeUpgrade) -> gcp.container.NodePoolUpgradeSettingsArgs:
    # Each strategy takes its own settings alone: the provider refuses those of the other.
    if upgrade.strategy == "surge":
        return gcp.container.NodePoolUpgradeSettingsArgs(
            strategy="SURGE",
            max_surge=upgrade.max_surge,
            max_unavailable=upgrade.max_unavailable,
        )
    return gcp.container.NodePoolUpgradeSettingsArgs(
        strategy="BLUE_GREEN",
        blue_green_settings=gcp.container.NodePoolUpgradeSettingsBlueGreenSettingsArgs(
            node_pool_soak_duration=f"{upgrade.soak_minutes * 60}s",
            standard_rollout_policy=(
                gcp.container.NodePoolUpgradeSettingsBlueGreenSettingsStandardRolloutPolicyArgs(
                    batch_node_count=upgrade.batch_nodes,
                    batch_soak_duration=f"{upgrade.batch_soak_minutes * 60}s",
                )
            ),
        ),
    )


def _reservation_affinity(
    args: GkeNodePoolArgs,
) -> gcp.container.NodePoolNodeConfigReservationAffinityArgs | None:
    if args.reservation is not None:
        return gcp.container.NodePoolNodeConfigReservationAffinityArgs(
            consume_reservation_type="SPECIFIC_RESERVATION",
            key=RESERVATION_KEY,
            values=[args.reservation],
        )
    if args.capacity == "flex-start":
        return gcp.container.NodePoolNodeConfigReservationAffinityArgs(
            consume_reservation_type="NO_RESERVATION"
        )
    return None


def _accelerators(
    args: GkeNodePoolArgs,
) -> list[gcp.container.NodePoolNodeConfigGuestAcceleratorArgs]:
    if args.accelerator is None:
        return []
    sharing = args.sharing
    return [
        gcp.container.NodePoolNodeConfigGuestAcceleratorArgs(
            type=args.accelerator,
            count=args.accelerators_per_node,
            gpu_driver_installation_config=(
                gcp.container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                    gpu_driver_version=args.driver_version.upper()
                )
            ),
            gpu_sharing_config=None
            if sharing is None
            else gcp.container.NodePoolNodeConfigGuestAcceleratorGpuSharingConfigArgs(
                gpu_sharing_strategy=SHARING_STRATEGIES[sharing.strategy],
                max_shared_clients_per_gpu=sharing.clients_per_gpu,
            ),
        )
    ]
