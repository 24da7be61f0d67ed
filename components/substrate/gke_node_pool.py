"""A pool of GKE nodes, with or without GPUs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.contract import Taint
from components.substrate.gke_machines import Accelerator

TAINT_EFFECTS: Final = {
    "NoSchedule": "NO_SCHEDULE",
    "PreferNoSchedule": "PREFER_NO_SCHEDULE",
    "NoExecute": "NO_EXECUTE",
}
"""How Google's API spells what Kubernetes calls the effects."""


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
    labels: Mapping[str, str]
    """Labels of the machines at Google, for cost reports."""
    accelerator: Accelerator | None = None
    accelerators_per_node: int = 0
    spot: bool = False
    node_labels: Mapping[str, str]
    """Kubernetes labels of the nodes."""
    taints: tuple[Taint, ...] = ()


class GkeNodePool(pulumi.ComponentResource):
    """One node pool that scales between its limits; with GPUs it starts at zero nodes.

    It does not own the cluster or the identity of the nodes. GKE installs the GPU driver that fits
    its node image, and its device plugin.
    """

    pool_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: GkeNodePoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        if args.min_nodes > args.max_nodes:
            raise ValueError(f"{name}: min_nodes {args.min_nodes} is over {args.max_nodes}")
        if (args.accelerator is None) != (args.accelerators_per_node == 0):
            raise ValueError(f"{name}: accelerator and accelerators_per_node come together")
        super().__init__("llmp:substrate:GkeNodePool", name, None, opts)
        has_gpus = args.accelerator is not None
        accelerators = [
            gcp.container.NodePoolNodeConfigGuestAcceleratorArgs(
                type=accelerator,
                count=args.accelerators_per_node,
                gpu_driver_installation_config=(
                    gcp.container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                        gpu_driver_version="DEFAULT"
                    )
                ),
            )
            for accelerator in (args.accelerator,)
            if accelerator is not None
        ]
        pool = gcp.container.NodePool(
            f"{name}-nodes",
            project=args.project,
            location=args.location,
            cluster=args.cluster,
            name=args.pool_name,
            # Nodes a zone at creation, no limit: a value that followed min_nodes would replace the
            # pool whenever the minimum is raised. The autoscaler brings it to its limits.
            initial_node_count=0 if has_gpus else 1,
            autoscaling=gcp.container.NodePoolAutoscalingArgs(
                total_min_node_count=args.min_nodes,
                total_max_node_count=args.max_nodes,
                # GPUs and spot machines are taken in whichever zone has them.
                location_policy="ANY" if has_gpus or args.spot else "BALANCED",
            ),
            management=gcp.container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
            # GPU quota is often exactly what the pool has, so upgrades take a node out first.
            upgrade_settings=gcp.container.NodePoolUpgradeSettingsArgs(
                strategy="SURGE",
                max_surge=0 if has_gpus else 1,
                max_unavailable=1 if has_gpus else 0,
            ),
            node_config=gcp.container.NodePoolNodeConfigArgs(
                machine_type=args.machine_type,
                image_type="COS_CONTAINERD",
                disk_type="pd-balanced",
                disk_size_gb=args.disk_size_gib,
                spot=args.spot,
                service_account=args.node_account,
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                metadata={"disable-legacy-endpoints": "true"},
                workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(
                    mode="GKE_METADATA"
                ),
                shielded_instance_config=gcp.container.NodePoolNodeConfigShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                ),
                guest_accelerators=accelerators or None,
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
                ignore_changes=[
                    "initialNodeCount",
                    # Machines that come with local disks get one of these from GKE, and taking it
                    # away again would replace the pool.
                    "nodeConfig.ephemeralStorageLocalSsdConfig",
                    "nodeConfig.localNvmeSsdBlockConfig",
                ],
                # Two pools cannot have one name.
                delete_before_replace=True,
            ),
        )
        self.pool_name = pool.name
        self.register_outputs({"pool_name": self.pool_name})
