"""Secrets that more than one system knows of: their names, and where each value comes from.

Names only, never a value. The cluster makes the values once, pushes them to the store so that they
outlive it, and External Secrets hands each consumer its own. What only people have, such as a hub
token, they put into the store under the id that the config names. A secret that one system alone
reads is written beside that system.
"""

from typing import Final

from components.platform.apps import namespaces
from components.platform.config import Model
from components.platform.values.base import SecretKey
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry

UPSTREAM_KEY: Final = GeneratedSecret(remote_id="vllm-api-key")
"""What engines ask of their callers."""
VLLM_API_KEY: Final = SecretKey(name="vllm-api-key", key="api-key")

MASTER_KEY: Final = GeneratedSecret(
    remote_id="litellm-master-key",
    # LiteLLM refuses a master key that does not start like this.
    prefix="sk-",
)
LITELLM: Final = "litellm-secrets"
"""Every key of it becomes an environment variable of LiteLLM."""
LITELLM_MASTER_KEY: Final = SecretKey(name=LITELLM, key="PROXY_MASTER_KEY")


def vllm_api_key() -> ConsumerSecret:
    """Return the Secret with the key that engines ask for."""
    return ConsumerSecret(
        name=VLLM_API_KEY.name,
        namespace=namespaces.SERVING,
        entries=(SecretEntry(key=VLLM_API_KEY.key, remote_id=UPSTREAM_KEY.remote_id),),
    )


def hub_token(model: Model) -> SecretKey | None:
    """Return where a model's hub token is mounted from; None for a model that needs none."""
    if model.token_secret is None:
        return None
    return SecretKey(name=f"{model.name}-hub-token", key="token")


def hub_token_secret(model: Model) -> tuple[ConsumerSecret, ...]:
    """Return the Secret of a model's hub token, which people supply; none where it needs none."""
    token = hub_token(model)
    if token is None or model.token_secret is None:
        return ()
    return (
        ConsumerSecret(
            name=token.name,
            namespace=namespaces.SERVING,
            entries=(SecretEntry(key=token.key, remote_id=model.token_secret),),
        ),
    )
