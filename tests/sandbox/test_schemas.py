"""The rules tables agree with the providers' schemas, where those are at hand.

`pulumi package get-schema gcp > gcp-9.35.0.json` gets one; put them, gzipped or not, into a folder
and name it in LLMP_PROVIDER_SCHEMAS. Without them the tests are skipped: nothing needs them.
"""

import gzip
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.provider import rules

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = [
    Path(os.environ.get("LLMP_PROVIDER_SCHEMAS", "/nonexistent")),
    REPOSITORY.parent / "shared" / "schemas",
]
PACKAGES = ("gcp", "hcloud")
# Blocks of a kind that the schema repeats inside itself are listed once.
_DEPTH = 12


@cache
def _schema(name: str) -> dict[str, Any]:
    for folder in FOLDERS:
        for path in sorted(folder.glob(f"{name}-*.json*")):
            data = path.read_bytes()
            return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    pytest.skip(
        f"no schema of {name}: set LLMP_PROVIDER_SCHEMAS to a folder with {name}-VERSION.json "
        f"(`pulumi package get-schema {name}`)"
    )


def _properties(
    schema: dict[str, Any], properties: dict[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in properties.items():
        path = f"{prefix}{key}"
        yield path, value
        inside, suffix = value, "."
        if value.get("type") == "array":
            inside, suffix = value["items"], "[]."
        elif value.get("type") == "object":
            inside, suffix = value.get("additionalProperties", {}), ".*."
        reference = inside.get("$ref", "")
        if reference.startswith("#/types/") and depth < _DEPTH:
            nested = schema["types"][reference.removeprefix("#/types/")]
            yield from _properties(
                schema, nested.get("properties", {}), f"{path}{suffix}", depth + 1
            )


@pytest.mark.parametrize("name", PACKAGES)
def test_what_the_schema_replaces_the_table_replaces(name: str) -> None:
    schema = _schema(name)
    for token, row in rules.load(name).types.items():
        inputs = schema["resources"][token]["inputProperties"]
        expected = {
            path
            for path, value in _properties(schema, inputs)
            if value.get("willReplaceOnChanges") or value.get("replaceOnChanges")
        }
        assert row.immutable == expected, token


@pytest.mark.parametrize("name", PACKAGES)
def test_every_path_of_a_row_exists_in_the_schema(name: str) -> None:
    schema = _schema(name)
    for token, row in rules.load(name).types.items():
        resource = schema["resources"][token]
        known = {path for path, _ in _properties(schema, resource["inputProperties"])}
        known |= {f"{path}[]" for path in known}
        named = {
            *row.checks,
            *row.defaults,
            *row.references,
            *row.required,
            *row.unordered,
            *row.provider_defaults,
            *(path for group in (*row.conflicts, *row.exactly_one) for path in group),
        }
        assert named <= known, (token, named - known)
        outputs = {*row.outputs, *row.derived, *row.absent, *row.secret_outputs}
        assert outputs <= set(resource["properties"]), token


@pytest.mark.parametrize("name", PACKAGES)
def test_every_value_that_a_resource_always_has_is_made_up_or_left_empty_on_purpose(
    name: str,
) -> None:
    schema = _schema(name)
    # Made in code: labels follow from inputs and provider, the rest from tables of the cloud.
    in_code = {
        "effectiveLabels",
        "pulumiLabels",
        "effectiveAnnotations",
        "ipv4Address",
        "ipv6Address",
        "ipv6Network",
        "primaryDiskSize",
    }
    for token, row in rules.load(name).types.items():
        resource = schema["resources"][token]
        covered = {
            *row.outputs,
            *row.derived,
            *row.absent,
            *row.defaults,
            *row.provider_defaults,
            *row.required,
            *resource.get("requiredInputs", []),
            *(path for group in row.exactly_one for path in group),
            row.autoname,
        }
        assert set(resource["required"]) - covered - in_code == set(), token


@pytest.mark.parametrize("name", PACKAGES)
def test_what_the_schema_calls_secret_the_table_calls_secret(name: str) -> None:
    schema = _schema(name)
    for token, row in rules.load(name).types.items():
        properties = schema["resources"][token]["properties"]
        secret = {key for key, value in properties.items() if value.get("secret")}
        assert secret <= set(row.secret_outputs), token


def test_random_outputs_that_the_schema_calls_secret_are_secret_in_the_table() -> None:
    schema = _schema("random")
    for token, row in rules.load("random").types.items():
        properties = schema["resources"][token]["properties"]
        secret = {key for key, value in properties.items() if value.get("secret")}
        assert secret == set(row.secret_outputs), token
        inputs = set(schema["resources"][token]["inputProperties"])
        assert row.immutable <= inputs, token
        assert set(properties) - inputs == set(row.outputs), token
