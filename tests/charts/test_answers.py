"""LiteLLM's callback: an answer is given again to the tenant that has paid for it, to no other."""

import asyncio
import importlib.util
import json
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.charts import qdrant_double
from tests.charts.litellm_package_double import Cache, CustomLogger, Proxy, Router, installed
from tests.charts.qdrant_double import API_KEY, Qdrant
from tests.charts.rendering import CHARTS

QUESTION = "what is the capital of the country called France"
SAME_MEANING = "what is the capital of the country called France please"
OTHER = "how do I bake bread"


@pytest.fixture
def qdrant() -> Iterator[Qdrant]:
    with qdrant_double.running() as state:
        yield state


def load(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> ModuleType:
    """Load the callback as LiteLLM does: by its file, with its settings in the environment."""
    monkeypatch.setenv("LLMP_ANSWERS", json.dumps(settings))
    monkeypatch.setenv("LLMP_QDRANT_API_KEY", API_KEY)
    path = CHARTS / "llm-gateway/files/llmp_answers.py"
    specification = importlib.util.spec_from_file_location("llmp_answers", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy whose model `chat` has an exact cache."""
    cache, router = Cache(), Router()
    with installed(cache, router):
        module = load(monkeypatch, {"models": {"chat": {"ttlSeconds": 600}}})
        yield Proxy(module.callback, cache, router)


@pytest.fixture
def semantic(monkeypatch: pytest.MonkeyPatch, qdrant: Qdrant) -> Iterator[Proxy]:
    """A proxy whose model `chat` has a semantic cache, too."""
    cache, router = Cache(), Router()
    settings = {
        "models": {
            "chat": {
                "ttlSeconds": 600,
                "semantic": {"threshold": 0.92, "embeddingModel": "vectors"},
            }
        },
        "qdrantUrl": qdrant.url,
    }
    with installed(cache, router):
        yield Proxy(load(monkeypatch, settings).callback, cache, router)


def asked(proxy: Proxy, team: str | None, text: str, **body: Any) -> str:  # noqa: ANN401
    return asyncio.run(proxy.ask(team, text, **body))


def test_the_double_refuses_a_hook_that_litellm_does_not_have() -> None:
    with pytest.raises(AttributeError):
        type("Wrong", (CustomLogger,), {"async_pre_cal_hook": _nothing})
    with pytest.raises(TypeError, match="async_pre_call_hook takes"):
        type("Wrong", (CustomLogger,), {"async_pre_call_hook": _nothing})


def test_a_question_that_is_asked_again_is_answered_from_the_cache(exact: Proxy) -> None:
    assert asked(exact, "a", QUESTION) == asked(exact, "a", QUESTION) == "answer 1"
    (entry,) = exact.cache.cache.entries.values()
    assert entry["ttl"] == 600


def test_no_tenant_gets_the_answer_of_another(exact: Proxy) -> None:
    assert asked(exact, "a", QUESTION) != asked(exact, "b", QUESTION)
    assert {key.partition(":")[2].partition(":")[0] for key in exact.cache.cache.entries} == {
        "a",
        "b",
    }


def test_a_key_without_a_team_is_never_cached(exact: Proxy) -> None:
    assert asked(exact, None, QUESTION) != asked(exact, None, QUESTION)
    assert exact.cache.cache.entries == {}


@pytest.mark.parametrize(
    "body",
    [
        {"cache": {"use-cache": True, "namespace": "team:a"}},
        {"cache": {"namespace": "team:a"}, "metadata": {"redis_namespace": "team:a"}},
        {"cache_key": "KEY OF A"},
        {"litellm_params": {"preset_cache_key": "KEY OF A"}},
        {"litellm_params": {"metadata": {"redis_namespace": "team:a"}}},
        {"metadata": {"cache_key": "KEY OF A", "redis_namespace": "team:a"}},
    ],
)
def test_a_caller_cannot_choose_whose_answers_it_gets(exact: Proxy, body: dict[str, Any]) -> None:
    asked(exact, "a", QUESTION)
    (key,) = exact.cache.cache.entries
    body = json.loads(json.dumps(body).replace("KEY OF A", key))
    assert asked(exact, "b", QUESTION, **body) == "answer 2"
    assert exact.cache.cache.entries[key]["response"] == "answer 1"


def test_a_caller_cannot_switch_a_cache_on_that_a_model_does_not_have(exact: Proxy) -> None:
    body = {"model": "plain", "cache": {"use-cache": True, "ttl": 1}, "caching": True}
    assert asked(exact, "a", QUESTION, **body) != asked(exact, "a", QUESTION, **body)


@pytest.mark.parametrize("wish", ["no-cache", "no-store"])
def test_a_caller_may_ask_for_a_fresh_answer(exact: Proxy, wish: str) -> None:
    asked(exact, "a", QUESTION)
    assert asked(exact, "a", QUESTION, cache={wish: True}) == "answer 2"
    assert asked(exact, "a", QUESTION) == "answer 1"


def test_nothing_but_a_chat_is_cached(exact: Proxy) -> None:
    caller = type("Caller", (), {"team_id": "a"})()
    data = {"model": "chat", "input": QUESTION, "cache": {"use-cache": True}}
    found = asyncio.run(exact.callback.async_pre_call_hook(caller, None, dict(data), "aembedding"))
    assert "cache" not in found


def test_a_question_that_means_the_same_gets_the_same_answer(semantic: Proxy) -> None:
    assert asked(semantic, "a", QUESTION) == "answer 1"
    assert asked(semantic, "a", SAME_MEANING) == "answer 1"
    assert asked(semantic, "a", OTHER) == "answer 2"


def test_a_word_for_word_repetition_costs_no_vector(semantic: Proxy) -> None:
    asked(semantic, "a", QUESTION)
    asked(semantic, "a", QUESTION)
    assert semantic.router.asked == [QUESTION]


def test_a_meaning_is_compared_within_a_tenant_alone(semantic: Proxy) -> None:
    asked(semantic, "a", QUESTION)
    assert asked(semantic, "b", SAME_MEANING) == "answer 2"


def test_a_qdrant_that_filters_nothing_mixes_no_tenants(semantic: Proxy, qdrant: Qdrant) -> None:
    asked(semantic, "a", QUESTION)
    qdrant.filters = False
    assert asked(semantic, "b", SAME_MEANING) == "answer 2"


def test_a_pointer_into_another_tenants_answers_is_not_followed(
    semantic: Proxy, qdrant: Qdrant
) -> None:
    asked(semantic, "a", QUESTION)
    asked(semantic, "b", QUESTION)
    ours, theirs = (
        {key.partition(":")[2][0]: key for key in semantic.cache.cache.entries}[t] for t in "ba"
    )
    for point in next(iter(qdrant.points.values())).values():
        if point["payload"]["key"] == ours:
            point["payload"]["key"] = theirs
    assert asked(semantic, "b", SAME_MEANING) == "answer 3"


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0.9},
        {
            "messages": [
                {"role": "system", "content": "answer in Latin"},
                {"role": "user", "content": SAME_MEANING},
            ]
        },
    ],
)
def test_only_the_last_question_may_differ(semantic: Proxy, body: dict[str, Any]) -> None:
    asked(semantic, "a", QUESTION)
    assert asked(semantic, "a", SAME_MEANING, **body) == "answer 2"


@pytest.mark.parametrize(
    "last",
    [
        {"role": "tool", "content": SAME_MEANING, "tool_call_id": "1"},
        {"role": "user", "content": [{"type": "text", "text": SAME_MEANING}]},
        {"role": "user", "content": " "},
    ],
)
def test_what_is_no_text_of_a_user_is_compared_word_for_word(
    semantic: Proxy, last: dict[str, Any]
) -> None:
    asked(semantic, "a", QUESTION)
    assert asked(semantic, "a", "", messages=[last]) == "answer 2"
    assert semantic.router.asked == [QUESTION]


def test_an_answer_that_was_cut_off_is_not_found_by_its_meaning(semantic: Proxy) -> None:
    semantic.finish_reason = "length"
    asked(semantic, "a", QUESTION)
    assert asked(semantic, "a", SAME_MEANING) == "answer 2"


def test_an_answer_that_is_gone_is_made_anew_and_kept_under_its_own_question(
    semantic: Proxy,
) -> None:
    asked(semantic, "a", QUESTION)
    (former,) = semantic.cache.cache.entries
    semantic.cache.cache.entries.clear()
    assert asked(semantic, "a", SAME_MEANING) == "answer 2"
    assert former not in semantic.cache.cache.entries


def test_no_text_reaches_qdrant(semantic: Proxy, qdrant: Qdrant) -> None:
    asked(semantic, "a", "my secret project is called bluebird")
    told = " ".join(qdrant.told)
    assert "bluebird" not in told
    assert "answer" not in told


def test_an_expired_vector_leads_nowhere_and_goes(semantic: Proxy, qdrant: Qdrant) -> None:
    asked(semantic, "a", QUESTION)
    (points,) = qdrant.points.values()
    for point in points.values():
        point["payload"]["expires"] = 1
    assert asked(semantic, "a", SAME_MEANING) == "answer 2"
    semantic.callback.swept.clear()
    asked(semantic, "a", OTHER)
    assert all(point["payload"]["expires"] > 1 for point in points.values())


@pytest.mark.parametrize("broken", ["qdrant", "router"])
def test_a_broken_helper_is_a_miss_and_its_log_holds_no_question(
    semantic: Proxy, qdrant: Qdrant, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    qdrant.broken, semantic.router.broken = broken == "qdrant", broken == "router"
    with caplog.at_level(logging.DEBUG):
        assert asked(semantic, "a", "my secret project is called bluebird") == "answer 1"
    assert "semantic cache: " in caplog.text
    assert "bluebird" not in caplog.text


def test_requests_that_never_come_back_are_forgotten(semantic: Proxy) -> None:
    for number in range(1005):
        semantic.callback.pending[str(number)] = {}
    asked(semantic, "a", QUESTION)
    assert len(semantic.callback.pending) < 1001


async def _nothing(*_: object) -> None:
    """Stand for an event that never comes."""


def test_replicas_that_start_together_make_one_collection(semantic: Proxy, qdrant: Qdrant) -> None:
    asked(semantic, "a", QUESTION)
    (name,) = qdrant.sizes
    assert {field for _, field in qdrant.indexes} == {"team", "context", "expires"}
    # Another replica, which knows nothing of the first one's collection.
    semantic.callback.collections.clear()
    qdrant.hides = True
    assert asked(semantic, "a", SAME_MEANING) == "answer 1"
    assert set(qdrant.sizes) == {name}
