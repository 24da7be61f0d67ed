"""Address ranges as the sections of `gke` write them."""

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator

_RESERVED: Final = ipaddress.IPv4Network("172.17.0.0/16")
"""GKE takes no range in it: a node's container bridge has it (GKE docs, "Private clusters")."""

_PRIVATE: Final = tuple(
    ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


MIN_AUTHORIZED_BITS: Final = 8
"""The largest network that one owner has, such as 10.0.0.0/8. Two halves of the internet are as
open as the whole."""


def ip_network(value: str) -> ipaddress.IPv4Network:
    """Return a range as addresses.

    Raises:
        ValueError: it is no IPv4 range, or not spelled as Google spells it.
    """
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write an IPv4 range such as 10.0.0.0/20") from error
    # Python reads a lone address and masks too.
    if str(network) != value:
        raise ValueError(f"{value} is not how Google spells a range; write {network}")
    return network


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
    network = ip_network(value)
    if network.prefixlen < MIN_AUTHORIZED_BITS:
        share = 2**network.prefixlen
        internet = "the whole internet" if share == 1 else f"one in {share} addresses there are"
        raise ValueError(
            f"{value} lets {internet} reach the control plane; list the networks of your "
            f"operators, of a /{MIN_AUTHORIZED_BITS} at most, or use endpoint: dns with its IAM"
        )
    return value


PrivateNetwork = Annotated[str, AfterValidator(_private_network)]
AuthorizedNetwork = Annotated[str, AfterValidator(_authorized_network)]
