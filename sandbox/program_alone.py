"""Times the program without an engine: `python -m sandbox.program_alone STACK_FILE`.

Runs `__main__.py` under mocks, in an interpreter of its own, and prints one JSON object with the
seconds that the imports and the program took. It checks nothing: the tests do.
"""

import importlib
import json
import runpy
import sys
import time
from pathlib import Path
from typing import Any, cast

import pulumi.runtime

from sandbox.project import REPOSITORY
from sandbox.stack_file import read_stack_file


class _Echo(pulumi.runtime.Mocks):
    """Answers every registration with its own inputs."""

    def new_resource(
        self, args: pulumi.runtime.MockResourceArgs
    ) -> tuple[str | None, dict[str, Any]]:
        inputs = cast("dict[str, Any]", args.inputs)  # pyright: ignore[reportUnknownMemberType]
        return f"{args.name}-id", inputs

    def call(
        self, args: pulumi.runtime.MockCallArgs
    ) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        arguments = cast("dict[str, Any]", args.args)  # pyright: ignore[reportUnknownMemberType]
        return arguments, None


def main(arguments: list[str]) -> int:
    """Run the program once and print how long it took."""
    file = read_stack_file(Path(arguments[0]))
    start = time.perf_counter()
    importlib.import_module("stacks.program")
    imported = time.perf_counter()
    config = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in file.config.items()
    }
    program = str(REPOSITORY / "__main__.py")
    pulumi.runtime.set_mocks(_Echo(), project="llmp", stack=file.stack, preview=False)
    pulumi.runtime.set_all_config(config)
    run = pulumi.runtime.test(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        lambda: runpy.run_path(program, run_name="__main__")
    )
    run()
    done = time.perf_counter()
    print(json.dumps({"import_seconds": imported - start, "program_seconds": done - imported}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
