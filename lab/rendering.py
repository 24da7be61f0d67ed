"""What a stack hands to Argo CD, and what the charts of this working tree make of it.

The real helm renders; a chart of somebody else is not rendered here, and has no objects.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from components.platform.apps import catalogue
from components.platform.catalogue import CatalogueEntry, PlatformInputs
from components.platform.config import Profile
from components.platform.manifests import CHARTS_FOLDER
from lab.processes import LabError
from stacks.config import ConfigError, Problem, Stack, parse_stack
from stacks.config.document import read_document
from stacks.contracts import known_contract
from stacks.platform import platform_inputs
from stacks.render import manifests
from tools.render_manifests import KUBERNETES

Json = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parent.parent
REVISION: Final = "0" * 40
"""Stands in Applications for the commit of our charts where nobody fetches it."""
POD_TEMPLATES: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "CronJob": (("spec", "jobTemplate", "spec", "template"),),
    "DaemonSet": (("spec", "template"),),
    "Deployment": (("spec", "template"),),
    "Job": (("spec", "template"),),
    "LeaderWorkerSet": (
        ("spec", "leaderWorkerTemplate", "leaderTemplate"),
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
    "StatefulSet": (("spec", "template"),),
}
"""Where kinds keep the Pods that they make."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedStack:
    """One stack.

    Attributes:
        inputs: what its catalogue is built from.
        entries: the catalogue.
        handed: the AppProjects and the Applications.
        objects: what our own charts make, by Application.
    """

    inputs: PlatformInputs
    entries: Sequence[CatalogueEntry]
    handed: Sequence[Json]
    objects: Mapping[str, Sequence[Json]]


def load_stack(path: Path, profile: Profile | None = None) -> Stack:
    """Return the checked stack of a file.

    Args:
        path: a `Pulumi.<stack>.yaml`.
        profile: profile of the platform instead of the file's own.

    Raises:
        ConfigError: the file cannot be used, or not with this profile.
    """
    document = read_document(path)
    if document.problems:
        raise ConfigError(document.problems, str(path))
    raw = document.stack
    if profile is not None and isinstance(raw, dict):
        given = cast("Json", raw)
        raw = {**given, "platform": {**given.get("platform", {}), "profile": profile}}
    return parse_stack(raw, str(path))


def render_stack(stack: Stack, source: str) -> RenderedStack:
    """Render a stack.

    Args:
        stack: the checked stack.
        source: what it is called where it cannot be rendered.

    Raises:
        ConfigError: its contract is another stack's.
        LabError: helm is not there, or refuses a chart.
    """
    contract = known_contract(stack)
    if contract is None or not stack.platform.enabled:
        problem = Problem(
            path="platform" if contract is not None else "existing.contract_from",
            message="this stack hands nothing to Argo CD that can be told from its file",
            value="",
            fix="name a stack that builds the platform and has a contract of its own",
        )
        raise ConfigError([problem], source)
    inputs = platform_inputs(stack, contract, REVISION)
    handed = manifests(stack, contract, REVISION)
    own = {
        one["metadata"]["name"]: one
        for one in handed
        if one["kind"] == "Application" and own_chart(one) is not None
    }
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = dict(zip(own, threads.map(render, own.values()), strict=True))
    return RenderedStack(inputs=inputs, entries=catalogue(inputs), handed=handed, objects=objects)


def own_chart(application: Json) -> str | None:
    """Return the folder under charts/ that an Application takes; None where it takes none."""
    folder, _, chart = application["spec"].get("source", {}).get("path", "").rpartition("/")
    return chart if folder == CHARTS_FOLDER else None


def render(application: Json) -> list[Json]:
    """Return what an Application of our own charts makes.

    Raises:
        LabError: helm is not there, or refuses the chart.
    """
    spec = application["spec"]
    helm = spec["source"]["helm"]
    name = application["metadata"]["name"]
    program = shutil.which("helm")
    if program is None:
        raise LabError("helm is not on PATH")
    done = subprocess.run(
        [
            *(program, "template", helm.get("releaseName", name)),
            str(ROOT / spec["source"]["path"]),
            f"--namespace={spec['destination']['namespace']}",
            f"--kube-version={KUBERNETES}",
            *("--values", "-"),
        ],
        input=json.dumps(helm["valuesObject"]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"helm refuses {name}: {done.stderr.strip()}")
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]


def pods(one: Json) -> Iterator[Json]:
    """Yield a Pod for each template of Pods in an object, as its controller would make it."""
    for path in POD_TEMPLATES.get(one["kind"], ()):
        template: Any = one
        for key in path:
            template = template.get(key) if template is not None else None
        if template is not None:
            metadata = {
                **template.get("metadata", {}),
                "name": f"{one['metadata']['name']}-{path[-1]}".lower(),
                "namespace": one["metadata"].get("namespace", "default"),
            }
            yield {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": template["spec"],
            }
