"""Engines beside raw vLLM: where their models run, how requests reach them, what they need."""

import pytest

from components.platform import endpoints
from components.platform.apps import secrets
from components.platform.apps.kserve import (
    CONTROLLER_PODS,
    LLMISVC_CONTROLLER_PODS,
    model_values,
)
from components.platform.apps.serving import engine_pods
from components.platform.catalogue import CatalogueEntry, Kustomization, PlatformInputs
from components.platform.config import (
    Engine,
    Features,
    ImageSource,
    Model,
    ModelGpu,
    Price,
    Replicas,
)
from components.platform.network import Outside, Pods
from components.versions import KSERVE_MANIFESTS, TEXT_EMBEDDINGS_IMAGE, VLLM_IMAGE
from tests.platform.samples import GKE, HETZNER, callers, entries, gated, inputs, model, values

ALL = Features(kserve=True, llm_d=True, multi_node=True, tracing=True)


def of(engine: Engine, **changes: object) -> Model:
    fixed = {"replicas": Replicas(min=1, max=1)} if engine in {"llm_d", "simulator"} else {}
    return model("qwen", engine=engine, **{**fixed, **changes})


def stack(engine: Engine, features: Features = ALL, **changes: object) -> PlatformInputs:
    return inputs(features=features, models=(of(engine, **changes),), tenants=())


def opened(entry: CatalogueEntry) -> set[object]:
    """Return what the pods of an entry call, beside those of namespaces."""
    return {one.server for one in entry.connections if isinstance(one.server, Outside)}


ENTRY: dict[Engine, str] = {
    "kserve": "qwen-kserve",
    "llm_d": "qwen-kserve",
    "simulator": "qwen-simulator",
    "text_embeddings_inference": "qwen-embeddings",
}


@pytest.mark.parametrize("engine", ENTRY)
def test_each_engine_has_one_entry_and_vllm_none_of_it(engine: Engine) -> None:
    found = entries(stack(engine))
    assert ENTRY[engine] in found
    assert "qwen-vllm" not in found


@pytest.mark.parametrize("engine", ["kserve", "llm_d", "simulator"])
def test_an_engine_of_a_pool_is_reached_like_any_other(engine: Engine) -> None:
    found = entries(stack(engine))
    pool = values(found["qwen-pool"])["inferencePool"]
    assert pool["modelServers"]["matchLabels"] == {"llmp.dev/model": "qwen"}
    assert "qwen-route" in found
    # The gateway, and the endpoint picker, which is in the engines' own namespace.
    assert {"inference", "serving"} <= callers(found, engine_pods("qwen"))


def test_an_embedding_model_is_called_by_the_gateway_without_a_pool() -> None:
    found = entries(stack("text_embeddings_inference"))
    assert "qwen-pool" not in found
    assert "qwen-route" not in found
    assert callers(found, engine_pods("qwen")) == {"monitoring", "inference"}
    route = values(found["qwen-embeddings"])["route"]
    assert route == {
        "gateway": endpoints.INFERENCE_GATEWAY.service,
        "gatewayNamespace": endpoints.INFERENCE_GATEWAY.namespace,
    }


def test_without_a_gateway_an_embedding_model_has_no_route() -> None:
    found = entries(
        inputs(profile="serving", models=(of("text_embeddings_inference"),), tenants=())
    )
    assert "route" not in values(found["qwen-embeddings"])
    assert callers(found, engine_pods("qwen")) == {"monitoring"}


@pytest.mark.parametrize("engine", ENTRY)
def test_litellm_knows_only_the_gateway(engine: Engine) -> None:
    (listed,) = values(entries(stack(engine))["litellm"])["proxy_config"]["model_list"]
    assert listed["litellm_params"]["api_base"] == endpoints.INFERENCE_GATEWAY.url("/v1")
    mode = "embedding" if engine == "text_embeddings_inference" else "chat"
    assert listed["model_info"]["mode"] == mode
    # An objective belongs to a pool.
    assert ("extra_headers" in listed["litellm_params"]) == (mode == "chat")


@pytest.mark.parametrize("engine", ["kserve", "llm_d", "text_embeddings_inference"])
def test_an_engine_that_can_ask_for_the_key_does(engine: Engine) -> None:
    entry = entries(stack(engine))[ENTRY[engine]]
    assert secrets.vllm_api_key() in entry.secrets
    assert secrets.UPSTREAM_KEY in entry.generates
    assert values(entry)["apiKey"] == {"name": "vllm-api-key", "key": "api-key"}


