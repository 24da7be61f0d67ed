"""The provider's annotations that make it wait for an object's status.

``pulumi.com/waitFor`` holds one expression or a JSON list of them, each ``jsonpath={...}`` with an
optional ``=value``, or ``condition=Type`` with an optional ``=Status``. All must hold.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from sandbox.provider.values import Properties, Value, as_dict, as_list, plain

WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT = "pulumi.com/timeoutSeconds"
SKIP = "pulumi.com/skipAwait"

_JSONPATH = re.compile(r"jsonpath=\{(?P<path>[^{}]+)\}(=(?P<value>.*))?", re.DOTALL)
_CONDITION = re.compile(r"condition=(?P<type>[A-Za-z0-9./-]+)(=(?P<status>.+))?")
_STEP = re.compile(r"\.([A-Za-z0-9_\-]+|\\\.)+|\[(\d+)\]|\['([^']+)'\]")


class WaitError(Exception):
    """An annotation is not one that the provider understands."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that an object's status has to show.

    Attributes:
        text: the expression as it was written.
        path: the steps into the object; empty for a condition.
        condition: the type of a status condition; empty for a path.
        value: the wanted value; None when being there is enough.
    """

    text: str
    path: tuple[str | int, ...]
    condition: str
    value: str | None

    def holds(self, live: Properties) -> bool:
        """Tell whether the object shows it."""
        if self.condition:
            return _condition_status(live, self.condition) == self.value
        value: Value = live
        for step in self.path:
            if isinstance(step, int):
                items = as_list(value) or []
                value = items[step] if step < len(items) else None
            else:
                value = (as_dict(value) or {}).get(step)
        if value is None:
            return False
        return self.value is None or _text(value) == self.value


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _condition_status(live: Properties, kind: str) -> str | None:
    status = as_dict(live.get("status")) or {}
    for item in as_list(status.get("conditions")) or []:
        condition = as_dict(item) or {}
        if condition.get("type") == kind:
            return str(condition.get("status"))
    return None


def expectations(annotation: str) -> list[Expectation]:
    """Read a waitFor annotation.

    Raises:
        WaitError: it holds something else than conditions and JSON paths.
    """
    try:
        content: Any = json.loads(annotation)
    except json.JSONDecodeError:
        content = annotation
    texts = cast("list[Any]", content) if isinstance(content, list) else [annotation]
    if not texts:
        raise WaitError(f"{WAIT_FOR} is an empty list")
    return [_expectation(str(text)) for text in texts]


def _expectation(text: str) -> Expectation:
    match = _JSONPATH.fullmatch(text)
    if match:
        return Expectation(text, _steps(match["path"]), "", match["value"])
    match = _CONDITION.fullmatch(text)
    if match:
        return Expectation(text, (), match["type"], match["status"] or "True")
    raise WaitError(f'{WAIT_FOR}: expected "jsonpath={{...}}" or "condition=...", got {text!r}')


def _steps(path: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise WaitError(f"{WAIT_FOR}: {path!r} is not a simple JSON path")
        if match.group(2) is not None:
            steps.append(int(match.group(2)))
        elif match.group(3) is not None:
            steps.append(match.group(3))
        else:
            steps.append(match.group(0)[1:].replace("\\.", "."))
        position = match.end()
    return tuple(steps)


def annotation_problems(annotations: Properties) -> list[tuple[str, str]]:
    """Say what is wrong with the waiting annotations: pairs of annotation and complaint."""
    problems: list[tuple[str, str]] = []
    wanted = plain(annotations.get(WAIT_FOR))
    if isinstance(wanted, str):
        try:
            expectations(wanted)
        except WaitError as error:
            problems.append((WAIT_FOR, str(error)))
    seconds = plain(annotations.get(TIMEOUT))
    if isinstance(seconds, str) and not (seconds.isdecimal() and int(seconds) > 0):
        problems.append((TIMEOUT, f"{seconds!r} is not a number of seconds"))
    return problems


def unmet(live: Properties) -> list[str]:
    """Return the expressions of an object's waitFor annotation that its status does not show."""
    annotations = as_dict((as_dict(live.get("metadata")) or {}).get("annotations")) or {}
    if str(annotations.get(SKIP)).lower() == "true":
        return []
    wanted = annotations.get(WAIT_FOR)
    if not isinstance(wanted, str):
        return []
    return [item.text for item in expectations(wanted) if not item.holds(live)]
