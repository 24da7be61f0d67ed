"""The network of a GKE cluster: nothing of the project's default network is used."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

POD_RANGE: Final = "pods"
SERVICE_RANGE: Final = "services"

WEBHOOK_PORTS: Final = ("6443", "8082", "8443", "9443", "10250")
"""Ports of the catalogue's admission webhooks and metrics APIs.

GKE lets its control plane reach nodes on 443 and 10250 only (GKE docs, "Add firewall rules for
private clusters"). An operator whose webhook listens elsewhere then rejects every object, and an
API that nobody reaches, such as Kueue's visibility on 8082, is never Healthy to Argo CD.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeNetworkArgs:
    """Inputs of the network."""

    project: str
    region: str
    node_cidr: str
    pod_cidr: str
    service_cidr: str
    control_plane_cidr: str
    node_account: pulumi.Input[str]
    """Address of the Google service account of the nodes: whom the firewall rule is for."""


class GkeNetwork(pulumi.ComponentResource):
    """A network with one subnet, whose private nodes reach the internet through Cloud NAT.

    It owns no load balancer, no address and no DNS zone.
    """

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: GkeNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeNetwork", name, None, opts)
        network = gcp.compute.Network(
            f"{name}-vpc",
            project=args.project,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=pulumi.ResourceOptions(parent=self),
        )
        subnetwork = gcp.compute.Subnetwork(
            f"{name}-nodes",
            project=args.project,
            region=args.region,
            network=network.id,
            ip_cidr_range=args.node_cidr,
            private_ip_google_access=True,
            secondary_ip_ranges=[
                gcp.compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=POD_RANGE, ip_cidr_range=args.pod_cidr
                ),
                gcp.compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=SERVICE_RANGE, ip_cidr_range=args.service_cidr
                ),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        router = gcp.compute.Router(
            f"{name}-router",
            project=args.project,
            region=args.region,
            network=network.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.compute.RouterNat(
            f"{name}-nat",
            project=args.project,
            region=args.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config=gcp.compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.compute.Firewall(
            f"{name}-webhooks",
            project=args.project,
            network=network.id,
            description="The control plane calls admission webhooks and metrics APIs on nodes.",
            direction="INGRESS",
            source_ranges=[args.control_plane_cidr],
            target_service_accounts=[args.node_account],
            allows=[gcp.compute.FirewallAllowArgs(protocol="tcp", ports=list(WEBHOOK_PORTS))],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.network_id = network.id
        self.subnetwork_id = subnetwork.id
        self.register_outputs({"network_id": self.network_id, "subnetwork_id": self.subnetwork_id})
