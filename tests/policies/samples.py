"""What the tests of the rules start from: recorded registrations as the rules see them."""

import copy
from collections.abc import Mapping
from typing import Any, cast

from policies.model import Hidden, Resource, Value
from tests.harness import UNKNOWN, Recorder, Registration


def as_resource(registration: Registration) -> Resource:
    """Return a registration as the analyzer hands it to the rules."""
    return Resource(
        type=registration.type,
        name=registration.name,
        urn=registration.urn,
        inputs=cast("dict[str, Value]", _hidden(registration.inputs, "", registration)),
        protect=bool(registration.protect),
        parent=registration.parent,
    )


def resources(recorder: Recorder) -> list[Resource]:
    """Return all that a program registered."""
    return [as_resource(each) for each in recorder.registrations]


def changed(inputs: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return inputs with another value at a path; `...` removes what is there."""
    copied: Any = copy.deepcopy(dict(inputs))
    *above, last = path.split(".")
    at = copied
    for key in above:
        at = at.setdefault(key, {})
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copied


def _hidden(value: Value, path: str, registration: Registration) -> Value:
    if path in registration.secret_inputs:
        return Hidden.SECRET
    if value == UNKNOWN:
        return Hidden.UNKNOWN
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        return {
            key: _hidden(each, f"{path}.{key}" if path else key, registration)
            for key, each in mapping.items()
        }
    if isinstance(value, list):
        return [
            _hidden(each, f"{path}[{index}]", registration)
            for index, each in enumerate(cast("list[Any]", value))
        ]
    return value
