"""Runs the real helm over a chart of ours, and finds things in what it renders."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from components.platform.values.base import ChartValues

CHARTS: Final = Path(__file__).resolve().parents[2] / "charts"
KUBERNETES: Final = "1.33.0"
Json = dict[str, Any]


class HelmError(Exception):
    """Helm refused; the text is what it said."""


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """Return what helm prints.

    Raises:
        HelmError: helm ended with an error.
    """
    program = shutil.which("helm")
    if program is None:
        pytest.skip("helm is not on PATH; `make test` builds it")
    command = [program, *arguments, *(() if values is None else ("--values", "-"))]
    given = None if values is None else json.dumps(values)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def render_values(
    chart: str, values: Mapping[str, Any], *, release: str = "release", namespace: str = "space"
) -> list[Json]:
    """Return the objects that a chart makes of Helm values."""
    text = helm(
        "template",
        release,
        str(CHARTS / chart),
        f"--namespace={namespace}",
        f"--kube-version={KUBERNETES}",
        values=values,
    )
    return [document for document in yaml.safe_load_all(text) if document]


def render(
    chart: str, values: ChartValues, *, release: str = "release", namespace: str = "space"
) -> list[Json]:
    """Return the objects that a chart makes of typed values."""
    return render_values(chart, values.to_values(), release=release, namespace=namespace)


def of_kind(objects: list[Json], kind: str, name: str | None = None) -> list[Json]:
    """Return the objects of a kind, and of a name where one is given."""
    return [
        one
        for one in objects
        if one["kind"] == kind and (name is None or one["metadata"]["name"] == name)
    ]


def only(objects: list[Json], kind: str, name: str | None = None) -> Json:
    """Return the one object of a kind; fail when there is none or there are more."""
    (found,) = of_kind(objects, kind, name)
    return found
