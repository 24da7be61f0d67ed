"""Loads the tables in ``sandbox/rules``: what the SDK's types do not say about a resource type.

One YAML file per package. The keys of a row are the fields of ``TypeRules``; a key that is not one
of them is refused, so that a misspelt rule can't silently check nothing.
"""

import functools
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import yaml

RULES_FOLDER = Path(__file__).resolve().parent.parent / "rules"


class RulesError(Exception):
    """A rules file is missing or has a row of the wrong shape."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A property that names another resource.

    Attributes:
        types: the tokens that it may name.
        holds: whether the named resource can't be deleted while this one exists.
    """

    types: tuple[str, ...]
    holds: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeRules:
    """One row: the rules of one resource type.

    Paths are dotted names on the wire, with ``[]`` for list elements and ``*`` for map values.
    Templates are strings with ``{...}`` (see ``templates``).

    Attributes:
        id: template of the resource's id; ``#`` stands for a number given out in sequence.
        source: where the row's facts come from.
        autoname: the property that gets a made-up name when none is given.
        autoname_length: the most characters that such a name may have; 0 leaves it to ``checks``.
        required: properties that the SDK has as optional and the provider does not.
        immutable: properties whose change replaces the resource.
        defaults: values that the provider fills in when an input is not given.
        provider_defaults: properties that fall back to a value of the provider's configuration.
        checks: constraints per path (see ``constraints``).
        conflicts: groups of properties of which at most one may be given.
        exactly_one: groups of properties of which exactly one must be given; a group inside an
            object is judged where that object is given.
        at_least_one: groups of properties of which one or more must be given, judged alike.
        together: properties that need others beside them.
        references: properties that name other resources.
        unordered: lists whose order means nothing.
        unique: properties whose value no two resources of the type may share.
        aliases: templates of further names under which others may refer to the resource.
        api: the cloud service that must be enabled in the project first.
        protection: properties that forbid deletion while they are true.
        outputs: templates of computed values that stay as they were when first made.
        derived: templates of computed values that follow the inputs.
        absent: computed values that stay empty.
        secret_inputs: inputs that are secret whatever the program says.
        secret_outputs: computed values that are secret.
    """

    id: str
    source: str = ""
    autoname: str = ""
    autoname_length: int = 0
    required: tuple[str, ...] = ()
    immutable: frozenset[str] = frozenset()
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])
    provider_defaults: dict[str, str] = field(default_factory=dict[str, str])
    checks: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    conflicts: tuple[tuple[str, ...], ...] = ()
    exactly_one: tuple[tuple[str, ...], ...] = ()
    at_least_one: tuple[tuple[str, ...], ...] = ()
    together: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    references: dict[str, Reference] = field(default_factory=dict[str, Reference])
    unordered: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    api: str = ""
    protection: tuple[str, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    derived: dict[str, Any] = field(default_factory=dict[str, Any])
    absent: tuple[str, ...] = ()
    secret_inputs: tuple[str, ...] = ()
    secret_outputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageRules:
    """A rules file: its rows by type token, and tables that belong to no single type."""

    path: Path
    types: dict[str, TypeRules]
    tables: dict[str, Any]


_TUPLES = (
    "required",
    "unordered",
    "unique",
    "aliases",
    "protection",
    "absent",
    "secret_inputs",
    "secret_outputs",
)


def read_yaml(path: Path) -> Any:
    """Parse a YAML file.

    Raises:
        RulesError: the file is missing or is not YAML.
    """
    # The C loader is ten times as fast, and as safe; some builds of the library lack it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise RulesError(f"cannot read {path}: {error}") from error


@functools.cache
def load(package: str) -> PackageRules:
    """Read the rules file of a package.

    Raises:
        RulesError: the file is missing, or a row has an unknown key.
    """
    path = RULES_FOLDER / f"{package}.yaml"
    content = cast("dict[str, Any]", read_yaml(path))
    rows = cast("dict[str, dict[str, Any]]", content.get("types", {}))
    return PackageRules(
        path=path,
        types={token: _row(path, token, row) for token, row in rows.items()},
        tables=cast("dict[str, Any]", content.get("tables", {})),
    )


def _row(path: Path, token: str, row: dict[str, Any]) -> TypeRules:
    known = {item.name for item in fields(TypeRules)}
    unknown = sorted(set(row) - known)
    if unknown:
        raise RulesError(f"{path}: {token} has the unknown key {unknown[0]!r}")
    values = dict(row)
    for name in _TUPLES:
        if name in values:
            values[name] = tuple(values[name])
    for name in ("conflicts", "exactly_one", "at_least_one"):
        if name in values:
            values[name] = tuple(tuple(group) for group in values[name])
    if "immutable" in values:
        values["immutable"] = frozenset(values["immutable"])
    if "together" in values:
        values["together"] = {key: tuple(needs) for key, needs in values["together"].items()}
    if "references" in values:
        values["references"] = {
            key: _reference(value) for key, value in values["references"].items()
        }
    return TypeRules(**values)


def _reference(value: Any) -> Reference:
    if isinstance(value, str):
        return Reference(types=(value,))
    types = value["type"]
    return Reference(
        types=(types,) if isinstance(types, str) else tuple(types),
        holds=value.get("holds", True),
    )
