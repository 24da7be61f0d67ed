"""What the builders share: an entry in a namespace of the platform, and pieces of Helm values."""

from typing import Any

from components.platform.apps import namespaces
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    Kustomization,
    Layer,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
)


def entry(  # noqa: PLR0913 - a parameter for each field of an entry that builders set
    name: str,
    namespace: str,
    layer: Layer,
    source: UpstreamChart | OwnChart | Kustomization,
    *,
    requires: tuple[str, ...] = (),
    starts_by_itself: bool = True,
    ignore_differences: tuple[IgnoreDifference, ...] = (),
    extra_namespaces: tuple[str, ...] = (),
    create_namespace: bool = True,
    gate_timeout_seconds: int = 600,
) -> CatalogueEntry:
    """Return an entry whose namespace carries the labels that the table of namespaces gives it."""
    return CatalogueEntry(
        name=name,
        namespace=namespace,
        layer=layer,
        source=source,
        requires=requires,
        sync="automatic" if starts_by_itself else "manual",
        ignore_differences=ignore_differences,
        namespace_labels=namespaces.labels(namespace),
        create_namespace=create_namespace,
        extra_namespaces=extra_namespaces,
        gate_timeout_seconds=gate_timeout_seconds,
    )


def is_prod(inputs: PlatformInputs) -> bool:
    """Return whether the stack pays for availability: two of everything that can be two."""
    return inputs.config.tier == "prod"


def replicas(inputs: PlatformInputs) -> int:
    """Return how many replicas a stateless system has."""
    return 2 if is_prod(inputs) else 1


def has_several_replicas(inputs: PlatformInputs) -> bool:
    """Return whether stateless systems have replicas that must share what they count."""
    return replicas(inputs) > 1


def compute(cpu_millis: int, memory_mib: int) -> dict[str, Any]:
    """Return Kubernetes `resources`: memory is request and limit alike; CPU has no limit.

    A CPU limit throttles a controller that would only use idle time; a memory limit keeps a leak
    from the node's other pods.
    """
    memory = f"{memory_mib}Mi"
    return {
        "requests": {"cpu": f"{cpu_millis}m", "memory": memory},
        "limits": {"memory": memory},
    }


def disruption_budget(inputs: PlatformInputs) -> dict[str, Any]:
    """Return the values of a PodDisruptionBudget as most charts spell them.

    Only where there are two replicas: a budget on a single one blocks the drain of its node.
    """
    return {"enabled": True, "minAvailable": 1} if is_prod(inputs) else {"enabled": False}
