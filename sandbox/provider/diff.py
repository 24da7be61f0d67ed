"""Compares the inputs that a resource was last given with the inputs it is given now."""

import enum
import json
from collections.abc import Collection
from dataclasses import dataclass

from sandbox.provider.values import (
    UNKNOWN,
    Path,
    Properties,
    Value,
    as_dict,
    as_list,
    has_unknown,
    path_text,
    plain,
    reveal,
)


class Kind(enum.Enum):
    """What happened to a property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Change:
    """One changed property.

    Attributes:
        path: where.
        kind: added, deleted or updated.
        replaces: whether the change can only be made by a new resource.
    """

    path: Path
    kind: Kind
    replaces: bool

    @property
    def text(self) -> str:
        """The path in Pulumi's notation."""
        return path_text(self.path)


def rule_path(path: Path) -> str:
    """Write a path the way rules tables do: every list index becomes ``[]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += "[]"
        else:
            text += f".{part}" if text else part
    return text


def compare(
    old: Properties,
    new: Properties,
    *,
    immutable: Collection[str] = (),
    computed: Collection[str] = (),
    unordered: Collection[str] = (),
) -> list[Change]:
    """List the changes from old to new inputs.

    A null equals a key that is not there, 1 equals 1.0, and a secret is compared by its value.
    A new value that is not known yet counts as a change.

    Args:
        old: the inputs of the last successful operation.
        new: the inputs now, after Check.
        immutable: rule paths that only a replacement can change. For lists of scalars and for maps
            the path of the container counts, for objects the path of the field.
        computed: top-level properties that keep their value when the input is withdrawn.
        unordered: rule paths of lists whose order means nothing.
    """
    comparison = _Comparison(frozenset(immutable), frozenset(unordered))
    olds = {key: value for key, value in old.items() if not key.startswith("__")}
    news = {key: value for key, value in new.items() if not key.startswith("__")}
    for key in computed:
        if reveal(news.get(key)) is None:
            olds.pop(key, None)
    comparison.objects(olds, news, (), frozen=False)
    return comparison.changes


class _Comparison:
    def __init__(self, immutable: frozenset[str], unordered: frozenset[str]) -> None:
        self._immutable = immutable
        self._unordered = unordered
        self._containers = {path.rpartition(".")[0] for path in immutable}
        self.changes: list[Change] = []

    def objects(self, old: Properties, new: Properties, path: Path, *, frozen: bool) -> None:
        for key in sorted(old.keys() | new.keys()):
            self._value(old.get(key), new.get(key), (*path, key), frozen=frozen)

    def _value(self, old: Value, new: Value, path: Path, *, frozen: bool) -> None:
        old, new = reveal(old), reveal(new)
        where = rule_path(path)
        replaces = frozen or where in self._immutable
        if new is UNKNOWN:
            # What the program will know only later may differ: say so, as the providers do.
            self._add(path, Kind.UPDATE if old is not None else Kind.ADD, replaces=replaces)
        elif old is None or new is None:
            if not _empty(old) or not _empty(new):
                self._add(path, Kind.ADD if old is None else Kind.DELETE, replaces=replaces)
        elif (olds := as_dict(old)) is not None and (news := as_dict(new)) is not None:
            self.objects(olds, news, path, frozen=self._covers_children(where, frozen=frozen))
        elif (old_items := as_list(old)) is not None and (new_items := as_list(new)) is not None:
            self._lists(old_items, new_items, path, frozen=frozen)
        elif type(old) is bool or type(new) is bool:
            if old is not new:
                self._add(path, Kind.UPDATE, replaces=replaces)
        elif old != new:
            self._add(path, Kind.UPDATE, replaces=replaces)

    def _covers_children(self, where: str, *, frozen: bool) -> bool:
        # A map such as `metadata` is one immutable property; an object such as `nodeConfig` lists
        # its own immutable fields, and the others can change in place.
        return frozen or (where in self._immutable and where not in self._containers)

    def _lists(self, old: list[Value], new: list[Value], path: Path, *, frozen: bool) -> None:
        where = rule_path(path)
        if where in self._unordered and not has_unknown(new):
            old, new = _sorted(old), _sorted(new)
        inside = frozen or (
            where in self._immutable
            and not any(parent.startswith(f"{where}[]") for parent in self._containers)
        )
        whole = frozen or where in self._immutable
        for index in range(max(len(old), len(new))):
            here = (*path, index)
            if index >= len(new):
                self._add(here, Kind.DELETE, replaces=whole)
            elif index >= len(old):
                self._add(here, Kind.ADD, replaces=whole)
            else:
                self._value(old[index], new[index], here, frozen=inside)

    def _add(self, path: Path, kind: Kind, *, replaces: bool) -> None:
        self.changes.append(Change(path, kind, replaces))


def _empty(value: Value) -> bool:
    # The providers read a missing list or map as an empty one.
    if value is None:
        return True
    fields, items = as_dict(value), as_list(value)
    if fields is not None:
        return not fields
    return items is not None and not items


def _sorted(items: list[Value]) -> list[Value]:
    return sorted(items, key=lambda item: json.dumps(plain(item), sort_keys=True, default=str))
