"""Runs the real engine on the program, with the providers of the sandbox.

It owns the calls to the engine and what becomes of its events. It prints nothing: `report` does.
"""

import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, Final, cast

from pulumi import automation
from pulumi.automation import errors as automation_errors
from pulumi.automation import events

from sandbox.errors import EngineError, SandboxError
from sandbox.project import POLICY_PACK, Sandbox, engine_environment
from sandbox.records import SECRET, Resource, Run, count_operations, masked, merged_operation

OnProgress = Callable[[int, int, str], None]
"""Called with the number of finished operations, of started ones, and the name of the latest."""

_COLOUR: Final = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_SUMMARY: Final = re.compile(
    r"^(update|preview|destroy|refresh) (failed|canceled)$|resource registration|"
    r"^resource operation was cancelled|^an unhandled error occurred: program exited with"
)

_FROM_PATH: Final = re.compile(r"^using pulumi-\S+ from \$PATH")
"""What the engine says of every provider of the sandbox: that is what the sandbox is."""


class Engine:
    """The engine on one stack of the sandbox."""

    def __init__(
        self,
        sandbox: Sandbox,
        stack: str,
        config: Mapping[str, Any],
        *,
        saves_every_step: bool = True,
        policies: bool = False,
    ) -> None:
        """Prepare the project of a stack.

        Args:
            sandbox: where it lives.
            stack: name of the stack.
            config: the `config` mapping of its stack file.
            saves_every_step: False saves the state once, at the end: a run that is killed then
                loses all it did, but the time of a run is not the engine's writing of its state.
            policies: whether the policy pack has its say in `up` and `preview`.

        Raises:
            SandboxError: there is no engine, or another run works on the stack.
        """
        if shutil.which("pulumi") is None:
            msg = (
                "there is no `pulumi` on PATH; the make targets, such as `make demo`, put one there"
            )
            raise SandboxError(msg)
        self._sandbox = sandbox
        self._stack = stack
        self._policy_packs = [str(POLICY_PACK)] if policies else []
        sandbox.clear_dead_locks(stack)
        self._folder = sandbox.prepare(stack, config)
        self._environment = sandbox.environment(stack, cluster_of=sandbox.cluster_owner(config))
        if not saves_every_step:
            self._environment |= {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}

    def up(self, on_progress: OnProgress | None = None) -> Run:
        """Bring the stack up.

        Raises:
            EngineError: it was not completed; what was completed is in the state.
        """
        return self._run("up", on_progress)

    def preview(self, on_progress: OnProgress | None = None) -> Run:
        """Say what `up` would do, changing nothing.

        Raises:
            EngineError: the program or a provider refused.
        """
        return self._run("preview", on_progress)

    def refresh(self, on_progress: OnProgress | None = None) -> Run:
        """Read every resource from its provider into the state.

        Raises:
            EngineError: a provider refused.
        """
        return self._run("refresh", on_progress)

    def destroy(self, on_progress: OnProgress | None = None) -> Run:
        """Delete every resource of the stack.

        Raises:
            EngineError: it was not completed; what is left is in the state.
        """
        return self._run("destroy", on_progress)

    def export(self) -> dict[str, Any]:
        """Return the deployment of the stack as the engine keeps it, secrets encrypted."""
        with self._stack_of_engine() as stack:
            return cast("dict[str, Any]", stack.export_stack().deployment or {})

    def outputs(self) -> dict[str, Any]:
        """Return the stack outputs with secret values in clear: for tests and bench alone."""
        with self._stack_of_engine() as stack:
            return {name: output.value for name, output in stack.outputs().items()}

    @contextmanager
    def _stack_of_engine(self) -> Generator[automation.Stack, None, None]:
        with engine_environment(self._environment):
            try:
                yield automation.create_or_select_stack(
                    stack_name=self._stack, work_dir=str(self._folder)
                )
            except automation_errors.InvalidVersionError as error:
                msg = f"the `pulumi` on PATH cannot be used: {error}"
                raise SandboxError(msg) from error
            except automation_errors.CommandError as error:
                problems = _errors_in(str(error))
                log = self._sandbox.engine_log(self._stack)
                log.write_text(str(error), encoding="utf-8")
                raise EngineError(problems, log=log, completed=0) from error

    def _run(self, verb: str, on_progress: OnProgress | None) -> Run:
        log_path = self._sandbox.engine_log(self._stack)
        plan_path = self._folder / "plan.json"
        with self._stack_of_engine() as stack, log_path.open("w", encoding="utf-8") as log:
            collector = _Collector(log, on_progress)
            interrupts: list[int] = []
            start = time.monotonic()
            try:
                with _engine_stops_first(interrupts):
                    outputs = _call(stack, verb, collector, plan_path, self._policy_packs)
            except automation_errors.CommandError as error:
                if interrupts:
                    raise KeyboardInterrupt from error
                problems = collector.problems() or _errors_in(str(error))
                completed = len(collector.finished)
                raise EngineError(problems, log=log_path, completed=completed) from error
            seconds = time.monotonic() - start
            if verb == "preview":
                resources = collector.planned(_take_plan(plan_path))
                outputs = collector.outputs
            else:
                deployment = cast("dict[str, Any]", stack.export_stack().deployment or {})
                resources = collector.deployed(deployment)
        return Run(
            stack=self._stack,
            verb=verb,
            resources=resources,
            operations=count_operations(resources),
            finished=tuple(collector.finished),
            outputs=outputs,
            advice=tuple(collector.advice()),
            seconds=seconds,
            seconds_to_first_resource=collector.first_resource_at - start
            if collector.first_resource_at
            else seconds,
            warnings=tuple(dict.fromkeys(collector.warnings)),
        )


