"""Real keys and certificates, made as the real tls provider makes them.

Pure functions from the inputs of a resource, under their names on the wire, to its id and computed
values. Source of every choice: terraform-provider-tls (encodings, defaults, key usages, ids).
"""

import base64
import datetime as dt
import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Drawn = tuple[str, dict[str, Any]]

_CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
_SUBJECT: dict[str, ObjectIdentifier] = {
    "commonName": NameOID.COMMON_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "country": NameOID.COUNTRY_NAME,
    "postalCode": NameOID.POSTAL_CODE,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
_KEY_USAGES = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
_EXTENDED_KEY_USAGES: dict[str, ObjectIdentifier] = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Signing:
    """Who is certified, and who signs."""

    subject: x509.Name
    public_key: PublicKey
    names: list[x509.GeneralName]
    key: PrivateKey
    authority: x509.Certificate | None = None
    """None signs itself."""


class MaterialError(ValueError):
    """The inputs hold something that no key or certificate can be made of. Holds no secret."""


def private_key(inputs: Mapping[str, Any]) -> Drawn:
    """Return a new private key: tls.PrivateKey."""
    key = _generate(inputs)
    kind = serialization.PrivateFormat
    traditional = (
        kind.PKCS8 if isinstance(key, ed25519.Ed25519PrivateKey) else kind.TraditionalOpenSSL
    )
    public = key.public_key()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    outputs: dict[str, Any] = {
        "privateKeyPem": _private_pem(key, traditional),
        "privateKeyPemPkcs8": _private_pem(key, kind.PKCS8),
        "publicKeyPem": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode(),
        "privateKeyOpenssh": "",
        "publicKeyOpenssh": "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }
    # SSH knows no P-224; the real provider leaves these empty as well.
    if not (isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp224r1"):
        outputs["privateKeyOpenssh"] = _private_pem(key, kind.OpenSSH)
        line = public.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        outputs["publicKeyOpenssh"] = f"{line.decode()}\n"
        outputs["publicKeyFingerprintMd5"] = _fingerprint(line, "md5")
        outputs["publicKeyFingerprintSha256"] = _fingerprint(line, "sha256")
    return hashlib.sha1(der, usedforsecurity=False).hexdigest(), outputs


def certificate_request(inputs: Mapping[str, Any]) -> Drawn:
    """Return a signing request: tls.CertRequest."""
    key = _load_key(inputs, "privateKeyPem")
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(inputs.get("subject")))
    names = _alternative_names(inputs)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    request = builder.sign(key, _hash_for(key))
    der = request.public_bytes(serialization.Encoding.DER)
    return hashlib.sha1(der, usedforsecurity=False).hexdigest(), {
        "certRequestPem": request.public_bytes(serialization.Encoding.PEM).decode(),
        "keyAlgorithm": _algorithm(key),
    }


def self_signed_certificate(inputs: Mapping[str, Any]) -> Drawn:
    """Return a certificate that signs itself: tls.SelfSignedCert."""
    key = _load_key(inputs, "privateKeyPem")
    signing = _Signing(
        subject=_name(inputs.get("subject")),
        public_key=key.public_key(),
        names=_alternative_names(inputs),
        key=key,
    )
    identifier, outputs = _sign(inputs, signing)
    return identifier, {**outputs, "keyAlgorithm": _algorithm(key)}


def locally_signed_certificate(inputs: Mapping[str, Any]) -> Drawn:
    """Return a certificate that an authority signs: tls.LocallySignedCert."""
    key = _load_key(inputs, "caPrivateKeyPem")
    try:
        authority = x509.load_pem_x509_certificate(inputs["caCertPem"].encode())
        request = x509.load_pem_x509_csr(inputs["certRequestPem"].encode())
    except ValueError as error:
        raise MaterialError(f"caCertPem or certRequestPem can't be read: {error}") from error
    names: list[x509.GeneralName] = []
    for extension in request.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names.extend(extension.value)
    public_key = request.public_key()
    if not isinstance(public_key, PublicKey):
        raise MaterialError("certRequestPem has a key of an unknown kind")
    signing = _Signing(
        subject=request.subject, public_key=public_key, names=names, key=key, authority=authority
    )
    identifier, outputs = _sign(inputs, signing)
    return identifier, {**outputs, "caKeyAlgorithm": _algorithm(key)}


def _sign(inputs: Mapping[str, Any], signing: _Signing) -> Drawn:
    authority = signing.authority
    is_authority = inputs.get("isCaCertificate") is True
    if is_authority and not list(signing.subject):
        raise MaterialError("the certificate of an authority needs a subject")
    start = dt.datetime.now(dt.UTC).replace(microsecond=0)
    end = start + dt.timedelta(hours=inputs["validityPeriodHours"])
    length = inputs.get("maxPathLength")
    builder = (
        x509.CertificateBuilder()
        .subject_name(signing.subject)
        .issuer_name(signing.subject if authority is None else authority.subject)
        .public_key(signing.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(
            x509.BasicConstraints(
                ca=is_authority,
                path_length=length if is_authority and length not in (None, -1) else None,
            ),
            critical=True,
        )
    )
    uses = set(inputs["allowedUses"])
    usages = {field: use in uses for use, field in _KEY_USAGES.items()}
    if any(usages.values()):
        builder = builder.add_extension(x509.KeyUsage(**usages), critical=True)
    extended = [
        _EXTENDED_KEY_USAGES[use] for use in inputs["allowedUses"] if use not in _KEY_USAGES
    ]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if is_authority or inputs.get("setSubjectKeyId") is True:
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(signing.public_key), critical=False
        )
    if authority is not None:
        for extension in authority.extensions:
            if isinstance(extension.value, x509.SubjectKeyIdentifier):
                builder = builder.add_extension(
                    x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value),
                    critical=False,
                )
    if signing.names:
        builder = builder.add_extension(x509.SubjectAlternativeName(signing.names), critical=False)
    certificate = builder.sign(signing.key, _hash_for(signing.key))
    return str(certificate.serial_number), {
        "certPem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "validityStartTime": _timestamp(start),
        "validityEndTime": _timestamp(end),
        "readyForRenewal": False,
    }


def _generate(inputs: Mapping[str, Any]) -> PrivateKey:
    match inputs["algorithm"]:
        case "RSA":
            return rsa.generate_private_key(65537, inputs["rsaBits"])
        case "ECDSA":
            return ec.generate_private_key(_CURVES[inputs["ecdsaCurve"]]())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def _load_key(inputs: Mapping[str, Any], name: str) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(inputs[name].encode(), password=None)
    except ValueError:
        # The library's own words could quote the key.
        raise MaterialError(f"{name} is not a private key in PEM form") from None
    if isinstance(key, PrivateKey):
        return key
    raise MaterialError(f"{name} is a key of an unknown kind")


def _algorithm(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def _hash_for(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _private_pem(key: PrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def _fingerprint(line: bytes, digest: str) -> str:
    blob = base64.b64decode(line.split()[1])
    if digest == "md5":
        text = hashlib.md5(blob, usedforsecurity=False).hexdigest()
        return ":".join(text[index : index + 2] for index in range(0, len(text), 2))
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _name(subject: Mapping[str, Any] | None) -> x509.Name:
    fields: Mapping[str, Any] = {} if subject is None else subject
    return x509.Name(
        [
            x509.NameAttribute(identifier, text)
            for key, identifier in _SUBJECT.items()
            for text in _listed(fields.get(key))
        ]
    )


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    return cast("list[str]", value) if isinstance(value, list) else []


def _alternative_names(inputs: Mapping[str, Any]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _texts(inputs, "dnsNames")]
    try:
        names.extend(
            x509.IPAddress(ipaddress.ip_address(text)) for text in _texts(inputs, "ipAddresses")
        )
    except ValueError as error:
        raise MaterialError(f"ipAddresses: {error}") from error
    names.extend(x509.UniformResourceIdentifier(uri) for uri in _texts(inputs, "uris"))
    return names


def _texts(inputs: Mapping[str, Any], name: str) -> Iterable[str]:
    return inputs.get(name) or ()


def _timestamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
