"""How pods get GPUs: what all substrates share, and what NVIDIA's GPU Operator promises."""

from typing import Final

from components.contract import DcgmExporter, GpuProfile, Toleration

GPU_OPERATOR_NAMESPACE: Final = "gpu-operator"
GPU_RUNTIME_CLASS: Final = "nvidia"
"""Off GKE a pod sees its GPU only through this class."""

GPU_TOLERATION: Final = Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
"""What GPU pods tolerate: the taint that GKE puts on GPU nodes, and that keeps other pods off GPU
servers elsewhere. The GPU Operator's own daemons tolerate it by default."""

DCGM_POD_LABELS: Final = {"app": "nvidia-dcgm-exporter"}
DCGM_PORT: Final = "metrics"
"""Label and port name of the exporter that the operator runs (GPU Operator v26.3 manifests)."""


def operator_profile(
    *, products: tuple[str, ...], max_gpus: int, max_gpus_per_node: int
) -> GpuProfile:
    """Return the GPU profile of a cluster whose GPU servers are run by the GPU Operator.

    Args:
        products: values of the node label `nvidia.com/gpu.product`, which feature discovery sets.
        max_gpus: GPUs of all servers together.
        max_gpus_per_node: GPUs of the largest server.
    """
    return GpuProfile(
        managed_by="gpu-operator",
        products=products,
        max_gpus=max_gpus,
        max_gpus_per_node=max_gpus_per_node,
        product_label="nvidia.com/gpu.product",
        node_selector={"nvidia.com/gpu.present": "true"},
        tolerations=(GPU_TOLERATION,),
        runtime_class=GPU_RUNTIME_CLASS,
        dcgm=DcgmExporter(
            namespace=GPU_OPERATOR_NAMESPACE, pod_labels=DCGM_POD_LABELS, port=DCGM_PORT
        ),
    )
