"""Finds out which cluster a kubeconfig leads to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import yaml

from sandbox.provider.values import as_dict, as_list


class KubeconfigError(Exception):
    """The kubeconfig can't be used. The text holds nothing of its credentials."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A cluster as a kubeconfig names it.

    Attributes:
        name: the name of the cluster's entry.
        server: the URL of its API server.
    """

    name: str
    server: str

    @property
    def host(self) -> str:
        """The host part of the server's URL."""
        return urlparse(self.server).hostname or ""


def read(text: str, context: str | None = None, cluster: str | None = None) -> Target:
    """Read a kubeconfig.

    Args:
        text: its content, or the path of a file that has it.
        context: the context to use instead of the current one.
        cluster: the cluster to use instead of the context's.

    Raises:
        KubeconfigError: it is not one, or it leads nowhere.
    """
    content = _content(text)
    if context is None:
        context = content.get("current-context")
    if not isinstance(context, str) or not context:
        raise KubeconfigError("the kubeconfig has no current-context")
    chosen = _entry(content, "contexts", "context", context)
    if cluster is None:
        cluster = chosen.get("cluster")
    if not isinstance(cluster, str):
        raise KubeconfigError(f"the kubeconfig's context {context!r} names no cluster")
    user = chosen.get("user")
    if isinstance(user, str) and user:
        _entry(content, "users", "user", user)
    entry = _entry(content, "clusters", "cluster", cluster)
    server = entry.get("server")
    if not isinstance(server, str) or urlparse(server).scheme not in ("http", "https"):
        raise KubeconfigError(f"the kubeconfig's cluster {cluster!r} has no server URL")
    if not urlparse(server).hostname:
        raise KubeconfigError(f"the server URL of the kubeconfig's cluster {cluster!r} has no host")
    return Target(name=cluster, server=server)


def _content(text: str) -> dict[str, Any]:
    if "\n" not in text and not text.lstrip().startswith("{"):
        path = Path(text).expanduser()
        if not path.is_file():
            raise KubeconfigError("the kubeconfig is neither YAML nor the path of a file")
        text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise KubeconfigError("the kubeconfig is not YAML") from error
    found = as_dict(content)
    if found is None:
        raise KubeconfigError("the kubeconfig is not a mapping")
    return found


def _entry(content: dict[str, Any], section: str, key: str, name: str) -> dict[str, Any]:
    for item in as_list(content.get(section)) or []:
        entry = as_dict(item) or {}
        if entry.get("name") == name:
            return as_dict(entry.get(key)) or {}
    raise KubeconfigError(f"the kubeconfig has no entry {name!r} under {section}")
