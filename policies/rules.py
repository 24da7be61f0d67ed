"""What no stack may do, as plain functions, and how much each weighs in which tier.

A rule sees one resource and says what is wrong with it, in words that name the fix. It knows
nothing of the program that it judges: tables here say what a rule holds against the types of the
clouds, so that a component can't talk its way out. What is hidden (a secret, or a value that only
the update knows) is never held against a resource.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from policies.model import (
    Finding,
    Hidden,
    Level,
    Resource,
    Rule,
    Tier,
    Value,
    Violation,
    is_zero,
    items,
    leaves,
    read,
)

GCP_CLUSTER: Final = "gcp:container/cluster:Cluster"
GCP_NODE_POOL: Final = "gcp:container/nodePool:NodePool"
GCP_FIREWALL: Final = "gcp:compute/firewall:Firewall"
GCP_BUCKET: Final = "gcp:storage/bucket:Bucket"
HCLOUD_FIREWALL: Final = "hcloud:index/firewall:Firewall"
HCLOUD_SERVER: Final = "hcloud:index/server:Server"
APPLICATION: Final = "kubernetes:argoproj.io/v1alpha1:Application"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
SECRET: Final = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token

# Who may do what at Google.

PRIMITIVE_ROLES: Final = {"roles/owner", "roles/editor", "roles/viewer"}
EVERYBODY: Final = {"allUsers", "allAuthenticatedUsers"}
DEFAULT_ACCOUNTS: Final = re.compile(
    r"(^|:)(default|\d+-compute@developer\.gserviceaccount\.com"
    r"|[^@]+@appspot\.gserviceaccount\.com)$"
)
"""The accounts of Compute Engine and App Engine, which Google makes with the right to edit the
whole project (IAM docs, "Service account types")."""

_GRANT: Final = re.compile(r"gcp:(?P<module>\w+)/\w*[iI][aA][mM](?P<kind>Member|Binding|Policy):")
_WIDE_MODULES: Final = {
    "billing": "billing account",
    "folder": "folder",
    "organizations": "organization",
    "projects": "project",
}
NARROW_SERVICES: Final = {
    "artifactregistry": "the repository (artifactregistry.RepositoryIamMember)",
    "cloudkms": "the key (kms.CryptoKeyIAMMember)",
    "iam": "the service account (serviceaccount.IAMMember)",
    "secretmanager": "the secret (secretmanager.SecretIamMember)",
    "storage": "the bucket (storage.BucketIAMMember)",
}
"""Services whose roles are given on single things: on a project, such a role reaches all there are
and all that will be."""

DANGEROUS_PERMISSIONS: Final = re.compile(
    r"\.setIamPolicy$|^iam\.serviceAccountKeys\.create$|^iam\.serviceAccounts\."
    r"(actAs|getAccessToken|getOpenIdToken|implicitDelegation|signBlob|signJwt)$"
    r"|^secretmanager\.versions\.access$"
)
"""Permissions by which a holder becomes somebody else or reads secrets."""

ONE_SERVICE_ACCOUNT: Final = re.compile(
    r"serviceAccount:[a-z0-9:.-]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9.-]+\]"
)
"""One Kubernetes service account as IAM spells it (GKE docs, "Workload Identity Federation")."""

# What is open.

WORLD: Final = {"0.0.0.0/0", "::/0"}
OPEN_ON_PURPOSE: Final[Mapping[tuple[str, str], str]] = {
    (HCLOUD_FIREWALL, "icmp"): "path MTU discovery needs it, and nothing answers but the kernel",
}
"""What may be open to the world: type and `protocol` or `protocol/port`, and why."""

# What costs, what lasts.

COST_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "gcp": ("managed-by", "llmp-cluster"),
    "hcloud": ("managed-by", "cluster"),
}
"""Labels by which a bill is taken apart, by provider."""

LABELLED: Final[Mapping[str, str]] = {
    "gcp:artifactregistry/repository:Repository": "labels",
    "gcp:compute/address:Address": "labels",
    "gcp:compute/globalAddress:GlobalAddress": "labels",
    GCP_CLUSTER: "resourceLabels",
    GCP_NODE_POOL: "nodeConfig.resourceLabels",
    "gcp:dns/managedZone:ManagedZone": "labels",
    "gcp:monitoring/notificationChannel:NotificationChannel": "userLabels",
    "gcp:secretmanager/secret:Secret": "labels",
    GCP_BUCKET: "labels",
    HCLOUD_FIREWALL: "labels",
    "hcloud:index/loadBalancer:LoadBalancer": "labels",
    "hcloud:index/network:Network": "labels",
    "hcloud:index/placementGroup:PlacementGroup": "labels",
    "hcloud:index/primaryIp:PrimaryIp": "labels",
    HCLOUD_SERVER: "labels",
    "hcloud:index/volume:Volume": "labels",
}
"""Where the labels of a type are. A test compares it with what the SDKs take."""

GPU_TAINT: Final = "nvidia.com/gpu"
SPOT_TAINT: Final = "cloud.google.com/gke-spot"
_KEEPS_OFF: Final = {"NO_SCHEDULE", "NO_EXECUTE"}
GPU_MACHINES: Final = re.compile(r"^(a2|a3|a4x?|g2|g4)-")
"""Machine families that are sold with GPUs (Compute Engine docs, "GPU machine types")."""

# The settings by which a cloud refuses to delete, beside Pulumi's own `protect`.
_PULUMI: Final[Mapping[str, bool]] = {}
_GOOGLE: Final = {"deletionProtection": True}
_NOT_BY_FORCE: Final = {"forceDestroy": False}
_HETZNER: Final = {"deleteProtection": True}
DATA: Final[Mapping[str, Mapping[str, bool]]] = {
    GCP_CLUSTER: _GOOGLE,
    "gcp:secretmanager/secret:Secret": _GOOGLE,
    "gcp:artifactregistry/repository:Repository": _PULUMI,
    "gcp:dns/managedZone:ManagedZone": _NOT_BY_FORCE,
    GCP_BUCKET: _NOT_BY_FORCE,
    "hcloud:index/network:Network": _HETZNER,
    "hcloud:index/primaryIp:PrimaryIp": _HETZNER,
    HCLOUD_SERVER: _HETZNER,
    "hcloud:index/volume:Volume": _HETZNER,
}
"""What loses data or a name that others know, and what the cloud is told to keep it."""

# Secrets.

CARRIES_SECRETS: Final[Mapping[str, tuple[str, ...]]] = {
    HCLOUD_SERVER: ("userData",),
    "gcp:secretmanager/secretVersion:SecretVersion": ("secretData",),
    "gcp:sql/user:User": ("password",),
    "pulumi:providers:hcloud": ("token",),
    SECRET: ("data", "stringData"),
}
"""Properties that hold secrets by their nature, whatever their values look like."""

CREDENTIALS: Final[Mapping[str, re.Pattern[str]]] = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "a Google access token": re.compile(r"\bya29\.[0-9A-Za-z_-]{20,}"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{40,})"),
    "a GitLab token": re.compile(r"\bglpat-[0-9A-Za-z_-]{20,}"),
    "a Hugging Face token": re.compile(r"\bhf_[0-9A-Za-z]{30,}"),
    "a Slack token": re.compile(r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}"),
    "a Slack webhook": re.compile(r"https://hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    "a model provider's API key": re.compile(r"\bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{32,}"),
    "a Pulumi access token": re.compile(r"\bpul-[0-9a-f]{40}\b"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+"),
    "a URL with a password": re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@$]+:[^/\s:@$(){}]+@"),
}
"""What a credential looks like, by its kind."""

_SECRET_KEY: Final = re.compile(
    r"(?:^|[._-])(?:password|passwd|passphrase|token|secret|api_?key|access_?key|secret_?key"
    r"|private_?key|client_?secret)$",
    re.IGNORECASE,
)
RANDOM_LENGTH: Final = 20
RANDOM_BITS: Final = 3.5
"""From which length on, and from how many bits a character on, a value beside such a key is taken
for a credential and not for the name of one: words and ids are below, base64 and hex of that
length are above."""

CONFIG_SECRET_LENGTH: Final = 8
"""A secret of the config that is shorter is found in any text."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_VERSION: Final = re.compile(r"v?\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.+-]+)?")
_MOVING_TAGS: Final = {"", "latest", "main", "master", "edge", "nightly", "dev", "stable"}
_IMAGE_KEYS: Final = {"image", "imageName"}


