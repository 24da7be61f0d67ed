"""Builder of embedding models: Text Embeddings Inference on CPUs."""

from typing import Final

from components.platform import endpoints
from components.platform.apps import engines, namespaces, secrets
from components.platform.apps.parts import entry
from components.platform.apps.platform import KEDA_ENTRY, PROMETHEUS_CRDS_ENTRY
from components.platform.apps.routing import INFERENCE_GATEWAY_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import HuggingFaceSource, Model
from components.platform.values.embeddings import (
    Autoscaling,
    EmbeddingsValues,
    Host,
    Route,
    Weights,
)
from components.versions import PYTHON_IMAGE, TEXT_EMBEDDINGS_IMAGE

PORT: Final = 8080
"""Port of the containers."""


def models(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One Deployment a model, with its route: all replicas are alike, so that no pool chooses."""
    routed = includes_layer(inputs, "routing")
    return tuple(
        entry(
            embeddings_entry(model.name),
            namespaces.SERVING,
            "serving",
            OwnChart(chart="embeddings", values=model_values(inputs, model).to_values()),
            description=f"Engine of embedding model {model.name}",
            dashboards=("embeddings",),
            rules=("serving", "embeddings"),
            starts_by_itself=model.autostart,
            requires=(
                PROMETHEUS_CRDS_ENTRY,
                *((KEDA_ENTRY,) if inputs.config.features.autoscaling else ()),
                *((INFERENCE_GATEWAY_ENTRY,) if routed else ()),
            ),
            secrets=(secrets.vllm_api_key(), *secrets.hub_token_secret(model)),
            generates=(secrets.UPSTREAM_KEY,),
            connections=(
                *engines.connections(inputs, model, PORT),
                *((engines.called_by_gateway(model, PORT),) if routed else ()),
            ),
        )
        for model in engines.of_engine(inputs, "text_embeddings_inference")
    )


def embeddings_entry(model: str) -> str:
    """Return the entry that runs an embedding model."""
    return f"{model}-embeddings"


def model_values(inputs: PlatformInputs, model: Model) -> EmbeddingsValues:
    """Return the values of one model's release of charts/embeddings.

    Raises:
        TypeError: the weights are not on the hub; the config refuses that.
    """
    if not isinstance(model.source, HuggingFaceSource):
        msg = f"model {model.name} is not on the hub"
        raise TypeError(msg)
    wanted = engines.replicas(inputs, model)
    gateway = endpoints.INFERENCE_GATEWAY
    return EmbeddingsValues(
        model=model.name,
        image=TEXT_EMBEDDINGS_IMAGE.reference,
        staging_image=PYTHON_IMAGE.reference,
        weights=Weights(
            repository=model.source.hugging_face,
            revision=model.source.revision,
            token=secrets.hub_token(model),
            disk_gib=model.resources.weights_gib,
        ),
        api_key=secrets.VLLM_API_KEY,
        host=Host(cpu=model.resources.cpu, memory_gib=model.resources.memory_gib),
        replicas=wanted.least,
        autoscaling=Autoscaling(
            prometheus_url=endpoints.PROMETHEUS.url(),
            max_replicas=wanted.most,
            waiting_requests_per_replica=model.scaling.waiting_requests_per_replica,
        )
        if wanted.scales
        else None,
        route=Route(gateway=gateway.service, gateway_namespace=gateway.namespace)
        if includes_layer(inputs, "routing")
        else None,
        longest_request_seconds=model.longest_request_seconds,
        spans_url=engines.spans_url(inputs),
    )
