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
from tests.substrate.tls_samples import authority, signed


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
    servers, clients = authority("server"), authority("client")
    admin = signed(clients, "client_auth")
    request = {
        "ca": servers["certificate"],
        "certificate": admin["certificate"],
        "key": admin["key"],
    }
    with _api(tmp_path, signed(servers, "server_auth"), clients, [503, 500, 200]) as url:
        done = _wait({**request, "url": url})
    assert (done.returncode, done.stdout) == (0, "the Kubernetes API is ready\n"), done.stderr


def test_it_never_trusts_an_api_of_anotherauthority(tmp_path: Path) -> None:
    servers, clients = authority("server"), authority("client")
    admin = signed(clients, "client_auth")
    request = {"certificate": admin["certificate"], "key": admin["key"], "seconds": 1}
    with _api(tmp_path, signed(servers, "server_auth"), clients, [200]) as url:
        done = _wait({**request, "ca": authority("server")["certificate"], "url": url})
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert "hetzner.api_allowed_cidrs" in done.stderr
    assert "Traceback" not in done.stderr
    assert "PRIVATE KEY" not in done.stderr


def test_the_api_refuses_an_administrator_of_another_cluster(tmp_path: Path) -> None:
    servers, clients = authority("server"), authority("client")
    stranger = signed(authority("client"), "client_auth")
    request = {
        "ca": servers["certificate"],
        "certificate": stranger["certificate"],
        "key": stranger["key"],
        "seconds": 1,
    }
    with _api(tmp_path, signed(servers, "server_auth"), clients, [200]) as url:
        done = _wait({**request, "url": url})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_where_the_certificate_does_not_name_the_address_it_is_known_by_the_name_it_has(
    tmp_path: Path,
) -> None:
    servers, clients = authority("server"), authority("client")
    admin = signed(clients, "client_auth")
    named = signed(servers, "server_auth", {"dnsNames": ["kubernetes"]})
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
