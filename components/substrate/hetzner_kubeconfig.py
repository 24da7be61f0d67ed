"""The kubeconfig of a cluster whose certificates the program made itself. Pure functions."""

import base64
from typing import Final

import yaml

from components.substrate.hetzner_topology import API_PORT

TLS_SERVER_NAME: Final = "kubernetes"
"""A name that k3s writes into every certificate of the API (k3s, pkg/cluster/https.go)."""


def kubeconfig(  # noqa: PLR0913 - by keyword alone, each one a field of the file
    *,
    cluster_name: str,
    api_address: str,
    tls_server_name: str | None = None,
    server_ca: str,
    client_certificate: str,
    client_key: str,
) -> str:
    """Return a kubeconfig with one context. Secret.

    Args:
        cluster_name: name of the cluster, the user and the context.
        api_address: IPv4 address, which the API's certificate must name.
        tls_server_name: what the certificate names instead, where it does not name the address.
        server_ca: authority of the API's certificate, as PEM.
        client_certificate: certificate of the user, as PEM.
        client_key: its key, as PEM.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster_name,
                "cluster": {
                    "server": api_url(api_address),
                    **({} if tls_server_name is None else {"tls-server-name": tls_server_name}),
                    "certificate-authority-data": _base64(server_ca),
                },
            }
        ],
        "users": [
            {
                "name": cluster_name,
                "user": {
                    "client-certificate-data": _base64(client_certificate),
                    "client-key-data": _base64(client_key),
                },
            }
        ],
        "contexts": [
            {"name": cluster_name, "context": {"cluster": cluster_name, "user": cluster_name}}
        ],
        "current-context": cluster_name,
    }
    return yaml.safe_dump(document, sort_keys=False, width=1_000_000)


def api_url(api_address: str) -> str:
    """Return the URL of the Kubernetes API at an IPv4 address."""
    return f"https://{api_address}:{API_PORT}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
