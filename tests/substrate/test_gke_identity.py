"""Who may do what at Google: the audit of a substrate with all of its parts on."""

import functools
import re
from typing import Any

import pytest

from components.substrate.gke_node_identity import NODE_ROLES
from tests.conftest import Run
from tests.harness import Recorder, Registration, deploy
from tests.substrate.gke_samples import EVERYTHING, substrate

CLUSTER = "gcp:container/cluster:Cluster"
ACCOUNT = "gcp:serviceaccount/account:Account"
ACT_AS = "gcp:serviceaccount/iAMMember:IAMMember"
PROJECT_ROLE = "gcp:projects/iAMMember:IAMMember"
CUSTOM_ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
SECRET_ROLE = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type token
REPOSITORY_ROLE = "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember"
POOL_MEMBER = re.compile(r"serviceAccount:my-project\.svc\.id\.goog\[(?P<account>[^\]]+)\]")
NODES = "serviceAccount:llmp-nodes@my-project.iam.gserviceaccount.com"


@functools.cache
def everything() -> Recorder:
    """Build the substrate once for all tests that only look at it."""
    return deploy(lambda: _drop(substrate(**EVERYTHING)))


def grants() -> list[Registration]:
    """Return everything that gives somebody a role."""
    return [each for each in everything().registrations if "role" in each.inputs]


def contract() -> dict[str, Any]:
    urn = everything().one("llmp:substrate:GkeSubstrate").urn
    return everything().component_outputs(urn)["contract"]


def grants_of(role_id: str) -> set[str]:
    """Return the types of the grants to one Google service account of the cluster."""
    member = f"serviceAccount:llmp-{role_id}@my-project.iam.gserviceaccount.com"
    return {each.type for each in grants() if each.inputs["member"] == member}


def test_the_sample_has_every_identity_that_there_is() -> None:
    assert set(contract()["workload_identities"]) == {
        "external_secrets",
        "cert_manager",
        "external_dns",
        "database",
    }


# What nobody gets


@pytest.mark.parametrize("role", ["owner", "editor", "viewer", "browser"])
def test_nobody_gets_a_primitive_role(role: str) -> None:
    assert f"roles/{role}" not in {each.inputs["role"] for each in grants()}


def test_roles_in_the_whole_project_are_the_nodes_own_and_the_list_of_zones() -> None:
    listing = everything().one(CUSTOM_ROLE, "substrate-dns-access-list-role")
    granted = [each for each in grants() if each.type == PROJECT_ROLE]
    of_nodes = {each.inputs["role"] for each in granted if each.inputs["member"] == NODES}
    others = [each for each in granted if each.inputs["member"] != NODES]
    assert of_nodes == set(NODE_ROLES.values())
    assert [each.inputs["member"] for each in others] == [
        "serviceAccount:llmp-external-dns@my-project.iam.gserviceaccount.com"
    ]
    assert listing.urn in others[0].depends_on


@pytest.mark.parametrize("service", ["secretmanager", "storage", "artifactregistry", "dns", "iam"])
def test_no_store_is_open_in_the_whole_project(service: str) -> None:
    in_project = {each.inputs["role"] for each in grants() if each.type == PROJECT_ROLE}
    assert not [role for role in in_project if role.startswith(f"roles/{service}.")]


def test_no_role_of_ours_lets_anybody_give_rights() -> None:
    permissions = {
        one for each in everything().all(CUSTOM_ROLE) for one in each.inputs["permissions"]
    }
    assert permissions
    assert not [one for one in permissions if "setIam" in one or one.startswith("iam.")]


def test_no_identity_gets_a_key() -> None:
    types = {each.type for each in everything().registrations}
    assert not [token for token in types if token.startswith("gcp:serviceaccount/key:")]


def test_rights_that_others_gave_are_never_taken_away() -> None:
    # Resources of these kinds own a role or a whole policy, and remove whoever else is in it.
    types = {each.type.lower() for each in everything().registrations}
    assert not [token for token in types if token.endswith(("iambinding", "iampolicy"))]


# Workload identities


def test_each_identity_of_the_contract_is_trusted_by_one_account_and_no_other_is() -> None:
    emails = {
        f"projects/my-project/serviceAccounts/{email}": email
        for each in everything().all(ACCOUNT)
        for email in [f"{each.inputs['accountId']}@my-project.iam.gserviceaccount.com"]
    }
    made: list[tuple[str, str]] = []
    for each in everything().all(ACT_AS):
        assert each.inputs["role"] == "roles/iam.workloadIdentityUser"
        matched = POOL_MEMBER.fullmatch(each.inputs["member"])
        assert matched, each.inputs["member"]
        made.append((matched["account"], emails[each.inputs["serviceAccountId"]]))
    promised = [
        (
            f"{one['namespace']}/{one['service_account']}",
            one["annotations"]["iam.gke.io/gcp-service-account"],
        )
        for one in contract()["workload_identities"].values()
    ]
    assert sorted(made) == sorted(promised)


def test_identities_are_bound_once_the_cluster_made_their_pool(run: Run) -> None:
    recorder = run(lambda: _drop(substrate(**EVERYTHING)))
    bindings = recorder.all(ACT_AS)
    assert len(bindings) == len(contract()["workload_identities"])
    for each in bindings:
        assert recorder.one(CLUSTER).urn in each.depends_on


def test_each_identity_has_rights_on_single_resources_of_one_kind() -> None:
    zone = "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember"
    assert grants_of("secrets") == {SECRET_ROLE}
    assert grants_of("database") == {"gcp:storage/bucketIAMMember:BucketIAMMember"}
    assert grants_of("cert-manager") == {zone}
    assert grants_of("external-dns") == {zone, PROJECT_ROLE}


def test_every_account_is_the_nodes_or_somebody_s_in_the_contract() -> None:
    accounts = {each.inputs["accountId"] for each in everything().all(ACCOUNT)}
    assert accounts == {
        "llmp-nodes",
        "llmp-secrets",
        "llmp-database",
        "llmp-cert-manager",
        "llmp-external-dns",
    }


# Nodes


def test_nodes_read_single_repositories_because_the_kubelet_pulls_images_as_them() -> None:
    repositories = {
        each.inputs["repositoryId"]
        for each in everything().all("gcp:artifactregistry/repository:Repository")
    }
    readable = [each.inputs for each in grants() if each.type == REPOSITORY_ROLE]
    assert {one["repository"] for one in readable} == repositories
    assert {(one["role"], one["member"]) for one in readable} == {
        ("roles/artifactregistry.reader", NODES)
    }
    assert grants_of("nodes") == {PROJECT_ROLE, REPOSITORY_ROLE}


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
