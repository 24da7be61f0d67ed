# ruff: noqa: INP001 - a module that is mounted alone, beside LiteLLM's config.
"""Gives LiteLLM's cache to the models that have one, and keeps the answers of tenants apart.

LiteLLM 1.89 makes the key of an answer from the request alone, and a request may name the key, or
the namespace before it, itself. This callback takes all of that away from callers and puts the
team of their key, which LiteLLM looked up, before every key. Without a team nothing is cached.

LiteLLM's own semantic cache compares only entries of one key, and the key holds the whole prompt:
it finds what the exact cache finds. So the vectors are kept here. Qdrant holds the vector of a last
message and the key of its answer, never a text; the answer stays in the exact cache, under the
team's namespace. Both are asked by team. A failure of either is a miss: the model answers.
"""

import asyncio
import collections
import json
import logging
import os
import time
import urllib.error
import urllib.request
import uuid
from typing import Any, Optional

import litellm
from litellm.integrations.custom_logger import CustomLogger

Json = dict[str, Any]

CHAT = ("completion", "acompletion")
"""How LiteLLM calls a chat completion, at the proxy's door and behind its router."""

CALLERS_MAY_NOT = ("cache", "cache_key", "caching", "caching_groups", "preset_cache_key", "ttl")
"""Fields of a request that would choose the key, the namespace or the life of an answer."""
METADATA_MAY_NOT = ("caching_groups", "redis_namespace")

COLLECTION = "answers"
SECONDS = 5
"""How long a vector or a search may take: a slow look is no faster than the model."""
PENDING_MAX = 1000
"""Requests on their way whose vectors are kept; those that failed never come back for theirs."""
SWEEP_SECONDS = 3600
CONFLICT = 409

log = logging.getLogger("llmp.answers")


