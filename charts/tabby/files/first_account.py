# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Make Tabby's first account, which administers it, and say when it is there.

Whoever registers first with Tabby becomes its administrator. This container runs beside it in the
pod and registers the administrator over the loopback; the pod is ready, and so reachable through
its Service, only when an administrator exists. Needs the standard library of Python 3.9.
"""

import http.server
import json
import os
import sys
import threading
import time
import urllib.request
from typing import Any

Json = dict[str, Any]

REGISTER = (
    "mutation register($email: String!, $password: String!, $name: String!) {"
    " register(email: $email, password1: $password, password2: $password, name: $name)"
    " { accessToken } }"
)
READY = threading.Event()


class RefusedError(Exception):
    """Tabby answered with an error."""


def ask(query: str, variables: Json) -> Json:
    """Return the data of Tabby's answer.

    Raises:
        RefusedError: Tabby answered with an error, or with something else than JSON.
        OSError: Tabby cannot be reached, or does not answer with success.
    """
    call = urllib.request.Request(
        f"http://127.0.0.1:{os.environ['TABBY_PORT']}/graphql",
        data=json.dumps({"query": query, "variables": variables}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310
            found: Json = json.load(answer)
    except ValueError:
        raise RefusedError("the answer is not JSON") from None
    if found.get("errors"):
        raise RefusedError("; ".join(str(one.get("message")) for one in found["errors"]))
    data: Json = found["data"]
    return data


def has_administrator() -> bool:
    """Return whether somebody administers Tabby."""
    answer = ask("{ serverInfo { isAdminInitialized } }", {})
    return bool(answer["serverInfo"]["isAdminInitialized"])


def make_administrator() -> None:
    """Wait for Tabby and register its administrator, once."""
    while not READY.is_set():
        try:
            if not has_administrator():
                ask(
                    REGISTER,
                    {
                        "email": os.environ["ADMIN_EMAIL"],
                        "password": os.environ["ADMIN_PASSWORD"],
                        "name": "Administrator",
                    },
                )
                print("the administrator is registered", flush=True)
            if has_administrator():
                READY.set()
                print("ready", flush=True)
                return
        except (RefusedError, OSError, KeyError, TypeError) as error:
            print(f"not yet: {error}", file=sys.stderr, flush=True)
        time.sleep(float(os.environ.get("PAUSE_SECONDS", "5")))


class Probe(http.server.BaseHTTPRequestHandler):
    """Answers the probes of the kubelet."""

    def do_GET(self) -> None:
        """Say whether there is an administrator; /alive is always answered."""
        self.send_response(200 if READY.is_set() or self.path == "/alive" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def main() -> None:
    """Serve the probes while the administrator is made, and from then on."""
    threading.Thread(target=make_administrator, daemon=True).start()
    port = int(os.environ["PROBE_PORT"])
    http.server.ThreadingHTTPServer(("", port), Probe).serve_forever()


if __name__ == "__main__":
    main()
