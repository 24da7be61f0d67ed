"""Builders of the serving layer: the engines of the models."""

from typing import Final

from components.platform import endpoints
from components.platform.apps import gpus, namespaces, secrets
from components.platform.apps.parts import calls_internet, entry, scraped, sends_spans
from components.platform.apps.platform import KEDA_ENTRY, PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import (
    HuggingFaceSource,
    ImageSource,
    Model,
    ModelSource,
    replica_range,
)
from components.platform.network import Connection, Pods
from components.platform.values.vllm import (
    Adapter,
    Autoscaling,
    Engine,
    Gpu,
    Host,
    HubFiles,
    Lifecycle,
    Replicas,
    Sleep,
    Speculation,
    VllmValues,
    Weights,
)
from components.versions import VLLM_IMAGE

MODEL_LABEL: Final = "llmp.dev/model"
"""Label of an engine's pods whose value is the model; pools select by it."""

LEADER_WORKER_SET_ENTRY: Final = "leader-worker-set"
"""The operator that starts the pods of one replica on several nodes together."""
LEADER_LABELS: Final = {"leaderworkerset.sigs.k8s.io/worker-index": "0"}
"""Labels of the one pod that answers, of a replica on several nodes."""

_SHORTEST_POLL_SECONDS: Final = 5
"""How often a sleeping model is looked after: its caller waits."""

_EPP_RELEASE_MAX: Final = 40
"""Characters of a release name that the inferencepool chart takes into the picker's name."""


def endpoint_picker(model: str) -> str:
    """Return the name that the inferencepool chart gives the endpoint picker of a model."""
    return f"{endpoints.pool_entry(model)[:_EPP_RELEASE_MAX]}-epp"


def canary(model: str) -> str:
    """Return the name of a model's canary: of its entries, and in the label of its pods."""
    return f"{model}-canary"


