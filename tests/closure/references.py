"""Every object that an object of ours names."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from tests.charts.rendering import Json
from tests.closure.world import CLUSTER_SCOPED, Identity

_BY_KEY: Final = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "parentRefs": "Gateway",
    "backendRefs": "Service",
    "backendRef": "Service",
    "certificateRefs": "Secret",
    "imagePullSecrets": "Secret",
    "endpointPickerRef": "Service",
}
"""Keys whose value names an object, and its kind where the value does not say it."""

_VOLUMES: Final = {
    "secret": ("secretName", "Secret"),
    "configMap": ("name", "ConfigMap"),
    "persistentVolumeClaim": ("claimName", "PersistentVolumeClaim"),
}

_NAMES: Final = {
    "serviceAccountName": "ServiceAccount",
    "priorityClassName": "PriorityClass",
    "gatewayClassName": "GatewayClass",
    "credentialsSecret": "Secret",
}
"""Keys whose value is the name itself."""

_NOT_OBJECTS: Final = frozenset({"User", "Group", "Pod"})
"""Kinds in a reference that are no objects of the API, or are chosen by it and not named."""


def references(one: Json, namespace: str) -> set[Identity]:
    """Return the objects that an object names, itself left out.

    Args:
        one: the object.
        namespace: where it lives; a name without a namespace means this one.
    """
    found = {
        (kind, "" if kind in CLUSTER_SCOPED else where, name)
        for kind, where, name in _walk(
            {key: value for key, value in one.items() if key not in {"kind", "metadata"}},
            namespace,
        )
        if kind not in _NOT_OBJECTS
    }
    return found - {(one["kind"], namespace, one["metadata"]["name"])}


def _walk(node: object, namespace: str) -> Iterator[Identity]:
    if isinstance(node, list):
        for inner in cast("list[object]", node):
            yield from _walk(inner, namespace)
    elif isinstance(node, dict):
        mapping = cast("dict[str, object]", node)
        if mapping.get("optional") is True:
            return
        kind, name = mapping.get("kind"), mapping.get("name")
        if isinstance(kind, str) and isinstance(name, str):
            yield kind, _namespace(mapping, namespace), name
        for key, value in mapping.items():
            yield from _named_by(key, value, namespace)
            yield from _walk(value, namespace)


def _named_by(key: str, value: object, namespace: str) -> Iterator[Identity]:
    """Yield what the value of one key names by the meaning of the key."""
    if key in _NAMES and isinstance(value, str):
        yield _NAMES[key], namespace, value
    for target in _mappings(value):
        if target.get("optional") is True:
            continue
        name = target.get("name")
        if key in _BY_KEY and "kind" not in target and isinstance(name, str):
            yield _BY_KEY[key], _namespace(target, namespace), name
        if key in _VOLUMES:
            field, kind = _VOLUMES[key]
            volume = target.get(field)
            if isinstance(volume, str):
                yield kind, namespace, volume


def _mappings(value: object) -> Sequence[Mapping[str, object]]:
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return [cast("Mapping[str, object]", one) for one in items if isinstance(one, dict)]


def _namespace(target: Mapping[str, object], default: str) -> str:
    given = target.get("namespace")
    return given if isinstance(given, str) else default
