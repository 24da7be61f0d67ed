"""Builders of the LLM gateway layer: the tenants' keys, budgets and limits, and their database."""

from decimal import Decimal
from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces, secrets
from components.platform.apps.parts import (
    calls_api_server,
    compute,
    entry,
    has_several_replicas,
    is_prod,
    replicas,
    scraped,
    webhook,
)
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
    includes_layer,
)
from components.platform.config import Model
from components.platform.network import Connection, Pods
from components.platform.values.base import Compute, SecretKey
from components.platform.values.llm_gateway import (
    Backup,
    DatabaseValues,
    LlmGatewayValues,
    Team,
    TenantsValues,
)
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry
from components.versions import CLOUDNATIVE_PG, LITELLM, POSTGRESQL_IMAGE, PYTHON_IMAGE, VALKEY

CLOUDNATIVE_PG_ENTRY: Final = "cloudnative-pg"
DATABASE_ENTRY: Final = "litellm-database"
VALKEY_ENTRY: Final = "litellm-valkey"
LITELLM_ENTRY: Final = "litellm"

DATABASE: Final = "litellm"
DATABASE_INSTANCES: Final = {"cost": 1, "dev": 1, "prod": 3}

LITELLM_PODS: Final = Pods(
    namespace=namespaces.LITELLM, labels={"app.kubernetes.io/name": "litellm"}
)
"""LiteLLM's pods, those of its migration Job among them."""
DATABASE_PODS: Final = Pods(
    namespace=namespaces.LITELLM,
    labels={"cnpg.io/cluster": endpoints.LITELLM_DATABASE.service.removesuffix("-rw")},
)
VALKEY_PODS: Final = Pods(namespace=namespaces.LITELLM, labels={"app.kubernetes.io/name": "valkey"})
OPERATOR_PODS: Final = Pods(
    namespace=namespaces.CLOUDNATIVE_PG, labels={"app.kubernetes.io/name": "cloudnative-pg"}
)

UPSTREAM_KEY: Final = "UPSTREAM_API_KEY"
"""LiteLLM's environment variable with the key that engines ask for."""
DATABASE_SECRET: Final = "litellm-pg-app"  # noqa: S105 - the name of a Secret
DATABASE_USER: Final = "litellm"
VALKEY_SECRET: Final = SecretKey(name="litellm-valkey-users", key="default")

_SALT_KEY: Final = GeneratedSecret(remote_id="litellm-salt-key")
"""Encrypts what LiteLLM keeps in its database: it can never change."""
_DATABASE_PASSWORD: Final = GeneratedSecret(remote_id="litellm-db-password")
_VALKEY_PASSWORD: Final = GeneratedSecret(remote_id="litellm-valkey-password")

OBJECTIVE_HEADER: Final = "x-gateway-inference-objective"
"""Names the InferenceObjective of a request (inference extension v1.5, pkg/epp/metadata)."""

REQUEST_SECONDS: Final = 300
"""How long one request or stream may run: the timeout of the routes behind LiteLLM."""
_UNROUTING_SECONDS: Final = 15
"""Wait before a replica stops, so that its Service has let go of it."""

_TOKENS_PER_PRICE: Final = 1_000_000
_POSTGRES_UID: Final = 26
"""User of the image of CloudNativePG (CloudNativePG documentation, postgresUID)."""

_LOG_IN_OR_FAIL: Final = (
    "for attempt in $(seq 100); do psql --command 'select 1' && exit 0; sleep 3; done; exit 1"
)

_CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}

_OPERATOR_OWNED: Final = (
    "/spec/bootstrap/initdb/encoding",
    "/spec/bootstrap/initdb/localeCType",
    "/spec/bootstrap/initdb/localeCollate",
    "/spec/logLevel",
    "/spec/monitoring/customQueriesConfigMap",
    "/spec/probes",
    "/spec/replicationSlots",
)
"""What the operator's webhook writes into a Cluster (CloudNativePG 1.29, cluster_defaults.go).

None of them is a field of ours: what is listed here is never synced again.
"""


def price_per_token(usd_per_million_tokens: float) -> float:
    """Return USD per token, without the noise of a binary division."""
    return float(Decimal(str(usd_per_million_tokens)) / _TOKENS_PER_PRICE)


