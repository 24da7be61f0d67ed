"""What Google refuses of budgets, their channels, and roles of one's own."""

from collections.abc import Callable

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties
from tests.sandbox.conftest import PROJECT, Made, Provider, paths

Configured = Callable[..., Provider]

SERVICE = "gcp:projects/service:Service"
BUDGET = "gcp:billing/budget:Budget"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
ZONE = "gcp:dns/managedZone:ManagedZone"

AMOUNT: Properties = {
    "billingAccount": "012345-6789AB-CDEF01",
    "amount": {"specifiedAmount": {"units": "1000"}},
}
NAMED: Properties = {
    "roleId": "records",
    "title": "Records",
    "permissions": ["dns.changes.create"],
}


@pytest.fixture
def google(provider: Configured) -> Provider:
    """A project with the APIs for budgets, called with a quota project."""
    google = provider("gcp", billingProject=PROJECT, userProjectOverride="true")
    for api in ("billingbudgets", "monitoring"):
        google.make(SERVICE, {"service": f"{api}.googleapis.com"}, name=api)
    return google


def _channel(google: Provider) -> Made:
    inputs = {"type": "email", "labels": {"email_address": "ann@example.com"}}
    return google.make(CHANNEL, inputs, name="channel")


def test_a_budget_is_made_with_its_channels(google: Provider) -> None:
    rule = {"monitoringNotificationChannels": [_channel(google).id]}
    made = google.make(BUDGET, {**AMOUNT, "allUpdatesRule": rule})
    assert made.id.startswith("billingAccounts/012345-6789AB-CDEF01/budgets/")


@pytest.mark.parametrize("configuration", [{}, {"billingProject": PROJECT}])
def test_a_budget_needs_a_project_that_its_calls_count_towards(
    provider: Configured, configuration: Properties
) -> None:
    google = provider("gcp", **configuration)
    with pytest.raises(ProviderError, match="requires a quota project"):
        google.make(BUDGET, AMOUNT)


def test_the_api_of_budgets_must_be_on_in_that_project(provider: Configured) -> None:
    google = provider("gcp", billingProject=PROJECT, userProjectOverride="true")
    with pytest.raises(ProviderError, match=r"billingbudgets\.googleapis\.com is not enabled"):
        google.make(BUDGET, AMOUNT)


def test_a_budget_needs_channels_that_exist(google: Provider) -> None:
    rule = {"monitoringNotificationChannels": ["projects/p/notificationChannels/1"]}
    with pytest.raises(ProviderError, match="notificationChannels/1"):
        google.make(BUDGET, {**AMOUNT, "allUpdatesRule": rule})


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"budgetFilter": {"projects": ["projects/my-project"]}}, "budgetFilter.projects[0]"),
        ({"budgetFilter": {"labels": {"a": "1", "b": "2"}}}, "budgetFilter.labels"),
        ({"displayName": "x" * 61}, "displayName"),
        ({"billingAccount": "012345"}, "billingAccount"),
        (
            {"thresholdRules": [{"thresholdPercent": 1, "spendBasis": "FORECAST"}]},
            "thresholdRules[0].spendBasis",
        ),
        ({"thresholdRules": [{"thresholdPercent": -1}]}, "thresholdRules[0].thresholdPercent"),
        (
            {"allUpdatesRule": {"monitoringNotificationChannels": ["c"] * 6}},
            "allUpdatesRule.monitoringNotificationChannels",
        ),
    ],
)
def test_a_wrong_budget_is_refused_at_preview(
    google: Provider, inputs: Properties, path: str
) -> None:
    assert path in paths(google.refusals(BUDGET, {**AMOUNT, **inputs}))


def test_a_channel_of_an_unknown_kind_is_refused(google: Provider) -> None:
    assert paths(google.refusals(CHANNEL, {"type": "mail"})) == {"type"}


@pytest.mark.parametrize("labels", [{}, {"email_address": "ann"}, {"address": "ann@example.com"}])
def test_a_channel_for_mail_has_an_address(google: Provider, labels: Properties) -> None:
    refused = google.refusals(CHANNEL, {"type": "email", "labels": labels})
    assert "labels.email_address" in paths(refused)


def test_a_role_of_one_s_own_has_an_id_without_hyphens(google: Provider) -> None:
    assert paths(google.refusals(ROLE, {**NAMED, "roleId": "dns-records"})) == {"roleId"}
    # Pulumi's made-up ids have hyphens.
    made_up = {key: value for key, value in NAMED.items() if key != "roleId"}
    assert "roleId" in paths(google.refusals(ROLE, made_up))


def test_a_role_of_one_s_own_has_permissions(google: Provider) -> None:
    assert "permissions" in paths(google.refusals(ROLE, {**NAMED, "permissions": []}))
    wrong = {**NAMED, "permissions": ["roles/dns.admin"]}
    assert "permissions[0]" in paths(google.refusals(ROLE, wrong))


def test_the_id_of_a_deleted_role_is_not_free(google: Provider) -> None:
    google.remove(google.make(ROLE, NAMED, name="role"))
    with pytest.raises(ProviderError, match="for up to 37 days"):
        google.make(ROLE, NAMED, name="role")


def test_the_domain_of_a_zone_ends_in_a_dot(google: Provider) -> None:
    inputs = {"name": "example-com", "dnsName": "example.com"}
    assert paths(google.refusals(ZONE, inputs)) == {"dnsName"}
