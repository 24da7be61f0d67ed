"""What Google refuses about the trust in a cluster that is not its own."""

import json
from collections.abc import Callable

import pytest

from sandbox.provider.gcp_control_plane import project_number
from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties
from tests.sandbox.conftest import PROJECT, Made, Provider

SERVICE = "gcp:projects/service:Service"
POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
TRUST = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
RIGHT = "gcp:secretmanager/secretIamMember:SecretIamMember"
KEY = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "n": "n", "e": "AQAB"}
MORE = {**KEY, "x5c": "certificate"}
OTHER = json.dumps({"keys": [{"kty": "oct"}]})


@pytest.fixture
def google(provider: Callable[..., Provider]) -> Provider:
    """A project with what secrets of a foreign cluster need."""
    google = provider("gcp")
    for service in ("iam", "secretmanager"):
        inputs = {"service": f"{service}.googleapis.com", "disableOnDestroy": False}
        google.make(SERVICE, inputs, name=service)
    return google


def _pool(google: Provider, pool_id: str = "llmp-cluster") -> Made:
    return google.make(POOL, {"workloadIdentityPoolId": pool_id}, name="pool")


def _trust(**changes: object) -> Properties:
    return {
        "workloadIdentityPoolId": "llmp-cluster",
        "workloadIdentityPoolProviderId": "kubernetes",
        "attributeMapping": {"google.subject": "assertion.sub"},
        "oidc": {
            "issuerUri": "https://kubernetes.default.svc.cluster.local",
            "jwksJson": json.dumps({"keys": [KEY]}),
        },
        **changes,
    }


def _secret(google: Provider) -> None:
    google.make(SECRET, {"secretId": "a", "replication": {"auto": {}}}, name="a")


def _right(google: Provider, pool: str) -> None:
    member = f"principal://iam.googleapis.com/{pool}/subject/system:serviceaccount:eso:eso"
    role = "roles/secretmanager.secretAccessor"
    google.make(RIGHT, {"secretId": "a", "role": role, "member": member}, name="right")


def test_a_pool_is_called_after_the_number_of_its_project(google: Provider) -> None:
    name = f"projects/{project_number(PROJECT)}/locations/global/workloadIdentityPools/llmp-cluster"
    assert _pool(google).outputs["name"] == name
    assert google.make(TRUST, _trust()).outputs["name"] == f"{name}/providers/kubernetes"


@pytest.mark.parametrize("pool_id", ["gcp-cluster", "llm", "a" * 33, "Cluster"])
def test_ids_that_google_keeps_or_that_do_not_fit_are_refused(
    google: Provider, pool_id: str
) -> None:
    (refused,) = google.refusals(POOL, {"workloadIdentityPoolId": pool_id})
    assert refused.path == "workloadIdentityPoolId"


def test_a_provider_needs_its_pool(google: Provider) -> None:
    with pytest.raises(ProviderError, match="llmp-cluster"):
        google.make(TRUST, _trust())


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"attributeMapping": {}}, "attributeMapping", "google.subject"),
        ({"oidc": {"issuerUri": "http://a"}}, "oidc.issuerUri", "pattern"),
        (
            {"oidc": {"issuerUri": "https://a", "allowedAudiences": ["a"] * 11}},
            "oidc.allowedAudiences",
            "10 at most",
        ),
        (
            {"oidc": {"issuerUri": "https://a", "jwksJson": "{}"}},
            "oidc.jwksJson",
            "no set of keys",
        ),
        (
            {"oidc": {"issuerUri": "https://a", "jwksJson": OTHER}},
            "oidc.jwksJson",
            "only RSA and EC",
        ),
        (
            {"oidc": {"issuerUri": "https://a", "jwksJson": json.dumps({"keys": [MORE]})}},
            "oidc.jwksJson",
            "exactly",
        ),
    ],
)
def test_a_provider_that_no_token_could_pass_is_refused(
    google: Provider, changes: Properties, path: str, says: str
) -> None:
    (refused,) = google.refusals(TRUST, _trust(**changes))
    assert refused.path == path
    assert says in refused.reason


def test_a_right_needs_the_pool_of_its_member(google: Provider) -> None:
    name = f"projects/{project_number(PROJECT)}/locations/global/workloadIdentityPools/llmp-cluster"
    _secret(google)
    with pytest.raises(ProviderError, match="does not exist"):
        _right(google, name)
    _pool(google)
    _right(google, name)


def test_the_number_of_another_project_is_no_way_to_a_pool(google: Provider) -> None:
    _pool(google)
    _secret(google)
    with pytest.raises(
        ProviderError, match=f"the one of that id is projects/{project_number(PROJECT)}"
    ):
        _right(google, "projects/1/locations/global/workloadIdentityPools/llmp-cluster")


def test_the_id_of_a_deleted_pool_stays_taken(google: Provider) -> None:
    google.remove(_pool(google))
    with pytest.raises(ProviderError, match="keeps its id for up to 30 days"):
        _pool(google)
    _pool(google, "llmp-cluster-2")
