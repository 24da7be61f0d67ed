"""The lab's certificate authority. Its keys live as long as one lab, in a folder of its own."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID: Final = dt.timedelta(days=2)
CLOCK_SKEW: Final = dt.timedelta(hours=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, valid: dt.timedelta) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + valid)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateAuthority:
    """An authority that signs for servers and clients of the lab."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @classmethod
    def create(
        cls,
        common_name: str = "llmp lab",
        *,
        dns: Sequence[str] = (),
        valid: dt.timedelta = VALID,
        rsa_bits: int | None = None,
    ) -> "CertificateAuthority":
        """Make a new authority.

        Args:
            common_name: what it is called.
            dns: names in its certificate, which some programs look for in an authority's too.
            valid: how long it is.
            rsa_bits: length of its key for programs that read RSA alone; None for a shorter kind.
        """
        key = (
            ec.generate_private_key(ec.SECP256R1())
            if rsa_bits is None
            else rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
        )
        name = _name(common_name)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(name, name, valid)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        if dns:
            names = x509.SubjectAlternativeName([x509.DNSName(one) for one in dns])
            builder = builder.add_extension(names, critical=False)
        return cls(certificate=builder.sign(key, hashes.SHA256()), key=key)

    @property
    def certificate_pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The authority's private key, for programs that go on signing with it."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            # The one that says which algorithm it is for, which is what such programs read.
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )

    def issue(  # noqa: PLR0913 - what a certificate says
        self,
        common_name: str,
        *,
        dns: Sequence[str] = (),
        addresses: Sequence[str] = (),
        server: bool = False,
        client: bool = False,
        valid: dt.timedelta = VALID,
    ) -> tuple[bytes, bytes]:
        """Sign a new key.

        Args:
            common_name: whom it is for; the user name of a Kubernetes client.
            dns: names of a server.
            addresses: IP addresses of a server.
            server: whether it may be a server.
            client: whether it may be a client.
            valid: how long the certificate is.

        Returns:
            Certificate and private key, both PEM.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] if server else []
        usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
        names = [x509.DNSName(one) for one in dns]
        ips = [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        builder = (
            _builder(_name(common_name), self.certificate.subject, valid)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if names or ips:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([*names, *ips]), critical=False
            )
        certificate = builder.sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def write_private(target: Path, content: str | bytes) -> None:
    """Write a file that nobody else may read, also while it is being written."""
    target.touch(mode=0o600)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
