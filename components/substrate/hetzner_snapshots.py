"""Where the control-plane servers of a k3s cluster copy their snapshots of etcd to."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.substrate.hetzner_k3s import SNAPSHOT_RETENTION, SNAPSHOT_STORE_SECRET
from components.substrate.hetzner_topology import HetznerTopology, ObjectStorage

SECRET_TYPE: Final = "etcd.k3s.cattle.io/s3-config-secret"  # noqa: S105 - a type, not a value


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectStorageKeys:
    """What a client of an object storage signs its requests with. Secret."""

    access_key: pulumi.Input[str]
    secret_key: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerSnapshotStoreArgs:
    """Inputs of the store."""

    topology: HetznerTopology
    object_storage: ObjectStorage
    keys: ObjectStorageKeys
    deleted_with: pulumi.Resource
    """The first server: once it goes, this goes with it."""


class HetznerSnapshotStore(pulumi.ComponentResource):
    """The Secret that k3s reads at each snapshot, on every control-plane server.

    Servers know it by name from their first boot, so that a store that is named later, or other
    keys, reach those that run. The bucket is not made here: it has to outlive the cluster. A
    snapshot holds every Secret of the cluster as etcd has it, encrypted; the keys for that are in
    it too, encrypted with the server's join token (k3s documentation, "k3s etcd-snapshot").
    """

    def __init__(
        self,
        name: str,
        args: HetznerSnapshotStoreArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the Secret. The provider in `opts` must reach the cluster."""
        super().__init__("llmp:substrate:HetznerSnapshotStore", name, None, opts)
        storage = args.object_storage
        kubernetes.core.v1.Secret(
            f"{name}-config",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=SNAPSHOT_STORE_SECRET, namespace="kube-system"
            ),
            type=SECRET_TYPE,
            string_data={
                "etcd-s3-endpoint": storage.endpoint,
                "etcd-s3-region": storage.region,
                "etcd-s3-bucket": storage.bucket,
                "etcd-s3-folder": snapshot_folder(args.topology),
                # All servers write into one folder, and k3s counts what lies there.
                "etcd-s3-retention": str(SNAPSHOT_RETENTION * args.topology.control_plane.count),
                "etcd-s3-access-key": pulumi.Output.secret(args.keys.access_key),
                "etcd-s3-secret-key": pulumi.Output.secret(args.keys.secret_key),
            },
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.deleted_with),
        )
        self.register_outputs({})


def snapshot_folder(topology: HetznerTopology) -> str:
    """Return the folder of the bucket that holds the cluster's snapshots, and nothing else."""
    return f"{topology.cluster_name}/etcd"
