"""Who may talk to whom: each allowed connection is written once, beside the system that needs it.

Everything else is denied both ways. `policies` turns the connections of a catalogue into the
NetworkPolicies of each namespace, so that both ends of a connection come from one line.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from components.platform.values.network import (
    NetworkPolicyValues,
    PeerValues,
    PortValues,
    RuleValues,
)

Protocol = Literal["TCP", "UDP"]


class Outside(Enum):
    """What is no pod, and so has no labels that a NetworkPolicy could select."""

    INTERNET = "internet"
    """Public addresses; private ones and the metadata server stay shut."""
    API_SERVER = "api-server"
    """The Kubernetes API. As a client it calls webhooks, from addresses that clusters differ in."""
    NODES = "nodes"
    """The nodes themselves: kubelets, and pods with the host's network."""
    METADATA_SERVER = "metadata-server"
    """Where workload identity gets its tokens on GKE."""
    ANYONE = "anyone"
    """As a client: what comes in by a load balancer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pods:
    """A set of pods: those of a namespace that carry the labels; without labels all of them."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """One allowed connection, from who opens it to who listens.

    Ports are those of the containers, not of a Service: a NetworkPolicy sees a packet behind it.
    """

    client: Pods | Outside
    server: Pods | Outside
    ports: tuple[int, ...]
    last_port: int | None = None
    """Makes a range of the one port in `ports`."""
    protocol: Protocol = "TCP"


_Labels = tuple[tuple[str, str], ...]
_Group = tuple[str, _Labels]
_NAME_MAX = 50


def policies(
    connections: Iterable[Connection], namespaces: Iterable[str]
) -> dict[str, tuple[NetworkPolicyValues, ...]]:
    """Return the NetworkPolicies of each namespace, beside the default-deny that each one gets.

    Args:
        connections: all of a catalogue; one that is there twice counts once.
        namespaces: those that the platform owns. A peer in another one, such as kube-system, is
            allowed at our end alone: its policies are somebody else's.
    """
    owned = set(namespaces)
    # By what is allowed: to compare each rule with all others takes most of a second for a hundred
    # models.
    ingress: defaultdict[_Group, dict[str, RuleValues]] = defaultdict(dict)
    egress: defaultdict[_Group, dict[str, RuleValues]] = defaultdict(dict)
    for connection in connections:
        ports = tuple(
            PortValues(port=port, end_port=connection.last_port, protocol=connection.protocol)
            for port in connection.ports
        )
        for end, other, rules in (
            (connection.server, connection.client, ingress),
            (connection.client, connection.server, egress),
        ):
            if isinstance(end, Pods) and end.namespace in owned:
                rule = RuleValues(peer=_peer(other), ports=ports)
                rules[_group(end)].setdefault(rule.model_dump_json(), rule)
    found: defaultdict[str, list[NetworkPolicyValues]] = defaultdict(list)
    for group in sorted(ingress.keys() | egress.keys()):
        namespace, labels = group
        found[namespace].append(
            NetworkPolicyValues(
                name=_name(labels),
                pod_labels=dict(labels),
                ingress=tuple(ingress[group].values()),
                egress=tuple(egress[group].values()),
            )
        )
    return {
        namespace: tuple(sorted(found[namespace], key=lambda policy: policy.name))
        for namespace in sorted(owned)
    }


def _group(pods: Pods) -> _Group:
    return pods.namespace, tuple(sorted(pods.labels.items()))


def _name(labels: _Labels) -> str:
    """Return a name that people can read and that two sets of labels never share."""
    if not labels:
        return "all-pods"
    digest = hashlib.sha256(repr(labels).encode()).hexdigest()[:8]
    words = "-".join(re.sub(r"[^a-z0-9]+", "-", value.lower()) for _, value in labels)
    return f"{words[:_NAME_MAX].strip('-')}-{digest}"


def _peer(end: Pods | Outside) -> PeerValues:
    if isinstance(end, Pods):
        return PeerValues(kind="pods", namespace=end.namespace, pod_labels=dict(end.labels))
    return PeerValues(kind=end.value)
