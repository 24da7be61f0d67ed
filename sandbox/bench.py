"""Measures the time a stack takes for 1, 10 and 100 models, and refuses worse than linear growth.

The stack files are the gke example with its list of models replaced. Measured apart: the program
alone (under mocks, in an interpreter of its own), a preview and an `up` from nothing, and a preview
of an empty program, which is the engine's own start. The `up` that is held to the limit saves the
state once; the same with the engine's usual saving after every step is shown beside it.
"""

import argparse
import copy
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml
from rich.console import Console
from rich.table import Table

from sandbox import report
from sandbox.errors import SandboxError
from sandbox.project import REPOSITORY, Sandbox
from sandbox.runner import Engine
from sandbox.stack_file import read_stack_file

DEFAULT_COUNTS: Final = (1, 10, 100)
DEFAULT_REPEAT: Final = 3
PREVIEW_LIMIT_SECONDS: Final = 10.0
"""A preview of the smallest stack may take this long beyond the engine's own start."""

GROWTH_LIMIT: Final = 1.15
"""Highest exponent of growth: 1 is linear, 2 quadratic; the rest is what a busy machine adds."""

SAVING: Final = "up, saving every step"
"""Name of the one measurement that has no limit: the file backend writes the whole state after each
step, so the engine's own part of it grows with the square of the resources."""

_NOISE_SECONDS: Final = 0.5
"""Differences below this say nothing about growth: a busy machine makes as much."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """Seconds of one operation by number of models: the median of several runs."""

    name: str
    seconds: Mapping[int, float]
    limited: bool = True
    """Whether its growth is held to the limit."""

    def exponent(self) -> float | None:
        """Return p of cost ~ models^p between the two largest numbers of models.

        Returns:
            None where there is only one number of models.
        """
        counts = sorted(self.seconds)
        if len(counts) < 2:  # noqa: PLR2004 - a slope takes two points
            return None
        low, high = counts[-2], counts[-1]
        return math.log(self.seconds[high] / self.seconds[low]) / math.log(high / low)

    def added_exponent(self) -> float | None:
        """Return the exponent of what the models add, with the cost of the first one taken away.

        A fixed cost hides growth from `exponent`: this one sees a square behind a long start.

        Returns:
            None where there are fewer than three numbers of models, or their differences are noise.
        """
        added = self._added()
        if added is None or min(added.low, added.high) < _NOISE_SECONDS:
            return None
        return math.log(added.high / added.low) / math.log(added.times)

    def grows_too_fast(self) -> bool:
        """Return whether the models add more than the limit and the noise of a machine allow."""
        exponent, added = self.exponent(), self._added()
        if exponent is not None and exponent > GROWTH_LIMIT:
            return True
        if added is None:
            return False
        allowed = max(added.low, 0.0) + _NOISE_SECONDS
        return added.high > allowed * added.times**GROWTH_LIMIT

    def _added(self) -> "_Added | None":
        counts = sorted(self.seconds)
        if len(counts) < 3:  # noqa: PLR2004 - one point for the fixed cost, two for the slope
            return None
        first, low, high = counts[0], counts[-2], counts[-1]
        return _Added(
            low=self.seconds[low] - self.seconds[first],
            high=self.seconds[high] - self.seconds[first],
            times=(high - first) / (low - first),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Added:
    """Seconds that the models add to the cost of the first one."""

    low: float
    high: float
    times: float
    """How many times more models `high` adds than `low`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """All measurements of one bench, and the limits they are held to."""

    engine_start_seconds: float
    measurements: tuple[Measurement, ...]
    resources: Mapping[int, int]
    """Resources in the stack by number of models."""

    def failures(self) -> tuple[str, ...]:
        """Return what is over a limit, in words."""
        failures: list[str] = []
        for one in self.measurements:
            if one.limited and one.grows_too_fast():
                powers = f"{_power(one.exponent())}, of added models {_power(one.added_exponent())}"
                failures.append(
                    f"{one.name}: cost grows faster than linearly: {powers}; "
                    f"the limit is models^{GROWTH_LIMIT}"
                )
        beyond = self.preview_beyond_start()
        if beyond is not None and beyond > PREVIEW_LIMIT_SECONDS:
            failures.append(
                f"preview takes {beyond:.1f} s beyond the engine's own start; "
                f"the limit is {PREVIEW_LIMIT_SECONDS:.0f} s"
            )
        return tuple(failures)

    def preview_beyond_start(self) -> float | None:
        """Return the seconds of the smallest stack's preview without the engine's own start."""
        preview = next((one for one in self.measurements if one.name == "preview"), None)
        if preview is None:
            return None
        return preview.seconds[min(preview.seconds)] - self.engine_start_seconds

    def as_dict(self) -> dict[str, Any]:
        """Return the bench as JSON data."""
        return {
            "engine_start_seconds": round(self.engine_start_seconds, 3),
            "resources": {str(count): number for count, number in self.resources.items()},
            "measurements": [
                {
                    "name": one.name,
                    "seconds": {
                        str(count): round(value, 3) for count, value in one.seconds.items()
                    },
                    "limited": one.limited,
                    "exponent": one.exponent(),
                    "added_exponent": one.added_exponent(),
                }
                for one in self.measurements
            ],
            "failures": list(self.failures()),
            "cores": os.cpu_count(),
        }


