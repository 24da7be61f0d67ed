"""One server of a cluster on Hetzner Cloud, attached to the private network."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_topology import HetznerTopology, Location
from components.versions import UBUNTU_IMAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerServerArgs:
    """Inputs of one server."""

    topology: HetznerTopology
    server_name: str
    """Host name, node name and name at Hetzner; what the cloud controller finds the node by."""
    server_type: str
    location: Location
    role: str
    """Value of the label `role`: `control-plane` or the name of a pool."""
    user_data: pulumi.Input[str]
    """From `hetzner_k3s`. Secret: it holds a join token, on the first server all authorities."""
    subnet_id: pulumi.Input[str]
    firewall_id: pulumi.Input[int]
    placement_group_id: pulumi.Input[int]
    private_address: str | None = None
    """A fixed address in the subnet; None lets Hetzner choose one."""
    public_ipv4_id: pulumi.Input[int] | None = None
    """A primary IP to use, which then is the only public address; None lets Hetzner give one IPv4
    and one IPv6 address that live and die with the server."""
    holds_etcd: bool = False
    """Whether what it has on its disk is nowhere else."""
    protect: bool = False
    """Whether Pulumi and Hetzner refuse to delete or replace the server."""
    after: Sequence[pulumi.Resource] = ()
    """What must be done before the server is made or changed."""


class HetznerServer(pulumi.ComponentResource):
    """One server.

    What it was told on its first boot can't be told again, so later changes of the user data, of
    the image or of its name, which is its node's, never replace or rename it: a new version reaches
    it from inside the cluster, or by a replacement that someone asks for. Another server type
    resizes it where it is, which stops and starts it. A worker of another location is a new server;
    one that holds etcd never moves, and a config that says otherwise is refused.

    Attached to the network after its creation: an address that Hetzner chooses is then an attribute
    of the attachment, which no change of the server touches.
    """

    server: hcloud.Server

    def __init__(
        self, name: str, args: HetznerServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the server and attach it to the network."""
        super().__init__("llmp:substrate:HetznerServer", name, None, opts)
        topology = args.topology
        public_nets = (
            None
            if args.public_ipv4_id is None
            else [
                hcloud.ServerPublicNetArgs(
                    ipv4_enabled=True, ipv4=args.public_ipv4_id, ipv6_enabled=False
                )
            ]
        )
        self.server = hcloud.Server(
            f"{name}-server",
            name=args.server_name,
            server_type=args.server_type,
            image=UBUNTU_IMAGE,
            location=args.location,
            user_data=pulumi.Output.secret(args.user_data),
            firewall_ids=[args.firewall_id],
            placement_group_id=args.placement_group_id,
            public_nets=public_nets,
            labels={**topology.resource_labels, "role": args.role},
            # Hetzner takes the two protections only with one value.
            delete_protection=args.protect,
            rebuild_protection=args.protect,
            # A node that is deleted first gets the time to leave etcd and to detach its volumes.
            shutdown_before_deletion=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=[
                    "user_data",
                    "image",
                    "name",
                    *(["location"] if args.holds_etcd else []),
                ],
                protect=args.protect,
                depends_on=list(args.after),
                additional_secret_outputs=["user_data"],
                # The name is the node's, and Hetzner gives each name once.
                delete_before_replace=True,
            ),
        )
        hcloud.ServerNetwork(
            f"{name}-attachment",
            server_id=numeric_id(self.server),
            subnet_id=args.subnet_id,
            ip=args.private_address,
            opts=pulumi.ResourceOptions(
                parent=self, delete_before_replace=True, replace_on_changes=["server_id"]
            ),
        )
        if args.holds_etcd:
            pulumi.Output.all(self.server.location).apply(
                lambda values: refuse_a_move(args.server_name, values[0], args.location)
            )
        self.register_outputs({"server_id": self.server.id})


def refuse_a_move(server_name: str, location: str, wanted: str) -> None:
    """Refuse a config that moves a server which holds etcd.

    Raises:
        pulumi.RunError: it is in another location.
    """
    if location != wanted:
        msg = (
            f"{server_name} holds etcd in {location}, and hetzner.location says {wanted}. A "
            f"control plane never moves; set hetzner.location: {location}, or make a new stack "
            "there. Pools may have a location of their own."
        )
        raise pulumi.RunError(msg)
