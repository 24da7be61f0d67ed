"""The dedicated GPU servers of the `hetzner` section, and the operator that runs their GPUs."""

import base64
import binascii
import ipaddress
import struct
from collections.abc import Iterator
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.contract import Taint as NodeTaint
from components.platform.config import DnsLabel, Section
from components.substrate.hetzner_gpu_topology import (
    KNOWN_HARDWARE,
    GpuDriver,
    GpuHardware,
    GpuOperatorSettings,
    GpuServer,
    GpuServerJoin,
    GpuServerModel,
    SshAccess,
)
from stacks.config.hetzner.addresses import HetznerVswitch
from stacks.config.hetzner.servers import LABEL_NAME, Taint, check_node_label, check_taints

_WIDEST_ALLOWED_PREFIX: Final = 8
_HOST_KEY_BYTES: Final = {"ssh-ed25519": 51, "ecdsa-sha2-nistp256": 104}
"""Of the types that are taken, the size of the whole key (RFC 8709, RFC 5656). Not RSA: the
provider then asks for signatures with SHA-1, which no SSH server gives any more."""


def _public_address(value: str) -> str:
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError as error:
        msg = f"{value!r} is no IPv4 address; write the server's public one, as Robot shows it"
        raise ValueError(msg) from error
    if (not address.is_global or address.is_multicast) and address not in _DOCUMENTATION:
        msg = f"{value!r} is not public; write the server's public address, which SSH connects to"
        raise ValueError(msg)
    return value


_DOCUMENTATION: Final = ipaddress.IPv4Network("203.0.113.0/24")
"""What examples and tests write."""


def _private_address(value: str) -> str:
    try:
        ipaddress.IPv4Address(value)
    except ValueError as error:
        msg = f"{value!r} is no IPv4 address; write a free one of vswitch.cidr"
        raise ValueError(msg) from error
    return value


