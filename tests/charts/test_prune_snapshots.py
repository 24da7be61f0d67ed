"""The script that deletes old snapshots, run as the CronJob runs it against a strict double."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.charts import kubernetes_double
from tests.charts.kubernetes_double import Kubernetes
from tests.charts.rendering import CHARTS

GROUP = "/apis/snapshot.storage.k8s.io/v1"
SNAPSHOTS = f"{GROUP}/namespaces/litellm/volumesnapshots"
CONTENTS = f"{GROUP}/volumesnapshotcontents"
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def cluster() -> Iterator[Kubernetes]:
    """A cluster that grants the job what its roles do, and answers lists in pages of two."""
    state = Kubernetes(page=2)
    state.granted = {
        ("list", SNAPSHOTS, None),
        ("delete", SNAPSHOTS, None),
        ("get", CONTENTS, None),
        ("patch", CONTENTS, None),
    }
    with kubernetes_double.running(state):
        yield state


def snapshot(
    cluster: Kubernetes, days: float, *, ready: bool = True, of: str = "litellm-pg"
) -> dict[str, Any]:
    """Make a snapshot of some days ago, bound to its content."""
    name = f"{of}-{days:g}-days" + ("" if ready else "-broken")
    made = NOW - dt.timedelta(days=days)
    one = cluster.put(
        SNAPSHOTS,
        {
            "metadata": {
                "name": name,
                "labels": {"cnpg.io/cluster": of},
                "creationTimestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "status": {"readyToUse": ready, "boundVolumeSnapshotContentName": f"content-{name}"},
        },
    )
    cluster.put(
        CONTENTS,
        {
            "metadata": {"name": f"content-{name}"},
            "spec": {
                "deletionPolicy": "Retain",
                "volumeSnapshotRef": {"namespace": "litellm", "uid": one["metadata"]["uid"]},
            },
        },
    )
    return one


def prune(
    folder: Path, cluster: Kubernetes, days: int = 30, at_least: int = 2
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHARTS / "llm-gateway/files/prune_snapshots.py")],
        env={
            "PATH": os.environ["PATH"],
            "KUBERNETES_URL": cluster.url,
            "SERVICE_ACCOUNT": str(kubernetes_double.account(folder)),
            "NAMESPACE": "litellm",
            "CLUSTER": "litellm-pg",
            "KEEP_DAYS": str(days),
            "KEEP_AT_LEAST": str(at_least),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def left(cluster: Kubernetes) -> set[str]:
    return {path.rpartition("/")[2] for path in cluster.objects if path.startswith(f"{SNAPSHOTS}/")}


def policies(cluster: Kubernetes) -> dict[str, str]:
    return {
        path.rpartition("/")[2].removeprefix("content-"): one["spec"]["deletionPolicy"]
        for path, one in cluster.objects.items()
        if path.startswith(f"{CONTENTS}/")
    }


def test_old_snapshots_go_with_what_they_stand_for_at_the_cloud(
    cluster: Kubernetes, tmp_path: Path
) -> None:
    for days in (1, 5, 29, 31, 90):
        snapshot(cluster, days)
    done = prune(tmp_path, cluster)
    assert done.returncode == 0, done.stderr
    assert left(cluster) == {"litellm-pg-1-days", "litellm-pg-5-days", "litellm-pg-29-days"}
    # The class retains: what was not told to go would stay on the bill.
    gone = {name for name, policy in policies(cluster).items() if policy == "Delete"}
    assert gone == {"litellm-pg-31-days", "litellm-pg-90-days"}
    assert "3 of 5 snapshots of litellm-pg stay" in done.stdout


def test_the_newest_stay_however_old_they_are(cluster: Kubernetes, tmp_path: Path) -> None:
    for days in (100, 200, 300):
        snapshot(cluster, days)
    assert prune(tmp_path, cluster).returncode == 0
    assert left(cluster) == {"litellm-pg-100-days", "litellm-pg-200-days"}


def test_failed_backups_do_not_push_out_the_last_good_one(
    cluster: Kubernetes, tmp_path: Path
) -> None:
    for days in (40, 41, 42):
        snapshot(cluster, days, ready=False)
    snapshot(cluster, 50)
    snapshot(cluster, 60)
    snapshot(cluster, 70)
    assert prune(tmp_path, cluster).returncode == 0
    assert left(cluster) == {"litellm-pg-50-days", "litellm-pg-60-days"}


def test_snapshots_of_another_cluster_are_nobodys_business(
    cluster: Kubernetes, tmp_path: Path
) -> None:
    snapshot(cluster, 400, of="other-pg")
    snapshot(cluster, 1)
    assert prune(tmp_path, cluster).returncode == 0
    assert "other-pg-400-days" in left(cluster)


def test_a_content_of_another_snapshot_is_not_let_go(cluster: Kubernetes, tmp_path: Path) -> None:
    for days in (1, 2):
        snapshot(cluster, days)
    old = snapshot(cluster, 90)
    content = cluster.objects[f"{CONTENTS}/content-{old['metadata']['name']}"]
    content["spec"]["volumeSnapshotRef"]["uid"] = "somebody else's"
    done = prune(tmp_path, cluster)
    assert done.returncode == 1
    assert "belongs to another snapshot" in done.stderr
    assert "litellm-pg-90-days" in left(cluster)
    assert set(policies(cluster).values()) == {"Retain"}


def test_a_snapshot_whose_content_is_gone_goes_too(cluster: Kubernetes, tmp_path: Path) -> None:
    for days in (1, 2):
        snapshot(cluster, days)
    old = snapshot(cluster, 90)
    del cluster.objects[f"{CONTENTS}/content-{old['metadata']['name']}"]
    assert prune(tmp_path, cluster).returncode == 0
    assert left(cluster) == {"litellm-pg-1-days", "litellm-pg-2-days"}


def test_missing_rights_fail_the_job_and_delete_nothing(
    cluster: Kubernetes, tmp_path: Path
) -> None:
    for days in (1, 2, 90):
        snapshot(cluster, days)
    cluster.granted -= {("patch", CONTENTS, None)}
    done = prune(tmp_path, cluster)
    assert done.returncode == 1
    assert "403 Forbidden" in done.stderr
    assert "litellm-pg-90-days" in left(cluster)


@pytest.mark.parametrize(("days", "at_least"), [(0, 7), (30, 0)])
def test_settings_that_would_delete_everything_are_refused(
    cluster: Kubernetes, tmp_path: Path, days: int, at_least: int
) -> None:
    snapshot(cluster, 90)
    assert prune(tmp_path, cluster, days, at_least).returncode == 2
    assert len(left(cluster)) == 1
