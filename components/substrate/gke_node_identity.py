"""The Google identity of a cluster's nodes."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

NODE_ROLES: Final = {"node": "roles/container.defaultNodeServiceAccount"}
"""The least that GKE's own agents need: to write logs and metrics, and to list which kinds of
metrics there are (GKE docs, "Use least privilege IAM service accounts"). The older set of four
roles could read every metric of the project as well."""

STREAMING_ROLES: Final = {"streaming": "roles/serviceusage.serviceUsageConsumer"}
"""What image streaming needs beside them: the right to use APIs that are on, which reads nothing
(GKE docs, "Use Image streaming to pull container images")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeNodeIdentityArgs:
    """Inputs of the identity."""

    project: str
    cluster_name: str
    account_id: str
    """6 to 30 characters."""
    streams_images: bool = False
    """Whether any node streams images."""


class GkeNodeIdentity(pulumi.ComponentResource):
    """A service account that may write logs and metrics, and nothing else in the project.

    It replaces the default service account of Compute Engine, which may edit the whole project. It
    may read the model repository too, which `GkeModelRegistry` grants on that repository alone.
    """

    email: pulumi.Output[str]
    member: pulumi.Output[str]
    """The account as IAM policies name it."""

    def __init__(
        self, name: str, args: GkeNodeIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeNodeIdentity", name, None, opts)
        account = gcp.serviceaccount.Account(
            f"{name}-account",
            project=args.project,
            account_id=args.account_id,
            display_name=f"Nodes of GKE cluster {args.cluster_name}",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.email = account.email
        self.member = account.member
        roles = NODE_ROLES | STREAMING_ROLES if args.streams_images else NODE_ROLES
        for purpose, role in roles.items():
            gcp.projects.IAMMember(
                f"{name}-{purpose}",
                project=args.project,
                role=role,
                member=account.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"email": self.email, "member": self.member})
