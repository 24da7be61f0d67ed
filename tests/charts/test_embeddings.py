"""The embeddings chart: verified weights, an engine that is offline, and its scaling."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.charts.rendering import CHARTS, Json, of_kind, only, render
from tests.charts.values import EMBEDDINGS, EMBEDDINGS_SCALED, REVISION

SCRIPT: Final = CHARTS / "embeddings" / "files" / "fetch_repository.py"
REPOSITORY: Final = "your-org/your-model"
WEIGHTS: Final = b"weights" * 1000
SETTINGS: Final = b'{"hidden_size": 768}'


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with one repository; large files are on `elsewhere`, another host to a client."""

    sent: bytes = WEIGHTS
    sha: str = REVISION
    names: tuple[str, ...] = ("model.safetensors", "config.json", "onnx/model.onnx", "README.md")
    port: int
    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith("/api/"):
            described = [
                {
                    "rfilename": name,
                    "blobId": git_hash(SETTINGS),
                    **(
                        {"lfs": {"sha256": hashlib.sha256(WEIGHTS).hexdigest()}}
                        if name == "model.safetensors"
                        else {}
                    ),
                }
                for name in self.names
            ]
            self.answer(json.dumps({"sha": self.sha, "siblings": described}).encode())
        elif self.path.startswith("/elsewhere"):
            self.answer(self.sent)
        elif self.path.endswith(".safetensors"):
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.port}/elsewhere")
            self.end_headers()
        else:
            self.answer(SETTINGS)

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: pytest shows what the script says."""


@pytest.fixture
def hub() -> Iterator[tuple[type[Hub], str]]:
    handler = type("ThisHub", (Hub,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetch(address: str, target: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-B", str(SCRIPT), str(target)],
        env={
            "PATH": os.environ["PATH"],
            "HF_ENDPOINT": address,
            "HF_TOKEN": "hub-token",
            "REPOSITORY": REPOSITORY,
            "REVISION": REVISION,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_engine_reads_is_fetched_and_nothing_else(
    hub: tuple[type[Hub], str], tmp_path: Path
) -> None:
    done = fetch(hub[1], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
    assert (tmp_path / "config.json").read_bytes() == SETTINGS
    # The same weights in another format, and prose.
    assert not (tmp_path / "onnx").exists()
    assert not (tmp_path / "README.md").exists()


def test_a_second_start_fetches_nothing(hub: tuple[type[Hub], str], tmp_path: Path) -> None:
    fetch(hub[1], tmp_path)
    hub[0].seen.clear()
    done = fetch(hub[1], tmp_path)
    assert done.returncode == 0
    assert hub[0].seen == []


def test_the_token_goes_to_the_hub_and_to_no_other_host(
    hub: tuple[type[Hub], str], tmp_path: Path
) -> None:
    assert fetch(hub[1], tmp_path).returncode == 0
    by_path = dict(hub[0].seen)
    assert by_path["/elsewhere"] is None
    others = [token for path, token in hub[0].seen if path != "/elsewhere"]
    assert set(others) == {"Bearer hub-token"}


def test_weights_that_differ_from_the_announced_hash_stop_the_start(
    hub: tuple[type[Hub], str], tmp_path: Path
) -> None:
    hub[0].sent = WEIGHTS[:-1]
    done = fetch(hub[1], tmp_path)
    assert done.returncode == 1
    assert "model.safetensors has hash" in done.stderr
    assert not (tmp_path / ".staged").exists()


def test_a_hub_that_answers_for_another_commit_stops_the_start(
    hub: tuple[type[Hub], str], tmp_path: Path
) -> None:
    hub[0].sha = "c" * 40
    done = fetch(hub[1], tmp_path)
    assert done.returncode == 1
    assert f"instead of {REVISION}" in done.stderr


def test_a_file_that_would_lie_outside_is_refused(
    hub: tuple[type[Hub], str], tmp_path: Path
) -> None:
    hub[0].names = ("../outside.json",)
    done = fetch(hub[1], tmp_path / "weights")
    assert done.returncode == 1
    assert "outside of" in done.stderr
    assert not (tmp_path / "outside.json").exists()


def pod() -> Json:
    return only(render("embeddings", EMBEDDINGS_SCALED), "Deployment")["spec"]["template"]["spec"]


@pytest.mark.charts
def test_the_engine_is_offline_and_asks_for_the_key() -> None:
    (engine,) = pod()["containers"]
    variables = {one["name"]: one for one in engine["env"]}
    assert variables["HF_HUB_OFFLINE"]["value"] == "1"
    assert variables["API_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "vllm-api-key"
    assert "HF_TOKEN" not in variables


@pytest.mark.charts
def test_the_port_is_one_that_a_user_may_open() -> None:
    (engine,) = pod()["containers"]
    assert "--port=8080" in engine["args"]
    (port,) = only(render("embeddings", EMBEDDINGS), "Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "http")


@pytest.mark.charts
def test_it_scales_on_its_own_queue_and_slowly_down() -> None:
    assert of_kind(render("embeddings", EMBEDDINGS), "ScaledObject") == []
    scaled = only(render("embeddings", EMBEDDINGS_SCALED, release="x"), "ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["query"] == 'sum(te_queue_size{namespace="space",service="x"})'
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert 300 <= down["stabilizationWindowSeconds"] <= 600


@pytest.mark.charts
def test_the_route_leads_the_name_of_the_model_to_the_service() -> None:
    assert of_kind(render("embeddings", EMBEDDINGS), "HTTPRoute") == []
    route = only(render("embeddings", EMBEDDINGS_SCALED, release="x"), "HTTPRoute")["spec"]
    (rule,) = route["rules"]
    (match,) = rule["matches"]
    assert match["headers"][0]["value"] == "bge"
    assert rule["backendRefs"] == [{"kind": "Service", "name": "x", "port": 80, "weight": 1}]


@pytest.mark.charts
def test_a_series_says_which_model_it_is_about() -> None:
    monitor = only(render("embeddings", EMBEDDINGS), "ServiceMonitor")["spec"]
    assert monitor["targetLabels"] == ["llmp.dev/model"]
    service = only(render("embeddings", EMBEDDINGS), "Service")
    assert service["metadata"]["labels"]["llmp.dev/model"] == "bge"
