"""The sandbox's commands on other machines: no connection that trusts whoever answers."""

from typing import Any

import pytest

from sandbox.provider.command import CommandPackage
from sandbox.provider.package import Naming, Subject
from sandbox.provider.values import UNKNOWN, Secret

REMOTE = "command:remote:Command"
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIMPA/Cv+4gnKKC/6zYFd/brOIvT10Qm+VwcNbvOfIjN6"
CONNECTION: dict[str, Any] = {
    "host": "203.0.113.20",
    "hostKey": f"ssh-ed25519 {KEY}",
    "privateKey": Secret("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"),
}


def refusals(connection: Any, **inputs: Any) -> list[str]:  # noqa: ANN401 - values of the wire
    """Return what is wrong with a command over a connection, by path."""
    subject = Subject(token=REMOTE, name="x")
    given = {"connection": connection, "create": "hostname", **inputs}
    _, failures = CommandPackage().check(subject, {}, given, Naming())
    return [f"{failure.path}: {failure.reason}" for failure in failures]


@pytest.mark.parametrize("connection", [CONNECTION, Secret(CONNECTION)], ids=["plain", "secret"])
def test_a_connection_to_a_known_host_with_a_key_is_taken(connection: object) -> None:
    assert refusals(connection) == []


def test_keys_that_are_made_in_the_same_run_are_taken() -> None:
    assert refusals({**CONNECTION, "hostKey": UNKNOWN, "privateKey": UNKNOWN}) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hostKey": None}, "connection.hostKey: is missing: whoever answers"),
        ({"hostKey": ""}, "connection.hostKey: is missing"),
        ({"hostKey": "ssh-ed25519"}, "connection.hostKey: is no line of"),
        ({"hostKey": "ssh-ed25519 !"}, "connection.hostKey: is no line of"),
        ({"hostKey": f"ssh-rsa {KEY}"}, "holds a key of type ssh-ed25519"),
        (
            {"hostKey": "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7"},
            "no server answers with a key of type ssh-rsa",
        ),
        ({"privateKey": None}, "connection: needs one of privateKey, password, agentSocketPath"),
        ({"privateKey": Secret("AAAA")}, "connection.privateKey: is no private key in PEM"),
        ({"port": 0}, "connection.port"),
        ({"hots": "x"}, "hots"),
    ],
)
def test_a_connection_that_is_not_whole_is_refused(changes: dict[str, Any], says: str) -> None:
    merged = {**CONNECTION, **changes}
    connection = {key: value for key, value in merged.items() if value is not None}
    found = refusals(connection)
    assert any(says in one for one in found), found


def test_a_command_without_anything_to_run_is_refused() -> None:
    assert refusals(CONNECTION, create=None)


def test_a_refusal_never_shows_the_key() -> None:
    assert "hunter2" not in str(refusals({**CONNECTION, "privateKey": Secret("hunter2")}))
