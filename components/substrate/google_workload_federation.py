"""Google's trust in the service account tokens of a cluster that is not Google's."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.substrate.workload_federation import PROVIDER_ID, WorkloadFederation, subject

GOOGLE_SERVICES: Final = ("iam", "sts", "secretmanager")
"""APIs that a cluster's secrets in Secret Manager need, without `.googleapis.com`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoogleWorkloadFederationArgs:
    """Inputs of the trust."""

    federation: WorkloadFederation
    cluster_name: str
    issuer: str
    """What the tokens say who signed them. Google need not reach it: it has the key set."""
    key_set: pulumi.Input[str]
    """Public keys of the tokens, as JSON (RFC 7517)."""
    namespace: str
    service_account: str
    """The one service account that is trusted."""


class GoogleWorkloadFederation(pulumi.ComponentResource):
    """A workload identity pool with one provider, for one service account of one cluster.

    There is no key and no service account of Google: a token of the cluster, made for this provider
    and good for an hour, becomes a token of Google. It owns no permission: whoever owns a secret
    grants it there. Who can make tokens of that service account, or holds the cluster's signing
    key, is that member.

    Google keeps the id of a pool that was deleted for 30 days (IAM docs, "Manage workload identity
    pools and providers"): a stack that is made anew sooner takes another one.
    """

    member: pulumi.Output[str]
    """The service account as IAM policies name it, once the pool exists."""

    def __init__(
        self,
        name: str,
        args: GoogleWorkloadFederationArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create pool and provider."""
        super().__init__("llmp:substrate:GoogleWorkloadFederation", name, None, opts)
        federation = args.federation
        pool = gcp.iam.WorkloadIdentityPool(
            f"{name}-pool",
            project=federation.project,
            workload_identity_pool_id=federation.pool_id,
            description=f"Service accounts of Kubernetes cluster {args.cluster_name}",
            opts=pulumi.ResourceOptions(parent=self),
        )
        provider = gcp.iam.WorkloadIdentityPoolProvider(
            f"{name}-provider",
            project=federation.project,
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id=PROVIDER_ID,
            # Only this provider's own name is taken as audience: that is what an empty list means.
            oidc=gcp.iam.WorkloadIdentityPoolProviderOidcArgs(
                issuer_uri=args.issuer, jwks_json=args.key_set
            ),
            attribute_mapping={"google.subject": "assertion.sub"},
            attribute_condition=(
                f"assertion.sub == '{subject(args.namespace, args.service_account)}'"
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        member = federation.member(args.namespace, args.service_account)
        self.member = provider.name.apply(lambda _: member)
        self.register_outputs({"member": self.member})
