"""Topologies and programs that the GKE tests start from."""

import dataclasses
from typing import Any

import pulumi
import pulumi_gcp as gcp

from components.contract import Dns, SecretStore
from components.substrate.gke_substrate import GkeSubstrate, GkeSubstrateArgs
from components.substrate.gke_topology import (
    GkeBackups,
    GkeBudget,
    GkeControlPlaneTopology,
    GkeGpuPool,
    GkeMaintenance,
    GkeNetworkTopology,
    GkePlatformPool,
    GkeRegistry,
    GkeTopology,
    GkeUpgrade,
    gke_contract,
)

SECRET_MANAGER = SecretStore(kind="google-secret-manager", project="my-project", prefix="staging-")

SURGE = GkeUpgrade(
    strategy="surge",
    max_surge=1,
    max_unavailable=0,
    batch_nodes=1,
    batch_soak_minutes=0,
    soak_minutes=60,
)

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
    upgrade=dataclasses.replace(SURGE, max_surge=0, max_unavailable=1),
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
    security_group=None,
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
        upgrade=SURGE,
        image_streaming=False,
    ),
    gpu_pools=(L4_POOL,),
    registry=GkeRegistry(
        models=True, pull_through=False, scanning=True, untagged_days=30, cached_days=90
    ),
    secret_locations=(),
    backups=None,
    create_dns_zone=False,
    edge_address=False,
    budget=None,
    deletion_protection=False,
    compute_class=False,
    quota_check=True,
)


def topology(**changes: Any) -> GkeTopology:  # noqa: ANN401 - whatever the field takes
    """Return the usual topology with some fields changed."""
    return dataclasses.replace(TOPOLOGY, **changes)


BUDGET = GkeBudget(
    billing_account="012345-6789AB-CDEF01",
    monthly=1000,
    thresholds=(0.5, 1.0),
    forecast_thresholds=(1.0,),
    emails=("platform@example.com",),
)

EVERYTHING: dict[str, Any] = {
    "topology": dataclasses.replace(
        TOPOLOGY,
        registry=dataclasses.replace(TOPOLOGY.registry, pull_through=True),
        backups=GkeBackups(bucket="my-project-llmp-backups", retention_days=30),
        create_dns_zone=True,
        edge_address=True,
        budget=BUDGET,
    ),
    "domain": "llm.example.com",
    "dns": Dns(provider="google", zone="llm-example-com"),
}
"""Arguments of `substrate` that switch all of its parts on."""

CONTRACT_ARGUMENTS = ("secret_store", "domain", "dns")


def substrate(**changes: Any) -> GkeSubstrate:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as a composition root does, with some of its arguments changed."""
    arguments: dict[str, Any] = {
        "topology": TOPOLOGY,
        "generated_secrets": ("vllm-api-key",),
        "supplied_secrets": ("hugging-face-token",),
        **{key: value for key, value in changes.items() if key not in CONTRACT_ARGUMENTS},
    }
    promised: dict[str, Any] = {
        "secret_store": SECRET_MANAGER,
        **{key: value for key, value in changes.items() if key in CONTRACT_ARGUMENTS},
    }
    arguments["contract"] = gke_contract(
        arguments["topology"],
        argo_cd_sign_in=arguments.get("argo_cd_sign_in") is not None,
        **promised,
    )
    provider = gcp.Provider("google", project="my-project", add_pulumi_attribution_label=False)
    return GkeSubstrate(
        "substrate",
        GkeSubstrateArgs(**arguments),
        opts=pulumi.ResourceOptions(providers=[provider]),
    )
