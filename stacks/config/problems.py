"""What is wrong with a stack file, in words that say where and what to write instead."""

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

Location = Sequence[str | int]

_SHOWN_VALUE_LENGTH: Final = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with a stack file."""

    path: str
    """Where in the stack object, for example `gke.gpu_pools[0].max_nodes`."""
    message: str
    """What is wrong."""
    fix: str
    """What to write instead."""
    value: str | None = None
    """The value as it stands in the file; None where there is none."""
    allowed: str | None = None
    """What is allowed there, where that can be listed or described."""

    def as_dict(self) -> dict[str, str | None]:
        """Return the problem as JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        """Return the problem as a few lines for people."""
        lines = [f"{self.path}: {self.message}"]
        if self.value is not None:
            lines.append(f"  value:   {self.value}")
        if self.allowed is not None:
            lines.append(f"  allowed: {self.allowed}")
        lines.append(f"  fix:     {self.fix}")
        return "\n".join(lines)


class ConfigError(Exception):
    """A stack file that cannot be used, with every problem that it has."""

    def __init__(self, problems: Iterable[Problem], source: str) -> None:
        """Collect `problems` of the stack file or config key called `source`."""
        self.problems = tuple(problems)
        self.source = source
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        body = "\n\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{source} has {count} {noun}:\n\n{body}")


def path_of(location: Location) -> str:
    """Return a location as people write it: `models[0].gpu.count`; union tags are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):
            path += f".{part}" if path else part
    return path or "(the stack object)"


def shown(value: object) -> str:
    """Return a value as it would stand in the file, cut to one short line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _SHOWN_VALUE_LENGTH else text[: _SHOWN_VALUE_LENGTH - 1] + "…"


def models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the pydantic models that an annotation speaks of, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def _tag_of(model: type[BaseModel], tag: str) -> bool:
    provider = model.model_fields.get("provider")
    if provider is not None:
        return tag.strip("<>") in get_args(provider.annotation)
    return tag.strip("<>") in model.model_fields


def field_at(model: type[BaseModel], location: Location) -> FieldInfo | None:
    """Return the field that a location names; None where it names no field of the model."""
    candidates = [model]
    field: FieldInfo | None = None
    for part in location:
        if isinstance(part, int):
            continue
        if part.startswith("<"):
            candidates = [one for one in candidates if _tag_of(one, part)] or candidates
            continue
        field = next(
            (one.model_fields[part] for one in candidates if part in one.model_fields), None
        )
        if field is None:
            return None
        candidates = models_in(field.annotation)
    return field


def keys_at(model: type[BaseModel], location: Location) -> tuple[str, ...]:
    """Return the keys that a section at `location` may hold."""
    if not any(isinstance(part, str) and not part.startswith("<") for part in location):
        return tuple(model.model_fields)
    field = field_at(model, location)
    tag = location[-1] if isinstance(location[-1], str) else ""
    sections = models_in(field.annotation) if field else []
    tagged = [one for one in sections if tag.startswith("<") and _tag_of(one, tag)]
    return tuple(dict.fromkeys(key for one in tagged or sections for key in one.model_fields))


def example_of(field: FieldInfo | None) -> object:
    """Return the first example of a field, or PydanticUndefined where it has none."""
    if field is None:
        return PydanticUndefined
    return field.examples[0] if field.examples else PydanticUndefined


def placeholder(model: type[BaseModel]) -> dict[str, Any] | None:
    """Return the smallest valid section, made of the examples of its required fields."""
    section: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if not field.is_required():
            continue
        example = example_of(field)
        if example is PydanticUndefined:
            nested = models_in(field.annotation)
            example = placeholder(nested[0]) if nested else None
            if example is None:
                return None
        section[name] = example
    return section


def _unknown_key(model: type[BaseModel], location: Location, value: object) -> Problem:
    key = str(location[-1])
    allowed = keys_at(model, location[:-1])
    close = difflib.get_close_matches(key, allowed, n=1)
    fix = f"write {close[0]!r} instead, or remove it" if close else "remove it"
    return Problem(
        path=path_of(location),
        message=f"unknown key {key!r}",
        value=shown(value),
        allowed=", ".join(allowed) or None,
        fix=fix,
    )


def problem_of(model: type[BaseModel], error: ErrorDetails) -> Problem:
    """Return one validation error of pydantic as a problem."""
    location = error["loc"]
    kind = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(model, location, error["input"])
    field = field_at(model, location)
    description = field.description if field else None
    example = example_of(field)
    has_example = example is not PydanticUndefined
    if kind == "missing":
        return Problem(
            path=path_of(location),
            message="is required and missing",
            allowed=description,
            fix=f"add `{location[-1]}: {shown(example)}`" if has_example else "add it",
        )
    if kind == "value_error":
        message = str(context.get("error", error["msg"]))
        text, _, fix = message.partition("; ")
        return Problem(
            path=path_of(location),
            message=text,
            value=None if isinstance(error["input"], dict) else shown(error["input"]),
            fix=fix or "change it as said",
        )
    allowed = description
    fix = f"write something like {shown(example)}" if has_example else "write an allowed value"
    message = error["msg"][0].lower() + error["msg"][1:]
    if kind in {"literal_error", "enum"}:
        allowed = str(context["expected"])
        choices = [choice.strip("'") for choice in allowed.replace(" or ", ", ").split(", ")]
        close = difflib.get_close_matches(str(error["input"]), choices, n=1)
        message = "is not one of the allowed values"
        fix = f"write {close[0] if close else choices[0]}"
    elif kind in {"union_tag_invalid", "union_tag_not_found"}:
        sections = models_in(field.annotation) if field else []
        choices = [
            str(get_args(one.model_fields["provider"].annotation)[0])
            for one in sections
            if "provider" in one.model_fields
        ]
        message, allowed = "is none of the known kinds", ", ".join(choices) or None
        fix = f"set provider to one of: {allowed}" if allowed else fix
    elif kind == "string_pattern_mismatch":
        message = "does not have the right form"
        allowed = description or f"text that matches {context['pattern']}"
    elif kind in {"greater_than_equal", "greater_than", "less_than_equal", "less_than"}:
        bound = context.get("ge", context.get("gt", context.get("le", context.get("lt"))))
        strict = kind in {"greater_than", "less_than"}
        side = "more" if kind.startswith("greater") else "less"
        allowed = f"{side} than {bound}" if strict else f"{bound} or {side}"
        message = "is out of range"
        fix = f"write a number that is {allowed}"
    elif kind in {"int_type", "int_from_float", "float_type", "bool_type", "string_type"}:
        wanted = {
            "int_type": "a whole number",
            "int_from_float": "a whole number",
            "float_type": "a number",
            "bool_type": "true or false",
            "string_type": "text",
        }[kind]
        message, allowed = f"must be {wanted}", description
        fix = f"write {wanted}" + (", in quotes" if kind == "string_type" else ", without quotes")
    elif kind in {"model_type", "model_attributes_type", "dict_type"}:
        message = "must be a mapping of keys to values"
        allowed = ", ".join(keys_at(model, location)) or description
        fix = "write its keys indented below it"
    elif kind in {"tuple_type", "list_type"}:
        message, fix = "must be a list", "write one `- ` line for each element"
    return Problem(
        path=path_of(location),
        message=message,
        value=shown(cast("object", error["input"])),
        allowed=allowed,
        fix=fix,
    )
