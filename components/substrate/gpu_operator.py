"""NVIDIA's GPU Operator, for clusters whose nodes bring no GPU stack of their own. Never on GKE."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from components.contract import GpuProfile
from components.substrate.gpu_profile import (
    GPU_OPERATOR_NAMESPACE,
    GPU_RUNTIME_CLASS,
    GPU_TOLERATION,
)
from components.versions import GPU_OPERATOR

RELEASE_TIMEOUT_SECONDS: Final = 900

PRECOMPILED_DRIVER_BRANCH: Final = "580"
"""The long-term branch that NVIDIA builds driver containers of for Ubuntu's own kernels (NVIDIA
documentation, "Precompiled Driver Containers"); the branch of the chart's own default."""

_TIME_SLICING: Final = "time-slicing"


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuOperatorArgs:
    """Inputs of the operator: what the nodes are, and what it does on them."""

    containerd_folder: str
    """Folder of `config.toml`, which imports `config-v3.toml.d/*.toml` beside it."""
    containerd_socket: str
    profile: GpuProfile
    """What the contract promises: the operator's daemons go wherever its pods may."""
    driver: Literal["install", "precompiled", "preinstalled"] = "install"
    pods_per_gpu: int = 1
    """Pods that take turns on one GPU; 1 gives each its own."""


class GpuOperator(pulumi.ComponentResource):
    """The operator, its namespace, and through it driver, toolkit, device plugin and DCGM exporter.

    The release is up once the operator itself runs; its daemons come and go with GPU servers, and
    nothing waits for them: a pod that asks for a GPU is pending until the device plugin has told
    kubelet of one. It makes no ServiceMonitor: its kind comes with the platform, later, and two
    owners would scrape twice. The platform owns monitoring and finds the exporter by the contract.
    The provider in `opts` must reach the cluster.
    """

    release: kubernetes.helm.v3.Release

    def __init__(
        self,
        name: str,
        args: GpuOperatorArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Install the operator once all of `after` is there: nodes that run pods."""
        super().__init__("llmp:substrate:GpuOperator", name, None, opts)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=GPU_OPERATOR_NAMESPACE,
                # Driver and toolkit change the host; nothing less lets them in.
                labels={"pod-security.kubernetes.io/enforce": "privileged"},
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.release = kubernetes.helm.v3.Release(
            f"{name}-release",
            name=GPU_OPERATOR.chart,
            namespace=GPU_OPERATOR_NAMESPACE,
            chart=GPU_OPERATOR.chart,
            version=GPU_OPERATOR.version,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=GPU_OPERATOR.repository),
            values=gpu_operator_values(args),
            atomic=True,
            max_history=5,
            timeout=RELEASE_TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )
        self.register_outputs({"namespace": GPU_OPERATOR_NAMESPACE})


def gpu_operator_values(args: GpuOperatorArgs) -> dict[str, Any]:
    """Return the values of the chart (v26.3).

    The runtime goes into the folder of drop-ins, because k3s writes the configuration itself anew
    at every start; that one is read, as a file, since no host has a `containerd` command to ask.
    Pods get a GPU by the runtime class alone, so that nothing changes for the others. What is left
    to the chart are its images, which it pins. No MIG: the contract knows whole GPUs and shared
    ones.
    """
    tolerations = _tolerations(args.profile)
    configuration = f"{args.containerd_folder}/config.toml"
    return {
        "operator": {"runtimeClass": GPU_RUNTIME_CLASS},
        "driver": _driver(args),
        "toolkit": {
            "enabled": True,
            "env": [
                {"name": "CONTAINERD_CONFIG", "value": configuration},
                {"name": "RUNTIME_CONFIG_SOURCE", "value": f"file={configuration}"},
                {
                    "name": "RUNTIME_DROP_IN_CONFIG",
                    "value": f"{args.containerd_folder}/config-v3.toml.d/99-nvidia.toml",
                },
                {"name": "CONTAINERD_SOCKET", "value": args.containerd_socket},
                {"name": "CONTAINERD_RUNTIME_CLASS", "value": GPU_RUNTIME_CLASS},
                {"name": "CONTAINERD_SET_AS_DEFAULT", "value": "false"},
            ],
        },
        "dcgmExporter": {"enabled": True, "serviceMonitor": {"enabled": False}},
        "devicePlugin": {"enabled": True, **_sharing(args.pods_per_gpu)},
        "migManager": {"enabled": False},
        "daemonsets": {"tolerations": tolerations},
        # It finds the GPUs, and has tolerations of its own.
        "node-feature-discovery": {"worker": {"tolerations": tolerations}},
    }


def _tolerations(profile: GpuProfile) -> list[dict[str, str]]:
    taints = {taint.key: taint for pool in profile.pools for taint in pool.taints}
    others = [taint.toleration() for key, taint in taints.items() if key != GPU_TOLERATION.key]
    return [each.to_kubernetes() for each in (GPU_TOLERATION, *others)]


def _driver(args: GpuOperatorArgs) -> dict[str, Any]:
    match args.driver:
        case "preinstalled":
            return {"enabled": False}
        case "precompiled":
            return {"enabled": True, "usePrecompiled": True, "version": PRECOMPILED_DRIVER_BRANCH}
        case "install":
            return {"enabled": True}


def _sharing(pods_per_gpu: int) -> Mapping[str, Any]:
    """Return the device plugin's configuration for shared GPUs, none where each pod has its own.

    The resource keeps its name, because the contract knows `nvidia.com/gpu` alone. More than one is
    refused: two shares may be of the same GPU, and bring nothing (NVIDIA/k8s-device-plugin, "With
    CUDA Time-Slicing").
    """
    if pods_per_gpu == 1:
        return {}
    configuration = {
        "version": "v1",
        "sharing": {
            "timeSlicing": {
                "renameByDefault": False,
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": "nvidia.com/gpu", "replicas": pods_per_gpu}],
            }
        },
    }
    return {
        "config": {
            "create": True,
            "name": _TIME_SLICING,
            "default": _TIME_SLICING,
            "data": {_TIME_SLICING: yaml.safe_dump(configuration, sort_keys=False)},
        }
    }
