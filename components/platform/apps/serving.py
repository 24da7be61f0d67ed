"""Builders of the serving layer: the engines of the models."""

from typing import Final

from components.platform import endpoints
from components.platform.apps import namespaces, secrets
from components.platform.apps.parts import entry
from components.platform.apps.platform import KEDA_ENTRY, PROMETHEUS_CRDS_ENTRY, secrets_entry
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import HuggingFaceSource, Model
from components.platform.values.base import NetworkPeer, Toleration
from components.platform.values.vllm import (
    Autoscaling,
    Engine,
    Gpu,
    Host,
    Network,
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
    requires = (PROMETHEUS_CRDS_ENTRY, secrets_entry(namespaces.SERVING))
    if inputs.config.features.autoscaling:
        requires += (KEDA_ENTRY,)
    return tuple(
        entry(
            endpoints.vllm_entry(model.name),
            namespaces.SERVING,
            "serving",
            OwnChart(chart="vllm", values=model_values(inputs, model).to_values()),
            requires=requires,
            starts_by_itself=model.autostart,
            # The scaler owns the number, and so does whoever stops a model by hand.
            ignore_differences=(
                IgnoreDifference(
                    group="apps", kind="Deployment", json_pointers=("/spec/replicas",)
                ),
            ),
        )
        for model in inputs.models
    )


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
        network=Network(ingress=_callers(inputs, model)),
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


def _callers(inputs: PlatformInputs, model: Model) -> tuple[NetworkPeer, ...]:
    """Return who may reach an engine: what scrapes it, and what routes to it."""
    scraper = NetworkPeer(
        namespace=namespaces.MONITORING, pod_labels={"app.kubernetes.io/name": "prometheus"}
    )
    if not includes_layer(inputs, "routing"):
        return (scraper,)
    return (
        scraper,
        # The data plane runs in the Gateway's namespace, not in the controller's.
        NetworkPeer(namespace=namespaces.INFERENCE),
        # Without the engine's metrics the endpoint picker chooses blindly.
        NetworkPeer(
            namespace=namespaces.SERVING,
            pod_labels={"inferencepool": endpoint_picker(model.name)},
        ),
    )
