"""The LLM gateway's chart: a database that a drain cannot wedge, and a Job that keeps the teams."""

import ast
import json

import pytest
from pydantic import ValidationError

from components.platform.values.llm_gateway import (
    Backup,
    DatabaseValues,
    LlmGatewayValues,
    Recovery,
)
from tests.charts.rendering import CHARTS, HelmError, Json, of_kind, only, render, render_values
from tests.charts.values import (
    ANSWERS,
    ARCHIVE,
    DATABASE,
    DATABASE_ARCHIVED,
    DATABASE_PROD,
    DATABASE_RESTORED,
    DATABASE_S3,
    IMAGE,
    TENANTS,
)

pytestmark = pytest.mark.charts


def cluster(values: LlmGatewayValues) -> Json:
    return only(render("llm-gateway", values, namespace="litellm"), "Cluster")["spec"]


def test_the_default_renders_nothing() -> None:
    assert render("llm-gateway", LlmGatewayValues()) == []


def test_one_instance_has_no_budget_that_would_forbid_every_drain() -> None:
    assert cluster(DATABASE)["enablePDB"] is False
    assert cluster(DATABASE_PROD)["enablePDB"] is True


def test_a_failover_loses_nothing_and_a_lost_standby_stops_nobody() -> None:
    assert cluster(DATABASE_PROD)["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "preferred",
    }
    assert "postgresql" not in cluster(DATABASE)


def test_the_owner_of_the_database_comes_from_a_secret() -> None:
    assert cluster(DATABASE)["bootstrap"]["initdb"] == {
        "database": "litellm",
        "owner": "litellm",
        "secret": {"name": "litellm-pg-app"},
    }
    assert cluster(DATABASE)["enableSuperuserAccess"] is False


def test_storage_and_image_are_the_clusters_default_unless_they_are_given() -> None:
    assert cluster(DATABASE)["storage"] == {"size": "5Gi"}
    assert "imageName" not in cluster(DATABASE)
    assert cluster(DATABASE_PROD)["storage"]["storageClass"] == "premium-rwo"
    assert cluster(DATABASE_PROD)["imageName"] == IMAGE


def test_a_backup_is_a_whole_snapshot_of_a_standby() -> None:
    assert cluster(DATABASE_PROD)["backup"] == {
        "target": "prefer-standby",
        "volumeSnapshot": {
            "className": "snapshots",
            "online": False,
            "snapshotOwnerReference": "none",
        },
    }
    scheduled = only(render("llm-gateway", DATABASE_PROD), "ScheduledBackup")["spec"]
    assert scheduled["method"] == "volumeSnapshot"
    assert scheduled["online"] is False
    assert len(scheduled["schedule"].split()) == 6
    assert scheduled["cluster"] == {"name": "litellm-pg"}


def test_the_snapshot_class_is_made_where_the_cluster_has_none_and_outlives_it() -> None:
    made = only(render("llm-gateway", DATABASE_PROD), "VolumeSnapshotClass")
    assert (made["metadata"]["name"], made["driver"]) == ("snapshots", "csi.example.com")
    assert made["deletionPolicy"] == "Retain"


def test_without_a_snapshot_class_there_is_no_backup_that_could_only_fail() -> None:
    assert "backup" not in cluster(DATABASE)
    assert of_kind(render("llm-gateway", DATABASE), "ScheduledBackup") == []


def test_base_backups_and_the_whole_log_go_to_the_bucket_and_are_deleted_when_they_are_old() -> (
    None
):
    backup = cluster(DATABASE_ARCHIVED)["backup"]
    store = backup["barmanObjectStore"]
    assert backup["retentionPolicy"] == "14d"
    assert store["destinationPath"] == "gs://my-project-llmp-backups"
    assert store["serverName"] == "litellm-pg-2"
    assert store["wal"]["compression"] == store["data"]["compression"] == "gzip"
    assert "volumeSnapshot" not in backup


def test_the_database_proves_itself_by_its_service_account_and_has_no_key() -> None:
    spec = cluster(DATABASE_ARCHIVED)
    assert spec["backup"]["barmanObjectStore"]["googleCredentials"] == {"gkeEnvironment": True}
    assert spec["serviceAccountTemplate"]["metadata"]["annotations"] == {
        "iam.gke.io/gcp-service-account": "llmp-database@my-project.iam.gserviceaccount.com"
    }
    assert "serviceAccountTemplate" not in cluster(DATABASE)


