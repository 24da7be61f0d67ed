"""The LLM gateway's chart: a database that a drain cannot wedge, and a Job that keeps the teams."""

import json

import pytest

from components.platform.values.llm_gateway import LlmGatewayValues
from tests.charts.rendering import CHARTS, HelmError, Json, of_kind, only, render, render_values
from tests.charts.values import DATABASE, DATABASE_PROD, IMAGE, TENANTS

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
    teams = json.loads(data["teams.json"])
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
