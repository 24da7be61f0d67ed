"""A budget of Cloud Billing for what a stack makes."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_topology import GkeBudget

BUDGET_NAME_MAX: Final = 60
"""Characters in the name of a budget (Cloud Billing Budget API)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeBudgetAlertsArgs:
    """Inputs of the budget."""

    project: str
    display_name: str
    """At most `BUDGET_NAME_MAX` characters."""
    budget: GkeBudget
    filter_label: tuple[str, str]
    """Key and value of the label whose costs count; the API takes exactly one."""
    labels: dict[str, str]


class GkeBudgetAlerts(pulumi.ComponentResource):
    """Warns when a month costs too much, or is going to: it stops nothing.

    What counts is what carries the label: control plane, nodes, disks, buckets, repositories,
    secrets and reserved addresses. NAT, traffic and logs carry none. The filter by project would
    take the project's number, which no config knows, and would count other stacks too; an id in its
    place is a difference in every preview (terraform-provider-google, google_billing_budget).

    The currency is left to the billing account, whose administrators and users Google warns beside
    the listed addresses.
    """

    def __init__(
        self, name: str, args: GkeBudgetAlertsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeBudgetAlerts", name, None, opts)
        budget = args.budget
        channels = [
            gcp.monitoring.NotificationChannel(
                f"{name}-{email}",
                project=args.project,
                display_name=f"{args.display_name}: {email}",
                type="email",
                labels={"email_address": email},
                user_labels=args.labels,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for email in budget.emails
        ]
        # A billing account is in no project, so a person's call needs one that it counts towards
        # (Google Cloud docs, "Quota project"); for all else the project of the resource is right.
        with_quota_project = gcp.Provider(
            f"{name}-quota-project",
            project=args.project,
            billing_project=args.project,
            user_project_override=True,
            add_pulumi_attribution_label=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        key, value = args.filter_label
        gcp.billing.Budget(
            f"{name}-budget",
            billing_account=budget.billing_account,
            display_name=args.display_name,
            amount=gcp.billing.BudgetAmountArgs(
                specified_amount=gcp.billing.BudgetAmountSpecifiedAmountArgs(
                    units=str(budget.monthly)
                )
            ),
            budget_filter=gcp.billing.BudgetBudgetFilterArgs(
                calendar_period="MONTH", labels={key: value}
            ),
            threshold_rules=[
                gcp.billing.BudgetThresholdRuleArgs(threshold_percent=share, spend_basis=basis)
                for basis, shares in (
                    ("CURRENT_SPEND", budget.thresholds),
                    ("FORECASTED_SPEND", budget.forecast_thresholds),
                )
                for share in shares
            ],
            all_updates_rule=gcp.billing.BudgetAllUpdatesRuleArgs(
                monitoring_notification_channels=[channel.id for channel in channels],
                disable_default_iam_recipients=False,
            )
            if channels
            else None,
            opts=pulumi.ResourceOptions(parent=self, provider=with_quota_project),
        )
        self.register_outputs({"display_name": args.display_name})
