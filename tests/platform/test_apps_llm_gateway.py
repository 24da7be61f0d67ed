"""The LLM gateway layer: LiteLLM, its database and its tenants."""

import dataclasses
from typing import Any

import pytest
import yaml

from components.contract import ObjectStore, WorkloadIdentity
from components.platform import endpoints
from components.platform.apps.caching import VALKEY_PODS
from components.platform.apps.derived import supplied
from components.platform.apps.llm_gateway import (
    DATABASE_PODS,
    RETENTION_PODS,
    price_per_token,
)
from components.platform.catalogue import CatalogueEntry
from components.platform.config import (
    Budget,
    DatabaseConfig,
    DatabaseRestore,
    Features,
    Price,
    RateLimits,
    Tier,
)
from components.platform.network import Outside, Pods
from components.versions import POSTGRESQL_IMAGE
from tests.platform.samples import BARE, GKE, callers, entries, inputs, model, tenant, values

DATABASE_ACCOUNT = "llmp-database@my-project.iam.gserviceaccount.com"
WITH_BUCKET = GKE.model_copy(
    update={
        "backups": ObjectStore(
            kind="google-cloud-storage", bucket="my-project-llmp-backups", retention_days=14
        ),
        "workload_identities": {
            **GKE.workload_identities,
            "database": WorkloadIdentity(
                namespace="litellm",
                service_account="litellm-pg",
                annotations={"iam.gke.io/gcp-service-account": DATABASE_ACCOUNT},
            ),
        },
    }
)


def test_the_operators_release_keeps_the_name_that_its_services_have() -> None:
    assert "cloudnative-pg" in entries()


def test_the_database_waits_for_its_operator_its_password_and_its_monitors_definition() -> None:
    assert entries()["litellm-database"].requires == (
        "cloudnative-pg",
        "prometheus-crds",
        "litellm-secrets",
    )


def test_what_the_operator_writes_into_the_database_is_no_difference() -> None:
    (ignored,) = entries()["litellm-database"].ignore_differences
    assert ignored.group == "postgresql.cnpg.io"
    assert "/spec/replicationSlots" in ignored.json_pointers


def test_nothing_that_we_set_on_the_database_is_ignored() -> None:
    (ignored,) = entries()["litellm-database"].ignore_differences
    ours = {
        "/spec/instances",
        "/spec/imageName",
        "/spec/storage",
        "/spec/resources",
        "/spec/backup",
    }
    assert not [one for one in ignored.json_pointers if one.startswith(tuple(ours))]


def test_the_database_has_standbys_and_backups_only_in_prod() -> None:
    cost = values(entries()["litellm-database"])["database"]
    prod = values(entries(inputs(tier="prod"))["litellm-database"])["database"]
    assert (cost["instances"], prod["instances"]) == (1, 3)
    assert "backup" not in cost
    assert prod["backup"]["snapshotClass"] == "llmp-snapshots"


def archived(tier: Tier = "cost", **settings: Any) -> CatalogueEntry:  # noqa: ANN401 - of the section
    """The database on a substrate that has a bucket and snapshots."""
    stack = inputs(tier=tier, contract=WITH_BUCKET)
    config = stack.config.model_copy(update={"database": DatabaseConfig(**settings)})
    return entries(dataclasses.replace(stack, config=config))["litellm-database"]


@pytest.mark.parametrize("tier", ["cost", "dev", "prod"])
def test_a_database_that_has_a_bucket_is_backed_up_to_it_in_every_tier(tier: Tier) -> None:
    database = values(archived(tier))["database"]
    assert database["archive"] == {
        "bucket": "my-project-llmp-backups",
        "folder": "litellm-pg",
        "keepDays": 14,
        "schedule": "0 0 3 * * *",
        "serviceAccountAnnotations": {"iam.gke.io/gcp-service-account": DATABASE_ACCOUNT},
    }
    assert "backup" not in database


def test_a_database_that_has_no_bucket_names_none() -> None:
    assert "archive" not in values(entries(inputs(tier="prod"))["litellm-database"])["database"]


def test_a_restored_database_reads_the_folder_of_the_old_one_and_writes_its_own() -> None:
    restore = DatabaseRestore(archive="litellm-pg", until="2026-12-20T08:30:00Z")
    archive = values(archived(archive="litellm-pg-2", restore=restore))["database"]["archive"]
    assert archive["folder"] == "litellm-pg-2"
    assert archive["recovery"] == {"folder": "litellm-pg", "until": "2026-12-20T08:30:00Z"}


