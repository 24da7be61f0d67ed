"""Builders of the LLM gateway layer: the tenants' keys, budgets and limits, and their database."""

import json
from decimal import Decimal
from typing import Any, Final

from components.contract import DATABASE_IDENTITY
from components.platform import endpoints
from components.platform.apps import (
    app_keys,
    caching,
    egress,
    guardrails,
    namespaces,
    secrets,
    sign_in,
)
from components.platform.apps.parts import (
    calls_api_server,
    calls_internet,
    compute,
    entry,
    is_prod,
    replicas,
    scraped,
    sends_spans,
    spread,
    webhook,
)
from components.platform.apps.platform import GRAFANA_PODS, PROMETHEUS_CRDS_ENTRY
from components.platform.apps.routing import GATEWAY_PODS, longest_request_seconds
from components.platform.apps.serving import in_pool
from components.platform.apps.tenants import TENANT_SECRET, TENANTS_ENTRY, tenant_entry
from components.platform.catalogue import (
    CatalogueEntry,
    Host,
    IgnoreDifference,
    OwnChart,
    PlatformInputs,
    SignInClient,
    UpstreamChart,
    includes_layer,
)
from components.platform.config import Model
from components.platform.network import Connection, Outside, Pods
from components.platform.values.base import Compute, SecretKey
from components.platform.values.llm_gateway import (
    S3,
    Archive,
    Backup,
    DatabaseValues,
    LlmGatewayValues,
    Reader,
    Recovery,
    ServiceKey,
    Team,
    TenantsValues,
)
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry
from components.versions import CLOUDNATIVE_PG, LITELLM, POSTGRESQL_IMAGE, PYTHON_IMAGE

CLOUDNATIVE_PG_ENTRY: Final = "cloudnative-pg"
DATABASE_ENTRY: Final = "litellm-database"
LITELLM_ENTRY: Final = "litellm"

API_HOST: Final = "api"
"""What programs call: models, and nothing of LiteLLM's administration."""
ADMIN_HOST: Final = "llm"
"""LiteLLM's own pages, for people: only where they sign in as themselves."""

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
RETENTION_PODS: Final = Pods(
    namespace=namespaces.LITELLM, labels={"app.kubernetes.io/component": "retention"}
)
TEAMS_PODS: Final = Pods(
    namespace=namespaces.LITELLM, labels={"app.kubernetes.io/component": "teams"}
)
OPERATOR_PODS: Final = Pods(
    namespace=namespaces.CLOUDNATIVE_PG, labels={"app.kubernetes.io/name": "cloudnative-pg"}
)

_BARMAN_MEMORY_MIB: Final = 512
"""What Barman needs beside PostgreSQL in the same container: an upload keeps 100 MiB in memory."""

UPSTREAM_KEY: Final = "UPSTREAM_API_KEY"
"""LiteLLM's environment variable with the key that engines ask for."""
DATABASE_SECRET: Final = "litellm-pg-app"  # noqa: S105 - the name of a Secret
DATABASE_USER: Final = "litellm"
READER_SECRET: Final = "litellm-pg-reader"  # noqa: S105 - the name of a Secret
READER_USER: Final = "grafana_ro"
BUCKET_SECRET: Final = "litellm-pg-backups"  # noqa: S105 - the name of a Secret
METRICS_KEY: Final = SecretKey(name="litellm-metrics-key", key="api-key")

_SALT_KEY: Final = GeneratedSecret(remote_id="litellm-salt-key")
"""Encrypts what LiteLLM keeps in its database: it can never change."""
_DATABASE_PASSWORD: Final = GeneratedSecret(remote_id="litellm-db-password")
_READER_PASSWORD: Final = GeneratedSecret(remote_id="litellm-grafana-ro-password")
_METRICS_KEY: Final = GeneratedSecret(
    remote_id="litellm-metrics-key",
    # LiteLLM refuses a key that does not start like this.
    prefix="sk-",
)

