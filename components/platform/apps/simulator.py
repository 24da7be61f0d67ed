"""Builder of the simulator: models that are not there, for trials and load tests without a GPU."""

from components.platform.apps import engines, namespaces
from components.platform.apps.parts import entry
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, OwnChart, PlatformInputs
from components.platform.config import Model, replica_range
from components.platform.values.simulator import SimulatorValues
from components.versions import INFERENCE_SIMULATOR_IMAGE


def models(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One Deployment a model. It asks for no key, so that only the network keeps callers out."""
    return tuple(
        entry(
            simulator_entry(model.name),
            namespaces.SERVING,
            "serving",
            OwnChart(chart="simulator", values=model_values(inputs, model).to_values()),
            description=f"Simulated engine of model {model.name}",
            dashboards=("serving", "slo"),
            rules=("serving", "slo"),
            # Nothing is saved by starting it by hand.
            starts_by_itself=True,
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=engines.connections(inputs, model),
        )
        for model in engines.of_engine(inputs, "simulator")
    )


def simulator_entry(model: str) -> str:
    """Return the entry that simulates a model."""
    return f"{model}-simulator"


def model_values(inputs: PlatformInputs, model: Model) -> SimulatorValues:
    """Return the values of one model's release of charts/simulator; it does not scale."""
    return SimulatorValues(
        model=model.name,
        image=INFERENCE_SIMULATOR_IMAGE.reference,
        replicas=replica_range(model, inputs.config.tier).least,
        max_model_len=model.max_model_len,
        longest_request_seconds=model.longest_request_seconds,
    )
