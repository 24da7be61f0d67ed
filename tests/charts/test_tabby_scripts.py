"""Tabby's two scripts, run as its pod runs them."""

import json
import os
import stat
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.charts.rendering import CHARTS

FILES = CHARTS / "tabby/files"
KEY = 'sk-"odd\\one'
SETTINGS = {
    "tables": {
        "model.completion.http": {
            "kind": "vllm/completion",
            "prompt_template": "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        },
        "model.embedding.http": {"kind": "openai/embedding", "model_name": "embeddings"},
    }
}


def write(folder: Path) -> subprocess.CompletedProcess[str]:
    settings = folder / "settings.json"
    settings.write_text(json.dumps(SETTINGS))
    (folder / "config").mkdir(exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    arguments = [settings, folder / "config/config.toml", folder / "data/tabby"]
    return subprocess.run(
        [sys.executable, "-B", str(FILES / "write_config.py"), *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "MODELS_API_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_config_has_the_key_with_every_model_and_nobody_else_may_read_it(
    tmp_path: Path,
) -> None:
    done = write(tmp_path)
    assert done.returncode == 0, done.stderr
    config = tomllib.loads((tmp_path / "data/tabby/config.toml").read_text())
    assert config["model"]["completion"]["http"] == {
        **SETTINGS["tables"]["model.completion.http"],
        "api_key": KEY,
    }
    assert config["model"]["embedding"]["http"]["api_key"] == KEY
    assert stat.S_IMODE((tmp_path / "config/config.toml").stat().st_mode) == 0o600


def test_the_volume_keeps_a_link_and_not_the_key(tmp_path: Path) -> None:
    write(tmp_path)
    assert (tmp_path / "data/tabby/config.toml").is_symlink()
    # Tabby changes the mode of its folder, which it can only where the folder is its own.
    assert stat.S_IMODE((tmp_path / "data/tabby").stat().st_mode) == 0o700


def test_a_second_start_writes_it_again(tmp_path: Path) -> None:
    write(tmp_path)
    done = write(tmp_path)
    assert done.returncode == 0, done.stderr


class Tabby(BaseHTTPRequestHandler):
    """Tabby's GraphQL, as far as its first account goes (v0.31.0)."""

    accounts: ClassVar[list[dict[str, str]]]
    refusals: ClassVar[list[str]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server_close_if_wrong(body)
        if self.refusals:
            self._answer({"errors": [{"message": self.refusals.pop()}], "data": None})
        elif "isAdminInitialized" in body["query"]:
            self._answer({"data": {"serverInfo": {"isAdminInitialized": bool(self.accounts)}}})
        else:
            self.accounts.append(body["variables"])
            self._answer({"data": {"register": {"accessToken": "a-token"}}})

    def server_close_if_wrong(self, body: dict[str, Any]) -> None:
        assert self.path == "/graphql"
        assert body.keys() == {"query", "variables"}

    def _answer(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def tabby(
    accounts: list[dict[str, str]], refusals: list[str], port: int = 0
) -> Generator[ThreadingHTTPServer]:
    handler = type("Handler", (Tabby,), {"accounts": accounts, "refusals": refusals})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def first_account(tabby_port: int, folder: Path) -> Generator[tuple[int, Path]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Tabby) as free:
        port = free.server_port
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-B", str(FILES / "first_account.py")],
            env={
                "PATH": os.environ["PATH"],
                "TABBY_PORT": str(tabby_port),
                "PROBE_PORT": str(port),
                "ADMIN_EMAIL": "admin@example.com",
                "ADMIN_PASSWORD": "tabby-A1aaaaaaaaaaaaaa",
                "PAUSE_SECONDS": "0.05",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port, log
    finally:
        process.kill()
        process.wait()


def probe(port: int, path: str) -> int | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def becomes(port: int, path: str, status: int) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if probe(port, path) == status:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def accounts() -> list[dict[str, str]]:
    return []


def test_the_administrator_is_registered_once_and_then_the_pod_is_ready(
    accounts: list[dict[str, str]], tmp_path: Path
) -> None:
    with (
        tabby(accounts, ["not yet"]) as server,
        first_account(server.server_port, tmp_path) as (port, log),
    ):
        assert becomes(port, "/ready", 200)
        assert accounts == [
            {
                "email": "admin@example.com",
                "password": "tabby-A1aaaaaaaaaaaaaa",
                "name": "Administrator",
            }
        ]
        assert "tabby-A1" not in log.read_text()
        assert "a-token" not in log.read_text()


def test_an_administrator_who_is_there_is_left_alone(
    accounts: list[dict[str, str]], tmp_path: Path
) -> None:
    accounts.append({"email": "somebody@example.com"})
    with (
        tabby(accounts, []) as server,
        first_account(server.server_port, tmp_path) as (port, _),
    ):
        assert becomes(port, "/ready", 200)
        assert len(accounts) == 1


def test_without_tabby_the_pod_lives_and_is_not_ready(tmp_path: Path) -> None:
    with first_account(9, tmp_path) as (port, log):
        assert becomes(port, "/alive", 200)
        assert becomes(port, "/ready", 503)
        time.sleep(0.2)
        assert probe(port, "/ready") == 503
        assert "not yet" in log.read_text()