_METRICS: Final = [
    {"group": group, "metrics": metrics, "include_labels": labels}
    for group, metrics, labels in (
        (
            "requests",
            ["litellm_proxy_total_requests_metric"],
            ["team", "requested_model", "status_code"],
        ),
        (
            "failures",
            ["litellm_proxy_failed_requests_metric"],
            ["team", "requested_model", "exception_status", "exception_class"],
        ),
        ("spend", ["litellm_spend_metric", "litellm_total_tokens_metric"], ["team", "model"]),
        (
            "budgets",
            [
                "litellm_remaining_team_budget_metric",
                "litellm_team_max_budget_metric",
                "litellm_team_budget_remaining_hours_metric",
            ],
            ["team"],
        ),
    )
]
"""What LiteLLM tells Prometheus. By default that is a series for each key, address and program of
each user, which costs much and says who does what; keys and users are in the database."""

OBJECTIVE_HEADER: Final = "x-gateway-inference-objective"
"""Names the InferenceObjective of a request (inference extension v1.5, pkg/epp/metadata)."""

_UNROUTING_SECONDS: Final = 15
"""Wait before a replica stops, so that its Service has let go of it."""

_RETRIES: Final = 2
_SPEND_LOG_DAYS: Final = 90
"""How long single calls are kept; what a team has spent stays."""
_NO_KEY: Final = "none"

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
                values={
                    "replicaCount": replicas(inputs),
                    "resources": compute(100, 256),
                    "topologySpreadConstraints": spread(inputs, OPERATOR_PODS),
                },
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
    archive = _archive(inputs)
    backup = (
        Backup(
            snapshot_class=contract.snapshot_class,
            snapshot_driver=contract.snapshot_driver,
            image=PYTHON_IMAGE.reference,
        )
        if is_prod(inputs) and contract.snapshot_class is not None and archive is None
        else None
    )
    memory_mib = 2048 if is_prod(inputs) else 512
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
            compute=Compute(
                cpu=0.25,
                memory_mib=memory_mib if archive is None else memory_mib + _BARMAN_MEMORY_MIB,
            ),
            reader=Reader(name=READER_USER, credentials_secret=READER_SECRET),
            backup=backup,
            archive=archive,
        )
    )
    return (
        entry(
            DATABASE_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            OwnChart(chart="llm-gateway", values=values.to_values()),
            description="LiteLLM's PostgreSQL: keys, teams and spend",
            dashboards=("database",),
            rules=("database",)
            if backup is None and archive is None
            else ("database", "database-backup"),
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
                ConsumerSecret(
                    name=READER_SECRET,
                    namespace=namespaces.LITELLM,
                    type="kubernetes.io/basic-auth",
                    entries=(SecretEntry(key="password", remote_id=_READER_PASSWORD.remote_id),),
                    literals={"username": READER_USER},
                    # The operator sets a password again when a Secret with this label changes.
                    labels={"cnpg.io/reload": "true"},
                ),
                *_bucket_keys(inputs),
            ),
            generates=(_DATABASE_PASSWORD, _READER_PASSWORD),
            connections=(
                # The instance manager keeps the state of the cluster there.
                calls_api_server(DATABASE_PODS),
                Connection(client=DATABASE_PODS, server=DATABASE_PODS, ports=(5432, 8000)),
                scraped(DATABASE_PODS, 9187),
                Connection(
                    client=GRAFANA_PODS,
                    server=DATABASE_PODS,
                    ports=(endpoints.LITELLM_DATABASE.port,),
                ),
                *((calls_api_server(RETENTION_PODS),) if backup else ()),
                *_calls_bucket(inputs),
            ),
            ignore_differences=(
                IgnoreDifference(
                    group="postgresql.cnpg.io", kind="Cluster", json_pointers=_OPERATOR_OWNED
                ),
            ),
            gate_timeout_seconds=900,
        ),
    )


