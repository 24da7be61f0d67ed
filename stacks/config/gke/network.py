"""The `gke.network` section."""

from typing import Final

from pydantic import Field, ValidationInfo, field_validator

from components.platform.config import Section
from components.substrate.gke_topology import MIN_PORTS_PER_NODE, GkeNetworkTopology
from stacks.config.gke.addresses import PrivateNetwork, ip_network

CONTROL_PLANE_BITS: Final = 28
"""GKE takes exactly a /28 for the control plane (GKE docs)."""

MIN_SUBNET_BITS: Final = 8
MAX_NODE_BITS: Final = 29
"""The smallest subnet of Google's VPC."""

SERVICE_BITS: Final = range(16, 25)
"""Prefix lengths for Services. GKE takes a /16 to a /28 (GKE docs, "VPC-native clusters"), but a
platform with everything on has more than fifty Applications, most of them with several Services,
and each model and tenant adds some: under 256 addresses it would stop half made."""

RESERVED_SUBNET_ADDRESSES: Final = 4
"""Addresses that Google keeps in every subnet (VPC docs, "Subnets")."""

POD_CIDR_BITS_PER_NODE: Final = 24
"""Each node takes a /24 of the pod range at GKE's default of 110 pods a node (GKE docs)."""

PORTS_PER_ADDRESS: Final = 64_512
"""Ports of one address of Cloud NAT (Cloud NAT docs, "IP addresses and ports")."""

NODES_PER_NAT_ADDRESS: Final = PORTS_PER_ADDRESS // MIN_PORTS_PER_NODE


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


class GkeNetworkConfig(Section):
    """The cluster's own network. None of its ranges can change later."""

    node_cidr: PrivateNetwork = Field(
        default="10.0.0.0/22", description="Subnet of the nodes: one address a node."
    )
    pod_cidr: PrivateNetwork = Field(
        default="10.4.0.0/14", validate_default=True, description="Range of the pods: a /24 a node."
    )
    service_cidr: PrivateNetwork = Field(
        default="10.8.0.0/20",
        validate_default=True,
        description="Range of the Services: one address a Service.",
    )
    control_plane_cidr: PrivateNetwork = Field(
        default="172.16.0.0/28",
        validate_default=True,
        description="A /28 for the control plane's private address.",
    )

    nat_addresses: int = Field(
        default=0,
        ge=0,
        le=300,
        description="Reserved addresses that all calls to the internet come from, for others to "
        "let in; stack output nat_addresses. 0 leaves the addresses to Google, which changes them.",
    )
    flow_logs: bool = Field(
        default=False,
        description="Logs a sample of all connections of nodes and pods, those within a node too; "
        "Google bills the logs.",
    )

    @field_validator("control_plane_cidr")
    @classmethod
    def _control_plane_has_its_size(cls, value: str) -> str:
        if ip_network(value).prefixlen != CONTROL_PLANE_BITS:
            raise ValueError(f"GKE takes exactly a /28 here, not {value}; end it in /28")
        return value

    @field_validator("node_cidr")
    @classmethod
    def _nodes_fit_a_subnet(cls, value: str) -> str:
        if not MIN_SUBNET_BITS <= ip_network(value).prefixlen <= MAX_NODE_BITS:
            raise ValueError(f"{value} is no subnet that Google makes; write a /8 to a /29")
        return value

    @field_validator("service_cidr")
    @classmethod
    def _services_fit(cls, value: str) -> str:
        if ip_network(value).prefixlen not in SERVICE_BITS:
            raise ValueError(
                f"{value} is no size for Services: GKE takes none over a /16, and under a /24 the "
                "platform has more Services than addresses; write a /16 to /24"
            )
        return value

    @field_validator("pod_cidr", "service_cidr", "control_plane_cidr")
    @classmethod
    def _ranges_are_apart(cls, value: str, info: ValidationInfo) -> str:
        for name, other in info.data.items():
            if ip_network(value).overlaps(ip_network(other)):
                raise ValueError(f"overlaps {name} {other}; take a range apart from it")
        return value

    def shortages(self, nodes: int) -> list[str]:
        """Return what cannot hold so many nodes at once, each with the fix."""
        node_range, pod_range = ip_network(self.node_cidr), ip_network(self.pod_cidr)
        found: list[str] = []
        room = node_range.num_addresses - RESERVED_SUBNET_ADDRESSES
        if nodes > room:
            bits = 32 - (nodes + RESERVED_SUBNET_ADDRESSES - 1).bit_length()
            found.append(
                f"network.node_cidr {node_range} has room for {_nodes(room)} "
                f"({node_range.num_addresses} addresses, {RESERVED_SUBNET_ADDRESSES} of them "
                f"Google's); take a /{bits}"
            )
        room = pod_range.num_addresses >> (32 - POD_CIDR_BITS_PER_NODE)
        if nodes > room:
            bits = POD_CIDR_BITS_PER_NODE - (nodes - 1).bit_length()
            found.append(
                f"network.pod_cidr {pod_range} has room for {_nodes(room)} (a "
                f"/{POD_CIDR_BITS_PER_NODE} each); take a /{bits}"
            )
        room = self.nat_addresses * NODES_PER_NAT_ADDRESS
        if self.nat_addresses and nodes > room:
            found.append(
                f"network.nat_addresses: {self.nat_addresses} is enough for the ports of {room} "
                f"nodes ({PORTS_PER_ADDRESS} an address, {MIN_PORTS_PER_NODE} a node); set "
                f"{-(-nodes // NODES_PER_NAT_ADDRESS)}"
            )
        return found

    def topology(self) -> GkeNetworkTopology:
        """Return the same in the form that the substrate takes."""
        return GkeNetworkTopology(
            node_cidr=self.node_cidr,
            pod_cidr=self.pod_cidr,
            service_cidr=self.service_cidr,
            control_plane_cidr=self.control_plane_cidr,
            nat_addresses=self.nat_addresses,
            flow_logs=self.flow_logs,
        )