def _ssh_network(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        msg = f"{value!r} is no IPv4 network in canonical CIDR form; write one as 203.0.113.0/24"
        raise ValueError(msg) from error
    if network.prefixlen < _WIDEST_ALLOWED_PREFIX:
        msg = f"{value!r} opens SSH to much of the internet; write the networks that you work from"
        raise ValueError(msg)
    return value


def _host_key(value: str) -> str:
    """Return a public key without its comment."""
    parts = value.split()
    try:
        kind, encoded = parts[0], parts[1]
        blob = base64.b64decode(encoded, validate=True)
        (length,) = struct.unpack(">I", blob[:4])
        inner = blob[4 : 4 + length].decode()
    except (IndexError, binascii.Error, struct.error, UnicodeDecodeError):
        kind = inner = ""
        blob = b""
    # Of more lines than one the others would be taken for its comment.
    if not kind or kind != inner or "\n" in value.strip() or len(blob) != _HOST_KEY_BYTES.get(kind):
        msg = (
            f"is no public host key of type {', '.join(_HOST_KEY_BYTES)}; write the line of "
            "/etc/ssh/ssh_host_ed25519_key.pub, read on the server's console or its rescue system"
        )
        raise ValueError(msg)
    return f"{kind} {parts[1]}"


class HetznerGpuOperator(Section):
    """What NVIDIA's GPU Operator does on every GPU server."""

    driver: GpuDriver = Field(
        default="install",
        description="install builds it on the server, precompiled takes one that NVIDIA has built "
        "for Ubuntu's own kernel, preinstalled leaves it to you",
    )
    time_slicing: int = Field(
        default=1,
        ge=1,
        le=48,
        description="Pods that share one GPU; 1 gives each its own. Nothing keeps them from each "
        "other's memory and time.",
    )

    def topology(self) -> GpuOperatorSettings:
        """Return the same in the form that the substrate takes."""
        return GpuOperatorSettings(driver=self.driver, time_slicing=self.time_slicing)


class HetznerGpuServer(Section):
    """A dedicated server with GPUs that joins the cluster. Hetzner Cloud itself has none."""

    name: DnsLabel = Field(description="end of its node name", examples=["ada-0"])
    model: GpuServerModel = Field(
        description="what was ordered; other says what it has by product and gpus"
    )
    product: str | None = Field(
        default=None,
        pattern=rf"^{LABEL_NAME}$",
        description="value of the node label nvidia.com/gpu.product: what nvidia-smi calls the "
        "GPU, with hyphens for spaces; with model: other alone",
        examples=["NVIDIA-RTX-6000-Ada-Generation"],
    )
    gpus: int | None = Field(
        default=None, ge=1, le=16, description="GPUs that it has; with model: other alone"
    )
    private_address: Annotated[str, AfterValidator(_private_address)] = Field(
        description="its address on the vSwitch, a free one of vswitch.cidr",
        examples=["10.0.128.2"],
    )
    join: GpuServerJoin = Field(
        default="ssh",
        description="ssh runs the script on the server at every change; script puts it into the "
        "output gpu_join_scripts, for you to run",
    )
    address: Annotated[str, AfterValidator(_public_address)] | None = Field(
        default=None,
        description="its public IPv4 address; with join: ssh alone",
        examples=["203.0.113.20"],
    )
    host_key: Annotated[str, AfterValidator(_host_key)] | None = Field(
        default=None,
        description="its public SSH host key, the only one that is trusted; with join: ssh alone",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA…"],
    )
    ssh_allowed_cidrs: tuple[Annotated[str, AfterValidator(_ssh_network)], ...] = Field(
        default=(),
        max_length=50,
        description="networks that reach its SSH port; left out, hetzner.api_allowed_cidrs",
        examples=[["203.0.113.0/24"]],
    )
    labels: dict[str, str] = Field(default_factory=dict, max_length=20)
    taints: tuple[Taint, ...] = Field(
        default=(),
        max_length=20,
        description="Nothing of the platform tolerates them: such a server is for workloads of "
        "your own, and no model can have its GPUs.",
    )

    @field_validator("labels")
    @classmethod
    def _labels_are_allowed(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            check_node_label(key, value)
        return labels

    @field_validator("taints")
    @classmethod
    def _taints_are_free(cls, taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
        check_taints(taints)
        return taints

    @model_validator(mode="after")
    def _hardware_is_said_once(self) -> Self:
        given = [name for name in ("product", "gpus") if getattr(self, name) is not None]
        if self.model == "other" and len(given) < 2:  # noqa: PLR2004 - both
            msg = (
                "model: other says nothing of the GPUs; write product, as nvidia.com/gpu.product "
                f"will say it, and gpus, or take a model of {', '.join(KNOWN_HARDWARE)}"
            )
            raise ValueError(msg)
        if self.model != "other" and given:
            msg = (
                f"{' and '.join(given)}: a {self.model} has what it has; remove it, or set "
                "model: other"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _whoever_connects_knows_where(self) -> Self:
        given = [name for name in ("address", "host_key") if getattr(self, name) is not None]
        if self.join == "ssh" and len(given) < 2:  # noqa: PLR2004 - both
            msg = (
                "join: ssh connects to address and trusts host_key alone, and both are needed; "
                "write them, or set join: script"
            )
            raise ValueError(msg)
        if self.join == "script" and given:
            msg = (
                f"{' and '.join(given)}: with join: script nothing connects to the server; remove "
                "it, or set join: ssh"
            )
            raise ValueError(msg)
        return self

    def topology(self, api_allowed_cidrs: tuple[str, ...]) -> GpuServer:
        """Return the same in the form that the substrate takes."""
        if self.product is not None and self.gpus is not None:
            hardware = GpuHardware(product=self.product, gpus=self.gpus)
        else:
            hardware = KNOWN_HARDWARE[self.model]
        return GpuServer(
            name=self.name,
            model=self.model,
            hardware=hardware,
            private_address=self.private_address,
            ssh=None
            if self.address is None or self.host_key is None
            else SshAccess(address=self.address, host_key=self.host_key),
            ssh_allowed_cidrs=self.ssh_allowed_cidrs or api_allowed_cidrs,
            labels=self.labels,
            taints=tuple(
                NodeTaint(key=taint.key, value=taint.value, effect=taint.effect)
                for taint in self.taints
            ),
        )


def gpu_server_problems(
    servers: tuple[HetznerGpuServer, ...],
    *,
    vswitch: HetznerVswitch | None,
    api_allowed_cidrs: tuple[str, ...],
    pools: tuple[str, ...],
) -> Iterator[str]:
    """Yield what is wrong with the servers beside the rest of the section.

    Args:
        servers: as they are written.
        vswitch: how they are reached.
        api_allowed_cidrs: networks that may reach the Kubernetes API.
        pools: names of the worker pools.
    """
    if servers and vswitch is None:
        yield (
            "dedicated servers reach the cluster through a vSwitch alone, and there is none; make "
            "one in Robot and write hetzner.vswitch with its id, vlan and cidr"
        )
    if servers and vswitch is not None and vswitch.vlan is None:
        yield (
            "the servers tag their packets with the VLAN id of the vSwitch, which is not said; "
            "write hetzner.vswitch.vlan, 4000 to 4091, as Robot shows it"
        )
    for field in ("name", "private_address", "address", "host_key"):
        values = [getattr(server, field) for server in servers]
        twice = next((one for one in values if one is not None and values.count(one) > 1), None)
        if twice is not None:
            yield f"two servers have the {field} {twice!r}; give each one its own"
    for server in servers:
        if vswitch is not None:
            yield from _address_problems(server, ipaddress.IPv4Network(vswitch.cidr))
        if not server.ssh_allowed_cidrs and not api_allowed_cidrs:
            yield (
                f"the firewall of {server.name} would let nobody in by SSH, as there are no "
                "api_allowed_cidrs; write ssh_allowed_cidrs of the server"
            )
        pool = next((one for one in pools if _is_server_of(f"gpu-{server.name}", one)), None)
        if pool is not None:
            yield (
                f"{server.name} would have the node name of a server of pool {pool}; give one of "
                "the two another name"
            )


def _address_problems(server: HetznerGpuServer, subnet: ipaddress.IPv4Network) -> Iterator[str]:
    address = ipaddress.IPv4Address(server.private_address)
    if address not in subnet:
        yield (
            f"private_address {address} of {server.name} is not inside vswitch.cidr {subnet}; "
            "take a free address of it"
        )
    # The gateway has the second (Hetzner Docs, "Architecture" of networks).
    elif address in (subnet[0], subnet[1], subnet[-1]):
        yield (
            f"private_address {address} of {server.name} is not for servers: the first two "
            f"addresses and the last of {subnet} are the network's; take another"
        )


def _is_server_of(role: str, pool: str) -> bool:
    start, _, index = role.rpartition("-")
    return start == pool and index.isdecimal()
