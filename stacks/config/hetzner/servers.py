"""The cloud servers of the `hetzner` section: control plane and worker pools."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from components.platform.config import DnsLabel, Section
from components.substrate.hetzner_topology import ApiLoadBalancer, Location

LABEL_NAME: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
"""A Kubernetes label value that is not empty."""

_SERVER_TYPE: Final = re.compile(r"(cx|cpx|cax|ccx)[0-9]{2}")
_ZONES: Final = (
    (re.compile(r"cx[0-9]{2}|cax[0-9]{2}"), ("eu-central",)),
    (re.compile(r"cpx[0-9]2"), ("eu-central", "ap-southeast")),
)
"""Network zones of the types that are not offered in all of them (Hetzner Docs, "Locations")."""
_GPU_LIKE: Final = re.compile(r"gex|gpu|nvidia|rtx|tesla|[ahlt][0-9]{1,3}\b", re.IGNORECASE)
_LABEL_KEY: Final = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{LABEL_NAME}")
_LABEL_VALUE: Final = re.compile(rf"({LABEL_NAME})?")
_OWN_PREFIXES: Final = ("llmp.dev/", "hcloud/", "instance.hetzner.cloud/", "nvidia.com/")
"""Of labels and taints that the program, Hetzner's drivers, the autoscaler and the GPU Operator
set and read."""


def _server_type(value: str) -> str:
    if _SERVER_TYPE.fullmatch(value):
        return value
    if _GPU_LIKE.search(value):
        msg = (
            f"{value!r} is no cloud server: Hetzner Cloud has no server with a GPU; "
            "take a type such as cpx42 here, and describe dedicated ones in hetzner.gpu_servers"
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


def zones_of(server_type: str) -> tuple[str, ...] | None:
    """Return the network zones that offer a server type; None for all of them."""
    return next((zones for types, zones in _ZONES if types.fullmatch(server_type)), None)


def is_arm(server_type: str) -> bool:
    """Return whether servers of a type have ARM processors; all others are x86."""
    return server_type.startswith("cax")


def check_node_label(key: str, value: str) -> None:
    """Refuse a label that a node cannot have, that is not config's, or that kubelet may not set.

    Raises:
        ValueError: says which, and what to write.
    """
    if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        msg = f"{key}={value} is not a Kubernetes label; write one such as workload: batch"
        raise ValueError(msg)
    if key.startswith(_OWN_PREFIXES):
        msg = (
            f"{key} is set by the program, the GPU Operator or Hetzner's drivers, and they go by "
            "it; use a prefix of your own"
        )
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


def check_taints(taints: tuple[Taint, ...]) -> None:
    """Refuse taints that are not config's, or with which kubelet does not start.

    Raises:
        ValueError: says which, and what to write.
    """
    found: set[tuple[str, str]] = set()
    for taint in taints:
        if taint.key.startswith(_OWN_PREFIXES):
            msg = (
                f"{taint.key} is set by the program where it belongs; remove it, or use a prefix "
                "of your own"
            )
            raise ValueError(msg)
        if (taint.key, taint.effect) in found:
            msg = (
                f"{taint.key} has the effect {taint.effect} twice, and kubelet refuses to start "
                "with that; write each key and effect once"
            )
            raise ValueError(msg)
        found.add((taint.key, taint.effect))


def keep_others_away(taints: tuple[Taint, ...]) -> bool:
    """Return whether pods that tolerate nothing stay away; those of the platform are such."""
    return any(taint.effect != "PreferNoSchedule" for taint in taints)


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
    load_balancer: ApiLoadBalancer = Field(
        default="none",
        description="private: nodes join through it, so that they do without the first server; "
        "public: it shows the API to the internet, behind client certificates alone, since a load "
        "balancer of Hetzner keeps nobody out",
    )

    @field_validator("count", mode="before")
    @classmethod
    def _count_is_a_number(cls, value: object) -> object:
        # Python calls true and 3.0 equal to 1 and 3.
        if isinstance(value, bool | float):
            msg = "is no whole number; write 1, 3 or 5"
            raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
        return value

    @model_validator(mode="after")
    def _arm_servers_keep_the_platform_away(self) -> Self:
        if self.schedulable and self.server_type is not None and is_arm(self.server_type):
            msg = (
                f"{self.server_type} has ARM processors, and not every image of the platform is "
                "made for them; take a cx, cpx or ccx type, or set schedulable: false"
            )
            raise ValueError(msg)
        return self


class HetznerAutoscaling(Section):
    """How many servers the cluster autoscaler keeps in a pool."""

    min: int = Field(ge=0, le=100, description="servers that are always there", examples=[1])
    max: int = Field(ge=1, le=100, description="servers that there can be", examples=[5])

    @field_validator("max")
    @classmethod
    def _max_is_not_below_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min")
        if isinstance(least, int) and value < least:
            msg = f"max {value} is below min {least}; raise max, or lower min"
            raise ValueError(msg)
        return value


class HetznerWorkerPool(Section):
    """Servers of one type in one location that run workloads.

    Either `count` or `autoscaling` says how many there are.
    """

    name: DnsLabel = Field(examples=["platform"])
    server_type: ServerType | None = Field(
        default=None, description="left out, cpx42 in Europe and ccx33 elsewhere"
    )
    location: Location | None = Field(
        default=None,
        description="left out, that of the cluster; a volume never leaves the location where its "
        "first pod ran",
        examples=["fsn1"],
    )
    count: int | None = Field(
        default=None, ge=0, le=100, description="servers that this program makes", examples=[3]
    )
    autoscaling: HetznerAutoscaling | None = Field(
        default=None,
        description="servers that the cluster autoscaler makes when pods find no room, and deletes "
        "when they are idle",
        examples=[{"min": 1, "max": 5}],
    )
    labels: dict[str, str] = Field(default_factory=dict, max_length=20)
    taints: tuple[Taint, ...] = Field(default=(), max_length=20)

    @field_validator("labels")
    @classmethod
    def _labels_are_allowed(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            check_node_label(key, value)
        return labels

    @field_validator("taints")
    @classmethod
    def _taints_are_allowed(cls, taints: tuple[Taint, ...]) -> tuple[Taint, ...]:
        check_taints(taints)
        return taints

    @field_validator("name")
    @classmethod
    def _name_is_free(cls, name: str) -> str:
        if name == "control-plane":
            msg = "'control-plane' is taken by the control plane; write another name"
            raise ValueError(msg)
        return name

    @model_validator(mode="after")
    def _one_says_how_many(self) -> Self:
        if (self.count is None) == (self.autoscaling is None):
            msg = (
                f"pool {self.name!r} needs either count or autoscaling; write count: 3 for servers "
                "that stay, or autoscaling: {min: 1, max: 5} for as many as its pods need"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _arm_servers_keep_others_away(self) -> Self:
        if self.server_type is None or not is_arm(self.server_type):
            return self
        if not keep_others_away(self.taints):
            msg = (
                f"{self.server_type} has ARM processors, and not every image of the platform is "
                "made for them; take a cx, cpx or ccx type, or keep the platform away with a taint "
                "such as {key: kubernetes.io/arch, value: arm64}"
            )
            raise ValueError(msg)
        return self

    @property
    def min_count(self) -> int:
        """Servers that are always there."""
        if self.autoscaling is not None:
            return self.autoscaling.min
        return 0 if self.count is None else self.count

    @property
    def max_count(self) -> int:
        """Servers that there can be."""
        if self.autoscaling is not None:
            return self.autoscaling.max
        return 0 if self.count is None else self.count
