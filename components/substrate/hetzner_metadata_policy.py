"""Pods are kept from the metadata service of their server a second time, by Cilium."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.substrate.hetzner_k3s import METADATA_ADDRESS


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerMetadataPolicyArgs:
    """Inputs of the policy."""

    network: pulumi.Resource
    """Cilium, which brings the kind."""
    deleted_with: pulumi.Resource
    """The first server: once it goes, this goes with it."""


class HetznerMetadataPolicy(pulumi.ComponentResource):
    """A policy for all pods of the cluster that no other policy can override.

    Whoever reads the user data of the first server is the cluster. Each server drops such packets
    itself, before its network plugin runs; this one says the same to the plugin, which asks it
    before it hands a packet on in whatever way. Pods on the host's network are not meant, and not
    reached: the drivers ask for their server's id.
    """

    def __init__(
        self,
        name: str,
        args: HetznerMetadataPolicyArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the policy. The provider in `opts` must reach the cluster."""
        super().__init__("llmp:substrate:HetznerMetadataPolicy", name, None, opts)
        kubernetes.apiextensions.CustomResource(
            f"{name}-policy",
            api_version="cilium.io/v2",
            kind="CiliumClusterwideNetworkPolicy",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name="metadata-service"),
            spec=metadata_policy(),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.network], deleted_with=args.deleted_with
            ),
        )
        self.register_outputs({})


def metadata_policy() -> dict[str, Any]:
    """Return the policy's spec.

    Denials win over what other policies allow. Without `enableDefaultDeny` a policy about egress
    would deny all that it does not name (Cilium documentation, "Policy Enforcement Modes").
    """
    return {
        "description": "No pod reads the user data of its server.",
        "endpointSelector": {},
        "enableDefaultDeny": {"ingress": False, "egress": False},
        "egressDeny": [{"toCIDR": [f"{METADATA_ADDRESS}/32"]}],
    }
