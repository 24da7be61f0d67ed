"""The wait for the Kubernetes API, run as it is against a server that speaks TLS."""

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from components.substrate.hetzner_api import WAIT_SCRIPT
from sandbox.provider.tls_material import (
    certificate_request,
    locally_signed_certificate,
    private_key,
    self_signed_certificate,
)


def _authority(name: str) -> dict[str, str]:
    key = private_key({"algorithm": "ECDSA", "ecdsaCurve": "P256"})[1]["privateKeyPem"]
    inputs = {
        "privateKeyPem": key,
        "subject": {"commonName": name},
        "isCaCertificate": True,
        "allowedUses": ["digital_signature", "key_encipherment", "cert_signing"],
        "validityPeriodHours": 1,
    }
    return {"key": key, "certificate": self_signed_certificate(inputs)[1]["certPem"]}


def _signed(
    authority: dict[str, str], use: str, names: dict[str, list[str]] | None = None
) -> dict[str, str]:
    key = private_key({"algorithm": "ECDSA", "ecdsaCurve": "P256"})[1]["privateKeyPem"]
    asked = {
        "privateKeyPem": key,
        "subject": {"commonName": use, "organization": "system:masters"},
        **({"ipAddresses": ["127.0.0.1"]} if names is None else names),
    }
    inputs = {
        "certRequestPem": certificate_request(asked)[1]["certRequestPem"],
        "caCertPem": authority["certificate"],
        "caPrivateKeyPem": authority["key"],
        "allowedUses": ["digital_signature", use],
        "validityPeriodHours": 1,
    }
    return {"key": key, "certificate": locally_signed_certificate(inputs)[1]["certPem"]}


class _Handler(BaseHTTPRequestHandler):
    answers: list[int]

    def do_GET(self) -> None:
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
        pass


@contextmanager
def _api(
    folder: Path, server: dict[str, str], clients: dict[str, str], answers: list[int]
) -> Generator[str]:
    (folder / "pair.pem").write_text(server["certificate"] + server["key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    context.load_verify_locations(cadata=clients["certificate"])
    context.verify_mode = ssl.CERT_REQUIRED
    listener = HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"answers": answers}))
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.server_port}/readyz"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _wait(request: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    script = WAIT_SCRIPT.replace("time.sleep(5)", "time.sleep(0.05)")
    return subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps({"seconds": 5, **request}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_ends_well_once_the_api_says_ready_to_the_administrator(tmp_path: Path) -> None:
    servers, clients = _authority("server"), _authority("client")
    admin = _signed(clients, "client_auth")
    request = {
        "ca": servers["certificate"],
        "certificate": admin["certificate"],
        "key": admin["key"],
    }
    with _api(tmp_path, _signed(servers, "server_auth"), clients, [503, 500, 200]) as url:
        done = _wait({**request, "url": url})
    assert (done.returncode, done.stdout) == (0, "the Kubernetes API is ready\n"), done.stderr


def test_it_never_trusts_an_api_of_another_authority(tmp_path: Path) -> None:
    servers, clients = _authority("server"), _authority("client")
    admin = _signed(clients, "client_auth")
    request = {"certificate": admin["certificate"], "key": admin["key"], "seconds": 1}
    with _api(tmp_path, _signed(servers, "server_auth"), clients, [200]) as url:
        done = _wait({**request, "ca": _authority("server")["certificate"], "url": url})
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert "hetzner.api_allowed_cidrs" in done.stderr
    assert "Traceback" not in done.stderr
    assert "PRIVATE KEY" not in done.stderr


def test_the_api_refuses_an_administrator_of_another_cluster(tmp_path: Path) -> None:
    servers, clients = _authority("server"), _authority("client")
    stranger = _signed(_authority("client"), "client_auth")
    request = {
        "ca": servers["certificate"],
        "certificate": stranger["certificate"],
        "key": stranger["key"],
        "seconds": 1,
    }
    with _api(tmp_path, _signed(servers, "server_auth"), clients, [200]) as url:
        done = _wait({**request, "url": url})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_where_the_certificate_does_not_name_the_address_it_is_known_by_the_name_it_has(
    tmp_path: Path,
) -> None:
    servers, clients = _authority("server"), _authority("client")
    admin = _signed(clients, "client_auth")
    named = _signed(servers, "server_auth", {"dnsNames": ["kubernetes"]})
    request = {
        "ca": servers["certificate"],
        "certificate": admin["certificate"],
        "key": admin["key"],
        "seconds": 1,
    }
    with _api(tmp_path, named, clients, [200]) as url:
        by_name = _wait({**request, "url": url, "tls_server_name": "kubernetes"})
        by_address = _wait({**request, "url": url, "tls_server_name": None})
    assert by_name.returncode == 0, by_name.stderr
    assert by_address.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in by_address.stderr
