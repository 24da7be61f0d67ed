"""The platform's own MCP server as it runs in its pod, by the rules of MCP's streamable HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.charts.rendering import CHARTS, only, render
from tests.charts.values import MCP_GATEWAY

pytestmark = pytest.mark.charts

Answer = tuple[int, dict[str, str], Any]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with the settings that the chart renders."""
    objects = render("mcp-gateway", MCP_GATEWAY)
    settings = tmp_path_factory.mktemp("server") / "settings.json"
    settings.write_text(only(objects, "ConfigMap")["data"]["settings.json"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-B", str(CHARTS / "mcp-gateway/files/mcp_server.py"), str(settings)],
        env={"PATH": os.environ["PATH"], "PORT": str(number)},
    )
    try:
        _wait(number)
        yield number
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    msg = "the server did not start"
    raise AssertionError(msg)


def send(
    port: int,
    message: object,
    *,
    method: str = "POST",
    path: str = "/mcp",
    headers: dict[str, str] | None = None,
) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    connection.request(method, path, body, {"Content-Type": "application/json"} | (headers or {}))
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    found = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status, found, json.loads(data) if data.startswith(b"{") else data.decode()


def ask(port: int, method: str, **params: object) -> Any:  # noqa: ANN401 - a JSON value
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    status, headers, answer = send(port, request)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 7)
    return answer


def call(port: int, name: str, **arguments: object) -> Any:  # noqa: ANN401 - a JSON value
    return ask(port, "tools/call", name=name, arguments=arguments)["result"]


def test_a_session_begins_with_a_version_that_both_know(port: int) -> None:
    result = ask(port, "initialize", protocolVersion="2025-03-26", capabilities={})["result"]
    assert result["protocolVersion"] == "2025-03-26"
    assert result["capabilities"] == {"tools": {"listChanged": False}}
    newest = ask(port, "initialize", protocolVersion="1999-01-01")["result"]
    assert newest["protocolVersion"] == "2025-06-18"


def test_a_notification_is_taken_and_not_answered(port: int) -> None:
    status, _, body = send(port, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (status, body) == (202, "")


def test_there_is_no_stream_and_no_session_to_end(port: int) -> None:
    for method in ("GET", "DELETE"):
        status, headers, _ = send(port, b"", method=method)
        assert (status, headers["allow"]) == (405, "POST")


def test_every_tool_only_reads_and_says_what_it_takes(port: int) -> None:
    tools = ask(port, "tools/list")["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["list_models", "estimate_cost", "how_to_call"]
    for tool in tools:
        assert tool["annotations"] == {"readOnlyHint": True, "openWorldHint": False}
        assert tool["inputSchema"]["additionalProperties"] is False
        assert set(tool["inputSchema"].get("required", [])) == set(
            tool["inputSchema"]["properties"]
        )


def test_models_are_listed_with_their_prices_as_text_and_as_data(port: int) -> None:
    result = call(port, "list_models")
    assert result["structuredContent"]["models"] == [
        {
            "name": "qwen",
            "does": "chat",
            "max_tokens": 8192,
            "usd_per_million_tokens": {"input": 0.5, "output": 1.5},
        },
        {
            "name": "embeddings",
            "does": "embeddings",
            "max_tokens": 512,
            "usd_per_million_tokens": {"input": 0.1, "output": 0},
        },
    ]
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


def test_a_cost_is_the_tokens_by_their_prices(port: int) -> None:
    result = call(port, "estimate_cost", model="qwen", input_tokens=1_000_000, output_tokens=2000)
    assert result["structuredContent"] == {"model": "qwen", "usd": 0.503}


def test_a_model_is_called_by_the_path_of_what_it_does(port: int) -> None:
    chat = call(port, "how_to_call", model="qwen")["structuredContent"]
    assert chat["url"] == "https://api.llm.example.com/v1/chat/completions"
    assert chat["headers"]["Authorization"] == "Bearer $OPENAI_API_KEY"
    vectors = call(port, "how_to_call", model="embeddings")["structuredContent"]
    assert vectors["url"] == "https://api.llm.example.com/v1/embeddings"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("how_to_call", {"model": "nothing"}, "These are there: qwen, embeddings"),
        ("how_to_call", {"model": ["qwen"]}, "There is no such model"),
        (
            "estimate_cost",
            {"model": "qwen", "input_tokens": -1, "output_tokens": 1},
            "input_tokens",
        ),
        ("estimate_cost", {"model": "qwen", "input_tokens": True, "output_tokens": 1}, "input_tok"),
        ("estimate_cost", {"model": "qwen", "input_tokens": 1}, "output_tokens"),
    ],
)
def test_a_tool_that_cannot_tells_the_model_why(
    port: int, name: str, arguments: dict[str, object], says: str
) -> None:
    result = call(port, name, **arguments)
    assert result["isError"] is True
    assert says in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", -32700),
        ([], -32600),
        ({"id": 1, "method": "ping"}, -32600),
        ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, -32601),
        ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": 1}, -32602),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": []}}, -32602),
        (
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "list_models", "arguments": 1},
            },
            -32602,
        ),
    ],
)
def test_whoever_breaks_the_protocol_is_told_by_its_codes(
    port: int, message: object, code: int
) -> None:
    status, _, answer = send(port, message)
    assert status == 200
    assert answer["error"]["code"] == code


def test_what_is_not_mcp_is_refused(port: int) -> None:
    assert send(port, {}, path="/other")[0] == 404
    assert send(port, {"x": "y" * 70_000})[0] == 413
    assert send(port, {}, headers={"MCP-Protocol-Version": "1999-01-01"})[0] == 400
    assert send(port, b"", method="GET", path="/healthz")[0] == 200


def test_the_pod_runs_the_script_that_is_tested_here() -> None:
    objects = render("mcp-gateway", MCP_GATEWAY)
    script = only(objects, "ConfigMap")["data"]["mcp_server.py"]
    assert script == Path(CHARTS / "mcp-gateway/files/mcp_server.py").read_text()
