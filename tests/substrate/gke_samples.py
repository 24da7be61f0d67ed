"""Topologies and programs that the GKE tests start from."""

import dataclasses
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.contract import SecretStore
from components.substrate.gke_substrate import GkeSubstrate, GkeSubstrateArgs
from components.substrate.gke_topology import (
    GkeGpuPool,
    GkeNetworkTopology,
    GkePlatformPool,
    GkeTopology,
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
    spot=False,
)

TOPOLOGY = GkeTopology(
    project="my-project",
    region="us-central1",
    zone="us-central1-a",
    cluster_name="llmp",
    release_channel="regular",
    network=GkeNetworkTopology(
        node_cidr="10.0.0.0/22",
        pod_cidr="10.4.0.0/14",
        service_cidr="10.8.0.0/20",
        control_plane_cidr="172.16.0.0/28",
    ),
    endpoint="dns",
    authorized_networks=(),
    platform_pool=GkePlatformPool(
        machine_type="e2-standard-4", min_nodes=1, max_nodes=3, disk_size_gib=100
    ),
    gpu_pools=(L4_POOL,),
    model_registry=True,
    deletion_protection=False,
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
