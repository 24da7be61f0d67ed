"""What a run of the engine did, as plain data."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

_REPLACING: Final = frozenset({"replace", "create-replacement", "delete-replaced"})

SECRET: Final = "[secret]"  # noqa: S105 - the mask, not a secret
"""What stands in place of a secret value wherever one would be shown."""


@dataclass(kw_only=True, slots=True)
class Resource:
    """One resource and what the run did to it."""

    urn: str
    type: str
    """Type token, for example `gcp:container/nodePool:NodePool`."""
    parent: str | None = None
    """URN of the parent; None for the stack itself."""
    custom: bool = True
    """False for components, which only group others."""
    operation: str = "same"
    """`same`, `create`, `update`, `replace`, `delete`, `read` or `refresh`."""
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Inputs as the program gave them; secrets in them are masked."""
    dependencies: tuple[str, ...] = ()
    """URNs that were waited for."""
    created: str = ""
    """When it was first created, RFC 3339; empty where it was not yet."""

    @property
    def name(self) -> str:
        """Logical name."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def kind(self) -> str:
        """Last part of the type token, for example `NodePool`."""
        last = self.type.rsplit(":", 1)[-1]
        return f"{last} provider" if self.type.startswith("pulumi:providers:") else last


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One completed run."""

    stack: str
    verb: str
    """`up`, `preview`, `refresh` or `destroy`."""
    resources: tuple[Resource, ...]
    """In the order of the state: a parent or dependency comes before what needs it."""
    operations: Mapping[str, int]
    """Resources by operation."""
    finished: tuple[str, ...]
    """URNs in the order in which their operations finished."""
    outputs: Mapping[str, Any]
    """Stack outputs; a secret one is `SECRET`."""
    advice: tuple[str, ...] = ()
    """What policies have against it that is no reason to stop."""
    seconds: float
    """Wall time of the engine."""
    seconds_to_first_resource: float
    """Until the engine and the program had started and the first resource was registered."""
    warnings: tuple[str, ...] = ()
    """What the program and the providers warn of, each once."""

    @property
    def changed(self) -> bool:
        """Whether anything was, or in a preview would be, changed."""
        return any(
            count for operation, count in self.operations.items() if operation not in _UNCHANGED
        )


_UNCHANGED: Final = frozenset({"same", "read", "refresh"})


def merged_operation(before: str | None, step: str) -> str:
    """Return the operation of a resource after one more step of the engine on it."""
    return "replace" if before == "replace" or step in _REPLACING else step


def count_operations(resources: tuple[Resource, ...]) -> dict[str, int]:
    """Return how many resources had which operation."""
    return dict(sorted(Counter(resource.operation for resource in resources).items()))


_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""Key that marks a special value in the engine's state and events (Pulumi's property signature)."""

_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine's events hold for a value that is only known after an update."""


def masked(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value of the engine's state or events without secrets or the engine's marks."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        if _SIGNATURE in mapping:
            return SECRET
        return {key: masked(item) for key, item in mapping.items()}
    if isinstance(value, list):
        return [masked(item) for item in cast("list[Any]", value)]
    return "(known after up)" if value == _UNKNOWN else value
