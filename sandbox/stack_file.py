"""Reads the stack file of a sandbox run and names its stack."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox.errors import SandboxError
from stacks.config import load_stack_file
from stacks.cost import Cost, stack_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class StackFile:
    """One stack file that has passed the checks of the program."""

    stack: str
    """Name of the stack."""
    kind: str
    """`gke`, `hetzner` or `existing`."""
    path: Path
    config: dict[str, Any]
    """The `config` mapping, as the engine gets it."""
    cost: Cost | None
    """What the stack costs for real; None where it makes nothing that costs."""


def stack_name(path: Path) -> str:
    """Return the stack of a file: `Pulumi.<name>.yaml` gives name, any other file its stem."""
    match = re.fullmatch(r"Pulumi\.(.+)\.ya?ml", path.name)
    name = match.group(1) if match else path.stem
    # What the engine allows in the name of a stack: letters, digits, hyphen, underscore, period.
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "stack"


def read_stack_file(path: Path) -> StackFile:
    """Return a checked stack file.

    Raises:
        SandboxError: there is no such file.
        stacks.config.ConfigError: the file cannot be used; it says all that is wrong.
    """
    if not path.exists():
        known = ", ".join(sorted(file.name for file in path.parent.glob("Pulumi.*.yaml")))
        hint = f"; there are: {known}" if known else "; give the path of a Pulumi.<stack>.yaml"
        msg = f"{path} does not exist{hint}"
        raise SandboxError(msg)
    if path.is_dir():
        msg = f"{path} is a folder; give the path of a file such as Pulumi.gke.yaml"
        raise SandboxError(msg)
    stack = load_stack_file(path)
    document = cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))
    config = cast("dict[str, Any]", document["config"])
    return StackFile(
        stack=stack_name(path),
        kind=stack.kind,
        path=path,
        # Nothing here could decrypt a value; what a program asks for, the sandbox has itself.
        config={key: value for key, value in config.items() if not _is_encrypted(value)},
        cost=stack_cost(stack),
    )


def _is_encrypted(value: object) -> bool:
    return isinstance(value, dict) and list(cast("dict[str, object]", value)) == ["secure"]
