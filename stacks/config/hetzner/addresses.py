"""Address ranges as the sections of `hetzner` write them."""

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator

from components.platform.config import Section
from components.substrate.hetzner_topology import Vswitch

_SMALLEST_VSWITCH_PREFIX: Final = 29
"""Six addresses: the gateway's and five servers'."""
_WIDEST_ALLOWED_PREFIX: Final = 8
_PRIVATE_RANGES: Final = tuple(
    ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_NEVER_SOURCES: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in ("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
)
"""No packet from the internet comes from them (IANA, "IPv4 Special-Purpose Address Registry")."""


def _ipv4_network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        msg = f"{value!r} is not a network in CIDR form; write one such as 203.0.113.0/24"
        raise ValueError(msg) from error
    if isinstance(network, ipaddress.IPv6Network):
        msg = (
            f"{value!r} is IPv6, and the nodes and their API are reached over IPv4; "
            "write an IPv4 network"
        )
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    if str(network) != value:
        msg = f"{value!r} is not in canonical form; write {network}"
        raise ValueError(msg)
    return value


def _allowed_network(value: str) -> str:
    network = ipaddress.IPv4Network(_ipv4_network(value))
    if any(network.subnet_of(each) for each in (*_PRIVATE_RANGES, *_NEVER_SOURCES)):
        msg = (
            f"{value!r} never comes in from the internet, where the API is reached; write the "
            "public address of your network, for example 203.0.113.7/32"
        )
        raise ValueError(msg)
    if network.prefixlen < _WIDEST_ALLOWED_PREFIX:
        msg = (
            f"{value!r} opens the Kubernetes API to much of the internet; "
            "write the networks that you work from, for example 203.0.113.7/32"
        )
        raise ValueError(msg)
    return value


def _private_network(value: str) -> str:
    network = ipaddress.IPv4Network(_ipv4_network(value))
    if not any(network.subnet_of(private) for private in _PRIVATE_RANGES):
        msg = (
            f"{value!r} is not private; take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        )
        raise ValueError(msg)
    return value


AllowedCidr = Annotated[
    str,
    AfterValidator(_allowed_network),
    Field(description="an IPv4 network in canonical CIDR form", examples=["203.0.113.0/24"]),
]
PrivateCidr = Annotated[str, AfterValidator(_private_network)]


class HetznerVswitch(Section):
    """A vSwitch of dedicated servers, as a subnet of the cluster's network."""

    id: int = Field(ge=1, description="number of the vSwitch in Robot", examples=[12345])
    vlan: int | None = Field(
        default=None,
        ge=4000,
        le=4091,
        description="VLAN id of the vSwitch in Robot; needed with gpu_servers, which tag with it",
        examples=[4000],
    )
    cidr: PrivateCidr = Field(
        description="Its subnet of network_cidr, beside that of the cloud servers.",
        examples=["10.0.128.0/24"],
    )

    @field_validator("cidr")
    @classmethod
    def _has_room(cls, value: str) -> str:
        if ipaddress.IPv4Network(value).prefixlen > _SMALLEST_VSWITCH_PREFIX:
            msg = f"{value} has no room for servers; take a /{_SMALLEST_VSWITCH_PREFIX} or larger"
            raise ValueError(msg)
        return value

    def topology(self) -> Vswitch:
        """Return the same in the form that the substrate takes."""
        return Vswitch(id=self.id, vlan=self.vlan, cidr=self.cidr)
