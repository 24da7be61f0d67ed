"""A real etcd and a real kube-apiserver on loopback, for as long as a block of code runs.

No controller and no scheduler runs: what is created stays as it is. Admission is that of a cluster,
Pod Security with it, except for what waits for a controller.
"""

import ctypes
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.client import Client

PROGRAMS: Final = ("etcd", "kube-apiserver")
START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 60.0
SET_PARENT_DEATH_SIGNAL: Final = 1


class StartError(Exception):
    """The control plane did not start; the text holds what it logged last."""


@contextmanager
def control_plane(kubernetes: str) -> Generator[Client]:
    """Run an API server with an empty store.

    Args:
        kubernetes: Minor version that it behaves as, `1.33`; at most three before its own.

    Yields:
        A client with every right.

    Raises:
        StartError: a program ended, or was not ready in time.
    """
    skip_without_programs()
    with tempfile.TemporaryDirectory(prefix="llmp-control-plane-") as name, ExitStack() as running:
        folder = Path(name)
        etcd, peer, secure = free_ports(3)
        store = f"http://127.0.0.1:{etcd}"
        running.enter_context(
            running_program(
                folder / "etcd.log",
                "etcd",
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={store}",
                f"--advertise-client-urls={store}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster=default=http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
            )
        )
        token = secrets.token_urlsafe(32)
        tokens = folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{token},tests,tests,"system:masters"\n', encoding="utf-8")
        key = folder / "service-accounts.pem"
        key.write_bytes(_private_key())
        server = running.enter_context(
            running_program(
                folder / "kube-apiserver.log",
                "kube-apiserver",
                f"--etcd-servers={store}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--secure-port={secure}",
                # It makes itself a certificate there.
                f"--cert-dir={folder}",
                f"--token-auth-file={tokens}",
                "--authorization-mode=RBAC",
                "--anonymous-auth=false",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                f"--emulated-version=kube={kubernetes}",
                # It refuses Pods until a controller has made the account `default`.
                "--disable-admission-plugins=ServiceAccount",
            )
        )
        client = _ready_client(
            server, folder / "kube-apiserver.log", folder / "apiserver.crt", secure, token
        )
        try:
            yield client
        finally:
            client.close()


def skip_without_programs() -> None:
    """Skip the test where etcd or the API server has not been built."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH; `make test` builds it")


def _ready_client(
    server: "subprocess.Popen[bytes]", log: Path, certificate: Path, port: int, token: str
) -> Client:
    """Wait until the API server says that it is ready."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise StartError(f"kube-apiserver ended with {server.returncode}:\n{tail(log)}")
        if certificate.is_file() and (client := _connected(certificate, port, token)) is not None:
            return client
        time.sleep(0.1)
    raise StartError(f"kube-apiserver is not ready after {START_SECONDS:.0f} s:\n{tail(log)}")


def _connected(certificate: Path, port: int, token: str) -> Client | None:
    """Return a client of a server that is ready, or None."""
    try:
        tls = ssl.create_default_context(cafile=certificate)
    except ssl.SSLError:
        # The file is being written.
        return None
    client = Client(port, token, tls, timeout=REQUEST_SECONDS)
    try:
        if client.request("GET", "/readyz").accepted:
            return client
    except OSError:
        pass
    client.close()
    return None


@contextmanager
def running_program(log: Path, *command: str) -> Generator["subprocess.Popen[bytes]"]:
    """Run a program, and end it: with the block, and when this process is killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def free_ports(count: int) -> Sequence[int]:
    """Return ports of loopback that nobody listens at."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _private_key() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
