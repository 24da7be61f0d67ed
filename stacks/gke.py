"""Composition root of a stack of kind `gke`."""

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_substrate import GkeSubstrate, GkeSubstrateArgs
from stacks.config import GkeStack
from stacks.contracts import (
    argo_cd_sign_in,
    generated_secrets,
    gke_stack_contract,
    gke_topology,
    supplied_secrets,
)
from stacks.platform import deploy_platform, export_outputs
from stacks.quota import check_quota


def deploy(stack: GkeStack) -> None:
    """Build both trees on Google Cloud, and export the outputs."""
    topology = gke_topology(stack)
    google = gcp.Provider(
        "google",
        project=topology.project,
        region=topology.region,
        # A label that Pulumi would put on everything, and that no config of ours asked for.
        add_pulumi_attribution_label=False,
    )
    check_quota(topology, google)
    contract = gke_stack_contract(stack, topology)
    substrate = GkeSubstrate(
        "substrate",
        GkeSubstrateArgs(
            topology=topology,
            contract=contract,
            generated_secrets=generated_secrets(stack, contract),
            supplied_secrets=supplied_secrets(stack, contract),
            high_availability=stack.platform.tier == "prod",
            argo_cd_sign_in=argo_cd_sign_in(stack),
        ),
        opts=pulumi.ResourceOptions(providers=[google]),
    )
    export_outputs(contract, substrate.kubeconfig)
    pulumi.export("credentials_command", topology.credentials_command)
    if substrate.nat_addresses:
        pulumi.export("nat_addresses", substrate.nat_addresses)
    if substrate.dns_name_servers is not None:
        pulumi.export("dns_name_servers", substrate.dns_name_servers)
    if substrate.edge_address is not None:
        pulumi.export("edge_address", substrate.edge_address)
    deploy_platform(stack, contract, substrate.kubernetes_provider, [substrate])