def _archive(inputs: PlatformInputs) -> Archive | None:
    """Return where the database is backed up to; None where the substrate has no bucket."""
    contract, settings = inputs.contract, inputs.config.database
    bucket, restore = contract.backups, settings.restore
    if bucket is None:
        return None
    return Archive(
        bucket=bucket.bucket,
        folder=settings.archive,
        keep_days=bucket.retention_days,
        service_account_annotations=contract.workload_identities[DATABASE_IDENTITY].annotations
        if bucket.endpoint is None
        else {},
        s3=None
        if bucket.endpoint is None
        else S3(endpoint=bucket.endpoint, credentials_secret=BUCKET_SECRET),
        recovery=None if restore is None else Recovery(folder=restore.archive, until=restore.until),
    )


def _bucket_keys(inputs: PlatformInputs) -> tuple[ConsumerSecret, ...]:
    """Return the Secret with the keys of an S3 bucket, which people supply."""
    bucket = inputs.contract.backups
    if (
        bucket is None
        or bucket.region is None
        or bucket.access_key_secret is None
        or bucket.secret_key_secret is None
    ):
        return ()
    return (
        ConsumerSecret(
            name=BUCKET_SECRET,
            namespace=namespaces.LITELLM,
            entries=(
                SecretEntry(key="access-key", remote_id=bucket.access_key_secret),
                SecretEntry(key="secret-key", remote_id=bucket.secret_key_secret),
            ),
            # CloudNativePG takes the region only out of a Secret.
            literals={"region": bucket.region},
        ),
    )


def _calls_bucket(inputs: PlatformInputs) -> tuple[Connection, ...]:
    """Return what the database's pods call to back up."""
    bucket = inputs.contract.backups
    if bucket is None:
        return ()
    if bucket.kind == "s3":
        return (calls_internet(DATABASE_PODS, bucket.endpoint_port),)
    return (
        calls_internet(DATABASE_PODS),
        Connection(client=DATABASE_PODS, server=Outside.METADATA_SERVER, ports=(80, 988)),
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
        "terminationGracePeriodSeconds": _UNROUTING_SECONDS + longest_request_seconds(inputs) + 15,
        # A worker with a database needs about 4 GiB under load (LiteLLM docs, production).
        "resources": {
            "requests": {"cpu": "1" if prod else "250m", "memory": "4Gi" if prod else "1Gi"},
            "limits": {"memory": "4Gi"},
        },
        "pdb": {"enabled": True, "minAvailable": 1} if prod else {"enabled": False},
        "topologySpreadConstraints": spread(inputs, LITELLM_PODS),
        **caching.pod_values(inputs),
    }
    if prod:
        values["strategy"] = {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }
    return (
        entry(
            LITELLM_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            UpstreamChart(pin=LITELLM, values=values),
            description="Keys, budgets, limits and prices of tenants, in front of all models",
            dashboards=("litellm", "tenants"),
            rules=("litellm",),
            secrets=(_environment_secret(inputs),),
            hosts=_hosts(inputs),
            sign_in_clients=_sign_in_clients(inputs),
            generates=(secrets.MASTER_KEY, _SALT_KEY, secrets.UPSTREAM_KEY),
            connections=(
                Connection(client=LITELLM_PODS, server=GATEWAY_PODS, ports=(80,)),
                Connection(
                    client=LITELLM_PODS,
                    server=DATABASE_PODS,
                    ports=(endpoints.LITELLM_DATABASE.port,),
                ),
                *((sign_in.calls_dex(LITELLM_PODS),) if sign_in.has_sign_in(inputs) else ()),
                scraped(LITELLM_PODS, endpoints.LITELLM.port),
                *caching.connections(inputs, LITELLM_PODS),
                *guardrails.connections(inputs, LITELLM_PODS),
                *egress.connections(inputs, LITELLM_PODS),
                *sends_spans(inputs, LITELLM_PODS),
                *(
                    Connection(
                        client=Pods(namespace=tenant.name),
                        server=LITELLM_PODS,
                        ports=(endpoints.LITELLM.port,),
                    )
                    for tenant in inputs.tenants
                ),
            ),
            # Neither gateways nor filters are edges: without them calls fail, and keys still work.
            requires=(DATABASE_ENTRY, *caching.requires(inputs)),
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
                    parallel_requests=tenant.rate_limits.parallel_requests,
                    key_secret=TENANT_SECRET,
                )
                for tenant in inputs.tenants
            ),
            service_keys=(
                ServiceKey(alias="metrics", secret=METRICS_KEY, routes=("/metrics", "/metrics/")),
                *app_keys.service_keys(inputs),
            ),
            metrics_key=METRICS_KEY,
        )
    )
    return (
        entry(
            TENANTS_ENTRY,
            namespaces.LITELLM,
            "llm-gateway",
            OwnChart(chart="llm-gateway", values=values.to_values()),
            description="The tenants as LiteLLM's teams, each with its first key",
            requires=(
                LITELLM_ENTRY,
                PROMETHEUS_CRDS_ENTRY,
                # Each tenant's key is kept in its own namespace.
                *(tenant_entry(tenant.name) for tenant in inputs.tenants),
            ),
            secrets=(
                ConsumerSecret(
                    name=METRICS_KEY.name,
                    namespace=namespaces.LITELLM,
                    entries=(SecretEntry(key=METRICS_KEY.key, remote_id=_METRICS_KEY.remote_id),),
                ),
                _spend_datasource(),
                *app_keys.job_secrets(inputs),
            ),
            generates=(_METRICS_KEY, *app_keys.generated_keys(inputs)),
            connections=(
                Connection(client=TEAMS_PODS, server=LITELLM_PODS, ports=(endpoints.LITELLM.port,)),
                *((calls_api_server(TEAMS_PODS),) if inputs.tenants else ()),
            ),
        ),
    )


