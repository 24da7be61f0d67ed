"""The tls provider: real keys and certificates, kept nowhere but in the state.

Unlike the real one it never finds a certificate ready for renewal: no sandbox lives that long.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.provider.drawn import DrawnPackage
from sandbox.provider.package import ProviderError
from sandbox.provider.tls_material import (
    Drawn,
    MaterialError,
    certificate_request,
    locally_signed_certificate,
    private_key,
    self_signed_certificate,
)
from sandbox.provider.values import Properties

_MAKERS: dict[str, Callable[[Mapping[str, Any]], Drawn]] = {
    "tls:index/privateKey:PrivateKey": private_key,
    "tls:index/certRequest:CertRequest": certificate_request,
    "tls:index/selfSignedCert:SelfSignedCert": self_signed_certificate,
    "tls:index/locallySignedCert:LocallySignedCert": locally_signed_certificate,
}


class TlsPackage(DrawnPackage):
    """Makes keys and certificates when they are created and never again."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("tls")

    def draw(self, token: str, inputs: Properties) -> tuple[str, Properties]:
        """Make the key, request or certificate."""
        try:
            identifier, outputs = _MAKERS[token](inputs)
        except MaterialError as error:
            raise ProviderError(str(error)) from error
        return identifier, outputs
