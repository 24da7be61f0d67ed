"""NVIDIA's GPU Operator on k3s."""

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from components.substrate.gpu_operator import GpuOperator, GpuOperatorArgs, gpu_operator_values
from components.substrate.gpu_profile import operator_profile
from components.substrate.hetzner_k3s import CONTAINERD_FOLDER, CONTAINERD_SOCKET
from components.versions import GPU_OPERATOR
from tests.harness import Recorder, deploy

ARGS = GpuOperatorArgs(containerd_folder=CONTAINERD_FOLDER, containerd_socket=CONTAINERD_SOCKET)


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


def test_the_operators_daemons_tolerate_what_the_contract_makes_pods_tolerate() -> None:
    profile = operator_profile(products=("x",), max_gpus=1, max_gpus_per_node=1)
    tolerations = [each.to_kubernetes() for each in profile.tolerations]
    assert gpu_operator_values(ARGS)["daemonsets"]["tolerations"] == tolerations
