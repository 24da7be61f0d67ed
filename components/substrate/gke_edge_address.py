"""The reserved address of the public edge."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeEdgeAddressArgs:
    """Inputs of the address."""

    project: str
    region: str
    """That of the cluster: its load balancers take no address of another region."""
    address_name: str
    """What the edge's Service names the address by."""
    labels: dict[str, str]
    deletion_protection: bool


class GkeEdgeAddress(pulumi.ComponentResource):
    """An external address that stays when the edge's load balancer goes, and comes back with it.

    GKE looks it up by its name, in the cluster's region (GKE docs, "LoadBalancer Service
    parameters"); a name that it does not find gets another address without a word (GKE's
    controller, ingress-gce). So it must be there before the Service, and go after it.
    """

    address: pulumi.Output[str]

    def __init__(
        self, name: str, args: GkeEdgeAddressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeEdgeAddress", name, None, opts)
        address = gcp.compute.Address(
            f"{name}-address",
            project=args.project,
            region=args.region,
            name=args.address_name,
            description="Public edge of the platform",
            address_type="EXTERNAL",
            # The tier of a load balancer whose Service names none.
            network_tier="PREMIUM",
            labels=args.labels,
            opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
        )
        self.address = address.address
        self.register_outputs({"address": self.address})
