"""Values of charts/gpu-smoke: a Job that proves a GPU, and the path from the pod to it."""

from pydantic import Field

from components.platform.values.base import (
    ChartValues,
    Compute,
    Image,
    Labels,
    ObjectName,
    Toleration,
)


class GpuSmokeValues(ChartValues):
    """All values of charts/gpu-smoke."""

    driver_image: Image = Field(description="A small image with CUDA, to see the driver.")
    engine_image: Image = Field(description="The engine's image, to compute with its PyTorch.")
    node_selector: Labels = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: ObjectName | None = None
    compute: Compute = Compute(cpu=0.5, memory_mib=4096)
    deadline_seconds: int = Field(
        default=3600, ge=60, description="A node and the engine's image come first."
    )
