"""Values of charts/kueue-queues: what each tenant's own jobs may hold of the GPUs.

Owns flavors, cluster queues and priorities. The queues that jobs name are in charts/tenant, with
their namespaces. Serving models are not under Kueue.
"""

from typing import Self

from pydantic import Field, model_validator

from components.platform.values.base import ChartValues, Labels, Name, Toleration

CPUS_PER_GPU = 8
"""CPU cores that a job gets beside each GPU: quota must cover all that its pods request."""

MEMORY_GIB_PER_GPU = 32
"""Host memory beside each GPU, GiB."""


class FlavorValues(ChartValues):
    """A ResourceFlavor: which nodes it stands for. Kueue puts its tolerations on admitted pods."""

    name: Name = "gpu"
    node_labels: Labels = Field(default_factory=dict, max_length=8)
    tolerations: tuple[Toleration, ...] = Field(default=(), max_length=8)


class TenantQueue(ChartValues):
    """A tenant's ClusterQueue with a guaranteed quota."""

    name: Name
    gpus: int = Field(ge=0)
    cpus: int = Field(ge=0)
    memory_gib: int = Field(ge=0)
    borrowing_gpus: int | None = Field(
        default=None, ge=0, description="GPUs of others it may borrow; None is as many as are free."
    )

    @classmethod
    def for_gpus(cls, name: str, gpus: int) -> Self:
        """Return the queue of a tenant with `gpus` GPUs, and the CPU and memory beside them."""
        share = max(gpus, 1)
        return cls(
            name=name,
            gpus=gpus,
            cpus=share * CPUS_PER_GPU,
            memory_gib=share * MEMORY_GIB_PER_GPU,
        )


class Priority(ChartValues):
    """A WorkloadPriorityClass: a higher value goes first and may preempt within its queue."""

    name: Name
    value: int
    description: str = ""


DEFAULT_PRIORITIES = (
    Priority(name="low-priority", value=100, description="Batch work that can wait."),
    Priority(name="high-priority", value=1000, description="Work that goes before batch."),
)


class KueueQueuesValues(ChartValues):
    """All values of charts/kueue-queues."""

    cohort: Name = Field(default="tenants", description="Queues of one cohort lend to each other.")
    flavor: FlavorValues = FlavorValues()
    tenants: tuple[TenantQueue, ...] = ()
    priorities: tuple[Priority, ...] = DEFAULT_PRIORITIES

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [tenant.name for tenant in self.tenants]
        if len(names) != len(set(names)):
            msg = "two tenants have the same name"
            raise ValueError(msg)
        return self