@pytest.mark.parametrize("engine", ["kserve", "llm_d", "text_embeddings_inference"])
def test_weights_from_the_hub_are_fetched_from_the_internet(engine: Engine) -> None:
    assert Outside.INTERNET in opened(entries(stack(engine))[ENTRY[engine]])


def test_weights_in_an_image_and_a_simulated_model_need_no_internet() -> None:
    image = ImageSource(image="ghcr.io/your-org/qwen@sha256:" + "0" * 64)
    assert opened(entries(stack("kserve", source=image))["qwen-kserve"]) == set()
    assert opened(entries(stack("simulator"))["qwen-simulator"]) == set()


@pytest.mark.parametrize("engine", ["kserve", "llm_d", "text_embeddings_inference"])
def test_a_model_is_created_and_not_started_unless_it_says_so(engine: Engine) -> None:
    assert entries(stack(engine))[ENTRY[engine]].sync == "manual"
    assert entries(stack(engine, autostart=True))[ENTRY[engine]].sync == "automatic"


def test_a_simulated_model_starts_by_itself_because_it_costs_no_gpu() -> None:
    assert entries(stack("simulator"))["qwen-simulator"].sync == "automatic"


@pytest.mark.parametrize("engine", ["kserve", "llm_d", "text_embeddings_inference"])
def test_spans_go_to_the_collector_where_there_is_one(engine: Engine) -> None:
    entry = entries(stack(engine))[ENTRY[engine]]
    assert values(entry)["spansUrl"] == endpoints.SPANS_GRPC.url()
    assert any(
        isinstance(one.server, Pods) and one.server.namespace == endpoints.SPANS_GRPC.namespace
        for one in entry.connections
    )
    without = entries(stack(engine, Features(kserve=True, llm_d=True)))[ENTRY[engine]]
    assert "spansUrl" not in values(without)


def test_a_gated_models_token_is_brought_to_every_engine() -> None:
    for engine in ("kserve", "text_embeddings_inference"):
        wanted = gated().model_copy(update={"engine": engine})
        found = entries(inputs(features=ALL, models=(wanted,), tenants=()))
        assert "serving-gated-hub-token" in found


def test_kserve_makes_neither_gateway_nor_route() -> None:
    controller = values(entries(stack("kserve"))["kserve"])["kserve"]["controller"]
    assert controller["deploymentMode"] == "Standard"
    gateway = controller["gateway"]
    assert gateway["disableIngressCreation"] is True
    assert gateway["ingressGateway"]["createGateway"] is False
    assert gateway["ingressGateway"]["kserveGateway"] == "inference/inference-gateway"


def test_the_two_charts_of_kserve_share_no_object() -> None:
    found = values(entries(stack("llm_d"))["kserve-llmisvc"])["kserve"]
    assert found["createSharedResources"] is False
    # Definitions of pools are the inference extension's, in a newer version.
    assert found["llmisvc"]["createGIECRDs"] is False


def test_the_definitions_of_llm_inference_services_come_without_those_of_the_other_chart() -> None:
    definitions = entries(stack("llm_d"))["kserve-llmisvc-crd"].source
    assert definitions == Kustomization(path="config/crd/full/llmisvc", pin=KSERVE_MANIFESTS)


def test_kserve_waits_for_its_definitions_and_the_issuer_of_its_certificate() -> None:
    found = entries(stack("llm_d"))
    assert set(found["kserve"].requires) == {"kserve-crd", "cert-manager"}
    assert set(found["kserve-llmisvc"].requires) == {"kserve-llmisvc-crd", "kserve"}
    presets = found["kserve-llmisvc-presets"]
    assert presets.requires == ("kserve-llmisvc",)
    assert presets.source == Kustomization(path="config/llmisvcconfig", pin=KSERVE_MANIFESTS)
    assert "kserve-llmisvc-presets" in found["qwen-kserve"].requires


def test_without_llm_d_there_is_one_controller() -> None:
    found = entries(stack("kserve", Features(kserve=True)))
    assert "kserve-llmisvc" not in found
    assert "kserve-llmisvc-crd" not in found


