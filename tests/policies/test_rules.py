"""Each rule alone: what it lets pass, what it refuses, and with which words."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from policies.model import TIERS, Hidden, Resource, Tier
from policies.rules import (
    APPLICATION,
    COST_LABELS,
    DATA,
    GCP_BUCKET,
    GCP_CLUSTER,
    GCP_FIREWALL,
    GCP_NODE_POOL,
    HCLOUD_FIREWALL,
    HCLOUD_SERVER,
    LABELLED,
    RELEASE,
    RULES,
    SECRET,
    violations,
)
from sandbox.provider.sdk_types import SdkTypes
from tests.harness import COMPUTED
from tests.policies.samples import changed

GOOGLE_LABELS: Final = {"managed-by": "llmp", "llmp-cluster": "llmp"}
ACCOUNT: Final = "nodes@my-project.iam.gserviceaccount.com"
POD: Final = "serviceAccount:my-project.svc.id.goog[litellm/litellm-pg]"
COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"

CLUSTER: Final[dict[str, Any]] = {
    "network": "projects/my-project/global/networks/llmp",
    "initialNodeCount": 1.0,
    "nodeConfig": {"serviceAccount": ACCOUNT},
    "workloadIdentityConfig": {"workloadPool": "my-project.svc.id.goog"},
    "privateClusterConfig": {"enablePrivateNodes": True},
    "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": False}},
    "deletionProtection": True,
    "resourceLabels": GOOGLE_LABELS,
}
POOL: Final[dict[str, Any]] = {
    "initialNodeCount": 0.0,
    "autoscaling": {"totalMinNodeCount": 0.0, "totalMaxNodeCount": 2.0},
    "nodeConfig": {
        "machineType": "g2-standard-4",
        "spot": True,
        "guestAccelerators": [{"type": "nvidia-l4", "count": 1.0}],
        "serviceAccount": ACCOUNT,
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        "taints": [
            {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"},
            {"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NO_SCHEDULE"},
        ],
        "resourceLabels": GOOGLE_LABELS,
    },
}
BUCKET: Final[dict[str, Any]] = {
    "publicAccessPrevention": "enforced",
    "uniformBucketLevelAccess": True,
    "versioning": {"enabled": True},
    "labels": GOOGLE_LABELS,
}
SERVER: Final[dict[str, Any]] = {
    "firewallIds": [1.0],
    "userData": Hidden.SECRET,
    "deleteProtection": True,
    "labels": {"managed-by": "llmp", "cluster": "llmp", "role": "control-plane"},
}
APPLICATION_INPUTS: Final[dict[str, Any]] = {
    "spec": {
        "project": "llmp",
        "source": {"repoURL": "https://example.com/llmp.git", "targetRevision": COMMIT},
    }
}
PROJECT_MEMBER: Final = "gcp:projects/iAMMember:IAMMember"
ACCOUNT_MEMBER: Final = "gcp:serviceaccount/iAMMember:IAMMember"
BUCKET_MEMBER: Final = "gcp:storage/bucketIAMMember:BucketIAMMember"
SECRET_MEMBER: Final = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105
CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"


def resource(
    token: str,
    inputs: Mapping[str, Any],
    *,
    protect: bool = True,
    config_secrets: tuple[str, ...] = (),
) -> Resource:
    """Return a resource that Pulumi protects, since no rule but one looks at that."""
    return Resource(
        type=token, name="thing", inputs=inputs, protect=protect, config_secrets=config_secrets
    )


def told(rule: str, *resources: Resource) -> list[str]:
    """Return what one rule has against resources, in tier prod."""
    return [
        found.text for one in resources for found in violations(one, "prod") if found.rule == rule
    ]


GOOD: Final[tuple[Resource, ...]] = (
    resource(GCP_CLUSTER, CLUSTER),
    resource(GCP_NODE_POOL, POOL),
    resource(GCP_BUCKET, BUCKET),
    resource(HCLOUD_SERVER, SERVER),
    resource(APPLICATION, APPLICATION_INPUTS),
    resource(RELEASE, {"chart": "argo-cd", "version": "9.1.2"}),
    resource(PROJECT_MEMBER, {"role": "roles/logging.logWriter", "member": POD}),
    resource(ACCOUNT_MEMBER, {"role": "roles/iam.workloadIdentityUser", "member": POD}),
    resource(SECRET_MEMBER, {"role": "roles/secretmanager.secretAccessor", "member": POD}),
    resource(BUCKET_MEMBER, {"role": "roles/storage.objectUser", "member": Hidden.UNKNOWN}),
    resource(SECRET, {"stringData": {"password": Hidden.SECRET}}),
)
"""One resource of each kind that nothing is wrong with."""


@pytest.mark.parametrize("good", GOOD, ids=lambda one: one.type)
@pytest.mark.parametrize("tier", TIERS)
def test_what_is_right_passes_every_rule(good: Resource, tier: Tier) -> None:
    assert [found.text for found in violations(good, tier)] == []


BAD: Final[list[tuple[str, str, dict[str, Any], str]]] = [
    *(
        ("least-privilege", PROJECT_MEMBER, {"role": role, "member": POD}, "far more than anything")
        for role in ("roles/owner", "roles/editor", "roles/viewer")
    ),
    (
        "least-privilege",
        "gcp:storage/bucketIAMBinding:BucketIAMBinding",
        {"role": "roles/storage.objectViewer", "members": [POD, "allUsers"]},
        "to everybody on the internet",
    ),
    (
        "least-privilege",
        "gcp:artifactregistry/repositoryIamPolicy:RepositoryIamPolicy",
        {"policyData": '{"bindings": [{"role": "r", "members": ["allAuthenticatedUsers"]}]}'},
        "r is granted to allAuthenticatedUsers",
    ),
    ("own-identities", "gcp:serviceaccount/key:Key", {}, "works everywhere, for everybody"),
    (
        "own-identities",
        BUCKET_MEMBER,
        {"role": "r", "member": "serviceAccount:1-compute@developer.gserviceaccount.com"},
        "is a default account",
    ),
    (
        "own-identities",
        PROJECT_MEMBER,
        {"role": "r", "member": "serviceAccount:my-project@appspot.gserviceaccount.com"},
        "is a default account",
    ),
    (
        "own-identities",
        GCP_CLUSTER,
        changed(CLUSTER, "nodeConfig", ...),
        "default service account of Compute Engine",
    ),
    (
        "own-identities",
        GCP_CLUSTER,
        changed(CLUSTER, "clusterAutoscaling.enabled", True),  # noqa: FBT003
        "clusterAutoscaling.autoProvisioningDefaults.serviceAccount",
    ),
    (
        "own-identities",
        GCP_NODE_POOL,
        changed(POOL, "nodeConfig.serviceAccount", "default"),
        "set nodeConfig.serviceAccount",
    ),
    (
        "no-wide-grants",
        PROJECT_MEMBER,
        {"role": "roles/secretmanager.secretAccessor", "member": POD},
        "on the whole project.*\nfix: grant it on the secret",
    ),
    (
        "no-wide-grants",
        PROJECT_MEMBER,
        {"role": "roles/storage.objectViewer", "member": POD},
        "fix: grant it on the bucket",
    ),
    (
        "no-wide-grants",
        PROJECT_MEMBER,
        {"role": "roles/artifactregistry.reader", "member": POD},
        "fix: grant it on the repository",
    ),
    (
        "no-wide-grants",
        "gcp:organizations/iAMMember:IAMMember",
        {"role": "roles/dns.admin", "member": POD},
        "on the whole organization",
    ),
    (
        "no-wide-grants",
        PROJECT_MEMBER,
        {"role": "roles/resourcemanager.projectIamAdmin", "member": POD},
        "on the whole project",
    ),
    (
        "no-wide-grants",
        "gcp:projects/iAMBinding:IAMBinding",
        {"role": "roles/logging.logWriter", "members": [POD]},
        "takes away whatever the project had granted",
    ),
    (
        "no-wide-grants",
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        {"permissions": ["dns.zones.list", "secretmanager.versions.access"]},
        "must not hold secretmanager.versions.access",
    ),
    (
        "workload-identity",
        GCP_CLUSTER,
        changed(CLUSTER, "workloadIdentityConfig", ...),
        "act at Google as their node",
    ),
    (
        "workload-identity",
        GCP_NODE_POOL,
        changed(POOL, "nodeConfig.workloadMetadataConfig.mode", "GCE_METADATA"),
        "take the node's token",
    ),
    (
        "workload-identity",
        GCP_NODE_POOL,
        changed(POOL, "nodeConfig.workloadMetadataConfig", ...),
        "mode: GKE_METADATA",
    ),
    *(
        (
            "workload-identity",
            ACCOUNT_MEMBER,
            {"role": "roles/iam.workloadIdentityUser", "member": member},
            "is not one Kubernetes service account",
        )
        for member in (
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*",
            "serviceAccount:my-project.svc.id.goog[litellm]",
            f"serviceAccount:{ACCOUNT}",
        )
    ),
    *(
        (
            "nothing-public",
            GCP_FIREWALL,
            {"allows": [{"protocol": "tcp"}], "sourceRanges": sources},
            "lets .* in",
        )
        for sources in (["10.0.0.0/8", "0.0.0.0/0"], ["::/0"], [], None)
    ),
    (
        "nothing-public",
        "gcp:compute/network:Network",
        {"autoCreateSubnetworks": True},
        "a subnet in every region",
    ),
    ("nothing-public", GCP_CLUSTER, changed(CLUSTER, "network", "default"), "default network"),
    ("nothing-public", GCP_CLUSTER, changed(CLUSTER, "network", ...), "default network"),
    (
        "nothing-public",
        GCP_CLUSTER,
        changed(CLUSTER, "masterAuthorizedNetworksConfig.cidrBlocks", [{"cidrBlock": "0.0.0.0/0"}]),
        "the world reaches its control plane",
    ),
    (
        "nothing-public",
        GCP_CLUSTER,
        changed(CLUSTER, "controlPlaneEndpointsConfig", ...),
        "a public address that any network may call",
    ),
    (
        "nothing-public",
        GCP_CLUSTER,
        changed(CLUSTER, "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", True),  # noqa: FBT003
        "every virtual machine at Google",
    ),
    (
        "nothing-public",
        GCP_BUCKET,
        changed(BUCKET, "publicAccessPrevention", "inherited"),
        "one wrong grant makes its objects public",
    ),
    (
        "nothing-public",
        GCP_BUCKET,
        changed(BUCKET, "uniformBucketLevelAccess", ...),
        "uniformBucketLevelAccess is null",
    ),
    (
        "nothing-public",
        HCLOUD_FIREWALL,
        {
            "rules": [
                {"direction": "in", "protocol": "tcp", "port": "6443", "sourceIps": ["0.0.0.0/0"]}
            ]
        },
        "lets 0.0.0.0/0 in at tcp/6443\nfix: .*OPEN_ON_PURPOSE",
    ),
    ("nothing-public", HCLOUD_SERVER, changed(SERVER, "firewallIds", []), "no firewall"),
    (
        "private-nodes",
        GCP_CLUSTER,
        changed(CLUSTER, "privateClusterConfig.enablePrivateNodes", False),  # noqa: FBT003
        "public addresses",
    ),
    ("private-nodes", GCP_CLUSTER, changed(CLUSTER, "privateClusterConfig", ...), "give .* a NAT"),
    (
        "private-nodes",
        GCP_NODE_POOL,
        changed(POOL, "networkConfig.enablePrivateNodes", False),  # noqa: FBT003
        "whatever the cluster says",
    ),
    (
        "gpu-nodes-tainted",
        GCP_NODE_POOL,
        changed(POOL, "nodeConfig.taints", []),
        "lack the taint nvidia.com/gpu",
    ),
    (
        "gpu-nodes-tainted",
        GCP_NODE_POOL,
        changed(
            POOL,
            "nodeConfig.taints",
            [{"key": "nvidia.com/gpu", "effect": "PREFER_NO_SCHEDULE"}],
        ),
        "lack the taint nvidia.com/gpu",
    ),
    (
        "gpu-nodes-tainted",
        GCP_NODE_POOL,
        changed(POOL, "nodeConfig.taints", POOL["nodeConfig"]["taints"][:1]),
        "lack the taint cloud.google.com/gke-spot",
    ),
    (
        "gpu-nodes-tainted",
        GCP_NODE_POOL,
        {"nodeConfig": {"machineType": "a3-highgpu-8g"}},
        "lack the taint nvidia.com/gpu",
    ),
    ("gpu-pools-autoscaled", GCP_NODE_POOL, changed(POOL, "nodeCount", 2.0), "a fixed number"),
    (
        "gpu-pools-autoscaled",
        GCP_NODE_POOL,
        changed(POOL, "autoscaling", ...),
        "how many of its nodes there are at most",
    ),
    (
        "gpu-pools-from-zero",
        GCP_NODE_POOL,
        changed(POOL, "autoscaling.totalMinNodeCount", 1.0),
        "autoscaling.totalMinNodeCount is 1: its GPUs are paid around the clock",
    ),
    (
        "gpu-pools-from-zero",
        GCP_NODE_POOL,
        changed(POOL, "initialNodeCount", 3.0),
        "initialNodeCount is 3",
    ),
    (
        "data-protected",
        GCP_CLUSTER,
        changed(CLUSTER, "deletionProtection", False),  # noqa: FBT003
        "deletionProtection is false\nfix: .*POLICIES=teardown",
    ),
    (
        "data-protected",
        GCP_BUCKET,
        changed(BUCKET, "forceDestroy", True),  # noqa: FBT003
        "forceDestroy is true",
    ),
    (
        "data-protected",
        HCLOUD_SERVER,
        changed(SERVER, "deleteProtection", ...),
        "deleteProtection is null",
    ),
    ("data-protected", "hcloud:index/volume:Volume", {}, "deleteProtection is null"),
    ("buckets-versioned", GCP_BUCKET, changed(BUCKET, "versioning", ...), "is gone"),
    (
        "buckets-versioned",
        GCP_BUCKET,
        changed(BUCKET, "versioning.enabled", False),  # noqa: FBT003
        "is gone",
    ),
    (
        "no-plaintext-secret",
        SECRET,
        {"data": {"password": "aHVudGVyMg=="}},
        "data holds secrets and is not marked",
    ),
    ("no-plaintext-secret", HCLOUD_SERVER, changed(SERVER, "userData", "#"), "userData holds"),
    (
        "no-plaintext-secret",
        CONFIG_MAP,
        {"data": {"deep": [{"file": "-----BEGIN RSA PRIVATE KEY-----\nMII"}]}},
        r"data\.deep\[0\]\.file holds a private key in plain text",
    ),
    *(
        ("no-plaintext-secret", CONFIG_MAP, {"data": {"settings": value}}, f"holds {kind}")
        for kind, value in (
            ("a Google API key", "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw"[:35]),
            ("a Google access token", "ya29." + "a0AfB_byC" * 4),
            ("an AWS access key", "AKIA" + "ABCDEFGH01234567"),
            ("a GitHub token", "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"),
            ("a GitLab token", "glpat-" + "0123456789abcdefghij"),
            ("a Hugging Face token", "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"),
            ("a Slack token", "xoxb-" + "123456789012-abc"),
            ("a Slack webhook", "https://hooks.slack.com/services/T000/B000/XXXX"),
            ("a model provider's API key", "sk-proj-" + "0123456789abcdefghijABCDEFGHIJ01"),
            ("a Pulumi access token", "pul-" + "0123456789" * 4),
            ("a JSON web token", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJ"),
            ("a URL with a password", "postgresql://litellm:hunter2@db:5432/litellm"),
        )
    ),
    (
        "no-plaintext-secret",
        CONFIG_MAP,
        {"data": {"api_key": "q83vEjRWeJq83vEjRWeJ0x"}},
        "what looks like a credential",
    ),
    (
        "cost-labels",
        GCP_CLUSTER,
        changed(CLUSTER, "resourceLabels", {"managed-by": "llmp"}),
        "resourceLabels lacks llmp-cluster",
    ),
    (
        "cost-labels",
        GCP_NODE_POOL,
        changed(POOL, "nodeConfig.resourceLabels", ...),
        "lacks managed-by and llmp-cluster",
    ),
    ("cost-labels", HCLOUD_FIREWALL, {}, "lacks managed-by and cluster"),
    *(
        (
            "applications-in-a-project",
            APPLICATION,
            changed(APPLICATION_INPUTS, "spec.project", project),
            "in Argo CD's project default",
        )
        for project in ("default", "", ...)
    ),
    *(
        (
            "versions-pinned",
            APPLICATION,
            changed(APPLICATION_INPUTS, "spec.source.targetRevision", revision),
            "is (HEAD|main|v1), which moves\nfix: leave platform.gitops.revision out",
        )
        for revision in ("main", "HEAD", "v1", ...)
    ),
    *(
        (
            "versions-pinned",
            APPLICATION,
            {
                "spec": {
                    "project": "llmp",
                    "sources": [{"repoURL": "r", "chart": "dex", "targetRevision": revision}],
                }
            },
            "fix: pin the chart to one exact version",
        )
        for revision in ("1.x", ">=1.2.0", "*", COMMIT)
    ),
    ("versions-pinned", RELEASE, {"chart": "argo-cd"}, "whatever is newest"),
    ("versions-pinned", RELEASE, {"chart": "argo-cd", "version": "^9"}, r"at \^9"),
    *(
        (
            "versions-pinned",
            RELEASE,
            {"version": "1.2.3", "values": {"image": image}},
            "is another image tomorrow",
        )
        for image in ("ghcr.io/x/y:latest", "ghcr.io/x/y", "localhost:5000/x:main", "x:edge")
    ),
]
"""Rule, type, inputs, and what the rule says."""


@pytest.mark.parametrize(("rule", "token", "inputs", "message"), BAD)
def test_what_is_wrong_is_refused_with_what_to_do(
    rule: str, token: str, inputs: dict[str, Any], message: str
) -> None:
    found = told(rule, resource(token, inputs))
    assert found
    assert any(re.search(message, text) for text in found), found
    assert all("\nfix: " in text for text in found)


def test_every_rule_refuses_something_here() -> None:
    assert {rule for rule, *_ in BAD} == {rule.name for rule in RULES}


def test_every_rule_has_a_level_in_every_tier() -> None:
    for rule in RULES:
        assert set(rule.levels) == set(TIERS)


def test_what_keeps_somebody_out_is_mandatory_in_every_tier() -> None:
    security = {
        *("least-privilege", "own-identities", "no-wide-grants", "workload-identity"),
        *("nothing-public", "private-nodes", "no-plaintext-secret", "applications-in-a-project"),
    }
    for rule in RULES:
        if rule.name in security:
            assert set(rule.levels.values()) == {"mandatory"}
            security.remove(rule.name)
    assert not security


def test_no_rule_is_milder_in_prod_but_the_one_on_warm_gpus() -> None:
    weight = {"disabled": 0, "advisory": 1, "mandatory": 2}
    milder = {rule.name for rule in RULES if weight[rule.levels["prod"]] < weight["mandatory"]}
    assert milder == {"gpu-pools-from-zero"}


@pytest.mark.parametrize("token", [token for token in DATA if token.startswith("gcp:")])
def test_data_at_google_that_pulumi_does_not_protect_is_refused(token: str) -> None:
    inputs = {"deletionProtection": True, "labels": GOOGLE_LABELS}
    assert told("data-protected", resource(token, inputs)) == []
    (found,) = told("data-protected", resource(token, inputs, protect=False))
    assert "Pulumi's protect is off" in found


def test_a_cache_and_a_worker_may_be_deleted() -> None:
    cache = {"mode": "REMOTE_REPOSITORY", "labels": GOOGLE_LABELS}
    worker = changed(changed(SERVER, "deleteProtection", False), "labels.role", "platform")  # noqa: FBT003
    assert not told(
        "data-protected",
        resource("gcp:artifactregistry/repository:Repository", cache, protect=False),
        resource(HCLOUD_SERVER, worker, protect=False),
    )


def test_a_reservation_may_be_used_around_the_clock() -> None:
    warm = changed(POOL, "autoscaling.totalMinNodeCount", 1.0)
    affinity = {"consumeReservationType": "SPECIFIC_RESERVATION", "key": "k", "values": ["l4"]}
    assert told("gpu-pools-from-zero", resource(GCP_NODE_POOL, warm))
    paid = changed(warm, "nodeConfig.reservationAffinity", affinity)
    assert not told("gpu-pools-from-zero", resource(GCP_NODE_POOL, paid))


def test_the_platform_pool_needs_neither_taint_nor_zero() -> None:
    pool = {
        "initialNodeCount": 1.0,
        "autoscaling": {"totalMinNodeCount": 1.0, "totalMaxNodeCount": 3.0},
        "nodeConfig": {
            **{key: POOL["nodeConfig"][key] for key in ("serviceAccount", "resourceLabels")},
            "machineType": "e2-standard-4",
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        },
    }
    assert not violations(resource(GCP_NODE_POOL, pool), "prod")


@pytest.mark.parametrize(
    "inputs",
    [
        {"direction": "EGRESS", "allows": [{"protocol": "all"}], "sourceRanges": ["0.0.0.0/0"]},
        {"denies": [{"protocol": "all"}], "sourceRanges": ["0.0.0.0/0"]},
        {"allows": [{"protocol": "tcp"}], "sourceRanges": ["172.16.0.0/28"]},
        {"allows": [{"protocol": "tcp"}], "sourceServiceAccounts": [ACCOUNT]},
        {"allows": [{"protocol": "tcp"}], "sourceRanges": ["0.0.0.0/0"], "disabled": True},
    ],
)
def test_a_firewall_that_lets_no_stranger_in_passes(inputs: dict[str, Any]) -> None:
    assert not told("nothing-public", resource(GCP_FIREWALL, inputs))


def test_icmp_may_be_open_at_hetzner_and_nothing_else() -> None:
    everywhere = ["0.0.0.0/0", "::/0"]
    icmp = {"direction": "in", "protocol": "icmp", "sourceIps": everywhere}
    out = {"direction": "out", "protocol": "tcp", "port": "443", "sourceIps": everywhere}
    assert not told("nothing-public", resource(HCLOUD_FIREWALL, {"rules": [icmp, out]}))
    udp = {**icmp, "protocol": "udp", "port": "any"}
    assert len(told("nothing-public", resource(HCLOUD_FIREWALL, {"rules": [icmp, udp]}))) == 2


def test_authorized_networks_are_as_good_as_no_address() -> None:
    networks = {"cidrBlocks": [{"cidrBlock": "203.0.113.0/24"}]}
    inputs = changed(CLUSTER, "controlPlaneEndpointsConfig", ...)
    inputs["masterAuthorizedNetworksConfig"] = networks
    assert not told("nothing-public", resource(GCP_CLUSTER, inputs))


@pytest.mark.parametrize(
    "value",
    [
        "hugging-face-token",  # the name of a secret
        "litellm-db-password",
        "7ae557604adf67be50417f59c2c2f167def9a775 of a model",
        "sha256:" + "0123456789abcdef" * 4,
        "$oidc.dex.clientSecret",
        "https://user@example.com/repository.git",
        "postgresql://$(DB_USER):$(DB_PASSWORD)@db/litellm",
        "-----BEGIN CERTIFICATE-----",
        "",
    ],
)
@pytest.mark.parametrize("key", ["token", "password", "settings"])
def test_the_name_of_a_secret_is_no_secret(key: str, value: str) -> None:
    assert not told("no-plaintext-secret", resource(CONFIG_MAP, {"data": {key: value}}))


def test_a_marked_secret_is_seen_nowhere_else_and_never_told() -> None:
    value = "correct horse battery staple"
    leaking = resource(CONFIG_MAP, {"data": {"note": f"it is {value}"}}, config_secrets=(value,))
    (found,) = told("no-plaintext-secret", leaking)
    assert "data.note holds a secret of the stack's config" in found
    assert value not in found
    marked = resource(CONFIG_MAP, {"data": Hidden.SECRET}, config_secrets=(value,))
    assert not told("no-plaintext-secret", marked)


@pytest.mark.parametrize("hidden", list(Hidden))
@pytest.mark.parametrize("good", GOOD, ids=lambda one: one.type)
def test_what_is_hidden_is_not_held_against_a_resource(good: Resource, hidden: Hidden) -> None:
    for key in good.inputs:
        changed_inputs = {**good.inputs, key: hidden}
        assert not violations(resource(good.type, changed_inputs), "prod"), key


def test_a_level_that_somebody_chose_goes_before_the_table() -> None:
    bare = resource(GCP_BUCKET, changed(BUCKET, "versioning", ...))
    assert [found.level for found in violations(bare, "prod")] == ["mandatory"]
    assert [found.level for found in violations(bare, "cost")] == ["advisory"]
    chosen = violations(bare, "prod", {"buckets-versioned": "advisory"})
    assert [found.level for found in chosen] == ["advisory"]
    assert not violations(bare, "prod", {"buckets-versioned": "disabled"})


def test_the_document_has_every_rule_with_its_levels() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text("utf-8")
    rows = re.findall(r"^\| `(.+)` \| (.+) \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [
        (
            rule.name,
            *(rule.levels[tier].replace("disabled", "off") for tier in TIERS),
            rule.description,
        )
        for rule in RULES
    ]


def test_everything_that_takes_labels_is_held_to_them() -> None:
    """The table has every type that a program of ours makes and that the SDK gives labels."""
    for token in COMPUTED:
        package = token.partition(":")[0]
        if package not in COST_LABELS:
            continue
        declared = SdkTypes(package).resource(token)
        assert declared is not None
        keys = {"labels", "resourceLabels", "userLabels"} & set(declared.inputs)
        if token == GCP_NODE_POOL:
            keys = {"nodeConfig.resourceLabels"}
        if "userLabels" in keys:
            keys = {"userLabels"}  # its labels are settings of the channel's type
        assert LABELLED.get(token) == next(iter(keys), None), token
