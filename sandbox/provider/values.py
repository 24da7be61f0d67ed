"""Property values as the providers see them, and paths into them.

A value is JSON-like (None, bool, int, float, str, list, dict) with two additions: ``UNKNOWN`` for a
value that is only known after an update, and ``Secret`` around a value that must never be shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast


class Unknown:
    """The type of ``UNKNOWN``, a value that the engine does not know yet."""

    def __repr__(self) -> str:
        """Return the text that Pulumi's own output uses for such a value."""
        return "(known after up)"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Unknown":
        """Stay one object, so that ``is UNKNOWN`` holds in copies."""
        return self

    def __copy__(self) -> "Unknown":
        """Stay one object, so that ``is UNKNOWN`` holds in copies."""
        return self


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is encrypted in the state and never printed."""

    value: Any

    def __repr__(self) -> str:
        """Hide the value wherever it would be printed by accident."""
        return "(secret)"


Value: TypeAlias = Any
Properties: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]


def as_dict(value: Value) -> Properties | None:
    """Return the value as a property map when it is one, else None."""
    return cast("Properties", value) if isinstance(value, dict) else None


def as_list(value: Value) -> list[Any] | None:
    """Return the value as a list when it is one, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def reveal(value: Value) -> Value:
    """Take the outermost secret wrappers off a value."""
    while isinstance(value, Secret):
        value = value.value
    return value


def plain(value: Value) -> Value:
    """Return a copy without secret wrappers at any depth; unknown values stay."""
    value = reveal(value)
    if (fields := as_dict(value)) is not None:
        return {key: plain(item) for key, item in fields.items()}
    if (items := as_list(value)) is not None:
        return [plain(item) for item in items]
    return value


def has_unknown(value: Value) -> bool:
    """Tell whether a value holds something that is not known yet, at any depth."""
    value = reveal(value)
    if value is UNKNOWN:
        return True
    if (fields := as_dict(value)) is not None:
        return any(has_unknown(item) for item in fields.values())
    if (items := as_list(value)) is not None:
        return any(has_unknown(item) for item in items)
    return False


def has_secret(value: Value) -> bool:
    """Tell whether a value is secret or holds a secret at any depth."""
    if isinstance(value, Secret):
        return True
    if (fields := as_dict(value)) is not None:
        return any(has_secret(item) for item in fields.values())
    if (items := as_list(value)) is not None:
        return any(has_secret(item) for item in items)
    return False


def without_nulls(value: Value) -> Value:
    """Drop keys whose value is null at any depth: a null input means that it was not given."""
    if isinstance(value, Secret):
        return Secret(without_nulls(value.value))
    if (fields := as_dict(value)) is not None:
        return {
            key: without_nulls(item) for key, item in fields.items() if reveal(item) is not None
        }
    if (items := as_list(value)) is not None:
        return [without_nulls(item) for item in items]
    return value


def path_text(path: Path) -> str:
    """Write a path the way Pulumi writes property paths: ``rules[0].port``, ``labels["a/b"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").replace("-", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def child(value: Value, key: str) -> Value:
    """Return the value under a key of a property map, without its secret wrapper."""
    fields = as_dict(reveal(value))
    return reveal(fields.get(key)) if fields is not None else None


def lookup(value: Value, path: str) -> Value:
    """Return what lies at a dotted path of plain keys; None where nothing does."""
    for key in path.split("."):
        value = reveal(value)
        if value is UNKNOWN:
            return UNKNOWN
        value = child(value, key)
    return value


def select(value: Value, pattern: str) -> Iterator[tuple[Path, Value]]:
    """Yield path and value of everything that a rule path names and that is present.

    ``rules[].port`` names the port of every list element, ``labels.*`` every value of a map.
    Secret wrappers are kept on the values that are yielded.
    """
    parts: list[str] = []
    for part in pattern.split("."):
        depth = part.count("[]")
        parts.append(part.replace("[]", ""))
        parts.extend(["[]"] * depth)
    yield from _select(value, parts, ())


def _select(value: Value, parts: list[str], path: Path) -> Iterator[tuple[Path, Value]]:
    if not parts:
        if reveal(value) is not None:
            yield path, value
        return
    if reveal(value) is UNKNOWN:
        return
    head, rest = parts[0], parts[1:]
    inner = reveal(value)
    if head == "[]":
        for index, item in enumerate(as_list(inner) or []):
            yield from _select(item, rest, (*path, index))
        return
    fields = as_dict(inner)
    if fields is None:
        return
    if head == "*":
        for key, item in fields.items():
            yield from _select(item, rest, (*path, key))
    elif head in fields:
        yield from _select(fields[head], rest, (*path, head))


def mark_secret(properties: Properties, pattern: str) -> None:
    """Wrap what a dotted path of plain keys names into ``Secret``, in place."""
    *parents, last = pattern.split(".")
    target: Properties | None = properties
    for key in parents:
        target = as_dict(target.get(key)) if target is not None else None
    given = target.get(last) if target is not None else None
    if target is not None and given is not None and not isinstance(given, Secret):
        target[last] = Secret(plain(given))


def copy_secrets(value: Value, like: Value) -> Value:
    """Wrap the parts of a plain value that are secret in another value of the same shape."""
    if isinstance(like, Secret):
        return value if isinstance(value, Secret) else Secret(value)
    mine, theirs = as_dict(value), as_dict(like)
    if mine is not None and theirs is not None:
        return {
            key: copy_secrets(item, theirs[key]) if key in theirs else item
            for key, item in mine.items()
        }
    items, others = as_list(value), as_list(like)
    if items is not None and others is not None:
        if len(items) != len(others):
            return Secret(items) if has_secret(others) else items
        return [copy_secrets(item, other) for item, other in zip(items, others, strict=True)]
    return value


def merged(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> Properties:
    """Return the first map with the keys of the later ones laid over it."""
    result = dict(base)
    for layer in layers:
        result.update(layer)
    return result
