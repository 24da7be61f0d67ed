"""The pools of the `gke` section."""

import re
from typing import Annotated, Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.names import GKE_CLUSTER_MAX
from components.platform.config import Section
from components.substrate.gke_machines import GPU_MACHINES, Accelerator, Capacity, Machine
from components.substrate.gke_topology import (
    DriverVersion,
    GkeGpuPool,
    GkeGpuSharing,
    GkePlatformPool,
    GkeUpgrade,
    LocationPolicy,
    SharingStrategy,
    UpgradeStrategy,
)

MACHINE_FAMILY: Final = re.compile(r"^[a-z]+([0-9]+)")
FIRST_GENERATION_WITHOUT_PERSISTENT_DISK: Final = 4
"""From N4, C4 and so on machines take Hyperdisk alone (Compute Engine docs, "Machine families")."""

USUAL_MACHINE: Final = "a type such as e2-standard-4 or n2-standard-4"

TINY_MACHINES: Final = frozenset({"e2-micro", "e2-small", "f1-micro", "g1-small"})
"""Machines with up to 2 GiB. GKE keeps a quarter of the first four for itself (GKE docs, "Plan GKE
Standard node sizes"), its agents want the rest, and f1-micro it does not take at all."""

MAX_UPGRADING: Final = 20
"""Nodes of a pool that GKE upgrades at once (Kubernetes Engine API, UpgradeSettings)."""

MAX_SECONDARY_DISKS: Final = 127
"""Most that the provider takes on one pool (`google_container_node_pool`)."""

ImageName = Annotated[
    str,
    Field(
        pattern=r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/global/images/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
    ),
]
"""A disk image. A family is none: its newest image is another one after each build, and a pool
cannot change its disks."""


def _within_max(max_nodes: int, info: ValidationInfo) -> int:
    min_nodes: int | None = info.data.get("min_nodes")
    if min_nodes is not None and min_nodes > max_nodes:
        raise ValueError(
            f"max_nodes {max_nodes} is under min_nodes {min_nodes}; raise max_nodes or lower "
            "min_nodes"
        )
    return max_nodes


class GkeUpgradeConfig(Section):
    """How GKE upgrades the nodes of a pool."""

    strategy: UpgradeStrategy = Field(
        default="surge",
        description="surge replaces nodes a few at a time; blue-green brings all new nodes up "
        "first, which takes as many machines and as much quota again",
    )
    max_surge: int = Field(
        default=1,
        ge=0,
        le=MAX_UPGRADING,
        description="Nodes that come before old ones go; surge only.",
    )
    max_unavailable: int = Field(
        default=0,
        ge=0,
        le=MAX_UPGRADING,
        description="Nodes that may be missing meanwhile; surge only.",
    )
    batch_nodes: int = Field(
        default=1, ge=1, le=1000, description="Old nodes drained at a time; blue-green only."
    )
    batch_soak_minutes: int = Field(
        default=0, ge=0, le=10_080, description="Wait after each batch; blue-green only."
    )
    soak_minutes: int = Field(
        default=60,
        ge=0,
        le=10_080,
        description="How long the empty old nodes stay, for a way back; blue-green only.",
    )

    @model_validator(mode="after")
    def _settings_are_of_the_strategy(self) -> Self:
        of_surge = {"max_surge", "max_unavailable"}
        of_blue_green = {"batch_nodes", "batch_soak_minutes", "soak_minutes"}
        is_surge = self.strategy == "surge"
        foreign = sorted(self.model_fields_set & (of_blue_green if is_surge else of_surge))
        if foreign:
            other = "blue-green" if is_surge else "surge"
            raise ValueError(
                f"{foreign[0]} has no meaning with strategy {self.strategy}; leave it out, or set "
                f"strategy: {other}"
            )
        return self

    @model_validator(mode="after")
    def _surge_gets_on(self) -> Self:
        at_once = self.max_surge + self.max_unavailable
        if self.strategy == "surge" and at_once == 0:
            raise ValueError(
                "with max_surge 0 and max_unavailable 0 no node could ever be upgraded; set one of "
                "them to 1"
            )
        if self.strategy == "surge" and at_once > MAX_UPGRADING:
            raise ValueError(
                f"GKE upgrades {MAX_UPGRADING} nodes at once at most, and max_surge with "
                f"max_unavailable makes {at_once}; lower one of them"
            )
        return self

    def topology(self) -> GkeUpgrade:
        """Return the same in the form that the substrate takes."""
        return GkeUpgrade(
            strategy=self.strategy,
            max_surge=self.max_surge,
            max_unavailable=self.max_unavailable,
            batch_nodes=self.batch_nodes,
            batch_soak_minutes=self.batch_soak_minutes,
            soak_minutes=self.soak_minutes,
        )


