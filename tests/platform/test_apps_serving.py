"""The serving layer: what a model's engine is given."""

from components.platform import endpoints
from components.platform.apps import secrets
from components.platform.apps.serving import (
    canary_values,
    endpoint_picker,
    engine_pods,
    model_values,
)
from components.platform.catalogue import IgnoreDifference
from components.platform.config import (
    Canary,
    Features,
    HubRepository,
    ImageSource,
    LoraAdapter,
    ModelGpu,
    Price,
    Replicas,
    Speculation,
    replica_range,
)
from components.platform.network import Connection, Outside
from components.versions import VLLM_IMAGE
from tests.platform.samples import (
    GKE,
    HETZNER,
    REVISION,
    callers,
    entries,
    inputs,
    model,
    values,
)


def test_a_model_is_created_and_not_started_unless_it_says_so() -> None:
    assert entries()["qwen-small-vllm"].sync == "manual"
    assert entries(inputs(models=(model(autostart=True),)))["qwen-small-vllm"].sync == "automatic"


def test_an_engine_waits_for_definitions_its_key_and_its_scaler_and_for_no_system() -> None:
    assert entries()["qwen-small-vllm"].requires == ("prometheus-crds", "keda", "serving-secrets")
    unscaled = entries(
        inputs(
            features=Features(autoscaling=False), models=(model(replicas=Replicas(min=2, max=2)),)
        )
    )
    assert unscaled["qwen-small-vllm"].requires == ("prometheus-crds", "serving-secrets")


def test_whoever_scales_a_model_owns_its_replicas() -> None:
    assert entries()["qwen-small-vllm"].ignore_differences == (
        IgnoreDifference(group="apps", kind="Deployment", json_pointers=("/spec/replicas",)),
    )


def test_the_scaler_asks_the_prometheus_that_runs() -> None:
    scaling = values(entries()["qwen-small-vllm"])["autoscaling"]
    assert scaling["prometheusUrl"] == endpoints.PROMETHEUS.url()
    assert scaling["waitingRequestsPerReplica"] == 5


def test_a_fixed_number_of_replicas_needs_no_scaler() -> None:
    chart = values(
        entries(inputs(models=(model(replicas=Replicas(min=2, max=2)),)))["qwen-small-vllm"]
    )
    assert "autoscaling" not in chart
    assert chart["replicas"] == {"min": 2, "max": 2}


def test_without_the_feature_a_range_of_replicas_stays_at_its_minimum() -> None:
    stack = inputs(features=Features(autoscaling=False))
    chart = model_values(stack, model(replicas=Replicas(min=1, max=3)))
    assert (chart.replicas.min, chart.replicas.max, chart.autoscaling) == (1, 1, None)


