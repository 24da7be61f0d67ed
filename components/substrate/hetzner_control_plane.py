"""The servers that run the Kubernetes API and etcd, on Hetzner Cloud."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_hcloud as hcloud

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


class HetznerControlPlane(pulumi.ComponentResource):
    """One, three or five servers with embedded etcd, spread over different hosts.

    The first one starts the cluster from the given authorities; the others join it and get them
    from there. Each has an address of its own that outlives it: the kubeconfig and the API's
    certificate name it before the server exists. What one server is told does not depend on how
    many there are, so that adding some touches none that runs.
    """

    servers: tuple[hcloud.Server, ...]
    api_address: pulumi.Output[str]
    """Public address of the first server, where the kubeconfig points."""

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
                opts=pulumi.ResourceOptions(parent=self),
            )
            for index in range(topology.control_plane.count)
        ]
        self.servers = tuple(
            HetznerServer(
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
                    protect=topology.deletion_protection,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            ).server
            for index, address in enumerate(addresses)
        )
        self.api_address = addresses[0].ip_address
        self.register_outputs({"api_address": self.api_address})


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
