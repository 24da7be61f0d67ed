"""What is wrong with a stack file, in words that say where and what to write instead."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, cast, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

Location = Sequence[str | int]

WHOLE_STACK: Final = "(the stack object)"
"""How the path of the stack object itself is written."""

_SHOWN_VALUE_LENGTH: Final = 80
_LONGEST_WORD: Final = 120


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
        self.problems = tuple(_readable(problem) for problem in problems)
        self.source = source
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        body = "\n\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{source} has {count} {noun}:\n\n{body}")


def _readable(problem: Problem) -> Problem:
    """Return the problem with words cut that would fill a screen: values that it quotes."""
    return replace(
        problem,
        path=_cut(problem.path),
        message=_cut(problem.message),
        fix=_cut(problem.fix),
        allowed=None if problem.allowed is None else _cut(problem.allowed),
    )


def _cut(text: str) -> str:
    return re.sub(
        rf"\S{{{_LONGEST_WORD},}}", lambda found: found[0][: _SHOWN_VALUE_LENGTH - 1] + "…", text
    )


def path_of(location: Location) -> str:
    """Return a location as people write it: `models[0].gpu.count`; union tags are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("<"):
            path += f".{part}" if path else part
    return path or WHOLE_STACK


def shown(value: object) -> str:
    """Return a value as it would stand in the file, cut to one short line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _SHOWN_VALUE_LENGTH else text[: _SHOWN_VALUE_LENGTH - 1] + "…"


def mapping(value: object) -> dict[str, object]:
    """Return YAML data as a mapping; empty where it is none."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


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
    examples = [one for info in _infos(field) for one in info.examples or ()]
    return examples[0] if examples else PydanticUndefined


def description_of(field: FieldInfo | None) -> str | None:
    """Return what a field allows, in words: its own, else those of its type."""
    return next((info.description for info in _infos(field) if info.description), None)


def _infos(field: FieldInfo | None) -> list[FieldInfo]:
    """Return what is known of a field: its own, then that of the types in its annotation."""
    return [] if field is None else [field, *_annotated_infos(field.annotation)]


def _annotated_infos(annotation: object) -> list[FieldInfo]:
    found = [one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, FieldInfo)]
    return found + [one for part in get_args(annotation) for one in _annotated_infos(part)]


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


