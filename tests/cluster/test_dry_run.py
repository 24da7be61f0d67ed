"""Everything that stacks make is taken by a real API server, strictly and without effect."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final

import pytest

from components.platform.values.base import ChartValues
from tests.charts.rendering import render
from tests.charts.values import ALL
from tests.cluster.client import Client, UnknownKindError, lost_fields
from tests.cluster.rendered import Rendered, namespace, pods, rendered, stacks, where

pytestmark = pytest.mark.cluster

Json = dict[str, Any]

SAMPLE_NAMESPACE: Final = "space"
NOT_TRIED: Final = {
    "cloud.google.com/v1 ComputeClass": "GKE brings its definition, and publishes it nowhere",
}
"""Kinds whose definition is in no Go module, and why."""

IMAGE_VOLUMES_SINCE: Final = 35
"""Minor version of Kubernetes 1 that first keeps volumes of kind image as it is installed."""

KNOWN_WARNINGS: Final = (
    # Argo CD knows its finalizer by this name and no other.
    '"resources-finalizer.argocd.argoproj.io": prefer a domain-qualified finalizer name',
)

STACKS = pytest.mark.parametrize("stack", stacks())


def is_too_new(client: Client, one: Json) -> bool:
    """Return whether the server does not keep the volumes of an object: weights in an image."""
    volumes = [volume for pod in pods(one) for volume in pod["spec"].get("volumes", [])]
    minor = int(client.version.partition(".")[2])
    return minor < IMAGE_VOLUMES_SINCE and any("image" in volume for volume in volumes)


def problems(client: Client, objects: Iterable[Json], *, may_be_newer: bool = False) -> list[str]:
    """Return what the API server has against objects; kinds of `NOT_TRIED` are left out.

    Args:
        client: The API server.
        objects: The objects.
        may_be_newer: Whether they may be for a newer Kubernetes than the server behaves as.
    """
    found: list[str] = []
    for one in objects:
        if f"{one['apiVersion']} {one['kind']}" in NOT_TRIED:
            continue
        try:
            answer = client.apply(one)
        except UnknownKindError as error:
            found.append(f"{where(one)}: no definition of {error}")
            continue
        if not answer.accepted:
            found.append(f"{where(one)}: {answer.message}")
            continue
        found += [
            f"{where(one)}: {field} is left out by Kubernetes {client.version}"
            for field in lost_fields(one, answer.json())
            if not (may_be_newer and is_too_new(client, one))
        ]
        found += [
            f"{where(one)}: {warning}"
            for warning in answer.warnings
            if not any(known in warning for known in KNOWN_WARNINGS)
        ]
    return found


@contextmanager
def made(client: Client, objects: Iterable[Json]) -> Generator[None]:
    """Create namespaces and priorities for as long as the block runs: others refer to them."""
    kept = list(objects)
    for one in kept:
        client.apply(one, dry_run=False).json()
    try:
        yield
    finally:
        for one in kept:
            if one["kind"] == "Namespace":
                client.remove_namespace(one["metadata"]["name"])
            else:
                client.request("DELETE", client.path(one)).json()


def referred_to(stack: Rendered) -> list[Json]:
    """Return what has to be there before other objects: namespaces and priority classes."""
    classes = [one for one in stack.everything() if one["kind"] == "PriorityClass"]
    return [*stack.namespaces().values(), *classes]


@STACKS
def test_what_a_stack_hands_to_argo_cd_is_taken(api: Client, stack: str) -> None:
    assert problems(api, rendered(stack).handed) == []


@STACKS
def test_every_object_of_our_charts_is_taken(api: Client, stack: str) -> None:
    found = rendered(stack)
    with made(api, referred_to(found)):
        assert problems(api, found.everything()) == []


@STACKS
def test_every_pod_may_run_in_its_namespace(api: Client, stack: str) -> None:
    found = rendered(stack)
    refused: list[str] = []
    with made(api, referred_to(found)):
        for one in found.everything():
            for pod in pods(one):
                answer = api.try_to_create(pod)
                if not answer.accepted:
                    refused.append(f"{where(one)}: {answer.message}")
    assert refused == []


@pytest.mark.parametrize(("chart", "values"), ALL.values(), ids=ALL)
def test_every_object_of_a_sample_is_taken(api: Client, chart: str, values: ChartValues) -> None:
    objects = render(chart, values, namespace=SAMPLE_NAMESPACE)
    spaces = {one["metadata"].get("namespace", SAMPLE_NAMESPACE) for one in objects}
    with made(api, [namespace(name, {}) for name in spaces - {"kube-system", "argocd"}]):
        assert problems(api, objects, may_be_newer=True) == []


@pytest.mark.parametrize("kind", NOT_TRIED)
def test_a_kind_without_a_definition_is_not_tried(api: Client, kind: str) -> None:
    api_version, _, name = kind.partition(" ")
    with pytest.raises(UnknownKindError):
        api.collection(api_version, name, None)
    pytest.skip(f"objects of this kind are not tried: {NOT_TRIED[kind]}")
