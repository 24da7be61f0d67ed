"""Values of charts/network: the NetworkPolicies of one namespace.

One release a namespace: everything denied both ways, then what the catalogue's connections allow.
Made by `components.platform.network`, never by hand.
"""

from typing import Literal

from pydantic import Field

from components.platform.values.base import ChartValues, Labels, Name


class PortValues(ChartValues):
    """A container port."""

    port: int = Field(ge=1, le=65535)
    end_port: int | None = Field(default=None, ge=1, le=65535, description="Last of a range.")
    protocol: Literal["TCP", "UDP"] = "TCP"


class PeerValues(ChartValues):
    """The other end: pods of a namespace, or one of the places that have no labels."""

    kind: Literal["pods", "internet", "api-server", "nodes", "metadata-server", "anyone"]
    namespace: Name | None = Field(default=None, description="Of kind pods.")
    pod_labels: Labels = Field(default_factory=dict, description="Empty: all pods of it.")


class RuleValues(ChartValues):
    """One allowed connection, seen from one end."""

    peer: PeerValues
    ports: tuple[PortValues, ...] = Field(min_length=1)


class NetworkPolicyValues(ChartValues):
    """What the pods with these labels may take in and call."""

    name: Name
    pod_labels: Labels = Field(default_factory=dict, description="Empty: all pods.")
    ingress: tuple[RuleValues, ...] = ()
    egress: tuple[RuleValues, ...] = ()


class NetworkValues(ChartValues):
    """All values of charts/network."""

    policies: tuple[NetworkPolicyValues, ...] = ()
    keep_default_deny: bool = Field(
        default=False,
        description="Whether it outlives the release: pods that stay are not to reach more then.",
    )
