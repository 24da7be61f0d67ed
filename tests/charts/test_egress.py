"""The chart of external models: a name leads to one provider, with one key."""

import pytest

from components.platform.values.egress import EgressValues
from tests.charts.rendering import HelmError, only, render, render_values
from tests.charts.values import EXTERNAL

pytestmark = pytest.mark.charts


def test_the_default_renders_nothing() -> None:
    assert render("egress", EgressValues()) == []


def test_a_model_is_asked_for_by_our_name_and_called_by_the_providers() -> None:
    objects = render("egress", EXTERNAL, namespace="egress")
    backend = only(objects, "AgentgatewayBackend")
    assert backend["spec"]["ai"]["provider"] == {"anthropic": {"model": "claude-haiku-4-5"}}
    (rule,) = only(objects, "HTTPRoute")["spec"]["rules"]
    (match,) = rule["matches"]
    assert match["headers"] == [
        {"type": "Exact", "name": "X-Gateway-Base-Model-Name", "value": "claude-haiku"}
    ]
    assert rule["backendRefs"][0]["name"] == backend["metadata"]["name"]
    assert rule["backendRefs"][0]["kind"] == "AgentgatewayBackend"


def test_the_key_is_read_from_a_secret_and_stands_nowhere() -> None:
    backend = only(render("egress", EXTERNAL), "AgentgatewayBackend")
    assert backend["spec"]["policies"] == {"auth": {"secretRef": {"name": "claude-haiku-api-key"}}}


def test_route_and_backend_are_in_one_namespace_and_the_gateway_is_named() -> None:
    objects = render("egress", EXTERNAL, namespace="egress")
    assert {one["metadata"]["namespace"] for one in objects} == {"egress"}
    (parent,) = only(objects, "HTTPRoute")["spec"]["parentRefs"]
    assert (parent["name"], parent["namespace"]) == ("egress-gateway", "egress")


def test_helm_refuses_a_provider_that_the_gateway_does_not_speak_to() -> None:
    values = EXTERNAL.to_values()
    values["models"][0]["provider"] = "somebody"
    with pytest.raises(HelmError, match="value must be one of"):
        render_values("egress", values)
