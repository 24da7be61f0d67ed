"""The pools of the `gke` section."""

import re
from typing import Final

from pydantic import Field, ValidationInfo, field_validator

from components.names import GKE_CLUSTER_MAX
from components.platform.config import Section
from components.substrate.gke_machines import (
    GPU_MACHINE_TYPES,
    SPOT_ONLY_MACHINE_TYPES,
    Accelerator,
)
from components.substrate.gke_topology import (
    Capacity,
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
        "first",
    )
    max_surge: int = Field(
        default=1, ge=0, le=20, description="Nodes that come before old ones go; surge only."
    )
    max_unavailable: int = Field(
        default=0, ge=0, le=20, description="Nodes that may be missing meanwhile; surge only."
    )
    soak_minutes: int = Field(
        default=60,
        ge=0,
        le=10_080,
        description="How long blue-green keeps the empty old nodes, for a way back.",
    )

    def topology(self) -> GkeUpgrade:
        """Return the same in the form that the substrate takes."""
        return GkeUpgrade(
            strategy=self.strategy,
            max_surge=self.max_surge,
            max_unavailable=self.max_unavailable,
            soak_minutes=self.soak_minutes,
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
                f"{value} is Arm, which GKE taints and nothing here tolerates; take a type such as "
                "e2-standard-4 or n2-standard-4"
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
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        description="Name of the reservation, with capacity: reservation.",
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
        description="Zones of its nodes; left out, those of the cluster.",
        examples=[["us-central1-a", "us-central1-b"]],
    )
    location_policy: LocationPolicy = Field(
        default="any",
        description="any takes GPUs in whichever zone has them; balanced spreads them evenly",
    )
    upgrade: GkeUpgradeConfig = GkeUpgradeConfig(max_surge=0, max_unavailable=1)
    driver_version: DriverVersion = Field(
        default="default", description="Which GPU driver GKE installs for its version."
    )
    sharing: GkeGpuSharingConfig | None = Field(
        default=None, description="Several pods on one GPU; left out, each has its own."
    )
    image_streaming: bool = Field(
        default=False, description="Containers start while their image is still being read."
    )
    preloaded_images: tuple[str, ...] = Field(
        default=(),
        description="Disk images with container images in them: nodes start without a pull.",
        examples=[["projects/my-project/global/images/vllm-0-23-0"]],
    )

    @field_validator("accelerators_per_node")
    @classmethod
    def _count_is_sold(cls, value: int, info: ValidationInfo) -> int:
        accelerator: Accelerator | None = info.data.get("accelerator")
        if accelerator is not None and value not in GPU_MACHINE_TYPES[accelerator]:
            counts = ", ".join(str(count) for count in GPU_MACHINE_TYPES[accelerator])
            raise ValueError(
                f"Google sells no machine with {value} {accelerator}; write one of {counts}"
            )
        return value

    @field_validator("machine_type")
    @classmethod
    def _machine_is_sold(cls, value: str | None, info: ValidationInfo) -> str | None:
        accelerator: Accelerator | None = info.data.get("accelerator")
        count: int | None = info.data.get("accelerators_per_node")
        if accelerator is None or count is None:
            return value
        sold = GPU_MACHINE_TYPES[accelerator][count]
        if value is not None and value not in sold:
            raise ValueError(
                f"Google does not sell {value} with {count} {accelerator}; leave it out for "
                f"{sold[0]}, or write one of {', '.join(sold)}"
            )
        machine_type = sold[0] if value is None else value
        capacity: Capacity | None = info.data.get("capacity")
        if machine_type in SPOT_ONLY_MACHINE_TYPES and capacity in ("on-demand", "reservation"):
            raise ValueError(
                f"{machine_type} is only sold as spot or flex-start; set capacity: spot, or take "
                "accelerators_per_node: 8"
            )
        return value

    @field_validator("max_nodes")
    @classmethod
    def _min_within_max(cls, value: int, info: ValidationInfo) -> int:
        return _within_max(value, info)

    def pool(self) -> GkeGpuPool:
        """Return the pool in the form that the substrate takes."""
        sold = GPU_MACHINE_TYPES[self.accelerator][self.accelerators_per_node]
        return GkeGpuPool(
            name=self.name,
            accelerator=self.accelerator,
            accelerators_per_node=self.accelerators_per_node,
            machine_type=sold[0] if self.machine_type is None else self.machine_type,
            capacity=self.capacity,
            reservation=self.reservation,
            min_nodes=self.min_nodes,
            max_nodes=self.max_nodes,
            disk_size_gib=self.disk_size_gib,
            zones=self.zones,
            location_policy=self.location_policy,
            upgrade=self.upgrade.topology(),
            driver_version=self.driver_version,
            sharing=None if self.sharing is None else self.sharing.topology(),
            image_streaming=self.image_streaming,
            preloaded_images=self.preloaded_images,
        )
