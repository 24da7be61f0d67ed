"""Builders of what LiteLLM keeps beside its database, and its settings for that.

Valkey holds the counters that replicas share, and the answers of models with a cache. Qdrant holds
the vectors of questions, and no text. Which tenant gets which answer is decided by the callback in
charts/llm-gateway/files/llmp_answers.py, which says why LiteLLM's own settings do not do.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import (
    compute,
    entry,
    has_several_replicas,
    scraped,
)
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
    includes_layer,
)
from components.platform.config import Model
from components.platform.network import Connection, Pods
from components.platform.values.base import SecretKey
from components.platform.values.llm_gateway import AnswersValues, LlmGatewayValues
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry
from components.versions import QDRANT, VALKEY

VALKEY_ENTRY: Final = "litellm-valkey"
QDRANT_ENTRY: Final = "litellm-qdrant"
ANSWERS_ENTRY: Final = "litellm-answers"

VALKEY_PODS: Final = Pods(
    namespace=namespaces.LITELLM,
    labels={
        "app.kubernetes.io/name": "valkey",
        "app.kubernetes.io/instance": VALKEY_ENTRY,
    },
)
QDRANT_PODS: Final = Pods(
    namespace=namespaces.LITELLM,
    labels={"app.kubernetes.io/name": "qdrant", "app.kubernetes.io/instance": QDRANT_ENTRY},
)

VALKEY_SECRET: Final = SecretKey(name="litellm-valkey-users", key="default")
QDRANT_SECRET: Final = SecretKey(name="litellm-qdrant-key", key="api-key")
VALKEY_PASSWORD: Final = GeneratedSecret(remote_id="litellm-valkey-password")
QDRANT_KEY: Final = GeneratedSecret(remote_id="litellm-qdrant-key")

_COUNTERS_MIB: Final = 256
_ANSWERS_MIB: Final = 1024
"""Memory of Valkey for counters alone, and with answers: some 100 000 of 5 KB each."""

_MODULE: Final = "llmp_answers"
_CONFIG_MAP: Final = "litellm-answers"
_CONFIG_FOLDER: Final = "/etc/litellm"
"""Where LiteLLM's chart mounts its config; LiteLLM looks for callbacks beside it."""

_SOURCE: Final = (
    Path(__file__).resolve().parents[3] / "charts" / "llm-gateway" / "files" / f"{_MODULE}.py"
)


def keeps_answers(inputs: PlatformInputs) -> bool:
    """Return whether models may have a cache."""
    return includes_layer(inputs, "llm-gateway") and inputs.config.features.caching


def compares_questions(inputs: PlatformInputs) -> bool:
    """Return whether models may have a semantic cache."""
    return keeps_answers(inputs) and inputs.config.features.semantic_caching


def has_valkey(inputs: PlatformInputs) -> bool:
    """Return whether there is something that replicas share, or an answer to keep."""
    return includes_layer(inputs, "llm-gateway") and (
        has_several_replicas(inputs) or inputs.config.features.caching
    )


