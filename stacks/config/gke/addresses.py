"""Address ranges as the sections of `gke` write them."""

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator

_RESERVED: Final = ipaddress.IPv4Network("172.17.0.0/16")
"""GKE takes no range in it: a node's container bridge has it (GKE docs, "Private clusters")."""

_PRIVATE: Final = tuple(
    ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


def ip_network(value: str) -> ipaddress.IPv4Network:
    """Return a range as addresses.

    Raises:
        ValueError: it is no IPv4 range.
    """
    try:
        return ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write an IPv4 range such as 10.0.0.0/20") from error


def _private_network(value: str) -> str:
    network = ip_network(value)
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(
            f"{value} is not a private range; take one inside 10.0.0.0/8, 172.16.0.0/12 or "
            "192.168.0.0/16"
        )
    if network.overlaps(_RESERVED):
        raise ValueError(
            f"{value} overlaps {_RESERVED}, which the nodes use themselves; take a range apart "
            "from it"
        )
    return value


def _authorized_network(value: str) -> str:
    if ip_network(value).prefixlen == 0:
        raise ValueError(
            f"{value} lets the whole internet reach the control plane; list the networks of your "
            "operators, or use endpoint: dns, where IAM decides"
        )
    return value


PrivateNetwork = Annotated[str, AfterValidator(_private_network)]
AuthorizedNetwork = Annotated[str, AfterValidator(_authorized_network)]
