"""The order of the emitted Applications, and what is said of each."""

from typing import Any

from sandbox.applications import emitted_applications
from sandbox.records import Resource


def _application(
    name: str, *, requires: tuple[str, ...] = (), created: str = "", **spec: object
) -> Resource:
    source = {"repoURL": "https://charts.example.com", "chart": name, "targetRevision": "1.2.3"}
    inputs: dict[str, Any] = {
        "metadata": {"name": name},
        "spec": {"source": source, "destination": {"namespace": f"{name}-system"}, **spec},
    }
    return Resource(
        urn=_urn(name),
        type="kubernetes:argoproj.io/v1alpha1:Application",
        inputs=inputs,
        dependencies=("urn:pulumi:gke::llmp::other::thing", *map(_urn, requires)),
        created=created,
    )


def _urn(name: str) -> str:
    return f"urn:pulumi:gke::llmp::kubernetes:argoproj.io/v1alpha1:Application::{name}-application"


def test_an_application_comes_after_all_that_it_requires() -> None:
    found = emitted_applications(
        [
            _application("litellm", requires=("database", "gateway")),
            _application("gateway", requires=("crds",)),
            _application("database"),
            _application("crds"),
        ]
    )

    assert [one.name for one in found] == ["database", "crds", "gateway", "litellm"]
    assert [one.position for one in found] == [1, 2, 3, 4]
    assert [one.wave for one in found] == [1, 1, 2, 3]
    assert found[-1].requires == ("database", "gateway")


def test_among_those_that_are_free_the_first_created_comes_first() -> None:
    found = emitted_applications(
        [
            _application("new"),
            _application("late", created="2026-01-01T00:00:02Z"),
            _application("early", created="2026-01-01T00:00:01Z"),
        ]
    )

    assert [one.name for one in found] == ["early", "late", "new"]


def test_what_is_not_an_application_is_no_requirement() -> None:
    (found,) = emitted_applications([_application("alone")])

    assert found.requires == ()


def test_a_deleted_application_is_not_rolled_out() -> None:
    gone = _application("gone")
    gone.operation = "delete"

    assert emitted_applications([gone]) == ()


def test_an_application_without_automated_sync_is_manual() -> None:
    by_hand, by_itself = emitted_applications(
        [
            _application("a", syncPolicy={"syncOptions": ["ServerSideApply=true"]}),
            _application("b", syncPolicy={"automated": {"prune": True}}),
        ]
    )

    assert (by_hand.sync, by_itself.sync) == ("manual", "automatic")


def test_sources_are_named_by_chart_or_by_path() -> None:
    repository = "https://git.example.com/llmp.git"
    own = {"repoURL": repository, "path": "charts/vllm", "targetRevision": "abc"}
    chart, path, second = emitted_applications(
        [
            _application("chart"),
            _application("path", source=own),
            _application("several", sources=[{"repoURL": repository, "ref": "values"}, own]),
        ]
    )

    assert (chart.source, chart.version) == ("https://charts.example.com/chart", "1.2.3")
    assert (path.source, path.version) == (f"{repository}//charts/vllm", "abc")
    assert second.source == path.source
