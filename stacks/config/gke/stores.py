"""The sections of `gke` for what outlives the cluster: images, backups, and the budget."""

from pydantic import Field

from components.platform.config import Section
from components.substrate.gke_topology import GkeBudget, GkeRegistry


class GkeRegistryConfig(Section):
    """Image repositories in Artifact Registry."""

    models: bool = Field(default=True, description="A private repository for model images.")
    pull_through: bool = Field(
        default=False,
        description="A cache of each public registry, which all pods pull from: no rate limits, "
        "and nodes start when such a registry is down.",
    )
    scanning: bool = Field(
        default=True, description="Looks for known vulnerabilities; Google bills it by image."
    )
    untagged_days: int = Field(
        default=30, ge=1, le=3650, description="Days after which images without a tag are deleted."
    )

    def topology(self) -> GkeRegistry:
        """Return the same in the form that the substrate takes."""
        return GkeRegistry(
            models=self.models,
            pull_through=self.pull_through,
            scanning=self.scanning,
            untagged_days=self.untagged_days,
        )


class GkeBackupsConfig(Section):
    """The bucket that the LLM gateway's database is backed up to."""

    enabled: bool = Field(default=True, description="false leaves no way back after a mistake.")
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="left out, 7 for tier cost, 14 for dev, 30 for prod",
    )


class GkeBudgetConfig(Section):
    """A budget of Cloud Billing over what this stack makes: it warns, and stops nothing."""

    billing_account: str = Field(
        pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
        description="id of the billing account",
        examples=["012345-6789AB-CDEF01"],
    )
    monthly: int = Field(
        ge=1, description="in the currency of the billing account", examples=[1000]
    )
    thresholds: tuple[float, ...] = Field(
        default=(0.5, 0.9, 1.0), description="shares of it at which Google warns"
    )
    emails: tuple[str, ...] = Field(
        default=(), description="who is warned beside the owners of the billing account"
    )

    def topology(self) -> GkeBudget:
        """Return the same in the form that the substrate takes."""
        return GkeBudget(
            billing_account=self.billing_account,
            monthly=self.monthly,
            thresholds=self.thresholds,
            emails=self.emails,
        )
