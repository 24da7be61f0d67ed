"""Secrets of a Hetzner stack in Google's Secret Manager: by the cluster's own tokens, by no key."""

import base64
import hashlib
import json
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from components.contract import SubstrateContract
from components.platform.apps import catalogue
from components.platform.apps.platform import EXTERNAL_SECRETS_PODS
from components.platform.network import Outside
from components.substrate.hetzner_substrate import HetznerSubstrate, HetznerSubstrateArgs
from components.substrate.service_account_keys import key_set
from stacks.config import parse_stack
from stacks.config.stack import HetznerStack
from stacks.contracts import known_contract, secret_store
from stacks.hetzner import google_secrets
from stacks.platform import platform_inputs
from tests.harness import Recorder, deploy
from tests.samples import HETZNER_STACK, MODEL
from tests.substrate.hetzner_samples import TOKEN, topology

POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
TRUST = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
RIGHT = "gcp:secretmanager/secretIamMember:SecretIamMember"
NAME = "projects/123456789012/locations/global/workloadIdentityPools/llmp-cluster"
MEMBER = (
    f"principal://iam.googleapis.com/{NAME}/subject/"
    "system:serviceaccount:external-secrets:external-secrets"
)
FEDERATION: dict[str, Any] = {"project": "my-project", "project_number": 123456789012}
STACK: dict[str, Any] = {
    **HETZNER_STACK,
    "models": [{**MODEL, "source": {**MODEL["source"], "token_secret": "hugging-face-token"}}],
    "secrets": {
        "store": "google-secret-manager",
        "prefix": "staging-",
        "federation": FEDERATION,
    },
}


def stack(**federation: Any) -> HetznerStack:  # noqa: ANN401 - of the section
    """Return the stack with some keys of its federation changed."""
    secrets = {**STACK["secrets"], "federation": {**FEDERATION, **federation}}
    parsed = parse_stack({**STACK, "secrets": secrets}, "Pulumi.test.yaml")
    assert isinstance(parsed, HetznerStack)
    return parsed


def contract() -> SubstrateContract:
    """Return what the stack's substrate promises."""
    found = known_contract(stack())
    assert found is not None
    return found


def build(parsed: HetznerStack) -> Recorder:
    """Build the substrate of a stack as an up would."""

    def program() -> None:
        HetznerSubstrate(
            "substrate",
            HetznerSubstrateArgs(
                topology=topology(),
                token=TOKEN,
                secret_store=secret_store(parsed),
                google_secrets=google_secrets(parsed),
            ),
        )

    return deploy(program)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return build(stack())


def test_the_key_set_is_of_the_key_that_the_first_server_is_given(recorder: Recorder) -> None:
    trust = recorder.one(TRUST, "substrate-workload-federation-provider").inputs
    (key,) = json.loads(trust["oidc"]["jwksJson"])["keys"]
    server = recorder.one("hcloud:index/server:Server", "substrate-control-plane-0-server")
    files = yaml.safe_load(server.inputs["userData"])["write_files"]
    (signing,) = (one["content"] for one in files if one["path"].endswith("/tls/service.key"))
    public = load_pem_private_key(signing.encode(), password=None).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert _number(key["n"]) == public.public_numbers().n
    assert _number(key["e"]) == 65537
    encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key["kid"] == base64.urlsafe_b64encode(hashlib.sha256(encoded).digest()).decode().strip(
        "="
    )
    # Google takes these fields and no other.
    assert set(key) == {"kty", "alg", "use", "kid", "n", "e"}


def test_a_key_of_another_kind_has_no_key_set() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="signed with RSA"):
        key_set(pem)


def test_google_trusts_tokens_of_one_service_account_alone(recorder: Recorder) -> None:
    assert recorder.one(POOL, "substrate-workload-federation-pool").inputs == {
        "project": "my-project",
        "workloadIdentityPoolId": "llmp-cluster",
        "description": "Service accounts of Kubernetes cluster llmp",
    }
    trust = recorder.one(TRUST, "substrate-workload-federation-provider").inputs
    assert trust["attributeCondition"] == (
        "assertion.sub == 'system:serviceaccount:external-secrets:external-secrets'"
    )
    assert trust["attributeMapping"] == {"google.subject": "assertion.sub"}
    assert trust["oidc"]["issuerUri"] == "https://kubernetes.default.svc.cluster.local"
    # An empty list: only the provider's own name is an audience.
    assert "allowedAudiences" not in trust["oidc"]


def test_rights_are_on_single_secrets_and_of_that_service_account(recorder: Recorder) -> None:
    rights = recorder.all(RIGHT)
    assert {each.inputs["member"] for each in rights} == {MEMBER}
    roles: dict[str, set[str]] = {}
    for each in rights:
        roles.setdefault(each.inputs["secretId"], set()).add(each.inputs["role"])
    assert roles["staging-hugging-face-token"] == {"roles/secretmanager.secretAccessor"}
    assert roles["staging-vllm-api-key"] == {
        "roles/secretmanager.secretAccessor",
        "roles/secretmanager.viewer",
        "roles/secretmanager.secretVersionAdder",
    }
    assert set(roles) == {each.inputs["secretId"] for each in recorder.all(SECRET)}
    assert not recorder.all("gcp:projects/iAMMember:IAMMember")


def test_there_is_no_service_account_of_google_and_no_key_of_one(recorder: Recorder) -> None:
    at_google = {each.type for each in recorder.registrations if each.type.startswith("gcp:")}
    assert at_google == {POOL, TRUST, SECRET, RIGHT, "gcp:projects/service:Service"}


def test_a_cluster_that_keeps_its_own_secrets_knows_nothing_of_google() -> None:
    parsed = parse_stack(HETZNER_STACK, "Pulumi.test.yaml")
    assert isinstance(parsed, HetznerStack)
    made = build(parsed)
    assert not [each for each in made.registrations if "gcp" in each.type]


def test_the_contract_says_by_which_provider_the_operator_proves_itself() -> None:
    store = contract().secret_store
    assert store.project == "my-project"
    assert store.audience == f"//iam.googleapis.com/{NAME}/providers/kubernetes"
    assert contract().workload_identities["external_secrets"].annotations == {}
    assert SubstrateContract.from_annotations(contract().annotations()) == contract()


def test_the_operator_calls_google_and_no_metadata_server() -> None:
    inputs = platform_inputs(stack(), contract(), "0" * 40)
    called = {
        one.server
        for each in catalogue(inputs)
        for one in each.connections
        if one.client == EXTERNAL_SECRETS_PODS and isinstance(one.server, Outside)
    }
    assert called == {Outside.API_SERVER, Outside.INTERNET}


def test_a_pool_has_the_clusters_name_unless_that_is_taken_still() -> None:
    chosen, default = stack(pool="llmp-cluster-2"), stack()
    assert chosen.secrets.federation is not None
    assert default.secrets.federation is not None
    assert chosen.secrets.federation.pool_id("llmp") == "llmp-cluster-2"
    assert default.secrets.federation.pool_id("llmp") == "llmp-cluster"
    assert len(default.secrets.federation.pool_id("c" * 40)) <= 32  # IAM API


def test_secrets_at_google_say_whose_they_are(recorder: Recorder) -> None:
    labels = {each.inputs["secretId"]: each.inputs["labels"] for each in recorder.all(SECRET)}
    assert {each["llmp-cluster"] for each in labels.values()} == {"llmp"}
    assert labels["staging-hugging-face-token"]["managed-by"] == "llmp"
    assert labels["staging-vllm-api-key"]["managed-by"] == "external-secrets"


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
