# ruff: noqa: INP001, ANN401 - a script that is mounted alone; JSON values are of any kind.
"""The platform's own MCP server: what models there are, what they cost and how to call them.

Streamable HTTP without sessions: every POST is answered by one JSON object, and nothing is kept. It
knows what its settings say, holds no key and calls nobody. Standard library of Python 3.11 only.
"""

import json
import os
import pathlib
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, cast

Json = dict[str, Any]

PROTOCOL_VERSIONS = ("2025-06-18", "2025-03-26")
"""Newest first: those whose transport is streamable HTTP."""
MAX_BODY = 64 * 1024
TOKENS_PER_PRICE = 1_000_000

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

_MODEL = {"type": "string", "description": "A name that list_models gives."}
_TOKENS = {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}
TOOLS: list[Json] = [
    {
        "name": "list_models",
        "title": "List models",
        "description": "All models of the platform: what each does, how much text it takes, and "
        "its price in USD for a million tokens.",
        "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
    },
    {
        "name": "estimate_cost",
        "title": "Estimate a cost",
        "description": "What a call costs in USD, from its tokens.",
        "inputSchema": {
            "type": "object",
            "properties": {"model": _MODEL, "input_tokens": _TOKENS, "output_tokens": _TOKENS},
            "required": ["model", "input_tokens", "output_tokens"],
            "additionalProperties": False,
        },
    },
    {
        "name": "how_to_call",
        "title": "How to call a model",
        "description": "The address of a model and a call of it. The key stays in the environment.",
        "inputSchema": {
            "type": "object",
            "properties": {"model": _MODEL},
            "required": ["model"],
            "additionalProperties": False,
        },
    },
]
for _tool in TOOLS:
    _tool["annotations"] = {"readOnlyHint": True, "openWorldHint": False}


class ProtocolError(Exception):
    """The caller broke the protocol."""

    def __init__(self, code: int, message: str) -> None:
        """Keep JSON-RPC's code."""
        super().__init__(message)
        self.code = code


def object_of(value: Any, code: int, otherwise: str) -> Json:
    """Return a JSON object as what it is.

    Raises:
        ProtocolError: it is something else.
    """
    if not isinstance(value, dict):
        raise ProtocolError(code, otherwise)
    return cast("Json", value)


class ToolError(Exception):
    """A tool cannot do what it was asked; the model that asked is told why."""


class Server:
    """The answers, which depend on the settings and the request alone."""

    def __init__(self, settings: Json) -> None:
        """Read the settings as the chart writes them."""
        self._models: dict[str, Json] = {one["name"]: one for one in settings["models"]}
        self._models_url: str = settings["modelsUrl"]

    def answer(self, message: Any) -> Json | None:
        """Return the answer to one message; None for a notification.

        Raises:
            ProtocolError: it is no message of JSON-RPC, or its method does not exist.
        """
        request = object_of(message, INVALID_REQUEST, "not a message of JSON-RPC 2.0")
        if request.get("jsonrpc") != "2.0":
            raise ProtocolError(INVALID_REQUEST, "not a message of JSON-RPC 2.0")
        method = request.get("method")
        if "id" not in request or not isinstance(method, str):
            # A notification, or an answer to a request that this server never sends.
            return None
        parameters = object_of(request.get("params", {}), INVALID_PARAMS, "params is no object")
        match method:
            case "initialize":
                return self._initialize(parameters)
            case "ping":
                return {}
            case "tools/list":
                return {"tools": TOOLS}
            case "tools/call":
                return self._call(parameters)
            case _:
                raise ProtocolError(METHOD_NOT_FOUND, f"there is no method {method[:60]}")

    def _initialize(self, parameters: Json) -> Json:
        wanted = parameters.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[0],
            "capabilities": {"tools": {"listChanged": False}},
            "serverInfo": {"name": "llmp", "title": "LLM platform", "version": "1.0.0"},
        }

    def _call(self, parameters: Json) -> Json:
        arguments = object_of(
            parameters.get("arguments", {}), INVALID_PARAMS, "arguments is no object"
        )
        tools = {
            "list_models": self._list_models,
            "estimate_cost": self._estimate_cost,
            "how_to_call": self._how_to_call,
        }
        tool = tools.get(str(parameters.get("name")))
        if tool is None:
            raise ProtocolError(INVALID_PARAMS, "there is no such tool")
        try:
            found = tool(arguments)
        except ToolError as error:
            return {"content": [{"type": "text", "text": str(error)}], "isError": True}
        text = json.dumps(found, indent=2)
        return {
            "content": [{"type": "text", "text": text}],
            "structuredContent": found,
            "isError": False,
        }

    def _list_models(self, _arguments: Json) -> Json:
        return {"models": list(self._models.values())}

    def _estimate_cost(self, arguments: Json) -> Json:
        model = self._model(arguments)
        price = model["usd_per_million_tokens"]
        cost = (
            _count(arguments, "input_tokens") * price["input"]
            + _count(arguments, "output_tokens") * price["output"]
        ) / TOKENS_PER_PRICE
        return {"model": model["name"], "usd": round(cost, 9)}

    def _how_to_call(self, arguments: Json) -> Json:
        model = self._model(arguments)
        path, body = (
            ("/embeddings", {"model": model["name"], "input": "a text"})
            if model["does"] == "embeddings"
            else (
                "/chat/completions",
                {"model": model["name"], "messages": [{"role": "user", "content": "Hello"}]},
            )
        )
        return {
            "method": "POST",
            "url": self._models_url + path,
            "headers": {
                "Authorization": "Bearer $OPENAI_API_KEY",
                "Content-Type": "application/json",
            },
            "body": body,
        }

    def _model(self, arguments: Json) -> Json:
        found = self._models.get(str(arguments.get("model", "")))
        if found is None:
            msg = "There is no such model. These are there: " + ", ".join(self._models)
            raise ToolError(msg)
        return found


