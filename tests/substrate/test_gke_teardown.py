"""What goes before what at a destroy: the reverse of who depends on whom."""

import functools
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks import gke
from stacks.config import GkeStack, parse_stack
from tests.config.test_bad_configs import apply
from tests.harness import Recorder, Registration, deploy

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = "kubernetes:argoproj.io/v1alpha1:Application"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
SERVICE = "gcp:projects/service:Service"
HOLDS_DATA = {
    CLUSTER,
    "gcp:compute/address:Address",
    "gcp:dns/managedZone:ManagedZone",
    "gcp:secretmanager/secret:Secret",
    "gcp:storage/bucket:Bucket",
}


@functools.cache
def everything(*, protected: bool = False) -> Recorder:
    """Run the composition root on the example that has every system."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "everything.yaml").read_text())
    changes: dict[str, Any] = {"platform.gitops.revision": "v1.0.0"}
    if not protected:
        changes |= {"gke.deletion_protection": False, "platform.tier": "dev"}
    stack = parse_stack(apply(document["config"]["llmp:stack"], changes), "everything.yaml")
    assert isinstance(stack, GkeStack)
    return deploy(lambda: gke.deploy(stack))


@functools.cache
def goes_after() -> dict[str, frozenset[str]]:
    """Return, for each resource, all that is deleted only once it is gone."""
    return everything().deleted_before()


def resources(prefix: str) -> list[Registration]:
    found = [each for each in everything().registrations if each.type.startswith(prefix)]
    assert found, prefix
    return found


def test_the_example_has_every_part_that_a_stack_can_have_at_google() -> None:
    assert {each.type for each in resources("gcp:")} >= HOLDS_DATA | {
        "gcp:billing/budget:Budget",
        "gcp:monitoring/notificationChannel:NotificationChannel",
        "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember",
        "gcp:artifactregistry/repository:Repository",
    }


def test_all_applications_go_before_anything_at_google_does() -> None:
    # Their Services have load balancers, and their claims disks, that only a living cluster frees.
    google = {each.urn for each in resources("gcp:")}
    for each in resources(APPLICATION):
        assert google <= goes_after()[each.urn], each.name


def test_argo_cd_outlives_the_applications_whose_finalizers_it_serves() -> None:
    argo_cd = {each.urn for each in resources("kubernetes:helm.sh/v3:Release")}
    for each in resources(APPLICATION):
        assert argo_cd <= goes_after()[each.urn], each.name


def test_argo_cd_goes_before_the_nodes_that_it_runs_on() -> None:
    platform_pools = {
        each.urn
        for each in resources(POOL)
        if each.inputs["nodeConfig"]["labels"]["llmp.dev/pool"] == "platform"
    }
    assert len(platform_pools) == 1
    for each in resources("kubernetes:helm.sh/v3:Release"):
        assert platform_pools <= goes_after()[each.urn]


def test_pools_go_before_the_cluster_and_the_cluster_before_its_network() -> None:
    cluster = everything().one(CLUSTER)
    for each in resources(POOL):
        assert cluster.urn in goes_after()[each.urn]
    network = {
        each.urn
        for kind in ("network:", "subnetwork:", "router:", "routerNat:")
        for each in resources(f"gcp:compute/{kind}")
    }
    assert network <= goes_after()[cluster.urn]


def test_nodes_keep_their_rights_until_they_are_gone() -> None:
    account = everything().one(
        "gcp:serviceaccount/account:Account", "substrate-node-identity-account"
    )
    roles = {
        each.urn for each in resources("gcp:projects/iAMMember:") if account.urn in each.depends_on
    }
    assert roles
    for each in resources(POOL):
        assert roles | {account.urn} <= goes_after()[each.urn]


def test_whoever_has_rights_on_something_loses_them_before_it_goes() -> None:
    of_kind = {
        "gcp:dns/dnsManagedZoneIamMember:": "gcp:dns/managedZone:ManagedZone",
        "gcp:secretmanager/secretIamMember:": "gcp:secretmanager/secret:Secret",
        "gcp:storage/bucketIAMMember:": "gcp:storage/bucket:Bucket",
        "gcp:artifactregistry/repositoryIamMember:": "gcp:artifactregistry/repository:Repository",
    }
    for rights, kind in of_kind.items():
        owned = {each.urn for each in everything().all(kind)}
        for each in resources(rights):
            assert owned & goes_after()[each.urn], each.name


def test_apis_are_there_for_as_long_as_anything_needs_them_and_stay_on() -> None:
    services = {each.urn for each in resources(SERVICE)}
    for each in resources("gcp:"):
        if each.type != SERVICE:
            assert services <= goes_after()[each.urn], each.name
    assert all(each.inputs["disableOnDestroy"] is False for each in resources(SERVICE))


# What is left


def test_nothing_is_kept_and_nothing_is_protected_where_the_config_says_so() -> None:
    for each in everything().registrations:
        label = f"{each.type} {each.name}"
        assert not each.protect, label
        assert not each.retain_on_delete, label
        assert each.inputs.get("deletionProtection") is not True, label
        assert each.inputs.get("deletionPolicy") not in ("ABANDON", "PREVENT"), label
        # Google deletes neither a zone with records nor a bucket with objects.
        if each.type in ("gcp:dns/managedZone:ManagedZone", "gcp:storage/bucket:Bucket"):
            assert each.inputs["forceDestroy"] is True, label


def test_what_holds_data_is_protected_in_production_and_nothing_else_is() -> None:
    google = [
        each for each in everything(protected=True).registrations if each.type.startswith("gcp:")
    ]
    assert {each.type for each in google if each.protect} >= HOLDS_DATA
    for each in google:
        if each.type in HOLDS_DATA:
            assert each.protect, each.name
            assert each.inputs.get("forceDestroy") is not True, each.name


@pytest.mark.parametrize("word", ["default", "0.0.0.0/0"])
def test_the_default_network_and_account_of_the_project_are_left_alone(word: str) -> None:
    for each in resources("gcp:compute/"):
        assert word not in {str(each.inputs.get(key)) for key in ("name", "network")}
        assert word not in each.inputs.get("sourceRanges", [])
    assert not [each for each in everything().registrations if "defaultService" in each.type]


def test_every_name_at_google_is_this_cluster_s_own() -> None:
    # Two stacks of a project must not meet: what has a fixed name carries the cluster's.
    shared = {SERVICE, "gcp:dns/managedZone:ManagedZone"}
    for each in resources("gcp:"):
        for key in ("name", "accountId", "repositoryId"):
            name = each.inputs.get(key)
            if isinstance(name, str) and each.type not in shared | {POOL}:
                assert "llmp" in name, f"{each.type} {name}"
