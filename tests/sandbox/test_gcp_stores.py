"""What Artifact Registry and Secret Manager refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties
from tests.sandbox.conftest import Provider, paths

Configured = Callable[..., Provider]

SERVICE = "gcp:projects/service:Service"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
HUB = {"dockerRepository": {"publicRepository": "DOCKER_HUB"}}


@pytest.fixture
def google(provider: Configured) -> Provider:
    """A project with the APIs of both."""
    google = provider("gcp")
    for name in ("artifactregistry", "secretmanager"):
        service = {"service": f"{name}.googleapis.com", "disableOnDestroy": False}
        google.make(SERVICE, service, name=name)
    return google


def repository(**more: Any) -> Properties:  # noqa: ANN401 - whatever the property takes
    return {
        "repositoryId": "images",
        "location": "europe-west4",
        "format": "DOCKER",
        **more,
    }


def secret(*locations: str) -> Properties:
    replicas = [{"location": location} for location in locations]
    return {"secretId": "key", "replication": {"userManaged": {"replicas": replicas}}}


def test_a_cache_of_a_public_registry_is_taken(google: Provider) -> None:
    google.make(REPOSITORY, repository(mode="REMOTE_REPOSITORY", remoteRepositoryConfig=HUB))
    other = {"commonRepository": {"uri": "https://ghcr.io"}}
    google.make(
        REPOSITORY,
        repository(repositoryId="other", mode="REMOTE_REPOSITORY", remoteRepositoryConfig=other),
        name="other",
    )


@pytest.mark.parametrize(
    "more",
    [{"mode": "REMOTE_REPOSITORY"}, {"remoteRepositoryConfig": HUB}],
    ids=["a cache of nothing", "an upstream of no cache"],
)
def test_a_cache_and_its_upstream_belong_together(google: Provider, more: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="a repository of mode REMOTE_REPOSITORY needs it"):
        google.make(REPOSITORY, repository(**more))


def test_a_cache_has_one_upstream(google: Provider) -> None:
    both = {**HUB, "commonRepository": {"uri": "https://ghcr.io"}}
    failures = google.refusals(
        REPOSITORY, repository(mode="REMOTE_REPOSITORY", remoteRepositoryConfig=both)
    )
    assert "remoteRepositoryConfig" in str(paths(failures))


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"id": "a", "action": "KEEP"}, "needs either condition or mostRecentVersions"),
        (
            {"id": "a", "action": "DELETE", "mostRecentVersions": {"keepCount": 5}},
            "which only KEEP takes",
        ),
    ],
)
def test_a_cleanup_policy_says_which_images_it_is_about(
    google: Provider, policy: dict[str, Any], said: str
) -> None:
    with pytest.raises(ProviderError, match=said):
        google.make(REPOSITORY, repository(cleanupPolicies=[policy]))


def test_cleanup_policies_are_told_apart(google: Provider) -> None:
    policy = {"id": "old", "action": "DELETE", "condition": {"olderThan": "30d"}}
    with pytest.raises(ProviderError, match="there are two with the id old"):
        google.make(REPOSITORY, repository(cleanupPolicies=[policy, policy]))


def test_values_of_a_secret_are_kept_once_in_a_region(google: Provider) -> None:
    google.make(SECRET, secret("europe-west4", "europe-west1"))
    with pytest.raises(ProviderError, match="europe-west4 is there twice"):
        google.make(SECRET, {**secret("europe-west4", "europe-west4"), "secretId": "other"})


def test_a_secret_in_other_regions_is_another_secret_and_its_name_is_taken(
    google: Provider,
) -> None:
    made = google.make(SECRET, secret("europe-west4"))
    change = google.diff(made, secret("europe-west1"))
    assert {each.path[0] for each in change.changes if each.replaces} == {"replication"}
    assert not change.delete_before_replace
    with pytest.raises(ProviderError, match="key"):
        google.make(SECRET, secret("europe-west1"), name="again")
