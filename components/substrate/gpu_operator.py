"""NVIDIA's GPU Operator, for clusters whose nodes bring no GPU stack of their own. Never on GKE."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.substrate.gpu_profile import (
    GPU_OPERATOR_NAMESPACE,
    GPU_RUNTIME_CLASS,
    GPU_TAINT,
)
from components.versions import GPU_OPERATOR

RELEASE_TIMEOUT_SECONDS: Final = 900

_K3S_CONTAINERD: Final = "/var/lib/rancher/k3s/agent/etc/containerd"


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuOperatorArgs:
    """Inputs of the operator. Its version is a pin; its values follow from k3s."""

    after: tuple[pulumi.Resource, ...] = ()
    """What must be there first: a cluster whose nodes run pods."""


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
    ) -> None:
        """Install the operator."""
        super().__init__("llmp:substrate:GpuOperator", name, None, opts)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=GPU_OPERATOR_NAMESPACE,
                # Driver and toolkit change the host; nothing less lets them in.
                labels={"pod-security.kubernetes.io/enforce": "privileged"},
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.release = kubernetes.helm.v3.Release(
            f"{name}-release",
            name="gpu-operator",
            namespace=GPU_OPERATOR_NAMESPACE,
            chart=GPU_OPERATOR.chart,
            version=GPU_OPERATOR.version,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=GPU_OPERATOR.repository),
            values=gpu_operator_values(),
            timeout=RELEASE_TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )
        self.register_outputs({"namespace": GPU_OPERATOR_NAMESPACE})


def gpu_operator_values() -> dict[str, Any]:
    """Return the values of the chart (v26.3) for containerd as k3s runs it.

    k3s writes its containerd's configuration anew at every start, so the runtime goes into the
    folder of drop-ins that it imports; the configuration itself is only read. No host has a
    `containerd` command that could be asked for it. Pods get a GPU by the runtime class alone, so
    that nothing changes for the others.
    """
    return {
        "driver": {"enabled": True},
        "toolkit": {
            "enabled": True,
            "env": [
                {"name": "CONTAINERD_CONFIG", "value": f"{_K3S_CONTAINERD}/config.toml"},
                {
                    "name": "RUNTIME_CONFIG_SOURCE",
                    "value": f"file={_K3S_CONTAINERD}/config.toml",
                },
                {
                    "name": "RUNTIME_DROP_IN_CONFIG",
                    "value": f"{_K3S_CONTAINERD}/config-v3.toml.d/99-nvidia.toml",
                },
                {"name": "CONTAINERD_SOCKET", "value": "/run/k3s/containerd/containerd.sock"},
                {"name": "CONTAINERD_RUNTIME_CLASS", "value": GPU_RUNTIME_CLASS},
                {"name": "CONTAINERD_SET_AS_DEFAULT", "value": "false"},
            ],
        },
        "operator": {"runtimeClass": GPU_RUNTIME_CLASS},
        "dcgmExporter": {"enabled": True, "serviceMonitor": {"enabled": False}},
        "daemonsets": {"tolerations": [GPU_TAINT.to_kubernetes()]},
    }
