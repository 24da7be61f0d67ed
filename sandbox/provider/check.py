"""Checks the inputs of a resource against its SDK type and its row in the rules table."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.provider.constraints import complaint_about
from sandbox.provider.rules import TypeRules
from sandbox.provider.sdk_types import (
    Choice,
    ListOf,
    MapOf,
    ObjectOf,
    OneOf,
    Property,
    Scalar,
    SdkTypes,
    TypeReference,
)
from sandbox.provider.values import (
    UNKNOWN,
    Path,
    Properties,
    Secret,
    Value,
    as_dict,
    as_list,
    has_unknown,
    lookup,
    path_text,
    reveal,
    select,
)
from sandbox.provider.wire import is_asset


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is wrong: the property path, and what is wrong there."""

    path: str
    reason: str


_SHOWN_LENGTH = 80
_PYTHON_KINDS: dict[str, str] = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "asset": "an asset or archive",
}


def check_types(
    sdk: SdkTypes, properties: dict[str, Property], value: Value, path: Path = ()
) -> list[Failure]:
    """Report unknown keys, missing required keys and ill-typed values, at any depth.

    A null counts as not given. Unknown values pass: they are checked when they are known.
    """
    fields = as_dict(reveal(value))
    if fields is None:
        return [Failure(path_text(path), f"expected an object, got {_shown(value)}")]
    failures: list[Failure] = []
    for key, item in fields.items():
        declared = properties.get(key)
        if declared is None:
            failures.append(Failure(path_text((*path, key)), unknown_key(key, properties)))
        elif reveal(item) is not None:
            failures.extend(_check_value(sdk, declared.type, item, (*path, key)))
    for key, declared in properties.items():
        if declared.required and reveal(fields.get(key)) is None:
            failures.append(Failure(path_text((*path, key)), "is required and was not given"))
    return failures


def unknown_key(key: str, properties: Mapping[str, Property]) -> str:
    """Say that a key is not among the known ones, and which of them is likely meant."""
    close = difflib.get_close_matches(key, properties, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"the key {key!r} is not known here{hint}"


def _shown(value: Value) -> str:
    if isinstance(value, Secret):
        return "a secret of another type"
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def _check_value(sdk: SdkTypes, kind: TypeReference, value: Value, path: Path) -> list[Failure]:
    if reveal(value) is UNKNOWN:
        return []
    match kind:
        case ObjectOf():
            return check_types(sdk, sdk.object(kind), value, path)
        case ListOf():
            return _check_list(sdk, kind, value, path)
        case MapOf():
            return _check_map(sdk, kind, value, path)
        case OneOf():
            attempts = [_check_value(sdk, option, value, path) for option in kind.options]
            return [] if any(not attempt for attempt in attempts) else attempts[0]
        case Choice() | Scalar():
            return _check_single(kind, value, path)


def _check_single(kind: Choice | Scalar, value: Value, path: Path) -> list[Failure]:
    inner = reveal(value)
    if isinstance(kind, Choice):
        wanted = f"one of {', '.join(kind.values)}"
        good = inner in kind.values
    else:
        wanted = _PYTHON_KINDS.get(kind.kind, kind.kind)
        good = _is_kind(kind, inner)
    return [] if good else [Failure(path_text(path), f"expected {wanted}, got {_shown(value)}")]


def _check_list(sdk: SdkTypes, kind: ListOf, value: Value, path: Path) -> list[Failure]:
    items = as_list(reveal(value))
    if items is None:
        return [Failure(path_text(path), f"expected a list, got {_shown(value)}")]
    return [
        failure
        for index, item in enumerate(items)
        for failure in _check_value(sdk, kind.item, item, (*path, index))
    ]


def _check_map(sdk: SdkTypes, kind: MapOf, value: Value, path: Path) -> list[Failure]:
    fields = as_dict(reveal(value))
    if fields is None:
        return [Failure(path_text(path), f"expected a map, got {_shown(value)}")]
    return [
        failure
        for key, item in fields.items()
        if reveal(item) is not None
        for failure in _check_value(sdk, kind.value, item, (*path, key))
    ]


def _is_kind(kind: Scalar, value: Any) -> bool:
    match kind.kind:
        case "any":
            return True
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return is_asset(value)


def check_rules(rules: TypeRules, inputs: Properties) -> list[Failure]:
    """Report what a row of the rules table refuses. Unknown values pass."""
    failures = [failure for path in rules.required for failure in _missing(path, inputs)]
    for pattern, constraints in rules.checks.items():
        for path, value in select(inputs, pattern):
            if not has_unknown(value):
                failures.extend(_broken(path, value, constraints))
    failures.extend(_check_groups(rules, inputs))
    return failures


def _broken(path: Path, value: Value, constraints: dict[str, Any]) -> list[Failure]:
    complaints = [complaint_about(value, name, argument) for name, argument in constraints.items()]
    return [Failure(path_text(path), complaint) for complaint in complaints if complaint]


def _check_groups(rules: TypeRules, inputs: Properties) -> list[Failure]:
    failures: list[Failure] = []
    for group in rules.conflicts:
        given = _given(inputs, group)
        if len(given) > 1:
            others = ", ".join(given[1:])
            failures.append(Failure(given[0], f"can't be given together with {others}"))
    for group in filter(lambda group: _is_judged(inputs, group), rules.exactly_one):
        given = _given(inputs, group)
        if len(given) != 1:
            found = f"given are {', '.join(given)}" if given else "none is given"
            failures.append(Failure(group[0], f"exactly one of {', '.join(group)}: {found}"))
    for group in filter(lambda group: _is_judged(inputs, group), rules.at_least_one):
        if not _given(inputs, group):
            parent = group[0].rpartition(".")[0]
            failures.append(Failure(parent, f"at least one is needed of {', '.join(group)}"))
    for path, needs in rules.together.items():
        if lookup(inputs, path) is not None:
            failures.extend(
                Failure(path, f"needs {need} beside it")
                for need in needs
                if lookup(inputs, need) is None
            )
    return failures


def _missing(path: str, inputs: Properties) -> list[Failure]:
    parent, dot, last = path.rpartition(".")
    if not dot:
        if reveal(inputs.get(path)) is None:
            return [Failure(path, "is required and was not given")]
        return []
    failures: list[Failure] = []
    for where, value in select(inputs, parent):
        fields = as_dict(reveal(value))
        if fields is not None and reveal(fields.get(last)) is None:
            failures.append(Failure(path_text((*where, last)), "is required and was not given"))
    return failures


def _is_judged(inputs: Properties, group: tuple[str, ...]) -> bool:
    """Tell whether the object that a group's properties lie in is given, and known."""
    parent = group[0].rpartition(".")[0]
    return not parent or lookup(inputs, parent) not in (None, UNKNOWN)


def _given(inputs: Properties, group: tuple[str, ...]) -> list[str]:
    # A property of an object that is not known yet reads as unknown, which says nothing about it.
    return [
        path
        for path in group
        if lookup(inputs, path) is not None
        and (not (parent := path.rpartition(".")[0]) or lookup(inputs, parent) is not UNKNOWN)
    ]
