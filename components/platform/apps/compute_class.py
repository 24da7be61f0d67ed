"""Builder of GKE's compute class: which GPU node pools its autoscaler tries, in which order."""

from components.platform.apps import namespaces
from components.platform.apps.parts import entry
from components.platform.catalogue import CatalogueEntry, OwnChart, PlatformInputs
from components.platform.values.compute_class import ComputeClassValues


def compute_class(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The one class of all GPU pools.

    The pools belong to the substrate, and so does the label by which pods select the class: it is
    part of the node selector that the contract gives every GPU pod. A class a product would leave
    a model that takes any product without one. Of the class's order each pod gets the steps whose
    nodes it selects and tolerates (`gpus`).
    """
    offered = inputs.contract.gpu.compute_class
    if not inputs.config.features.compute_class or offered is None:
        return ()
    values = ComputeClassValues(name=offered.name, priorities=offered.priorities)
    return (
        entry(
            "compute-class",
            # The class belongs to no namespace; its Application needs one.
            namespaces.SERVING,
            "platform",
            OwnChart(chart="compute-class", values=values.to_values()),
            feature="compute_class",
            description="In which order GKE tries the GPU node pools",
            create_namespace=False,
        ),
    )