def test_a_base_backup_to_the_bucket_is_made_at_once_and_then_each_night() -> None:
    objects = render("llm-gateway", DATABASE_ARCHIVED, namespace="litellm")
    scheduled = only(objects, "ScheduledBackup")["spec"]
    assert (scheduled["method"], scheduled["immediate"]) == ("barmanObjectStore", True)
    assert len(scheduled["schedule"].split()) == 6
    assert scheduled["cluster"] == {"name": "litellm-pg"}


def test_with_a_bucket_there_are_no_snapshots_and_nobody_who_deletes_them() -> None:
    objects = render("llm-gateway", DATABASE_ARCHIVED)
    assert not of_kind(objects, "VolumeSnapshotClass")
    assert not of_kind(objects, "CronJob")


def test_a_new_database_is_empty_unless_it_is_told_what_to_start_from() -> None:
    assert set(cluster(DATABASE_ARCHIVED)["bootstrap"]) == {"initdb"}
    assert "externalClusters" not in cluster(DATABASE_ARCHIVED)
    bootstrap = cluster(DATABASE_RESTORED)["bootstrap"]
    assert bootstrap == {
        "recovery": {
            "source": "archive",
            "recoveryTarget": {"targetTime": "2026-12-20T08:30:00Z"},
            "database": "litellm",
            "owner": "litellm",
            "secret": {"name": "litellm-pg-app"},
        }
    }


def test_a_restored_database_reads_one_folder_and_writes_another_of_the_same_bucket() -> None:
    spec = cluster(DATABASE_RESTORED)
    (source,) = spec["externalClusters"]
    read, written = source["barmanObjectStore"], spec["backup"]["barmanObjectStore"]
    assert source["name"] == spec["bootstrap"]["recovery"]["source"]
    assert read["destinationPath"] == written["destinationPath"]
    assert (read["serverName"], written["serverName"]) == ("litellm-pg", "litellm-pg-2")
    assert read["googleCredentials"] == {"gkeEnvironment": True}


def test_a_bucket_of_s3_is_reached_by_its_endpoint_with_the_keys_of_a_secret_both_ways() -> None:
    spec = cluster(DATABASE_S3)
    (source,) = spec["externalClusters"]
    read, written = source["barmanObjectStore"], spec["backup"]["barmanObjectStore"]
    for store in (read, written):
        assert store["destinationPath"] == "s3://acme-llmp-backups"
        assert store["endpointURL"] == "https://nbg1.your-objectstorage.com"
        assert store["s3Credentials"] == {
            "accessKeyId": {"name": "litellm-pg-backups", "key": "access-key"},
            "secretAccessKey": {"name": "litellm-pg-backups", "key": "secret-key"},
            "region": {"name": "litellm-pg-backups", "key": "region"},
        }
        assert "googleCredentials" not in store
    assert (read["serverName"], written["serverName"]) == ("litellm-pg", "litellm-pg-2")
    assert spec["backup"]["retentionPolicy"] == "30d"
    assert only(render("llm-gateway", DATABASE_S3), "ScheduledBackup")["spec"]["method"] == (
        "barmanObjectStore"
    )


def test_uploads_to_s3_have_no_checksums_that_only_amazon_takes() -> None:
    spec = cluster(DATABASE_S3)
    assert {one["name"]: one["value"] for one in spec["env"]} == {
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }
    assert "env" not in cluster(DATABASE_ARCHIVED)


def test_a_database_that_has_keys_of_s3_is_nobody_to_google() -> None:
    assert "serviceAccountTemplate" not in cluster(DATABASE_S3)


def test_without_a_moment_all_that_was_archived_is_restored() -> None:
    recovery = Recovery(folder="litellm-pg")
    archive = ARCHIVE.model_copy(update={"recovery": recovery})
    values = LlmGatewayValues(database=DatabaseValues(archive=archive))
    assert "recoveryTarget" not in cluster(values)["bootstrap"]["recovery"]


def test_a_database_is_not_backed_up_in_two_ways() -> None:
    with pytest.raises(ValidationError, match="backup and archive exclude each other"):
        DatabaseValues(archive=ARCHIVE, backup=Backup(snapshot_class="snapshots", image=IMAGE))


def test_metrics_are_scraped_by_a_monitor_of_our_own() -> None:
    monitor = only(render("llm-gateway", DATABASE), "PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"] == {"cnpg.io/cluster": "litellm-pg"}
    assert "monitoring" not in cluster(DATABASE)


