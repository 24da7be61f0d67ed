"""Models that KServe runs: what its webhooks and presets would do to them, and what keeps them."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.platform.values.kserve_models import (
    Autoscaling,
    Disaggregation,
    Host,
    KserveModelsValues,
)
from tests.charts.rendering import CHARTS, Json, of_kind, only, render
from tests.charts.values import KSERVE, KSERVE_SCALED, LLM_D, LLM_D_IMAGE

pytestmark = pytest.mark.charts


def predictor(values: KserveModelsValues) -> Json:
    return only(render("kserve-models", values), "InferenceService")["spec"]["predictor"]


def specification(values: KserveModelsValues) -> Json:
    return only(render("kserve-models", values), "LLMInferenceService")["spec"]


def halves(values: KserveModelsValues) -> list[Json]:
    found = specification(values)
    return [found["template"], found["prefill"]["template"]]


def environment(container: Json) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def pods_of(values: KserveModelsValues) -> list[Json]:
    return [predictor(values)] if values.disaggregation is None else halves(values)


@pytest.mark.parametrize("values", [KSERVE, KSERVE_SCALED, LLM_D, LLM_D_IMAGE])
def test_every_container_says_its_cpu_limit_because_kserve_would_set_one_of_one_cpu(
    values: KserveModelsValues,
) -> None:
    for pod in pods_of(values):
        (container,) = pod["containers"]
        limit = float(container["resources"]["limits"]["cpu"])
        assert limit >= float(container["resources"]["requests"]["cpu"])


@pytest.mark.parametrize("values", [KSERVE, KSERVE_SCALED, LLM_D, LLM_D_IMAGE])
def test_every_pod_is_hardened_though_kserve_makes_it(values: KserveModelsValues) -> None:
    for pod in pods_of(values):
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        staged = [one for one in pod.get("initContainers", []) if one["name"] == "stage-weights"]
        for container in [*staged, *pod["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "@sha256:" in container["image"]
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("values", [KSERVE, KSERVE_SCALED, LLM_D, LLM_D_IMAGE])
def test_every_engine_asks_for_the_key_and_has_a_home_it_can_write(
    values: KserveModelsValues,
) -> None:
    for pod in pods_of(values):
        (container,) = pod["containers"]
        variables = environment(container)
        assert variables["VLLM_API_KEY"] == {
            "secretKeyRef": {"name": "vllm-api-key", "key": "api-key"}
        }
        # The user has no entry in passwd, so that looking its name up would fail.
        assert variables["USER"] == "vllm"
        assert variables["HOME"] == "/tmp"  # noqa: S108 - the path in the container


def test_the_model_server_has_the_name_by_which_kserve_knows_it() -> None:
    (container,) = predictor(KSERVE)["containers"]
    assert container["name"] == "kserve-container"
    assert "model" not in predictor(KSERVE)


def test_an_image_is_named_in_the_one_variable_that_the_webhook_reads() -> None:
    (container,) = predictor(KSERVE)["containers"]
    assert environment(container)["STORAGE_URI"] == f"oci://{KSERVE.weights.reference}"
    assert container["command"] == ["vllm", "serve", "/mnt/models"]
    # KServe sets the user of the container there, and one of ours would stay.
    assert "runAsUser" not in container["securityContext"]
    (staged,) = predictor(KSERVE_SCALED)["containers"]
    assert "STORAGE_URI" not in environment(staged)
    assert staged["command"] == ["vllm", "serve", "/weights"]


@pytest.mark.parametrize("values", [KSERVE_SCALED, LLM_D])
def test_only_the_init_container_gets_the_hub_token(values: KserveModelsValues) -> None:
    for pod in pods_of(values):
        (staging,) = [one for one in pod["initContainers"] if one["name"] == "stage-weights"]
        assert "HF_TOKEN" in environment(staging)
        assert "HF_TOKEN" not in environment(pod["containers"][0])
        assert environment(pod["containers"][0])["HF_HUB_OFFLINE"] == "1"


def test_weights_are_staged_by_the_script_of_the_vllm_chart_and_no_copy_of_it() -> None:
    ours = CHARTS / "kserve-models" / "files" / "stage_weights.py"
    assert ours.resolve() == (CHARTS / "vllm" / "files" / "stage_weights.py").resolve()
    script = only(render("kserve-models", KSERVE_SCALED), "ConfigMap")["data"]["stage_weights.py"]
    assert script.strip() == ours.read_text().strip()


def test_one_replica_is_recreated_because_a_second_would_wait_for_its_gpu() -> None:
    assert predictor(KSERVE)["deploymentStrategy"] == {"type": "Recreate"}
    assert predictor(KSERVE_SCALED)["deploymentStrategy"]["rollingUpdate"]["maxSurge"] == 0


def test_a_fixed_number_is_kserves_and_a_scaled_one_the_scalers() -> None:
    def scaler_of(values: KserveModelsValues) -> str:
        service = only(render("kserve-models", values), "InferenceService")
        return service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"]

    assert scaler_of(KSERVE) == "none"
    assert of_kind(render("kserve-models", KSERVE), "ScaledObject") == []
    assert scaler_of(KSERVE_SCALED) == "external"
    scaled = only(render("kserve-models", KSERVE_SCALED, release="x"), "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == "x-predictor"
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 3)
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert 300 <= down["stabilizationWindowSeconds"] <= 600
    for trigger in scaled["triggers"]:
        assert "metricName" not in trigger["metadata"]
        assert trigger["metadata"]["ignoreNullValues"] == "false"


def test_a_pod_lives_longer_than_its_longest_stream() -> None:
    pod = predictor(KSERVE)
    (container,) = pod["containers"]
    drain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > drain + 300
    assert all(one["terminationGracePeriodSeconds"] > 300 for one in halves(LLM_D))


def test_prefill_and_decode_are_found_by_the_label_of_the_model() -> None:
    found = specification(LLM_D)
    assert found["labels"] == {"llmp.dev/model": "coder"}
    assert found["prefill"]["labels"] == {"llmp.dev/model": "coder"}
    assert (found["replicas"], found["prefill"]["replicas"]) == (1, 2)


def test_kserve_makes_no_route_gateway_or_pool_for_a_model() -> None:
    assert "router" not in specification(LLM_D)
    kinds = {one["kind"] for one in render("kserve-models", LLM_D)}
    assert not kinds & {"Gateway", "HTTPRoute", "InferencePool", "Service"}


def test_decode_answers_behind_the_sidecar_and_prefill_by_itself() -> None:
    decode, prefill = (pod["containers"][0] for pod in halves(LLM_D))
    assert "--port=8001" in decode["args"]
    assert "--port=8000" in prefill["args"]
    assert decode["startupProbe"]["httpGet"]["port"] == 8001
    assert prefill["startupProbe"]["httpGet"]["port"] == 8000
    for container in (decode, prefill):
        assert container["name"] == "main"
        assert any('"kv_connector":"NixlConnector"' in one for one in container["args"])
        assert "fieldRef" in environment(container)["VLLM_NIXL_SIDE_CHANNEL_HOST"]


def test_the_sidecar_sends_prompts_only_to_the_pool_and_may_read_that() -> None:
    objects = render("kserve-models", LLM_D, release="x", namespace="serving")
    pod = only(objects, "LLMInferenceService")["spec"]["template"]
    (sidecar,) = [one for one in pod["initContainers"] if one["name"] == "llm-d-routing-sidecar"]
    assert "--enable-ssrf-protection=true" in sidecar["command"]
    assert "--inference-pool=serving/coder-pool" in sidecar["command"]
    (group,) = [one for one in sidecar["command"] if one.startswith("--pool-group=")]
    (rule,) = only(objects, "Role")["rules"]
    assert rule["apiGroups"] == [group.partition("=")[2]]
    assert rule["verbs"] == ["get", "list", "watch"]
    (subject,) = only(objects, "RoleBinding")["subjects"]
    assert subject["name"] == "x-kserve"


def test_weights_of_one_commit_are_not_fetched_by_kserve_again() -> None:
    assert specification(LLM_D)["storageInitializer"] == {"enabled": False}
    assert "storageInitializer" not in specification(LLM_D_IMAGE)
    assert specification(LLM_D_IMAGE)["model"]["uri"].startswith("oci://")


def test_shared_memory_is_what_the_model_asks_and_not_what_the_preset_has() -> None:
    for pod in halves(LLM_D):
        (volume,) = [one for one in pod["volumes"] if one["name"] == "dshm"]
        assert volume["emptyDir"]["sizeLimit"] == "8Gi"


def test_metrics_are_read_from_pods_because_kserve_names_the_services() -> None:
    monitor = only(render("kserve-models", LLM_D), "PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"] == {"llmp.dev/model": "coder"}
    assert monitor["podMetricsEndpoints"][0]["portNumber"] == 8000


def test_values_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="below the 4"):
        Host(cpu=4, cpu_limit=2)
    scaled_down = Autoscaling(prometheus_url="http://p:9090", max_replicas=2)
    with pytest.raises(ValidationError, match="must be over"):
        KserveModelsValues.model_validate(
            {**dict(KSERVE), "replicas": 3, "autoscaling": scaled_down}
        )
    apart = Disaggregation(pool="coder-pool")
    with pytest.raises(ValidationError, match="scale apart"):
        KserveModelsValues.model_validate({**dict(KSERVE_SCALED), "disaggregation": apart})