class _Collector:
    """Gathers the engine's events of one run; its methods are called from another thread."""

    def __init__(self, log: IO[str], on_progress: OnProgress | None) -> None:
        self._log = log
        self._on_progress = on_progress
        self._started: dict[str, Resource] = {}
        self._errors: dict[str, list[str]] = {}
        self._advice: dict[str, list[str]] = {}
        self.warnings: list[str] = []
        self.finished: list[str] = []
        self.first_resource_at = 0.0
        self.outputs: dict[str, Any] = {}

    def on_output(self, line: str) -> None:
        self._log.write(_COLOUR.sub("", line) + "\n")

    def on_event(self, event: events.EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self._start(event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            self._finish(event.res_outputs_event.metadata)
        elif event.diagnostic_event is not None:
            self._say(event.diagnostic_event)
        elif event.policy_event is not None:
            self._judge(event.policy_event)

    def problems(self) -> list[str]:
        """Return one text for each error, with all resources that have it; the program's first."""
        return _texts(self._errors)

    def advice(self) -> list[str]:
        """Return what policies say that is no error, likewise."""
        return _texts(self._advice)

    def planned(self, plan: Mapping[str, Any]) -> tuple[Resource, ...]:
        """Return the resources of a preview: its events, with the dependencies of its plan."""
        for urn, entry in cast("dict[str, dict[str, Any]]", plan.get("resourcePlans", {})).items():
            goal = cast("dict[str, Any] | None", entry.get("goal"))
            resource = self._started.setdefault(urn, Resource(urn=urn, type=_type_of(urn)))
            if goal is not None:
                resource.dependencies = tuple(goal.get("dependencies") or ())
                resource.parent = cast("str | None", goal.get("parent")) or None
                resource.custom = bool(goal.get("custom"))
        return tuple(self._started.values())

    def deployed(self, deployment: Mapping[str, Any]) -> tuple[Resource, ...]:
        """Return the resources of the state and those that this run deleted from it."""
        resources: dict[str, Resource] = {}
        for state in cast("list[dict[str, Any]]", deployment.get("resources") or []):
            if state.get("delete"):
                continue
            urn = str(state["urn"])
            started = self._started.get(urn)
            resources[urn] = Resource(
                urn=urn,
                type=str(state["type"]),
                parent=state.get("parent") or None,
                custom=bool(state.get("custom")),
                operation=started.operation if started else "same",
                inputs=masked(state.get("inputs") or {}),
                dependencies=tuple(state.get("dependencies") or ()),
                created=str(state.get("created") or ""),
            )
        for urn, resource in self._started.items():
            if resource.operation == "delete":
                resources.setdefault(urn, resource)
        return tuple(resources.values())

    def _start(self, metadata: events.StepEventMetadata) -> None:
        if not self.first_resource_at and metadata.type != "pulumi:pulumi:Stack":
            self.first_resource_at = time.monotonic()
        known = self._started.get(metadata.urn)
        state = metadata.new or metadata.old
        self._started[metadata.urn] = Resource(
            urn=metadata.urn,
            type=metadata.type,
            parent=(state.parent or None) if state else None,
            custom=bool(state.custom) if state else True,
            operation=merged_operation(known.operation if known else None, metadata.op.value),
            inputs=(state.inputs or {}) if state else {},
        )
        self._tell(metadata.urn)

    def _finish(self, metadata: events.StepEventMetadata) -> None:
        self.finished.append(metadata.urn)
        state = metadata.new
        if metadata.type == "pulumi:pulumi:Stack" and state is not None:
            self.outputs = {name: masked(value) for name, value in (state.outputs or {}).items()}
        self._tell(metadata.urn)

    def _say(self, diagnostic: events.DiagnosticEvent) -> None:
        text = _COLOUR.sub("", diagnostic.message).strip()
        if not text:
            return
        self._log.write(f"{diagnostic.severity}: {diagnostic.urn or ''}: {text}\n")
        if diagnostic.severity == "error":
            self._errors.setdefault(diagnostic.urn or "", []).append(text)
        elif diagnostic.severity == "warning" and not _FROM_PATH.search(text):
            self.warnings.append(text)

    def _judge(self, event: events.PolicyEvent) -> None:
        """Keep what a policy says: as an error where it is mandatory, else as advice."""
        urn = event.resource_urn or ""
        text = f"policy {event.policy_name}: {_COLOUR.sub('', event.message).strip()}"
        self._log.write(f"{event.enforcement_level}: {urn}: {text}\n")
        kept = self._errors if event.enforcement_level == "mandatory" else self._advice
        kept.setdefault(urn, []).append(text)

    def _tell(self, urn: str) -> None:
        if self._on_progress is not None:
            name = urn.rsplit("::", 1)[-1]
            self._on_progress(len(set(self.finished)), len(self._started), name)


def _texts(said: Mapping[str, list[str]]) -> list[str]:
    """Return each text once, with all resources that it was said of by URN; the program's first."""
    of_program: list[str] = []
    names: dict[tuple[str, str], list[str]] = {}
    for urn, messages in said.items():
        told = [readable(message) for message in messages if not _SUMMARY.search(message)]
        text = "\n".join(dict.fromkeys(told))
        resource = Resource(urn=urn, type=_type_of(urn))
        if not text:
            continue
        if not urn or resource.type == "pulumi:pulumi:Stack":
            of_program.append(text)
        else:
            names.setdefault((resource.kind, text), []).append(repr(resource.name))
    of_resources = [f"{kind} {', '.join(of)}: {text}" for (kind, text), of in names.items()]
    return [*of_program, *of_resources]


@contextmanager
def _engine_stops_first(interrupts: list[int]) -> Generator[None, None, None]:
    """Let the engine, interrupted by the same key, end what it has begun and keep its state.

    A second interrupt is not held back. The first one is put into `interrupts`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def hold_back(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, hold_back)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _call(
    stack: automation.Stack,
    verb: str,
    collector: _Collector,
    plan: Path,
    policy_packs: list[str],
) -> dict[str, Any]:
    """Run one operation and return the stack outputs where it leaves any, secrets masked."""
    outputs: automation.OutputMap = {}
    match verb:
        case "up":
            result = stack.up(
                color="never",
                policy_packs=policy_packs,
                on_output=collector.on_output,
                on_error=collector.on_output,
                on_event=collector.on_event,
                show_secrets=False,
            )
            outputs = result.outputs
        case "preview":
            stack.preview(
                color="never",
                plan=str(plan),
                policy_packs=policy_packs,
                on_output=collector.on_output,
                on_error=collector.on_output,
                on_event=collector.on_event,
            )
        case "refresh":
            stack.refresh(
                color="never",
                on_output=collector.on_output,
                on_error=collector.on_output,
                on_event=collector.on_event,
                show_secrets=False,
            )
            outputs = stack.outputs()
        case _:
            stack.destroy(
                color="never",
                on_output=collector.on_output,
                on_error=collector.on_output,
                on_event=collector.on_event,
                show_secrets=False,
            )
    return {name: SECRET if output.secret else output.value for name, output in outputs.items()}


def _take_plan(path: Path) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    finally:
        path.unlink(missing_ok=True)


def _type_of(urn: str) -> str:
    qualified = urn.split("::")[2] if urn.count("::") >= 3 else ""  # noqa: PLR2004 - parts of a URN
    return qualified.rsplit("$", 1)[-1]


def readable(message: str) -> str:
    """Return a message of the engine with Python's tracebacks cut to what was raised."""
    if "Traceback (most recent call last)" not in message:
        return message
    lines = message.splitlines()
    starts = [
        index
        for index, line in enumerate(lines)
        if re.match(r"^\s*[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)\b", line)
    ]
    raised = lines[starts[-1] :] if starts else lines[-1:]
    text = "\n".join(line for line in raised if line.strip()).strip()
    return f"the program failed: {text}"


def _errors_in(text: str) -> list[str]:
    """Return the lines of a failed command that say why."""
    lines = [_COLOUR.sub("", line).strip() for line in text.splitlines()]
    said = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")]
    return list(dict.fromkeys(said)) or ["the engine stopped without saying why"]