def problem_of(model: type[BaseModel], error: ErrorDetails) -> Problem:
    """Return one validation error of pydantic as a problem."""
    wording = _WORDINGS.get(error["type"], _other)(model, error)
    return Problem(
        path=path_of(error["loc"]),
        message=wording.message,
        value=None if wording.hides_value else shown(cast("object", error["input"])),
        allowed=wording.allowed,
        fix=wording.fix,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wording:
    message: str
    fix: str
    allowed: str | None = None
    hides_value: bool = False


def _description(model: type[BaseModel], error: ErrorDetails) -> str | None:
    """Return what may stand at an error's place: of the type, which says the form, if it can be."""
    field = field_at(model, error["loc"])
    forms = [] if field is None else _annotated_infos(field.annotation)
    return next((form.description for form in forms if form.description), description_of(field))


def _example(model: type[BaseModel], error: ErrorDetails) -> object:
    """Return an example of what may stand at an error's place, or PydanticUndefined."""
    example = example_of(field_at(model, error["loc"]))
    location = [part for part in error["loc"] if isinstance(part, int) or not part.startswith("<")]
    if isinstance(location[-1], int) and isinstance(example, list):
        return next(iter(cast("list[object]", example)), PydanticUndefined)
    return example


def _context(error: ErrorDetails) -> dict[str, Any]:
    return error.get("ctx", {})


def _unknown_key(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    key = str(error["loc"][-1])
    allowed = keys_at(model, error["loc"][:-1])
    close = difflib.get_close_matches(key, allowed, n=1)
    return _Wording(
        message=f"unknown key {key!r}",
        allowed=", ".join(allowed) or None,
        fix=f"write {close[0]!r} instead, or remove it" if close else "remove it",
    )


def _missing(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    field = field_at(model, error["loc"])
    example = example_of(field)
    if example is PydanticUndefined and field is not None:
        sections = models_in(field.annotation)
        example = (placeholder(sections[0]) if sections else None) or PydanticUndefined
    has_example = example is not PydanticUndefined
    return _Wording(
        message="is required and missing",
        allowed=_description(model, error),
        fix=f"add `{error['loc'][-1]}: {shown(example)}`" if has_example else "add it",
        hides_value=True,
    )


def _own_rule(_model: type[BaseModel], error: ErrorDetails) -> _Wording:
    text, _, fix = str(_context(error).get("error", error["msg"])).partition("; ")
    return _Wording(
        message=text,
        fix=fix or "change it as said",
        hides_value=isinstance(error["input"], dict),
    )


def _choice(_model: type[BaseModel], error: ErrorDetails) -> _Wording:
    expected = str(_context(error)["expected"])
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    close = difflib.get_close_matches(str(error["input"]), choices, n=1, cutoff=0.5)
    return _Wording(
        message="is not one of the allowed values",
        allowed=", ".join(choices),
        fix=f"write {close[0] if close else choices[0]}",
    )


def _union(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    field = field_at(model, error["loc"])
    alternatives = list(models_in(field.annotation if field else None))
    # Receivers of alerts are told apart by their kind, all others by who provides them.
    key = "kind" if all("kind" in one.model_fields for one in alternatives) else "provider"
    choices = ", ".join(
        str(get_args(one.model_fields[key].annotation)[0])
        for one in alternatives
        if key in one.model_fields
    )
    if not choices:
        # Weights are told apart by their keys alone.
        keys = " or ".join(
            " and ".join(name for name, one in each.model_fields.items() if one.is_required())
            for each in alternatives
        )
        return _Wording(message="is none of the known kinds", allowed=keys, fix=f"give {keys}")
    return _Wording(
        message="is none of the known kinds",
        allowed=choices,
        fix=f"set {key} to one of: {choices}",
    )


def _pattern(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    example = _example(model, error)
    has_example = example is not PydanticUndefined
    return _Wording(
        message="does not have the right form",
        allowed=_description(model, error) or f"text that matches {_context(error)['pattern']}",
        fix=f"write something like {shown(example)}" if has_example else "write it in that form",
    )


def _range(_model: type[BaseModel], error: ErrorDetails) -> _Wording:
    ((bound_kind, bound),) = _context(error).items()
    side = "more" if bound_kind.startswith("g") else "less"
    allowed = f"{bound} or {side}" if bound_kind.endswith("e") else f"{side} than {bound}"
    return _Wording(
        message="is out of range", allowed=allowed, fix=f"write a number that is {allowed}"
    )


def _type(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    wanted, quotes = {
        "bool_type": ("true or false", ", without quotes"),
        "finite_number": ("a number that is not endless", ""),
        "float_type": ("a number", ", without quotes"),
        "int_from_float": ("a whole number", ""),
        "int_type": ("a whole number", ", without quotes"),
        "string_type": ("text", ", in quotes where YAML reads it as something else"),
    }[error["type"]]
    return _Wording(
        message=f"must be {wanted}",
        # What a switch is for is not what may stand there.
        allowed=None if error["type"] == "bool_type" else _description(model, error),
        fix=f"write {wanted}{quotes}",
    )


def _section(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    return _Wording(
        message="must be a mapping of keys to values",
        allowed=", ".join(keys_at(model, error["loc"])) or _description(model, error),
        fix="write its keys indented below it",
    )


def _list(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    return _Wording(
        message="must be a list",
        allowed=_description(model, error),
        fix="write one `- ` line for each element",
    )


def _length(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    context = _context(error)
    shortest, longest = context.get("min_length"), context.get("max_length")
    number, side = (shortest, "more") if longest is None else (longest, "fewer")
    unit = "characters" if error["type"].startswith("string") else "elements"
    return _Wording(
        message="is too short" if longest is None else "is too long",
        allowed=_description(model, error) or f"{unit}: {number} or {side}",
        fix=f"write {number} {unit} or {side}",
    )


def _other(model: type[BaseModel], error: ErrorDetails) -> _Wording:
    example = example_of(field_at(model, error["loc"]))
    has_example = example is not PydanticUndefined
    return _Wording(
        message=error["msg"][0].lower() + error["msg"][1:],
        allowed=_description(model, error),
        fix=f"write something like {shown(example)}" if has_example else "write an allowed value",
    )


_WORDINGS: Final[dict[str, Callable[[type[BaseModel], ErrorDetails], _Wording]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "value_error": _own_rule,
    "literal_error": _choice,
    "enum": _choice,
    "union_tag_invalid": _union,
    "union_tag_not_found": _union,
    "string_pattern_mismatch": _pattern,
    "greater_than": _range,
    "greater_than_equal": _range,
    "less_than": _range,
    "less_than_equal": _range,
    "bool_type": _type,
    "finite_number": _type,
    "float_type": _type,
    "int_from_float": _type,
    "int_type": _type,
    "string_too_long": _length,
    "string_too_short": _length,
    "string_type": _type,
    "too_long": _length,
    "too_short": _length,
    "model_type": _section,
    "model_attributes_type": _section,
    "dict_type": _section,
    "list_type": _list,
    "tuple_type": _list,
}
"""How each type of error is put; the rest keeps pydantic's own words."""
