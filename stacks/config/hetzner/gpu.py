"""The dedicated GPU servers of the `hetzner` section."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.platform.config import Section
from stacks.config.hetzner.servers import LABEL_NAME

Product = Annotated[
    str,
    Field(
        pattern=rf"^{LABEL_NAME}$",
        description="a value of the node label nvidia.com/gpu.product",
        examples=["NVIDIA-RTX-4000-SFF-Ada-Generation"],
    ),
]


class HetznerGpu(Section):
    """Dedicated GPU servers that join the cluster. Hetzner Cloud itself has no GPU."""

    managed_by: Literal["gpu-operator", "none"] = Field(
        default="none",
        description="gpu-operator installs NVIDIA's: driver, device plugin, DCGM",
    )
    products: tuple[Product, ...] = Field(
        default=(),
        validate_default=True,
        description="values of the node label nvidia.com/gpu.product",
        examples=[["NVIDIA-RTX-4000-SFF-Ada-Generation"]],
    )
    max_gpus: int = Field(
        default=0,
        ge=0,
        le=10_000,
        validate_default=True,
        description="GPUs of all servers",
        examples=[1],
    )
    max_gpus_per_node: int = Field(
        default=0,
        ge=0,
        le=16,
        validate_default=True,
        description="GPUs of the largest server",
        examples=[1],
    )

    @field_validator("products", "max_gpus", "max_gpus_per_node")
    @classmethod
    def _promises_match_who_manages_them(
        cls, value: tuple[str, ...] | int, info: ValidationInfo
    ) -> tuple[str, ...] | int:
        managed_by = info.data.get("managed_by")
        if managed_by == "none" and value:
            msg = "nobody makes these GPUs schedulable; set managed_by: gpu-operator, or remove it"
            raise ValueError(msg)
        if managed_by == "gpu-operator" and not value:
            msg = "is missing; say what your dedicated GPU servers have, or set managed_by: none"
            raise ValueError(msg)
        return value

    @field_validator("max_gpus_per_node")
    @classmethod
    def _one_node_is_part_of_all(cls, value: int, info: ValidationInfo) -> int:
        total = info.data.get("max_gpus")
        if isinstance(total, int) and value > total > 0:
            msg = f"one server cannot hold more than all {total} GPUs; correct one of the two"
            raise ValueError(msg)
        return value