class Answers(CustomLogger):
    """The callback. One instance a worker."""

    def __init__(self, settings: Json, api_key: str) -> None:
        """Take the models that have a cache, and where the vectors are.

        Args:
            settings: `models`, each with `ttlSeconds` and perhaps `semantic` (`threshold`,
                `embeddingModel`); `qdrantUrl` where one of them is semantic.
            api_key: Qdrant's key.
        """
        super().__init__()
        self.models: Json = settings["models"]
        self.url: str = settings.get("qdrantUrl", "")
        self.headers = {"api-key": api_key, "Content-Type": "application/json"}
        self.pending: collections.OrderedDict[str, Json] = collections.OrderedDict()
        self.collections: set[str] = set()
        self.swept: dict[str, float] = {}

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,  # noqa: ANN401 - LiteLLM's own type
        cache: Any,  # noqa: ANN401, ARG002
        data: Json,
        call_type: str,
    ) -> Json:
        """Decide about the cache of a request from its team and its model alone."""
        wish = data.get("cache")
        for name in CALLERS_MAY_NOT:
            data.pop(name, None)
        for field in ("metadata", "litellm_metadata", "litellm_params"):
            inner = data.get(field)
            for name in (*METADATA_MAY_NOT, *CALLERS_MAY_NOT):
                if isinstance(inner, dict):
                    inner.pop(name, None)
        settings = self.models.get(data.get("model"))
        team = user_api_key_dict.team_id
        if settings is None or not team or call_type not in CHAT:
            return data
        if isinstance(wish, dict) and (wish.get("no-cache") or wish.get("no-store")):
            return data
        data["cache"] = {
            "use-cache": True,
            "namespace": f"team:{team}",
            "ttl": settings["ttlSeconds"],
            "s-maxage": settings["ttlSeconds"],
        }
        return data

    async def async_pre_call_deployment_hook(
        self,
        kwargs: Json,
        call_type: Any,  # noqa: ANN401 - LiteLLM's enumeration, or None
    ) -> Optional[Json]:  # noqa: UP045 - as LiteLLM declares it
        """Lead a request to the answer of one that means the same, if this team has such one.

        Runs after all filters of the proxy: what they masked is masked here, too.
        """
        control = kwargs.get("cache") or {}
        group = (kwargs.get("metadata") or {}).get("model_group")
        semantic = self.models.get(group, {}).get("semantic")
        text = last_question(kwargs.get("messages"))
        if (
            semantic is None
            or text is None
            or not control.get("use-cache")
            or getattr(call_type, "value", call_type) not in CHAT
        ):
            return None
        try:
            return await self._led(kwargs, text, group, semantic)
        except Exception as error:  # noqa: BLE001 - whatever it is, the model can answer
            # The type alone: a message may quote what was asked.
            log.warning("semantic cache: %s", type(error).__name__)
            return None

    async def async_log_success_event(
        self,
        kwargs: Json,
        response_obj: Any,  # noqa: ANN401
        start_time: Any,  # noqa: ANN401, ARG002
        end_time: Any,  # noqa: ANN401, ARG002
    ) -> None:
        """Keep the vector of a question that the model has answered to its end."""
        point = self.pending.pop(kwargs.get("litellm_call_id", ""), None)
        if point is None or kwargs.get("cache_hit") or not is_whole(response_obj):
            return
        try:
            await self._keep(point)
        except Exception as error:  # noqa: BLE001 - it is only not found next time
            log.warning("semantic cache: %s", type(error).__name__)

    async def _led(self, kwargs: Json, text: str, model: str, semantic: Json) -> Optional[Json]:  # noqa: UP045
        namespace = kwargs["cache"]["namespace"]
        key = cache_key(kwargs)
        if await stored(key):
            return None
        # All but the last question has to be the same: instructions, earlier turns, parameters.
        *earlier, last = kwargs["messages"]
        context = cache_key({**kwargs, "messages": [*earlier, {**last, "content": ""}]})
        vector = await embedding(text, semantic["embeddingModel"])
        collection = f"{COLLECTION}-{semantic['embeddingModel']}-{len(vector)}"
        found = await self._search(collection, vector, namespace, context, semantic["threshold"])
        if found is not None and found.startswith(f"{namespace}:") and await stored(found):
            # Should it be gone in a moment, what the model says is not stored as its answer.
            control = {**kwargs["cache"], "no-store": True}
            return {**kwargs, "cache_key": found, "cache": control}
        self.pending[kwargs["litellm_call_id"]] = {
            "collection": collection,
            "vector": vector,
            "payload": {
                "team": namespace,
                "context": context,
                "model": model,
                "key": key,
                "expires": int(time.time()) + kwargs["cache"]["ttl"],
            },
        }
        while len(self.pending) > PENDING_MAX:
            self.pending.popitem(last=False)
        return None

    async def _search(
        self, collection: str, vector: list[float], team: str, context: str, threshold: float
    ) -> Optional[str]:  # noqa: UP045
        await self._collection(collection, len(vector))
        answer = await self._qdrant(
            "POST",
            f"/collections/{collection}/points/query",
            {
                "query": vector,
                "filter": {
                    "must": [
                        {"key": "team", "match": {"value": team}},
                        {"key": "context", "match": {"value": context}},
                        {"key": "expires", "range": {"gt": int(time.time())}},
                    ]
                },
                "limit": 1,
                "score_threshold": threshold,
                "with_payload": True,
            },
        )
        for point in answer["result"]["points"]:
            payload = point["payload"]
            # Said again here: a filter that a later release reads otherwise must not mix teams.
            if payload["team"] == team and point["score"] >= threshold:
                return str(payload["key"])
        return None

    async def _keep(self, point: Json) -> None:
        collection = point["collection"]
        await self._qdrant(
            "PUT",
            f"/collections/{collection}/points",
            {
                "points": [
                    {
                        # One point a question of a team, however often it is asked.
                        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, point["payload"]["key"])),
                        "vector": point["vector"],
                        "payload": point["payload"],
                    }
                ]
            },
        )
        now = time.time()
        if now - self.swept.get(collection, 0) > SWEEP_SECONDS:
            self.swept[collection] = now
            await self._qdrant(
                "POST",
                f"/collections/{collection}/points/delete",
                {"filter": {"must": [{"key": "expires", "range": {"lte": int(now)}}]}},
            )

    async def _collection(self, name: str, size: int) -> None:
        if name in self.collections:
            return
        answer = await self._qdrant("GET", f"/collections/{name}/exists")
        if not answer["result"]["exists"]:
            try:
                await self._qdrant(
                    "PUT",
                    f"/collections/{name}",
                    {"vectors": {"size": size, "distance": "Cosine"}},
                )
            except urllib.error.HTTPError as error:
                # Another replica was first.
                if error.code != CONFLICT:
                    raise
            for field, kind in (
                ("team", "keyword"),
                ("context", "keyword"),
                ("expires", "integer"),
            ):
                await self._qdrant(
                    "PUT",
                    f"/collections/{name}/index",
                    {"field_name": field, "field_schema": kind},
                )
        self.collections.add(name)

    async def _qdrant(
        self,
        method: str,
        path: str,
        body: Optional[Json] = None,  # noqa: UP045
    ) -> Json:
        return await asyncio.to_thread(self._request, method, path, body)

    def _request(
        self,
        method: str,
        path: str,
        body: Optional[Json],  # noqa: UP045
    ) -> Json:
        call = urllib.request.Request(  # noqa: S310 - the address is ours
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=self.headers,
        )
        with urllib.request.urlopen(call, timeout=SECONDS) as answer:  # noqa: S310
            parsed: Json = json.load(answer)
            return parsed


def last_question(messages: Any) -> Optional[str]:  # noqa: ANN401, UP045
    """Return the text of the last message if a user wrote it and it is nothing but text."""
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return None
    last = messages[-1]
    content = last.get("content")
    if last.get("role") != "user" or not isinstance(content, str) or not content.strip():
        return None
    return content


def is_whole(response: Any) -> bool:  # noqa: ANN401 - LiteLLM's own type
    """Return whether the model said all it wanted to."""
    choices = getattr(response, "choices", None)
    return bool(choices) and all(choice.finish_reason == "stop" for choice in choices)


def cache_key(kwargs: Json) -> str:
    """Return the key of an answer in LiteLLM's cache: namespace, colon, hash of the request."""
    # Without what holds a key that was worked out before, which LiteLLM would take as it is.
    request = {name: value for name, value in kwargs.items() if name != "litellm_params"}
    return str(litellm.cache.get_cache_key(**request))


async def stored(key: str) -> bool:
    """Return whether the exact cache has an answer."""
    return await litellm.cache.cache.async_get_cache(key) is not None


async def embedding(text: str, model: str) -> list[float]:
    """Return the vector of a text, by a model of the stack. No tenant pays for it."""
    from litellm.proxy.proxy_server import llm_router  # noqa: PLC0415 - imports this module

    answer = await llm_router.aembedding(model=model, input=[text], timeout=SECONDS)
    vector: list[float] = answer.data[0]["embedding"]
    return vector


callback = Answers(
    json.loads(os.environ["LLMP_ANSWERS"]), os.environ.get("LLMP_QDRANT_API_KEY", "")
)