@pytest.mark.parametrize("pods", [CONTROLLER_PODS, LLMISVC_CONTROLLER_PODS])
def test_the_api_server_reaches_kserves_webhooks(pods: Pods) -> None:
    found = entries(stack("llm_d"))
    assert any(
        one.client is Outside.API_SERVER and one.server == pods and one.ports == (9443,)
        for entry in found.values()
        for one in entry.connections
    )


def test_prefill_and_decode_are_chosen_by_a_scheduler_that_knows_both() -> None:
    extension = values(entries(stack("llm_d"))["qwen-pool"])["inferenceExtension"]
    assert extension["image"]["repository"] == "llm-d/llm-d-inference-scheduler"
    config = extension["pluginsCustomConfig"][extension["pluginsConfigFile"]]
    assert "prefill-filter" in config
    assert "decode-filter" in config
    other = values(entries(stack("kserve"))["qwen-pool"])["inferenceExtension"]
    assert "repository" not in other["image"]


def test_prefill_and_decode_exchange_the_cache_and_decode_reads_the_pool() -> None:
    entry = entries(stack("llm_d"))["qwen-kserve"]
    pods = engine_pods("qwen")
    assert any(one.client == pods and one.server == pods for one in entry.connections)
    readers = [one.client for one in entry.connections if one.server is Outside.API_SERVER]
    assert [one.labels for one in readers if isinstance(one, Pods)] == [
        {"llmp.dev/model": "qwen", "llm-d.ai/role": "decode"}
    ]


def test_llm_d_has_its_prefill_pods_and_the_pool_of_the_model() -> None:
    chart = model_values(stack("llm_d"), of("llm_d", prefill_replicas=3))
    assert chart.disaggregation is not None
    assert chart.disaggregation.prefill_replicas == 3
    assert chart.disaggregation.pool == endpoints.pool_entry("qwen")


def test_kserve_runs_a_model_where_the_substrate_has_its_gpus() -> None:
    wanted = of("kserve", gpu=ModelGpu(count=2, product="nvidia-l4"))
    gke = model_values(inputs(contract=GKE), wanted).gpu
    assert gke.node_selector == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert gke.count == 2
    assert gke.runtime_class is None
    assert model_values(inputs(contract=HETZNER), of("kserve")).gpu.runtime_class == "nvidia"


def test_kserve_gets_the_engine_that_all_models_have_and_its_arguments() -> None:
    chart = model_values(
        stack("kserve"),
        of("kserve", quantization="awq_marlin", tool_call_parser="hermes", max_num_seqs=64),
    )
    assert chart.image == VLLM_IMAGE.reference
    assert {
        "--max-model-len=8192",
        "--quantization=awq_marlin",
        "--enable-auto-tool-choice",
        "--tool-call-parser=hermes",
        "--max-num-seqs=64",
    } <= set(chart.arguments)


def test_a_model_scales_only_where_something_scales_it() -> None:
    wanted = of("kserve", replicas=Replicas(min=1, max=3))
    scaled = model_values(inputs(), wanted).autoscaling
    assert scaled is not None
    assert scaled.max_replicas == 3
    unscaled = inputs(features=Features(autoscaling=False))
    assert model_values(unscaled, wanted).autoscaling is None
    found = entries(stack("text_embeddings_inference", ALL, replicas=Replicas(min=2, max=4)))[
        "qwen-embeddings"
    ]
    assert values(found)["autoscaling"]["maxReplicas"] == 4
    assert values(found)["replicas"] == 2


def test_embeddings_need_no_output_price_and_cost_what_goes_in() -> None:
    wanted = of("text_embeddings_inference", price=Price(input_usd_per_million_tokens=0.1))
    found = entries(inputs(features=ALL, models=(wanted,), tenants=()))
    (listed,) = values(found["litellm"])["proxy_config"]["model_list"]
    assert listed["litellm_params"]["input_cost_per_token"] == 1e-7
    assert listed["litellm_params"]["output_cost_per_token"] == 0
    assert values(found["qwen-embeddings"])["image"] == TEXT_EMBEDDINGS_IMAGE.reference


def test_the_operator_of_groups_keeps_the_names_that_its_definitions_call() -> None:
    entry = entries(stack("kserve"))["leader-worker-set"]
    assert entry.namespace == "lws-system"
    assert values(entry)["fullnameOverride"] == "lws"
    assert "leader-worker-set" not in entries()
