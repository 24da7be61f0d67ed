"""The chart of the filters: two services that keep nothing, with all that lets them be trusted."""

import pytest

from tests.charts.rendering import of_kind, render
from tests.charts.values import FILTERS, FILTERS_PROD

pytestmark = pytest.mark.charts


def test_a_service_leads_to_the_pods_of_its_own_part_alone() -> None:
    objects = render("guardrails", FILTERS)
    for service, deployment in zip(
        of_kind(objects, "Service"), of_kind(objects, "Deployment"), strict=True
    ):
        assert service["metadata"]["name"] == deployment["metadata"]["name"]
        assert service["spec"]["type"] == "ClusterIP"
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    parts = {
        one["spec"]["selector"]["app.kubernetes.io/component"]
        for one in of_kind(objects, "Service")
    }
    assert parts == {"analyzer", "anonymizer"}


def test_a_start_may_load_a_language_model_and_a_running_one_is_probed() -> None:
    by_name = {
        one["metadata"]["name"]: one for one in of_kind(render("guardrails", FILTERS), "Deployment")
    }
    (container,) = by_name["presidio-analyzer"]["spec"]["template"]["spec"]["containers"]
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] == 300
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_two_replicas_are_spread_and_drained_one_by_one() -> None:
    objects = render("guardrails", FILTERS_PROD)
    assert len(of_kind(objects, "PodDisruptionBudget")) == 2
    for one in of_kind(objects, "Deployment"):
        assert one["spec"]["replicas"] == 2
        assert one["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert of_kind(render("guardrails", FILTERS), "PodDisruptionBudget") == []
