"""Address ranges as the sections of `hetzner` write them."""

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_WIDEST_ALLOWED_PREFIX: Final = 8
_PRIVATE_RANGES: Final = tuple(
    ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


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
