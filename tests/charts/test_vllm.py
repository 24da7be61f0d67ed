"""The model's chart: GPU deadlocks, drains, scaling, and who may speak to the engine."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.platform.values.base import SecretKey
from components.platform.values.vllm import (
    Autoscaling,
    Host,
    Lifecycle,
    Replicas,
    Rollout,
    VllmValues,
    Weights,
)
from tests.charts.rendering import CHARTS, HelmError, Json, of_kind, only, render, render_values
from tests.charts.values import DIGEST, ONE_REPLICA, REVISION, SCALED

pytestmark = pytest.mark.charts

SERVING = "serving"


def deployment(values: VllmValues) -> Json:
    return only(render("vllm", values, release="vllm-x", namespace=SERVING), "Deployment")


def pod(values: VllmValues) -> Json:
    return deployment(values)["spec"]["template"]["spec"]


def engine(values: VllmValues) -> Json:
    (container,) = pod(values)["containers"]
    return container


def environment(container: Json) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def scaled_object(values: VllmValues) -> Json:
    return only(render("vllm", values, release="vllm-x", namespace=SERVING), "ScaledObject")


def test_one_replica_is_recreated_because_a_second_would_wait_for_its_gpu() -> None:
    assert deployment(ONE_REPLICA)["spec"]["strategy"] == {"type": "Recreate"}


def test_several_replicas_free_a_gpu_before_they_ask_for_one() -> None:
    assert deployment(SCALED)["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    }


def test_a_pool_with_a_spare_gpu_can_surge() -> None:
    values = SCALED.model_copy(update={"rollout": Rollout(max_surge=1, max_unavailable=0)})
    assert deployment(values)["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 1


def test_a_fixed_model_says_its_replicas_and_a_scaled_one_leaves_them_to_the_scaler() -> None:
    assert deployment(ONE_REPLICA)["spec"]["replicas"] == 1
    assert "replicas" not in deployment(SCALED)["spec"]


def test_only_a_scaled_model_has_a_scaled_object() -> None:
    assert of_kind(render("vllm", ONE_REPLICA), "ScaledObject") == []


def test_only_a_model_with_several_replicas_has_a_disruption_budget() -> None:
    assert of_kind(render("vllm", ONE_REPLICA), "PodDisruptionBudget") == []
    budget = only(render("vllm", SCALED), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


def test_each_trigger_reads_the_series_of_this_model_in_this_namespace_only() -> None:
    triggers = scaled_object(SCALED)["spec"]["triggers"]
    label = '{namespace="serving",model_name="coder"}'
    assert [trigger["metadata"]["query"] for trigger in triggers] == [
        f"sum(vllm:num_requests_waiting{label})",
        f"sum(avg by (pod) (vllm:kv_cache_usage_perc{label}))",
    ]
    assert [trigger["metadata"]["threshold"] for trigger in triggers] == ["5", "0.9"]


def test_a_trigger_has_no_obsolete_field_and_takes_missing_series_for_a_failure() -> None:
    for trigger in scaled_object(SCALED)["spec"]["triggers"]:
        assert "metricName" not in trigger["metadata"]
        assert trigger["metadata"]["ignoreNullValues"] == "false"
        # KEDA's fallback works for this metric type only.
        assert trigger["metricType"] == "AverageValue"


def test_without_metrics_the_current_replicas_stay() -> None:
    assert scaled_object(SCALED)["spec"]["fallback"] == {
        "failureThreshold": 3,
        "replicas": 1,
        "behavior": "currentReplicas",
    }


def test_the_way_down_is_said_explicitly_and_slow() -> None:
    specification = scaled_object(SCALED)["spec"]
    down = specification["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert 300 <= down["stabilizationWindowSeconds"] <= 600
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]
    assert "cooldownPeriod" not in specification


def test_a_paused_scaler_leaves_the_replicas_alone() -> None:
    paused = Autoscaling(prometheus_url="http://prometheus:9090", paused=True)
    values = SCALED.model_copy(update={"autoscaling": paused})
    annotations = scaled_object(values)["metadata"]["annotations"]
    assert annotations == {"autoscaling.keda.sh/paused": "true"}
    assert "annotations" not in scaled_object(SCALED)["metadata"]


@pytest.mark.parametrize("values", [ONE_REPLICA, SCALED], ids=["hub", "image"])
def test_a_pod_lives_longer_than_its_longest_stream(values: VllmValues) -> None:
    seconds = values.lifecycle
    drain = engine(values)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert drain == seconds.unrouting_seconds
    grace = pod(values)["terminationGracePeriodSeconds"]
    assert grace == 330
    assert grace > drain + seconds.longest_request_seconds
    assert f"--shutdown-timeout={seconds.longest_request_seconds}" in engine(values)["args"]


def test_every_probe_asks_for_health_and_the_start_has_its_time() -> None:
    values = ONE_REPLICA.model_copy(update={"lifecycle": Lifecycle(startup_seconds=905)})
    container = engine(values)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "http"}
    startup = container["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] >= 905
    assert deployment(values)["spec"]["progressDeadlineSeconds"] > 905


def test_the_gpu_is_in_the_limits_and_is_the_tensor_parallel_size() -> None:
    container = engine(SCALED)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert "nvidia.com/gpu" not in container["resources"]["requests"]
    assert "--tensor-parallel-size=2" in container["args"]


def test_shared_memory_is_limited_and_fits_the_memory_limit() -> None:
    volumes = {one["name"]: one for one in pod(ONE_REPLICA)["volumes"]}
    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert engine(ONE_REPLICA)["resources"]["limits"]["memory"] == "10Gi"
    with pytest.raises(ValidationError, match="must be smaller"):
        Host(memory_gib=16, shared_memory_gib=16)


def test_large_numbers_stay_whole_numbers() -> None:
    assert "--max-model-len=1048576" in engine(ONE_REPLICA)["args"]


def test_optional_arguments_are_there_only_when_they_are_asked_for() -> None:
    wanted = {"--quantization=awq_marlin", "--enable-auto-tool-choice", "--tool-call-parser=hermes"}
    assert wanted <= set(engine(SCALED)["args"])
    assert engine(SCALED)["args"][-1] == "--enable-prefix-caching"
    assert not any("tool" in argument for argument in engine(ONE_REPLICA)["args"])


def test_the_model_answers_to_the_name_that_routes_and_pools_know() -> None:
    one = deployment(ONE_REPLICA)
    assert "--served-model-name=qwen" in engine(ONE_REPLICA)["args"]
    assert one["spec"]["template"]["metadata"]["labels"]["llmp.dev/model"] == "qwen"
    selector = one["spec"]["selector"]["matchLabels"].items()
    assert selector <= one["spec"]["template"]["metadata"]["labels"].items()


def test_the_engine_works_offline_and_writes_only_where_it_can() -> None:
    variables = environment(engine(ONE_REPLICA))
    assert variables["HF_HUB_OFFLINE"] == variables["TRANSFORMERS_OFFLINE"] == "1"
    assert variables["USER"] == "vllm"
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TRITON_CACHE_DIR", "HF_HOME"):
        assert variables[name].startswith("/tmp")  # noqa: S108
    writable = [one for one in engine(ONE_REPLICA)["volumeMounts"] if not one.get("readOnly")]
    assert {one["mountPath"] for one in writable} == {"/tmp", "/dev/shm"}  # noqa: S108


def test_the_hub_token_reaches_the_init_container_alone() -> None:
    (init,) = pod(ONE_REPLICA)["initContainers"]
    assert environment(init)["HF_TOKEN"] == {"secretKeyRef": {"name": "hub-token", "key": "token"}}
    assert environment(init)["REVISION"] == REVISION
    assert "HF_TOKEN" not in environment(engine(ONE_REPLICA))
    assert "nvidia.com/gpu" not in init["resources"]["limits"]


def test_the_key_of_the_engine_comes_from_a_secret() -> None:
    reference = {"secretKeyRef": {"name": "vllm-api-key", "key": "api-key"}}
    assert environment(engine(SCALED))["VLLM_API_KEY"] == reference


def test_weights_from_the_hub_lie_on_a_disk_of_the_pod_with_a_limit() -> None:
    volumes = {one["name"]: one for one in pod(ONE_REPLICA)["volumes"]}
    assert volumes["weights"]["emptyDir"] == {"sizeLimit": "30Gi"}
    (init,) = pod(ONE_REPLICA)["initContainers"]
    assert init["resources"]["requests"]["ephemeral-storage"] == "30Gi"


def test_weights_from_an_image_are_mounted_and_nothing_is_downloaded() -> None:
    assert "initContainers" not in pod(SCALED)
    volumes = {one["name"]: one for one in pod(SCALED)["volumes"]}
    assert volumes["weights"]["image"] == {
        "reference": f"registry.example.com/weights@{DIGEST}",
        "pullPolicy": "IfNotPresent",
    }
    mounts = {one["name"]: one for one in engine(SCALED)["volumeMounts"]}
    assert mounts["weights"] == {"name": "weights", "mountPath": "/models", "readOnly": True}
    assert engine(SCALED)["command"] == ["vllm", "serve", "/models/models"]
    assert of_kind(render("vllm", SCALED), "ConfigMap") == []


@pytest.mark.parametrize("values", [ONE_REPLICA, SCALED], ids=["hub", "image"])
def test_replicas_share_no_volume_claim(values: VllmValues) -> None:
    assert "persistentVolumeClaim" not in str(pod(values)["volumes"])


def test_the_substrate_decides_where_a_pod_may_run() -> None:
    assert pod(SCALED)["runtimeClassName"] == "nvidia"
    assert pod(SCALED)["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert pod(SCALED)["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    for field in ("runtimeClassName", "nodeSelector", "tolerations"):
        assert field not in pod(ONE_REPLICA)


def test_replicas_spread_over_nodes_and_zones_where_they_can() -> None:
    constraints = pod(SCALED)["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in constraints} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert {one["whenUnsatisfiable"] for one in constraints} == {"ScheduleAnyway"}


def test_the_monitor_finds_the_service_by_its_labels_and_port() -> None:
    objects = render("vllm", SCALED)
    monitor = only(objects, "ServiceMonitor")["spec"]
    service = only(objects, "Service")
    assert monitor["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "15s"}]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [port["port"] for port in service["spec"]["ports"]] == [8000]
    assert service["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("image",), "vllm/vllm-openai:latest", "does not match pattern"),
        (("engine", "gpuMemoryUtilization"), 1.5, "maximum"),
        (("engine", "maxModelLen"), "8192", "want integer"),
        (("weights", "revision"), "main", "does not match pattern"),
        (("weights", "revision"), None, "missing property 'revision'"),
        (("weights", "source"), "bucket", "value must be one of 'hub', 'image'"),
        (("gpu", "count"), 0, "minimum"),
        (("gpu", "nodeselector"), {}, "additional properties"),
        (("model",), "Not A Label", "does not match pattern"),
    ],
)
def test_helm_refuses_values_that_python_would_refuse(
    path: tuple[str, ...], value: object, message: str
) -> None:
    values = ONE_REPLICA.to_values()
    parent = values
    for key in path[:-1]:
        parent = parent[key]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    with pytest.raises(HelmError, match=message):
        render_values("vllm", values)


def test_helm_refuses_a_scale_down_that_is_too_quick() -> None:
    values = SCALED.to_values()
    values["autoscaling"]["scaleDownWindowSeconds"] = 30
    with pytest.raises(HelmError, match="minimum"):
        render_values("vllm", values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicas": Replicas(min=1, max=3)}, "need autoscaling"),
        (
            {
                "replicas": Replicas(min=0, max=3),
                "autoscaling": Autoscaling(prometheus_url="http://prometheus:9090"),
            },
            "cannot start from 0",
        ),
    ],
)
def test_replicas_that_nobody_could_reach_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VllmValues.model_validate({**dict(ONE_REPLICA), **change})


def test_weights_that_could_change_unseen_are_refused() -> None:
    with pytest.raises(ValidationError, match="need a revision"):
        Weights(source="hub", reference="a/b")
    with pytest.raises(ValidationError, match="by digest"):
        Weights(source="image", reference="registry.example.com/weights:latest")


def test_a_rollout_that_could_replace_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="cannot both be 0"):
        Rollout(max_surge=0, max_unavailable=0)


def test_what_is_absent_is_left_out_of_the_values() -> None:
    values = ONE_REPLICA.model_copy(update={"api_key": SecretKey(name="a", key="b")}).to_values()
    assert "autoscaling" not in values
    assert "runtimeClass" not in values["gpu"]
    assert values["apiKey"] == {"name": "a", "key": "b"}


def stage(target: Path, hub: Path) -> subprocess.CompletedProcess[str]:
    """Run the staging script with a hub library that writes a file and says that it was called."""
    (hub / "huggingface_hub.py").write_text(
        "import pathlib\n"
        "def snapshot_download(repository, *, revision, local_dir, ignore_patterns):\n"
        "    print(f'called for {repository} {revision} {ignore_patterns}')\n"
        "    (pathlib.Path(local_dir) / 'model.safetensors').write_bytes(b'0' * 1024)\n"
    )
    return subprocess.run(
        [sys.executable, str(CHARTS / "vllm/files/stage_weights.py"), str(target)],
        env={**os.environ, "PYTHONPATH": str(hub), "REPOSITORY": "a/b", "REVISION": REVISION},
        capture_output=True,
        text=True,
        check=True,
    )


def test_weights_are_downloaded_once_at_their_revision(tmp_path: Path) -> None:
    hub, target = tmp_path / "hub", tmp_path / "models"
    hub.mkdir()
    target.mkdir()
    first = stage(target, hub)
    assert f"called for a/b {REVISION}" in first.stdout
    second = stage(target, hub)
    assert "called" not in second.stdout
    assert "already here" in second.stdout


def test_weights_of_another_revision_are_not_taken_for_the_wanted_ones(tmp_path: Path) -> None:
    (tmp_path / ".staged").write_text("a/b@" + "c" * 40)
    assert "called" in stage(tmp_path, tmp_path).stdout
