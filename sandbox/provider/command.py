"""The command provider: takes commands and never runs one, as there is nothing real to reach."""

import secrets

from sandbox.provider.drawn import DrawnPackage
from sandbox.provider.values import Properties


class CommandPackage(DrawnPackage):
    """Answers every command as if it had ended well and printed nothing."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("command")

    def draw(self, token: str, inputs: Properties) -> tuple[str, Properties]:
        """Return what a command leaves behind that printed nothing."""
        del token, inputs
        return f"command{secrets.token_hex(4)}", {"stdout": "", "stderr": ""}