class GkeGpuUpgradeConfig(GkeUpgradeConfig):
    """How GKE upgrades GPU nodes: GPU quota is often what the pool has, so one goes first."""

    max_surge: int = Field(
        default=0,
        ge=0,
        le=MAX_UPGRADING,
        description="Nodes that come before old ones go, for which there must be quota; surge "
        "only.",
    )
    max_unavailable: int = Field(
        default=1,
        ge=0,
        le=MAX_UPGRADING,
        description="Nodes that may be missing meanwhile; surge only.",
    )


class GkeGpuSharingConfig(Section):
    """How several pods share one GPU. Nothing keeps them from each other's memory and time."""

    strategy: SharingStrategy = Field(
        description="time-slicing takes turns; mps runs the pods' kernels side by side"
    )
    clients_per_gpu: int = Field(ge=2, le=48, description="Pods that share one GPU.")

    def topology(self) -> GkeGpuSharing:
        """Return the same in the form that the substrate takes."""
        return GkeGpuSharing(strategy=self.strategy, clients_per_gpu=self.clients_per_gpu)


class GkePlatformPoolConfig(Section):
    """The pool of everything that needs no GPU."""

    machine_type: str = Field(
        default="e2-standard-4",
        pattern=r"^[a-z][a-z0-9]*-[a-z0-9-]*[a-z0-9]$",
        description="a Compute Engine machine type without GPU",
        examples=["e2-standard-4"],
    )
    min_nodes: int = Field(default=1, ge=1, le=1000, description="Nodes in all zones together.")
    max_nodes: int = Field(
        default=3, ge=1, le=1000, validate_default=True, description="Nodes in all zones together."
    )
    disk_size_gib: int = Field(default=100, ge=20, le=65_536, description="Boot disk of a node.")
    zones: tuple[str, ...] = Field(
        default=(),
        description="Zones of its nodes; left out, those of the cluster.",
        examples=[["us-central1-a", "us-central1-b"]],
    )
    upgrade: GkeUpgradeConfig = GkeUpgradeConfig()
    image_streaming: bool = Field(
        default=False, description="Containers start while their image is still being read."
    )

    @field_validator("machine_type")
    @classmethod
    def _no_gpu(cls, value: str) -> str:
        if value.startswith(("a2-", "a3-", "a4-", "g2-", "g4-")):
            raise ValueError(f"{value} has GPUs; describe GPU nodes in gke.gpu_pools")
        if value.startswith(("ct", "tpu")):
            raise ValueError(f"{value} has TPUs, which nothing here uses; take {USUAL_MACHINE}")
        return value

    @field_validator("machine_type")
    @classmethod
    def _is_large_enough(cls, value: str) -> str:
        if value in TINY_MACHINES:
            raise ValueError(
                f"{value} has too little memory: GKE and its agents take most of what it has; take "
                f"{USUAL_MACHINE}"
            )
        return value

    @field_validator("machine_type")
    @classmethod
    def _takes_persistent_disks(cls, value: str) -> str:
        family = MACHINE_FAMILY.match(value)
        if family and int(family[1]) >= FIRST_GENERATION_WITHOUT_PERSISTENT_DISK:
            raise ValueError(
                f"{value} takes no persistent disk, and that is what nodes boot from and databases "
                "live on; take a type such as e2-standard-4, n2-standard-4 or c3-standard-4"
            )
        if value.startswith("t2a-"):
            raise ValueError(
                f"{value} is Arm, which GKE taints and nothing here tolerates; take {USUAL_MACHINE}"
            )
        return value

    @field_validator("max_nodes")
    @classmethod
    def _min_within_max(cls, value: int, info: ValidationInfo) -> int:
        return _within_max(value, info)

    def pool(self) -> GkePlatformPool:
        """Return the pool in the form that the substrate takes."""
        return GkePlatformPool(
            machine_type=self.machine_type,
            min_nodes=self.min_nodes,
            max_nodes=self.max_nodes,
            disk_size_gib=self.disk_size_gib,
            zones=self.zones,
            upgrade=self.upgrade.topology(),
            image_streaming=self.image_streaming,
        )