def test_an_engine_runs_where_the_substrate_has_its_gpus() -> None:
    gke = values(entries()["qwen-small-vllm"])["gpu"]
    assert gke["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert "runtimeClass" not in gke
    hetzner = values(entries(inputs(contract=HETZNER))["qwen-small-vllm"])["gpu"]
    assert hetzner["runtimeClass"] == "nvidia"


def test_a_product_is_asked_for_by_the_label_that_the_substrate_gives_it() -> None:
    wanted = model(gpu=ModelGpu(product="nvidia-l4"))
    assert model_values(inputs(contract=GKE), wanted).gpu.node_selector == {
        "cloud.google.com/gke-accelerator": "nvidia-l4"
    }
    assert model_values(inputs(contract=GKE), model()).gpu.node_selector == {}


def test_weights_from_an_image_need_no_hub() -> None:
    image = "ghcr.io/your-org/qwen@sha256:" + "0" * 64
    weights = model_values(inputs(), model(source=ImageSource(image=image))).weights
    assert (weights.source, weights.reference, weights.token) == ("image", image, None)


def test_every_engine_asks_for_a_key_of_the_one_image() -> None:
    chart = values(entries()["qwen-small-vllm"])
    assert chart["apiKey"] == {"name": secrets.VLLM_API_KEY.name, "key": "api-key"}
    assert chart["image"] == VLLM_IMAGE.reference


def test_only_what_routes_and_what_scrapes_reaches_an_engine() -> None:
    pods = engine_pods("qwen-small")
    # Without the edge from its own namespace the endpoint picker sees no metrics.
    assert callers(entries(), pods) == {"monitoring", "inference", "serving"}
    assert callers(entries(inputs(profile="serving")), pods) == {"monitoring"}


ADAPTER = LoraAdapter(name="sql", hugging_face="your-org/sql", revision=REVISION, rank=64)
OTHER_IMAGE = "docker.io/vllm/vllm-openai@sha256:" + "f" * 64


def test_a_model_has_two_replicas_in_prod_and_one_elsewhere_unless_it_says_so() -> None:
    silent = model(replicas=Replicas())
    assert replica_range(silent, "prod").least == 2
    assert replica_range(silent, "cost").least == 1
    assert replica_range(model(replicas=Replicas(min=1, max=1)), "prod").least == 1
    # A maximum of one is a decision, too.
    assert replica_range(model(replicas=Replicas(max=1)), "prod").least == 1
    assert replica_range(model(replicas=Replicas(max=4)), "prod").scales


def test_adapters_are_given_to_the_engine_with_room_for_the_largest() -> None:
    chart = model_values(inputs(), model(lora_adapters=(ADAPTER,)))
    assert [(one.name, one.repository) for one in chart.engine.adapters] == [
        ("sql", "your-org/sql")
    ]
    assert chart.engine.max_adapter_rank == 64


def test_an_adapter_costs_what_its_model_does_unless_it_says_so() -> None:
    dear = Price(input_usd_per_million_tokens=9, output_usd_per_million_tokens=9)
    own = ADAPTER.model_copy(update={"name": "legal", "price": dear})
    prices = model(lora_adapters=(ADAPTER, own)).served_prices
    assert list(prices) == ["qwen-small", "sql", "legal"]
    assert prices["sql"] == prices["qwen-small"]
    assert prices["legal"] == dear


def test_weights_in_an_image_open_the_internet_only_for_adapters_and_drafts() -> None:
    def online(
        adapters: tuple[LoraAdapter, ...] = (), speculation: Speculation | None = None
    ) -> bool:
        image = ImageSource(image="ghcr.io/your-org/qwen@sha256:" + "0" * 64)
        offline = model(source=image, lora_adapters=adapters, speculation=speculation)
        engine = entries(inputs(models=(offline,)))["qwen-small-vllm"]
        return any(one.server is Outside.INTERNET for one in engine.connections)

    draft = HubRepository(hugging_face="your-org/draft", revision=REVISION)
    assert not online()
    assert online(adapters=(ADAPTER,))
    assert online(speculation=Speculation(method="eagle", source=draft))


def test_the_nodes_of_one_replica_reach_each_other_and_wait_for_their_operator() -> None:
    wide = model(gpu=ModelGpu(count=8, nodes=2))
    found = entries(inputs(features=Features(multi_node=True), models=(wide,)))
    engine = found["qwen-small-vllm"]
    pods = engine_pods("qwen-small")
    assert Connection(client=pods, server=pods, ports=(1024,), last_port=65535) in (
        engine.connections
    )
    assert "leader-worker-set" in engine.requires
    assert engine.ignore_differences[0].kind == "LeaderWorkerSet"
    selector = values(found["qwen-small-pool"])["inferencePool"]["modelServers"]["matchLabels"]
    # A worker answers nobody.
    assert selector == {
        "llmp.dev/model": "qwen-small",
        "leaderworkerset.sigs.k8s.io/worker-index": "0",
    }


def test_a_canary_is_another_engine_under_the_same_name_that_no_pool_takes_for_the_first() -> None:
    trial = model(canary=Canary(weight=10, engine_image=OTHER_IMAGE))
    chart = canary_values(inputs(), trial)
    assert chart.model == "qwen-small-canary"
    assert chart.served_name == "qwen-small"
    assert chart.image == OTHER_IMAGE
    assert chart.weights == model_values(inputs(), trial).weights
    assert chart.autoscaling is None
    found = entries(inputs(models=(trial,)))
    first, second = (
        values(found[name])["inferencePool"]["modelServers"]["matchLabels"]
        for name in ("qwen-small-pool", "qwen-small-canary-pool")
    )
    assert first["llmp.dev/model"] != second["llmp.dev/model"]
    assert values(found["qwen-small-canary-vllm"])["model"] == second["llmp.dev/model"]


def test_one_number_decides_how_long_a_request_may_take_all_along_its_way() -> None:
    slow = model(longest_request_seconds=1800)
    found = entries(inputs(models=(slow,)))
    engine = values(found["qwen-small-vllm"])["lifecycle"]
    assert engine["longestRequestSeconds"] == 1800
    assert values(found["qwen-small-route"])["routes"][0]["timeoutSeconds"] == 1800
    assert values(found["inference-gateway"])["gateway"]["longestRequestSeconds"] == 1800
    litellm = values(found["litellm"])
    assert litellm["terminationGracePeriodSeconds"] > 1800
    assert litellm["proxy_config"]["model_list"][0]["litellm_params"]["timeout"] == 1800


def test_the_endpoint_pickers_name_is_cut_where_its_chart_cuts_it() -> None:
    assert endpoint_picker("m" * 40) == "m" * 40 + "-epp"
    assert endpoint_picker("short") == "short-pool-epp"


def test_profile_platform_has_no_engine() -> None:
    assert "qwen-small-vllm" not in entries(inputs(profile="platform"))
