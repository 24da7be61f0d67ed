"""The serving layer: what a model's engine is given."""

from components.platform import endpoints
from components.platform.apps import secrets
from components.platform.apps.serving import endpoint_picker, engine_pods, model_values
from components.platform.catalogue import IgnoreDifference
from components.platform.config import Features, ImageSource, ModelGpu, Replicas
from components.versions import VLLM_IMAGE
from tests.platform.samples import GKE, HETZNER, callers, entries, inputs, model, values


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


def test_the_endpoint_pickers_name_is_cut_where_its_chart_cuts_it() -> None:
    assert endpoint_picker("m" * 40) == "m" * 40 + "-epp"
    assert endpoint_picker("short") == "short-pool-epp"


def test_profile_platform_has_no_engine() -> None:
    assert "qwen-small-vllm" not in entries(inputs(profile="platform"))
