"""The servers that run the Kubernetes API and etcd, on Hetzner Cloud."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_hcloud as hcloud

from components.substrate.hetzner_etcd_member import (
    ApiAccess,
    HetznerEtcdMember,
    HetznerEtcdMemberArgs,
)
from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_k3s import (
    ClusterAuthorities,
    JoinTokens,
    control_plane_user_data,
    server_config,
)
from components.substrate.hetzner_node_pool import spread_group
from components.substrate.hetzner_server import HetznerServer, HetznerServerArgs
from components.substrate.hetzner_topology import HetznerTopology
from components.versions import K3S


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerControlPlaneArgs:
    """Inputs of the control plane."""

    topology: HetznerTopology
    authorities: pulumi.Input[ClusterAuthorities]
    """Secret."""
    tokens: pulumi.Input[JoinTokens]
    """Secret."""
    subnet_id: pulumi.Input[str]
    firewall_id: pulumi.Input[int]
    access: Callable[[pulumi.Output[str]], ApiAccess]
    """How the API is reached, given the public address of the first server."""


class HetznerControlPlane(pulumi.ComponentResource):
    """One, three or five servers with embedded etcd, spread over different hosts.

    The first one starts the cluster from the given authorities; the others join it and get them
    from there. Each has an address of its own that outlives it: the kubeconfig and the API's
    certificate name it before the server exists. What one server is told does not depend on how
    many there are, so that adding some touches none that runs.

    Where there are several, each is made or changed once the one before it is a member of etcd
    again, and leaves etcd before it is deleted. Hetzner resizes a server by stopping it. They never
    move: see `HetznerServer`.
    """

    servers: tuple[hcloud.Server, ...]
    access: ApiAccess
    """How the API is reached."""

    def __init__(
        self, name: str, args: HetznerControlPlaneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the addresses, the placement group and the servers."""
        super().__init__("llmp:substrate:HetznerControlPlane", name, None, opts)
        topology = args.topology
        group = spread_group(f"{name}-spread", topology, "control-plane", 0, self)
        addresses = [
            hcloud.PrimaryIp(
                f"{name}-{index}-address",
                name=topology.control_plane_name(index),
                type="ipv4",
                location=topology.location,
                auto_delete=False,
                delete_protection=topology.deletion_protection,
                labels={**topology.resource_labels, "role": "control-plane"},
                # Where its server is, which never moves.
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["location"]),
            )
            for index in range(topology.control_plane.count)
        ]
        self.access = args.access(addresses[0].ip_address)
        servers: list[hcloud.Server] = []
        before: list[pulumi.Resource] = []
        for index, address in enumerate(addresses):
            server = HetznerServer(
                f"{name}-{index}",
                HetznerServerArgs(
                    topology=topology,
                    server_name=topology.control_plane_name(index),
                    server_type=topology.control_plane.server_type,
                    location=topology.location,
                    role="control-plane",
                    user_data=_user_data(args, index, address.ip_address),
                    subnet_id=args.subnet_id,
                    firewall_id=args.firewall_id,
                    placement_group_id=numeric_id(group),
                    private_address=topology.control_plane_address(index),
                    public_ipv4_id=numeric_id(address),
                    holds_etcd=True,
                    protect=topology.deletion_protection,
                    after=before,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
            servers.append(server.server)
            if topology.control_plane.count > 1:
                member = HetznerEtcdMember(
                    f"{name}-{index}-member",
                    HetznerEtcdMemberArgs(
                        node_name=topology.control_plane_name(index),
                        server=server.server,
                        server_type=topology.control_plane.server_type,
                        access=self.access,
                        after=[server],
                        first_server=servers[0] if index > 0 else None,
                    ),
                    opts=pulumi.ResourceOptions(parent=self),
                )
                before = [member.joined]
        self.servers = tuple(servers)
        self.register_outputs({"api_address": self.access.address})


def _user_data(
    args: HetznerControlPlaneArgs, index: int, public_address: pulumi.Output[str]
) -> pulumi.Output[str]:
    topology = args.topology

    def render(values: list[Any]) -> str:
        tokens: JoinTokens = values[0]
        authorities: ClusterAuthorities = values[1]
        config = server_config(
            topology,
            index=index,
            public_address=values[2],
            tokens=tokens,
            server_ca=authorities.server.certificate,
        )
        return control_plane_user_data(
            config,
            node_cidr=topology.node_cidr,
            version=K3S,
            authorities=authorities if index == 0 else None,
        )

    return pulumi.Output.all(args.tokens, args.authorities, public_address).apply(render)
