"""A real control plane on loopback: etcd, the API server, and as asked for its controllers.

Without controllers what is created stays as it is; admission is that of a cluster all the same.
"""

import secrets
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.certificates import CertificateAuthority, write_private
from lab.client import Client
from lab.processes import LOOPBACK, Programs, free_ports

Controller = Literal["kube-controller-manager", "kube-scheduler"]

ETCD: Final = "etcd"
API_SERVER: Final = "kube-apiserver"
CONTROLLER_MANAGER: Final = "kube-controller-manager"
SCHEDULER: Final = "kube-scheduler"

SERVICE_RANGE: Final = "10.96.0.0/16"
POD_RANGE: Final = "10.244.0.0/16"
REQUEST_SECONDS: Final = 60.0
ADMIN: Final = "lab-admin"


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlane:
    """A control plane that runs.

    Attributes:
        programs: all of its programs, by name.
        folder: where files of the lab go.
        authority: signs for the API server; webhooks and extension servers take theirs from it.
        client: a client with every right.
        port: where the API server listens.
        kubeconfigs: files by user: the admin, and a user for each controller.
        kubernetes: the minor version that it behaves as, `1.33`.
    """

    programs: Programs
    folder: Path
    authority: CertificateAuthority
    client: Client
    port: int
    kubeconfigs: Mapping[str, Path]
    kubernetes: str

    @property
    def kubeconfig(self) -> Path:
        """The file of the admin."""
        return self.kubeconfigs[ADMIN]

    @property
    def url(self) -> str:
        """Where the API server is."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def authority_file(self) -> Path:
        """The certificate of the authority, PEM."""
        return self.folder / "authority.crt"

    def ready(self) -> bool:
        """Return whether the API server says that it is ready."""
        try:
            return self.client.request("GET", "/readyz").accepted
        except OSError:
            return False

    def restart(self, name: str) -> None:
        """Start a program that was killed, and wait until the API server is ready.

        Raises:
            LabError: it does not come back.
        """
        self.programs[name].start()
        if name in (ETCD, API_SERVER):
            self.programs[API_SERVER].wait_ready(self.ready)


@contextmanager
def control_plane(
    folder: Path,
    kubernetes: str | None = None,
    *,
    controllers: tuple[Controller, ...] = (),
) -> Generator[ControlPlane]:
    """Run a control plane with an empty store.

    Args:
        folder: where its files go; must exist.
        kubernetes: minor version that it behaves as, `1.33`, at most three before its own; None
            for its own.
        controllers: what runs beside the API server.

    Raises:
        LabError: a program ended, or was not ready in time.
    """
    with Programs(folder / "logs") as programs:
        plane = _api_server(programs, folder, kubernetes, bare=not controllers)
        try:
            if CONTROLLER_MANAGER in controllers:
                _start_controller_manager(plane)
            if SCHEDULER in controllers:
                _start_scheduler(plane)
            yield plane
        finally:
            plane.client.close()


def _api_server(
    programs: Programs, folder: Path, kubernetes: str | None, *, bare: bool
) -> ControlPlane:
    etcd, peer, secure = free_ports(3)
    store = f"http://{LOOPBACK}:{etcd}"
    programs.start(
        ETCD,
        ETCD,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls=http://{LOOPBACK}:{peer}",
        f"--initial-advertise-peer-urls=http://{LOOPBACK}:{peer}",
        f"--initial-cluster=default=http://{LOOPBACK}:{peer}",
        "--unsafe-no-fsync",
        # 2 GB by default: a thousand nodes and ten thousand pods pass that in events alone.
        "--quota-backend-bytes=8589934592",
    )
    authority = CertificateAuthority.create()
    users = {
        ADMIN: "system:masters",
        f"system:{CONTROLLER_MANAGER}": "",
        f"system:{SCHEDULER}": "",
    }
    tokens = {user: secrets.token_urlsafe(32) for user in users}
    write_private(
        folder / "tokens.csv",
        "".join(f'{tokens[user]},{user},{user},"{group}"\n' for user, group in users.items()),
    )
    write_private(folder / "service-accounts.pem", _rsa_key())
    (folder / "authority.crt").write_bytes(authority.certificate_pem)
    _write_pair(
        folder,
        "apiserver",
        authority.issue(
            API_SERVER,
            dns=("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"),
            addresses=(LOOPBACK, "10.96.0.1"),
            server=True,
        ),
    )
    # What the API server shows to extension servers behind it.
    _write_pair(folder, "front-proxy", authority.issue("front-proxy-client", client=True))
    server = programs.start(
        API_SERVER,
        API_SERVER,
        f"--etcd-servers={store}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",
        f"--secure-port={secure}",
        f"--tls-cert-file={folder / 'apiserver.crt'}",
        f"--tls-private-key-file={folder / 'apiserver.key'}",
        f"--client-ca-file={folder / 'authority.crt'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        "--allow-privileged",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'service-accounts.pem'}",
        f"--service-account-signing-key-file={folder / 'service-accounts.pem'}",
        f"--requestheader-client-ca-file={folder / 'authority.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={folder / 'front-proxy.crt'}",
        f"--proxy-client-key-file={folder / 'front-proxy.key'}",
        # Ten thousand pods come from few clients here; what throttles them would be measured.
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
        *(() if kubernetes is None else (f"--emulated-version=kube={kubernetes}",)),
        # It refuses Pods until a controller has made the account `default`.
        *(("--disable-admission-plugins=ServiceAccount",) if bare else ()),
    )
    tls = ssl.create_default_context(cafile=folder / "authority.crt")
    client = Client(secure, tokens[ADMIN], tls, timeout=REQUEST_SECONDS)
    kubeconfigs = {
        user: _write_kubeconfig(folder, user, token, secure) for user, token in tokens.items()
    }
    plane = ControlPlane(
        programs=programs,
        folder=folder,
        authority=authority,
        client=client,
        port=secure,
        kubeconfigs=kubeconfigs,
        kubernetes="",
    )
    server.wait_ready(plane.ready)
    return replace(plane, kubernetes=client.version)


def _start_controller_manager(plane: ControlPlane) -> None:
    (port,) = free_ports(1)
    kubeconfig = plane.kubeconfigs[f"system:{CONTROLLER_MANAGER}"]
    plane.programs.start(
        CONTROLLER_MANAGER,
        CONTROLLER_MANAGER,
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--root-ca-file={plane.authority_file}",
        f"--service-account-private-key-file={plane.folder / 'service-accounts.pem'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        f"--cluster-cidr={POD_RANGE}",
        "--allocate-node-cidrs=false",
        # Each controller may ask 20 times a second by default, which a thousand nodes exhaust.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        *(() if not plane.kubernetes else (f"--emulated-version=kube={plane.kubernetes}",)),
    )


def _start_scheduler(plane: ControlPlane) -> None:
    (port,) = free_ports(1)
    kubeconfig = plane.kubeconfigs[f"system:{SCHEDULER}"]
    plane.programs.start(
        SCHEDULER,
        SCHEDULER,
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        *(() if not plane.kubernetes else (f"--emulated-version=kube={plane.kubernetes}",)),
    )


def _write_kubeconfig(folder: Path, user: str, token: str, port: int) -> Path:
    target = folder / f"{user.replace(':', '-')}.kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "lab",
                "cluster": {
                    "server": f"https://{LOOPBACK}:{port}",
                    "certificate-authority": str(folder / "authority.crt"),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
        "current-context": "lab",
    }
    write_private(target, yaml.safe_dump(content))
    return target


def _write_pair(folder: Path, name: str, pair: tuple[bytes, bytes]) -> None:
    certificate, key = pair
    (folder / f"{name}.crt").write_bytes(certificate)
    write_private(folder / f"{name}.key", key)


def _rsa_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