def least_privilege(resource: Resource) -> Iterator[Finding]:
    """Hold primitive roles, and grants to everybody, against every IAM resource of Google."""
    for role, members in _grants(resource):
        if role in PRIMITIVE_ROLES:
            yield Finding(
                message=f"{role} gives far more than anything needs",
                fix="grant a predefined role of the one service, on the one resource",
            )
        for member in sorted(EVERYBODY & set(members)):
            yield Finding(
                message=f"{role} is granted to {member}: to everybody on the internet",
                fix="name the one identity that needs it",
            )


def own_identities(resource: Resource) -> Iterator[Finding]:
    """Hold default service accounts, and keys of any, against what uses them."""
    if resource.type == "gcp:serviceaccount/key:Key":
        yield Finding(
            message="a key of a service account works everywhere, for everybody, for good",
            fix="remove it: workloads have Workload Identity, people and pipelines federation",
        )
    for _, members in _grants(resource):
        for member in members:
            if DEFAULT_ACCOUNTS.search(member):
                yield Finding(
                    message=f"{member} is a default account of the project, which others use too",
                    fix="grant it to a service account of its own",
                )
    configs = {
        GCP_CLUSTER: ["nodeConfig", "clusterAutoscaling.autoProvisioningDefaults"],
        GCP_NODE_POOL: ["nodeConfig"],
    }
    for path in configs.get(resource.type, []):
        config = read(resource.inputs, path)
        if config is None and not (resource.type == GCP_NODE_POOL or _makes_nodes(resource, path)):
            continue
        account = read(config, "serviceAccount")
        if account is None or (isinstance(account, str) and DEFAULT_ACCOUNTS.search(account)):
            yield Finding(
                message="its nodes run as the default service account of Compute Engine",
                fix=f"set {path}.serviceAccount to an account that may only write logs and metrics",
            )