def models(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """One engine a model; one that does not start by itself costs no GPU until it is synced."""
    if not includes_layer(inputs, "serving"):
        return ()
    found: list[CatalogueEntry] = []
    for model in inputs.models:
        if model.engine != "vllm":
            continue
        found.append(
            _engine(
                inputs,
                model,
                name=model.name,
                values=model_values(inputs, model),
                source=model.source,
                description=f"Engine of model {model.name}",
            )
        )
        if model.canary is not None:
            found.append(
                _engine(
                    inputs,
                    model,
                    name=canary(model.name),
                    values=canary_values(inputs, model),
                    source=model.canary.source or model.source,
                    description=f"A second engine of model {model.name}, on trial",
                )
            )
    return tuple(found)


def _engine(  # noqa: PLR0913 - what an engine and its canary differ in
    inputs: PlatformInputs,
    model: Model,
    *,
    name: str,
    values: VllmValues,
    source: ModelSource,
    description: str,
) -> CatalogueEntry:
    several_nodes = model.gpu.nodes > 1
    requires: tuple[str, ...] = (PROMETHEUS_CRDS_ENTRY,)
    if inputs.config.features.autoscaling:
        requires += (KEDA_ENTRY,)
    if several_nodes:
        requires += (LEADER_WORKER_SET_ENTRY,)
    group, kind = (
        ("leaderworkerset.x-k8s.io", "LeaderWorkerSet") if several_nodes else ("apps", "Deployment")
    )
    return entry(
        endpoints.vllm_entry(name),
        namespaces.SERVING,
        "serving",
        OwnChart(chart="vllm", values=values.to_values()),
        requires=requires,
        description=description,
        dashboards=("serving", "slo"),
        rules=("serving", "slo"),
        starts_by_itself=model.autostart,
        secrets=(secrets.vllm_api_key(), *secrets.hub_token_secret(model)),
        generates=(secrets.UPSTREAM_KEY,),
        connections=(
            *_connections(model, name, source),
            *sends_spans(inputs, engine_pods(name)),
        ),
        # The scaler owns the number, and so does whoever stops a model by hand.
        ignore_differences=(
            IgnoreDifference(group=group, kind=kind, json_pointers=("/spec/replicas",)),
        ),
    )


def in_pool(model: Model) -> bool:
    """Return whether requests for a model pass an InferencePool of ours.

    Replicas of an embedding model are all alike: they need no choice by load or cache.
    """
    return model.engine in ("vllm", "kserve", "llm_d", "simulator")


def engine_pods(model: str) -> Pods:
    """Return the pods of a model, or of a canary, whichever engine runs it."""
    return Pods(namespace=namespaces.SERVING, labels={MODEL_LABEL: model})


def server_labels(model: Model, name: str) -> dict[str, str]:
    """Return the labels of the pods that answer for `name`, a model or its canary."""
    return {MODEL_LABEL: name, **(LEADER_LABELS if model.gpu.nodes > 1 else {})}


def _connections(model: Model, name: str, source: ModelSource) -> tuple[Connection, ...]:
    pods = engine_pods(name)
    found: list[Connection] = [scraped(pods, endpoints.model_server(name).port)]
    if model.gpu.nodes > 1:
        # The processes of one replica agree on ports as they start.
        found.append(Connection(client=pods, server=pods, ports=(1024,), last_port=65535))
    draft = model.speculation is not None and model.speculation.source is not None
    if isinstance(source, HuggingFaceSource) or model.lora_adapters or draft:
        # The hub and its content network have no fixed addresses.
        found.append(calls_internet(pods))
    return tuple(found)


def model_values(inputs: PlatformInputs, model: Model) -> VllmValues:
    """Return the values of one model's release of charts/vllm."""
    nodes = gpus.model_nodes(inputs.contract.gpu, model.gpu)
    to_zero = model.scaling.to_zero
    replicas = replica_range(model, inputs.config.tier)
    scales = inputs.config.features.autoscaling and (replicas.scales or to_zero is not None)
    return VllmValues(
        model=model.name,
        served_name=model.name,
        image=VLLM_IMAGE.reference,
        weights=_weights(model, model.source),
        engine=_arguments(model),
        api_key=secrets.VLLM_API_KEY,
        gpu=Gpu(
            count=model.gpu.count,
            nodes=model.gpu.nodes,
            node_selector=nodes.selector,
            tolerations=nodes.tolerations,
            runtime_class=nodes.runtime_class,
        ),
        host=Host(
            cpu=model.resources.cpu,
            memory_gib=model.resources.memory_gib,
            shared_memory_gib=model.resources.shared_memory_gib,
        ),
        replicas=Replicas(min=replicas.least, max=replicas.most if scales else replicas.least),
        autoscaling=_autoscaling(model) if scales else None,
        lifecycle=Lifecycle(longest_request_seconds=model.longest_request_seconds),
        spans_url=endpoints.SPANS_GRPC.url() if inputs.config.features.tracing else None,
    )


def canary_values(inputs: PlatformInputs, model: Model) -> VllmValues:
    """Return the values of the release that tries what the canary of a model changes.

    Raises:
        ValueError: the model has no canary.
    """
    trial = model.canary
    if trial is None:
        msg = f"model {model.name} has no canary"
        raise ValueError(msg)
    return model_values(inputs, model).model_copy(
        update={
            "model": canary(model.name),
            "image": trial.engine_image or VLLM_IMAGE.reference,
            "weights": _weights(model, trial.source or model.source),
            "replicas": Replicas(min=trial.replicas, max=trial.replicas),
            "autoscaling": None,
        }
    )


def _arguments(model: Model) -> Engine:
    speculation = model.speculation
    return Engine(
        max_model_len=model.max_model_len,
        gpu_memory_utilization=model.gpu_memory_utilization,
        dtype=model.dtype,
        quantization=model.quantization,
        tool_call_parser=model.tool_call_parser,
        prefix_caching=model.prefix_caching,
        kv_cache_dtype=model.kv_cache_dtype,
        max_num_seqs=model.max_num_seqs,
        speculation=None
        if speculation is None
        else Speculation(
            method=speculation.method,
            tokens=speculation.tokens,
            prompt_lookup_max=speculation.prompt_lookup_max,
            draft=None
            if speculation.source is None
            else HubFiles(
                repository=speculation.source.hugging_face, revision=speculation.source.revision
            ),
        ),
        adapters=tuple(
            Adapter(name=one.name, repository=one.hugging_face, revision=one.revision)
            for one in model.lora_adapters
        ),
        # The least that the engine knows, also where there are no adapters.
        max_adapter_rank=max((one.rank for one in model.lora_adapters), default=8),
        extra_args=model.extra_args,
    )


def _autoscaling(model: Model) -> Autoscaling:
    to_zero = model.scaling.to_zero
    values = Autoscaling(
        prometheus_url=endpoints.PROMETHEUS.url(),
        waiting_requests_per_replica=model.scaling.waiting_requests_per_replica,
        kv_cache_usage=model.scaling.kv_cache_usage,
    )
    if to_zero is None:
        return values
    sleep = Sleep(
        idle_seconds=60 * to_zero.idle_minutes,
        # The route that `routing.routes` makes has the model's name.
        route=f"{namespaces.SERVING}/{model.name}",
        pool=endpoints.pool_entry(model.name),
        held=to_zero.when_asleep == "hold",
    )
    return values.model_copy(
        update={"sleep": sleep, "polling_seconds": _SHORTEST_POLL_SECONDS, "fallback_failures": 12}
    )


def _weights(model: Model, source: ModelSource) -> Weights:
    token = secrets.hub_token(model)
    disk_gib = model.resources.weights_gib
    if isinstance(source, HuggingFaceSource):
        return Weights(
            source="hub",
            reference=source.hugging_face,
            revision=source.revision,
            token=token,
            disk_gib=disk_gib,
        )
    if isinstance(source, ImageSource):
        return Weights(source="image", reference=source.image, token=token, disk_gib=disk_gib)
    msg = f"model {model.name} has no weights: {source.provider} answers for it"
    raise ValueError(msg)