def _hosts(inputs: PlatformInputs) -> tuple[Host, ...]:
    if not sign_in.has_edge(inputs):
        return ()
    names = (API_HOST, ADMIN_HOST) if sign_in.has_sign_in(inputs) else (API_HOST,)
    return tuple(
        Host(
            name=name,
            service=endpoints.LITELLM.service,
            port=endpoints.LITELLM.port,
            pods=LITELLM_PODS,
            target_port=endpoints.LITELLM.port,
            paths=("/v1",) if name == API_HOST else ("/",),
        )
        for name in names
    )


def _sign_in_clients(inputs: PlatformInputs) -> tuple[SignInClient, ...]:
    if not sign_in.has_sign_in(inputs):
        return ()
    return (sign_in.client(LITELLM_ENTRY, ADMIN_HOST, "/sso/callback"),)


def _sign_in_environment(inputs: PlatformInputs) -> dict[str, str]:
    """Return LiteLLM's variables of single sign-on, which is free of charge for five people.

    The e-mail address is the user's id: by any other, the administrator named below would not be
    the one who signs in, and could only read.
    """
    return {
        "PROXY_BASE_URL": sign_in.url(inputs, ADMIN_HOST),
        "PROXY_ADMIN_ID": sign_in.admin_email(inputs),
        "GENERIC_CLIENT_ID": LITELLM_ENTRY,
        "GENERIC_AUTHORIZATION_ENDPOINT": sign_in.authorization_url(inputs),
        "GENERIC_TOKEN_ENDPOINT": sign_in.token_url(),
        "GENERIC_USERINFO_ENDPOINT": sign_in.userinfo_url(),
        "GENERIC_SCOPE": sign_in.GROUP_SCOPES,
        "GENERIC_USER_ID_ATTRIBUTE": "email",
        "GENERIC_USER_EMAIL_ATTRIBUTE": "email",
        "GENERIC_USER_DISPLAY_NAME_ATTRIBUTE": "name",
    }


