"""Reads and checks one stack object: all problems of a file come out at once.

Pydantic stops at the first layer: rules between sections never run while a single value is wrong.
So a wrong value is reported, then replaced by its default or by the example of its field, and the
rest is checked as if it had been right. What only looks wrong because of that is not reported.
"""

import copy
import json
from pathlib import Path
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from stacks.config.document import read_document
from stacks.config.problems import (
    WHOLE_STACK,
    ConfigError,
    Location,
    Problem,
    example_of,
    field_at,
    models_in,
    path_of,
    placeholder,
    problem_of,
    shown,
)
from stacks.config.rules import contract_problems, stack_problems
from stacks.config.stack import STACK_KINDS, Stack
from stacks.contracts import known_contract

_ROUNDS: Final = 8
"""Rounds of replace and check again; each one can only uncover problems one layer deeper."""


def load_stack_file(path: Path) -> Stack:
    """Return the checked stack object of a `Pulumi.<stack>.yaml`.

    Raises:
        ConfigError: the file cannot be read, or holds anything that is not allowed.
    """
    source = str(path)
    document = read_document(path)
    try:
        stack = parse_stack(document.stack, source)
    except ConfigError as error:
        of_stack = [
            problem
            for problem in error.problems
            if not any(_concerns(problem.path, written.path) for written in document.problems)
        ]
        raise ConfigError([*document.problems, *of_stack], source) from error
    if document.problems:
        raise ConfigError(document.problems, source)
    return stack


_GPUS: Final = ("gke.gpu_pools", "hetzner.gpu_servers", "existing.contract.gpu")
"""Which parts of a stack say what GPUs there are."""


def parse_stack(raw: object, source: str) -> Stack:
    """Return the checked stack object.

    Args:
        raw: the value of the config key, as YAML or JSON data.
        source: what the problems are said of, a file or a config key.

    Raises:
        ConfigError: with every problem that can be found.
    """
    if not isinstance(raw, dict):
        message = "must be a mapping with the key `kind`"
        problem = Problem(
            path=path_of(()), message=message, value=shown(raw), fix="write kind: gke below it"
        )
        raise ConfigError([problem], source)
    # Through JSON and back: dates and other YAML types become what Pulumi would hand over.
    data = cast("dict[str, Any]", json.loads(json.dumps(raw, default=str)))
    kind = data.get("kind")
    model = STACK_KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise ConfigError([_kind_problem(data)], source)
    problems: list[Problem] = []
    replaced: set[str] = set()
    checked = _check(model, copy.deepcopy(data), problems, replaced)
    if checked is not None:
        stack = cast("Stack", checked)
        # GPUs that stand in for what is wrong say nothing of the models.
        invented = any(
            _concerns(part, path) or _concerns(path, part) for part in _GPUS for path in replaced
        )
        contract = None if invented else known_contract(stack)
        problems.extend(
            problem
            for problem in (
                *stack_problems(stack, data),
                *(contract_problems(stack, contract) if contract else ()),
            )
            if not any(_concerns(problem.path, path) for path in replaced)
        )
    if problems:
        raise ConfigError(dict.fromkeys(problems), source)
    return cast("Stack", checked)


def _kind_problem(data: dict[str, Any]) -> Problem:
    kinds = ", ".join(STACK_KINDS)
    if "kind" not in data:
        likely = next((kind for kind in STACK_KINDS if kind in data), "gke")
        return Problem(
            path="kind",
            message="is required and missing",
            allowed=kinds,
            fix=f"add `kind: {likely}`",
        )
    return Problem(
        path="kind",
        message="is none of the known kinds",
        value=shown(data["kind"]),
        allowed=kinds,
        fix=f"write one of: {kinds}",
    )


def _concerns(path: str, replaced: str) -> bool:
    return replaced in (WHOLE_STACK, path) or path.startswith((f"{replaced}.", f"{replaced}["))


def _stands_by_itself(path: str, replaced: set[str]) -> bool:
    """Return whether what is wrong with a value after the first round is a mistake of its own.

    A value in which nothing was replaced was checked in the first round: it is wrong beside another
    one, which was replaced. And what was put in its place is not the user's.
    """
    if any(_concerns(path, one) for one in replaced):
        return False
    return any(_concerns(one, path) for one in replaced)


def _check(
    model: type[BaseModel],
    data: dict[str, Any],
    problems: list[Problem],
    replaced: set[str],
) -> BaseModel | None:
    emptied: set[str] = set()
    for attempt in range(_ROUNDS):
        first = attempt == 0
        try:
            return model.model_validate_json(json.dumps(data))
        except ValidationError as error:
            details = error.errors(include_url=False)
        emptied |= {
            path_of(_without_tags(detail["loc"])[:-1])
            for detail in details
            if _is_taken_out(model, detail)
        }
        problems.extend(
            problem_of(model, detail)
            for detail in details
            # It may look wrong only because of what was taken out of it, or put in beside it.
            if path_of(detail["loc"]) not in emptied
            and (first or _stands_by_itself(path_of(detail["loc"]), replaced))
        )
        # Deepest and last first, so that removing a list element moves no other one.
        locations = {_without_tags(detail["loc"]): detail for detail in details}
        for location in sorted(locations, key=_removal_order, reverse=True):
            replaced.add(path_of(location))
            if not _replace(model, data, location, locations[location]):
                return None
    return None


def _removal_order(location: Location) -> tuple[tuple[int, str, int], ...]:
    return tuple((1, "", part) if isinstance(part, int) else (0, part, 0) for part in location)


def _without_tags(location: Location) -> tuple[str | int, ...]:
    return tuple(part for part in location if isinstance(part, int) or not part.startswith("<"))


def _replace(
    model: type[BaseModel], data: dict[str, Any], location: Location, error: ErrorDetails
) -> bool:
    """Make the place of one error right; return False where nothing right is known for it."""
    if not location:
        return False
    parent: Any = data
    for part in location[:-1]:
        try:
            parent = parent[part]
        except (KeyError, IndexError, TypeError):
            return True  # an error above has removed it already
    return _put_right(parent, location[-1], model, error)


def _is_taken_out(model: type[BaseModel], error: ErrorDetails) -> bool:
    """Return whether a wrong value goes without another in its place, and its section misses it."""
    field = field_at(model, error["loc"])
    location = _without_tags(error["loc"])
    if field is None or not location:
        return False
    if isinstance(location[-1], int):
        return not models_in(field.annotation) and not isinstance(example_of(field), list)
    return error["type"] != "extra_forbidden" and not field.is_required()


def _put_right(
    parent: object, last: str | int, model: type[BaseModel], error: ErrorDetails
) -> bool:
    field = field_at(model, error["loc"])
    nested = models_in(field.annotation) if field else []
    example = example_of(field)
    if isinstance(last, int):
        if not isinstance(parent, list):
            return True
        elements = cast("list[Any]", parent)
        examples = cast("list[Any]", example) if isinstance(example, list) else []
        right = placeholder(nested[0]) if nested else next(iter(examples), None)
        # Replaced rather than removed where that can be, so that later paths keep their index.
        elements[last : last + 1] = [] if right is None else [right]
        return True
    if not isinstance(parent, dict):
        return True
    section = cast("dict[str, Any]", parent)
    if error["type"] == "extra_forbidden" or field is None or not field.is_required():
        section.pop(last, None)
        return True
    if example is PydanticUndefined:
        example = placeholder(nested[0]) if nested else None
    section[last] = copy.deepcopy(example)
    return example is not None
