"""Composition root of a stack of kind `gke`."""

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_substrate import GkeSubstrate, GkeSubstrateArgs
from stacks.config import GkeStack
from stacks.contracts import (
    argo_cd_sign_in,
    dns,
    generated_secrets,
    gke_topology,
    known_contract,
    secret_store,
    supplied_secrets,
)
from stacks.platform import deploy_platform, export_outputs


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
    contract = known_contract(stack)
    substrate = GkeSubstrate(
        "substrate",
        GkeSubstrateArgs(
            topology=topology,
            secret_store=secret_store(stack),
            domain=stack.platform.domain,
            dns=dns(stack),
            generated_secrets=generated_secrets(stack, contract) if contract else (),
            supplied_secrets=supplied_secrets(stack, contract) if contract else (),
            high_availability=stack.platform.tier == "prod",
            argo_cd_sign_in=argo_cd_sign_in(stack),
        ),
        opts=pulumi.ResourceOptions(providers=[google]),
    )
    export_outputs(substrate.contract, substrate.kubeconfig)
    deploy_platform(stack, substrate.contract, substrate.kubernetes_provider, [substrate])
