"""The part of a chart's README that lists its values: made from the chart's schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

HEADING: Final = "## Values\n"
_NOTE: Final = "Made from `values.schema.json` by `make generate`.\n"
_REFERENCE: Final = "#/$defs/"

Schema = Mapping[str, Any]


def with_values(readme: str, schema: Schema) -> str:
    """Return a README with the list of values at its end, in place of an older one.

    Args:
        readme: what is written by hand, with or without a list behind it.
        schema: the chart's values, as `tools.generate` makes it.
    """
    written = readme.partition(f"\n{HEADING}")[0].rstrip("\n")
    rows = "".join(_rows(schema, schema.get("$defs", {}), ""))
    table = f"| key | type | default | what it is |\n|---|---|---|---|\n{rows}"
    return f"{written}\n\n{HEADING}\n{_NOTE}\n{table}"


def _rows(section: Schema, definitions: Schema, path: str) -> Iterator[str]:
    required = cast("list[str]", section.get("required", []))
    for key, value in cast("dict[str, Schema]", section.get("properties", {})).items():
        own = f"{path}{key}"
        default = "required" if key in required else _default(value)
        description = _words(value.get("description", ""))
        inner, suffix = _section(value, definitions)
        if inner is not None and not description:
            description = _words(inner.get("description", ""))
        yield f"| `{own}` | {_type(value, definitions)} | {default} | {description} |\n"
        if inner is not None:
            yield from _rows(inner, definitions, f"{own}{suffix}.")


def _section(value: Schema, definitions: Schema) -> tuple[Schema | None, str]:
    """Return the section that a value is, or is a list or mapping of, and how its path goes on."""
    if "$ref" in value:
        return _resolved(value, definitions), ""
    for key, suffix in (("items", "[]"), ("additionalProperties", ".<name>")):
        inner = value.get(key)
        if isinstance(inner, dict) and "$ref" in inner:
            return _resolved(cast("Schema", inner), definitions), suffix
    return None, ""


def _resolved(value: Schema, definitions: Schema) -> Schema:
    return cast("Schema", definitions[value["$ref"].removeprefix(_REFERENCE)])


_WORDS: Final = {"object": "mapping", "string": "text"}


def _type(value: Schema, definitions: Schema) -> str:
    if "$ref" in value:
        return _type(_resolved(value, definitions), definitions)
    kind = str(value.get("type", ""))
    text = _WORDS.get(kind, kind)
    if "anyOf" in value:
        kinds = [_type(one, definitions) for one in cast("list[Schema]", value["anyOf"])]
        text = " or ".join(dict.fromkeys(kinds))
    elif "enum" in value or "const" in value:
        allowed = cast("list[object]", value.get("enum", [value.get("const")]))
        text = " \\| ".join(f"`{one}`" for one in allowed)
    elif kind == "array":
        items = value.get("items", value.get("prefixItems", [{}])[0])
        text = f"list of {_type(cast('Schema', items), definitions)}"
    elif "properties" in value:
        text = "section"
    return text


def _default(value: Schema) -> str:
    if "default" not in value or isinstance(value["default"], dict):
        return ""
    return f"`{_words(json.dumps(value['default']))}`"


def _words(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
