"""Runs `pulumi preview|up|destroy` for a stack, after checks that make the usual errors plain.

Does not choose a backend: that is whatever the user is logged in to. Makes the stack in it when it
does not exist, without selecting it, and hands over to `pulumi`, whose exit code is kept.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.console import SetupError, say

ROOT: Final = Path(__file__).resolve().parent.parent
VERBS: Final = ("preview", "up", "destroy")
POLICIES: Final[Mapping[str, tuple[str, ...]]] = {
    "1": ("--policy-pack", "policies"),
    "teardown": (
        *("--policy-pack", "policies"),
        *("--policy-pack-config", "policies/teardown.json"),
    ),
    "0": (),
}
"""What `pulumi preview|up` gets, by the variable POLICIES: the policy pack, the pack without the
rule that data is protected, which a teardown starts with, or no pack."""
LOGIN_FIX: Final = """log in to where the state shall live, one of:
    pulumi login gs://<bucket>          a bucket of your own (also s3://, azblob://)
    pulumi login                        Pulumi Cloud
    pulumi login --local                a folder on this machine, to try things out
(`. .llmp/env` puts the same pulumi on your PATH.) Without an account: make demo"""


def stack_names() -> list[str]:
    """The stacks that have a file in the project."""
    return sorted(path.name.split(".", 2)[1] for path in ROOT.glob("Pulumi.*.yaml"))


def check_stack(stack: str) -> None:
    """Refuses a stack that has no file.

    Raises:
        SetupError: There is no such file; the message lists those there are.
    """
    names = stack_names()
    if not stack:
        raise SetupError(
            "no stack was named", fix=f"add STACK=<name>; there are: {', '.join(names)}"
        )
    if stack not in names:
        raise SetupError(
            f"there is no Pulumi.{stack}.yaml",
            fix=f"use one of {', '.join(names)}, or write it; those there are the examples",
        )


def check_login() -> None:
    """Refuses to go on when `pulumi` has no backend.

    Raises:
        SetupError: Not logged in, or the backend does not answer.
    """
    answer = ask("whoami", "--non-interactive")
    if answer.returncode == 0:
        return
    if "PULUMI_ACCESS_TOKEN must be set" in answer.stderr:
        raise SetupError("pulumi is not logged in to any backend", fix=LOGIN_FIX)
    raise SetupError(f"the backend does not answer: {answer.stderr.strip()}", fix=LOGIN_FIX)


def policy_arguments(verb: str) -> tuple[str, ...]:
    """Arguments by which the policy pack has its say; `destroy` asks no policy.

    Raises:
        SetupError: POLICIES is none of the values that mean something.
    """
    if verb == "destroy":
        return ()
    chosen = os.environ.get("POLICIES") or "1"
    if chosen not in POLICIES:
        raise SetupError(
            f"POLICIES={chosen} means nothing",
            fix="leave it out, or set it to teardown (see docs/policies.md) or 0 (no policies)",
        )
    return POLICIES[chosen]


def stack_exists(stack: str) -> bool:
    """Whether the backend knows the stack.

    Raises:
        SetupError: The backend can't list its stacks.
    """
    answer = ask("stack", "ls", "--json", "--non-interactive")
    if answer.returncode != 0:
        raise SetupError(
            f"the stacks of the backend cannot be listed: {answer.stderr.strip()}", fix=LOGIN_FIX
        )
    return any(
        str(entry["name"]).rsplit("/", 1)[-1] == stack for entry in json.loads(answer.stdout)
    )


def ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Asks `pulumi` something."""
    return subprocess.run(
        ["pulumi", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def main(arguments: Sequence[str] | None = None) -> int:  # noqa: RET503 (exec never returns)
    """Entry point: verb, stack, then what `pulumi` shall get besides."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] not in VERBS:
        say(f"usage: python -m tools.stack_command {'|'.join(VERBS)} STACK [argument ...]")
        return 2
    verb, stack, rest = given[0], (given[1] if len(given) > 1 else ""), given[2:]
    try:
        check_stack(stack)
        policies = policy_arguments(verb)
        check_login()
        if not stack_exists(stack):
            if verb == "destroy":
                say(f"the backend has no stack {stack}: nothing to destroy")
                return 0
            say(f"the backend has no stack {stack} yet: making it")
            made = subprocess.run(
                ["pulumi", "stack", "init", stack, "--no-select"], cwd=ROOT, check=False
            )
            if made.returncode != 0:
                return made.returncode
    except SetupError as error:
        say(str(error))
        return 1
    os.chdir(ROOT)
    os.execvp("pulumi", ["pulumi", verb, "--stack", stack, *policies, *rest])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
