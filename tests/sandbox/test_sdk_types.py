"""The static reading of the SDKs says what the SDKs say of themselves at run time."""

import enum
import importlib
import types
import typing
from collections import abc
from typing import Any, cast

import pulumi
import pytest
from pulumi import _types  # pyright: ignore[reportPrivateUsage]

from sandbox.provider import rules
from sandbox.provider.sdk_types import (
    Choice,
    ListOf,
    MapOf,
    ObjectOf,
    OneOf,
    Scalar,
    SdkShapeError,
    SdkTypes,
    TypeReference,
)

KUBERNETES = [
    f"kubernetes:{kind}"
    for kind in (
        "core/v1:ConfigMap",
        "core/v1:Namespace",
        "core/v1:PersistentVolumeClaim",
        "core/v1:Pod",
        "core/v1:Secret",
        "core/v1:Service",
        "core/v1:ServiceAccount",
        "apps/v1:Deployment",
        "apps/v1:StatefulSet",
        "batch/v1:CronJob",
        "batch/v1:Job",
        "networking.k8s.io/v1:Ingress",
        "networking.k8s.io/v1:NetworkPolicy",
        "policy/v1:PodDisruptionBudget",
        "rbac.authorization.k8s.io/v1:ClusterRole",
        "rbac.authorization.k8s.io/v1:RoleBinding",
        "helm.sh/v3:Release",
    )
]
TOKENS = [
    *(token for name in ("gcp", "hcloud", "random") for token in rules.load(name).types),
    *KUBERNETES,
]
_SCALARS: dict[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
# Plumbing that a value may also be wrapped in; it says nothing about the value.
_WRAPPERS = (abc.Awaitable, pulumi.Output)


def _described(sdk: SdkTypes, hint: object) -> TypeReference:
    """Describe a type that the SDK resolved at run time in the terms of the static reading."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _described_union(sdk, arguments)
    if origin is abc.Sequence:
        return ListOf(_described(sdk, arguments[0]))
    if origin is abc.Mapping:
        return MapOf(_described(sdk, arguments[1]))
    return Scalar("any") if hint is Any else _described_class(hint)


def _described_union(sdk: SdkTypes, arguments: tuple[Any, ...]) -> TypeReference:
    kept = [
        argument
        for argument in arguments
        if argument is not type(None) and typing.get_origin(argument) not in _WRAPPERS
    ]
    options = tuple(dict.fromkeys(_described(sdk, argument) for argument in kept))
    closed = [option for option in options if isinstance(option, Choice)]
    if closed:
        return closed[0]
    return options[0] if len(options) == 1 else OneOf(options)


def _described_class(hint: object) -> TypeReference:
    assert isinstance(hint, type)
    if hint in _SCALARS:
        return Scalar(_SCALARS[hint])
    if issubclass(hint, enum.Enum):
        return Choice(tuple(str(member.value) for member in hint))
    if issubclass(hint, pulumi.Asset | pulumi.Archive):
        return Scalar("asset")
    assert _types.is_input_type(cast("type[Any]", hint))
    return ObjectOf("/".join(hint.__module__.split(".")[1:-1]) or ".", hint.__name__)


def _hints(cls: type) -> dict[str, Any]:
    return dict(_types._raw_return_hints(cls))  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("token", TOKENS)
def test_a_type_is_read_as_the_sdk_resolves_it(token: str) -> None:
    sdk = SdkTypes(token.partition(":")[0])
    found = sdk.resource(token)
    assert found is not None
    _, module, name = token.split(":")
    folder, path = sdk._module_file(module, name)  # pyright: ignore[reportPrivateUsage]
    root = sdk._root.parent  # pyright: ignore[reportPrivateUsage]
    parts = path.relative_to(root).with_suffix("").parts
    # The SDK loads its packages when something is first asked of them; a file imported ahead of its
    # package would leave that package without its classes, for every later test of the process.
    package: object = importlib.import_module(parts[0])
    for part in parts[1:-1]:
        package = getattr(package, part)
    assert getattr(package, name)
    loaded = importlib.import_module(".".join(parts))
    arguments: type = getattr(loaded, f"{name}InitArgs", None) or getattr(loaded, f"{name}Args")
    assert arguments.__module__.endswith(path.stem)
    assert folder == path.parent
    assert set(found.outputs) == set(_hints(getattr(loaded, name))) - {"id", "urn"}

    waiting: list[tuple[type, dict[str, Any]]] = [(arguments, dict(found.inputs))]
    seen: set[type] = set()
    while waiting:
        cls, read = waiting.pop()
        if cls in seen:
            continue
        seen.add(cls)
        hints = _hints(cls)
        assert {key: item.type for key, item in read.items()} == {
            key: _described(sdk, hint) for key, hint in hints.items()
        }
        for hint in hints.values():
            for nested in _nested(hint):
                reference = _described(sdk, nested)
                assert isinstance(reference, ObjectOf)
                waiting.append((nested, dict(sdk.object(reference))))


def _nested(hint: object) -> list[type]:
    if isinstance(hint, type) and _types.is_input_type(hint):
        return [hint]
    return [found for argument in typing.get_args(hint) for found in _nested(argument)]


def test_what_a_constructor_has_no_default_for_is_required() -> None:
    sdk = SdkTypes("gcp")
    pool = sdk.resource("gcp:container/nodePool:NodePool")
    assert pool is not None
    assert {key for key, item in pool.inputs.items() if item.required} == {"cluster"}


def test_a_type_that_the_sdk_lacks_is_not_found() -> None:
    assert SdkTypes("gcp").resource("gcp:compute/netwerk:Netwerk") is None
    assert SdkTypes("kubernetes").resource("kubernetes:apps/v1:Deploiment") is None


def test_an_sdk_that_is_not_installed_is_named() -> None:
    with pytest.raises(SdkShapeError, match="pulumi_nimbus is not installed"):
        SdkTypes("nimbus")