def valkey(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Counters that LiteLLM's replicas share, and the answers of models with a cache.

    Without shared counters each replica grants the full rate limit. Nothing here must survive a
    restart: budgets are in the database. Where memory ends, what was not asked for goes first.
    """
    if not has_valkey(inputs):
        return ()
    memory = _ANSWERS_MIB if keeps_answers(inputs) else _COUNTERS_MIB
    return (
        entry(
            VALKEY_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            UpstreamChart(
                pin=VALKEY,
                values={
                    "auth": {
                        "enabled": True,
                        "usersExistingSecret": VALKEY_SECRET.name,
                        "aclUsers": {
                            "default": {
                                "permissions": "~* &* +@all -@dangerous +info",
                                "passwordKey": VALKEY_SECRET.key,
                            }
                        },
                    },
                    # Answers never reach a disk.
                    "valkeyConfig": f"maxmemory {memory * 3 // 4}mb\n"
                    'maxmemory-policy volatile-lru\nsave ""\nappendonly no\n',
                    "resources": compute(50, memory),
                    "initResources": compute(10, 64),
                    # Off by default: LiteLLM would be sent to one that still starts.
                    "readinessProbe": {"enabled": True},
                },
            ),
            description="Counters that LiteLLM's replicas share, and answers that are kept",
            # A Secret of its own: the cache must not hold LiteLLM's other keys.
            secrets=(
                ConsumerSecret(
                    name=VALKEY_SECRET.name,
                    namespace=namespaces.LITELLM,
                    entries=(
                        SecretEntry(key=VALKEY_SECRET.key, remote_id=VALKEY_PASSWORD.remote_id),
                    ),
                ),
            ),
            generates=(VALKEY_PASSWORD,),
        ),
    )


def qdrant(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Vectors of questions, each with its tenant and the key of its answer.

    One replica in every tier: what is lost is asked anew, and a look that fails is a miss.
    """
    if not compares_questions(inputs):
        return ()
    return (
        entry(
            QDRANT_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            UpstreamChart(
                pin=QDRANT,
                values={
                    "replicaCount": 1,
                    "image": {"useUnprivilegedImage": True},
                    "podSecurityContext": {
                        "fsGroup": 3000,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containerSecurityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 1000,
                        "runAsGroup": 2000,
                        "allowPrivilegeEscalation": False,
                        "privileged": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    # Its init container would be root to change owners; fsGroup does that.
                    "updateVolumeFsOwnership": False,
                    "persistence": {
                        "size": "10Gi",
                        **(
                            {"storageClassName": inputs.contract.storage_class}
                            if inputs.contract.storage_class
                            else {}
                        ),
                    },
                    "config": {"cluster": {"enabled": False}},
                    "env": [
                        {"name": "QDRANT__TELEMETRY_DISABLED", "value": "true"},
                        # The chart's own setting for a key reads the cluster while it renders.
                        # Argo CD renders without one, and Qdrant would ask nobody for a key.
                        {
                            "name": "QDRANT__SERVICE__API_KEY",
                            "valueFrom": {
                                "secretKeyRef": {
                                    "name": QDRANT_SECRET.name,
                                    "key": QDRANT_SECRET.key,
                                }
                            },
                        },
                    ],
                    "resources": compute(100, 1024),
                    "livenessProbe": {"enabled": True},
                    "startupProbe": {"enabled": True},
                    "metrics": {
                        "serviceMonitor": {
                            "enabled": True,
                            "authorization": {
                                "type": "Bearer",
                                "credentials": {
                                    "name": QDRANT_SECRET.name,
                                    "key": QDRANT_SECRET.key,
                                },
                            },
                        }
                    },
                },
            ),
            description="Vectors of questions, for answers to those that mean the same",
            feature="semantic_caching",
            secrets=(
                ConsumerSecret(
                    name=QDRANT_SECRET.name,
                    namespace=namespaces.LITELLM,
                    entries=(SecretEntry(key=QDRANT_SECRET.key, remote_id=QDRANT_KEY.remote_id),),
                ),
            ),
            generates=(QDRANT_KEY,),
            connections=(scraped(QDRANT_PODS, endpoints.LITELLM_QDRANT.port),),
            requires=(PROMETHEUS_CRDS_ENTRY,),
        ),
    )


def answers(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The callback that gives LiteLLM's cache to models and keeps tenants apart, as a ConfigMap."""
    if not keeps_answers(inputs):
        return ()
    return (
        entry(
            ANSWERS_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            OwnChart(
                chart="llm-gateway",
                values=LlmGatewayValues(answers=AnswersValues(name=_CONFIG_MAP)).to_values(),
            ),
            description="LiteLLM's callback that keeps the answers of tenants apart",
            feature="caching",
        ),
    )


def requires(inputs: PlatformInputs) -> tuple[str, ...]:
    """Return what LiteLLM waits for. Qdrant is none of it: without it a look is a miss."""
    return (
        *((VALKEY_ENTRY,) if has_valkey(inputs) else ()),
        *((ANSWERS_ENTRY,) if keeps_answers(inputs) else ()),
    )


def connections(inputs: PlatformInputs, client: Pods) -> tuple[Connection, ...]:
    """Return what LiteLLM calls."""
    found: list[Connection] = []
    if has_valkey(inputs):
        port = endpoints.LITELLM_VALKEY.port
        found.append(Connection(client=client, server=VALKEY_PODS, ports=(port,)))
    if compares_questions(inputs):
        port = endpoints.LITELLM_QDRANT.port
        found.append(Connection(client=client, server=QDRANT_PODS, ports=(port,)))
    return tuple(found)


def secret_entries(inputs: PlatformInputs) -> tuple[SecretEntry, ...]:
    """Return the secrets that LiteLLM's environment holds for its caches."""
    found: list[SecretEntry] = []
    if has_valkey(inputs):
        found.append(SecretEntry(key="REDIS_PASSWORD", remote_id=VALKEY_PASSWORD.remote_id))
    if compares_questions(inputs):
        found.append(SecretEntry(key="LLMP_QDRANT_API_KEY", remote_id=QDRANT_KEY.remote_id))
    return tuple(found)


def environment(inputs: PlatformInputs) -> dict[str, str]:
    """Return the variables of LiteLLM's environment for its caches."""
    found: dict[str, str] = {}
    if has_valkey(inputs):
        found |= {
            "REDIS_HOST": endpoints.LITELLM_VALKEY.host,
            "REDIS_PORT": str(endpoints.LITELLM_VALKEY.port),
        }
    if keeps_answers(inputs):
        found["LLMP_ANSWERS"] = json.dumps(_callback_settings(inputs), sort_keys=True)
    return found


def settings(inputs: PlatformInputs) -> dict[str, Any]:
    """Return LiteLLM's own settings for its cache, without the list of callbacks."""
    if not has_valkey(inputs):
        return {}
    cache: dict[str, Any] = {
        "type": "redis",
        "host": "os.environ/REDIS_HOST",
        "port": "os.environ/REDIS_PORT",
        "password": "os.environ/REDIS_PASSWORD",
        # Shares the counters of rate limits, and caches no answer.
        "supported_call_types": [],
    }
    if not keeps_answers(inputs):
        return {"cache": True, "cache_params": cache}
    return {
        "cache": True,
        # Off unless the callback says so, for a request at a time.
        "cache_params": cache | {"mode": "default_off", "supported_call_types": ["acompletion"]},
        # Else requests that differ in a parameter of the engine alone, such as top_k, are one.
        "enable_caching_on_provider_specific_optional_params": True,
    }


def callbacks(inputs: PlatformInputs) -> list[str]:
    """Return LiteLLM's names of our callbacks."""
    return [f"{_MODULE}.callback"] if keeps_answers(inputs) else []


def pod_values(inputs: PlatformInputs) -> dict[str, Any]:
    """Return values of LiteLLM's chart that bring the callback into its pods."""
    if not keeps_answers(inputs):
        return {}
    return {
        "volumes": [{"name": "answers", "configMap": {"name": _CONFIG_MAP}}],
        "volumeMounts": [
            {
                "name": "answers",
                "mountPath": f"{_CONFIG_FOLDER}/{_MODULE}.py",
                "subPath": f"{_MODULE}.py",
                "readOnly": True,
            }
        ],
        # Such a mount never changes under a running pod: another module is another pod.
        "podAnnotations": {
            "llmp.dev/answers": hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
        },
    }


def _callback_settings(inputs: PlatformInputs) -> dict[str, Any]:
    models = {model.name: _model_settings(inputs, model) for model in inputs.models if model.cache}
    where = {"qdrantUrl": endpoints.LITELLM_QDRANT.url()} if compares_questions(inputs) else {}
    return {"models": models, **where}


def _model_settings(inputs: PlatformInputs, model: Model) -> dict[str, Any]:
    assert model.cache is not None  # noqa: S101 - as its one caller has it
    found: dict[str, Any] = {"ttlSeconds": model.cache.ttl_seconds}
    semantic = model.cache.semantic
    if semantic is not None and compares_questions(inputs):
        found["semantic"] = {
            "threshold": semantic.threshold,
            "embeddingModel": semantic.embedding_model,
        }
    return found