def nothing_public(resource: Resource) -> Iterator[Finding]:
    """Hold against a resource whatever lets the whole internet in."""
    check = _PUBLIC.get(resource.type)
    if check is not None:
        yield from check(resource)


def private_nodes(resource: Resource) -> Iterator[Finding]:
    """Hold public addresses of nodes against a GKE cluster and its pools."""
    if resource.type == GCP_CLUSTER:
        enabled = read(resource.inputs, "privateClusterConfig.enablePrivateNodes")
        if enabled is None or enabled is False:
            yield Finding(
                message="its nodes have public addresses",
                fix="set privateClusterConfig.enablePrivateNodes: true, and give the network a NAT",
            )
    if (
        resource.type == GCP_NODE_POOL
        and read(resource.inputs, "networkConfig.enablePrivateNodes") is False
    ):
        yield Finding(
            message="its nodes have public addresses, whatever the cluster says",
            fix="set networkConfig.enablePrivateNodes: true, or leave it to the cluster",
        )


def workload_identity(resource: Resource) -> Iterator[Finding]:
    """Hold against a cluster, pool or binding that a pod could act as more than itself."""
    inputs = resource.inputs
    if resource.type == GCP_CLUSTER and not read(inputs, "workloadIdentityConfig.workloadPool"):
        yield Finding(
            message="pods can act at Google as their node only",
            fix="set workloadIdentityConfig.workloadPool to <project>.svc.id.goog",
        )
    if resource.type == GCP_NODE_POOL:
        mode = read(inputs, "nodeConfig.workloadMetadataConfig.mode")
        if mode != "GKE_METADATA" and not isinstance(mode, Hidden):
            yield Finding(
                message="every pod on it can take the node's token from the metadata server",
                fix="set nodeConfig.workloadMetadataConfig.mode: GKE_METADATA",
            )
    if resource.type.startswith("gcp:serviceaccount/i"):
        for role, members in _grants(resource):
            if role != "roles/iam.workloadIdentityUser":
                continue
            for member in members:
                if not ONE_SERVICE_ACCOUNT.fullmatch(member):
                    yield Finding(
                        message=f"{member} is not one Kubernetes service account",
                        fix="bind serviceAccount:<project>.svc.id.goog[<namespace>/<account>]",
                    )


