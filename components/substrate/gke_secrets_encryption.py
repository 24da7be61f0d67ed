"""The right of GKE itself to use the key that encrypts a cluster's Secrets."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeSecretsEncryptionArgs:
    """Inputs of the right."""

    project: str
    """Project of the cluster; the key may be in another."""
    key: str
    """Full name of a key of Cloud KMS, which is there already."""


class GkeSecretsEncryption(pulumi.ComponentResource):
    """Lets GKE encrypt and decrypt with one key, and with no other.

    It owns neither key nor cluster. The cluster is made after it and deleted before it: without the
    right, no control plane starts (GKE docs, "Encrypt secrets at the application layer"). Where the
    cluster takes another key, the right on the old one goes last, after GKE has encrypted
    everything anew.
    """

    key: pulumi.Output[str]
    """The same key, once GKE may use it."""

    def __init__(
        self, name: str, args: GkeSecretsEncryptionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeSecretsEncryption", name, None, opts)
        # Google makes GKE's account with the project's first cluster; this makes it now, and says
        # what it is called, which the project's number is part of.
        agent = gcp.projects.ServiceIdentity(
            f"{name}-gke",
            project=args.project,
            service="container.googleapis.com",
            opts=pulumi.ResourceOptions(parent=self),
        )
        right = gcp.kms.CryptoKeyIAMMember(
            f"{name}-key",
            crypto_key_id=args.key,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=agent.member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key = right.crypto_key_id
        self.register_outputs({"key": self.key})