def test_the_teams_are_synced_after_every_sync_and_the_last_run_stays_to_be_read() -> None:
    job = only(render("llm-gateway", TENANTS), "Job")
    assert job["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "PostSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_the_job_runs_the_script_of_the_chart_on_the_teams_of_the_values() -> None:
    objects = render("llm-gateway", TENANTS)
    data = only(objects, "ConfigMap")["data"]
    assert data["sync_teams.py"] == (CHARTS / "llm-gateway/files/sync_teams.py").read_text()
    teams = json.loads(data["teams.json"])["teams"]
    assert [team["name"] for team in teams] == ["team-a", "team-b"]
    assert teams[1]["tokensPerMinute"] == 5_000_000
    (container,) = only(objects, "Job")["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python3", "-B", "/teams/sync_teams.py", "/teams/teams.json"]


def test_the_pods_of_the_job_are_no_client_of_the_database() -> None:
    labels = only(render("llm-gateway", TENANTS), "Job")["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "llm-gateway"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("budgetDuration", "monthly", "value must be one of"),
        ("maxBudgetUsd", 0, "exclusiveMinimum"),
        ("requestsPerMinute", 1.5, "want integer"),
    ],
)
def test_helm_refuses_a_team_without_a_real_limit(key: str, value: object, message: str) -> None:
    values = TENANTS.to_values()
    values["tenants"]["teams"][0][key] = value
    with pytest.raises(HelmError, match=message):
        render_values("llm-gateway", values)


def test_a_role_for_dashboards_reads_all_and_writes_nothing() -> None:
    (role,) = cluster(DATABASE_PROD)["managed"]["roles"]
    assert role["inRoles"] == ["pg_read_all_data"]
    assert role["passwordSecret"] == {"name": "litellm-pg-reader"}
    may = {name for name in ("superuser", "createdb", "createrole", "replication") if role[name]}
    assert may == set()
    assert "managed" not in cluster(DATABASE)


def test_a_job_that_calls_no_api_server_has_no_token() -> None:
    quiet = TENANTS.to_values()
    for team in quiet["tenants"]["teams"]:
        team.pop("keySecret", None)
    pod = only(render_values("llm-gateway", quiet), "Job")["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["volumes"]] == ["teams"]


def test_keys_that_the_cluster_made_reach_the_job_by_environment_under_the_names_it_is_told() -> (
    None
):
    objects = render("llm-gateway", TENANTS)
    told = json.loads(only(objects, "ConfigMap")["data"]["teams.json"])["serviceKeys"]
    (container,) = only(objects, "Job")["spec"]["template"]["spec"]["containers"]
    given = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in container["env"]
        if "valueFrom" in one
    }
    assert [given[one["variable"]] for one in told] == [{"name": "metrics", "key": "api-key"}]
    assert told[0]["routes"] == ["/metrics"]


def test_litellm_is_scraped_with_the_key_that_may_read_metrics() -> None:
    (endpoint,) = only(render("llm-gateway", TENANTS), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["path"] == "/metrics/"
    assert endpoint["authorization"]["credentials"] == {"name": "metrics", "key": "api-key"}


def test_old_backups_are_deleted_by_an_account_that_can_do_nothing_else() -> None:
    objects = render("llm-gateway", DATABASE_PROD, namespace="litellm")
    assert only(objects, "Role")["rules"] == [
        {
            "apiGroups": ["snapshot.storage.k8s.io"],
            "resources": ["volumesnapshots"],
            "verbs": ["list", "delete"],
        }
    ]
    assert only(objects, "ClusterRole")["rules"] == [
        {
            "apiGroups": ["snapshot.storage.k8s.io"],
            "resources": ["volumesnapshotcontents"],
            "verbs": ["get", "patch"],
        }
    ]
    job = only(objects, "CronJob")["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    (container,) = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment == {
        "NAMESPACE": "litellm",
        "CLUSTER": "litellm-pg",
        "KEEP_DAYS": "30",
        "KEEP_AT_LEAST": "7",
    }


def test_without_backups_nothing_is_deleted() -> None:
    assert of_kind(render("llm-gateway", DATABASE), "CronJob") == []


def test_each_job_brings_all_modules_that_its_script_imports() -> None:
    for values, script in ((TENANTS, "sync_teams.py"), (DATABASE_PROD, "prune_snapshots.py")):
        data = only(render("llm-gateway", values), "ConfigMap")["data"]
        ours = {path.stem for path in (CHARTS / "llm-gateway/files").iterdir()}
        imported = {
            alias.name
            for node in ast.walk(ast.parse(data[script]))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert imported & ours == {"kubernetes_api"}
        assert "kubernetes_api.py" in data


def test_the_callback_is_the_file_of_the_chart() -> None:
    data = only(render("llm-gateway", ANSWERS), "ConfigMap")["data"]
    assert data == {"llmp_answers.py": (CHARTS / "llm-gateway/files/llmp_answers.py").read_text()}
