# ruff: noqa: INP001 - a module that is mounted beside the scripts that use it.
"""The Kubernetes API, as far as our small Jobs need it. Standard library only, Python 3.9.

Speaks as the pod's service account, with the token and the certificate that Kubernetes mounts.
"""

import json
import os
import pathlib
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Optional

Json = dict[str, Any]

REQUEST_SECONDS = 30


class KubernetesError(Exception):
    """The API server refused a request. Says the status and its reason, never a body of ours."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the HTTP status."""
        super().__init__(message)
        self.status = status


def request(
    method: str,
    path: str,
    body: Optional[Json] = None,  # noqa: UP045 - 3.9
    content_type: str = "application/json",
) -> Json:
    """Return the parsed JSON answer.

    Raises:
        KubernetesError: the API server answered with an error status.
        OSError: it cannot be reached.
    """
    folder = pathlib.Path(
        os.environ.get("SERVICE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount")
    )
    url = os.environ.get("KUBERNETES_URL", "https://kubernetes.default.svc")
    call = urllib.request.Request(  # noqa: S310 - the address is ours
        url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Bearer " + (folder / "token").read_text().strip(),
            "Content-Type": content_type,
        },
    )
    certificate = folder / "ca.crt"
    context = ssl.create_default_context(cafile=str(certificate)) if certificate.exists() else None
    try:
        with urllib.request.urlopen(  # noqa: S310
            call, timeout=REQUEST_SECONDS, context=context
        ) as answer:
            parsed: Json = json.load(answer)
            return parsed
    except urllib.error.HTTPError as error:
        raise KubernetesError(
            f"{method} {path}: {error.code} {reason(error)}", error.code
        ) from None


def reason(error: urllib.error.HTTPError) -> str:
    """Return the short reason of a Status, such as AlreadyExists; its message may quote a value."""
    try:
        return str(json.load(error)["reason"])
    except (ValueError, KeyError, TypeError):
        return "without a reason"


def quoted(name: str) -> str:
    """Return a name as a part of a path."""
    return urllib.parse.quote(name, safe="")