def no_wide_grants(resource: Resource) -> Iterator[Finding]:
    """Hold rights on a whole project against it, where single things can be named."""
    if resource.type == "gcp:projects/iAMCustomRole:IAMCustomRole":
        for permission in items(read(resource.inputs, "permissions")):
            if isinstance(permission, str) and DANGEROUS_PERMISSIONS.search(permission):
                yield Finding(
                    message=f"a role of ours must not hold {permission}",
                    fix="grant Google's predefined role for it, on the one resource",
                )
    module, kind = _grant_kind(resource.type)
    scope = _WIDE_MODULES.get(module)
    if scope is None:
        return
    if kind != "Member":
        yield Finding(
            message=f"it takes away whatever the {scope} had granted before, to others too",
            fix="grant to one member (IAMMember), which leaves the rest alone",
        )
    for role, _ in _grants(resource):
        service, _, name = role.removeprefix("roles/").rpartition(".")
        narrow = NARROW_SERVICES.get(service.partition(".")[0])
        if role.startswith("roles/") and (narrow or name.lower().endswith("admin")):
            yield Finding(
                message=f"{role} on the whole {scope} reaches everything of its kind",
                fix=f"grant it on {narrow or 'the one resource that it is about'}",
            )


def gpu_nodes_tainted(resource: Resource) -> Iterator[Finding]:
    """Hold against a GPU pool that pods without a GPU come there, or on spot without knowing it."""
    if not _has_gpus(resource):
        return
    config = read(resource.inputs, "nodeConfig")
    taints = read(config, "taints")
    if isinstance(taints, Hidden) or isinstance(config, Hidden):
        return
    there = {read(each, "key") for each in items(taints) if read(each, "effect") in _KEEPS_OFF}
    wanted = {GPU_TAINT: "pods without a GPU would keep nodes with one alive"}
    if read(config, "spot") is True:
        wanted[SPOT_TAINT] = "pods would be on spot nodes that cannot bear to lose one"
    for key, why in wanted.items():
        if key not in there:
            yield Finding(
                message=f"its nodes lack the taint {key}: {why}",
                fix=f"add to nodeConfig.taints the key {key} with effect NO_SCHEDULE",
            )


def gpu_pools_autoscaled(resource: Resource) -> Iterator[Finding]:
    """Hold a fixed size, or none at most, against a GPU pool."""
    if not _has_gpus(resource):
        return
    inputs = resource.inputs
    if not is_zero(inputs.get("nodeCount")):
        yield Finding(
            message="it has a fixed number of nodes, which cost money while nobody uses them",
            fix="remove nodeCount and set autoscaling",
        )
    most = [read(inputs, f"autoscaling.{key}") for key in ("totalMaxNodeCount", "maxNodeCount")]
    if not any(isinstance(each, Hidden) or (each is not None and each >= 1) for each in most):
        yield Finding(
            message="nothing says how many of its nodes there are at most",
            fix="set autoscaling.totalMaxNodeCount to what the quota and the purse allow",
        )


def gpu_pools_from_zero(resource: Resource) -> Iterator[Finding]:
    """Hold nodes that are always there against a GPU pool, unless a reservation pays them."""
    if not _has_gpus(resource):
        return
    inputs = resource.inputs
    affinity = read(inputs, "nodeConfig.reservationAffinity.consumeReservationType")
    if affinity == "SPECIFIC_RESERVATION":
        return
    for key in ("autoscaling.totalMinNodeCount", "autoscaling.minNodeCount", "initialNodeCount"):
        least = read(inputs, key)
        if not is_zero(least):
            yield Finding(
                message=f"{key} is {int(least)}: its GPUs are paid around the clock",
                fix="set min_nodes: 0 for the pool, so that nodes come when a model asks for them",
            )