def test_only_a_database_with_a_bucket_calls_google() -> None:
    def servers(entry: CatalogueEntry) -> set[Pods | Outside]:
        found: set[Pods | Outside] = set()
        for one in entry.connections:
            if one.client == DATABASE_PODS and isinstance(one.server, Outside):
                found.add(one.server)
        return found

    assert servers(archived()) == {
        Outside.API_SERVER,
        Outside.INTERNET,
        Outside.METADATA_SERVER,
    }
    assert servers(entries(inputs(tier="prod"))["litellm-database"]) == {Outside.API_SERVER}


WITH_S3 = BARE.model_copy(
    update={
        "backups": ObjectStore(
            kind="s3",
            bucket="acme-llmp-backups",
            retention_days=30,
            endpoint="nbg1.your-objectstorage.com",
            region="nbg1",
            access_key_secret="object-storage-access-key",  # noqa: S106 - an id
            secret_key_secret="object-storage-secret-key",  # noqa: S106 - an id
        )
    }
)


def test_a_bucket_of_s3_takes_the_backups_without_an_identity_of_a_cloud() -> None:
    database = values(entries(inputs(tier="prod", contract=WITH_S3))["litellm-database"])
    assert database["database"]["archive"] == {
        "bucket": "acme-llmp-backups",
        "folder": "litellm-pg",
        "keepDays": 30,
        "schedule": "0 0 3 * * *",
        "serviceAccountAnnotations": {},
        "s3": {
            "endpoint": "nbg1.your-objectstorage.com",
            "credentialsSecret": "litellm-pg-backups",
        },
    }
    assert WITH_S3.workload_identities == {}


def test_the_keys_of_s3_come_from_the_store_and_people_put_them_there() -> None:
    database = entries(inputs(contract=WITH_S3))["litellm-database"]
    (keys,) = (one for one in database.secrets if one.name == "litellm-pg-backups")
    assert {one.key: one.remote_id for one in keys.entries} == {
        "access-key": "object-storage-access-key",
        "secret-key": "object-storage-secret-key",
    }
    assert keys.literals == {"region": "nbg1"}
    waiting = supplied(list(entries(inputs(contract=WITH_S3)).values()))
    assert waiting["object-storage-access-key"] == ("litellm-database",)
    assert waiting["object-storage-secret-key"] == ("litellm-database",)


@pytest.mark.parametrize(
    ("endpoint", "port"), [("s3.example.com", 443), ("s3.example.com:9000", 9000)]
)
def test_a_database_with_s3_calls_its_endpoint_alone(endpoint: str, port: int) -> None:
    assert WITH_S3.backups is not None
    bucket = WITH_S3.backups.model_copy(update={"endpoint": endpoint})
    contract = WITH_S3.model_copy(update={"backups": bucket})
    called = [
        (one.server, one.ports)
        for one in entries(inputs(contract=contract))["litellm-database"].connections
        if one.client == DATABASE_PODS and one.server in (Outside.INTERNET, Outside.METADATA_SERVER)
    ]
    assert called == [(Outside.INTERNET, (port,))]


def test_somebody_is_told_of_backups_that_fail_wherever_there_are_any() -> None:
    assert archived().rules == ("database", "database-backup")
    assert entries(inputs(tier="prod"))["litellm-database"].rules == ("database", "database-backup")
    assert entries()["litellm-database"].rules == ("database",)


def test_what_uploads_has_memory_beside_the_databases() -> None:
    def memory(entry: CatalogueEntry) -> int:
        found = values(entry)["database"]["compute"]["memoryMib"]
        assert isinstance(found, int)
        return found

    assert memory(archived()) == memory(entries()["litellm-database"]) + 512


def test_the_image_of_the_database_has_what_uploads() -> None:
    # CloudNativePG's own images with Barman are those called system (its container_images.md).
    assert "-system-" in POSTGRESQL_IMAGE.version


def test_no_backup_is_promised_where_the_substrate_takes_no_snapshots() -> None:
    stack = entries(inputs(tier="prod", contract=BARE))
    assert "backup" not in values(stack["litellm-database"])["database"]


def test_litellm_writes_to_the_service_that_always_has_an_endpoint() -> None:
    by_name = entries()
    name = values(by_name["litellm-database"])["database"]["name"]
    assert endpoints.LITELLM_DATABASE.service == f"{name}-rw"
    db = values(by_name["litellm"])["db"]
    assert db["endpoint"] == "litellm-pg-rw.litellm.svc.cluster.local"
    assert db["useExisting"] is True
    assert db["deployStandalone"] is False