def _count(arguments: Json, name: str) -> int:
    value = arguments.get(name)
    # True is an int to Python, and no number of tokens.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**9:
        msg = f"{name} is a whole number from 0 to 1000000000."
        raise ToolError(msg)
    return value


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server_of: ClassVar[Server]
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Answer probes. There is no stream to listen to."""
        if self.path == "/healthz":
            self._send(HTTPStatus.OK, b"ok\n", "text/plain")
        else:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "POST")

    def do_DELETE(self) -> None:
        """Say that there is no session to end."""
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "POST")

    def do_POST(self) -> None:
        """Answer one message."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY):
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        data = self.rfile.read(int(length))
        if self.path.partition("?")[0] != "/mcp":
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        version = self.headers.get("MCP-Protocol-Version")
        if version is not None and version not in PROTOCOL_VERSIONS:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        identity: Any = None
        try:
            message = json.loads(data)
            identity = object_of(message, INVALID_REQUEST, "no object").get("id")
            result = self.server_of.answer(message)
        except ValueError:
            self._fail(identity, ProtocolError(PARSE_ERROR, "not JSON"))
        except ProtocolError as error:
            self._fail(identity, error)
        else:
            if result is None:
                self._send(HTTPStatus.ACCEPTED, b"", None)
            else:
                self._answer({"jsonrpc": "2.0", "id": identity, "result": result})

    def _fail(self, identity: Any, error: ProtocolError) -> None:
        code_and_text = {"code": error.code, "message": str(error)}
        self._answer({"jsonrpc": "2.0", "id": identity, "error": code_and_text})

    def _answer(self, message: Json) -> None:
        self._send(HTTPStatus.OK, json.dumps(message).encode(), "application/json")

    def _refuse(self, status: HTTPStatus, allow: str | None = None) -> None:
        # What is left of the request would be read as the next one.
        self.close_connection = True
        self._send(status, b"", None, allow)

    def _send(
        self, status: HTTPStatus, data: bytes, kind: str | None, allow: str | None = None
    ) -> None:
        self.send_response(status)
        if kind is not None:
            self.send_header("Content-Type", kind)
        if allow is not None:
            self.send_header("Allow", allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing: the gateway logs requests."""


def main(settings_file: str) -> int:
    """Serve until the process is told to stop, and return the exit status."""
    Handler.server_of = Server(json.loads(pathlib.Path(settings_file).read_text()))
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)

    def stop(_number: int, _frame: object) -> None:
        # Not from here: it waits for the loop that this thread runs.
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
