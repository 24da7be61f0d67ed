"""An AppProject: what its Applications may read from and write to."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.platform.catalogue import CatalogueEntry
from components.platform.manifests import project_manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoProjectArgs:
    """Inputs of one AppProject."""

    project: str
    """Its name."""
    entries: Sequence[CatalogueEntry]
    """Those that belong to it."""
    repository: str
    """Git repository of our own charts."""


class ArgoProject(pulumi.ComponentResource):
    """One AppProject: the platform's own, or that of what a tenant has in the cluster.

    It lists exactly the sources of its entries, their namespaces, and the cluster-scoped kinds of
    their charts. It does not own the `default` project, which nothing of ours uses.
    """

    project: CustomResource

    def __init__(
        self,
        name: str,
        args: ArgoProjectArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the AppProject once all of `after` is there."""
        super().__init__("llmp:platform:ArgoProject", name, None, opts)
        manifest = project_manifest(args.project, args.entries, args.repository)
        self.project = CustomResource(
            f"{name}-appproject",
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=ObjectMetaArgs(**manifest["metadata"]),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({"name": args.project})
