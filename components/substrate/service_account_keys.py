"""The key set by which others check the service account tokens of a Kubernetes cluster."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def key_set(public_key_pem: str) -> str:
    """Return what the API server answers at `/openid/v1/jwks`, as JSON.

    Args:
        public_key_pem: Of the one RSA key that signs the tokens.

    Raises:
        ValueError: it is no public key of RSA as PEM.
    """
    key = serialization.load_pem_public_key(public_key_pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        msg = "service account tokens are signed with RSA here, and this is another kind of key"
        raise ValueError(msg)  # noqa: TRY004 - the text is wrong, not its type
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    numbers = key.public_numbers()
    found = {
        "use": "sig",
        "kty": "RSA",
        # As the API server writes it into the head of each token (Kubernetes, keyIDFromPublicKey).
        "kid": _base64(hashlib.sha256(encoded).digest()),
        "alg": "RS256",
        "n": _base64(_bytes(numbers.n)),
        "e": _base64(_bytes(numbers.e)),
    }
    return json.dumps({"keys": [found]}, sort_keys=True)


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
