"""What a tenant has in the cluster, and that the platform reaches no further into it."""

import pytest

from components.platform.apps.llm_gateway import LITELLM_ENTRY
from components.platform.apps.tenants import TEAMS_ACCOUNT, TENANTS_ENTRY
from components.platform.values.kueue import MANAGED_LABEL
from tests.charts.rendering import only, render
from tests.charts.values import TENANT, TENANTS

pytestmark = pytest.mark.charts


def test_a_tenants_namespace_is_managed_by_kueue_and_restricted() -> None:
    namespace = only(render("tenant", TENANT), "Namespace", "team-a")["metadata"]
    assert namespace["labels"][MANAGED_LABEL] == "true"
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_namespace_is_there_first_and_outlives_its_tenant() -> None:
    annotations = only(render("tenant", TENANT), "Namespace")["metadata"]["annotations"]
    assert int(annotations["argocd.argoproj.io/sync-wave"]) < 0
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"


def test_its_jobs_wait_in_a_queue_of_its_own_namespace_for_its_own_quota() -> None:
    queue = only(render("tenant", TENANT, namespace="team-a"), "LocalQueue")
    assert (queue["metadata"]["namespace"], queue["spec"]["clusterQueue"]) == ("team-a", "team-a")
    # What Kueue's API fills in.
    assert queue["spec"]["stopPolicy"] == "None"


def test_the_job_may_make_a_secret_there_and_read_that_one_alone() -> None:
    objects = render("tenant", TENANT, namespace="team-a")
    role = only(objects, "Role")
    assert role["metadata"]["namespace"] == "team-a"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["litellm-key"],
            "verbs": ["get"],
        },
    ]
    binding = only(objects, "RoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(one["name"], one["namespace"]) for one in binding["subjects"]] == [
        ("litellm-tenants-teams", "litellm")
    ]


def test_the_account_that_may_is_the_one_that_the_job_has() -> None:
    objects = render("llm-gateway", TENANTS, release=TENANTS_ENTRY, namespace=LITELLM_ENTRY)
    assert only(objects, "ServiceAccount")["metadata"]["name"] == TEAMS_ACCOUNT
    pod = only(objects, "Job")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == TEAMS_ACCOUNT
