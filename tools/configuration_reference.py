"""Writes `docs/configuration.md`: every key of a stack file, from the models that check it."""

import json
import types
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stacks.config.problems import description_of, models_in
from stacks.config.rules import NEEDS
from stacks.config.stack import ExistingStack, GkeStack, HetznerStack

INTRODUCTION: Final = """\
# Configuration

Generated from the models that check a stack file, by `make generate`.

A stack is one object under `config: llmp:stack:` in `Pulumi.<stack>.yaml`. `kind` says which
substrate it has, and the section of that name describes it; all other sections are the same for
every kind.
`make check STACK=<stack>` tells all that is wrong with a file at once, each with its path, what is
allowed and what to write. No key holds a secret: where one is needed, the key holds its id in the
secret store.

What one section needs of another is checked too, and always an error: see the table at the end.
"""

SECTIONS: Final = ("gke", "hetzner", "existing", "platform", "secrets", "models", "tenants")


def configuration_reference() -> str:
    """Return the reference as Markdown."""
    fields = {
        **GkeStack.model_fields,
        **HetznerStack.model_fields,
        **ExistingStack.model_fields,
    }
    sections = {name: models_in(fields[name].annotation)[0] for name in SECTIONS}
    parts = [INTRODUCTION]
    described: set[type[BaseModel]] = set()
    for name, model in sections.items():
        is_list = name in {"models", "tenants"}
        parts.append(f"## `{name}{'[]' if is_list else ''}`\n")
        _describe(f"{name}[]" if is_list else name, model, parts, described)
    parts.append(_needs())
    return "\n".join(parts)


def _describe(
    path: str, model: type[BaseModel], parts: list[str], described: set[type[BaseModel]]
) -> None:
    described.add(model)
    summary = " ".join((model.__doc__ or "").split())
    rows = ["| key | type | default | |", "|---|---|---|---|"]
    nested: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        inner = [one for one in models_in(field.annotation) if one not in described]
        is_list = get_origin(field.annotation) is tuple
        nested += [(f"{path}.{name}{'[]' if is_list else ''}", one) for one in inner]
        rows.append(
            f"| `{name}` | {_type(field.annotation)} | {_default(field)} "
            f"| {_text(description_of(field))} |"
        )
    parts.append(f"{summary}\n\n" + "\n".join(rows) + "\n")
    for inner_path, inner_model in nested:
        if inner_model not in described:
            parts.append(f"### `{inner_path}`\n")
            _describe(inner_path, inner_model, parts, described)


def _type(annotation: Any) -> str:  # noqa: ANN401 - any annotation
    origin = Annotated if hasattr(annotation, "__metadata__") else get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Literal:
        text = " \\| ".join(f"`{one}`" for one in arguments)
    elif origin is tuple:
        text = f"list of {_type(arguments[0])}"
    elif origin is dict:
        text = "mapping"
    elif origin in (Union, types.UnionType):
        kinds = [_type(one) for one in arguments if one is not type(None)]
        text = " or ".join(dict.fromkeys(kinds))
    elif origin is Annotated:
        text = _type(arguments[0])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        text = "section"
    else:
        text = _PLAIN_TYPES[annotation]
    return text


_PLAIN_TYPES: Final[dict[object, str]] = {
    bool: "true or false",
    float: "number",
    int: "whole number",
    str: "text",
}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined or default is None:
        return ""
    if isinstance(default, BaseModel):
        return "its own defaults"
    if isinstance(default, tuple):
        elements = cast("tuple[object, ...]", default)
        if any(isinstance(one, BaseModel) for one in elements):
            return "one, its own defaults"
    return f"`{json.dumps(default)}`"


def _text(description: str | None) -> str:
    if description is None:
        return ""
    return description.replace("|", "\\|").rstrip(".")


def _needs() -> str:
    rows = ["## What a feature needs\n", "| feature | needs | because |", "|---|---|---|"]
    for feature, need in NEEDS.items():
        needed = [f"profile `{need.profile}` or more"] if need.profile != "platform" else []
        needed += [f"feature `{other}`" for other in need.features]
        needed += ["`platform.domain`"] if need.domain else []
        needed += ["`platform.dns`"] if need.dns_provider else []
        rows.append(f"| `{feature}` | {', '.join(needed)} | {need.reason} |")
    return "\n".join(rows) + "\n"
