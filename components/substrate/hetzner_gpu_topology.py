"""Dedicated GPU servers of a Hetzner cluster as plain data, and the GPU pools that they are.

Hetzner Cloud has no GPU. The servers are ordered at Hetzner Robot, and reach the cluster through
its vSwitch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from components import names
from components.contract import GPU_SHARING, GpuPool, GpuProfile, Taint
from components.substrate.gpu_profile import (
    GPU_TOLERATION,
    NODE_POOL_LABEL,
    NODE_PRODUCT_LABEL,
    pools_profile,
)

GpuServerModel = Literal["GEX44", "GEX131", "other"]
GpuServerJoin = Literal["ssh", "script"]
GpuDriver = Literal["install", "precompiled", "preinstalled"]
"""Who brings NVIDIA's driver: the operator builds it on the server, the operator takes one that
NVIDIA has built, or it is on the server already."""

SHARING_STRATEGY: Final = "time-slicing"

_LABEL_MAX: Final = 63
"""Characters of a Kubernetes label value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuHardware:
    """The GPUs of one server."""

    product: str
    """As feature discovery writes `nvidia.com/gpu.product`: the name that NVIDIA's driver says,
    with hyphens for spaces (NVIDIA/k8s-device-plugin, "GPU Feature Discovery")."""
    gpus: int


KNOWN_HARDWARE: Final[Mapping[GpuServerModel, GpuHardware]] = {
    # 20 GB. Hetzner, product page "GEX44".
    "GEX44": GpuHardware(product="NVIDIA-RTX-4000-SFF-Ada-Generation", gpus=1),
    # 96 GB; the Max-Q card of 300 W. Hetzner, product page "GEX131".
    "GEX131": GpuHardware(
        product="NVIDIA-RTX-PRO-6000-Blackwell-Max-Q-Workstation-Edition", gpus=1
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SshAccess:
    """Where a server is reached to join it."""

    address: str
    """Public IPv4 address."""
    host_key: str
    """The server's public host key, one line such as `ssh-ed25519 AAAA…`: no other is trusted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuServer:
    """One dedicated server."""

    name: str
    model: GpuServerModel
    hardware: GpuHardware
    private_address: str
    """Its address on the vSwitch; the node's address."""
    ssh: SshAccess | None
    """None where somebody runs the script on the server by hand."""
    ssh_allowed_cidrs: tuple[str, ...]
    """Networks that the server's firewall lets in to its SSH port."""
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    """Beyond those of every GPU server."""

    @property
    def role(self) -> str:
        """The part that its node name has after the cluster's."""
        return f"gpu-{self.name}"

    @property
    def pool(self) -> str:
        """The pool that it belongs to: all servers with the same GPUs."""
        if self.model != "other":
            return self.model.lower()
        return names.fit(f"{self.hardware.product.lower()}-x{self.hardware.gpus}", _LABEL_MAX)

    @property
    def kept_apart(self) -> bool:
        """Whether its own taints keep the platform's pods off, which tolerate none of them."""
        return any(taint.effect != "PreferNoSchedule" for taint in self.taints)


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuOperatorSettings:
    """What the GPU Operator does on every GPU server."""

    driver: GpuDriver = "install"
    time_slicing: int = 1
    """Pods that share one GPU; 1 gives each pod its own."""


def node_labels(server: GpuServer, operator: GpuOperatorSettings) -> dict[str, str]:
    """Return the labels that the node of a server has from its first second.

    The last two keep away what is for cloud servers: load balancers, whose targets the cloud
    controller looks up at Hetzner Cloud, and the CSI driver's daemon, which would ask for a
    metadata service that is not there (documentation of Hetzner's CSI driver, "Integration with
    Root Servers").
    """
    return {
        **server.labels,
        **_pool_labels(server, operator),
        "node.kubernetes.io/exclude-from-external-load-balancers": "true",
        "instance.hetzner.cloud/provided-by": "robot",
    }


def node_taints(server: GpuServer, operator: GpuOperatorSettings) -> tuple[Taint, ...]:
    """Return the taints that the node of a server joins with."""
    return (*_pool_taints(operator), *server.taints)


def gpu_pools(servers: tuple[GpuServer, ...], operator: GpuOperatorSettings) -> tuple[GpuPool, ...]:
    """Return the pools that the contract promises: no server whose own taints keep pods off."""
    groups: dict[str, list[GpuServer]] = {}
    for server in servers:
        if not server.kept_apart:
            groups.setdefault(server.pool, []).append(server)
    shared = operator.time_slicing > 1
    return tuple(
        GpuPool(
            name=name,
            product=group[0].hardware.product,
            gpus_per_node=group[0].hardware.gpus,
            max_nodes=len(group),
            sharing=SHARING_STRATEGY if shared else None,
            clients_per_gpu=operator.time_slicing,
            labels=_pool_labels(group[0], operator),
            taints=_pool_taints(operator),
        )
        for name, group in groups.items()
    )


def gpu_profile(servers: tuple[GpuServer, ...], operator: GpuOperatorSettings) -> GpuProfile:
    """Return how pods get the GPUs of the servers."""
    if not servers:
        return GpuProfile(managed_by="none")
    return pools_profile(gpu_pools(servers, operator))


def _pool_labels(server: GpuServer, operator: GpuOperatorSettings) -> dict[str, str]:
    labels = {NODE_POOL_LABEL: server.pool, NODE_PRODUCT_LABEL: server.hardware.product}
    if operator.time_slicing > 1:
        labels[GPU_SHARING] = SHARING_STRATEGY
    return labels


def _pool_taints(operator: GpuOperatorSettings) -> tuple[Taint, ...]:
    taint = Taint(key=GPU_TOLERATION.key, value="present")
    if operator.time_slicing == 1:
        return (taint,)
    return (taint, Taint(key=GPU_SHARING, value=SHARING_STRATEGY))
