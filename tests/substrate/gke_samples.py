"""Topologies and programs that the GKE tests start from."""

import dataclasses
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.contract import SecretStore
from components.substrate.gke_substrate import GkeSubstrate, GkeSubstrateArgs
from components.substrate.gke_topology import (
    GkeControlPlaneTopology,
    GkeGpuPool,
    GkeMaintenance,
    GkeNetworkTopology,
    GkePlatformPool,
    GkeRegistry,
    GkeTopology,
    GkeUpgrade,
)

SECRET_MANAGER = SecretStore(kind="google-secret-manager", project="my-project", prefix="staging-")

L4_POOL = GkeGpuPool(
    name="l4",
    accelerator="nvidia-l4",
    accelerators_per_node=1,
    machine_type="g2-standard-4",
    min_nodes=0,
    max_nodes=2,
    disk_size_gib=200,
    capacity="on-demand",
    reservation=None,
    zones=(),
    location_policy="any",
    upgrade=GkeUpgrade(strategy="surge", max_surge=0, max_unavailable=1, soak_minutes=60),
    driver_version="default",
    sharing=None,
    image_streaming=False,
    preloaded_images=(),
)

CONTROL_PLANE = GkeControlPlaneTopology(
    endpoint="dns",
    authorized_networks=(),
    release_channel="regular",
    maintenance=GkeMaintenance(days=("saturday", "sunday"), start="02:00", hours=6, exclusions=()),
    secrets_encryption_key=None,
    logs=("system", "workloads"),
    managed_prometheus=True,
)

TOPOLOGY = GkeTopology(
    project="my-project",
    region="us-central1",
    zone="us-central1-a",
    cluster_name="llmp",
    network=GkeNetworkTopology(
        node_cidr="10.0.0.0/22",
        pod_cidr="10.4.0.0/14",
        service_cidr="10.8.0.0/20",
        control_plane_cidr="172.16.0.0/28",
        nat_addresses=0,
        flow_logs=False,
    ),
    control_plane=CONTROL_PLANE,
    platform_pool=GkePlatformPool(
        machine_type="e2-standard-4",
        min_nodes=1,
        max_nodes=3,
        disk_size_gib=100,
        zones=(),
        upgrade=GkeUpgrade(strategy="surge", max_surge=1, max_unavailable=0, soak_minutes=60),
        image_streaming=False,
    ),
    gpu_pools=(L4_POOL,),
    registry=GkeRegistry(models=True, pull_through=False, scanning=True, untagged_days=30),
    secret_locations=(),
    backups=None,
    create_dns_zone=False,
    edge_address=False,
    budget=None,
    deletion_protection=False,
    compute_class=False,
)


def topology(**changes: Any) -> GkeTopology:  # noqa: ANN401 - whatever the field takes
    """Return the usual topology with some fields changed."""
    return dataclasses.replace(TOPOLOGY, **changes)


def substrate(**changes: Any) -> GkeSubstrate:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as a composition root does, with some of its arguments changed."""
    arguments: dict[str, Any] = {
        "topology": TOPOLOGY,
        "secret_store": SECRET_MANAGER,
        "generated_secrets": ("vllm-api-key",),
        "supplied_secrets": ("hugging-face-token",),
        **changes,
    }
    provider = gcp.Provider("google", project="my-project", add_pulumi_attribution_label=False)
    return GkeSubstrate(
        "substrate",
        GkeSubstrateArgs(**arguments),
        opts=pulumi.ResourceOptions(providers=[provider]),
    )
