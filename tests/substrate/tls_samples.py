"""Authorities and certificates of a Kubernetes API that the tests share."""

from sandbox.provider.tls_material import (
    certificate_request,
    locally_signed_certificate,
    private_key,
    self_signed_certificate,
)


def authority(name: str) -> dict[str, str]:
    """Return a new authority with its key."""
    key = private_key({"algorithm": "ECDSA", "ecdsaCurve": "P256"})[1]["privateKeyPem"]
    inputs = {
        "privateKeyPem": key,
        "subject": {"commonName": name},
        "isCaCertificate": True,
        "allowedUses": ["digital_signature", "key_encipherment", "cert_signing"],
        "validityPeriodHours": 1,
    }
    return {"key": key, "certificate": self_signed_certificate(inputs)[1]["certPem"]}


def signed(
    issuer: dict[str, str], use: str, names: dict[str, list[str]] | None = None
) -> dict[str, str]:
    """Return a certificate with its key; without names, one for the address 127.0.0.1."""
    key = private_key({"algorithm": "ECDSA", "ecdsaCurve": "P256"})[1]["privateKeyPem"]
    asked = {
        "privateKeyPem": key,
        "subject": {"commonName": use, "organization": "system:masters"},
        **({"ipAddresses": ["127.0.0.1"]} if names is None else names),
    }
    inputs = {
        "certRequestPem": certificate_request(asked)[1]["certRequestPem"],
        "caCertPem": issuer["certificate"],
        "caPrivateKeyPem": issuer["key"],
        "allowedUses": ["digital_signature", use],
        "validityPeriodHours": 1,
    }
    return {"key": key, "certificate": locally_signed_certificate(inputs)[1]["certPem"]}
