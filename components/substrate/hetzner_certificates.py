"""The certificate authorities of a k3s cluster, and the certificate of its administrator."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_tls as tls

from components.substrate.hetzner_k3s import CertificateAuthority, ClusterAuthorities

ECDSA_CURVE: Final = "P256"
"""What k3s itself takes for every authority (k3s, generate-custom-ca-certs.sh)."""

SERVICE_ACCOUNT_KEY_BITS: Final = 2048
"""k3s signs service account tokens with RSA (the same script)."""

AUTHORITY_HOURS: Final = 10 * 365 * 24
"""k3s's own authorities last 10 years (k3s documentation, "k3s certificate")."""

ADMIN_HOURS: Final = 365 * 24
ADMIN_RENEWAL_HOURS: Final = 90 * 24
"""An `up` in the last 90 days of the administrator's certificate makes a new one."""

# The running cluster holds what was made first: no change of ours may ever make another one.
_KEY_INPUTS: Final = ["algorithm", "ecdsa_curve", "rsa_bits"]
_AUTHORITY_INPUTS: Final = [
    "allowed_uses",
    "is_ca_certificate",
    "subject",
    "validity_period_hours",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerCertificatesArgs:
    """Inputs of the certificates."""

    cluster_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Authority:
    key: tls.PrivateKey
    certificate: tls.SelfSignedCert

    @property
    def pems(self) -> pulumi.Output[CertificateAuthority]:
        return pulumi.Output.all(self.certificate.cert_pem, self.key.private_key_pem).apply(
            lambda pems: CertificateAuthority(certificate=pems[0], private_key=pems[1])
        )


class HetznerCertificates(pulumi.ComponentResource):
    """Everything that k3s would otherwise make on its first start, made before there is a server.

    So the kubeconfig is known without reaching into a server. The private keys are in the state,
    where Pulumi encrypts them as secrets, and in the user data of the first server; nowhere else.
    """

    authorities: pulumi.Output[ClusterAuthorities]
    """Secret."""
    server_ca: pulumi.Output[str]
    """Certificate that the API's own certificate is checked against, as PEM."""
    admin_certificate: pulumi.Output[str]
    """Client certificate of group system:masters, as PEM."""
    admin_key: pulumi.Output[str]
    """Key of the administrator's certificate, as PEM. Secret."""
    service_account_public_key: pulumi.Output[str]
    """What service account tokens are checked with, as PEM."""

    def __init__(
        self, name: str, args: HetznerCertificatesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create keys, authorities and the administrator's certificate."""
        super().__init__("llmp:substrate:HetznerCertificates", name, None, opts)
        server = self._authority(f"{name}-server", args, "server")
        client = self._authority(f"{name}-client", args, "client")
        request_header = self._authority(f"{name}-request-header", args, "request-header")
        etcd_server = self._authority(f"{name}-etcd-server", args, "etcd-server")
        etcd_peer = self._authority(f"{name}-etcd-peer", args, "etcd-peer")
        service_account_key = tls.PrivateKey(
            f"{name}-service-account-key",
            algorithm="RSA",
            rsa_bits=SERVICE_ACCOUNT_KEY_BITS,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=_KEY_INPUTS),
        )
        self.authorities = pulumi.Output.all(
            server.pems,
            client.pems,
            request_header.pems,
            etcd_server.pems,
            etcd_peer.pems,
            service_account_key.private_key_pem,
        ).apply(
            lambda pems: ClusterAuthorities(
                server=pems[0],
                client=pems[1],
                request_header=pems[2],
                etcd_server=pems[3],
                etcd_peer=pems[4],
                service_account_key=pems[5],
            )
        )
        admin_key = self._key(f"{name}-admin-key")
        admin_request = tls.CertRequest(
            f"{name}-admin-request",
            private_key_pem=admin_key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(
                common_name=f"{args.cluster_name}-admin",
                # Kubernetes reads the organization as the group; this one may do everything.
                organization="system:masters",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        admin = tls.LocallySignedCert(
            f"{name}-admin",
            ca_cert_pem=client.certificate.cert_pem,
            ca_private_key_pem=client.key.private_key_pem,
            cert_request_pem=admin_request.cert_request_pem,
            allowed_uses=["digital_signature", "key_encipherment", "client_auth"],
            validity_period_hours=ADMIN_HOURS,
            early_renewal_hours=ADMIN_RENEWAL_HOURS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.server_ca = server.certificate.cert_pem
        self.admin_certificate = admin.cert_pem
        self.admin_key = admin_key.private_key_pem
        self.service_account_public_key = service_account_key.public_key_pem
        self.register_outputs({"server_ca": self.server_ca})

    def _key(self, resource_name: str) -> tls.PrivateKey:
        return tls.PrivateKey(
            resource_name,
            algorithm="ECDSA",
            ecdsa_curve=ECDSA_CURVE,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=_KEY_INPUTS),
        )

    def _authority(
        self, resource_name: str, args: HetznerCertificatesArgs, role: str
    ) -> _Authority:
        key = self._key(f"{resource_name}-ca-key")
        certificate = tls.SelfSignedCert(
            f"{resource_name}-ca",
            private_key_pem=key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{args.cluster_name}-{role}-ca"),
            is_ca_certificate=True,
            allowed_uses=["digital_signature", "key_encipherment", "cert_signing"],
            validity_period_hours=AUTHORITY_HOURS,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=_AUTHORITY_INPUTS),
        )
        return _Authority(key=key, certificate=certificate)