def _proxy_config(inputs: PlatformInputs) -> dict[str, Any]:
    """Return LiteLLM's config file. Its settings count only below `proxy_config`."""
    filters, fallbacks = guardrails.settings(inputs), _fallbacks(inputs)
    return {
        "model_list": [one for model in inputs.models for one in _listed(model)],
        "general_settings": {
            "master_key": f"os.environ/{secrets.LITELLM_MASTER_KEY.key}",
            "database_url": "os.environ/DATABASE_URL",
            # The list of models is the config's; what is added by hand has no price and no pool.
            "store_model_in_db": False,
            # Fail closed: without the database no key and no budget can be checked.
            "allow_requests_on_db_unavailable": not is_prod(inputs),
            # What was spent is kept, what was said is not.
            "store_prompts_in_spend_logs": False,
            "maximum_spend_logs_retention_period": f"{_SPEND_LOG_DAYS}d",
        },
        "litellm_settings": {
            "drop_params": True,
            "json_logs": True,
            # Prompts are the tenants' own: no log and no trace keeps them.
            "turn_off_message_logging": True,
            "request_timeout": longest_request_seconds(inputs),
            "callbacks": _callbacks(inputs),
            # Metrics name teams and what they spend: they are for the scraper's key alone.
            "require_auth_for_metrics_endpoint": True,
            "prometheus_metrics_config": _METRICS,
            **({"forward_traceparent_to_llm_provider": True} if _traces(inputs) else {}),
            **_bounds(inputs),
            **caching.settings(inputs),
        },
        "router_settings": {
            "timeout": longest_request_seconds(inputs),
            # Only what fails at once is tried again: a request that ran into a timeout would hold
            # its place in the queue twice, and one over a limit is over it still.
            "num_retries": _RETRIES,
            "retry_after": 1,
            "retry_policy": {
                "AuthenticationErrorRetries": 0,
                "BadRequestErrorRetries": 0,
                "ContentPolicyViolationErrorRetries": 0,
                "InternalServerErrorRetries": _RETRIES,
                "RateLimitErrorRetries": 0,
                "TimeoutErrorRetries": 0,
            },
            # Each model is one deployment here, so a cooldown would shut it for everybody. Which
            # replica answers is the endpoint picker's choice.
            "disable_cooldowns": True,
            **({"fallbacks": fallbacks} if fallbacks else {}),
        },
        **({"guardrails": filters} if filters else {}),
    }


def _callbacks(inputs: PlatformInputs) -> list[str]:
    """Return what LiteLLM calls at each request, in this order."""
    traces = ["otel"] if _traces(inputs) else []
    return [*caching.callbacks(inputs), "prometheus", *traces]


def _traces(inputs: PlatformInputs) -> bool:
    return inputs.config.features.tracing


def _bounds(inputs: PlatformInputs) -> dict[str, Any]:
    """Return what any key may have at most: as much as the greatest tenant or system.

    A key that is made without limits gets these, so that none is without.
    """
    if not inputs.tenants:
        return {}
    budgets = [tenant.budget.usd for tenant in inputs.tenants]
    limits = [tenant.rate_limits for tenant in inputs.tenants]
    if app_keys.app_keys(inputs):
        # LiteLLM refuses what is above, even if its administrator asks for it.
        budgets.append(inputs.config.experience.budget.usd)
        limits.append(inputs.config.experience.rate_limits)
    return {
        "upperbound_key_generate_params": {
            "max_budget": max(budgets),
            "budget_duration": "30d",
            "tpm_limit": max(one.tokens_per_minute for one in limits),
            "rpm_limit": max(one.requests_per_minute for one in limits),
            "max_parallel_requests": max(one.parallel_requests for one in limits),
        }
    }


