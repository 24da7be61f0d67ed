"""A Google identity for one Kubernetes service account."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeWorkloadIdentityArgs:
    """Inputs of one identity."""

    project: str
    workload_pool: str
    account_id: str
    """6 to 30 characters."""
    display_name: str
    namespace: str
    service_account: str
    """Kubernetes service account, which must carry the annotation of the contract."""
    cluster: pulumi.Resource
    """What makes the identity pool: without any cluster, the pool does not exist."""


class GkeWorkloadIdentity(pulumi.ComponentResource):
    """A Google service account that one Kubernetes service account may act as, without a key.

    It owns no permission: whoever owns a secret, bucket or zone grants it there.
    """

    email: pulumi.Output[str]
    member: pulumi.Output[str]
    """The account as IAM policies name it."""

    def __init__(
        self, name: str, args: GkeWorkloadIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeWorkloadIdentity", name, None, opts)
        account = gcp.serviceaccount.Account(
            f"{name}-account",
            project=args.project,
            account_id=args.account_id,
            display_name=args.display_name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.serviceaccount.IAMMember(
            f"{name}-binding",
            service_account_id=account.name,
            role="roles/iam.workloadIdentityUser",
            member=(
                f"serviceAccount:{args.workload_pool}[{args.namespace}/{args.service_account}]"
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.cluster]),
        )
        self.email = account.email
        self.member = account.member
        self.register_outputs({"email": self.email, "member": self.member})
