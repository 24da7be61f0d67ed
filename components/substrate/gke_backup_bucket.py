"""The bucket that databases are backed up to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

WRITER_ROLES: Final = {
    "object-user": "roles/storage.objectUser",
    "bucket-reader": "roles/storage.legacyBucketReader",
}
"""Barman writes, reads, lists and deletes objects, and it asks first whether the bucket is there
(its google_cloud_storage.py), which no role on objects allows."""

RECOVERY_DAYS: Final = 7
"""How long Google can bring back what was deleted for good: the least of soft delete but none
(Cloud Storage docs, "Soft delete")."""

UPLOAD_DAYS: Final = 7
"""After so many days, the parts of an upload that never ended are deleted."""

_SECONDS_PER_DAY: Final = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeBackupBucketArgs:
    """Inputs of the bucket."""

    project: str
    region: str
    bucket: str
    """Name, which no other bucket of anybody may have."""
    retention_days: int
    """How long a version is kept that was overwritten or deleted."""
    writer: pulumi.Input[str]
    """Who backs up and restores: an identity as IAM policies name it."""
    labels: Mapping[str, str]
    deletion_protection: bool


class GkeBackupBucket(pulumi.ComponentResource):
    """A private bucket with versions, and the rights of one writer on it alone.

    It deletes no backup: who writes them knows which is still needed. What the writer overwrites or
    deletes stays as a version for as long again. With deletion protection nothing empties it;
    without, it goes with all that is in it, and Google keeps none of that.
    """

    name: pulumi.Output[str]

    def __init__(
        self, name: str, args: GkeBackupBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeBackupBucket", name, None, opts)
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            project=args.project,
            name=args.bucket,
            # The provider keeps it in capital letters.
            location=args.region.upper(),
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=gcp.storage.BucketVersioningArgs(enabled=True),
            soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(
                retention_duration_seconds=(
                    RECOVERY_DAYS * _SECONDS_PER_DAY if args.deletion_protection else 0
                )
            ),
            lifecycle_rules=[
                gcp.storage.BucketLifecycleRuleArgs(
                    action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
                    condition=gcp.storage.BucketLifecycleRuleConditionArgs(
                        # What is live is never deleted by age: a database may need it still.
                        with_state="ARCHIVED",
                        days_since_noncurrent_time=args.retention_days,
                    ),
                ),
                gcp.storage.BucketLifecycleRuleArgs(
                    action=gcp.storage.BucketLifecycleRuleActionArgs(
                        type="AbortIncompleteMultipartUpload"
                    ),
                    condition=gcp.storage.BucketLifecycleRuleConditionArgs(age=UPLOAD_DAYS),
                ),
            ],
            force_destroy=not args.deletion_protection,
            labels=args.labels,
            opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
        )
        for purpose, role in WRITER_ROLES.items():
            gcp.storage.BucketIAMMember(
                f"{name}-{purpose}",
                bucket=bucket.name,
                role=role,
                member=args.writer,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.name = bucket.name
        self.register_outputs({"name": self.name})
