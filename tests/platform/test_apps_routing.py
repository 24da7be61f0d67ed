"""The routing layer: gateway, pools and routes."""

import json

from components.platform import endpoints
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.catalogue import Kustomization
from components.platform.config import Canary, LoraAdapter, Model
from components.versions import INFERENCE_EXTENSION
from tests.platform.samples import REVISION, callers, entries, inputs, model, values


def test_the_inference_extension_comes_from_one_commit() -> None:
    source = entries()["inference-extension"].source
    assert source == Kustomization(path="config/crd", pin=INFERENCE_EXTENSION)


def test_agentgateway_understands_pools_and_waits_for_all_that_it_watches() -> None:
    entry = entries()["agentgateway"]
    assert values(entry)["inferenceExtension"] == {"enabled": True}
    assert set(entry.requires) == {
        "agentgateway-crds",
        "gateway-api",
        "inference-extension",
        "prometheus-crds",
    }


def test_agentgateway_passes_the_strictest_pod_security() -> None:
    entry = entries()["agentgateway"]
    assert entry.namespace_labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert values(entry)["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_gateway_waits_for_the_controller_that_makes_its_class() -> None:
    assert entries()["inference-gateway"].requires == ("agentgateway",)


def test_only_litellm_and_prometheus_reach_the_gateway() -> None:
    assert callers(entries(), GATEWAY_PODS) == {LITELLM_PODS.namespace, "monitoring"}
    assert values(entries()["inference-gateway"])["gateway"]["routeNamespaces"] == ["serving"]


def test_the_gateways_address_is_that_of_its_service() -> None:
    entry = entries()["inference-gateway"]
    assert endpoints.INFERENCE_GATEWAY.namespace == entry.namespace
    assert endpoints.INFERENCE_GATEWAY.service == values(entry)["gateway"]["name"]
    assert endpoints.INFERENCE_GATEWAY.url("/v1") == (
        "http://inference-gateway.inference.svc.cluster.local/v1"
    )


def test_a_pool_selects_the_engine_by_the_label_that_the_engine_carries() -> None:
    by_name = entries()
    pool = values(by_name["qwen-small-pool"])["inferencePool"]
    engine = values(by_name["qwen-small-vllm"])
    assert pool["modelServers"]["matchLabels"] == {"llmp.dev/model": engine["model"]}
    assert pool["targetPorts"] == [{"number": 8000}]


def test_a_picker_asks_for_far_less_than_its_chart_does() -> None:
    requests = values(entries()["qwen-small-pool"])["inferenceExtension"]["resources"]["requests"]
    assert requests == {"cpu": "100m", "memory": "512Mi"}


def test_a_picker_stays_alone_even_in_prod_because_only_the_leader_is_ever_ready() -> None:
    picker = values(entries(inputs(tier="prod"))["qwen-small-pool"])["inferenceExtension"]
    assert picker["replicas"] == 1
    assert picker["failureMode"] == "FailOpen"


def test_pools_of_one_namespace_do_not_share_the_secret_of_their_metrics() -> None:
    by_name = entries(inputs(models=(model(), model("second"))))
    names = [
        values(by_name[f"{name}-pool"])["inferenceExtension"]["monitoring"]["prometheus"]["auth"][
            "secretName"
        ]
        for name in ("qwen-small", "second")
    ]
    assert len(set(names)) == 2


def test_a_pool_does_not_wait_for_an_engine_that_may_never_start() -> None:
    assert entries()["qwen-small-pool"].requires == ("inference-extension", "prometheus-crds")


def test_a_route_waits_for_the_gateway_and_the_pool_that_it_names() -> None:
    entry = entries()["qwen-small-route"]
    assert entry.requires == ("inference-gateway", "qwen-small-pool")
    assert entry.namespace == entries()["qwen-small-pool"].namespace
    assert values(entry)["routes"][0]["backends"] == [{"pool": "qwen-small-pool", "weight": 100}]
    assert values(entry)["gatewayReference"] == {
        "name": "inference-gateway",
        "namespace": "inference",
    }


def test_batch_work_is_shed_first_and_interactive_work_last() -> None:
    def priority(of: Model) -> int:
        route = entries(inputs(models=(of,)))["qwen-small-route"]
        return int(values(route)["objectives"][0]["priority"])

    batch, standard, interactive = (
        priority(model(priority=one)) for one in ("batch", "standard", "interactive")
    )
    assert batch < 0 <= standard < interactive


def test_a_route_shares_requests_out_between_a_model_and_its_canary() -> None:
    image = "docker.io/vllm/vllm-openai@sha256:" + "f" * 64
    trial = model(canary=Canary(weight=10, engine_image=image))
    entry = entries(inputs(models=(trial,)))["qwen-small-route"]
    assert values(entry)["routes"][0]["backends"] == [
        {"pool": "qwen-small-pool", "weight": 90},
        {"pool": "qwen-small-canary-pool", "weight": 10},
    ]
    # A route to a pool that is not there is Degraded.
    assert "qwen-small-canary-pool" in entry.requires


def test_replicas_with_adapters_are_chosen_by_which_has_the_adapter_in_memory() -> None:
    adapter = LoraAdapter(name="sql", hugging_face="your-org/sql", revision=REVISION)
    found = entries(inputs(models=(model(lora_adapters=(adapter,)),)))
    picker = values(found["qwen-small-pool"])["inferenceExtension"]
    config = json.loads(picker["pluginsCustomConfig"][picker["pluginsConfigFile"]])
    (profile,) = config["schedulingProfiles"]
    referred = {one["pluginRef"] for one in profile["plugins"]}
    assert "lora-affinity-scorer" in referred
    assert referred <= {one["type"] for one in config["plugins"]}
    assert "featureGates" not in config
    assert values(found["qwen-small-route"])["routes"][0]["adapters"] == ["sql"]


def test_a_plain_model_keeps_the_pickers_own_plugins() -> None:
    picker = values(entries()["qwen-small-pool"])["inferenceExtension"]
    assert "pluginsCustomConfig" not in picker
    assert "pluginsConfigFile" not in picker


def test_a_picker_has_more_room_in_prod() -> None:
    picker = values(entries(inputs(tier="prod"))["qwen-small-pool"])["inferenceExtension"]
    assert picker["resources"]["requests"] == {"cpu": "500m", "memory": "1024Mi"}


def test_profile_serving_has_no_gateway_and_no_pool() -> None:
    names = set(entries(inputs(profile="serving")))
    assert not names & {"agentgateway", "inference-gateway", "qwen-small-pool", "qwen-small-route"}
