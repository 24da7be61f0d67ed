"""Names, ids and the base class that every section of a stack file stands on."""

from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
)

HTTPS_PORT: Final = 443


_YAML_WORDS: Final = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})


def is_text(name: str) -> str:
    """Return a name that YAML reads as text.

    Raises:
        ValueError: without quotes it would be something else.
    """
    # Charts write names without quotes: a namespace `on` would be created as `true`.
    if name in _YAML_WORDS:
        msg = f"YAML in charts reads {name} as no text; take another name"
        raise ValueError(msg)
    return name


DnsLabel = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=40,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["team-a"],
    ),
    AfterValidator(is_text),
]
"""A name that becomes part of Kubernetes names; 40 characters leave room for our suffixes in 53."""


ModelName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=35,
        description="lower case letters, digits and hyphens, a letter first, at most 35 characters",
        examples=["qwen-small"],
    ),
    AfterValidator(is_text),
]
"""What tenants call a model, and its name in the cluster.

35 characters, because the inferencepool chart cuts `<model>-pool` at 40 (its v1.5.0 templates).
"""


HostName = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
        max_length=200,
        description="a DNS name without scheme, port or trailing dot",
        examples=["llm.example.com"],
    ),
]


OWN_SECRET_IDS: Final = frozenset(
    {
        "dex-admin-password",
        "dex-argocd-client-secret",
        "dex-grafana-client-secret",
        "dex-litellm-client-secret",
        "dex-oauth2-proxy-client-secret",
        "dex-open-webui-client-secret",
        "grafana-admin-password",
        "key-portal-form-secret",
        "litellm-db-password",
        "litellm-grafana-ro-password",
        "litellm-key-n8n",
        "litellm-key-open-webui",
        "litellm-key-open-webui-documents",
        "litellm-key-tabby",
        "litellm-master-key",
        "litellm-metrics-key",
        "litellm-qdrant-key",
        "litellm-salt-key",
        "litellm-valkey-password",
        "n8n-encryption-key",
        "n8n-owner-password",
        "oauth2-proxy-cookie-secret",
        "open-webui-admin-password",
        "open-webui-session-key",
        "tabby-admin-password",
        "vllm-api-key",
    }
)
"""Ids under which the cluster itself puts secrets into the store. `tests` hold it complete."""


def is_supplied(remote_id: str) -> str:
    """Return the id of a secret that people supply.

    Raises:
        ValueError: it is one of the platform's own.
    """
    # A provider, a chat or a hub would be sent a password of the platform.
    if remote_id in OWN_SECRET_IDS:
        msg = f"the cluster makes the secret {remote_id} for itself; put yours under another id"
        raise ValueError(msg)
    return remote_id


RemoteSecretId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{1,200}$",
        description="the id of a secret in the secret store, never the secret itself",
        examples=["cloudflare-api-token"],
    ),
    AfterValidator(is_supplied),
]


EmailAddress = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,63}$",
        max_length=254,
        description="an e-mail address",
        examples=["platform@example.com"],
    ),
]


Profile = Literal["platform", "serving", "llm-gateway", "full"]


PROFILES: Final[tuple[Profile, ...]] = ("platform", "serving", "llm-gateway", "full")
"""Profiles from least to most; each one holds all that the one before it holds."""


Tier = Literal["cost", "dev", "prod"]


class Section(BaseModel):
    """Base of every section of a stack file: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def profile_includes(profile: Profile, wanted: Profile) -> bool:
    """Return whether `profile` holds all that `wanted` holds."""
    return PROFILES.index(profile) >= PROFILES.index(wanted)
