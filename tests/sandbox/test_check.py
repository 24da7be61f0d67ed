"""What the providers refuse before anything is made."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.provider.values import UNKNOWN, Secret
from tests.sandbox.conftest import Provider, paths

Configured = Callable[..., Provider]

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
ACCOUNT = "gcp:serviceaccount/account:Account"
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
BUCKET = "gcp:storage/bucket:Bucket"
SUBNET: dict[str, Any] = {"network": "net", "ipCidrRange": "10.0.0.0/20"}
MEMBER: dict[str, Any] = {
    "project": "sandbox-project",
    "role": "roles/viewer",
    "member": "user:jane@example.com",
}

GOOGLE: list[tuple[str, dict[str, Any], str, str]] = [
    (NETWORK, {"autoCreateSubnets": False}, "autoCreateSubnets", "autoCreateSubnetworks"),
    (NETWORK, {"mtu": "1460"}, "mtu", "whole number"),
    (NETWORK, {"mtu": 1460.5}, "mtu", "whole number"),
    (NETWORK, {"mtu": 9000}, "mtu", "between 1300 and 8896"),
    (NETWORK, {"name": "Net_1"}, "name", "pattern"),
    (NETWORK, {"routingMode": "LOCAL"}, "routingMode", "REGIONAL, GLOBAL"),
    (SUBNETWORK, {"ipCidrRange": "10.0.0.0/20"}, "network", "required"),
    (SUBNETWORK, {**SUBNET, "ipCidrRange": "10.0.0.1/20"}, "ipCidrRange", "host bits"),
    (SUBNETWORK, {**SUBNET, "ipCidrRange": "10.0.0.0"}, "ipCidrRange", "CIDR"),
    (
        SUBNETWORK,
        {**SUBNET, "secondaryIpRanges": [{"ipCidrRange": "10.4.0.0/14"}]},
        "secondaryIpRanges[0].rangeName",
        "required",
    ),
    (ACCOUNT, {"accountId": "short"}, "accountId", "pattern"),
    (ACCOUNT, {"accountId": "a" * 31}, "accountId", "pattern"),
    (PROJECT_MEMBER, {**MEMBER, "member": "jane@example.com"}, "member", "IAM member"),
    (PROJECT_MEMBER, {**MEMBER, "member": "serviceAccount:nodes"}, "member", "e-mail"),
    (PROJECT_MEMBER, {**MEMBER, "role": "viewer"}, "role", "not a role"),
    (CLUSTER, {"name": "c" * 41}, "name", "length of 41"),
    (CLUSTER, {"location": "europe"}, "location", "neither region nor zone"),
    (CLUSTER, {"datapathProvider": "CILIUM"}, "datapathProvider", "ADVANCED_DATAPATH"),
    (
        CLUSTER,
        {"privateClusterConfig": {"masterIpv4CidrBlock": "10.0.0.0/24"}},
        "privateClusterConfig.masterIpv4CidrBlock",
        "/28",
    ),
    (
        CLUSTER,
        {"enableAutopilot": True, "removeDefaultNodePool": True},
        "enableAutopilot",
        "removeDefaultNodePool",
    ),
    (POOL, {"cluster": "c", "autoscaling": {"minNodes": 1}}, "autoscaling.minNodes", "not known"),
    (
        POOL,
        {"cluster": "c", "autoscaling": {"minNodeCount": 3, "maxNodeCount": 2}},
        "autoscaling.minNodeCount",
        "more than maxNodeCount",
    ),
    (
        POOL,
        {"cluster": "c", "nodeConfig": {"taints": [{"key": "k", "value": "v", "effect": "None"}]}},
        "nodeConfig.taints[0].effect",
        "NO_SCHEDULE",
    ),
    (
        POOL,
        {"cluster": "c", "nodeConfig": {"spot": True, "preemptible": True}},
        "nodeConfig.spot",
        "preemptible",
    ),
    (BUCKET, {"location": "EU", "name": "goog-x"}, "name", "pattern"),
    (BUCKET, {"location": "EU", "name": "my-g00gle"}, "name", "pattern"),
    (BUCKET, {"location": "EU", "name": "b" * 64}, "name", "pattern"),
    (BUCKET, {"location": "europe-west4-a"}, "location", "pattern"),
    (
        BUCKET,
        {"location": "EU", "softDeletePolicy": {"retentionDurationSeconds": 86400}},
        "softDeletePolicy.retentionDurationSeconds",
        "none of 0, 604800-7776000",
    ),
    (
        BUCKET,
        {"location": "EU", "lifecycleRules": [{"action": {"type": "Delete"}, "condition": {}}]},
        "lifecycleRules[0].condition",
        "without a condition",
    ),
    (
        BUCKET,
        {
            "location": "EU",
            "lifecycleRules": [{"action": {"type": "SetStorageClass"}, "condition": {"age": 1}}],
        },
        "lifecycleRules[0].action.storageClass",
        "goes with SetStorageClass",
    ),
    (
        BUCKET,
        {
            "location": "EU",
            "lifecycleRules": [
                {
                    "action": {"type": "AbortIncompleteMultipartUpload"},
                    "condition": {"age": 7, "numNewerVersions": 1},
                }
            ],
        },
        "lifecycleRules[0].condition.numNewerVersions",
        "no condition of AbortIncompleteMultipartUpload",
    ),
    ("gcp:dns/managedZone:ManagedZone", {"dnsName": "example.com"}, "dnsName", "pattern"),
    (
        "gcp:artifactregistry/repository:Repository",
        {"repositoryId": "r", "format": "OCI"},
        "format",
        "DOCKER",
    ),
    (
        "gcp:compute/firewall:Firewall",
        {"network": "n", "allows": [{"protocol": "tcp", "ports": ["http"]}]},
        "allows[0].ports[0]",
        "pattern",
    ),
    ("gcp:compute/firewall:Firewall", {"network": "n"}, "allows", "exactly one"),
    ("gcp:projects/service:Service", {"service": "container"}, "service", "pattern"),
    ("gcp:compute/instance:Instance", {"machineType": "e2-small"}, "", "sandbox/rules/gcp.yaml"),
    ("gcp:compute/netwerk:Netwerk", {}, "", "has no type"),
]

RULE: dict[str, Any] = {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": []}
SUBNET_OF: dict[str, Any] = {
    "networkId": 1,
    "type": "cloud",
    "networkZone": "eu-central",
    "ipRange": "10.0.1.0/24",
}
HETZNER: list[tuple[str, dict[str, Any], str, str]] = [
    ("network:Network", {"ipRange": "10.0.0.0/33"}, "ipRange", "CIDR"),
    ("network:Network", {"ipRange": "8.8.0.0/16"}, "ipRange", "private"),
    ("network:Network", {}, "ipRange", "required"),
    ("network:Network", {"ipRange": "10.0.0.0/8", "labels": {"a b": "c"}}, "labels", "label key"),
    ("networkSubnet:NetworkSubnet", {**SUBNET_OF, "type": "private"}, "type", "vswitch"),
    ("networkSubnet:NetworkSubnet", {**SUBNET_OF, "networkId": "1"}, "networkId", "whole number"),
    ("firewall:Firewall", {"rules": [{**RULE, "protocol": "sctp"}]}, "rules[0].protocol", "esp"),
    ("firewall:Firewall", {"rules": [{**RULE, "direction": "up"}]}, "rules[0].direction", "out"),
    (
        "firewall:Firewall",
        {"rules": [{**RULE, "sourceIps": ["10.0.0.1/8"]}]},
        "rules[0].sourceIps[0]",
        "host bits",
    ),
    ("firewall:Firewall", {"rules": [{"direction": "in"}]}, "rules[0].protocol", "required"),
    ("server:Server", {"serverType": "cx23", "image": ""}, "image", "length"),
    ("server:Server", {"serverType": "cx23", "datacenter": "fsn1-dc14"}, "datacenter", "location"),
    ("server:Server", {"serverType": "cx23", "userData": "x" * 32_769}, "userData", "32768"),
    ("server:Server", {"serverType": "cx23", "networks": [{}]}, "networks[0]", "networkId"),
    ("server:Server", {"serverTyp": "cx23"}, "serverTyp", "serverType"),
    ("primaryIp:PrimaryIp", {"type": "ipv4"}, "location", "exactly one"),
    ("placementGroup:PlacementGroup", {"type": "pack"}, "type", "spread"),
    ("sshKey:SshKey", {"publicKey": "not a key"}, "publicKey", "pattern"),
    ("volume:Volume", {"size": 5}, "size", "between 10"),
    ("loadBalancerTarget:LoadBalancerTarget", {"loadBalancerId": 1, "type": "server"},
     "serverId", "required"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "inputs", "path", "reason"), GOOGLE)
def test_gcp_refuses(
    provider: Configured, token: str, inputs: dict[str, Any], path: str, reason: str
) -> None:
    failures = provider("gcp").refusals(token, inputs)
    assert path in paths(failures)
    assert any(failure.path == path and reason in failure.reason for failure in failures)


@pytest.mark.parametrize(("token", "inputs", "path", "reason"), HETZNER)
def test_hcloud_refuses(
    provider: Configured, token: str, inputs: dict[str, Any], path: str, reason: str
) -> None:
    failures = provider("hcloud").refusals(f"hcloud:index/{token}", inputs)
    assert any(failure.path == path and reason in failure.reason for failure in failures), failures


def test_a_project_is_needed_from_the_resource_or_the_provider(provider: Configured) -> None:
    bare = provider("gcp", project=None)
    assert paths(bare.refusals(NETWORK, {})) == {"project"}
    assert bare.refusals(NETWORK, {"project": "another-project"}) == []


@pytest.mark.parametrize("token", ["short", "x" * 63, "x" * 65])
def test_a_hetzner_token_has_64_characters(
    provider: Configured, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.delenv("HCLOUD_TOKEN", raising=False)
    served = provider("hcloud").package
    assert paths(served.check_config({"token": Secret(token)})) == {"token"}
    monkeypatch.setenv("HCLOUD_TOKEN", "y" * 64)
    assert served.check_config({}) == []


def test_unknown_values_pass_until_they_are_known(provider: Configured) -> None:
    inputs = {"network": UNKNOWN, "ipCidrRange": UNKNOWN, "secondaryIpRanges": UNKNOWN}
    assert provider("gcp").refusals(SUBNETWORK, inputs) == []


def test_a_secret_value_is_checked_and_never_shown(provider: Configured) -> None:
    inputs = {"ipRange": Secret("hunter2"), "labels": {"a": Secret(17)}}
    failures = provider("hcloud").refusals("hcloud:index/network:Network", inputs)
    assert paths(failures) == {"labels.a"}
    failures = provider("hcloud").refusals(
        "hcloud:index/network:Network", {"ipRange": Secret("hunter2")}
    )
    assert paths(failures) == {"ipRange"}
    assert "hunter2" not in failures[0].reason


def test_every_problem_of_a_resource_is_reported_at_once(provider: Configured) -> None:
    failures = provider("gcp").refusals(NETWORK, {"mtu": "big", "nam": "x", "name": 7})
    assert paths(failures) == {"mtu", "nam", "name"}


def test_a_missing_name_is_made_up_and_then_remembered(provider: Configured) -> None:
    google = provider("gcp")
    first = google.checked(NETWORK, {}, name="main-net")
    assert first["name"].startswith("main-net-")
    again = google.checked(NETWORK, {}, olds=first, name="main-net")
    assert again == first


def test_a_made_up_name_is_held_to_the_same_rules(provider: Configured) -> None:
    assert paths(provider("gcp").refusals(NETWORK, {}, name="Main_Net")) == {"name"}


def test_defaults_are_filled_in(provider: Configured) -> None:
    assert provider("gcp").checked(CLUSTER, {"initialNodeCount": 1})["deletionProtection"] is True
