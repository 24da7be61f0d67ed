# ruff: noqa: INP001 - a script that is mounted with its modules alone.
"""The key portal: people make, see once and revoke keys of their own, and see the spend.

Who somebody is says one header, which the edge sets after it has checked the session. The portal
trusts it, because nothing but the edge's proxy can reach it: the network policies of its namespace
say so. What it does for somebody concerns that person's keys alone. No key is ever in an address, a
log or a second page. Standard library of Python 3.11 only; its log is lines of JSON.
"""

import json
import os
import pathlib
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pages
from litellm import LiteLlm, LiteLlmError
from rules import (
    TOKEN,
    Limits,
    RefusedError,
    Tenant,
    form_token,
    is_form_token,
    request_of,
    tenant_of,
    user_of,
    wish_of,
)

IDENTITY_HEADER = "X-Auth-Request-Email"
MAX_BODY = 16 * 1024
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Without any referrer, browsers would hide the origin of our own forms too.
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Portal:
    """What all requests share: settings, LiteLLM and the secret of the forms."""

    def __init__(self, settings: dict[str, Any], litellm: LiteLlm, form_secret: str) -> None:
        """Read the settings as the chart writes them."""
        self.litellm = litellm
        self.form_secret = form_secret
        self.public_url: str = settings["publicUrl"]
        self.models_url: str = settings["modelsUrl"]
        self.limits = Limits(
            budget_duration=settings["limits"]["budgetDuration"],
            max_days=settings["limits"]["maxDays"],
            keys_per_user=settings["limits"]["keysPerUser"],
        )
        self.tenants = tuple(
            Tenant(
                name=one["name"],
                models=tuple(one["models"]),
                members=tuple(one["members"]),
                max_budget=float(one["maxBudgetUsd"]),
            )
            for one in settings["tenants"]
        )
        self.making = threading.Lock()
        """Held while a key is made, so that two forms at once do not make one too many."""

    def home(self, user: str, tenant: Tenant, problem: str = "") -> str:
        """Return the page of somebody.

        Raises:
            LiteLlmError: LiteLLM cannot be asked.
        """
        return pages.home(
            user=user,
            tenant=tenant,
            team=self.litellm.team(tenant.name),
            keys=self.litellm.keys_of(user),
            limits=self.limits,
            token=form_token(self.form_secret, user, time.time()),
            models_url=self.models_url,
            now=datetime.now(UTC),
            problem=problem,
        )

    def make(self, user: str, tenant: Tenant, form: dict[str, list[str]]) -> str:
        """Make a key and return the page that shows it.

        Raises:
            RefusedError: the form asks for what cannot be.
            LiteLlmError: LiteLLM refused, or cannot be asked.
        """
        wish = wish_of(form, tenant, self.limits)
        with self.making:
            keys = self.litellm.keys_of(user)
            if any(key.name == wish.name for key in keys):
                msg = f"You have a key {wish.name} already. Revoke it first, or take another name."
                raise RefusedError(msg)
            now = datetime.now(UTC)
            live = [key for key in keys if not pages.is_over(key, now)]
            if len(live) >= self.limits.keys_per_user:
                msg = f"You have {self.limits.keys_per_user} keys, and that is all."
                raise RefusedError(msg)
            value = self.litellm.make(request_of(wish, user, tenant, self.limits))
        log("key made", user=user, team=tenant.name, key=wish.name, budget=wish.max_budget)
        return pages.made(
            user=user,
            name=wish.name,
            key=value,
            models=wish.models,
            models_url=self.models_url,
        )

    def revoke(self, user: str, form: dict[str, list[str]]) -> None:
        """End a key of somebody.

        Raises:
            RefusedError: it is not theirs, or no longer there.
            LiteLlmError: LiteLLM refused, or cannot be asked.
        """
        token = "".join(form.get("key", ()))
        own = {key.token: key for key in self.litellm.keys_of(user)}
        if not TOKEN.fullmatch(token) or token not in own:
            msg = "You have no such key any more."
            raise RefusedError(msg)
        self.litellm.revoke(token)
        log("key revoked", user=user, key=own[token].name)


