"""Every input that a stack gives to Google or Hetzner is one that the real provider has."""

import importlib.metadata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import pytest

from sandbox.provider.sdk_types import (
    ListOf,
    MapOf,
    ObjectOf,
    Property,
    SdkTypes,
    TypeReference,
)
from sandbox.stack_file import read_stack_file
from stacks import program
from tests.harness import SDK_TYPES, UNKNOWN, Recorder, Registration, deploy
from tests.provider_schema import DEPTH, REPOSITORY, input_properties, schema_file, schema_of

STACKS: Final = {
    "gcp": ("Pulumi.gke.yaml", "examples/everything.yaml"),
    "hcloud": ("Pulumi.hetzner.yaml",),
}
BEYOND_THE_SCHEMA: Final[Mapping[str, frozenset[str]]] = {}
"""Inputs, by type, that the pinned SDK has and the schema at hand has not.

None: both are of one version. A newer pin fails here, and what it brings is then listed.
"""

TOKEN: Final = "0123456789abcdef" * 4
"""Only its form counts: nothing is called."""
SSH_KEY: Final = "-----BEGIN PRIVATE KEY-----\ntest\n-----END PRIVATE KEY-----\n"

_PRIMITIVES: Final = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


@cache
def recorded(file: str) -> Recorder:
    """Run the program on a stack file and return what it registered."""
    path = REPOSITORY / file
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HCLOUD_TOKEN", TOKEN)
        environment.setenv("GPU_SERVERS_SSH_KEY", SSH_KEY)
        return deploy(
            program.main,
            stack=path.stem.removeprefix("Pulumi."),
            config=read_stack_file(path).config,
        )


def registrations(package: str) -> list[Registration]:
    return [
        each
        for file in STACKS[package]
        for each in recorded(file).registrations
        if each.type.startswith(f"{package}:")
    ]


def given(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the path and value of every input, in the spelling of `provider_schema.properties`."""
    if isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            # Only keys of a map have dots, and there each key is as good as another.
            name = key.replace(".", "_")
            inner = f"{path}.{name}" if path else name
            yield inner, item
            yield from given(item, inner)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from given(item, f"{path}[]")


def declaration(known: Mapping[str, dict[str, Any]], path: str) -> dict[str, Any] | None:
    """Return the declaration of a path; the keys of a map are free."""
    if path in known:
        return known[path]
    above, _, _ = path.rpartition(".")
    parent = known.get(above)
    if parent is not None and parent.get("type") == "object":
        return cast("dict[str, Any]", parent.get("additionalProperties", {"type": "string"}))
    return None


@pytest.mark.parametrize("package", STACKS)
def test_every_input_is_in_the_schema_of_the_provider_with_its_type(package: str) -> None:
    found = registrations(package)
    assert found
    wrong: list[str] = []
    for each in found:
        known = input_properties(package, each.type)
        for path, value in given(each.inputs):
            declared = declaration(known, path)
            if declared is None:
                wrong.append(f"{each.type} {path} is not in the schema")
                continue
            expected = _PRIMITIVES.get(str(declared.get("type")))
            if expected is not None and value != UNKNOWN and not isinstance(value, expected):
                wrong.append(f"{each.type} {path} is {value!r}, not {declared['type']}")
    assert not wrong


@pytest.mark.parametrize("package", STACKS)
def test_no_input_is_one_that_the_provider_gives_up(package: str) -> None:
    deprecated = {
        f"{each.type} {path}: {declared['deprecationMessage']}"
        for each in registrations(package)
        for path, _ in given(each.inputs)
        if (declared := input_properties(package, each.type).get(path)) is not None
        and "deprecationMessage" in declared
    }
    assert not deprecated


@pytest.mark.parametrize("package", STACKS)
def test_all_that_the_provider_requires_is_given(package: str) -> None:
    schema = schema_of(package)
    for each in registrations(package):
        required = set(schema["resources"][each.type].get("requiredInputs", []))
        assert required <= set(each.inputs), (each.type, each.name)


@pytest.mark.parametrize("package", STACKS)
def test_what_the_pinned_sdk_has_beyond_the_schema_is_listed(package: str) -> None:
    beyond = {
        token: frozenset(sdk_inputs(SDK_TYPES[package], token))
        - frozenset(input_properties(package, token))
        for token in {each.type for each in registrations(package)}
    }
    listed = {token: paths for token, paths in beyond.items() if paths}
    assert listed == {token: paths for token, paths in BEYOND_THE_SCHEMA.items() if token in beyond}


@pytest.mark.parametrize("package", STACKS)
def test_the_schema_at_hand_is_the_one_of_the_pinned_sdk(package: str) -> None:
    name = Path(schema_file(package).name.removesuffix(".gz")).stem
    assert name == f"{package}-{importlib.metadata.version(f'pulumi_{package}')}"


def sdk_inputs(sdk: SdkTypes, token: str) -> set[str]:
    """Return the paths of all inputs of a type of the pinned SDK."""
    resource = sdk.resource(token)
    assert resource is not None
    return set(_paths(sdk, resource.inputs, "", 0))


def _paths(
    sdk: SdkTypes, declared: Mapping[str, Property], prefix: str, depth: int
) -> Iterator[str]:
    for key, each in declared.items():
        path = f"{prefix}{key}"
        yield path
        inside: TypeReference = each.type
        suffix = "."
        if isinstance(inside, ListOf):
            inside, suffix = inside.item, "[]."
        elif isinstance(inside, MapOf):
            inside, suffix = inside.value, ".*."
        if isinstance(inside, ObjectOf) and depth < DEPTH:
            yield from _paths(sdk, sdk.object(inside), f"{path}{suffix}", depth + 1)