def test_the_master_key_is_one_that_no_render_makes_anew() -> None:
    by_name = entries()
    litellm = values(by_name["litellm"])
    secrets = {one["name"]: one for one in values(by_name["litellm-secrets"])["consumers"]}
    secret = secrets[litellm["masterkeySecretName"]]
    assert litellm["masterkeySecretKey"] in {one["key"] for one in secret["entries"]}


def test_every_environment_variable_that_the_config_names_is_given() -> None:
    by_name = entries(inputs(tier="prod"))
    litellm = values(by_name["litellm"])
    secrets = {one["name"]: one for one in values(by_name["litellm-secrets"])["consumers"]}
    given = {one["key"] for one in secrets["litellm-secrets"]["entries"]}
    given |= set(litellm["envVars"]) | {"DATABASE_URL"}
    text = str(litellm["proxy_config"])
    named = {part.split("'")[0] for part in text.split("os.environ/")[1:]}
    assert named == {
        "PROXY_MASTER_KEY",
        "DATABASE_URL",
        "UPSTREAM_API_KEY",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_PASSWORD",
    }
    assert named <= given


def test_settings_lie_below_proxy_config_where_alone_they_count() -> None:
    litellm = values(entries()["litellm"])
    assert "general_settings" in litellm["proxy_config"]
    assert not {"general_settings", "litellm_settings", "router_settings"} & set(litellm)


def test_prod_fails_closed_when_nobody_can_check_a_budget() -> None:
    def open_door(tier: str) -> object:
        stack = entries(inputs(tier="prod" if tier == "prod" else "cost"))
        settings = values(stack["litellm"])["proxy_config"]["general_settings"]
        return settings["allow_requests_on_db_unavailable"]

    assert open_door("prod") is False
    assert open_door("cost") is True


def test_every_model_is_listed_with_its_price_and_behind_the_gateway() -> None:
    second = model(
        "second", price=Price(input_usd_per_million_tokens=0.1, output_usd_per_million_tokens=3.0)
    )
    litellm = values(entries(inputs(models=(model(), second)))["litellm"])
    listed = {
        one["model_name"]: one["litellm_params"] for one in litellm["proxy_config"]["model_list"]
    }
    assert set(listed) == {"qwen-small", "second"}
    assert listed["second"]["input_cost_per_token"] == 1e-7
    assert listed["second"]["output_cost_per_token"] == 3e-6
    assert all(one["api_base"] == endpoints.INFERENCE_GATEWAY.url("/v1") for one in listed.values())
    assert listed["second"]["model"] == "openai/second"


def test_a_request_carries_the_priority_of_its_model() -> None:
    by_name = entries()
    params = values(by_name["litellm"])["proxy_config"]["model_list"][0]["litellm_params"]
    objective = values(by_name["qwen-small-route"])["objectives"][0]["name"]
    assert params["extra_headers"] == {"x-gateway-inference-objective": objective}


@pytest.mark.parametrize(
    ("per_million", "per_token"), [(0.5, 5e-7), (0.1, 1e-7), (1.1, 1.1e-6), (15.0, 1.5e-5)]
)
def test_a_price_is_divided_without_noise(per_million: float, per_token: float) -> None:
    assert price_per_token(per_million) == per_token


def test_the_list_of_models_has_one_owner() -> None:
    settings = values(entries()["litellm"])["proxy_config"]["general_settings"]
    assert settings["store_model_in_db"] is False


def test_prompts_are_not_logged() -> None:
    settings = values(entries()["litellm"])["proxy_config"]["litellm_settings"]
    assert settings["turn_off_message_logging"] is True


def test_the_migration_runs_before_litellm_and_after_a_login_to_the_database() -> None:
    litellm = values(entries()["litellm"])
    job = litellm["migrationJob"]
    assert job["hooks"] == {"argocd": {"enabled": True}, "helm": {"enabled": False}}
    (wait,) = job["extraInitContainers"]
    assert "psql" in wait["command"][-1]
    assert wait["command"][-1].endswith("exit 1")
    assert wait["securityContext"]["runAsNonRoot"] is True
    assert litellm["envVars"]["ENFORCE_PRISMA_MIGRATION_CHECK"] == "true"


def test_the_job_that_runs_first_needs_no_account_that_comes_later() -> None:
    assert values(entries()["litellm"])["serviceAccount"] == {"create": False}


def test_no_variable_is_given_twice_to_the_migration_job() -> None:
    litellm = values(entries()["litellm"])
    # The chart sets this one itself; server-side apply refuses the same name twice.
    assert "DISABLE_SCHEMA_UPDATE" not in litellm["envVars"]
    (config_map,) = litellm["extraResources"]
    assert config_map["data"] == {"DISABLE_SCHEMA_UPDATE": "true"}
    assert litellm["environmentConfigMaps"] == [config_map["metadata"]["name"]]