def _listed(model: Model) -> list[dict[str, Any]]:
    """Return a model of LiteLLM for each name that tenants can ask for: it, and its adapters."""
    is_external = model.engine == "external"
    is_embedding = model.engine == "text_embeddings_inference"
    gateway = endpoints.EGRESS_GATEWAY if is_external else endpoints.INFERENCE_GATEWAY
    to_zero = model.scaling.to_zero
    retries: dict[str, int] = {}
    if to_zero is not None:
        # Asleep is no error that another try ends sooner: its 503 says when to come back. A held
        # request that finds its replica a moment before the gateway does is asked once more.
        retries["num_retries"] = 1 if to_zero.when_asleep == "hold" else 0
    return [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": gateway.url("/v1"),
                # The egress gateway puts the provider's key in: ours is no business of a provider.
                "api_key": _NO_KEY if is_external else f"os.environ/{UPSTREAM_KEY}",
                **({"extra_headers": {OBJECTIVE_HEADER: model.name}} if in_pool(model) else {}),
                "timeout": model.request_seconds,
                **retries,
                # Without a price every call costs 0, and no budget ever binds.
                "input_cost_per_token": price_per_token(price.input_usd_per_million_tokens),
                "output_cost_per_token": price_per_token(price.output_usd_per_million_tokens),
            },
            "model_info": {
                "max_tokens": model.max_model_len,
                "mode": "embedding" if is_embedding else "chat",
            },
        }
        for name, price in model.served_prices.items()
    ]


def _fallbacks(inputs: PlatformInputs) -> list[dict[str, list[str]]]:
    """Return which model answers for one that sleeps."""
    return [
        {name: [model.scaling.to_zero.fallback_model]}
        for model in inputs.models
        if model.scaling.to_zero is not None and model.scaling.to_zero.fallback_model is not None
        for name in model.served_names
    ]


def _spend_datasource() -> ConsumerSecret:
    """Return Grafana's data source of keys, teams and spend: a file, as it holds the password."""
    database = endpoints.LITELLM_DATABASE
    file = {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "LiteLLM spend",
                "uid": "litellm-spend",
                "type": "grafana-postgresql-datasource",
                "access": "proxy",
                "url": f"{database.host}:{database.port}",
                "user": READER_USER,
                "editable": False,
                "jsonData": {"database": DATABASE, "sslmode": "require", "maxOpenConns": 5},
                # External Secrets puts it in.
                "secureJsonData": {"password": "{{ .password }}"},
            }
        ],
    }
    return ConsumerSecret(
        name="grafana-datasource-litellm",
        namespace=namespaces.MONITORING,
        entries=(SecretEntry(key="password", remote_id=_READER_PASSWORD.remote_id),),
        # JSON is YAML.
        literals={"litellm-spend.yaml": json.dumps(file, sort_keys=True)},
        # Grafana's sidecar looks for it.
        labels={"grafana_datasource": "1"},
    )


def _environment_secret(inputs: PlatformInputs) -> ConsumerSecret:
    entries = [
        SecretEntry(key=secrets.LITELLM_MASTER_KEY.key, remote_id=secrets.MASTER_KEY.remote_id),
        SecretEntry(key="LITELLM_SALT_KEY", remote_id=_SALT_KEY.remote_id),
        SecretEntry(key=UPSTREAM_KEY, remote_id=secrets.UPSTREAM_KEY.remote_id),
    ]
    entries += caching.secret_entries(inputs)
    entries += [
        SecretEntry(key="GENERIC_CLIENT_SECRET", remote_id=client.secret_id)
        for client in _sign_in_clients(inputs)
    ]
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
    environment |= caching.environment(inputs) | _tracing_environment(inputs)
    if sign_in.has_sign_in(inputs):
        environment |= _sign_in_environment(inputs)
    return environment


def _tracing_environment(inputs: PlatformInputs) -> dict[str, str]:
    """Return where LiteLLM sends its spans. They hold no prompt and no answer."""
    if not _traces(inputs):
        return {}
    return {
        "OTEL_EXPORTER": "otlp_grpc",
        "OTEL_ENDPOINT": endpoints.SPANS_GRPC.url(),
        "OTEL_SERVICE_NAME": LITELLM_ENTRY,
        "OTEL_ENVIRONMENT_NAME": inputs.config.tier,
    }


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
