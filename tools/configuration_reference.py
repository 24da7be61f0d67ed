"""Writes `docs/configuration.md`: every key of a stack file, from the models that check it."""

import json
import re
from types import NoneType, UnionType
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
        path = f"{name}[]" if is_list else name
        parts.append(f"## `{path}`\n")
        _describe(path, model, parts, described)
    parts.append(_needs())
    return "\n".join(parts)


def _describe(
    path: str, model: type[BaseModel], parts: list[str], described: set[type[BaseModel]]
) -> None:
    described.add(model)
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    nested: list[tuple[str, str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        inner_path = path + "." + name + _ELEMENT.get(get_origin(field.annotation), "")
        alternatives = models_in(field.annotation)
        nested += [
            (inner_path, _told_apart_by(one) if len(alternatives) > 1 else "", one)
            for one in alternatives
        ]
        rows.append(
            f"| `{name}` | {_type(field.annotation)} | {_default(field)} "
            f"| {_text(_description(model, name))} |"
        )
    parts += [f"{text}\n" for text in (_summary(model), "\n".join(rows)) if text]
    for inner_path, which, inner_model in nested:
        if inner_model not in described:
            parts.append(f"### `{inner_path}`{which}\n")
            _describe(inner_path, inner_model, parts, described)


_ELEMENT: Final[dict[object, str]] = {tuple: "[]", dict: ".<name>"}
"""How a path goes on into the elements of a list or a mapping."""


def _told_apart_by(model: type[BaseModel]) -> str:
    """Return what tells a section from the others that may stand in the same place."""
    name, field = next(iter(model.model_fields.items()))
    if get_origin(field.annotation) is Literal:
        return f" with `{name}: {get_args(field.annotation)[0]}`"
    return f" with `{name}`"


def _summary(model: type[BaseModel]) -> str:
    """Return the docstring of a section without the words that its heading says already."""
    text = " ".join((model.__doc__ or "").split())
    text = re.sub(r"^The `\w+` section[.:] ?", "", text)
    return text[:1].upper() + text[1:]


def _description(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    description = description_of(field)
    if description is None:
        sections = models_in(field.annotation)
        if len(sections) > 1:
            return "One of the sections below."
        # A section is described where it stands; its first sentence is enough here.
        return _summary(sections[0]).partition(". ")[0] if sections else ""
    return description


def _type(annotation: Any) -> str:  # noqa: ANN401 - any annotation
    origin = Annotated if hasattr(annotation, "__metadata__") else get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Literal:
        text = " \\| ".join(f"`{one}`" for one in arguments)
    elif origin is tuple:
        text = f"list of {_type(arguments[0])}"
    elif origin is dict:
        text = "mapping"
    elif origin in (Union, UnionType):
        kinds = [_type(one) for one in arguments if one is not NoneType]
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
        return "left out"
    if isinstance(default, BaseModel):
        return "its defaults"
    if isinstance(default, tuple):
        elements = cast("tuple[object, ...]", default)
        if any(isinstance(one, BaseModel) for one in elements):
            return "one"
    return f"`{json.dumps(default)}`"


def _text(description: str) -> str:
    return description.replace("|", "\\|").replace("<", "\\<").rstrip(".")


def _needs() -> str:
    rows = ["## What a feature needs\n", "| feature | needs | because |", "|---|---|---|"]
    for feature, need in NEEDS.items():
        needed = [f"profile `{need.profile}` or more"] if need.profile != "platform" else []
        needed += [f"feature `{other}`" for other in need.features]
        needed += ["`platform.domain`"] if need.domain else []
        needed += ["`platform.dns`"] if need.dns_provider else []
        rows.append(f"| `{feature}` | {', '.join(needed)} | {need.reason} |")
    return "\n".join(rows) + "\n"