def test_replicas_share_their_counters_and_no_answers() -> None:
    cost, prod = entries(), entries(inputs(tier="prod"))
    assert "litellm-valkey" not in cost
    assert "cache" not in values(cost["litellm"])["proxy_config"]["litellm_settings"]
    shared = values(prod["litellm"])["proxy_config"]["litellm_settings"]["cache_params"]
    assert shared["type"] == "redis"
    assert shared["supported_call_types"] == []
    assert prod["litellm"].requires == ("litellm-database", "litellm-valkey")
    assert values(prod["litellm"])["replicaCount"] == 2


def test_the_charts_own_redis_of_an_abandoned_repository_stays_off() -> None:
    for tier in ("cost", "prod"):
        stack = entries(inputs(tier="prod" if tier == "prod" else "cost"))
        assert values(stack["litellm"])["redis"] == {"enabled": False}


def test_the_counters_ask_for_a_password_and_only_litellm_reaches_them() -> None:
    prod = entries(inputs(tier="prod"))
    valkey = values(prod["litellm-valkey"])
    assert valkey["auth"]["enabled"] is True
    secrets = {one["name"]: one for one in values(prod["litellm-secrets"])["consumers"]}
    secret = secrets[valkey["auth"]["usersExistingSecret"]]
    user = valkey["auth"]["aclUsers"]["default"]
    assert [one["key"] for one in secret["entries"]] == [user["passwordKey"]]
    assert callers(prod, VALKEY_PODS) == {"litellm"}
    assert endpoints.LITELLM_VALKEY.service == "litellm-valkey"