def data_protected(resource: Resource) -> Iterator[Finding]:
    """Hold against what keeps data, or a name others know, that one wrong command deletes it."""
    settings = DATA.get(resource.type)
    if settings is None or _can_be_made_again(resource):
        return
    lacks: list[str] = []
    if resource.type.startswith("gcp:") and not resource.protect:
        lacks.append("Pulumi's protect is off")
    for key, wanted in settings.items():
        value = resource.inputs.get(key)
        if not isinstance(value, Hidden) and bool(value) is not wanted:
            lacks.append(f"{key} is {json.dumps(value)}")
    if lacks:
        yield Finding(
            message=f"one wrong command deletes it: {', '.join(lacks)}",
            fix="set deletion_protection: true; to tear the stack down, set it to false and run "
            "`make up` once with POLICIES=teardown (docs/policies.md)",
        )


def buckets_versioned(resource: Resource) -> Iterator[Finding]:
    """Hold against a bucket that what is overwritten in it is gone."""
    if resource.type != GCP_BUCKET:
        return
    enabled = read(resource.inputs, "versioning.enabled")
    if not enabled:
        yield Finding(
            message="what is overwritten or deleted in it is gone, by mistake or not",
            fix="set versioning.enabled: true, and a lifecycle rule that ends old versions",
        )


def no_plaintext_secret(resource: Resource) -> Iterator[Finding]:
    """Hold against a resource what looks like a credential and is not marked as secret.

    Such a value would be in the state, in previews and in logs for everybody to read. The message
    never holds the value.
    """
    for key in CARRIES_SECRETS.get(resource.type, ()):
        value = resource.inputs.get(key)
        if value is None or isinstance(value, Hidden):
            continue
        if any(
            not isinstance(leaf, Hidden) and leaf not in (None, "") for _, leaf in leaves(value)
        ):
            yield Finding(message=f"{key} holds secrets and is not marked as one", fix=_MARK)
    for path, value in leaves(resource.inputs):
        if not isinstance(value, str):
            continue
        kind = _credential_in(path, value, resource.config_secrets)
        if kind is not None:
            yield Finding(message=f"{path} holds {kind} in plain text", fix=_MARK)


def cost_labels(resource: Resource) -> Iterator[Finding]:
    """Hold against what is billed that no bill can be taken apart by it."""
    path = LABELLED.get(resource.type)
    if path is None:
        return
    labels = read(resource.inputs, path)
    if isinstance(labels, Hidden):
        return
    there = cast("Mapping[str, Value]", labels or {})
    missing = [key for key in COST_LABELS[resource.type.partition(":")[0]] if not there.get(key)]
    if missing:
        yield Finding(
            message=f"{path} lacks {' and '.join(missing)}: its cost can be put to no cluster",
            fix="give it the topology's resource_labels",
        )


def applications_in_a_project(resource: Resource) -> Iterator[Finding]:
    """Hold Argo CD's default project against an Application: it allows everything, or nothing."""
    if resource.type == APPLICATION:
        project = read(resource.inputs, "spec.project")
        if project in (None, "", "default"):
            yield Finding(
                message="it is in Argo CD's project default, which says nothing of what it may do",
                fix="set spec.project to an AppProject of the platform",
            )


def versions_pinned(resource: Resource) -> Iterator[Finding]:
    """Hold a revision, chart version or image tag that moves against what Argo CD or Helm runs."""
    if resource.type == RELEASE:
        version = resource.inputs.get("version")
        if version is None or (isinstance(version, str) and not _VERSION.fullmatch(version)):
            yield Finding(
                message=f"its chart is at {version or 'whatever is newest'}",
                fix="set version to one exact version",
            )
    if resource.type == APPLICATION:
        sources = [read(resource.inputs, "spec.source")]
        sources += items(read(resource.inputs, "spec.sources"))
        for source in sources:
            if source is None or isinstance(source, Hidden):
                continue
            yield from _source_pinned(source)
    if resource.type in {RELEASE, APPLICATION}:
        for path, value in leaves(resource.inputs):
            if path.rpartition(".")[2] in _IMAGE_KEYS and _image_moves(value):
                yield Finding(
                    message=f"{path} is {value}, which is another image tomorrow",
                    fix="pin the image to a version, better to its digest",
                )