def cloudnative_pg(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The operator of PostgreSQL clusters."""
    if not includes_layer(inputs, "llm-gateway"):
        return ()
    return (
        entry(
            CLOUDNATIVE_PG_ENTRY,
            namespaces.CLOUDNATIVE_PG,
            "llm-gateway",
            UpstreamChart(
                pin=CLOUDNATIVE_PG,
                values={"replicaCount": replicas(inputs), "resources": compute(100, 256)},
            ),
            description="Runs PostgreSQL clusters",
            connections=(
                calls_api_server(OPERATOR_PODS),
                webhook(OPERATOR_PODS, 9443),
                scraped(OPERATOR_PODS, 8080),
                # The instance manager, and PostgreSQL itself.
                Connection(client=OPERATOR_PODS, server=DATABASE_PODS, ports=(8000, 5432)),
            ),
        ),
    )


def database(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """LiteLLM's PostgreSQL cluster: keys, teams and spend."""
    if not includes_layer(inputs, "llm-gateway"):
        return ()
    contract = inputs.contract
    backup = (
        Backup(snapshot_class=contract.snapshot_class, snapshot_driver=contract.snapshot_driver)
        if is_prod(inputs) and contract.snapshot_class is not None
        else None
    )
    values = LlmGatewayValues(
        database=DatabaseValues(
            name=endpoints.LITELLM_DATABASE.service.removesuffix("-rw"),
            instances=DATABASE_INSTANCES[inputs.config.tier],
            image=POSTGRESQL_IMAGE.reference,
            # Hetzner's smallest volume; the same on all clouds, so that a dump fits everywhere.
            storage_gib=10,
            storage_class=contract.storage_class,
            database=DATABASE,
            owner=DATABASE_USER,
            credentials_secret=DATABASE_SECRET,
            compute=Compute(cpu=0.25, memory_mib=2048 if is_prod(inputs) else 512),
            backup=backup,
        )
    )
    return (
        entry(
            DATABASE_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            OwnChart(chart="llm-gateway", values=values.to_values()),
            description="LiteLLM's PostgreSQL: keys, teams and spend",
            # The operator's webhook fills the Cluster in; the chart brings a PodMonitor.
            requires=(CLOUDNATIVE_PG_ENTRY, PROMETHEUS_CRDS_ENTRY),
            secrets=(
                ConsumerSecret(
                    name=DATABASE_SECRET,
                    namespace=namespaces.LITELLM,
                    # CloudNativePG takes the owner's credentials only in this type.
                    type="kubernetes.io/basic-auth",
                    entries=(SecretEntry(key="password", remote_id=_DATABASE_PASSWORD.remote_id),),
                    literals={"username": DATABASE_USER},
                ),
            ),
            generates=(_DATABASE_PASSWORD,),
            connections=(
                # The instance manager keeps the state of the cluster there.
                calls_api_server(DATABASE_PODS),
                Connection(client=DATABASE_PODS, server=DATABASE_PODS, ports=(5432, 8000)),
                scraped(DATABASE_PODS, 9187),
            ),
            ignore_differences=(
                IgnoreDifference(
                    group="postgresql.cnpg.io", kind="Cluster", json_pointers=_OPERATOR_OWNED
                ),
            ),
            gate_timeout_seconds=900,
        ),
    )


def valkey(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Counters that LiteLLM's replicas share: without them each one grants the full rate limit.

    Only where there is more than one replica. It holds nothing that must survive a restart: budgets
    are in the database.
    """
    if not (includes_layer(inputs, "llm-gateway") and has_several_replicas(inputs)):
        return ()
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
                    "resources": compute(50, 256),
                    "initResources": compute(10, 64),
                },
            ),
            description="Counters that LiteLLM's replicas share",
            # A Secret of its own: the cache must not hold LiteLLM's other keys.
            secrets=(
                ConsumerSecret(
                    name=VALKEY_SECRET.name,
                    namespace=namespaces.LITELLM,
                    entries=(
                        SecretEntry(key=VALKEY_SECRET.key, remote_id=_VALKEY_PASSWORD.remote_id),
                    ),
                ),
            ),
            generates=(_VALKEY_PASSWORD,),
            connections=(
                Connection(
                    client=LITELLM_PODS,
                    server=VALKEY_PODS,
                    ports=(endpoints.LITELLM_VALKEY.port,),
                ),
            ),
        ),
    )


def litellm(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The proxy that tenants call: it owns their keys, budgets and limits, and is not public."""
    if not includes_layer(inputs, "llm-gateway"):
        return ()
    prod = is_prod(inputs)
    values: dict[str, Any] = {
        "replicaCount": replicas(inputs),
        # By default the chart makes a new master key at every render, which ends every key issued.
        "masterkeySecretName": secrets.LITELLM_MASTER_KEY.name,
        "masterkeySecretKey": secrets.LITELLM_MASTER_KEY.key,
        "environmentSecrets": [secrets.LITELLM],
        "db": {
            "deployStandalone": False,
            "useExisting": True,
            "endpoint": endpoints.LITELLM_DATABASE.host,
            "database": DATABASE,
            "url": "postgresql://$(DATABASE_USERNAME):$(DATABASE_PASSWORD)@$(DATABASE_HOST)"
            "/$(DATABASE_NAME)?sslmode=require",
            "secret": {
                "name": DATABASE_SECRET,
                "usernameKey": "username",
                "passwordKey": "password",
            },
        },
        # The chart's own Redis comes from an image repository that gets no more updates.
        "redis": {"enabled": False},
        "proxy_config": _proxy_config(inputs),
        "envVars": _environment(inputs),
        **_migration_only_by_job(),
        "podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "securityContext": _CONTAINER_SECURITY,
        "image": {"pullPolicy": "IfNotPresent"},
        # A replica that goes ends its streams first. The chart would cut them after 90 seconds.
        "lifecycle": {"preStop": {"sleep": {"seconds": _UNROUTING_SECONDS}}},
        "terminationGracePeriodSeconds": _UNROUTING_SECONDS + REQUEST_SECONDS + 15,
        # A worker with a database needs about 4 GiB under load (LiteLLM docs, production).
        "resources": {
            "requests": {"cpu": "1" if prod else "250m", "memory": "4Gi" if prod else "1Gi"},
            "limits": {"memory": "4Gi"},
        },
        "pdb": {"enabled": True, "minAvailable": 1} if prod else {"enabled": False},
    }
    if prod:
        values["strategy"] = {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }
        values["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(LITELLM_PODS.labels)},
            }
        ]
    return (
        entry(
            LITELLM_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            UpstreamChart(pin=LITELLM, values=values),
            description="Keys, budgets, limits and prices of tenants, in front of all models",
            secrets=(_environment_secret(inputs),),
            generates=(secrets.MASTER_KEY, _SALT_KEY, secrets.UPSTREAM_KEY),
            connections=(
                Connection(client=LITELLM_PODS, server=GATEWAY_PODS, ports=(80,)),
                Connection(
                    client=LITELLM_PODS,
                    server=DATABASE_PODS,
                    ports=(endpoints.LITELLM_DATABASE.port,),
                ),
                *(
                    Connection(
                        client=Pods(namespace=tenant.name),
                        server=LITELLM_PODS,
                        ports=(endpoints.LITELLM.port,),
                    )
                    for tenant in inputs.tenants
                ),
            ),
            # The inference gateway is no edge:
            # without it calls fail, and keys still work.
            requires=(DATABASE_ENTRY, *((VALKEY_ENTRY,) if has_several_replicas(inputs) else ())),
            gate_timeout_seconds=900,
        ),
    )


def tenants(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The tenants as LiteLLM's teams, made equal to the list on every sync by LiteLLM's API."""
    if not includes_layer(inputs, "llm-gateway"):
        return ()
    values = LlmGatewayValues(
        tenants=TenantsValues(
            image=PYTHON_IMAGE.reference,
            litellm_url=endpoints.LITELLM.url(),
            master_key=secrets.LITELLM_MASTER_KEY,
            teams=tuple(
                Team(
                    name=tenant.name,
                    models=tenant.models,
                    max_budget_usd=tenant.budget.usd,
                    budget_duration=tenant.budget.period,
                    requests_per_minute=tenant.rate_limits.requests_per_minute,
                    tokens_per_minute=tenant.rate_limits.tokens_per_minute,
                )
                for tenant in inputs.tenants
            ),
        )
    )
    return (
        entry(
            "litellm-tenants",
            namespaces.LITELLM,
            "llm-gateway",
            OwnChart(chart="llm-gateway", values=values.to_values()),
            description="The tenants as LiteLLM's teams",
            requires=(LITELLM_ENTRY,),
            connections=(
                Connection(
                    client=Pods(
                        namespace=namespaces.LITELLM,
                        labels={"app.kubernetes.io/component": "teams"},
                    ),
                    server=LITELLM_PODS,
                    ports=(endpoints.LITELLM.port,),
                ),
            ),
        ),
    )


def _proxy_config(inputs: PlatformInputs) -> dict[str, Any]:
    """Return LiteLLM's config file. Its settings count only below `proxy_config`."""
    litellm_settings: dict[str, Any] = {
        "drop_params": True,
        "json_logs": True,
        # Prompts are the tenants' own: no log keeps them.
        "turn_off_message_logging": True,
    }
    if has_several_replicas(inputs):
        litellm_settings |= {
            "cache": True,
            "cache_params": {
                "type": "redis",
                "host": "os.environ/REDIS_HOST",
                "port": "os.environ/REDIS_PORT",
                "password": "os.environ/REDIS_PASSWORD",
                # Shares the counters of rate limits, and caches no answer: one tenant's answer is
                # never another's (LiteLLM documentation, caching).
                "supported_call_types": [],
            },
        }
    return {
        "model_list": [_listed(model) for model in inputs.models],
        "general_settings": {
            "master_key": f"os.environ/{secrets.LITELLM_MASTER_KEY.key}",
            "database_url": "os.environ/DATABASE_URL",
            # The list of models is the config's; what is added by hand has no price and no pool.
            "store_model_in_db": False,
            # Fail closed: without the database no key and no budget can be checked.
            "allow_requests_on_db_unavailable": not is_prod(inputs),
        },
        "litellm_settings": litellm_settings,
        "router_settings": {
            "timeout": REQUEST_SECONDS,
            # Each model is one deployment here, so a cooldown would shut it for everybody. Which
            # replica answers is the endpoint picker's choice.
            "disable_cooldowns": True,
        },
    }


def _listed(model: Model) -> dict[str, Any]:
    return {
        "model_name": model.name,
        "litellm_params": {
            "model": f"openai/{model.name}",
            "api_base": endpoints.INFERENCE_GATEWAY.url("/v1"),
            "api_key": f"os.environ/{UPSTREAM_KEY}",
            "extra_headers": {OBJECTIVE_HEADER: model.name},
            # Without a price every call costs 0, and no budget ever binds.
            "input_cost_per_token": price_per_token(model.price.input_usd_per_million_tokens),
            "output_cost_per_token": price_per_token(model.price.output_usd_per_million_tokens),
        },
        "model_info": {"max_tokens": model.max_model_len, "mode": "chat"},
    }


def _environment_secret(inputs: PlatformInputs) -> ConsumerSecret:
    entries = [
        SecretEntry(key=secrets.LITELLM_MASTER_KEY.key, remote_id=secrets.MASTER_KEY.remote_id),
        SecretEntry(key="LITELLM_SALT_KEY", remote_id=_SALT_KEY.remote_id),
        SecretEntry(key=UPSTREAM_KEY, remote_id=secrets.UPSTREAM_KEY.remote_id),
    ]
    if has_several_replicas(inputs):
        entries.append(SecretEntry(key="REDIS_PASSWORD", remote_id=_VALKEY_PASSWORD.remote_id))
    return ConsumerSecret(
        name=secrets.LITELLM, namespace=namespaces.LITELLM, entries=tuple(entries)
    )


def _environment(inputs: PlatformInputs) -> dict[str, str]:
    environment = {
        # A migration that finds no database must fail: it used to end well on an empty schema.
        "ENFORCE_PRISMA_MIGRATION_CHECK": "true",
        "LITELLM_MODE": "PRODUCTION",
        # The prices are ours; nothing is fetched from the internet at start.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    if has_several_replicas(inputs):
        environment |= {
            "REDIS_HOST": endpoints.LITELLM_VALKEY.host,
            "REDIS_PORT": str(endpoints.LITELLM_VALKEY.port),
        }
    return environment


def _migration_only_by_job() -> dict[str, Any]:
    """Return the values that leave the schema to the migration Job, which waits for the database.

    The proxies get DISABLE_SCHEMA_UPDATE from a ConfigMap: the chart adds the same variable to the
    Job itself, and server-side apply refuses a container that lists one name twice.
    """
    config_map = "litellm-schema"
    return {
        "environmentConfigMaps": [config_map],
        "extraResources": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": config_map},
                "data": {"DISABLE_SCHEMA_UPDATE": "true"},
            }
        ],
        # A service account of the chart would come after the Job, which runs before all else.
        "serviceAccount": {"create": False},
        "migrationJob": {
            "enabled": True,
            "hooks": {"argocd": {"enabled": True}, "helm": {"enabled": False}},
            "resources": compute(100, 1024),
            "extraInitContainers": [_wait_for_database()],
        },
    }


def _wait_for_database() -> dict[str, Any]:
    """Return the container that logs in to the database: an open port may be one that starts."""
    login = {
        "PGHOST": endpoints.LITELLM_DATABASE.host,
        "PGPORT": str(endpoints.LITELLM_DATABASE.port),
        "PGDATABASE": DATABASE,
        "PGSSLMODE": "require",
        "PGCONNECT_TIMEOUT": "5",
    }
    credentials = {"PGUSER": "username", "PGPASSWORD": "password"}
    return {
        "name": "wait-for-database",
        "image": POSTGRESQL_IMAGE.reference,
        "command": ["/bin/sh", "-c", _LOG_IN_OR_FAIL],
        "env": [
            *({"name": name, "value": value} for name, value in login.items()),
            *(
                {
                    "name": name,
                    "valueFrom": {"secretKeyRef": {"name": DATABASE_SECRET, "key": key}},
                }
                for name, key in credentials.items()
            ),
        ],
        "resources": compute(10, 64),
        "securityContext": {
            **_CONTAINER_SECURITY,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": _POSTGRES_UID,
            "runAsGroup": _POSTGRES_UID,
        },
    }
