"""Changes of running servers on Hetzner Cloud: which there are, and in which order they come."""

import datetime as dt
import email.utils
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

import pulumi
import pytest

from components.substrate.hetzner_etcd_member import JOIN_SCRIPT, LEAVE_SCRIPT
from components.substrate.hetzner_server import refuse_a_move
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import program
from tests.substrate.tls_samples import authority, signed

SERVER = "hcloud:index/server:Server"
ATTACHMENT = "hcloud:index/serverNetwork:ServerNetwork"
COMMAND = "command:local:Command"
NODE = "/api/v1/nodes/llmp-control-plane-2"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/llmp-control-plane-2"
THREE: dict[str, Any] = {"control_plane": {"count": 3}}


@pytest.fixture(scope="module")
def three() -> Recorder:
    return deploy(program(THREE))


def _server(index: int) -> str:
    return f"substrate-control-plane-{index}-server"


def _member(index: int) -> str:
    return f"substrate-control-plane-{index}-member-joined"


# One after the other.


def test_each_control_plane_server_waits_until_the_one_before_it_is_a_member(
    three: Recorder,
) -> None:
    for index in (1, 2):
        server = three.one(SERVER, _server(index))
        assert three.one(COMMAND, _member(index - 1)).urn in server.depends_on
    members = {each.urn for each in three.all(COMMAND) if each.name.endswith("-joined")}
    assert len(members) == 3
    assert not members & three.one(SERVER, _server(0)).depends_on


def test_a_server_is_waited_for_once_it_is_in_the_network(three: Recorder) -> None:
    for index in range(3):
        member = three.one(COMMAND, _member(index))
        attachment = three.one(ATTACHMENT, f"substrate-control-plane-{index}-attachment")
        assert {three.one(SERVER, _server(index)).urn, attachment.urn} <= member.depends_on


def test_a_resized_server_is_waited_for_anew_and_a_new_one_joins_anew(three: Recorder) -> None:
    larger = deploy(program({"control_plane": {"count": 3, "server_type": "cpx42"}}))
    for index in range(3):
        before, after = (each.one(COMMAND, _member(index)) for each in (three, larger))
        assert before.inputs["stdin"] != after.inputs["stdin"]
        assert before.inputs["triggers"] == after.inputs["triggers"]
        assert len(before.inputs["triggers"]) == 1


def test_every_server_but_the_first_leaves_etcd_before_it_goes_unless_all_go(
    three: Recorder,
) -> None:
    first = three.one(SERVER, _server(0))
    assert "delete" not in three.one(COMMAND, _member(0)).inputs
    for index in (1, 2):
        member = three.one(COMMAND, _member(index))
        assert member.inputs["delete"] == LEAVE_SCRIPT
        assert member.deleted_with == first.urn


def test_the_administrators_key_reaches_the_scripts_on_standard_input_alone(
    three: Recorder,
) -> None:
    for index in range(3):
        member = three.one(COMMAND, _member(index))
        assert "stdin" in member.secret_inputs
        request = json.loads(member.inputs["stdin"])
        assert "PRIVATE KEY" in request["key"]
        rest = {key: value for key, value in member.inputs.items() if key != "stdin"}
        assert "PRIVATE KEY" not in json.dumps(rest)


def test_one_server_alone_is_no_member_of_anything() -> None:
    assert not deploy(program()).all("llmp:substrate:HetznerEtcdMember")


def test_from_one_to_three_the_running_server_is_told_nothing_new(three: Recorder) -> None:
    before, after = (each.one(SERVER, _server(0)) for each in (deploy(program()), three))
    ignored = {"userData"}
    assert {key: value for key, value in before.inputs.items() if key not in ignored} == {
        key: value for key, value in after.inputs.items() if key not in ignored
    }
    assert before.depends_on == after.depends_on


# What never happens.


def test_with_protection_no_control_plane_server_is_replaced_or_deleted_and_workers_may_be() -> (
    None
):
    recorder = deploy(program({"deletion_protection": True, **THREE}))
    for server in recorder.all(SERVER):
        assert server.protect is (server.inputs["labels"]["role"] == "control-plane")


def test_the_address_of_a_control_plane_server_stays_where_it_is(three: Recorder) -> None:
    for address in three.all("hcloud:index/primaryIp:PrimaryIp"):
        assert address.ignore_changes == ("location",)


def test_a_config_that_moves_the_control_plane_is_refused_with_the_way_back() -> None:
    refuse_a_move("llmp-control-plane-0", "nbg1", "nbg1")
    with pytest.raises(pulumi.RunError, match=r"set hetzner\.location: nbg1"):
        refuse_a_move("llmp-control-plane-0", "nbg1", "fsn1")


# The scripts, against an API that speaks TLS and wants the administrator's certificate.


