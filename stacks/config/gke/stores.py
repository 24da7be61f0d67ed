"""The sections of `gke` for what outlives the cluster: images, backups, and the budget."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator

from components.names import GCS_BUCKET_MAX, fit
from components.platform.config import Section, Tier
from components.platform.config.base import EmailAddress
from components.substrate.gke_topology import GkeBackups, GkeBudget, GkeRegistry


class GkeRegistryConfig(Section):
    """Image repositories in Artifact Registry."""

    models: bool = Field(
        default=True,
        description="A private repository for model images, whose tags never move. Whoever pushes "
        "needs roles/artifactregistry.writer on it.",
    )
    pull_through: bool = Field(
        default=False,
        description="A cache of each public registry, which pods pull from: no rate limits, and "
        "what was pulled once is there while such a registry is down. Feature security rewrites "
        "the names of images.",
    )
    scanning: bool = Field(
        default=True,
        description="Looks for known vulnerabilities in model images; Google bills it by image. It "
        "switches Container Scanning on in the project, for other repositories too.",
    )
    untagged_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="Days after which model images without a tag are deleted; tagged ones stay.",
    )
    cached_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="Days after which an image in a cache is fetched anew; pull_through only.",
    )

    def topology(self) -> GkeRegistry:
        """Return the same in the form that the substrate takes."""
        return GkeRegistry(
            models=self.models,
            pull_through=self.pull_through,
            scanning=self.scanning,
            untagged_days=self.untagged_days,
            cached_days=self.cached_days,
        )


_RETENTION_DAYS: Final[Mapping[Tier, int]] = {"cost": 7, "dev": 14, "prod": 30}
"""How long a backup can be restored, where the config says nothing else."""

_LIKE_GOOGLE: Final = re.compile(r"^goog|g[o0][o0]gle")


class GkeBackupsConfig(Section):
    """The bucket that the LLM gateway's database is backed up to."""

    enabled: bool = Field(
        default=True, description="false leaves volume snapshots, and those in tier prod alone."
    )
    bucket: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        description="its name: 3 to 63 lower case letters, digits and hyphens, which no bucket of "
        "anybody has; left out, <project>-<cluster_name>-backups",
        examples=["example-llmp-backups"],
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Days back that the database can be restored to; left out, 7 for tier cost, "
        "14 for dev, 30 for prod.",
    )

    def topology(self, *, project: str, cluster_name: str, tier: Tier) -> GkeBackups:
        """Return the same in the form that the substrate takes."""
        return GkeBackups(
            bucket=self.bucket_name(project, cluster_name),
            retention_days=_RETENTION_DAYS[tier]
            if self.retention_days is None
            else self.retention_days,
        )

    def bucket_name(self, project: str, cluster_name: str) -> str:
        """Return the name of the bucket.

        Raises:
            ValueError: Cloud Storage takes no such name.
        """
        name = self.bucket
        if name is None:
            name = fit(f"{project}-{cluster_name}-backups", GCS_BUCKET_MAX)
        if _LIKE_GOOGLE.search(name):
            raise ValueError(
                f"backups go to bucket {name}, and Cloud Storage takes no name that starts with "
                "goog or has google in it; set backups.bucket to another name"
            )
        return name


MAX_BUDGET_CHANNELS: Final = 5
"""Notification channels of one budget (Cloud Billing Budget API)."""

MAX_BUDGET: Final = 10**12
"""More than anybody has. The API itself ends where 64 bits do."""

MAX_THRESHOLD: Final = 10
"""Ten times the budget: whoever writes more means percent."""


def _thresholds(value: tuple[float, ...]) -> tuple[float, ...]:
    for share in value:
        if not 0 < share <= MAX_THRESHOLD:
            raise ValueError(
                f"{share:g} is no share of the budget; write one above 0 and up to "
                f"{MAX_THRESHOLD}, where 0.5 is half of it"
            )
    if list(value) != sorted(set(value)):
        in_order = ", ".join(f"{share:g}" for share in sorted(set(value)))
        raise ValueError(f"are out of order, or one is there twice; write [{in_order}]")
    return value


Thresholds = Annotated[tuple[float, ...], AfterValidator(_thresholds)]


class GkeBudgetConfig(Section):
    """A budget of Cloud Billing over what this stack makes: it warns, and stops nothing."""

    billing_account: str = Field(
        pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
        description="id of the billing account",
        examples=["012345-6789AB-CDEF01"],
    )
    monthly: int = Field(
        ge=1,
        le=MAX_BUDGET,
        description="in the currency of the billing account",
        examples=[1000],
    )
    thresholds: Thresholds = Field(
        default=(0.5, 0.9, 1.0),
        min_length=1,
        description="shares of it at which Google warns once they are spent",
    )
    forecast_thresholds: Thresholds = Field(
        default=(1.0,),
        description="shares at which it warns as soon as the month is going to cost that much",
    )
    emails: tuple[EmailAddress, ...] = Field(
        default=(),
        max_length=MAX_BUDGET_CHANNELS,
        description="who is warned beside administrators and users of the billing account",
        examples=[["platform@example.com"]],
    )

    @field_validator("emails")
    @classmethod
    def _addresses_are_told_apart(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        seen = [address.lower() for address in value]
        for address in seen:
            if seen.count(address) > 1:
                raise ValueError(f"{address} is listed twice; list each address once")
        return value

    def topology(self) -> GkeBudget:
        """Return the same in the form that the substrate takes."""
        return GkeBudget(
            billing_account=self.billing_account,
            monthly=self.monthly,
            thresholds=self.thresholds,
            forecast_thresholds=self.forecast_thresholds,
            emails=self.emails,
        )