def with_models(config: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the config of a stack file with `count` models made from its first one.

    Raises:
        SandboxError: the stack has no model to make others from.
    """
    changed = copy.deepcopy(dict(config))
    stack = cast("dict[str, Any]", changed["llmp:stack"])
    models = cast("list[dict[str, Any]]", stack.get("models") or [])
    if not models:
        msg = "the stack file has no model that others could be made from; add one to `models`"
        raise SandboxError(msg)
    names = [f"model-{number:03}" for number in range(1, count + 1)]
    stack["models"] = [{**models[0], "name": name} for name in names]
    for tenant in cast("list[dict[str, Any]]", stack.get("tenants") or []):
        tenant["models"] = list(names)
    return changed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bench`."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--config", type=Path, default=REPOSITORY / "Pulumi.gke.yaml", metavar="FILE"
    )
    parser.add_argument("--models", type=_counts, default=DEFAULT_COUNTS, metavar="1,10,100")
    parser.add_argument(
        "--repeat", type=int, default=DEFAULT_REPEAT, help="runs; the median counts"
    )


def run(options: argparse.Namespace) -> int:
    """Measure, print the table or the JSON document, and return 1 when a limit is broken."""
    bench = measure(options.config, options.models, options.repeat, say=_say)
    if options.json:
        report.print_json(bench.as_dict())
    else:
        _print_bench(bench, report.page_console())
    return 1 if bench.failures() else 0


def measure(example: Path, counts: Sequence[int], repeat: int, say: Callable[[str], None]) -> Bench:
    """Measure the program, a preview and an up for each number of models.

    Args:
        example: stack file that the measured ones are made from.
        counts: numbers of models.
        repeat: runs of each; the median counts.
        say: told what is measured next.
    """
    file = read_stack_file(example)
    alone: dict[int, float] = {}
    preview: dict[int, float] = {}
    up: dict[int, float] = {}
    saving: dict[int, float] = {}
    resources: dict[int, int] = {}
    with tempfile.TemporaryDirectory(prefix="llmp-bench-") as folder:
        work = Path(folder)
        say("the engine's own start")
        engine_start = _engine_start(work / "empty", repeat)
        for count in counts:
            stack = f"bench-{count}"
            config = with_models(file.config, count)
            path = work / f"Pulumi.{stack}.yaml"
            path.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
            read_stack_file(path)  # says what is wrong with it before anything is measured
            say(f"the program alone, {count} models")
            alone[count] = _median(repeat, lambda path=path: _program_alone(path))
            sandbox = Sandbox(root=work / "sandbox")
            say(f"preview, {count} models")
            engine = Engine(sandbox, stack, config)
            preview[count] = _median(repeat, lambda engine=engine: engine.preview().seconds)
            say(f"up, {count} models")
            seconds: list[float] = []
            for _ in range(repeat):
                sandbox.reset(stack)
                done = Engine(sandbox, stack, config, saves_every_step=False).up()
                seconds.append(done.seconds)
                resources[count] = len(done.resources)
            up[count] = statistics.median(seconds)
            say(f"{SAVING}, {count} models, once")
            sandbox.reset(stack)
            saving[count] = Engine(sandbox, stack, config).up().seconds
    return Bench(
        engine_start_seconds=engine_start,
        measurements=(
            Measurement(name="program alone", seconds=alone),
            Measurement(name="preview", seconds=preview),
            Measurement(name="up", seconds=up),
            Measurement(name=SAVING, seconds=saving, limited=False),
        ),
        resources=resources,
    )


def _engine_start(folder: Path, repeat: int) -> float:
    repository = folder / "program"
    repository.mkdir(parents=True)
    (repository / "Pulumi.yaml").write_text("name: empty\nruntime: python\n", encoding="utf-8")
    (repository / "__main__.py").write_text('"""Nothing."""\n', encoding="utf-8")
    engine = Engine(Sandbox(root=folder / "sandbox", repository=repository), "empty", {})
    return _median(repeat, lambda: engine.preview().seconds)


def _program_alone(path: Path) -> float:
    result = subprocess.run(
        [sys.executable, "-m", "sandbox.program_alone", str(path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        msg = f"the program fails on its own: {last}"
        raise SandboxError(msg)
    seconds = cast("dict[str, float]", json.loads(result.stdout.splitlines()[-1]))
    return seconds["program_seconds"]


def _median(repeat: int, once: Callable[[], float]) -> float:
    return statistics.median(once() for _ in range(repeat))


def _counts(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        counts = ()
    if not counts or counts[0] < 1:
        msg = f"{text!r} is no list of numbers of models such as 1,10,100"
        raise argparse.ArgumentTypeError(msg)
    return counts


def _say(what: str) -> None:
    Console(stderr=True, highlight=False).print(f"measuring {what} …")


def _print_bench(bench: Bench, console: Console) -> None:
    counts = sorted(bench.resources)
    table = Table(title="Seconds by number of models", title_justify="left", box=None)
    table.add_column("")
    for count in counts:
        table.add_column(f"{count} models" if count > 1 else "1 model", justify="right")
    table.add_column("grows with", justify="right")
    table.add_column("added models", justify="right")
    for one in bench.measurements:
        cells = [f"{one.seconds[count]:.2f}" for count in counts]
        table.add_row(one.name, *cells, _power(one.exponent()), _power(one.added_exponent()))
    table.add_row("resources", *(str(bench.resources[count]) for count in counts), "", "")
    console.print(table)
    beyond = bench.preview_beyond_start()
    console.print(
        "\nThe engine's own start (preview of an empty program): "
        f"{bench.engine_start_seconds:.2f} s."
        + (f" A preview beyond it: {beyond:.2f} s." if beyond is not None else "")
        + f" {os.cpu_count()} cores."
    )
    console.print(
        f'"{SAVING}" is what a user sees, measured once and held to no limit: the file backend '
        "writes the whole state each time.",
        style="dim",
    )
    for failure in bench.failures():
        console.print(f"[bold red]Over the limit:[/] {failure}")


def _power(exponent: float | None) -> str:
    return "-" if exponent is None else f"models^{exponent:.2f}"