class _Api:
    """A node, its lease and its membership, as the API shows them over time."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
        self.renewals: list[int | None] = []
        """Seconds from now at each look at the lease; None where there is no node."""
        self.voter = "True"
        self.statuses: list[int] = []
        """What is answered first, whatever is asked."""
        self.looks_until_gone = 0
        self.asked: list[str] = []

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(f"{method} {path}")
        if self.statuses:
            return self.statuses.pop(0), {}
        if method == "DELETE":
            return (200, {}) if path == NODE else (405, {})
        if path == LEASE:
            return self._lease()
        return self._node() if path == NODE else (403, {})

    def _lease(self) -> tuple[int, dict[str, Any]]:
        shift = self.renewals.pop(0) if len(self.renewals) > 1 else self.renewals[0]
        if shift is None:
            return 404, {}
        renewed = self.now + dt.timedelta(seconds=shift)
        return 200, {"spec": {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}

    def _node(self) -> tuple[int, dict[str, Any]]:
        if f"DELETE {NODE}" in self.asked:
            self.looks_until_gone -= 1
            if self.looks_until_gone < 0:
                return 404, {}
        ready = {"type": "Ready", "status": "False"}
        voter = {"type": "EtcdIsVoter", "status": self.voter}
        return 200, {"status": {"conditions": [ready, voter]}}


class _Handler(BaseHTTPRequestHandler):
    api: _Api

    def _serve(self) -> None:
        status, body = self.api.answer(self.command, self.path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def date_time_string(self, timestamp: float | None = None) -> str:
        del timestamp
        return email.utils.format_datetime(self.api.now, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
        pass


@contextmanager
def _served(folder: Path, api: _Api) -> Generator[dict[str, Any]]:
    servers, clients = authority("server"), authority("client")
    server, admin = (
        signed(servers, "server_auth", {"dnsNames": ["kubernetes"]}),
        signed(clients, "client_auth"),
    )
    (folder / "pair.pem").write_text(server["certificate"] + server["key"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    context.load_verify_locations(cadata=clients["certificate"])
    context.verify_mode = ssl.CERT_REQUIRED
    listener = HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield {
            "url": f"https://127.0.0.1:{listener.server_port}",
            "tls_server_name": "kubernetes",
            "ca": servers["certificate"],
            "certificate": admin["certificate"],
            "key": admin["key"],
        }
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _run(
    script: str, folder: Path, api: _Api, *, seconds: float = 10, **changes: object
) -> subprocess.CompletedProcess[str]:
    with _served(folder, api) as access:
        request = {
            **access,
            "node": "llmp-control-plane-2",
            "join_seconds": seconds,
            "leave_seconds": seconds,
            "pause": 0.02,
            **changes,
        }
        return subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def test_a_member_is_there_once_its_node_answers_after_the_wait_began(tmp_path: Path) -> None:
    api = _Api()
    api.renewals = [None, -30, -30, 5]
    done = _run(JOIN_SCRIPT, tmp_path, api)
    assert (done.returncode, done.stdout) == (0, "llmp-control-plane-2 is a member of etcd\n"), (
        done.stderr
    )
    assert len([each for each in api.asked if "leases" in each]) == 4


@pytest.mark.parametrize(
    ("renewals", "voter", "says"),
    [
        ([None], "True", "there is no such node yet (the API answers 404)"),
        ([-1], "True", "the node has not answered since"),
        ([5], "False", "the node is no voter of etcd yet"),
    ],
)
def test_what_is_no_member_in_time_stops_those_after_it_and_says_why(
    renewals: list[int | None], voter: str, says: str, tmp_path: Path
) -> None:
    api = _Api()
    api.renewals, api.voter = renewals, voter
    done = _run(JOIN_SCRIPT, tmp_path, api, seconds=0.5)
    assert done.returncode == 1
    assert says in done.stderr
    assert "etcd keeps its majority" in done.stderr
    assert "Traceback" not in done.stderr
    assert "PRIVATE KEY" not in done.stderr


def test_an_api_that_restarts_meanwhile_is_asked_again(tmp_path: Path) -> None:
    api = _Api()
    api.renewals, api.statuses = [5], [503, 500]
    assert _run(JOIN_SCRIPT, tmp_path, api).returncode == 0


def test_a_member_has_left_once_its_node_is_gone(tmp_path: Path) -> None:
    api = _Api()
    api.looks_until_gone = 2
    done = _run(LEAVE_SCRIPT, tmp_path, api)
    assert (done.returncode, done.stdout) == (0, "llmp-control-plane-2 has left etcd\n"), (
        done.stderr
    )
    assert api.asked == [f"DELETE {NODE}", *[f"GET {NODE}"] * 3]


def test_a_node_that_is_gone_already_has_left(tmp_path: Path) -> None:
    api = _Api()
    api.statuses = [404]
    assert _run(LEAVE_SCRIPT, tmp_path, api).returncode == 0


def test_a_server_whose_member_does_not_leave_is_not_deleted(tmp_path: Path) -> None:
    api = _Api()
    api.looks_until_gone = 100_000
    done = _run(LEAVE_SCRIPT, tmp_path, api, seconds=0.5)
    assert done.returncode == 1
    assert "Its server was not deleted" in done.stderr


def test_a_majority_that_is_gone_lets_no_further_member_go(tmp_path: Path) -> None:
    api = _Api()
    api.statuses = [500] * 100_000
    done = _run(LEAVE_SCRIPT, tmp_path, api, seconds=0.5)
    assert done.returncode == 1
    assert "the API answers 500" in done.stderr


@pytest.mark.parametrize("script", [JOIN_SCRIPT, LEAVE_SCRIPT])
def test_an_api_of_another_authority_is_never_asked(script: str, tmp_path: Path) -> None:
    api = _Api()
    other = authority("server")["certificate"]
    done = _run(script, tmp_path, api, seconds=0.3, ca=other)
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert not api.asked
