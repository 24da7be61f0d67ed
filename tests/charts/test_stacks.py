"""What each committed stack hands to our charts renders, and holds together across charts."""

from functools import cache
from pathlib import Path
from typing import Final

import pytest
import yaml

from stacks.render import render as render_stack
from tests.charts.core_fields import unknown_fields
from tests.charts.rendering import Json, of_kind, only, render_values

pytestmark = pytest.mark.charts

ROOT: Final = Path(__file__).resolve().parents[2]
REVISION: Final = "0" * 40
STACKS = pytest.mark.parametrize(
    "stack", [path.name for path in sorted(ROOT.glob("Pulumi.*.yaml"))]
)


@cache
def objects_of(stack: str) -> dict[str, list[Json]]:
    """Return the objects of each Application of a stack whose chart is ours."""
    rendered: dict[str, list[Json]] = {}
    for one in yaml.safe_load_all(render_stack(ROOT / stack, REVISION)):
        if one["kind"] != "Application":
            continue
        source = one["spec"].get("source", {})
        folder, _, chart = source.get("path", "").rpartition("/")
        if folder == "charts":
            rendered[one["metadata"]["name"]] = render_values(
                chart,
                source["helm"]["valuesObject"],
                release=source["helm"].get("releaseName", one["metadata"]["name"]),
                namespace=one["spec"]["destination"]["namespace"],
            )
    return rendered


def everything(stack: str) -> list[Json]:
    return [one for objects in objects_of(stack).values() for one in objects]


@STACKS
def test_every_chart_of_ours_renders_with_the_values_of_the_stack(stack: str) -> None:
    assert everything(stack)
    assert [problem for one in everything(stack) for problem in unknown_fields(one)] == []


@STACKS
def test_no_two_applications_fight_over_one_object(stack: str) -> None:
    identities = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in everything(stack)
    ]
    assert len(identities) == len(set(identities))


@STACKS
def test_every_secret_that_a_pod_reads_is_brought_by_somebody(stack: str) -> None:
    brought = {
        (one["metadata"]["namespace"], one["metadata"]["name"], entry["secretKey"])
        for one in of_kind(everything(stack), "ExternalSecret")
        for entry in one["spec"]["data"]
    }
    for one in [*of_kind(everything(stack), "Deployment"), *of_kind(everything(stack), "Job")]:
        pod = one["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            for variable in container["env"]:
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference is not None:
                    namespace = one["metadata"]["namespace"]
                    assert (namespace, reference["name"], reference["key"]) in brought


@STACKS
def test_every_consumers_namespace_may_use_the_store(stack: str) -> None:
    store = only(everything(stack), "ClusterSecretStore")
    (condition,) = store["spec"]["conditions"]
    for one in [
        *of_kind(everything(stack), "ExternalSecret"),
        *of_kind(everything(stack), "PushSecret"),
    ]:
        assert one["metadata"]["namespace"] in condition["namespaces"]


@STACKS
def test_every_route_attaches_to_the_gateway_that_lets_its_namespace_in(stack: str) -> None:
    gateways = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one
        for one in of_kind(everything(stack), "Gateway")
    }
    for route in of_kind(everything(stack), "HTTPRoute"):
        (parent,) = route["spec"]["parentRefs"]
        (listener,) = gateways[parent["namespace"], parent["name"]]["spec"]["listeners"]
        (expression,) = listener["allowedRoutes"]["namespaces"]["selector"]["matchExpressions"]
        assert route["metadata"]["namespace"] in expression["values"]