def _source_pinned(source: Value) -> Iterator[Finding]:
    revision = read(source, "targetRevision")
    if isinstance(revision, Hidden):
        return
    text = str(revision or "HEAD")
    is_chart = bool(read(source, "chart"))
    if _VERSION.fullmatch(text) or (_COMMIT.fullmatch(text) and not is_chart):
        return
    yield Finding(
        message=f"targetRevision of {read(source, 'repoURL')} is {text}, which moves",
        fix="pin the chart to one exact version"
        if is_chart
        else "leave platform.gitops.revision out for the commit, or set a version tag",
    )


def _image_moves(value: Value) -> bool:
    """Whether an image reference has no digest, and a tag that is none or moves."""
    if not isinstance(value, str) or not value or "@sha256:" in value:
        return False
    name, _, tag = value.rpartition("/")[2].partition(":")
    return bool(name) and tag in _MOVING_TAGS and ("/" in value or ":" in value)


# How the rules above look at things.

_MARK: Final = (
    "put the value into the secret store, or mark it: `pulumi config set --secret`, "
    "pulumi.Output.secret"
)


def _grant_kind(type_token: str) -> tuple[str, str]:
    """Return the module of an IAM resource, and whether it is a Member, Binding or Policy."""
    found = _GRANT.match(type_token)
    return ("", "") if found is None else (found["module"], found["kind"])


def _grants(resource: Resource) -> Iterator[tuple[str, list[str]]]:
    """Return the roles that a resource grants, each with the members that are known."""
    _, kind = _grant_kind(resource.type)
    if not kind:
        return
    bindings: list[Any] = [resource.inputs]
    if kind == "Policy":
        document = resource.inputs.get("policyData")
        try:
            bindings = list(items(json.loads(document)["bindings"] if document else None))
        except (KeyError, TypeError, ValueError):
            bindings = []
    for binding in bindings:
        role = read(binding, "role")
        members = [read(binding, "member"), *items(read(binding, "members"))]
        yield (
            role if isinstance(role, str) else "",
            [member for member in members if isinstance(member, str)],
        )


def _makes_nodes(resource: Resource, path: str) -> bool:
    """Whether a cluster makes nodes whose settings would be at a path."""
    if path == "nodeConfig":
        return not is_zero(resource.inputs.get("initialNodeCount"))
    return read(resource.inputs, "clusterAutoscaling.enabled") is True


def _has_gpus(resource: Resource) -> bool:
    if resource.type != GCP_NODE_POOL:
        return False
    config = read(resource.inputs, "nodeConfig")
    machine = read(config, "machineType")
    return bool(items(read(config, "guestAccelerators"))) or (
        isinstance(machine, str) and GPU_MACHINES.match(machine) is not None
    )


def _can_be_made_again(resource: Resource) -> bool:
    """Whether a resource of a type that keeps data has none: a cache, or a worker."""
    if resource.type == "gcp:artifactregistry/repository:Repository":
        return resource.inputs.get("mode") == "REMOTE_REPOSITORY"
    if resource.type == HCLOUD_SERVER:
        # The control plane holds etcd. Workers hold nothing, and pools shrink.
        return read(resource.inputs, "labels.role") != "control-plane"
    return False


def _open_to_world(sources: Value) -> list[str]:
    return [each for each in items(sources) if isinstance(each, str) and each in WORLD]


def _google_firewall(resource: Resource) -> Iterator[Finding]:
    inputs = resource.inputs
    is_ingress = inputs.get("direction") in (None, "INGRESS")
    if not is_ingress or inputs.get("disabled") is True or not inputs.get("allows"):
        return
    sources = ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    everywhere = all(inputs.get(key) in (None, []) for key in sources)
    for source in _open_to_world(inputs.get("sourceRanges")) or (
        ["any source"] if everywhere else []
    ):
        yield Finding(
            message=f"it lets {source} in",
            fix="set sourceRanges to the networks that need it",
        )


