"""What stacks hand to Argo CD, and what our own charts make of it, for the API server to judge."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from components.platform.apps import catalogue
from components.platform.catalogue import PlatformInputs
from components.platform.manifests import CHARTS_FOLDER, manifests
from lab.rendering import REVISION
from stacks.render import render as render_stack
from tests import pairwise
from tests.charts.rendering import render_values

Json = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """One stack.

    Attributes:
        handed: The AppProjects and the Applications.
        objects: What our own charts render, by Application.
    """

    handed: Sequence[Json]
    objects: Mapping[str, Sequence[Json]]

    def everything(self) -> list[Json]:
        """Return the objects of all our charts."""
        return [one for objects in self.objects.values() for one in objects]

    def referred_to(self) -> list[Json]:
        """Return what has to be there before other objects: namespaces and priority classes."""
        classes = [one for one in self.everything() if one["kind"] == "PriorityClass"]
        return [*self.namespaces().values(), *classes]

    def namespaces(self) -> dict[str, Json]:
        """Return the namespaces that Argo CD and our charts make, by name."""
        found = {one["metadata"]["name"]: one for one in self.handed_namespaces()}
        for one in self.everything():
            if one["kind"] == "Namespace":
                found[one["metadata"]["name"]] = one
        return found

    def handed_namespaces(self) -> Iterator[Json]:
        """Yield the namespaces that Argo CD makes for Applications, with their labels."""
        for one in self.handed:
            policy = one["spec"].get("syncPolicy", {})
            if "CreateNamespace=true" in policy.get("syncOptions", []):
                labels = policy.get("managedNamespaceMetadata", {}).get("labels", {})
                yield namespace(one["spec"]["destination"]["namespace"], labels)


@cache
def stacks() -> Mapping[str, Callable[[], list[Json]]]:
    """Return all stacks to try, by name: what each hands to Argo CD."""
    committed = {path.name: _committed(path) for path in sorted(ROOT.glob("Pulumi.*.yaml"))}
    return committed | {name: _chosen(inputs) for name, inputs in pairwise.stacks().items()}


def _committed(path: Path) -> Callable[[], list[Json]]:
    return lambda: list(yaml.safe_load_all(render_stack(path, REVISION)))


def _chosen(inputs: PlatformInputs) -> Callable[[], list[Json]]:
    return lambda: manifests(catalogue(inputs), inputs.config.gitops.repository, REVISION)


@cache
def rendered(stack: str) -> Rendered:
    """Return a stack of `stacks` rendered."""
    handed = stacks()[stack]()
    objects: dict[str, Sequence[Json]] = {}
    for one in handed:
        source = one["spec"].get("source", {})
        folder, _, chart = source.get("path", "").rpartition("/")
        if one["kind"] == "Application" and folder == CHARTS_FOLDER:
            objects[one["metadata"]["name"]] = _render(
                chart,
                json.dumps(source["helm"]["valuesObject"], sort_keys=True),
                source["helm"].get("releaseName", one["metadata"]["name"]),
                one["spec"]["destination"]["namespace"],
            )
    return Rendered(handed=handed, objects=objects)


@cache
def _render(chart: str, values: str, release: str, space: str) -> Sequence[Json]:
    """Render a chart; stacks that hand it the same share the result."""
    return render_values(chart, json.loads(values), release=release, namespace=space)


def namespace(name: str, labels: Mapping[str, str]) -> Json:
    """Return a namespace as an object."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": dict(labels)},
    }


def where(one: Json) -> str:
    """Return what an object is called in a message."""
    space = one["metadata"].get("namespace")
    return f"{one['kind']} {f'{space}/' if space else ''}{one['metadata']['name']}"
