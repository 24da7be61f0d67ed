"""The command line of the sandbox: what `make demo`, `make bench` and the previews of CI run.

Exit codes: 0 done, 1 the engine or a limit said no, 2 the command or the stack file is wrong,
130 interrupted.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from sandbox import bench, objects, report
from sandbox.errors import EngineError, SandboxError
from sandbox.progress import Progress
from sandbox.project import DEFAULT_ROOT, REPOSITORY, Sandbox
from sandbox.records import Run
from sandbox.runner import Engine
from sandbox.stack_file import StackFile, read_stack_file, stack_name
from stacks.config import ConfigError

_FAILED: Final = 1
_WRONG_INPUT: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        _check_stack_name(options)
        return int(_COMMANDS[options.command](options))
    except (ConfigError, SandboxError, EngineError, OSError, KeyboardInterrupt) as error:
        return _failed(error, options)


def _failed(error: BaseException, options: argparse.Namespace) -> int:
    """Tell what went wrong, as the page or as the one JSON document; return the exit code."""
    stack = _stack_of(options)
    console = Console(stderr=True, highlight=False)
    code = _WRONG_INPUT
    message = str(error)
    problems: list[dict[str, Any]] = []
    match error:
        case ConfigError():
            problems = [dict(problem.as_dict()) for problem in error.problems]
        case EngineError():
            code = _FAILED
            problems = [{"message": problem} for problem in error.problems]
        case KeyboardInterrupt():
            code = _INTERRUPTED
            message = (
                "Interrupted. What was completed is kept: run the same command again to go on."
            )
        case OSError():
            message = f"cannot be done: {error}"
        case _:
            pass
    if getattr(options, "json", False):
        report.print_json({"stack": stack, "errors": problems or [{"message": message}]})
    elif isinstance(error, EngineError):
        report.print_failure(error, stack, console)
    else:
        console.print(message, markup=False, soft_wrap=True)
    return code


def _check_stack_name(options: argparse.Namespace) -> None:
    """Refuse the name of a stack that could lead out of the sandbox's folder.

    Raises:
        SandboxError: it is no name of a stack.
    """
    name = _stack_of(options)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        msg = f"{name!r} is no name of a stack: letters, digits, hyphen, underscore and period"
        raise SandboxError(msg)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Runs the program with the real Pulumi engine against built-in providers: "
        "no cloud, no account.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="bring a stack up and show what it made")
    _add_stack(demo)
    demo.add_argument("--json", action="store_true", help="print one JSON document")
    demo.add_argument("--fresh", action="store_true", help="forget an earlier run of the stack")
    _add_policies(demo)

    preview = commands.add_parser("preview", help="show what `demo` would do, changing nothing")
    _add_stack(preview)
    preview.add_argument("--json", action="store_true", help="print one JSON document")
    _add_policies(preview)

    destroy = commands.add_parser("destroy", help="delete a stack, and show in which order")
    _add_stack(destroy)
    destroy.add_argument("--json", action="store_true", help="print one JSON document")

    show = commands.add_parser("show", help="print a Kubernetes object of a stack as YAML")
    _add_stack(show)
    show.add_argument("object", nargs="?", metavar="KIND/NAME", help="such as Application/litellm")
    show.add_argument("--list", action="store_true", help="list all objects")

    reset = commands.add_parser("reset", help="forget a stack without deleting anything in it")
    _add_stack(reset)

    measure = commands.add_parser("bench", help="measure the program, a preview and an up")
    bench.add_arguments(measure)
    return parser


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stack",
        default="gke",
        help="name of a committed stack: gke, hetzner or local",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="any other stack file; its name, Pulumi.<stack>.yaml, names the stack",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=DEFAULT_ROOT,
        metavar="FOLDER",
        help="where state and fake clouds are kept (default: .llmp/sandbox)",
    )


def _add_policies(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-policies",
        dest="policies",
        action="store_false",
        help="run without the policy pack",
    )


def _stack_of(options: argparse.Namespace) -> str:
    config: Path | None = getattr(options, "config", None)
    return stack_name(config) if config is not None else str(getattr(options, "stack", "gke"))


def _sandbox_of(options: argparse.Namespace) -> Sandbox:
    return Sandbox(root=options.root.resolve())


def _stack_file_of(options: argparse.Namespace) -> StackFile:
    path = options.config or REPOSITORY / f"Pulumi.{options.stack}.yaml"
    return read_stack_file(path)


def _run_engine(options: argparse.Namespace, verb: str) -> tuple[StackFile, Run]:
    file = _stack_file_of(options)
    sandbox = _sandbox_of(options)
    if getattr(options, "fresh", False):
        sandbox.reset(file.stack)
    policies = getattr(options, "policies", False)
    engine = Engine(sandbox, file.stack, file.config, policies=policies)
    with Progress(f"{verb} {file.stack}") as progress:
        calls = {"up": engine.up, "preview": engine.preview, "destroy": engine.destroy}
        return file, calls[verb](progress.update)


def _demo(options: argparse.Namespace) -> int:
    file, run = _run_engine(options, "up")
    return _report(options, file, run)


def _preview(options: argparse.Namespace) -> int:
    file, run = _run_engine(options, "preview")
    return _report(options, file, run)


def _report(options: argparse.Namespace, file: StackFile, run: Run) -> int:
    if options.json:
        report.print_json(report.as_document(run, file.cost))
    else:
        report.print_run(run, file, report.page_console())
    return 0


def _destroy(options: argparse.Namespace) -> int:
    _, run = _run_engine(options, "destroy")
    if options.json:
        report.print_json(report.destroy_document(run))
    else:
        report.print_destroy(run, report.page_console())
    return 0


def _show(options: argparse.Namespace) -> int:
    clouds = _sandbox_of(options).clouds(_stack_of(options))
    if options.object is None or options.list:
        kept = objects.kept_objects(clouds)
        if not kept:
            msg = "the sandbox keeps no Kubernetes object of this stack; run `make demo` first"
            raise SandboxError(msg)
        for one in kept:
            print(f"{one.namespace:30} {one.reference}")
        return 0
    found = objects.find_objects(clouds, options.object)
    print("---\n".join(one.text() for one in found), end="")
    return 0


def _reset(options: argparse.Namespace) -> int:
    stack = _stack_of(options)
    forgotten = _sandbox_of(options).reset(stack)
    print(f"stack {stack}: " + ("forgotten" if forgotten else "there was nothing to forget"))
    return 0


_COMMANDS: Final[dict[str, Any]] = {
    "demo": _demo,
    "preview": _preview,
    "destroy": _destroy,
    "show": _show,
    "reset": _reset,
    "bench": bench.run,
}

if __name__ == "__main__":
    sys.exit(main())