def _google_network(resource: Resource) -> Iterator[Finding]:
    if resource.inputs.get("autoCreateSubnetworks") in (None, True):
        yield Finding(
            message="Google makes a subnet in every region, with addresses that nobody planned",
            fix="set autoCreateSubnetworks: false, and make the subnets that are needed",
        )


def _google_cluster(resource: Resource) -> Iterator[Finding]:
    inputs = resource.inputs
    network = inputs.get("network")
    if network is None or (isinstance(network, str) and network.rpartition("/")[2] == "default"):
        yield Finding(
            message="it is in the project's default network, whose firewall lets the world in",
            fix="set network and subnetwork to a network of its own",
        )
    networks = inputs.get("masterAuthorizedNetworksConfig")
    for block in items(read(networks, "cidrBlocks")):
        if read(block, "cidrBlock") in WORLD:
            yield Finding(
                message="the world reaches its control plane",
                fix="name the networks that may, or set endpoint: dns, where IAM decides",
            )
    by_address = read(inputs, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled")
    is_private = read(inputs, "privateClusterConfig.enablePrivateEndpoint")
    if by_address in (None, True) and is_private in (None, False) and networks is None:
        yield Finding(
            message="its control plane has a public address that any network may call",
            fix="set endpoint: dns, where IAM decides, or authorized networks",
        )
    if read(networks, "gcpPublicCidrsAccessEnabled") is True:
        yield Finding(
            message="every virtual machine at Google reaches its control plane, of any customer",
            fix="set masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled: false",
        )


def _google_bucket(resource: Resource) -> Iterator[Finding]:
    wanted = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": True}
    for key, value in wanted.items():
        there = resource.inputs.get(key)
        if there != value and not isinstance(there, Hidden):
            yield Finding(
                message=f"{key} is {json.dumps(there)}: one wrong grant makes its objects public",
                fix=f"set {key}: {json.dumps(value)}",
            )


def _hetzner_firewall(resource: Resource) -> Iterator[Finding]:
    for rule in items(resource.inputs.get("rules")):
        if read(rule, "direction") != "in":
            continue
        protocol, port = read(rule, "protocol"), read(rule, "port")
        what = f"{protocol}/{port}" if port else str(protocol)
        if (resource.type, what) in OPEN_ON_PURPOSE:
            continue
        for source in _open_to_world(read(rule, "sourceIps")):
            yield Finding(
                message=f"it lets {source} in at {what}",
                fix="set source_ips to the networks that need it; what must be open to all has a "
                "row with its reason in OPEN_ON_PURPOSE of policies/rules.py",
            )


def _hetzner_server(resource: Resource) -> Iterator[Finding]:
    firewalls = resource.inputs.get("firewallIds")
    if not isinstance(firewalls, Hidden) and not items(firewalls):
        yield Finding(
            message="no firewall is between it and the internet",
            fix="set firewall_ids at its creation, so that it is never open for a moment",
        )


_PUBLIC: Final[Mapping[str, Callable[[Resource], Iterator[Finding]]]] = {
    GCP_FIREWALL: _google_firewall,
    "gcp:compute/network:Network": _google_network,
    GCP_CLUSTER: _google_cluster,
    GCP_BUCKET: _google_bucket,
    HCLOUD_FIREWALL: _hetzner_firewall,
    HCLOUD_SERVER: _hetzner_server,
}


def _credential_in(path: str, value: str, config_secrets: tuple[str, ...]) -> str | None:
    """Return which kind of credential a text holds; None for none that can be seen."""
    for secret in config_secrets:
        if len(secret) >= CONFIG_SECRET_LENGTH and secret in value:
            return "a secret of the stack's config"
    for kind, pattern in CREDENTIALS.items():
        if pattern.search(value):
            return kind
    if _SECRET_KEY.search(path) and _looks_random(value):
        return "what looks like a credential"
    return None


def _looks_random(value: str) -> bool:
    if len(value) < RANDOM_LENGTH or re.search(r"[\s$/:{(]", value) or not re.search(r"\d", value):
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= RANDOM_BITS


_ALWAYS: Final[Mapping[Tier, Level]] = {
    "cost": "mandatory",
    "dev": "mandatory",
    "prod": "mandatory",
}
_IN_PROD: Final[Mapping[Tier, Level]] = {
    "cost": "advisory",
    "dev": "advisory",
    "prod": "mandatory",
}

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="least-privilege",
        description="No primitive role, and no grant to everybody",
        check=least_privilege,
        levels=_ALWAYS,
    ),
    Rule(
        name="own-identities",
        description="Nothing runs as a default service account, and no account has a key",
        check=own_identities,
        levels=_ALWAYS,
    ),
    Rule(
        name="no-wide-grants",
        description="Rights are on single resources, never on all of a project",
        check=no_wide_grants,
        levels=_ALWAYS,
    ),
    Rule(
        name="workload-identity",
        description="A pod acts at Google as itself: one identity for one service account",
        check=workload_identity,
        levels=_ALWAYS,
    ),
    Rule(
        name="nothing-public",
        description="Nothing is open to the world",
        check=nothing_public,
        levels=_ALWAYS,
    ),
    Rule(
        name="private-nodes",
        description="Nodes have no public address",
        check=private_nodes,
        levels=_ALWAYS,
    ),
    Rule(
        name="no-plaintext-secret",
        description="No credential is in plain text",
        check=no_plaintext_secret,
        levels=_ALWAYS,
    ),
    Rule(
        name="applications-in-a-project",
        description="Every Application is in a project that says what it may do",
        check=applications_in_a_project,
        levels=_ALWAYS,
    ),
    Rule(
        name="gpu-nodes-tainted",
        description="GPU nodes keep off whoever asks for no GPU",
        check=gpu_nodes_tainted,
        levels=_ALWAYS,
    ),
    Rule(
        name="gpu-pools-autoscaled",
        description="GPU pools scale, up to a number that somebody chose",
        check=gpu_pools_autoscaled,
        levels=_ALWAYS,
    ),
    Rule(
        name="gpu-pools-from-zero",
        description="GPU pools without work have no nodes",
        check=gpu_pools_from_zero,
        # Warm GPUs are what dev and prod may choose to pay for. Tier cost says that nobody does.
        levels={"cost": "mandatory", "dev": "advisory", "prod": "advisory"},
    ),
    Rule(
        name="data-protected",
        description="What keeps data is not deleted by one wrong command",
        check=data_protected,
        # A cluster that is made to be thrown away is none the better for a warning in every run.
        levels={"cost": "disabled", "dev": "advisory", "prod": "mandatory"},
    ),
    Rule(
        name="buckets-versioned",
        description="What is overwritten in a bucket can be had back",
        check=buckets_versioned,
        levels=_IN_PROD,
    ),
    Rule(
        name="cost-labels",
        description="Everything that is billed names its cluster",
        check=cost_labels,
        levels=_IN_PROD,
    ),
    Rule(
        name="versions-pinned",
        description="Charts, revisions and images stay what they are",
        check=versions_pinned,
        levels=_IN_PROD,
    ),
)
"""All rules. Those that keep somebody out are mandatory everywhere."""


def violations(
    resource: Resource, tier: Tier, levels: Mapping[str, Level] | None = None
) -> list[Violation]:
    """Return what the rules have against a resource.

    Args:
        resource: what a program asks for.
        tier: of the stack; decides how much each rule weighs.
        levels: the weights of rules, by name, that somebody chose instead.
    """
    found: list[Violation] = []
    for rule in RULES:
        level = (levels or {}).get(rule.name, rule.levels[tier])
        if level == "disabled":
            continue
        found += [
            Violation(
                rule=rule.name,
                resource=resource,
                message=finding.message,
                fix=finding.fix,
                level=level,
            )
            for finding in rule.check(resource)
        ]
    return found
