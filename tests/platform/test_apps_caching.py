"""What LiteLLM keeps beside its database: counters, answers, and vectors of questions."""

import hashlib
import json
from typing import Any

import pytest

from components.platform import endpoints
from components.platform.apps.caching import QDRANT_PODS, VALKEY_PODS
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.apps.parts import PROMETHEUS_PODS
from components.platform.catalogue import PlatformInputs
from components.platform.config import AnswerCache, Features, Model, SemanticCache
from tests.charts.rendering import CHARTS
from tests.platform.samples import entries, inputs, model, values

EXACT = Features(caching=True)
SEMANTIC = Features(caching=True, semantic_caching=True)
VECTORS = model("vectors", engine="text_embeddings_inference")


def cached(name: str = "chat", *, semantic: bool = False) -> Model:
    meaning = SemanticCache(embedding_model="vectors", threshold=0.93) if semantic else None
    return model(name, cache=AnswerCache(ttl_seconds=120, semantic=meaning))


def proxy(of: PlatformInputs) -> dict[str, Any]:
    return values(entries(of)["litellm"])


def told(of: PlatformInputs) -> dict[str, Any]:
    return json.loads(proxy(of)["envVars"]["LLMP_ANSWERS"])


def test_nothing_is_kept_unless_the_stack_says_so() -> None:
    found = entries(inputs(models=(cached(),)))
    assert not {"litellm-valkey", "litellm-qdrant", "litellm-answers"} & set(found)
    litellm = values(found["litellm"])
    assert "cache" not in litellm["proxy_config"]["litellm_settings"]
    assert "LLMP_ANSWERS" not in litellm["envVars"]
    assert "volumes" not in litellm


def test_one_replica_needs_valkey_too_where_answers_are_kept() -> None:
    found = entries(inputs(features=EXACT, models=(cached(),)))
    assert set(found["litellm"].requires) >= {"litellm-valkey", "litellm-answers"}
    connections = [one for entry in found.values() for one in entry.connections]
    assert [one.client for one in connections if one.server == VALKEY_PODS] == [LITELLM_PODS]


def test_the_cache_is_off_for_a_request_unless_the_callback_switches_it_on() -> None:
    settings = proxy(inputs(features=EXACT, models=(cached(),)))["proxy_config"]["litellm_settings"]
    assert settings["cache_params"]["mode"] == "default_off"
    assert settings["cache_params"]["supported_call_types"] == ["acompletion"]
    assert settings["callbacks"][0] == "llmp_answers.callback"
    # What an engine alone understands is a part of the question.
    assert settings["enable_caching_on_provider_specific_optional_params"] is True


def test_a_model_has_a_cache_only_where_it_says_so() -> None:
    assert told(inputs(features=EXACT, models=(cached(), model("plain")))) == {
        "models": {"chat": {"ttlSeconds": 120}}
    }


def test_a_meaning_is_compared_at_the_threshold_of_its_model() -> None:
    stack = inputs(features=SEMANTIC, models=(cached(semantic=True), VECTORS))
    assert told(stack) == {
        "models": {
            "chat": {
                "ttlSeconds": 120,
                "semantic": {"threshold": 0.93, "embeddingModel": "vectors"},
            }
        },
        "qdrantUrl": "http://litellm-qdrant.litellm.svc.cluster.local:6333",
    }


def test_the_callback_is_mounted_beside_the_config_under_the_name_that_is_loaded() -> None:
    found = entries(inputs(features=EXACT, models=(cached(),)))
    litellm = values(found["litellm"])
    (mount,) = litellm["volumeMounts"]
    (volume,) = litellm["volumes"]
    module = litellm["proxy_config"]["litellm_settings"]["callbacks"][0].partition(".")[0]
    assert mount["mountPath"] == f"/etc/litellm/{module}.py"
    assert mount["name"] == volume["name"]
    assert volume["configMap"]["name"] == values(found["litellm-answers"])["answers"]["name"]


def test_another_callback_is_another_pod() -> None:
    # A file that is mounted by its path never changes under a running pod.
    annotations = proxy(inputs(features=EXACT, models=(cached(),)))["podAnnotations"]
    text = (CHARTS / "llm-gateway/files/llmp_answers.py").read_bytes()
    assert hashlib.sha256(text).hexdigest().startswith(annotations["llmp.dev/answers"])


def test_answers_never_reach_a_disk_and_the_oldest_go_first() -> None:
    found = entries(inputs(features=EXACT, models=(cached(),)))
    valkey = values(found["litellm-valkey"])
    lines = dict(line.split(" ", 1) for line in valkey["valkeyConfig"].splitlines())
    assert (lines["save"], lines["appendonly"]) == ('""', "no")
    assert lines["maxmemory-policy"] == "volatile-lru"
    limit = int(valkey["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert int(lines["maxmemory"].removesuffix("mb")) < limit


def test_litellm_starts_without_qdrant_and_alone_reaches_it() -> None:
    found = entries(inputs(features=SEMANTIC, models=(cached(semantic=True), VECTORS)))
    assert "litellm-qdrant" not in found["litellm"].requires
    clients = [
        connection.client
        for entry in found.values()
        for connection in entry.connections
        if connection.server == QDRANT_PODS
    ]
    assert len(clients) == 2
    assert LITELLM_PODS in clients
    assert PROMETHEUS_PODS in clients


def test_qdrant_asks_for_a_key_that_litellm_and_the_scraper_have() -> None:
    found = entries(inputs(features=SEMANTIC, models=(cached(semantic=True), VECTORS)))
    qdrant = values(found["litellm-qdrant"])
    # Not the chart's own setting, which is empty wherever no cluster is asked while it renders.
    assert "apiKey" not in qdrant
    given = {one["name"]: one for one in qdrant["env"]}
    reference = given["QDRANT__SERVICE__API_KEY"]["valueFrom"]["secretKeyRef"]
    assert qdrant["metrics"]["serviceMonitor"]["authorization"]["credentials"] == reference
    consumers = {one["name"]: one for one in values(found["litellm-secrets"])["consumers"]}
    (entry,) = consumers[reference["name"]]["entries"]
    environment = {one["key"]: one["remoteId"] for one in consumers["litellm-secrets"]["entries"]}
    assert environment["LLMP_QDRANT_API_KEY"] == entry["remoteId"]
    assert endpoints.LITELLM_QDRANT.service == "litellm-qdrant"


@pytest.mark.parametrize("features", [EXACT, SEMANTIC])
def test_a_feature_that_no_model_uses_yet_is_no_mistake(features: Features) -> None:
    assert told(inputs(features=features))["models"] == {}