class GkeGpuPoolConfig(Section):
    """A pool of GPU nodes of one kind. With min_nodes 0 it costs nothing while nothing runs."""

    name: str = Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=GKE_CLUSTER_MAX,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["l4"],
    )
    accelerator: Accelerator = Field(
        description="GPU product, as GKE calls it", examples=["nvidia-l4"]
    )
    accelerators_per_node: int = Field(
        default=1, ge=1, le=16, validate_default=True, description="GPUs of one node."
    )
    capacity: Capacity = Field(
        default="on-demand",
        description="on-demand; spot: far cheaper, and taken away at any time; flex-start: waits "
        "for capacity, and lives for seven days at most; reservation: what you have reserved",
    )
    reservation: str | None = Field(
        default=None,
        validate_default=True,
        pattern=r"^(projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/reservations/)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="Name of the reservation, with capacity: reservation; one that another project "
        "shares is written projects/<project>/reservations/<name>.",
        examples=["l4-reserved"],
    )
    machine_type: str | None = Field(
        default=None,
        validate_default=True,
        description="Leave it out for the smallest that Google sells with these GPUs.",
        examples=["g2-standard-8"],
    )
    min_nodes: int = Field(default=0, ge=0, le=1000, description="Nodes in all zones together.")
    max_nodes: int = Field(
        default=1, ge=1, le=1000, validate_default=True, description="Nodes in all zones together."
    )
    disk_size_gib: int = Field(
        default=200,
        ge=50,
        le=65_536,
        description="Boot disk of a node; engine and model images together take 30 to 70 GB.",
    )
    zones: tuple[str, ...] = Field(
        default=(),
        description="Zones of its nodes, all of which must have these GPUs; left out, those of the "
        "cluster. A pool of a regional one names them: not every zone has every GPU.",
        examples=[["us-central1-a", "us-central1-b"]],
    )
    location_policy: LocationPolicy = Field(
        default="any",
        description="any takes GPUs in whichever zone has them; balanced spreads them evenly",
    )
    upgrade: GkeGpuUpgradeConfig = GkeGpuUpgradeConfig()
    driver_version: DriverVersion = Field(
        default="default", description="Which GPU driver GKE installs for its version."
    )
    sharing: GkeGpuSharingConfig | None = Field(
        default=None, description="Several pods on one GPU; left out, each has its own."
    )
    image_streaming: bool = Field(
        default=False,
        description="Containers start while their image is still being read; for images in "
        "Artifact Registry.",
    )
    preloaded_images: tuple[ImageName, ...] = Field(
        default=(),
        max_length=MAX_SECONDARY_DISKS,
        description="Disk images with container images in them: nodes start without a pull. They "
        "need image_streaming.",
        examples=[["projects/my-project/global/images/vllm-0-23-0"]],
    )

    @field_validator("accelerators_per_node")
    @classmethod
    def _count_is_sold(cls, value: int, info: ValidationInfo) -> int:
        accelerator: Accelerator | None = info.data.get("accelerator")
        if accelerator is not None and value not in GPU_MACHINES[accelerator]:
            counts = ", ".join(str(count) for count in GPU_MACHINES[accelerator])
            raise ValueError(
                f"Google sells no machine with {value} {accelerator}; write one of {counts}"
            )
        return value

    @field_validator("reservation")
    @classmethod
    def _reservation_goes_with_capacity(cls, value: str | None, info: ValidationInfo) -> str | None:
        capacity: Capacity | None = info.data.get("capacity")
        if capacity == "reservation" and value is None:
            raise ValueError(
                "capacity: reservation needs the name of one; write reservation: <its name>, or "
                "take capacity: on-demand, which uses what is reserved for anyone by itself"
            )
        if capacity not in (None, "reservation") and value is not None:
            raise ValueError(
                f"capacity {capacity} takes nothing from a reservation; set capacity: reservation, "
                "or leave reservation out"
            )
        return value

    @field_validator("machine_type")
    @classmethod
    def _machine_is_sold(cls, value: str | None, info: ValidationInfo) -> str | None:
        accelerator: Accelerator | None = info.data.get("accelerator")
        count: int | None = info.data.get("accelerators_per_node")
        capacity: Capacity | None = info.data.get("capacity")
        if accelerator is None or count is None:
            return value
        sold = {machine.name: machine for machine in GPU_MACHINES[accelerator][count]}
        default = next(iter(sold))
        if value is not None and value not in sold:
            raise ValueError(
                f"Google does not sell {value} with {count} {accelerator}; leave it out for "
                f"{default}, or write one of {', '.join(sold)}"
            )
        machine = sold[default if value is None else value]
        if capacity is not None and capacity not in machine.capacity:
            raise ValueError(
                f"{machine.name} is only sold as {' or '.join(machine.capacity)}; set capacity: "
                f"{machine.capacity[0]}, or take another number of accelerators_per_node"
            )
        return value

    @field_validator("min_nodes")
    @classmethod
    def _nodes_that_run_out_have_no_minimum(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("capacity") == "flex-start" and value > 0:
            raise ValueError(
                "flex-start nodes come when there is capacity and go after seven days, so there is "
                f"no minimum of {value}; set min_nodes: 0"
            )
        return value

    @field_validator("max_nodes")
    @classmethod
    def _min_within_max(cls, value: int, info: ValidationInfo) -> int:
        return _within_max(value, info)

    @field_validator("location_policy")
    @classmethod
    def _waits_for_any_zone(cls, value: LocationPolicy, info: ValidationInfo) -> LocationPolicy:
        if info.data.get("capacity") == "flex-start" and value != "any":
            raise ValueError(
                f"flex-start takes whichever zone has capacity first, so it cannot be {value}; "
                "leave location_policy out"
            )
        return value

    @field_validator("preloaded_images")
    @classmethod
    def _images_are_streamed(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for image in value:
            if value.count(image) > 1:
                raise ValueError(f"{image} stands twice; write each image once")
        if value and info.data.get("image_streaming") is False:
            raise ValueError(
                "GKE reads preloaded images through image streaming; set image_streaming: true"
            )
        return value

    @model_validator(mode="after")
    def _nodes_that_run_out_are_not_upgraded(self) -> Self:
        if self.capacity == "flex-start" and "upgrade" in self.model_fields_set:
            raise ValueError(
                "GKE does not upgrade flex-start nodes but lets them run out, within seven days; "
                "leave upgrade out"
            )
        return self

    @property
    def machine(self) -> Machine:
        """The machine that its nodes are."""
        sold = GPU_MACHINES[self.accelerator][self.accelerators_per_node]
        return next(one for one in sold if self.machine_type in (None, one.name))

    def pool(self) -> GkeGpuPool:
        """Return the pool in the form that the substrate takes."""
        return GkeGpuPool(
            name=self.name,
            accelerator=self.accelerator,
            accelerators_per_node=self.accelerators_per_node,
            machine_type=self.machine.name,
            capacity=self.capacity,
            reservation=self.reservation,
            min_nodes=self.min_nodes,
            max_nodes=self.max_nodes,
            disk_size_gib=self.disk_size_gib,
            zones=self.zones,
            location_policy=self.location_policy,
            upgrade=None if self.capacity == "flex-start" else self.upgrade.topology(),
            driver_version=self.driver_version,
            sharing=None if self.sharing is None else self.sharing.topology(),
            image_streaming=self.image_streaming,
            preloaded_images=self.preloaded_images,
        )
