"""The bucket for backups: who writes it, how long it keeps things, and what survives a teardown."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.names import GCS_BUCKET_MAX
from components.substrate.gke_topology import GkeBackups, GkeTopology
from stacks.config.gke import GkeConfig
from tests.conftest import Run
from tests.harness import Recorder, Registration, deploy
from tests.substrate.gke_samples import substrate, topology

BUCKET = "gcp:storage/bucket:Bucket"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
ACCOUNT = "gcp:serviceaccount/account:Account"
TRUST = "gcp:serviceaccount/iAMMember:IAMMember"
CLUSTER = "gcp:container/cluster:Cluster"
SERVICE = "gcp:projects/service:Service"
BACKUPS = GkeBackups(bucket="my-project-llmp-backups", retention_days=14)
DATABASE = "serviceAccount:llmp-database@my-project.iam.gserviceaccount.com"


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate with backups, with some fields of its topology changed."""
    shape = topology(**{"backups": BACKUPS, **changes})
    return deploy(lambda: _drop(substrate(topology=shape)))


def test_the_bucket_is_private_in_the_clusters_region_and_keeps_versions(run: Run) -> None:
    recorder = run(lambda: _drop(substrate(topology=topology(backups=BACKUPS))))
    bucket = recorder.one(BUCKET).inputs
    assert bucket["name"] == "my-project-llmp-backups"
    assert bucket["location"] == "US-CENTRAL1"
    assert bucket["uniformBucketLevelAccess"] is True
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["labels"] == topology().resource_labels


def test_only_what_was_replaced_or_deleted_ends_by_age() -> None:
    rules = {
        rule["action"]["type"]: rule["condition"]
        for rule in build().one(BUCKET).inputs["lifecycleRules"]
    }
    assert rules == {
        "Delete": {"withState": "ARCHIVED", "daysSinceNoncurrentTime": 14},
        "AbortIncompleteMultipartUpload": {"age": 7},
    }


def test_the_bucket_has_no_retention_lock_that_would_outlive_a_teardown() -> None:
    assert not {"retentionPolicy", "enableObjectRetention"} & set(build().one(BUCKET).inputs)


def test_a_protected_bucket_is_emptied_by_nobody_and_can_be_brought_back() -> None:
    bucket = build(deletion_protection=True).one(BUCKET)
    assert bucket.protect is True
    assert bucket.inputs["forceDestroy"] is False
    assert bucket.inputs["softDeletePolicy"] == {"retentionDurationSeconds": 604_800}


def test_an_unprotected_bucket_goes_with_all_that_is_in_it() -> None:
    bucket = build().one(BUCKET)
    assert bucket.protect is not True
    assert bucket.inputs["forceDestroy"] is True
    assert bucket.inputs["softDeletePolicy"] == {"retentionDurationSeconds": 0}


def test_the_database_alone_has_rights_and_on_that_bucket_alone() -> None:
    recorder = build()
    granted = {(each.inputs["role"], each.inputs["member"]) for each in recorder.all(MEMBER)}
    assert granted == {
        ("roles/storage.objectUser", DATABASE),
        ("roles/storage.legacyBucketReader", DATABASE),
    }
    assert {each.inputs["bucket"] for each in recorder.all(MEMBER)} == {"my-project-llmp-backups"}
    elsewhere = [
        each.urn
        for each in recorder.registrations
        if each.inputs.get("member") == DATABASE and each.type != MEMBER
    ]
    assert not elsewhere


def test_one_kubernetes_account_is_the_database_and_only_once_the_identity_pool_is_there() -> None:
    recorder = build()
    trust = _binding(recorder)
    assert trust.inputs["member"] == ("serviceAccount:my-project.svc.id.goog[litellm/litellm-pg]")
    assert trust.inputs["role"] == "roles/iam.workloadIdentityUser"
    assert recorder.one(CLUSTER).urn in trust.depends_on


