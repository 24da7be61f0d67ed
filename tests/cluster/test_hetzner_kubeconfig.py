"""The kubeconfig of a Hetzner stack opens the API server of its own first server, and no other.

The stack runs once, with real keys and certificates; a real etcd and a real API server start from
exactly the files that cloud-init would place on the first server, and are asked with exactly the
kubeconfig that the stack exports.
"""

import json
import ssl
from collections.abc import Generator
from typing import Any, Final, cast

import pytest
import yaml

from components.substrate.hetzner_audit import AUDIT_LOG_PATH
from tests.cluster.conftest import K3S_MINOR
from tests.cluster.k3s_server import ApiServer, KubeconfigClient, Machine, api_server
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import program

pytestmark = pytest.mark.cluster

SECRETS = "/api/v1/namespaces/default/secrets"
VALUE = "a-value-that-nobody-may-read-in-a-log"
TOKEN_REQUEST: Final[dict[str, Any]] = {
    "apiVersion": "authentication.k8s.io/v1",
    "kind": "TokenRequest",
    "spec": {},
}


@pytest.fixture(scope="module")
def stack() -> Recorder:
    """The stack whose first server runs."""
    return deploy(program({"control_plane": {"count": 3}}))


@pytest.fixture(scope="module")
def other_stack() -> Recorder:
    """The same stack in another project: other keys, and nothing else differs."""
    return deploy(program({"control_plane": {"count": 3}}))


