"""The load balancer before the API servers of a cluster on Hetzner Cloud."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_hcloud as hcloud

from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_topology import API_PORT, HetznerTopology

LOAD_BALANCER_TYPE: Final = "lb11"
"""The smallest: 5 services and 25 targets (Hetzner Docs, "Load Balancers overview")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerApiLoadBalancerArgs:
    """Inputs of the load balancer."""

    topology: HetznerTopology
    subnet_id: pulumi.Input[str]


class HetznerApiLoadBalancer(pulumi.ComponentResource):
    """One private address before all API servers, and where config says so a public one.

    It owns no server: it finds them by their labels, so that one more or less changes nothing here,
    and that it can be made before them. TLS passes through it: who may do what is decided by client
    certificates alone, as Hetzner's load balancers know no source addresses. It carries nothing
    before it is in the private network with its public interface as config wants it.
    """

    public_address: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]
    """What must be there for the API to be reached through it."""

    def __init__(
        self,
        name: str,
        args: HetznerApiLoadBalancerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the load balancer and put it into the network."""
        super().__init__("llmp:substrate:HetznerApiLoadBalancer", name, None, opts)
        topology = args.topology
        balancer = hcloud.LoadBalancer(
            f"{name}-balancer",
            name=topology.physical_name("api"),
            load_balancer_type=LOAD_BALANCER_TYPE,
            location=topology.location,
            labels={**topology.resource_labels, "role": "api"},
            delete_protection=topology.deletion_protection,
            opts=pulumi.ResourceOptions(parent=self),
        )
        attachment = hcloud.LoadBalancerNetwork(
            f"{name}-attachment",
            load_balancer_id=numeric_id(balancer),
            subnet_id=args.subnet_id,
            ip=topology.load_balancer_address,
            enable_public_interface=topology.control_plane.load_balancer == "public",
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        target = hcloud.LoadBalancerTarget(
            f"{name}-servers",
            load_balancer_id=numeric_id(balancer),
            type="label_selector",
            label_selector=f"cluster={topology.cluster_name},role=control-plane",
            use_private_ip=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        service = hcloud.LoadBalancerService(
            f"{name}-service",
            load_balancer_id=balancer.id,
            protocol="tcp",
            listen_port=API_PORT,
            destination_port=API_PORT,
            # By TCP: k3s answers a request without a certificate with 401, ready or not.
            health_check=hcloud.LoadBalancerServiceHealthCheckArgs(
                protocol="tcp", port=API_PORT, interval=5, timeout=3, retries=3
            ),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[attachment], delete_before_replace=True
            ),
        )
        self.public_address = balancer.ipv4
        self.ready = (target, service)
        self.register_outputs({})
