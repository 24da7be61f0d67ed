"""The command provider: takes commands and never runs one, as there is nothing real to reach."""

import base64
import binascii
import secrets
import struct

from sandbox.provider.check import Failure
from sandbox.provider.drawn import DrawnPackage
from sandbox.provider.values import UNKNOWN, Properties, Value, as_dict, reveal

REMOTE = "command:remote:Command"

# The provider asks for signatures by the very name of the key's type (its remote/connection.go),
# and no SSH server signs with SHA-1 any more (OpenSSH 8.8 release notes).
_HOST_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384")
_AUTHENTICATION = ("privateKey", "password", "agentSocketPath")


class CommandPackage(DrawnPackage):
    """Answers every command as if it had ended well and printed nothing."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("command")

    def check_more(self, token: str, inputs: Properties) -> list[Failure]:
        """Refuse a connection that would trust whoever answers, or that nobody would let in."""
        connection = as_dict(reveal(inputs.get("connection")))
        if token != REMOTE or connection is None:
            return []
        failures: list[Failure] = []
        problem = _host_key_problem(reveal(connection.get("hostKey")))
        if problem:
            failures.append(Failure("connection.hostKey", problem))
        if not any(reveal(connection.get(key)) for key in _AUTHENTICATION):
            failures.append(
                Failure("connection", f"needs one of {', '.join(_AUTHENTICATION)} to get in")
            )
        key = reveal(connection.get("privateKey"))
        if isinstance(key, str) and "PRIVATE KEY-----" not in key:
            failures.append(Failure("connection.privateKey", "is no private key in PEM"))
        return failures

    def draw(self, token: str, inputs: Properties) -> tuple[str, Properties]:
        """Return what a command leaves behind that printed nothing."""
        del token, inputs
        return f"command{secrets.token_hex(4)}", {"stdout": "", "stderr": ""}


def _host_key_problem(key: Value) -> str:
    if key is UNKNOWN:
        return ""
    if not isinstance(key, str) or not key:
        return "is missing: whoever answers at the address would be trusted"
    parts = key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
        (length,) = struct.unpack(">I", blob[:4])
        inner = blob[4 : 4 + length].decode()
    except (IndexError, binascii.Error, struct.error, UnicodeDecodeError):
        return "is no line of an authorized_keys file"
    if inner != parts[0]:
        return f"says {parts[0]} and holds a key of type {inner}"
    return "" if inner in _HOST_KEY_TYPES else f"no server answers with a key of type {inner}"
