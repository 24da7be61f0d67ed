"""The schemas of the real providers, where they are at hand: the second word on every input.

`pulumi package get-schema gcp > gcp-9.35.0.json` gets one; put them, gzipped or not, into a folder
and name it in LLMP_PROVIDER_SCHEMAS. Without them the tests that need them are skipped with this
advice: what every run checks comes from the pinned SDKs, which are generated from the schemas.
"""

import gzip
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = [
    Path(os.environ.get("LLMP_PROVIDER_SCHEMAS", "/nonexistent")),
    REPOSITORY.parent / "shared" / "schemas",
]
# Blocks of a kind that a schema repeats inside itself are listed once.
DEPTH = 12


def schema_file(name: str) -> Path:
    """Return the file of a provider's schema; skip the test where there is none."""
    for folder in FOLDERS:
        for path in sorted(folder.glob(f"{name}-*.json*")):
            return path
    pytest.skip(
        f"no schema of {name}: set LLMP_PROVIDER_SCHEMAS to a folder with {name}-VERSION.json "
        f"(`pulumi package get-schema {name}`)"
    )


@cache
def schema_of(name: str) -> dict[str, Any]:
    """Return a provider's schema; skip the test where there is none."""
    path = schema_file(name)
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def properties(
    schema: dict[str, Any], declared: dict[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and declaration of every property, nested ones after what holds them.

    A path is `a.b`, `a[].b` below a list and `a.*.b` below a map.
    """
    for key, value in declared.items():
        path = f"{prefix}{key}"
        yield path, value
        inside, suffix = value, "."
        if value.get("type") == "array":
            inside, suffix = value["items"], "[]."
        elif value.get("type") == "object":
            inside, suffix = value.get("additionalProperties", {}), ".*."
        reference = inside.get("$ref", "")
        if reference.startswith("#/types/") and depth < DEPTH:
            nested = schema["types"][reference.removeprefix("#/types/")]
            yield from properties(
                schema, nested.get("properties", {}), f"{path}{suffix}", depth + 1
            )


def input_properties(name: str, token: str) -> dict[str, dict[str, Any]]:
    """Return the declarations of all inputs of a resource type, by path."""
    schema = schema_of(name)
    return dict(properties(schema, schema["resources"][token]["inputProperties"]))
