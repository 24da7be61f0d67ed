"""Jobs that people start, and GKE's compute class."""

import pytest

from components.contract import ComputeClass
from components.platform import endpoints
from components.platform.apps.jobs import BENCHMARK_PODS
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.config import Features, Objectives
from components.versions import VLLM_IMAGE
from tests.platform.samples import GKE, callers, entries, inputs, model, values

CLASS = ComputeClass(name="gpus", priorities=(("l4-spot",), ("l4",)))
WITH_CLASS = GKE.model_copy(update={"gpu": GKE.gpu.model_copy(update={"compute_class": CLASS})})


def test_a_load_test_goes_through_the_gateway_with_the_engines_key() -> None:
    found = entries(inputs(features=Features(benchmark=True)))
    chart = values(found["qwen-small-benchmark"])
    assert chart["target"] == endpoints.INFERENCE_GATEWAY.url()
    assert chart["apiKey"]["name"] == "vllm-api-key"
    assert "serving" in callers(found, GATEWAY_PODS)
    assert [one.client for one in found["qwen-small-benchmark"].connections] == [BENCHMARK_PODS]


def test_the_objectives_of_a_load_test_are_those_that_alerts_watch() -> None:
    wanted = model(objectives=Objectives(ttft_seconds=0.25, inter_token_seconds=0.025))
    found = entries(inputs(features=Features(benchmark=True), models=(wanted,)))
    assert values(found["qwen-small-benchmark"])["objectives"] == {
        "timeToFirstToken": 250,
        "interTokenLatency": 25,
    }


def test_a_model_that_writes_nothing_has_no_load_test() -> None:
    found = entries(
        inputs(
            features=Features(benchmark=True),
            models=(model("vectors", engine="text_embeddings_inference"), model("chat")),
            tenants=(),
        )
    )
    assert "chat-benchmark" in found
    assert "vectors-benchmark" not in found


def test_the_proof_of_a_gpu_computes_in_the_engines_image_and_speaks_to_nobody() -> None:
    entry = entries(inputs(features=Features(gpu_smoke=True)))["gpu-smoke"]
    assert values(entry)["engineImage"] == VLLM_IMAGE.reference
    assert values(entry)["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert entry.connections == ()
    assert entry.secrets == ()


@pytest.mark.parametrize("name", ["gpu-smoke", "qwen-small-benchmark"])
def test_a_job_starts_when_somebody_asks_for_it(name: str) -> None:
    features = Features(gpu_smoke=True, benchmark=True)
    assert entries(inputs(features=features))[name].sync == "manual"
    assert name not in entries()


def test_the_compute_class_tries_the_pools_in_the_substrates_order() -> None:
    features = Features(compute_class=True)
    found = entries(inputs(features=features, contract=WITH_CLASS))
    chart = values(found["compute-class"])
    assert chart == {"name": "gpus", "priorities": [["l4-spot"], ["l4"]]}
    assert "compute-class" not in entries(inputs(contract=WITH_CLASS))
