"""Kubeconfigs without a credential: a plugin on the caller's machine asks for a token each time."""

import json
from typing import Any


def exec_kubeconfig(
    *,
    name: str,
    server: str,
    command: str,
    install_hint: str,
    certificate_authority: str | None = None,
) -> str:
    """Return a kubeconfig as JSON, which is YAML too, whose user is an exec plugin.

    Args:
        name: what cluster, user and context are called.
        server: URL of the Kubernetes API.
        command: the plugin; it prints an ExecCredential of client.authentication.k8s.io/v1beta1.
        install_hint: what kubectl says where the plugin is missing.
        certificate_authority: PEM of the API's authority in base64; None where a public authority
            signs the name.
    """
    cluster: dict[str, Any] = {"server": server}
    if certificate_authority is not None:
        cluster["certificate-authority-data"] = certificate_authority
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": command,
                            "installHint": install_hint,
                            "interactiveMode": "Never",
                            "provideClusterInfo": True,
                        }
                    },
                }
            ],
        },
        sort_keys=True,
    )