def test_prod_drains_a_node_without_taking_litellm_away() -> None:
    cost, prod = (values(entries(inputs(tier=tier))["litellm"]) for tier in ("cost", "prod"))
    assert cost["pdb"] == {"enabled": False}
    assert prod["pdb"] == {"enabled": True, "minAvailable": 1}
    assert prod["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_litellm_that_stops_lets_the_longest_stream_end() -> None:
    litellm = values(entries()["litellm"])
    unrouting = litellm["lifecycle"]["preStop"]["sleep"]["seconds"]
    longest = litellm["proxy_config"]["router_settings"]["timeout"]
    assert longest == model().request_seconds
    assert litellm["terminationGracePeriodSeconds"] > unrouting + longest


def test_litellm_drops_every_capability() -> None:
    security = values(entries()["litellm"])["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False


def test_teams_are_made_after_litellm_with_the_limits_of_their_tenants() -> None:
    entry = entries(inputs(tenants=(tenant(),)))["litellm-tenants"]
    assert set(entry.requires) >= {"litellm", "team-a-tenant"}
    chart = values(entry)["tenants"]
    assert chart["litellmUrl"] == endpoints.LITELLM.url()
    assert chart["teams"] == [
        {
            "name": "team-a",
            "models": ["qwen-small"],
            "maxBudgetUsd": 20.0,
            "budgetDuration": "7d",
            "requestsPerMinute": 30,
            "tokensPerMinute": 50_000,
            "parallelRequests": 50,
            "keySecret": "litellm-key",
        }
    ]


def test_a_stack_without_tenants_keeps_the_job_that_takes_the_last_one_away() -> None:
    chart = values(entries(inputs(tenants=()))["litellm-tenants"])["tenants"]
    assert chart["teams"] == []


def test_profile_serving_has_no_litellm_and_no_secret_for_it() -> None:
    names = set(entries(inputs(profile="serving")))
    assert not [name for name in names if name.startswith("litellm")]
    assert "cloudnative-pg" not in names


def test_grafana_reads_spend_by_a_role_that_writes_nothing() -> None:
    found = entries()
    reader = values(found["litellm-database"])["database"]["reader"]
    secrets = {
        (one["namespace"], one["name"]): one
        for name in ("litellm-secrets", "monitoring-secrets")
        for one in values(found[name])["consumers"]
    }
    credentials = secrets["litellm", reader["credentialsSecret"]]
    assert credentials["type"] == "kubernetes.io/basic-auth"
    assert credentials["literals"] == {"username": reader["name"]}
    source = secrets["monitoring", "grafana-datasource-litellm"]
    assert source["labels"] == {"grafana_datasource": "1"}
    assert [one["remoteId"] for one in source["entries"]] == [
        one["remoteId"] for one in credentials["entries"]
    ]
    ((name, text),) = source["literals"].items()
    assert name.endswith(".yaml")
    (datasource,) = yaml.safe_load(text)["datasources"]
    assert datasource["uid"] == "litellm-spend"
    assert datasource["user"] == reader["name"]
    # The writer: the read-only Service has no endpoints while there is one instance.
    assert datasource["url"] == "litellm-pg-rw.litellm.svc.cluster.local:5432"
    assert datasource["jsonData"]["sslmode"] == "require"
    # What External Secrets fills in, under the key that it fetches.
    assert datasource["secureJsonData"] == {"password": "{{ .password }}"}
    assert source["entries"][0]["key"] == "password"


def test_grafana_may_connect_to_the_database_that_it_reads() -> None:
    assert "monitoring" in callers(entries(), DATABASE_PODS)


def test_backups_end_and_the_job_that_ends_them_calls_the_api_server_only_in_prod() -> None:
    def calls(tier: Tier) -> bool:
        database = entries(inputs(tier=tier))["litellm-database"]
        return RETENTION_PODS in [one.client for one in database.connections]

    assert calls("prod")
    assert not calls("cost")
    backup = values(entries(inputs(tier="prod"))["litellm-database"])["database"]["backup"]
    assert backup["keepDays"] == 30
    assert backup["keepAtLeast"] == 7


def test_metrics_are_shown_to_the_scraper_alone_who_has_a_key_of_its_own() -> None:
    found = entries()
    settings = values(found["litellm"])["proxy_config"]["litellm_settings"]
    assert "prometheus" in settings["callbacks"]
    assert settings["require_auth_for_metrics_endpoint"] is True
    chart = values(found["litellm-tenants"])["tenants"]
    (key,) = [one for one in chart["serviceKeys"] if one["alias"] == "metrics"]
    assert key["secret"] == chart["metricsKey"]
    assert key["routes"] == ["/metrics", "/metrics/"]
    made = {one["remoteId"]: one for one in values(found["secret-store"])["generated"]}
    assert made["litellm-metrics-key"]["prefix"] == "sk-"


def test_no_key_can_have_more_than_the_greatest_tenant() -> None:
    great = tenant("team-b").model_copy(
        update={"budget": Budget(usd=500.0), "rate_limits": RateLimits(requests_per_minute=900)}
    )
    stack = entries(inputs(tenants=(tenant(), great)))
    settings = values(stack["litellm"])["proxy_config"]["litellm_settings"]
    assert settings["upperbound_key_generate_params"] == {
        "max_budget": 500.0,
        "budget_duration": "30d",
        "tpm_limit": 100_000,
        "rpm_limit": 900,
        "max_parallel_requests": 50,
    }


def test_what_took_too_long_or_was_too_much_is_not_asked_for_again() -> None:
    router = values(entries()["litellm"])["proxy_config"]["router_settings"]
    tried_again = {name for name, number in router["retry_policy"].items() if number}
    assert tried_again == {"InternalServerErrorRetries"}


def test_each_tenant_gets_its_key_in_its_own_namespace_which_is_there_first() -> None:
    entry = entries(inputs(tenants=(tenant(),)))["litellm-tenants"]
    (team,) = values(entry)["tenants"]["teams"]
    assert team["keySecret"] == "litellm-key"
    assert "team-a-tenant" in entry.requires
    first_key = values(entries(inputs(tenants=(tenant(),)))["team-a-tenant"])["firstKey"]
    assert first_key["secret"] == team["keySecret"]
    assert first_key["serviceAccountNamespace"] == entry.namespace


def test_spans_go_to_the_collector_without_prompts_and_name_the_trace_to_the_engine() -> None:
    traced = values(entries(inputs(features=Features(tracing=True)))["litellm"])
    settings = traced["proxy_config"]["litellm_settings"]
    assert "otel" in settings["callbacks"]
    assert settings["turn_off_message_logging"] is True
    assert settings["forward_traceparent_to_llm_provider"] is True
    assert traced["envVars"]["OTEL_ENDPOINT"] == endpoints.SPANS_GRPC.url()
    assert traced["envVars"]["OTEL_EXPORTER"] == "otlp_grpc"
    plain = values(entries()["litellm"])
    assert "otel" not in plain["proxy_config"]["litellm_settings"]["callbacks"]
    assert not [name for name in plain["envVars"] if name.startswith("OTEL")]


def test_what_was_said_is_kept_nowhere_and_single_calls_not_for_ever() -> None:
    settings = values(entries()["litellm"])["proxy_config"]["general_settings"]
    assert settings["store_prompts_in_spend_logs"] is False
    assert settings["maximum_spend_logs_retention_period"] == "90d"
