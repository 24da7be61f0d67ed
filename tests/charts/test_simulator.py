"""The simulator chart: a member of a pool that needs neither GPU nor weights."""

import pytest
import yaml

from tests.charts.rendering import Json, only, render
from tests.charts.values import SIMULATOR

pytestmark = pytest.mark.charts


def settings() -> Json:
    config = only(render("simulator", SIMULATOR), "ConfigMap")
    return yaml.safe_load(config["data"]["simulator.yaml"])


def test_it_answers_to_the_name_of_the_model_on_the_port_of_all_engines() -> None:
    assert settings()["served-model-name"] == ["pretend"]
    assert settings()["port"] == 8000
    service = only(render("simulator", SIMULATOR), "Service")["spec"]
    assert service["ports"][0]["port"] == 8000


def test_its_own_name_is_one_that_no_repository_on_the_hub_can_have() -> None:
    # A name that the hub knows makes it look for a tokenizer that is not there.
    assert settings()["model"] == "simulated:pretend"


def test_a_large_context_is_written_as_a_whole_number() -> None:
    text = only(render("simulator", SIMULATOR), "ConfigMap")["data"]["simulator.yaml"]
    assert "max-model-len: 1048576\n" in text


def test_durations_have_their_unit() -> None:
    assert settings()["time-to-first-token"] == "200ms"
    assert settings()["inter-token-latency"] == "20ms"


def test_it_asks_for_no_gpu() -> None:
    pod = only(render("simulator", SIMULATOR), "Deployment")["spec"]["template"]["spec"]
    assert set(pod["containers"][0]["resources"]["limits"]) == {"memory"}
    assert "nodeSelector" not in pod


def test_a_changed_setting_starts_new_pods() -> None:
    def mark(**changes: object) -> str:
        values = SIMULATOR.model_copy(update=changes)
        template = only(render("simulator", values), "Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]["llmp.dev/scripts"]

    assert mark() != mark(inter_token_latency=50)
