"""How pods get GPUs: what all substrates share, and what NVIDIA's GPU Operator promises."""

from typing import Final

from components.contract import ANNOTATION_PREFIX, DcgmExporter, GpuPool, GpuProfile, Toleration

GPU_OPERATOR_NAMESPACE: Final = "gpu-operator"
GPU_RUNTIME_CLASS: Final = "nvidia"
"""Off GKE a pod sees its GPU only through this class."""

GPU_TOLERATION: Final = Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")
"""What GPU pods tolerate: the taint that GKE puts on GPU nodes, and that keeps other pods off GPU
servers elsewhere. The GPU Operator's own daemons tolerate it by default."""

DCGM_POD_LABELS: Final = {"app": "nvidia-dcgm-exporter"}
DCGM_PORT: Final = "metrics"
"""Label and port name of the exporter that the operator runs (GPU Operator v26.3 manifests)."""

NODE_POOL_LABEL: Final = ANNOTATION_PREFIX + "pool"
NODE_PRODUCT_LABEL: Final = ANNOTATION_PREFIX + "gpu-product"
"""Labels that nodes of ours have from their first second. What feature discovery writes comes
later, and says another product where GPUs are shared: it appends `-SHARED` (NVIDIA documentation,
"Time-Slicing GPUs in Kubernetes")."""


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


def pools_profile(pools: tuple[GpuPool, ...]) -> GpuProfile:
    """Return the profile of GPU servers that the substrate knows, and labels, one by one."""
    return operator_profile(
        products=tuple(dict.fromkeys(pool.product for pool in pools)),
        max_gpus=sum(pool.gpus for pool in pools),
        max_gpus_per_node=max((pool.gpus_per_node for pool in pools), default=0),
    ).model_copy(update={"pools": pools, "product_label": NODE_PRODUCT_LABEL})
