"""Builders of Jobs that people start: the proof of a GPU, and the load test of a model.

Each is synced by hand, and each sync runs it anew: a GPU that nobody asked for costs nothing.
"""

from typing import Final

from components.platform import endpoints
from components.platform.apps import engines, gpus, namespaces, secrets
from components.platform.apps.parts import entry
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.config import Model
from components.platform.network import Connection, Pods
from components.platform.values.benchmark import BenchmarkValues, Objectives
from components.platform.values.gpu_smoke import GpuSmokeValues
from components.versions import CUDA_IMAGE, GUIDELLM_IMAGE, VLLM_IMAGE

GPU_SMOKE_ENTRY: Final = "gpu-smoke"

BENCHMARK_PODS: Final = Pods(
    namespace=namespaces.SERVING, labels={"app.kubernetes.io/name": "benchmark"}
)

_GENERATING: Final = ("vllm", "kserve", "llm_d", "simulator")


def gpu_smoke(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """A Job that computes on one GPU; it speaks to nobody."""
    if not (inputs.config.features.gpu_smoke and includes_layer(inputs, "serving")):
        return ()
    nodes = gpus.any_nodes(inputs.contract.gpu)
    values = GpuSmokeValues(
        driver_image=CUDA_IMAGE.reference,
        engine_image=VLLM_IMAGE.reference,
        node_selector=nodes.selector,
        tolerations=nodes.tolerations,
        runtime_class=nodes.runtime_class,
    )
    return (
        entry(
            GPU_SMOKE_ENTRY,
            namespaces.SERVING,
            "serving",
            OwnChart(chart="gpu-smoke", values=values.to_values()),
            feature="gpu_smoke",
            description="Proves a GPU: driver, runtime and a computation",
            starts_by_itself=False,
        ),
    )


def benchmarks(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """A load test of each model that writes text, past the budgets of all tenants.

    It goes through the inference gateway with the engines' own key, as LiteLLM does: what it finds
    is what tenants get, and nobody is charged.
    """
    if not (inputs.config.features.benchmark and includes_layer(inputs, "routing")):
        return ()
    return tuple(
        entry(
            benchmark_entry(model.name),
            namespaces.SERVING,
            "routing",
            OwnChart(chart="benchmark", values=benchmark_values(model).to_values()),
            feature="benchmark",
            description=f"Load test of model {model.name}",
            starts_by_itself=False,
            secrets=(secrets.vllm_api_key(),),
            generates=(secrets.UPSTREAM_KEY,),
            connections=(Connection(client=BENCHMARK_PODS, server=GATEWAY_PODS, ports=(80,)),),
        )
        for model in engines.of_engine(inputs, *_GENERATING)
    )


def benchmark_entry(model: str) -> str:
    """Return the entry of a model's load test."""
    return f"{model}-benchmark"


def benchmark_values(model: Model) -> BenchmarkValues:
    """Return the values of a model's load test; its objectives are those that alerts watch."""
    return BenchmarkValues(
        model=model.name,
        image=GUIDELLM_IMAGE.reference,
        target=endpoints.INFERENCE_GATEWAY.url(),
        api_key=secrets.VLLM_API_KEY,
        objectives=Objectives(
            time_to_first_token=_milliseconds(model.objectives.ttft_seconds),
            inter_token_latency=_milliseconds(model.objectives.inter_token_seconds),
        ),
    )


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
