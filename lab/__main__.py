"""The command line of the lab: `python -m lab COMMAND`, what `make lab` runs.

Exit codes: 0 what a command claims holds, 1 it does not, 2 the command, the stack file or the lab
cannot be used, 130 interrupted.
"""

import importlib
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from rich.console import Console

from lab.processes import LabError
from stacks.config import ConfigError

WRONG: Final = 2
INTERRUPTED: Final = 130

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "converge": ("lab.converge", "bring a stack up and say how each Application got there"),
    "order": ("lab.order", "the order of the edges against all Applications at once"),
    "faults": ("lab.faults", "drift, killed programs, broken charts, what is removed, a destroy"),
    "scheduling": ("lab.scheduling", "tenants' quotas with a real Kueue, by rule and at scale"),
    "scaling": ("lab.scaling", "models that a real KEDA scales, against what was predicted"),
    "reachability": ("lab.reachability", "the network policies against the declared connections"),
    "refusals": ("lab.refusals", "what a stack refuses, by the programs that would refuse it"),
    "up": ("lab.up", "start a lab with a stack and keep it running until Ctrl-C"),
}
"""By name: the module whose `main` runs it, and what it is for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(usage())
        return 0 if given else WRONG
    name, *rest = given
    if name not in COMMANDS:
        sys.stderr.write(f"there is no command {name!r}\n{usage()}\n")
        return WRONG
    # A stop asked for from outside, or a closed terminal, ends everything as Ctrl-C does.
    before = {
        one: signal.signal(one, _interrupt)
        for one in (signal.SIGTERM, signal.SIGHUP)
        # What runs under nohup goes on.
        if signal.getsignal(one) != signal.SIG_IGN
    }
    try:
        module = importlib.import_module(COMMANDS[name][0])
        return int(module.main(rest))
    except (ConfigError, LabError, OSError) as error:
        _tell(str(error), as_json="--json" in rest)
        return WRONG
    except KeyboardInterrupt:
        _tell("Interrupted; everything that was started is stopped.", as_json="--json" in rest)
        return INTERRUPTED
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def usage() -> str:
    """Return what there is."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(["usage: python -m lab COMMAND [--help]", "", *lines])


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _tell(message: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"errors": [{"message": message}]}, indent=2))
    else:
        Console(stderr=True, highlight=False).print(message, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
