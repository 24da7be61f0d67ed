# ruff: noqa: ANN401, ASYNC109 - parameters as LiteLLM declares them.
"""As much of the package `litellm` as our callback touches, as strict as the real one.

Follows LiteLLM 1.89.2: which hooks a CustomLogger has and with which parameters
(integrations/custom_logger.py), how the key of an answer is made (caching/caching.py), and when a
request is looked up and its answer kept (caching/caching_handler.py). A callback that overrides a
hook that LiteLLM does not have is refused: the real one would never call it.
"""

import hashlib
import inspect
import json
import math
import sys
import types
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

CONTROLS = frozenset(
    {"cache", "cache_key", "caching", "metadata", "litellm_call_id", "litellm_params", "ttl"}
)
"""What is no part of the key of an answer."""


class CustomLogger:
    """The base of callbacks."""

    def __init_subclass__(cls) -> None:
        """Refuse a hook that is none, or that takes other parameters."""
        for name, method in vars(cls).items():
            if not name.startswith("async_"):
                continue
            ours = list(inspect.signature(method).parameters)
            theirs = list(inspect.signature(getattr(CustomLogger, name)).parameters)
            if ours != theirs:
                msg = f"{name} takes {theirs}, not {ours}"
                raise TypeError(msg)

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: Json, call_type: str
    ) -> Any:
        """At the proxy's door, after the key was checked."""

    async def async_pre_call_deployment_hook(self, kwargs: Json, call_type: Any) -> Json | None:
        """Before the cache is asked, after all filters."""

    async def async_log_success_event(
        self, kwargs: Json, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """After an answer, or the end of its stream."""


@dataclass
class Store:
    """The exact cache behind LiteLLM's Cache."""

    entries: Json = field(default_factory=dict[str, Any])

    async def async_get_cache(self, key: str) -> Any:
        """Return an entry, or None."""
        return self.entries.get(key)


class Cache:
    """LiteLLM's Cache, in mode default_off."""

    def __init__(self) -> None:
        """Start empty."""
        self.cache = Store()

    def get_cache_key(self, **kwargs: Any) -> str:
        """Return the namespace that the request names, and a hash of the request."""
        inner: Json = kwargs.get("litellm_params") or {}
        metadata: Json = kwargs.get("metadata") or {}
        control: Json = kwargs.get("cache") or {}
        if inner.get("preset_cache_key") is not None:
            return str(inner["preset_cache_key"])
        request = {name: value for name, value in kwargs.items() if name not in CONTROLS}
        model = metadata.get("model_group") or kwargs["model"]
        text = json.dumps({**request, "model": model}, sort_keys=True)
        hashed = hashlib.sha256(text.encode()).hexdigest()
        namespace = control.get("namespace") or metadata.get("redis_namespace")
        return f"{namespace}:{hashed}" if namespace else hashed


@dataclass
class Choice:
    """One answer of a model."""

    finish_reason: str = "stop"


@dataclass
class Answer:
    """A ModelResponse."""

    text: str
    choices: list[Choice] = field(default_factory=lambda: [Choice()])


@dataclass
class Embedding:
    """An EmbeddingResponse."""

    data: list[Json]


class Router:
    """A router with one model that makes vectors: words counted in a few dimensions."""

    def __init__(self) -> None:
        """Remember what was asked."""
        self.asked: list[str] = []
        self.broken = False

    async def aembedding(self, *, model: str, input: list[str], timeout: float) -> Embedding:  # noqa: A002
        """Return a vector for each text."""
        assert model == "vectors"
        assert timeout > 0
        if self.broken:
            msg = f"cannot embed {input}"
            raise RuntimeError(msg)
        self.asked += input
        return Embedding(data=[{"embedding": vector(text)} for text in input])


def vector(text: str) -> list[float]:
    """Return a vector that is near to those of texts with the same words."""
    counted = [0.0] * 16
    for word in text.lower().split():
        counted[int(hashlib.sha256(word.encode()).hexdigest(), 16) % 16] += 1
    length = math.sqrt(sum(one * one for one in counted))
    return [one / length for one in counted]


@dataclass
class Proxy:
    """A proxy with one callback in front of a model that never answers the same twice."""

    callback: Any
    cache: Cache
    router: Router
    answered: int = 0
    finish_reason: str = "stop"

    async def ask(self, team: str | None, text: str, **body: Any) -> str:
        """Send a chat completion through the hooks and the cache, as LiteLLM does."""
        messages = body.pop("messages", [{"role": "user", "content": text}])
        call_id = body.pop("litellm_call_id", f"call-{self.answered}-{text}")
        data: Json = {"model": "chat", "messages": messages, **body, "litellm_call_id": call_id}
        caller = types.SimpleNamespace(team_id=team)
        data = await self.callback.async_pre_call_hook(caller, None, data, "acompletion")
        data["metadata"] = {**(data.get("metadata") or {}), "model_group": data["model"]}
        call_type = types.SimpleNamespace(value="acompletion")
        kwargs = await self.callback.async_pre_call_deployment_hook(dict(data), call_type) or data
        control: Json = kwargs.get("cache") or {}
        used = control.get("use-cache") is True
        if used and not control.get("no-cache"):
            key = kwargs.get("cache_key") or self.cache.get_cache_key(**kwargs)
            kept: Json | None = self.cache.cache.entries.get(key)
            if kept is not None:
                answer = Answer(kept["response"])
                await self.callback.async_log_success_event(
                    {**kwargs, "cache_hit": True}, answer, 0, 0
                )
                return answer.text
        self.answered += 1
        answer = Answer(f"answer {self.answered}", [Choice(self.finish_reason)])
        if used and not control.get("no-store"):
            key = kwargs.get("cache_key") or self.cache.get_cache_key(**kwargs)
            self.cache.cache.entries[key] = {"response": answer.text, "ttl": control.get("ttl")}
        await self.callback.async_log_success_event(kwargs, answer, 0, 0)
        return answer.text


@contextmanager
def installed(cache: Cache, router: Router) -> Generator[None]:
    """Make `import litellm` find this until the block ends."""
    package = types.ModuleType("litellm")
    vars(package)["cache"] = cache
    logger = types.ModuleType("litellm.integrations.custom_logger")
    vars(logger)["CustomLogger"] = CustomLogger
    server = types.ModuleType("litellm.proxy.proxy_server")
    vars(server)["llm_router"] = router
    modules = {
        "litellm": package,
        "litellm.integrations": types.ModuleType("litellm.integrations"),
        "litellm.integrations.custom_logger": logger,
        "litellm.proxy": types.ModuleType("litellm.proxy"),
        "litellm.proxy.proxy_server": server,
    }
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
