"""Values of charts/secrets: the store, the secrets that the cluster makes, and who reads which.

Never holds a secret value. One chart, several releases: one with the store and the generated
secrets, and one in each consumer's namespace with its ExternalSecrets.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from components.platform.values.base import ChartValues, Labels, Name, ObjectName, RemoteId

STORE_NAME = "llmp"
"""Name of the ClusterSecretStore."""

STORE_NAMESPACE = "llmp-secret-store"
"""Where provider `kubernetes` keeps the secrets."""

DataKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")]
"""A key of a Kubernetes Secret."""


def _project_rule(schema: dict[str, Any]) -> None:
    """Say in JSON Schema what `SecretStoreValues` checks in Python."""
    schema["if"] = {
        "properties": {"provider": {"const": "google-secret-manager"}},
        "required": ["provider"],
    }
    schema["then"] = {"required": ["project"]}


class SecretStoreReference(ChartValues):
    """How every object of the chart finds the store, whichever release made it."""

    name: Name = STORE_NAME
    provider: Literal["google-secret-manager", "kubernetes"] = "kubernetes"
    prefix: str = Field(
        default="", pattern=r"^[A-Za-z0-9_-]*$", description="Put before every remote id."
    )


class Federation(ChartValues):
    """Workload identity federation: Google takes a token of one service account for its own."""

    audience: str = Field(
        pattern=r"^//iam\.googleapis\.com/\S+$", description="Full name of the provider."
    )
    service_account: Name = Field(description="In the release's namespace; whom Google trusts.")


class SecretStoreValues(ChartValues):
    """The ClusterSecretStore itself.

    `google-secret-manager` uses the identity of the External Secrets pod, or a token that Google
    trusts by federation. `kubernetes` keeps the secrets in a namespace of this cluster, by a
    service account that may do nothing else.
    """

    model_config = ConfigDict(json_schema_extra=_project_rule)

    provider: Literal["google-secret-manager", "kubernetes"] = "kubernetes"
    project: str | None = Field(default=None, description="Google Cloud project of the secrets.")
    federation: Federation | None = Field(
        default=None, description="How Google knows the cluster; None where its nodes are Google's."
    )
    namespace: Name = Field(
        default=STORE_NAMESPACE, description="Where `kubernetes` keeps the secrets."
    )
    consumer_namespaces: tuple[Name, ...] = Field(
        min_length=1, description="Namespaces that may use the store; no other can."
    )

    @model_validator(mode="after")
    def _project_is_known(self) -> Self:
        if self.provider == "google-secret-manager" and self.project is None:
            msg = "google-secret-manager needs the project of the secrets"
            raise ValueError(msg)
        return self


class GeneratedSecret(ChartValues):
    """A secret that the cluster makes once and pushes to the store, never over one that exists."""

    remote_id: Name = Field(description="Also the name of the generator, hence a DNS label.")
    length: int = Field(
        default=48,
        ge=14,
        le=128,
        description="Random letters and digits; 14 are 83 bits, for systems that take no more.",
    )
    prefix: str = Field(
        default="",
        pattern=r"^[a-z-]*$",
        max_length=8,
        description="Put before the random part; LiteLLM's master key must start with sk-.",
    )


class SecretEntry(ChartValues):
    """One key of a consumer's Secret, and the remote secret that fills it."""

    key: DataKey
    remote_id: RemoteId
    hashed: Literal["bcrypt"] | None = Field(
        default=None,
        description="The consumer gets a hash of it alone. External Secrets makes it anew at every "
        "refresh, with a new salt, so that it always belongs to the password of the store.",
    )


class ConsumerSecret(ChartValues):
    """One Kubernetes Secret, kept equal to the store by External Secrets."""

    name: ObjectName
    namespace: Name
    type: Literal["Opaque", "kubernetes.io/basic-auth"] = "Opaque"
    entries: tuple[SecretEntry, ...] = Field(min_length=1)
    literals: dict[str, str] = Field(
        default_factory=dict, description="Keys that are no secret, such as a user name."
    )
    labels: Labels = Field(default_factory=dict, description="Labels of the Secret.")

    @model_validator(mode="after")
    def _keys_are_unique(self) -> Self:
        keys = [entry.key for entry in self.entries] + list(self.literals)
        if len(keys) != len(set(keys)):
            msg = f"secret {self.name!r} fills a key twice"
            raise ValueError(msg)
        if self.type == "kubernetes.io/basic-auth" and not {"username", "password"} <= set(keys):
            msg = f"secret {self.name!r} of type basic-auth needs the keys username and password"
            raise ValueError(msg)
        return self


class SecretsValues(ChartValues):
    """All values of charts/secrets."""

    reference: SecretStoreReference = SecretStoreReference()
    store: SecretStoreValues | None = Field(default=None, description="None renders no store.")
    generated: tuple[GeneratedSecret, ...] = ()
    consumers: tuple[ConsumerSecret, ...] = ()
    refresh_minutes: int = Field(default=60, ge=1)

    @model_validator(mode="after")
    def _one_provider(self) -> Self:
        if self.store is not None and self.store.provider != self.reference.provider:
            msg = "store.provider and reference.provider must be the same"
            raise ValueError(msg)
        return self
