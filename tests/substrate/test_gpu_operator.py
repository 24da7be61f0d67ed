"""NVIDIA's GPU Operator on k3s."""

from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
import yaml

from components.contract import GPU_SHARING
from components.platform.apps import gpus
from components.platform.config import ModelGpu
from components.substrate.gpu_operator import GpuOperator, GpuOperatorArgs, gpu_operator_values
from components.substrate.gpu_profile import operator_profile
from components.substrate.hetzner_gpu_topology import GpuDriver
from components.substrate.hetzner_k3s import CONTAINERD_FOLDER, CONTAINERD_SOCKET
from components.versions import GPU_OPERATOR
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import WITH_GPU, topology


def _args(*, driver: GpuDriver = "install", time_slicing: int = 1) -> GpuOperatorArgs:
    shape = topology({**WITH_GPU, "gpu_operator": {"time_slicing": time_slicing}})
    return GpuOperatorArgs(
        containerd_folder=CONTAINERD_FOLDER,
        containerd_socket=CONTAINERD_SOCKET,
        profile=shape.gpu,
        driver=driver,
        pods_per_gpu=time_slicing,
    )


ARGS = _args()


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    def program() -> None:
        provider = kubernetes.Provider("cluster")
        GpuOperator("gpu", ARGS, pulumi.ResourceOptions(providers=[provider]))

    return deploy(program)


def _environment() -> dict[str, str]:
    return {each["name"]: each["value"] for each in gpu_operator_values(ARGS)["toolkit"]["env"]}


def test_the_release_is_the_pinned_chart_in_its_own_privileged_namespace(
    recorder: Recorder,
) -> None:
    release = recorder.one("kubernetes:helm.sh/v3:Release")
    assert release.inputs["version"] == GPU_OPERATOR.version
    assert release.inputs["repositoryOpts"] == {"repo": GPU_OPERATOR.repository}
    namespace = recorder.one("kubernetes:core/v1:Namespace")
    assert release.inputs["namespace"] == namespace.inputs["metadata"]["name"] == "gpu-operator"
    assert namespace.urn in release.depends_on
    labels = namespace.inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_the_runtime_is_registered_where_k3s_looks_for_it() -> None:
    environment = _environment()
    folder = "/var/lib/rancher/k3s/agent/etc/containerd"
    assert environment["CONTAINERD_SOCKET"] == "/run/k3s/containerd/containerd.sock"
    assert environment["RUNTIME_DROP_IN_CONFIG"].startswith(f"{folder}/config-v3.toml.d/")
    assert environment["CONTAINERD_CONFIG"] == f"{folder}/config.toml"
    assert environment["RUNTIME_CONFIG_SOURCE"] == f"file={folder}/config.toml"


def test_only_pods_that_ask_for_the_runtime_class_get_it() -> None:
    assert _environment()["CONTAINERD_SET_AS_DEFAULT"] == "false"
    assert _environment()["CONTAINERD_RUNTIME_CLASS"] == "nvidia"


def test_the_exporter_is_where_the_contract_says_and_has_no_monitor_of_its_own(
    recorder: Recorder,
) -> None:
    profile = operator_profile(products=("x",), max_gpus=1, max_gpus_per_node=1)
    assert profile.dcgm is not None
    release = recorder.one("kubernetes:helm.sh/v3:Release")
    assert profile.dcgm.namespace == release.inputs["namespace"]
    assert profile.dcgm.pod_labels == {"app": "nvidia-dcgm-exporter"}
    assert release.inputs["values"]["dcgmExporter"] == {
        "enabled": True,
        "serviceMonitor": {"enabled": False},
    }


@pytest.mark.parametrize(
    ("driver", "values"),
    [
        ("install", {"enabled": True}),
        ("precompiled", {"enabled": True, "usePrecompiled": True, "version": "580"}),
        ("preinstalled", {"enabled": False}),
    ],
)
def test_the_driver_comes_from_where_the_config_says(
    driver: GpuDriver, values: dict[str, Any]
) -> None:
    assert gpu_operator_values(_args(driver=driver))["driver"] == values


def test_no_gpu_is_cut_in_parts_that_the_contract_does_not_know() -> None:
    assert gpu_operator_values(ARGS)["migManager"] == {"enabled": False}


def test_gpus_that_nobody_shares_have_no_configuration_of_the_device_plugin() -> None:
    assert gpu_operator_values(ARGS)["devicePlugin"] == {"enabled": True}


def test_a_shared_gpu_is_offered_as_often_as_pods_may_share_it_under_its_own_name() -> None:
    plugin = gpu_operator_values(_args(time_slicing=4))["devicePlugin"]["config"]
    assert plugin["create"]
    assert plugin["default"] in plugin["data"]
    sharing = yaml.safe_load(plugin["data"][plugin["default"]])["sharing"]["timeSlicing"]
    assert sharing["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert not sharing["renameByDefault"]
    assert sharing["failRequestsGreaterThanOne"]


@pytest.mark.parametrize("time_slicing", [1, 4])
def test_the_operators_daemons_go_wherever_a_gpu_pod_may_go(time_slicing: int) -> None:
    args = _args(time_slicing=time_slicing)
    values = gpu_operator_values(args)
    wanted = ModelGpu(shared=time_slicing > 1)
    tolerated = gpus.model_nodes(args.profile, wanted).tolerations
    pods = sorted(each.key for each in tolerated)
    for tolerations in (
        values["daemonsets"]["tolerations"],
        values["node-feature-discovery"]["worker"]["tolerations"],
    ):
        assert sorted(each["key"] for each in tolerations) == pods
    assert (GPU_SHARING in pods) == (time_slicing > 1)
