"""What a rule looks at and what it says. Plain data: nothing of Pulumi is needed to test a rule."""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

Tier = Literal["cost", "dev", "prod"]
Level = Literal["disabled", "advisory", "mandatory"]

TIERS: Final[tuple[Tier, ...]] = ("cost", "dev", "prod")
STRICTEST: Final[Tier] = "prod"
"""What a stack counts as that does not say what it is."""


class Hidden(enum.Enum):
    """What stands for a value that no rule sees."""

    SECRET = "secret"  # noqa: S105 - the name of a mark
    """Marked as secret, so encrypted in the state."""
    UNKNOWN = "unknown"
    """Known during the update alone; `up` asks the rules again then."""


Value = Any
"""A value as JSON knows it, or one of `Hidden`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One resource as a program asks for it."""

    type: str
    name: str
    urn: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict[str, Value])
    """Property names as the provider's schema spells them; `Hidden` for what is not to be seen."""
    protect: bool = False
    """Whether Pulumi refuses to delete it."""
    parent: str = ""
    """URN."""
    config_secrets: tuple[str, ...] = ()
    """Values that the stack's config marks as secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a rule has against a resource."""

    message: str
    fix: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A finding, with the rule and the resource that it is about."""

    rule: str
    resource: Resource
    message: str
    fix: str
    level: Level

    @property
    def text(self) -> str:
        """What a person reads."""
        return f"{self.message}\nfix: {self.fix}"


Check = Callable[[Resource], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule."""

    name: str
    description: str
    check: Check
    levels: Mapping[Tier, Level]
    """How much it weighs, by tier."""


def read(value: Value, path: str) -> Value:
    """Return what is at a path such as `nodeConfig.serviceAccount`.

    Returns:
        None where there is nothing; the `Hidden` one where something above is hidden.
    """
    for key in path.split("."):
        if isinstance(value, Hidden):
            return value
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Value]", value).get(key)
    return value


def items(value: Value) -> Sequence[Value]:
    """Return the elements of a list, none of anything else."""
    return cast("list[Value]", value) if isinstance(value, list) else ()


def is_zero(value: Value) -> bool:
    """Whether a number is not there or is 0; a hidden one may be."""
    return value is None or isinstance(value, Hidden) or value == 0


def leaves(value: Value, path: str = "") -> Iterator[tuple[str, Value]]:
    """Return every value that holds no other, with its path, such as `spec.sources[0].chart`."""
    if isinstance(value, Mapping):
        for key, each in cast("Mapping[str, Value]", value).items():
            yield from leaves(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Value]", value)):
            yield from leaves(each, f"{path}[{index}]")
    else:
        yield path, value
