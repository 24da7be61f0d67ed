"""The private network of a cluster on Hetzner Cloud, with its subnets."""

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_topology import HetznerTopology


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerNetworkArgs:
    """Inputs of the network."""

    topology: HetznerTopology


class HetznerNetwork(pulumi.ComponentResource):
    """The network through which nodes talk to each other, to the API and to load balancers.

    It owns no server, no route and no vSwitch: that one is made in Robot, with its dedicated
    servers. Pods travel in Cilium's tunnel, so that no route of the network has to be told to the
    vSwitch. Hetzner's gateways lead from one subnet to the other.
    """

    network_name: pulumi.Output[str]
    """What the cloud controller is told; it takes a name or an id."""
    subnet_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: HetznerNetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the network and its subnets."""
        super().__init__("llmp:substrate:HetznerNetwork", name, None, opts)
        topology = args.topology
        network = hcloud.Network(
            f"{name}-network",
            name=topology.cluster_name,
            ip_range=topology.network_cidr,
            labels=topology.resource_labels,
            delete_protection=topology.deletion_protection,
            opts=pulumi.ResourceOptions(parent=self),
        )
        subnet = hcloud.NetworkSubnet(
            f"{name}-nodes",
            network_id=numeric_id(network),
            type="cloud",
            network_zone=topology.network_zone,
            ip_range=topology.node_cidr,
            opts=pulumi.ResourceOptions(parent=self),
        )
        if topology.vswitch is not None:
            hcloud.NetworkSubnet(
                f"{name}-vswitch",
                network_id=numeric_id(network),
                type="vswitch",
                vswitch_id=topology.vswitch.id,
                network_zone=topology.network_zone,
                ip_range=topology.vswitch.cidr,
                # One after the other: Hetzner locks a network that it changes.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[subnet]),
            )
        self.network_name = network.name
        self.subnet_id = subnet.id.apply(str)
        self.register_outputs({"network_name": self.network_name, "subnet_id": self.subnet_id})
