"""Argo CD outside of a cluster: its controller, its repository server and a Redis.

The settings are those that the platform installs it with. What is missing of it answers people: the
server, Dex, notifications.
"""

import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from components.contract import SubstrateContract
from components.names import ARGO_CD_NAMESPACE
from components.substrate.argocd import SYNC_TIMEOUT_SECONDS, ArgoCdArgs, argo_cd_values
from lab.control_plane import ControlPlane
from lab.definitions import install_definitions
from lab.processes import LOOPBACK, Program, answers, free_ports
from tools.redis import find_redis

CONTROLLER: Final = "argocd-application-controller"
REPO_SERVER: Final = "argocd-repo-server"
REDIS: Final = "redis"
MODULE: Final = "github.com/argoproj/argo-cd/v3"

PART_OF: Final = {"app.kubernetes.io/part-of": "argocd"}
"""Argo CD reads no ConfigMap and no Secret of its own without this label."""

EXCLUSIONS: Final = """\
- apiGroups: ["", discovery.k8s.io]
  kinds: [Endpoints, EndpointSlice]
- apiGroups: [coordination.k8s.io]
  kinds: [Lease]
"""
"""Of what Argo CD leaves alone by default (its argocd-cm), that which there is here."""

RESYNC_SECONDS: Final = 20
"""How often it looks by itself; 120 to 180 in a cluster.

Changes of objects are seen at once, but for custom resource definitions: Argo CD puts no tracking
on them, so one that is established late keeps its Application Degraded until the next look.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoCd:
    """Argo CD that runs.

    Attributes:
        plane: the control plane that it acts on.
        metrics_port: where the controller answers /metrics and /healthz.
        repo_server_metrics_port: where the repository server does.
        redis_port: where Redis listens.
    """

    plane: ControlPlane
    metrics_port: int
    repo_server_metrics_port: int
    redis_port: int

    @property
    def controller(self) -> Program:
        """The application controller."""
        return self.plane.programs[CONTROLLER]

    @property
    def repo_server(self) -> Program:
        """The repository server."""
        return self.plane.programs[REPO_SERVER]

    @property
    def redis(self) -> Program:
        """Redis."""
        return self.plane.programs[REDIS]

    def healthy(self) -> bool:
        """Return whether the controller and the repository server answer."""
        return answers(self.metrics_port, "/healthz") and answers(
            self.repo_server_metrics_port, "/healthz"
        )


@contextmanager
def argo_cd(
    plane: ControlPlane,
    contract: SubstrateContract,
    *,
    environment: Mapping[str, str] | None = None,
) -> Generator[ArgoCd]:
    """Run Argo CD against a control plane.

    Args:
        plane: the control plane; it gets the definitions and the settings of Argo CD.
        contract: what the settings follow from.
        environment: what the repository server reaches its sources with.

    Raises:
        LabError: a program ended, or was not ready in time.
        ValueError: the API server refuses the settings.
    """
    install_definitions(plane.client, MODULE)
    for one in settings(contract):
        plane.client.apply(one, dry_run=False).json()
    repo_port, repo_metrics, metrics, redis_port = free_ports(4)
    folder = plane.folder / "argo-cd"
    folder.mkdir()
    plane.programs.start(
        REDIS, str(find_redis()), *_redis_flags(redis_port), environment={"TMPDIR": str(folder)}
    )
    plane.programs.start(
        REPO_SERVER,
        "argocd",
        f"--redis={LOOPBACK}:{redis_port}",
        "--disable-tls",
        f"--address={LOOPBACK}",
        f"--port={repo_port}",
        f"--metrics-address={LOOPBACK}",
        f"--metrics-port={repo_metrics}",
        environment={
            **_common(plane, folder, REPO_SERVER),
            **(environment if environment is not None else {}),
        },
    )
    plane.programs.start(
        CONTROLLER,
        "argocd",
        f"--kubeconfig={plane.kubeconfig}",
        f"--namespace={ARGO_CD_NAMESPACE}",
        f"--redis={LOOPBACK}:{redis_port}",
        f"--repo-server={LOOPBACK}:{repo_port}",
        "--repo-server-plaintext",
        f"--metrics-port={metrics}",
        f"--app-resync={RESYNC_SECONDS}",
        "--app-resync-jitter=0",
        # So that an Application says which of its objects it waits for.
        "--persist-resource-health",
        "--server-side-diff-enabled",
        f"--sync-timeout={SYNC_TIMEOUT_SECONDS}",
        environment=_common(plane, folder, CONTROLLER),
    )
    running = ArgoCd(
        plane=plane,
        metrics_port=metrics,
        repo_server_metrics_port=repo_metrics,
        redis_port=redis_port,
    )
    running.repo_server.wait_ready(lambda: answers(repo_metrics, "/healthz"))
    running.controller.wait_ready(lambda: answers(metrics, "/healthz"))
    yield running


def settings(contract: SubstrateContract) -> list[dict[str, Any]]:
    """Return the objects that Argo CD reads its settings from, as the platform installs it.

    What signs people in is left out: nobody does here.
    """
    values = argo_cd_values(ArgoCdArgs(contract=contract, high_availability=False))
    given: dict[str, Any] = {**values["configs"]["cm"], "resource.exclusions": EXCLUSIONS}
    texts = {
        key: value if isinstance(value, str) else str(value).lower() for key, value in given.items()
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ARGO_CD_NAMESPACE}},
        *(
            _config_map(name, data)
            for name, data in {
                "argocd-cm": texts,
                "argocd-cmd-params-cm": {},
                "argocd-gpg-keys-cm": {},
                "argocd-rbac-cm": {},
                "argocd-ssh-known-hosts-cm": {},
                "argocd-tls-certs-cm": {},
            }.items()
        ),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": _metadata("argocd-secret"),
            "stringData": {"server.secretkey": secrets.token_urlsafe(32)},
        },
    ]


def _config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(name),
        "data": dict(data),
    }


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": ARGO_CD_NAMESPACE, "labels": dict(PART_OF)}


def _redis_flags(port: int) -> tuple[str, ...]:
    return ("--port", str(port), "--bind", LOOPBACK, "--save", "", "--appendonly", "no")


def _common(plane: ControlPlane, folder: Path, program: str) -> dict[str, str]:
    home = folder / program
    for name in ("tls", "ssh", "gpg", "tmp"):
        (home / name).mkdir(parents=True)
    return {
        # One binary is all programs.
        "ARGOCD_BINARY_NAME": program,
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_GNUPGHOME": str(home / "gpg"),
        "ARGOCD_TLS_DATA_PATH": str(home / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(home / "ssh"),
        "HOME": str(home),
        "KUBECONFIG": str(plane.kubeconfig),
        "TMPDIR": str(home / "tmp"),
    }
