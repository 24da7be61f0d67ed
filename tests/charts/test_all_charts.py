"""What holds for every chart of ours: lint, schema, hardening, and names of fields."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.platform.values.base import ChartValues
from tests.charts.core_fields import unknown_fields
from tests.charts.rendering import CHARTS, HelmError, Json, helm, render, render_values
from tests.charts.values import ALL
from tools import generate

CASES = pytest.mark.parametrize(("chart", "values"), ALL.values(), ids=ALL)
NAMES = pytest.mark.parametrize("chart", sorted(generate.CHARTS))


def pod_templates(objects: list[Json]) -> Iterator[Json]:
    for one in objects:
        if one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        if one["kind"] in {"Deployment", "Job"}:
            yield one["spec"]["template"]["spec"]
        if one["kind"] == "LeaderWorkerSet":
            for role in ("leaderTemplate", "workerTemplate"):
                yield one["spec"]["leaderWorkerTemplate"][role]["spec"]


def test_every_folder_under_charts_has_typed_values() -> None:
    assert {path.name for path in CHARTS.iterdir() if path.is_dir()} == set(generate.CHARTS)


def test_every_generated_file_is_what_the_typed_values_make_of_it() -> None:
    assert generate.stale(generate.generated()) == []


def test_a_changed_generated_file_is_found_stale(tmp_path: Path) -> None:
    changed = tmp_path / "values.schema.json"
    changed.write_text("{}")
    assert generate.stale({changed: '{"a": 1}', tmp_path / "missing": ""}) == [
        changed,
        tmp_path / "missing",
    ]


@NAMES
def test_a_schema_closes_every_object_and_spells_keys_as_helm_does(chart: str) -> None:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    for node in [schema, *schema.get("$defs", {}).values()]:
        assert node["additionalProperties"] is False
        assert all(re.fullmatch(r"[a-z][A-Za-z0-9]*", name) for name in node["properties"])
    assert '"null"' not in json.dumps(schema)


@NAMES
@pytest.mark.charts
def test_a_chart_passes_the_strict_lint_with_its_defaults(chart: str) -> None:
    helm("lint", "--strict", str(CHARTS / chart))


@CASES
@pytest.mark.charts
def test_a_chart_passes_the_strict_lint_with_real_values(chart: str, values: ChartValues) -> None:
    helm("lint", "--strict", str(CHARTS / chart), values=values.to_values())


@CASES
@pytest.mark.charts
def test_helm_refuses_a_key_that_the_typed_values_do_not_have(
    chart: str, values: ChartValues
) -> None:
    with pytest.raises(HelmError, match="additional properties 'surprise' not allowed"):
        render_values(chart, {**values.to_values(), "surprise": 1})


@CASES
@pytest.mark.charts
def test_every_object_says_what_it_is_part_of(chart: str, values: ChartValues) -> None:
    for one in render(chart, values):
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == chart
        assert labels["app.kubernetes.io/instance"] == "release"
        assert labels["app.kubernetes.io/part-of"] == "llmp"


@CASES
@pytest.mark.charts
def test_no_object_is_rendered_twice(chart: str, values: ChartValues) -> None:
    identities = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in render(chart, values)
    ]
    assert len(identities) == len(set(identities))


@CASES
@pytest.mark.charts
def test_objects_of_kubernetes_itself_have_only_fields_of_its_api(
    chart: str, values: ChartValues
) -> None:
    assert [problem for one in render(chart, values) for problem in unknown_fields(one)] == []


@CASES
@pytest.mark.charts
def test_every_pod_passes_the_restricted_standard(chart: str, values: ChartValues) -> None:
    for pod in pod_templates(render(chart, values)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert "@sha256:" in container["image"]
            assert container["imagePullPolicy"] == "IfNotPresent"
            assert container["resources"]["limits"]["memory"]


@CASES
@pytest.mark.charts
def test_no_secret_is_rendered_and_none_is_in_arguments(chart: str, values: ChartValues) -> None:
    objects = render(chart, values)
    assert not any(one["kind"] == "Secret" for one in objects)
    for pod in pod_templates(objects):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            words = " ".join([*container.get("command", []), *container.get("args", [])])
            # What the operator of groups says of a pod is no secret.
            forbidden = r"\$\((?!LWS_)|api-key|master-key|hf[-_]token|password"
            assert not re.search(forbidden, words, re.IGNORECASE)
            for variable in container.get("env", []):
                if re.search(r"KEY$|TOKEN$", variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"]