@pytest.fixture(scope="module")
def server(stack: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Generator[ApiServer]:
    """What k3s starts on the first server."""
    machine = Machine.from_user_data(first_user_data(stack), tmp_path_factory.mktemp("server"))
    with api_server(machine, kubeconfig_of(stack), kubernetes=K3S_MINOR) as running:
        yield running


@pytest.fixture(scope="module")
def admin(server: ApiServer, stack: Recorder) -> KubeconfigClient:
    """Whoever has the stack's kubeconfig."""
    return server.client(kubeconfig_of(stack))


def first_user_data(stack: Recorder) -> str:
    (found,) = (
        one.inputs["userData"]
        for one in stack.all("hcloud:index/server:Server")
        if "cluster-init: true" in one.inputs["userData"]
    )
    return str(found)


def kubeconfig_of(stack: Recorder) -> str:
    return str(stack.exports["kubeconfig"])


def secret(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": {"key": VALUE},
    }


def whoami(client: KubeconfigClient, token: str = "") -> dict[str, Any]:
    review = client.request(
        "POST",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        token=token,
    ).json()
    return cast("dict[str, Any]", review["status"]["userInfo"])


def audited(server: ApiServer) -> list[dict[str, Any]]:
    text = server.machine.path(AUDIT_LOG_PATH).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def with_user_of(kubeconfig: str, other: str) -> str:
    """Return a kubeconfig that trusts the server of one and signs in as the user of the other."""
    document = yaml.safe_load(kubeconfig)
    document["users"][0]["user"] = yaml.safe_load(other)["users"][0]["user"]
    return yaml.safe_dump(document)


def test_the_kubeconfig_is_known_before_there_is_a_server_and_opens_its_api(
    admin: KubeconfigClient,
) -> None:
    user = whoami(admin)
    assert user["username"] == "llmp-admin"
    assert set(user["groups"]) == {"system:masters", "system:authenticated"}


def test_its_user_may_read_and_write_everything(admin: KubeconfigClient) -> None:
    assert admin.request("POST", SECRETS, secret("written")).status == 201
    assert admin.request("GET", f"{SECRETS}/written").status == 200
    assert admin.request("DELETE", f"{SECRETS}/written").status == 200
    assert admin.request("GET", "/api/v1/nodes").status == 200


def test_a_kubeconfig_of_another_stack_does_not_trust_this_server(
    server: ApiServer, other_stack: Recorder
) -> None:
    stranger = server.client(kubeconfig_of(other_stack))
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        stranger.request("GET", "/api")


def test_this_server_does_not_know_the_user_of_another_stack(
    server: ApiServer, stack: Recorder, other_stack: Recorder
) -> None:
    mixed = with_user_of(kubeconfig_of(stack), kubeconfig_of(other_stack))
    assert server.client(mixed).request("GET", "/api").status == 401


def test_the_server_is_believed_at_the_addresses_of_the_stack_alone(
    server: ApiServer, stack: Recorder
) -> None:
    document = yaml.safe_load(kubeconfig_of(stack))
    document["clusters"][0]["cluster"]["server"] = "https://198.51.100.1:6443"
    elsewhere = server.client(yaml.safe_dump(document))
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        elsewhere.request("GET", "/api")


def test_nobody_gets_in_without_a_name(admin: KubeconfigClient) -> None:
    assert admin.request("GET", "/api", token=VALUE).status == 401


def test_tokens_of_service_accounts_are_signed_with_the_key_that_cloud_init_placed(
    admin: KubeconfigClient,
) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    assert admin.request("POST", accounts, account).status == 201
    token = admin.request("POST", f"{accounts}/robot/token", TOKEN_REQUEST).json()["status"][
        "token"
    ]
    assert whoami(admin, token)["username"] == "system:serviceaccount:default:robot"
    assert admin.request("GET", SECRETS, token=token).status == 403


def test_etcd_holds_secrets_encrypted(server: ApiServer, admin: KubeconfigClient) -> None:
    assert admin.request("POST", SECRETS, secret("at-rest")).status == 201
    stored = server.stored("/registry/secrets/default/at-rest")
    assert stored.startswith(b"k8s:enc:secretbox:v1:")
    assert VALUE.encode() not in stored


def test_the_audit_log_has_who_wrote_a_secret_and_not_what(
    server: ApiServer, admin: KubeconfigClient
) -> None:
    admin.request("POST", SECRETS, secret("audited"))
    admin.request("GET", f"{SECRETS}/audited")
    found = [
        one
        for one in audited(server)
        if one["requestURI"].startswith(SECRETS) and "llmp-admin" in one["user"]["username"]
    ]
    assert {"create", "get"} <= {one["verb"] for one in found}
    assert {one["level"] for one in found} == {"Metadata"}
    assert {one["stage"] for one in found} == {"ResponseComplete"}
    assert VALUE not in server.machine.path(AUDIT_LOG_PATH).read_text("utf-8")


def test_the_audit_log_never_has_what_a_config_map_or_a_token_holds(
    server: ApiServer, admin: KubeconfigClient
) -> None:
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "audited"},
        "data": {"key": VALUE},
    }
    admin.request("POST", "/api/v1/namespaces/default/configmaps", config_map)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "audited"}}
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    admin.request("POST", accounts, account)
    token = admin.request("POST", f"{accounts}/audited/token", TOKEN_REQUEST).json()["status"][
        "token"
    ]
    requested = [
        one["objectRef"]["resource"] + "/" + one["objectRef"].get("subresource", "")
        for one in audited(server)
        if one.get("objectRef", {}).get("name") == "audited"
    ]
    assert {"configmaps/", "serviceaccounts/token"} <= set(requested)
    text = server.machine.path(AUDIT_LOG_PATH).read_text("utf-8")
    assert VALUE not in text
    assert token not in text


def test_the_audit_log_has_the_rights_that_somebody_gave(
    server: ApiServer, admin: KubeconfigClient
) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "audited"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    admin.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role)
    (found,) = (
        one
        for one in audited(server)
        if one["verb"] == "create"
        and one.get("objectRef", {}).get("name") == "audited"
        and one["objectRef"]["resource"] == "clusterroles"
    )
    assert found["requestObject"]["rules"] == role["rules"]


def test_the_audit_log_leaves_heartbeats_and_health_out(
    server: ApiServer, admin: KubeconfigClient
) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "beat"},
    }
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    assert admin.request("POST", leases, lease).status == 201
    assert admin.request("GET", "/readyz").status == 200
    uris = {one["requestURI"] for one in audited(server)}
    assert not any("/leases" in uri or uri == "/readyz" for uri in uris)
    watched = {
        one["objectRef"]["resource"]
        for one in audited(server)
        if one["verb"] == "watch" and one["user"]["username"] == "system:apiserver"
    }
    assert watched <= {"secrets"}
