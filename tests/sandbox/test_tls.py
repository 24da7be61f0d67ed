"""The sandbox's keys and certificates are real ones, made as the real tls provider makes them."""

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from sandbox.provider.package import Naming, ProviderError, Subject
from sandbox.provider.tls import TlsPackage
from sandbox.provider.tls_material import (
    MaterialError,
    certificate_request,
    locally_signed_certificate,
    private_key,
    self_signed_certificate,
)
from sandbox.provider.values import Properties

KEY = "tls:index/privateKey:PrivateKey"
REQUEST = "tls:index/certRequest:CertRequest"
AUTHORITY = "tls:index/selfSignedCert:SelfSignedCert"
SIGNED = "tls:index/locallySignedCert:LocallySignedCert"


def _check(token: str, inputs: Properties) -> list[str]:
    _, failures = TlsPackage().check(Subject(token=token, name="x"), {}, inputs, Naming())
    return [f"{failure.path}: {failure.reason}" for failure in failures]


def _key(algorithm: str = "ECDSA", curve: str = "P256") -> dict[str, str]:
    return private_key({"algorithm": algorithm, "ecdsaCurve": curve, "rsaBits": 2048})[1]


def _authority(key: dict[str, str], **changes: object) -> dict[str, object]:
    inputs = {
        "privateKeyPem": key["privateKeyPem"],
        "subject": {"commonName": "authority"},
        "isCaCertificate": True,
        "allowedUses": ["cert_signing"],
        "validityPeriodHours": 24,
    }
    return self_signed_certificate({**inputs, **changes})[1]


@pytest.mark.parametrize(
    ("algorithm", "kind", "preamble"),
    [
        ("RSA", rsa.RSAPrivateKey, "RSA PRIVATE KEY"),
        ("ECDSA", ec.EllipticCurvePrivateKey, "EC PRIVATE KEY"),
        ("ED25519", ed25519.Ed25519PrivateKey, "PRIVATE KEY"),
    ],
)
def test_a_key_is_in_every_form_that_the_real_provider_gives(
    algorithm: str, kind: type, preamble: str
) -> None:
    key = _key(algorithm)
    assert key["privateKeyPem"].startswith(f"-----BEGIN {preamble}-----\n")
    for name in ("privateKeyPem", "privateKeyPemPkcs8"):
        assert isinstance(load_pem_private_key(key[name].encode(), None), kind)
    assert isinstance(load_ssh_private_key(key["privateKeyOpenssh"].encode(), None), kind)
    assert key["publicKeyFingerprintSha256"].startswith("SHA256:")
    assert key["publicKeyFingerprintMd5"].count(":") == 15


def test_ssh_knows_no_p224() -> None:
    key = _key(curve="P224")
    assert key["privateKeyOpenssh"] == key["publicKeyOpenssh"] == ""


def test_a_certificate_is_signed_by_the_authority_and_by_no_other() -> None:
    authority_key, key = _key(), _key()
    authority, other = _authority(authority_key), _authority(_key())
    request = certificate_request(
        {
            "privateKeyPem": key["privateKeyPem"],
            "subject": {"commonName": "somebody", "organization": "somewhere"},
            "dnsNames": ["a.example.com"],
            "ipAddresses": ["192.0.2.1"],
        }
    )[1]
    identifier, outputs = locally_signed_certificate(
        {
            "caCertPem": authority["certPem"],
            "caPrivateKeyPem": authority_key["privateKeyPem"],
            "certRequestPem": request["certRequestPem"],
            "allowedUses": ["client_auth"],
            "validityPeriodHours": 1,
        }
    )
    certificate = x509.load_pem_x509_certificate(outputs["certPem"].encode())
    trusted = x509.load_pem_x509_certificate(str(authority["certPem"]).encode())
    certificate.verify_directly_issued_by(trusted)
    assert identifier == str(certificate.serial_number)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example.com"]
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate(str(other["certPem"]).encode())
        )


def test_an_authority_without_a_subject_is_refused() -> None:
    with pytest.raises(MaterialError, match="subject"):
        _authority(_key(), subject={})


def test_a_key_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ProviderError) as raised:
        TlsPackage().draw(REQUEST, {"privateKeyPem": "very secret"})
    assert "very secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("token", "inputs", "says"),
    [
        (KEY, {"algorithm": "DSA"}, "algorithm"),
        (KEY, {"algorithm": "ECDSA", "ecdsaCurve": "P111"}, "ecdsaCurve"),
        (KEY, {}, "algorithm: is required"),
        (KEY, {"algorithm": "RSA", "bits": 2048}, "not known here"),
        (REQUEST, {}, "privateKeyPem: is required"),
        (AUTHORITY, {"allowedUses": [], "validityPeriodHours": 1}, "privateKeyPem: is required"),
        (
            AUTHORITY,
            {"privateKeyPem": "x", "allowedUses": ["everything"], "validityPeriodHours": 1},
            "allowedUses[0]",
        ),
        (
            AUTHORITY,
            {"privateKeyPem": "x", "allowedUses": [], "validityPeriodHours": -1},
            "validityPeriodHours",
        ),
        (SIGNED, {"allowedUses": [], "validityPeriodHours": 1}, "caCertPem: is required"),
    ],
)
def test_what_the_real_provider_refuses_is_refused(
    token: str, inputs: Properties, says: str
) -> None:
    assert any(says in failure for failure in _check(token, inputs)), _check(token, inputs)
