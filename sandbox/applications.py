"""The emitted Argo CD Applications in the order they roll out, from what the engine registered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from sandbox.records import Resource

_TYPE_SUFFIX: Final = ":Application"
_TYPE_PREFIX: Final = "kubernetes:argoproj.io/"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmittedApplication:
    """One Application as a reader wants to see it."""

    name: str
    namespace: str
    """Where its objects go, not where the Application itself is."""
    requires: tuple[str, ...]
    """Applications that are waited for before it is created."""
    source: str
    """`<repository>/<chart>`, or `<git repository>//<path>`."""
    version: str
    """Chart version or git revision."""
    sync: str
    """`automatic` or `manual`."""
    position: int
    """Place in the order of the roll-out, from 1."""
    wave: int
    """Longest chain of Applications before it; those of one wave can roll out at the same time."""

    def as_dict(self) -> dict[str, Any]:
        """Return the Application as JSON data."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "requires": list(self.requires),
            "source": self.source,
            "version": self.version,
            "sync": self.sync,
            "position": self.position,
            "wave": self.wave,
        }


def emitted_applications(resources: Iterable[Resource]) -> tuple[EmittedApplication, ...]:
    """Return the Applications in the order they roll out.

    An Application comes after all that it requires. Among those that could be next, the one that
    was created first comes first; what is not created yet comes in the order of registration.
    """
    found = {
        resource.urn: resource
        for resource in resources
        if resource.type.startswith(_TYPE_PREFIX)
        and resource.type.endswith(_TYPE_SUFFIX)
        and resource.operation != "delete"
    }
    requires = {
        urn: [one for one in resource.dependencies if one in found]
        for urn, resource in found.items()
    }
    waiting = sorted(found, key=lambda urn: (not found[urn].created, found[urn].created))
    ordered: list[str] = []
    wave: dict[str, int] = {}
    while waiting:
        ready = next((urn for urn in waiting if all(one in wave for one in requires[urn])), None)
        if ready is None:  # a circle cannot be registered; order what is left as it came
            ready = waiting[0]
        waiting.remove(ready)
        wave[ready] = 1 + max((wave.get(one, 0) for one in requires[ready]), default=0)
        ordered.append(ready)
    return tuple(
        _application(
            found[urn],
            requires=sorted(_metadata_name(found[one]) for one in requires[urn]),
            position=position,
            wave=wave[urn],
        )
        for position, urn in enumerate(ordered, start=1)
    )


def _application(
    resource: Resource, *, requires: list[str], position: int, wave: int
) -> EmittedApplication:
    spec = _mapping(resource.inputs.get("spec"))
    sources = spec.get("sources")
    every = cast("list[Any]", sources) if isinstance(sources, list) else [spec.get("source")]
    candidates = [_mapping(source) for source in every]
    nothing: Mapping[str, Any] = {}
    source = next((one for one in candidates if "chart" in one or "path" in one), nothing)
    repository = str(source.get("repoURL", ""))
    chart, path = source.get("chart"), source.get("path")
    automated = "automated" in _mapping(spec.get("syncPolicy"))
    return EmittedApplication(
        name=_metadata_name(resource),
        namespace=str(_mapping(spec.get("destination")).get("namespace", "")),
        requires=tuple(requires),
        source=f"{repository}/{chart}" if chart else f"{repository}//{path}",
        version=str(source.get("targetRevision", "")),
        sync="automatic" if automated else "manual",
        position=position,
        wave=wave,
    )


def _metadata_name(resource: Resource) -> str:
    return str(_mapping(resource.inputs.get("metadata")).get("name", resource.name))


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    return {}
