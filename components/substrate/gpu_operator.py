"""NVIDIA's GPU Operator, for clusters whose nodes bring no GPU stack of their own. Never on GKE."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.substrate.gpu_profile import (
    GPU_OPERATOR_NAMESPACE,
    GPU_RUNTIME_CLASS,
    GPU_TOLERATION,
)
from components.versions import GPU_OPERATOR

RELEASE_TIMEOUT_SECONDS: Final = 900


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuOperatorArgs:
    """Inputs of the operator: where containerd is on the nodes."""

    containerd_folder: str
    """Folder of `config.toml`, which imports `config-v3.toml.d/*.toml` beside it."""
    containerd_socket: str


class GpuOperator(pulumi.ComponentResource):
    """The operator, its namespace, and through it driver, toolkit, device plugin and DCGM exporter.

    The release is up once the operator itself runs; its daemons come and go with GPU servers. It
    makes no ServiceMonitor: the platform owns monitoring, and finds the exporter by the contract.
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
    Pods get a GPU by the runtime class alone, so that nothing changes for the others.
    """
    configuration = f"{args.containerd_folder}/config.toml"
    return {
        "operator": {"runtimeClass": GPU_RUNTIME_CLASS},
        "driver": {"enabled": True},
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
        "daemonsets": {"tolerations": [GPU_TOLERATION.to_kubernetes()]},
    }
