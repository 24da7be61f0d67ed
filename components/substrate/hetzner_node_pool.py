"""A pool of workers on Hetzner Cloud."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_k3s import JoinTokens, agent_config, agent_user_data
from components.substrate.hetzner_server import HetznerServer, HetznerServerArgs
from components.substrate.hetzner_topology import (
    PLACEMENT_GROUP_SIZE,
    HetznerTopology,
    WorkerPool,
)
from components.versions import K3S


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerNodePoolArgs:
    """Inputs of one pool."""

    topology: HetznerTopology
    pool: WorkerPool
    tokens: pulumi.Input[JoinTokens]
    """Secret; only the agent's token reaches a worker."""
    server_ca: pulumi.Input[str]
    """Certificate of the authority that the API's certificate is checked against."""
    subnet_id: pulumi.Input[str]
    firewall_id: pulumi.Input[int]


class HetznerNodePool(pulumi.ComponentResource):
    """Servers of one type with the same labels and taints, spread over different hosts.

    A server more or less touches no other server. Workers are never protected from deletion: pools
    shrink. It does not own the network, the firewall or the tokens, and no pool that scales: see
    `HetznerAutoscaler`.
    """

    servers: tuple[hcloud.Server, ...]

    def __init__(
        self, name: str, args: HetznerNodePoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the pool's placement groups and servers."""
        super().__init__("llmp:substrate:HetznerNodePool", name, None, opts)
        topology, pool = args.topology, args.pool
        groups = [
            numeric_id(spread_group(f"{name}-spread-{index}", topology, pool.name, index, self))
            for index in range(pool.placement_groups)
        ]
        self.servers = tuple(
            self._server(f"{name}-{index}", args, index, groups) for index in range(pool.count)
        )
        self.register_outputs({"server_ids": [server.id for server in self.servers]})

    def _server(
        self,
        name: str,
        args: HetznerNodePoolArgs,
        index: int,
        groups: Sequence[pulumi.Output[int]],
    ) -> hcloud.Server:
        topology, pool = args.topology, args.pool
        node_name = topology.physical_name(f"{pool.name}-{index}")

        def user_data(tokens: JoinTokens, server_ca: str) -> str:
            config = agent_config(
                topology, pool, node_name=node_name, tokens=tokens, server_ca=server_ca
            )
            return agent_user_data(config, node_cidr=topology.node_cidr, version=K3S)

        return HetznerServer(
            name,
            HetznerServerArgs(
                topology=topology,
                server_name=node_name,
                server_type=pool.server_type,
                location=pool.location,
                role=pool.name,
                user_data=pulumi.Output.all(args.tokens, args.server_ca).apply(
                    lambda values: user_data(*values)
                ),
                subnet_id=args.subnet_id,
                firewall_id=args.firewall_id,
                placement_group_id=groups[index // PLACEMENT_GROUP_SIZE],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        ).server


def spread_group(
    resource_name: str, topology: HetznerTopology, role: str, index: int, parent: pulumi.Resource
) -> hcloud.PlacementGroup:
    """Return a group whose servers Hetzner puts on different hosts."""
    return hcloud.PlacementGroup(
        resource_name,
        name=topology.physical_name(f"{role}-{index}"),
        type="spread",
        labels={**topology.resource_labels, "role": role},
        opts=pulumi.ResourceOptions(parent=parent),
    )
