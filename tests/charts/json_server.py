"""Serves a double of an HTTP API: JSON in, JSON out, on a free port of the loopback."""

import json
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Handle = Callable[[str, str, Message, Any], tuple[int, Any]]
"""Status and answer by method, path, headers, and body; None where a request has no body."""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def serving(handle: Handle, methods: Sequence[str]) -> Generator[str]:
    """Serve until the block ends, and yield the URL; any other method is refused with 501."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        status, answered = handle(handler.command, handler.path, handler.headers, body)
        data = json.dumps(answered).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    handler = type("Handler", (_Handler,), {f"do_{method}": answer for method in methods})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
