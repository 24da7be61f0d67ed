"""Which secrets the platform has: what the cluster makes itself, and who reads which.

Names only, never a value. The cluster makes the values once, pushes them to the store so that they
outlive it, and External Secrets hands each consumer its own. What only people have, such as a hub
token, they put into the store under the id that the config names.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from components.platform.apps import namespaces
from components.platform.apps.parts import has_several_replicas
from components.platform.catalogue import PlatformInputs, includes_layer
from components.platform.config import Model
from components.platform.values.base import SecretKey
from components.platform.values.secrets import (
    ConsumerSecret,
    GeneratedSecret,
    SecretEntry,
    SecretStoreReference,
)

GRAFANA_ADMIN: Final = "grafana-admin"
GRAFANA_USER_KEY: Final = "admin-user"
GRAFANA_PASSWORD_KEY: Final = "admin-password"  # noqa: S105 - the name of a key

VLLM_API_KEY: Final = SecretKey(name="vllm-api-key", key="api-key")

LITELLM: Final = "litellm-secrets"
"""Every key of it becomes an environment variable of LiteLLM."""
LITELLM_MASTER_KEY: Final = SecretKey(name=LITELLM, key="PROXY_MASTER_KEY")
LITELLM_UPSTREAM_KEY: Final = "UPSTREAM_API_KEY"
LITELLM_DATABASE: Final = "litellm-pg-app"
LITELLM_DATABASE_USER: Final = "litellm"
LITELLM_VALKEY: Final = SecretKey(name="litellm-valkey-users", key="default")

_GRAFANA_ADMIN_PASSWORD: Final = "grafana-admin-password"  # noqa: S105 - a remote id
_UPSTREAM: Final = "vllm-api-key"
_MASTER_KEY: Final = "litellm-master-key"
_SALT_KEY: Final = "litellm-salt-key"
_DATABASE_PASSWORD: Final = "litellm-db-password"  # noqa: S105 - a remote id
_VALKEY_PASSWORD: Final = "litellm-valkey-password"  # noqa: S105 - a remote id


def reference(inputs: PlatformInputs) -> SecretStoreReference:
    """Return how every release of the chart finds the store."""
    store = inputs.contract.secret_store
    return SecretStoreReference(provider=store.kind, prefix=store.prefix)


def generated(inputs: PlatformInputs) -> tuple[GeneratedSecret, ...]:
    """Return the secrets that the cluster makes: exactly those that a consumer reads."""
    made = [GeneratedSecret(remote_id=_GRAFANA_ADMIN_PASSWORD)]
    if includes_layer(inputs, "serving"):
        made.append(GeneratedSecret(remote_id=_UPSTREAM))
    if includes_layer(inputs, "llm-gateway"):
        made += [
            # LiteLLM refuses a master key that does not start like this.
            GeneratedSecret(remote_id=_MASTER_KEY, prefix="sk-"),
            GeneratedSecret(remote_id=_SALT_KEY),
            GeneratedSecret(remote_id=_DATABASE_PASSWORD),
        ]
        if has_several_replicas(inputs):
            made.append(GeneratedSecret(remote_id=_VALKEY_PASSWORD))
    return tuple(made)


def consumers(inputs: PlatformInputs) -> Mapping[str, tuple[ConsumerSecret, ...]]:
    """Return the secrets that are read, by namespace."""
    by_namespace: defaultdict[str, list[ConsumerSecret]] = defaultdict(list)
    for secret in _consumers(inputs):
        by_namespace[secret.namespace].append(secret)
    return {namespace: tuple(secrets) for namespace, secrets in by_namespace.items()}


def hub_token(model: Model) -> SecretKey | None:
    """Return where a model's hub token is mounted from; None for a model that needs none."""
    if model.token_secret is None:
        return None
    return SecretKey(name=f"{model.name}-hub-token", key="token")


def _consumers(inputs: PlatformInputs) -> Iterator[ConsumerSecret]:
    yield ConsumerSecret(
        name=GRAFANA_ADMIN,
        namespace=namespaces.MONITORING,
        entries=(SecretEntry(key=GRAFANA_PASSWORD_KEY, remote_id=_GRAFANA_ADMIN_PASSWORD),),
        literals={GRAFANA_USER_KEY: "admin"},
    )
    if includes_layer(inputs, "serving"):
        yield ConsumerSecret(
            name=VLLM_API_KEY.name,
            namespace=namespaces.SERVING,
            entries=(SecretEntry(key=VLLM_API_KEY.key, remote_id=_UPSTREAM),),
        )
        yield from _hub_tokens(inputs)
    if includes_layer(inputs, "llm-gateway"):
        yield from _litellm(inputs)


def _hub_tokens(inputs: PlatformInputs) -> Iterator[ConsumerSecret]:
    for model in inputs.models:
        token = hub_token(model)
        if token is not None and model.token_secret is not None:
            yield ConsumerSecret(
                name=token.name,
                namespace=namespaces.SERVING,
                entries=(SecretEntry(key=token.key, remote_id=model.token_secret),),
            )


def _litellm(inputs: PlatformInputs) -> Iterator[ConsumerSecret]:
    environment = [
        SecretEntry(key=LITELLM_MASTER_KEY.key, remote_id=_MASTER_KEY),
        SecretEntry(key="LITELLM_SALT_KEY", remote_id=_SALT_KEY),
        SecretEntry(key=LITELLM_UPSTREAM_KEY, remote_id=_UPSTREAM),
    ]
    if has_several_replicas(inputs):
        environment.append(SecretEntry(key="REDIS_PASSWORD", remote_id=_VALKEY_PASSWORD))
        # A Secret of its own: the cache must not hold LiteLLM's other keys.
        yield ConsumerSecret(
            name=LITELLM_VALKEY.name,
            namespace=namespaces.LITELLM,
            entries=(SecretEntry(key=LITELLM_VALKEY.key, remote_id=_VALKEY_PASSWORD),),
        )
    yield ConsumerSecret(name=LITELLM, namespace=namespaces.LITELLM, entries=tuple(environment))
    yield ConsumerSecret(
        name=LITELLM_DATABASE,
        namespace=namespaces.LITELLM,
        # CloudNativePG takes the owner's credentials only in this type.
        type="kubernetes.io/basic-auth",
        entries=(SecretEntry(key="password", remote_id=_DATABASE_PASSWORD),),
        literals={"username": LITELLM_DATABASE_USER},
    )
