"""The network of a GKE cluster: nothing of the project's default network is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_topology import MIN_PORTS_PER_NODE

POD_RANGE: Final = "pods"
SERVICE_RANGE: Final = "services"

WEBHOOK_PORTS: Final = ("6443", "8082", "8443", "9443", "10250")
"""Ports of the catalogue's admission webhooks and metrics APIs.

GKE lets its control plane reach nodes on 443 and 10250 only (GKE docs, "Add firewall rules for
private clusters"). An operator whose webhook listens elsewhere then rejects every object, and an
API that nobody reaches, such as Kueue's visibility on 8082, is never Healthy to Argo CD.
"""

MAX_PORTS_PER_NODE: Final = 32_768
"""Half the ports of one address: no node takes them all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeNetworkArgs:
    """Inputs of the network."""

    project: str
    region: str
    cluster_name: str
    """Names of reserved addresses begin with it."""
    node_cidr: str
    pod_cidr: str
    service_cidr: str
    control_plane_cidr: str
    nat_addresses: int
    """Reserved addresses of the NAT; with 0 Google takes some, and others whenever it likes."""
    flow_logs: bool
    """Whether the subnet logs a sample of its connections."""
    node_account: pulumi.Input[str]
    """Address of the Google service account of the nodes: whom the firewall rule is for."""
    labels: Mapping[str, str]
    deletion_protection: bool
    """Of the reserved addresses: others let them in, and Google gives a freed one to somebody."""


class GkeNetwork(pulumi.ComponentResource):
    """A network with one subnet, whose private nodes reach the internet through Cloud NAT.

    It owns no load balancer, no address that anything is reached at, and no DNS zone. Nothing comes
    in: a network of one's own has no rule that lets anybody in (VPC docs, "Implied rules"), and the
    one rule here lets the control plane through.
    """

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    nat_addresses: list[pulumi.Output[str]]
    """Where all calls to the internet come from; empty while the addresses are Google's choice."""

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
            # Half of what is seen, a record a minute: enough to find out who talks to whom, and a
            # fraction of the price of everything.
            log_config=gcp.compute.SubnetworkLogConfigArgs(
                aggregation_interval="INTERVAL_1_MIN",
                flow_sampling=0.5,
                metadata="INCLUDE_ALL_METADATA",
            )
            if args.flow_logs
            else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        router = gcp.compute.Router(
            f"{name}-router",
            project=args.project,
            region=args.region,
            network=network.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        addresses = [
            gcp.compute.Address(
                f"{name}-nat-{number}",
                project=args.project,
                region=args.region,
                # Named, so that whoever lets the address in finds it at Google too.
                name=f"{args.cluster_name}-nat-{number}",
                address_type="EXTERNAL",
                labels=args.labels,
                opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
            )
            for number in range(1, args.nat_addresses + 1)
        ]
        gcp.compute.RouterNat(
            f"{name}-nat",
            project=args.project,
            region=args.region,
            router=router.name,
            nat_ip_allocate_option="MANUAL_ONLY" if addresses else "AUTO_ONLY",
            nat_ips=[address.self_link for address in addresses] or None,
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            enable_dynamic_port_allocation=True,
            # Excludes dynamic port allocation.
            enable_endpoint_independent_mapping=False,
            min_ports_per_vm=MIN_PORTS_PER_NODE,
            max_ports_per_vm=MAX_PORTS_PER_NODE,
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
        self.nat_addresses = [address.address for address in addresses]
        self.register_outputs(
            {
                "network_id": self.network_id,
                "subnetwork_id": self.subnetwork_id,
                "nat_addresses": self.nat_addresses,
            }
        )