def test_the_storage_api_is_on_before_the_bucket_is_made() -> None:
    recorder = build()
    (service,) = [
        each for each in recorder.all(SERVICE) if each.inputs["service"] == "storage.googleapis.com"
    ]
    assert service.urn in recorder.one("llmp:substrate:GkeBackupBucket").depends_on


def test_bucket_and_rights_are_there_before_argo_cd_and_go_after_it() -> None:
    recorder = build()
    namespace = recorder.one("kubernetes:core/v1:Namespace")
    needed = {each.urn for each in (recorder.one(BUCKET), *recorder.all(MEMBER))}
    assert needed | {_binding(recorder).urn} <= namespace.depends_on


def test_without_a_database_there_is_no_bucket_no_identity_and_no_api() -> None:
    recorder = build(backups=None)
    assert not recorder.all(BUCKET)
    assert not recorder.all(MEMBER)
    assert "llmp-database" not in {each.inputs["accountId"] for each in recorder.all(ACCOUNT)}
    assert "storage.googleapis.com" not in {
        each.inputs["service"] for each in recorder.all(SERVICE)
    }


# Config


def parse(**changes: object) -> GkeConfig:
    section = {"project": "my-project", "region": "us-central1", "zone": "us-central1-a"}
    return GkeConfig.model_validate_json(json.dumps({**section, **changes}))


def shape(tier: Any = "cost", *, database: bool = True, **changes: object) -> GkeTopology:  # noqa: ANN401 - one of the tiers
    return parse(**changes).topology(tier=tier, database=database, compute_class=False)


@pytest.mark.parametrize(("tier", "days"), [("cost", 7), ("dev", 14), ("prod", 30)])
def test_the_tier_says_how_far_back_a_database_can_be_restored(tier: str, days: int) -> None:
    assert shape(tier).backups == GkeBackups(bucket="my-project-llmp-backups", retention_days=days)


def test_the_config_has_the_last_word_on_retention_and_name() -> None:
    changes: dict[str, Any] = {"backups": {"retention_days": 90, "bucket": "example-backups"}}
    assert shape("prod", **changes).backups == GkeBackups(
        bucket="example-backups", retention_days=90
    )


def test_a_long_name_is_shortened_and_stays_one_of_its_own() -> None:
    found = {
        parse(project="p" * 30, cluster_name="c" * 39 + last)
        .topology(tier="cost", database=True, compute_class=False)
        .backups
        for last in ("a", "b")
    }
    buckets = [one.bucket for one in found if one is not None]
    assert len(buckets) == len(set(buckets)) == len(("a", "b"))
    assert all(len(bucket) <= GCS_BUCKET_MAX for bucket in buckets)
    assert all(bucket.endswith("-backups") for bucket in buckets)


@pytest.mark.parametrize(
    "changes", [{"database": False}, {"backups": {"enabled": False}}], ids=["no database", "off"]
)
def test_a_stack_without_anything_to_back_up_asks_for_no_bucket(changes: dict[str, Any]) -> None:
    assert shape(**changes).backups is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backups": {"bucket": "Backups"}}, "pattern"),
        ({"backups": {"bucket": "ab"}}, "pattern"),
        ({"backups": {"bucket": "a" * 64}}, "pattern"),
        ({"backups": {"bucket": "with.dots"}}, "pattern"),
        ({"backups": {"bucket": "goog-backups"}}, "set backups.bucket to another name"),
        ({"cluster_name": "google"}, "takes no name that starts with goog or has google in it"),
        ({"backups": {"retention_days": 0}}, "greater than or equal to 1"),
        ({"backups": {"days": 3}}, "Extra inputs"),
    ],
)
def test_a_bucket_that_google_would_refuse_is_refused_at_once(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        parse(**changes)


def test_a_name_like_googles_is_no_matter_where_nothing_is_backed_up() -> None:
    assert parse(cluster_name="google", backups={"enabled": False}).cluster_name == "google"


def _binding(recorder: Recorder) -> Registration:
    return next(each for each in recorder.all(TRUST) if "database" in each.name)


def _drop(_made: object) -> None:
    """Let a test's program return nothing."""
