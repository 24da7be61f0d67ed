"""What goes before what at a destroy of a Hetzner stack, and what stays: by who depends on whom."""

import copy
import functools
import os
from typing import Any, Final
from unittest import mock

import pytest

from stacks import hetzner
from stacks.config import HetznerStack, parse_stack
from tests.harness import Recorder, Registration, deploy
from tests.samples import HETZNER_STACK
from tests.substrate.hetzner_samples import TOKEN

APPLICATION: Final = "kubernetes:argoproj.io/v1alpha1:Application"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
SERVER: Final = "hcloud:index/server:Server"
NETWORK: Final = "hcloud:index/network:Network"
HOLDS_DATA: Final = {SERVER, NETWORK, "hcloud:index/primaryIp:PrimaryIp"}


@functools.cache
def everything(*, protected: bool = False) -> Recorder:
    """Run the composition root with a load balancer before three API servers."""
    document: dict[str, Any] = copy.deepcopy(HETZNER_STACK)
    document["hetzner"] |= {
        "control_plane": {"count": 3, "load_balancer": "private"},
        "worker_pools": [
            {"name": "platform", "count": 2},
            {"name": "more", "autoscaling": {"min": 0, "max": 3}},
        ],
        "deletion_protection": protected,
    }
    stack = parse_stack(document, "Pulumi.hetzner.yaml")
    assert isinstance(stack, HetznerStack)

    with mock.patch.dict(os.environ, {"HCLOUD_TOKEN": TOKEN, "GPU_SERVERS_SSH_KEY": "key"}):
        return deploy(lambda: hetzner.deploy(stack))


@functools.cache
def goes_after() -> dict[str, frozenset[str]]:
    """Return, for each resource, all that is deleted only once it is gone."""
    return everything().deleted_before()


def resources(prefix: str) -> list[Registration]:
    found = [each for each in everything().registrations if each.type.startswith(prefix)]
    assert found, prefix
    return found


def test_all_applications_go_before_anything_at_hetzner_does() -> None:
    # Their Services have load balancers, and their claims volumes, that only controllers free.
    at_hetzner = {each.urn for each in resources("hcloud:")}
    for each in resources(APPLICATION):
        assert at_hetzner <= goes_after()[each.urn], each.name


def test_what_frees_load_balancers_and_volumes_outlives_the_applications() -> None:
    charts = {each.inputs["chart"]: each.urn for each in resources(RELEASE)}
    controllers = {
        charts[chart] for chart in ("cilium", "hcloud-cloud-controller-manager", "hcloud-csi")
    }
    for each in resources(APPLICATION):
        assert controllers <= goes_after()[each.urn], each.name


def test_argo_cd_outlives_the_applications_whose_finalizers_it_serves() -> None:
    (argo_cd,) = [each.urn for each in resources(RELEASE) if each.inputs["chart"] == "argo-cd"]
    for each in resources(APPLICATION):
        assert argo_cd in goes_after()[each.urn], each.name


def test_the_token_outlives_the_controllers_that_call_hetzner_with_it() -> None:
    token = everything().one("kubernetes:core/v1:Secret", "substrate-addons-token").urn
    for each in resources(RELEASE):
        if each.inputs["chart"] in ("hcloud-cloud-controller-manager", "hcloud-csi"):
            assert token in goes_after()[each.urn], each.name


def test_the_api_is_reached_through_its_load_balancer_until_nothing_is_in_the_cluster() -> None:
    balancer = {each.urn for each in resources("hcloud:index/loadBalancer")}
    assert len(balancer) == 4
    for each in resources("kubernetes:"):
        assert balancer <= goes_after()[each.urn], each.name


def test_servers_go_before_the_network_the_firewalls_and_the_groups_that_they_are_in() -> None:
    groups = {each.urn for each in resources("hcloud:index/placementGroup:")}
    firewalls = {each.urn for each in resources("hcloud:index/firewall:")}
    for each in resources(SERVER):
        assert groups & goes_after()[each.urn], each.name
        assert firewalls & goes_after()[each.urn], each.name
    subnets = {each.urn for each in resources("hcloud:index/networkSubnet:")}
    for each in resources("hcloud:index/serverNetwork:"):
        assert subnets & goes_after()[each.urn], each.name


def test_nothing_is_kept_and_nothing_is_protected_where_the_config_says_so() -> None:
    for each in everything().registrations:
        label = f"{each.type} {each.name}"
        assert not each.protect, label
        assert not each.retain_on_delete, label
        assert each.inputs.get("deleteProtection") is not True, label


def test_what_holds_data_or_a_known_address_is_protected_where_the_config_says_so() -> None:
    protected = {
        each.type
        for each in everything(protected=True).registrations
        if each.inputs.get("deleteProtection") is True
    }
    assert protected == HOLDS_DATA | {"hcloud:index/loadBalancer:LoadBalancer"}


@pytest.mark.parametrize("label", ["managed-by", "cluster"])
def test_what_a_crash_leaves_is_found_by_its_labels(label: str) -> None:
    unlabelled = {
        "hcloud:index/networkSubnet:NetworkSubnet",
        "hcloud:index/serverNetwork:ServerNetwork",
        "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork",
        "hcloud:index/loadBalancerService:LoadBalancerService",
        "hcloud:index/loadBalancerTarget:LoadBalancerTarget",
    }
    wanted = {"managed-by": "llmp", "cluster": "llmp"}[label]
    for each in resources("hcloud:"):
        if each.type not in unlabelled:
            assert each.inputs["labels"][label] == wanted, each.name


def test_every_name_at_hetzner_is_this_cluster_s_own() -> None:
    for each in resources("hcloud:"):
        name = each.inputs.get("name")
        if name is not None:
            assert name == "llmp" or name.startswith("llmp-"), f"{each.type} {name}"
