"""What reaches the servers of a cluster from the internet: ICMP, and the API where config says."""

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_topology import API_PORT, HetznerTopology


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerFirewallArgs:
    """Inputs of the firewalls."""

    topology: HetznerTopology


class HetznerFirewall(pulumi.ComponentResource):
    """One firewall for the control plane, one for workers.

    Hetzner's firewalls filter public interfaces alone, and what no rule allows in is dropped, by
    IPv4 and IPv6: no SSH, no node ports. Without `api_allowed_cidrs` the API is not let in either:
    it is reached through its load balancer. Nodes and load balancers talk over the private network,
    where nothing is filtered. Nothing is kept from going out. Servers carry the id from their
    creation on, so none is ever open for a moment.
    """

    control_plane_id: pulumi.Output[int]
    worker_id: pulumi.Output[int]

    def __init__(
        self, name: str, args: HetznerFirewallArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create both firewalls."""
        super().__init__("llmp:substrate:HetznerFirewall", name, None, opts)
        topology = args.topology
        # Path MTU discovery needs ICMP, and so does anyone who looks for a fault.
        icmp = hcloud.FirewallRuleArgs(
            description="ICMP",
            direction="in",
            protocol="icmp",
            source_ips=["0.0.0.0/0", "::/0"],
        )
        api = hcloud.FirewallRuleArgs(
            description="Kubernetes API",
            direction="in",
            protocol="tcp",
            port=str(API_PORT),
            source_ips=list(topology.api_allowed_cidrs),
        )
        control_plane = hcloud.Firewall(
            f"{name}-control-plane",
            name=topology.physical_name("control-plane"),
            labels=topology.resource_labels,
            # Hetzner refuses a rule without a source.
            rules=[api, icmp] if topology.api_allowed_cidrs else [icmp],
            opts=pulumi.ResourceOptions(parent=self),
        )
        workers = hcloud.Firewall(
            f"{name}-workers",
            name=topology.physical_name("workers"),
            labels=topology.resource_labels,
            rules=[icmp],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.control_plane_id = numeric_id(control_plane)
        self.worker_id = numeric_id(workers)
        self.register_outputs(
            {"control_plane_id": self.control_plane_id, "worker_id": self.worker_id}
        )
