"""Builders of the serving layer: the engines of the models."""

from typing import Final

from components.platform import endpoints
from components.platform.apps import namespaces, secrets
from components.platform.apps.parts import calls_internet, entry, scraped
from components.platform.apps.platform import KEDA_ENTRY, PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import HuggingFaceSource, Model
from components.platform.network import Connection, Pods
from components.platform.values.base import Toleration
from components.platform.values.vllm import (
    Autoscaling,
    Engine,
    Gpu,
    Host,
    Replicas,
    VllmValues,
    Weights,
)
from components.versions import VLLM_IMAGE

MODEL_LABEL: Final = "llmp.dev/model"
"""Label of an engine's pods whose value is the model; pools select by it."""

_EPP_RELEASE_MAX: Final = 40
"""Characters of a release name that the inferencepool chart takes into the picker's name."""


def endpoint_picker(model: str) -> str:
    """Return the name that the inferencepool chart gives the endpoint picker of a model."""
    return f"{endpoints.pool_entry(model)[:_EPP_RELEASE_MAX]}-epp"


def models(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One engine a model; one that does not start by itself costs no GPU until it is synced."""
    if not includes_layer(inputs, "serving"):
        return ()
    requires: tuple[str, ...] = (PROMETHEUS_CRDS_ENTRY,)
    if inputs.config.features.autoscaling:
        requires += (KEDA_ENTRY,)
    return tuple(
        entry(
            endpoints.vllm_entry(model.name),
            namespaces.SERVING,
            "serving",
            OwnChart(chart="vllm", values=model_values(inputs, model).to_values()),
            requires=requires,
            description=f"Engine of model {model.name}",
            starts_by_itself=model.autostart,
            secrets=(secrets.vllm_api_key(), *secrets.hub_token_secret(model)),
            generates=(secrets.UPSTREAM_KEY,),
            connections=_connections(model),
            # The scaler owns the number, and so does whoever stops a model by hand.
            ignore_differences=(
                IgnoreDifference(
                    group="apps", kind="Deployment", json_pointers=("/spec/replicas",)
                ),
            ),
        )
        for model in inputs.models
        if model.engine == "vllm"
    )


def in_pool(model: Model) -> bool:
    """Return whether requests for a model pass an InferencePool of ours.

    KServe makes routes and pools for the models that it runs, and embeddings need no choice by
    load.
    """
    return model.engine in ("vllm", "simulator")


def engine_pods(model: str) -> Pods:
    """Return the pods of a model, whichever engine runs it."""
    return Pods(namespace=namespaces.SERVING, labels={MODEL_LABEL: model})


def _connections(model: Model) -> tuple[Connection, ...]:
    pods = engine_pods(model.name)
    found = (scraped(pods, endpoints.model_server(model.name).port),)
    # The hub and its content network have no fixed addresses.
    return (*found, calls_internet(pods)) if isinstance(model.source, HuggingFaceSource) else found


def model_values(inputs: PlatformInputs, model: Model) -> VllmValues:
    """Return the values of one model's release of charts/vllm."""
    gpu = inputs.contract.gpu
    scales = inputs.config.features.autoscaling and model.replicas.max > model.replicas.min
    selector = dict(gpu.node_selector)
    if model.gpu.product is not None and gpu.product_label is not None:
        selector[gpu.product_label] = model.gpu.product
    return VllmValues(
        model=model.name,
        image=VLLM_IMAGE.reference,
        weights=_weights(model),
        engine=Engine(
            max_model_len=model.max_model_len,
            gpu_memory_utilization=model.gpu_memory_utilization,
            dtype=model.dtype,
            quantization=model.quantization,
            tool_call_parser=model.tool_call_parser,
        ),
        api_key=secrets.VLLM_API_KEY,
        gpu=Gpu(
            count=model.gpu.count,
            node_selector=selector,
            tolerations=tuple(Toleration(**one.model_dump()) for one in gpu.tolerations),
            runtime_class=gpu.runtime_class,
        ),
        host=Host(
            cpu=model.resources.cpu,
            memory_gib=model.resources.memory_gib,
            shared_memory_gib=model.resources.shared_memory_gib,
        ),
        replicas=Replicas(
            min=model.replicas.min, max=model.replicas.max if scales else model.replicas.min
        ),
        autoscaling=Autoscaling(
            prometheus_url=endpoints.PROMETHEUS.url(),
            waiting_requests_per_replica=model.scaling.waiting_requests_per_replica,
            kv_cache_usage=model.scaling.kv_cache_usage,
        )
        if scales
        else None,
    )


def _weights(model: Model) -> Weights:
    if isinstance(model.source, HuggingFaceSource):
        return Weights(
            source="hub",
            reference=model.source.hugging_face,
            revision=model.source.revision,
            token=secrets.hub_token(model),
            disk_gib=model.resources.weights_gib,
        )
    return Weights(source="image", reference=model.source.image)
