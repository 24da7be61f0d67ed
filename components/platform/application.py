"""One Argo CD Application for one catalogue entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.platform.catalogue import CatalogueEntry
from components.platform.manifests import application_manifest

DELETE_TIMEOUT: Final = "15m"
"""Deleting an Application waits for its objects; a load balancer can take ten minutes to go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoApplicationArgs:
    """Inputs of one Application."""

    entry: CatalogueEntry
    repository: str
    """Git repository of our own charts."""
    revision: str
    """Git revision of our own charts."""
    is_gate: bool
    """Whether other entries wait for this one."""


class ArgoApplication(pulumi.ComponentResource):
    """The Application object of one catalogue entry.

    It does not own what Argo CD makes of it. Edges to other Applications are the caller's, by
    `depends_on` of `requires`.
    """

    application: CustomResource

    def __init__(
        self,
        name: str,
        args: ArgoApplicationArgs,
        opts: pulumi.ResourceOptions | None = None,
        requires: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the Application after all of `requires`."""
        super().__init__("llmp:platform:ArgoApplication", name, None, opts)
        manifest = application_manifest(
            args.entry, args.repository, args.revision, is_gate=args.is_gate
        )
        self.application = CustomResource(
            f"{name}-application",
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=ObjectMetaArgs(**manifest["metadata"]),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(requires),
                custom_timeouts=pulumi.CustomTimeouts(delete=DELETE_TIMEOUT),
            ),
        )
        self.register_outputs({"name": args.entry.name})
