"""Checks field names and kinds of values of Kubernetes' own objects, by types of the pinned SDK.

The SDK is made from the OpenAPI document of Kubernetes. It knows no field that is newer than
itself, and nothing of custom resources.
"""

import functools
import types
import typing
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

KINDS: dict[tuple[str, str], type] = {
    ("apps/v1", "Deployment"): kubernetes.apps.v1.DeploymentSpecArgs,
    ("batch/v1", "CronJob"): kubernetes.batch.v1.CronJobSpecArgs,
    ("batch/v1", "Job"): kubernetes.batch.v1.JobSpecArgs,
    ("networking.k8s.io/v1", "NetworkPolicy"): kubernetes.networking.v1.NetworkPolicySpecArgs,
    ("v1", "PersistentVolumeClaim"): kubernetes.core.v1.PersistentVolumeClaimSpecArgs,
    ("policy/v1", "PodDisruptionBudget"): kubernetes.policy.v1.PodDisruptionBudgetSpecArgs,
    ("v1", "Service"): kubernetes.core.v1.ServiceSpecArgs,
}
WITHOUT_SPEC: dict[str, set[str]] = {
    "ClusterRole": {"rules"},
    "ClusterRoleBinding": {"roleRef", "subjects"},
    "ConfigMap": {"data"},
    "Namespace": set(),
    "Role": {"rules"},
    "RoleBinding": {"roleRef", "subjects"},
    "ServiceAccount": {"automountServiceAccountToken"},
}
"""Kinds whose content is beside the metadata, and their fields that we use."""

CUSTOM = (
    "gateway.networking.k8s.io",
    "inference.networking.x-k8s.io",
    "kueue.x-k8s.io",
    "snapshot.storage.k8s.io",
)
"""Groups that end like those of Kubernetes and come from custom resource definitions."""


def unknown_fields(one: dict[str, Any]) -> list[str]:
    """Return what the API of Kubernetes does not know in an object; nothing for custom ones."""
    group = one["apiVersion"].partition("/")[0] if "/" in one["apiVersion"] else ""
    if group in CUSTOM or ("." in group and not group.endswith(".k8s.io")):
        return []
    where = f"{one['kind']} {one['metadata']['name']}"
    specification = KINDS.get((one["apiVersion"], one["kind"]))
    if specification is not None:
        return list(_walk(f"{where}.spec", one["spec"], specification))
    if one["kind"] in WITHOUT_SPEC:
        fields = {"apiVersion", "kind", "metadata", *WITHOUT_SPEC[one["kind"]]}
        return [f"{where}.{key} is no field" for key in one if key not in fields]
    return [f"{where}: no type is known for {one['apiVersion']}"]


def _walk(where: str, value: Any, expected: Any) -> Iterator[str]:  # noqa: ANN401 - a JSON value
    choices = [choice for choice in _choices(expected) if choice is not type(None)]
    inputs = [choice for choice in choices if _is_input(choice)]
    if isinstance(value, dict) and inputs:
        yield from _fields(where, typing.cast("dict[str, Any]", value), inputs[0])
        return
    if isinstance(value, list):
        for choice in choices:
            if typing.get_origin(choice) is Sequence:
                (item,) = typing.get_args(choice)
                for index, element in enumerate(typing.cast("list[Any]", value)):
                    yield from _walk(f"{where}[{index}]", element, item)
                return
        yield f"{where}: a list, where none is expected"
        return
    scalars = {choice for choice in choices if choice in {str, int, float, bool}}
    if scalars and not isinstance(value, dict):
        if isinstance(value, int) and not isinstance(value, bool) and float in scalars:
            return
        if type(value) not in scalars:
            yield f"{where}: {value!r} is no {' or '.join(sorted(one.__name__ for one in scalars))}"


def _fields(where: str, value: dict[str, Any], expected: type) -> Iterator[str]:
    known = _known_fields(expected)
    for key, inner in value.items():
        if key in known:
            yield from _walk(f"{where}.{key}", inner, known[key])
        else:
            yield f"{where}.{key} is no field of {expected.__name__.removesuffix('Args')}"


@functools.cache
def _known_fields(expected: type) -> dict[str, Any]:
    """Return the fields of an input type as the API spells them, and what each may hold."""
    # The SDK leaves these two names unresolved in its annotations.
    unresolved = {"Output": pulumi.Output, "T": Any}
    return {
        attribute.fget.__dict__["_pulumi_name"]: typing.get_type_hints(
            attribute.fget, localns=unresolved
        )["return"]
        for attribute in vars(expected).values()
        if isinstance(attribute, property) and attribute.fget is not None
    }


def _choices(expected: Any) -> Iterator[Any]:  # noqa: ANN401 - a type expression
    """Yield the plain types of Optional, Union, Input and Output."""
    if typing.get_origin(expected) in {typing.Union, types.UnionType}:
        for choice in typing.get_args(expected):
            yield from _choices(choice)
    elif typing.get_origin(expected) not in {pulumi.Output, Awaitable}:
        yield expected


def _is_input(choice: Any) -> bool:  # noqa: ANN401 - a type expression
    return isinstance(choice, type) and choice.__name__.endswith("Args")
