"""The cloud servers of the `hetzner` section: control plane and worker pools."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from components.platform.config import DnsLabel, Section

LABEL_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
"""A Kubernetes label value that is not empty."""

_SERVER_TYPE: Final = re.compile(r"(cx|cpx|cax|ccx)[0-9]{2}")
_GPU_LIKE: Final = re.compile(r"gex|gpu|nvidia|rtx|tesla|[ahlt][0-9]{1,3}\b", re.IGNORECASE)
_LABEL_KEY: Final = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{LABEL_NAME}")
_LABEL_VALUE: Final = re.compile(rf"({LABEL_NAME})?")


def _server_type(value: str) -> str:
    if _SERVER_TYPE.fullmatch(value):
        return value
    if _GPU_LIKE.search(value):
        msg = (
            f"{value!r} is no cloud server: Hetzner Cloud has no server with a GPU; "
            "take a type such as cpx42 here, and describe dedicated GPU servers in hetzner.gpu"
        )
        raise ValueError(msg)
    msg = f"{value!r} is no name of a cloud server type; write one such as cpx32, cx43 or ccx23"
    raise ValueError(msg)


ServerType = Annotated[
    str,
    AfterValidator(_server_type),
    Field(
        description="a Hetzner Cloud server type: cx, cpx, cax or ccx and two digits",
        examples=["cpx32"],
    ),
]


def _node_label(key: str, value: str) -> None:
    if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        msg = f"{key}={value} is not a Kubernetes label; write one such as workload: batch"
        raise ValueError(msg)
    prefix = key.rpartition("/")[0]
    reserved = prefix.endswith(("kubernetes.io", "k8s.io"))
    if reserved and not prefix.endswith(("node.kubernetes.io", "kubelet.kubernetes.io")):
        msg = (
            f"kubelet may not set the label {key}, and refuses to start with it; "
            "use a prefix of your own, or node.kubernetes.io/"
        )
        raise ValueError(msg)


class Taint(Section):
    """One taint of every node of a pool."""

    key: str = Field(
        pattern=rf"^{_LABEL_KEY.pattern}$",
        description="a Kubernetes label key",
        examples=["dedicated"],
    )
    value: str = Field(
        default="",
        pattern=rf"^{_LABEL_VALUE.pattern}$",
        description="a Kubernetes label value",
    )
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"

    def __str__(self) -> str:
        """Return the taint as kubelet takes it."""
        return f"{self.key}={self.value}:{self.effect}"


class HetznerControlPlane(Section):
    """The servers that run the Kubernetes API and etcd."""

    count: Literal[1, 3, 5] = Field(
        default=1, description="etcd needs an odd number: 3 outlive one server, 5 outlive two"
    )
    server_type: ServerType | None = Field(
        default=None, description="left out, cpx32 in Europe and ccx23 elsewhere"
    )
    schedulable: bool = Field(default=False, description="Whether workloads may run beside etcd.")
    audit_log: bool = Field(
        default=True,
        description="Whether the API server writes down who asks for what, not what Secrets hold.",
    )


class HetznerWorkerPool(Section):
    """Servers of one type that run workloads."""

    name: DnsLabel = Field(examples=["platform"])
    server_type: ServerType | None = Field(
        default=None, description="left out, cpx42 in Europe and ccx33 elsewhere"
    )
    count: int = Field(ge=0, le=100, examples=[3])
    labels: dict[str, str] = Field(default_factory=dict, max_length=20)
    taints: tuple[Taint, ...] = Field(default=(), max_length=20)

    @field_validator("labels")
    @classmethod
    def _labels_are_allowed(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            _node_label(key, value)
        return labels

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name == "control-plane":
            msg = "'control-plane' is taken by the control plane; write another name"
            raise ValueError(msg)
        return name
