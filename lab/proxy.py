"""An HTTPS proxy on loopback that answers for every host itself, with certificates of the lab.

Programs that are told to use it, and to trust the lab's authority, reach charts and repositories
under the very addresses that Applications name. Nothing leaves the machine.
"""

import contextlib
import http
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

from lab.certificates import CertificateAuthority, write_private
from lab.processes import LOOPBACK

IDLE_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a client asks.

    Attributes:
        method: GET, HEAD or POST.
        host: the host that the client wants to speak to; empty where it speaks to the proxy itself.
        path: decoded path, with its leading slash.
        query: what follows the question mark.
        headers: by lower-case name.
        body: as it came, perhaps compressed.
    """

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a site answers.

    Attributes:
        status: HTTP status.
        headers: all but the length of the body.
        body: left out where the client asked by HEAD; its length is told nevertheless.
    """

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


Site = Callable[[Request], Answer | None]
"""Answers what it knows; None for what it does not."""


class Proxy:
    """Serves sites within a `with` block: by CONNECT under any host, and without a host."""

    def __init__(
        self, folder: Path, authority: CertificateAuthority, sites: Sequence[Site]
    ) -> None:
        """Keep certificates and a log of all requests in a folder; ask sites in their order."""
        self._folder = folder
        self._server = _Server(folder, authority, sites)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.end_connections()


class _Server(ThreadingHTTPServer):
    """Accepts connections, a thread each."""

    # Programs open dozens at once while they render; the standard library lets five wait.
    request_queue_size = 128
    daemon_threads = True
    # They end with `end_connections`; clients keep them open for the next request.
    block_on_close = False

    def __init__(
        self, folder: Path, authority: CertificateAuthority, sites: Sequence[Site]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.sites = sites
        self._folder = folder
        self._authority = authority
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._open: set[socket.socket] = set()
        self._serving: set[threading.Thread] = set()
        self._lock = threading.Lock()
        super().__init__((LOOPBACK, 0), _Handler)

    def context(self, host: str) -> ssl.SSLContext:
        """Return how to speak TLS as a host, with a certificate made the first time."""
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._new_context(host)
            return self._contexts[host]

    def _new_context(self, host: str) -> ssl.SSLContext:
        certificate, key = self._authority.issue(host, dns=(host,), server=True)
        file = self._folder / f"{host}.pem"
        write_private(file, certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        # Go and curl offer HTTP/2 first.
        context.set_alpn_protocols(["http/1.1"])
        return context

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection."""
        with self._lock:
            self._open.add(connection)
            self._serving.add(threading.current_thread())

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection, which ends here."""
        with self._lock:
            self._open.discard(connection)
            self._serving.discard(threading.current_thread())

    def end_connections(self) -> None:
        """End the connections that clients still hold, and wait for their threads."""
        with self._lock:
            connections, threads = list(self._open), list(self._serving)
        for one in connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for one in threads:
            one.join(IDLE_SECONDS)

    def log(self, line: str) -> None:
        """Write a line to the log of requests."""
        with self._lock, (self._folder / "requests.log").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that goes away or does not trust us: it says so itself."""
        del request, client_address


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests to the proxy, and after CONNECT those to the host behind it."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    host = ""

    @property
    def _proxy(self) -> _Server:
        return cast("_Server", self.server)

    def setup(self) -> None:
        super().setup()
        self._proxy.opened(self.connection)

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self._proxy.closed(self.connection)
            self.connection.close()

    def do_CONNECT(self) -> None:
        """Become the host that is asked for."""
        host = self.path.rpartition(":")[0]
        context = self._proxy.context(host)
        self.send_response_only(http.HTTPStatus.OK)
        self.end_headers()
        self._proxy.closed(self.connection)
        self.rfile.close()
        self.request = context.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.host = host
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer by the sites."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer by the sites, without a body."""
        self._answer()

    def do_POST(self) -> None:
        """Answer by the sites."""
        self._answer()

    def _answer(self) -> None:
        if "transfer-encoding" in self.headers:
            # Git does so for requests of more than 1 MiB, which nobody has here.
            self.close_connection = True
            self._send(Answer(status=http.HTTPStatus.LENGTH_REQUIRED))
            return
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            host=self.host,
            path=urllib.parse.unquote(path),
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("content-length", "0"))),
        )
        for site in self._proxy.sites:
            answer = site(request)
            if answer is not None:
                self._send(answer)
                return
        text = f"the lab has nothing at {self.host}{request.path}\n"
        self._send(Answer(status=http.HTTPStatus.NOT_FOUND, body=text.encode()))

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        # Before the answer is whole: who has it may look at the log.
        self._proxy.log(f"{answer.status} {self.command} {self.host}{self.path}")
        if self.command != "HEAD":
            self.wfile.write(answer.body)
