"""Filters of prompts: always asked, never skipped, by nobody but LiteLLM."""

from dataclasses import replace
from typing import Any

from components.platform.apps.guardrails import GUARDRAILS_PODS
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.catalogue import CatalogueEntry
from components.platform.config import Features, GuardrailsConfig, Tier
from tests.platform.samples import entries, inputs, values

ON = Features(guardrails=True)


def stack(tier: Tier = "cost", config: GuardrailsConfig | None = None) -> dict[str, CatalogueEntry]:
    plain = inputs(features=ON, tier=tier)
    if config is None:
        return entries(plain)
    return entries(replace(plain, config=plain.config.model_copy(update={"guardrails": config})))


def filters(found: dict[str, CatalogueEntry]) -> dict[str, dict[str, Any]]:
    return {
        one["guardrail_name"]: one["litellm_params"]
        for one in values(found["litellm"])["proxy_config"]["guardrails"]
    }


def test_without_the_feature_nothing_is_filtered_and_nothing_runs() -> None:
    found = entries()
    assert "guardrails" not in found
    assert "guardrails" not in values(found["litellm"])["proxy_config"]


def test_every_filter_runs_before_every_call() -> None:
    for params in filters(stack()).values():
        assert params["mode"] == "pre_call"
        assert params["default_on"] is True


def test_personal_data_is_masked_by_the_services_of_the_stack() -> None:
    found = stack()
    params = filters(found)["personal-data"]
    assert params["pii_entities_config"]["EMAIL_ADDRESS"] == "MASK"
    # Names of people are not masked unless a stack asks for it: too many words look like one.
    assert "PERSON" not in params["pii_entities_config"]
    services = {one["name"] for one in values(found["guardrails"])["filters"]}
    for key in ("presidio_analyzer_api_base", "presidio_anonymizer_api_base"):
        host = params[key].removeprefix("http://").partition(".")[0]
        assert host in services
        assert params[key].endswith(".guardrails.svc.cluster.local:3000")


def test_an_injection_is_refused_and_not_only_masked() -> None:
    params = filters(stack())["prompt-injection"]
    assert params["guardrail"] == "litellm_content_filter"
    assert {one["category"] for one in params["categories"]} == {
        "prompt_injection_jailbreak",
        "prompt_injection_system_prompt",
        "prompt_injection_data_exfiltration",
    }
    assert {one["action"] for one in params["categories"]} == {"BLOCK"}


def test_a_stack_says_what_is_masked_and_from_when_on_a_prompt_is_refused() -> None:
    found = stack(config=GuardrailsConfig(masked_entities=("PERSON",), injection_severity="high"))
    assert filters(found)["personal-data"]["pii_entities_config"] == {"PERSON": "MASK"}
    assert filters(found)["prompt-injection"]["severity_threshold"] == "high"


def test_prod_has_two_of_each_because_nothing_passes_without_them() -> None:
    assert values(stack()["guardrails"])["replicas"] == 1
    assert values(stack("prod")["guardrails"])["replicas"] == 2


def test_the_filters_call_nobody_and_litellm_alone_calls_them() -> None:
    connections = [one for entry in stack().values() for one in entry.connections]
    assert [one.client for one in connections if one.server == GUARDRAILS_PODS] == [LITELLM_PODS]
    assert not [one for one in connections if one.client == GUARDRAILS_PODS]
