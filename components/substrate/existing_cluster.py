"""A cluster that is already there: what it lacks before Argo CD can take over."""

from dataclasses import dataclass

import pulumi

from components.contract import SubstrateContract
from components.substrate.argocd import ArgoCd, ArgoCdArgs, ArgoCdSignIn


@dataclass(frozen=True, kw_only=True, slots=True)
class ExistingClusterArgs:
    """Inputs of the substrate: plain data, because it decides which resources exist."""

    contract: SubstrateContract
    install_argo_cd: bool
    """False where Argo CD is there already, in the namespace argocd."""
    high_availability: bool = False
    """Two replicas of what Argo CD answers with."""
    argo_cd_sign_in: ArgoCdSignIn | None = None
    """How Argo CD's users sign in; None for its local admin alone."""


class ExistingCluster(pulumi.ComponentResource):
    """Argo CD on a cluster that somebody else made, or nothing where it has Argo CD too.

    The Kubernetes provider comes from the parent's options. It owns nothing of the cluster itself.
    """

    contract: SubstrateContract

    def __init__(
        self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Install Argo CD if asked to."""
        super().__init__("llmp:substrate:ExistingCluster", name, None, opts)
        self.contract = args.contract
        if args.install_argo_cd:
            ArgoCd(
                f"{name}-argo-cd",
                ArgoCdArgs(
                    contract=args.contract,
                    high_availability=args.high_availability,
                    sign_in=args.argo_cd_sign_in,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"contract": self.contract.to_output()})