class Handler(BaseHTTPRequestHandler):
    """One connection. Whatever is not expected ends with a page, and never with a trace in it."""

    portal: ClassVar[Portal]
    style: ClassVar[bytes]
    protocol_version = "HTTP/1.1"
    server_version = "key-portal"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        """Show the page of whoever asks, or what the kubelet and browsers ask for."""
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._send(HTTPStatus.OK, "ok\n", "text/plain; charset=utf-8")
        elif path == "/style.css":
            self._send(HTTPStatus.OK, self.style, "text/css; charset=utf-8")
        elif path == "/":
            self._guarded(self._home)
        else:
            self._say(HTTPStatus.NOT_FOUND, "Not found", "There is no such page.")

    def do_POST(self) -> None:
        """Make or revoke a key."""
        self._guarded(self._change)

    def _guarded(self, step: Any) -> None:  # noqa: ANN401 - a bound method
        """Find out who asks and take the step, whose failures become pages."""
        user = ""
        try:
            user = user_of(self.headers.get_all(IDENTITY_HEADER, []))
            step(user)
        except RefusedError as refusal:
            self.close_connection = True
            self._say(HTTPStatus.FORBIDDEN, "Not possible", str(refusal), user)
        except LiteLlmError as error:
            self.close_connection = True
            log("LiteLLM failed", user=user, problem=str(error))
            self._say(
                HTTPStatus.BAD_GATEWAY,
                "Not possible now",
                "The gateway of the models does not answer as it should. Try again in a minute.",
                user,
            )
        except Exception as error:  # noqa: BLE001 - the last stop before the connection
            self.close_connection = True
            # Its kind alone: its text may hold what was sent.
            log("failed", user=user, problem=type(error).__name__)
            self._say(
                HTTPStatus.INTERNAL_SERVER_ERROR, "Not possible", "Something went wrong.", user
            )

    def _home(self, user: str) -> None:
        tenant = self._tenant(user)
        self._send(HTTPStatus.OK, self.portal.home(user, tenant))

    def _change(self, user: str) -> None:
        form = self._form(user)
        tenant = self._tenant(user)
        problem = ""
        try:
            if self.path == "/make":
                self._send(HTTPStatus.OK, self.portal.make(user, tenant, form))
                return
            if self.path == "/revoke":
                self.portal.revoke(user, form)
                self._redirect()
                return
        except RefusedError as refusal:
            problem = str(refusal)
        if problem:
            page = self.portal.home(user, tenant, problem)
            self._send(HTTPStatus.UNPROCESSABLE_ENTITY, page)
        else:
            self._say(HTTPStatus.NOT_FOUND, "Not found", "There is no such page.", user)

    def _tenant(self, user: str) -> Tenant:
        tenant = tenant_of(user, self.portal.tenants)
        if tenant is None:
            msg = f"{user} is in no team, and budgets are those of teams. Ask whoever runs this."
            raise RefusedError(msg)
        return tenant

    def _form(self, user: str) -> dict[str, list[str]]:
        """Return what a form of ours holds.

        Raises:
            RefusedError: it is not of this page, not for this user, too old or too long.
        """
        # Pages of other hosts of the domain share the session's cookie, and may be anybody's.
        if self.headers.get_all("Origin", []) != [self.portal.public_url]:
            msg = "This was not sent from this page."
            raise RefusedError(msg)
        length = self.headers.get("Content-Length", "")
        is_plain = "Transfer-Encoding" not in self.headers and length.isascii() and length.isdigit()
        if not (is_plain and int(length) <= MAX_BODY):
            msg = "This is too long."
            raise RefusedError(msg)
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        text = self.rfile.read(int(length)).decode(errors="replace")
        if kind != "application/x-www-form-urlencoded":
            msg = "This is no form."
            raise RefusedError(msg)
        form = parse_qs(text, max_num_fields=200)
        token = "".join(form.pop("form", ()))
        if not is_form_token(token, self.portal.form_secret, user, time.time()):
            msg = "This page was open for too long. Go back, load it again, and try once more."
            raise RefusedError(msg)
        return form

    def _say(self, status: HTTPStatus, title: str, text: str, user: str = "") -> None:
        self._send(status, pages.message(title, text, user))

    def _redirect(self) -> None:
        self._send(HTTPStatus.SEE_OTHER, "", location="/")

    def _send(
        self,
        status: HTTPStatus,
        body: str | bytes,
        kind: str = "text/html; charset=utf-8",
        *,
        location: str = "",
    ) -> None:
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        if location:
            self.send_header("Location", location)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Log each request but those of probes, without what it carried."""
        path = self.path.partition("?")[0]
        if path != "/healthz":
            log("request", method=self.command, path=path[:100], status=int(code))

    def log_message(self, format: str, *_args: object) -> None:  # noqa: A002 - the base's name
        """Log what the base class has to say, which quotes requests, by its kind alone."""
        log("connection", problem=format.partition("%")[0].strip())


def log(event: str, **fields: object) -> None:
    """Write one line."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(settings_file: str) -> int:
    """Serve until the process is told to stop, and return the exit status."""
    folder = pathlib.Path(__file__).resolve().parent
    settings = json.loads(pathlib.Path(settings_file).read_text())
    url: str = settings["litellmUrl"]
    if not url.startswith(("http://", "https://")):
        log("litellmUrl is no HTTP address")
        return 2
    Handler.portal = Portal(
        settings, LiteLlm(url, os.environ["LITELLM_MASTER_KEY"]), os.environ["FORM_SECRET"]
    )
    Handler.style = (folder / "style.css").read_bytes()
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)

    def stop(_number: int, _frame: object) -> None:
        # Not from here: it waits for the loop that this thread runs.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log("serving", port=server.server_port)
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
