"""A model that may sleep: what its callers get, and what wakes it, along the whole way."""

import json
from typing import Any, Literal

import pytest

from components.platform.catalogue import CatalogueEntry
from components.platform.config import LoraAdapter, Model, ScaleToZero, ScalingTargets
from tests.platform.samples import REVISION, entries, inputs, model, values

WhenAsleep = Literal["hold", "fallback", "unavailable"]
MODES: tuple[WhenAsleep, ...] = ("hold", "fallback", "unavailable")


def sleeper(when_asleep: WhenAsleep, adapters: tuple[LoraAdapter, ...] = ()) -> Model:
    to_zero = ScaleToZero(
        idle_minutes=20,
        when_asleep=when_asleep,
        hold_seconds=600,
        retry_after_seconds=90,
        fallback_model="second" if when_asleep == "fallback" else None,
    )
    return model(scaling=ScalingTargets(to_zero=to_zero), lora_adapters=adapters)


def stack(
    when_asleep: WhenAsleep, adapters: tuple[LoraAdapter, ...] = ()
) -> dict[str, CatalogueEntry]:
    return entries(inputs(models=(sleeper(when_asleep, adapters), model("second"))))


def picker(found: dict[str, CatalogueEntry]) -> dict[str, Any]:
    extension = values(found["qwen-small-pool"])["inferenceExtension"]
    if "pluginsCustomConfig" not in extension:
        return {}
    return json.loads(extension["pluginsCustomConfig"][extension["pluginsConfigFile"]])


def listed(found: dict[str, CatalogueEntry], name: str = "qwen-small") -> dict[str, Any]:
    (one,) = [
        one
        for one in values(found["litellm"])["proxy_config"]["model_list"]
        if one["model_name"] == name
    ]
    return one["litellm_params"]


@pytest.mark.parametrize("mode", MODES)
def test_in_every_mode_the_gateways_requests_wake_the_model(mode: WhenAsleep) -> None:
    found = stack(mode)
    sleep = values(found["qwen-small-vllm"])["autoscaling"]["sleep"]
    assert sleep["idleSeconds"] == 1200
    route = found["qwen-small-route"]
    assert sleep["route"] == f"{route.namespace}/{values(route)['routes'][0]['model']}"


@pytest.mark.parametrize("mode", MODES)
def test_in_every_mode_a_caller_gets_more_than_a_bare_503(mode: WhenAsleep) -> None:
    found = stack(mode)
    route = values(found["qwen-small-route"])["routes"][0]
    router = values(found["litellm"])["proxy_config"]["router_settings"]
    assert ("retryAfterSeconds" in route) is not ("fallbacks" in router)


def test_held_requests_wait_in_the_picker_for_the_first_replica() -> None:
    found = stack("hold")
    config = picker(found)
    assert config["featureGates"] == ["flowControl"]
    assert config["flowControl"]["defaultRequestTTL"] == "600s"
    assert config["saturationDetector"]["pluginRef"] in {one["type"] for one in config["plugins"]}
    assert values(found["qwen-small-vllm"])["autoscaling"]["sleep"]["held"] is True


@pytest.mark.parametrize("mode", ["fallback", "unavailable"])
def test_a_request_that_is_answered_at_once_is_not_held(mode: WhenAsleep) -> None:
    found = stack(mode)
    assert picker(found) == {}
    assert values(found["qwen-small-vllm"])["autoscaling"]["sleep"]["held"] is False


def test_everything_in_front_waits_for_longer_than_a_request_is_held() -> None:
    found = stack("hold")
    whole = 600 + 300
    assert values(found["qwen-small-route"])["routes"][0]["timeoutSeconds"] == whole
    assert listed(found)["timeout"] == whole
    assert values(found["inference-gateway"])["gateway"]["longestRequestSeconds"] == whole
    # What the engine itself works on is not held any more.
    assert values(found["qwen-small-vllm"])["lifecycle"]["longestRequestSeconds"] == 300


def test_another_model_answers_for_each_name_of_a_sleeping_one() -> None:
    adapter = LoraAdapter(name="sql", hugging_face="your-org/sql", revision=REVISION)
    found = stack("fallback", (adapter,))
    router = values(found["litellm"])["proxy_config"]["router_settings"]
    assert router["fallbacks"] == [{"qwen-small": ["second"]}, {"sql": ["second"]}]
    assert listed(found, "sql")["model"] == "openai/sql"


def test_an_answer_that_a_model_sleeps_is_not_asked_for_again() -> None:
    assert listed(stack("fallback"))["num_retries"] == 0
    assert listed(stack("unavailable"))["num_retries"] == 0
    # A held request that finds its replica a moment before the gateway does is asked once more.
    assert listed(stack("hold"))["num_retries"] == 1
    assert "num_retries" not in listed(stack("hold"), "second")


def test_a_caller_is_told_when_to_come_back() -> None:
    route = values(stack("unavailable")["qwen-small-route"])["routes"][0]
    assert route["retryAfterSeconds"] == 90
    assert "retryAfterSeconds" not in values(stack("hold")["second-route"])["routes"][0]


def test_a_sleeping_model_is_looked_after_more_often_because_its_caller_waits() -> None:
    found = stack("hold")
    asleep, awake = (
        values(found[f"{name}-vllm"])["autoscaling"]["pollingSeconds"]
        for name in ("qwen-small", "second")
    )
    assert asleep < awake
    monitoring = values(found["qwen-small-pool"])["inferenceExtension"]["monitoring"]
    assert monitoring["interval"] == "5s"
