"""Contracts, models and stack objects that many tests start from."""

from typing import Any

from components.contract import Dns, SecretStore, SubstrateContract, WorkloadIdentity
from components.substrate.gke_topology import gke_profile

MODEL: dict[str, Any] = {
    "name": "qwen-small",
    "source": {
        "hugging_face": "Qwen/Qwen2.5-0.5B-Instruct",
        "revision": "7ae557604adf67be50417f59c2c2f167def9a775",
    },
    "max_model_len": 8192,
    "price": {"input_usd_per_million_tokens": 0.5, "output_usd_per_million_tokens": 1.5},
}

TENANT: dict[str, Any] = {"name": "team-a", "models": ["qwen-small"], "budget": {"usd": 20}}

PLATFORM: dict[str, Any] = {"gitops": {"repository": "https://github.com/your-org/llmp.git"}}

GKE_STACK: dict[str, Any] = {
    "kind": "gke",
    "gke": {"project": "my-project", "region": "us-central1", "zone": "us-central1-a"},
    "platform": PLATFORM,
    "models": [MODEL],
    "tenants": [TENANT],
}

HETZNER_STACK: dict[str, Any] = {
    "kind": "hetzner",
    "hetzner": {
        "location": "nbg1",
        "api_allowed_cidrs": ["203.0.113.0/24"],
        "vswitch": {"id": 12345, "vlan": 4000, "cidr": "10.0.128.0/24"},
        "gpu_servers": [
            {
                "name": "ada-0",
                "model": "GEX44",
                "private_address": "10.0.128.2",
                "address": "203.0.113.20",
                "host_key": "ssh-ed25519 "
                "AAAAC3NzaC1lZDI1NTE5AAAAIMPA/Cv+4gnKKC/6zYFd/brOIvT10Qm+VwcNbvOfIjN6",
            }
        ],
    },
    "platform": PLATFORM,
    "models": [MODEL],
    "tenants": [TENANT],
}

EXISTING_STACK: dict[str, Any] = {
    "kind": "existing",
    "existing": {
        "context": "workstation",
        "contract": {
            "cluster_name": "workstation",
            "gpu": {
                "managed_by": "gpu-operator",
                "products": ["NVIDIA-GeForce-RTX-4090"],
                "max_gpus": 1,
                "max_gpus_per_node": 1,
            },
        },
    },
    "platform": PLATFORM,
    "models": [MODEL],
    "tenants": [TENANT],
}


def contract(**changes: object) -> SubstrateContract:
    """Return a contract with every field set, with some fields changed."""
    return SubstrateContract(
        cloud="gcp",
        region="us-central1",
        project="my-project",
        cluster_name="llmp",
        domain="llm.example.com",
        dns=Dns(provider="google", zone="example-com"),
        storage_class="standard-rwo",
        snapshot_class="llmp-snapshots",
        snapshot_driver="pd.csi.storage.gke.io",
        load_balancer_annotations={"networking.gke.io/load-balancer-type": "Internal"},
        gpu=gke_profile(products=("nvidia-l4", "nvidia-tesla-t4"), max_gpus=4, max_gpus_per_node=2),
        secret_store=SecretStore(
            kind="google-secret-manager", project="my-project", prefix="llmp-"
        ),
        registry_prefix="us-central1-docker.pkg.dev/my-project/models",
        registry_mirrors={"docker.io": "us-central1-docker.pkg.dev/my-project/llmp-docker-io"},
        workload_identities={
            "external_secrets": WorkloadIdentity(
                namespace="external-secrets",
                service_account="external-secrets",
                annotations={
                    "iam.gke.io/gcp-service-account": "eso@my-project.iam.gserviceaccount.com"
                },
            )
        },
    ).model_copy(update=changes)
