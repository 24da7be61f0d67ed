"""The rules over all that the stacks register: committed files, the example, everything on."""

import copy
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.model import TIERS, Tier, read
from policies.rules import (
    APPLICATION,
    CARRIES_SECRETS,
    DATA,
    GCP_CLUSTER,
    GCP_FIREWALL,
    GCP_NODE_POOL,
    LABELLED,
    RELEASE,
    SECRET,
    violations,
)
from sandbox.provider.sdk_types import SdkTypes
from tests.harness import COMPUTED, Recorder, deploy
from tests.policies.samples import changed, resources
from tests.substrate import gke_samples
from tests.test_stacks import REVISION, SSH_KEY, STACKS, TOKEN, config_of, run

ROOT = Path(__file__).resolve().parents[2]
GPU_POOL = f"{GCP_NODE_POOL}|with GPUs"
MEMBER = "gcp:projects/iAMMember:IAMMember"
POD_BINDING = "gcp:serviceaccount/iAMMember:IAMMember"
WI_RULE = "workload-identity"
KMS_KEY = "projects/my-project/locations/us-central1/keyRings/llmp/cryptoKeys/secrets"


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", TOKEN)
    monkeypatch.setenv("GPU_SERVERS_SSH_KEY", SSH_KEY)


def example() -> dict[str, Any]:
    """Return the config of the example that has every system, in tier prod."""
    text = (ROOT / "examples" / "everything.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    config["llmp:stack"]["platform"]["gitops"]["revision"] = REVISION
    return config


@functools.cache
def everything(*, preview: bool = False) -> Recorder:
    """Run the example once for all tests that only look at it."""
    return run("everything", preview=preview, config=example())


def told(recorder: Recorder, tier: Tier) -> list[str]:
    """Return all that the rules say of a run."""
    return [
        f"{found.level} {found.rule}: {one.type} {one.name}: {found.text}"
        for one in resources(recorder)
        for found in violations(one, tier)
    ]


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
@pytest.mark.parametrize("stack", STACKS)
def test_no_rule_has_anything_against_a_committed_stack(stack: str, *, preview: bool) -> None:
    config = config_of(stack)
    tier = config["llmp:stack"]["platform"].get("tier", "cost")
    assert told(run(stack, preview=preview, config=config), tier) == []


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_no_rule_has_anything_against_the_example_with_every_system(*, preview: bool) -> None:
    assert example()["llmp:stack"]["platform"]["tier"] == "prod"
    assert told(everything(preview=preview), "prod") == []


def protected_hetzner() -> dict[str, Any]:
    """Return the committed Hetzner stack, protected, with a balancer and secrets at Google."""
    config = copy.deepcopy(config_of("hetzner"))
    stack = config["llmp:stack"]
    stack["hetzner"]["deletion_protection"] = True
    stack["hetzner"]["control_plane"] |= {"count": 3, "load_balancer": "private"}
    stack["secrets"] = {
        "store": "google-secret-manager",
        "federation": {"project": "my-project", "project_number": 123456789012},
    }
    return config


def test_hetzner_when_it_is_protected_passes_what_tier_prod_asks_for() -> None:
    assert told(run("hetzner", config=protected_hetzner()), "prod") == []


@functools.cache
def substrate() -> Recorder:
    """Run a GKE substrate with all of its parts, protected."""
    usual = gke_samples.EVERYTHING["topology"]
    topology = dataclasses.replace(
        usual,
        control_plane=dataclasses.replace(usual.control_plane, secrets_encryption_key=KMS_KEY),
        deletion_protection=True,
    )

    def program() -> None:
        gke_samples.substrate(**{**gke_samples.EVERYTHING, "topology": topology})

    return deploy(program)


@pytest.mark.parametrize("tier", TIERS)
def test_a_substrate_with_everything_on_and_protected_passes_in_every_tier(tier: Tier) -> None:
    assert told(substrate(), tier) == []


def test_every_type_that_a_program_of_ours_makes_at_a_cloud_has_been_judged_here() -> None:
    recorders = [everything(), substrate(), run("hetzner", config=protected_hetzner())]
    judged = {one.type for recorder in recorders for one in recorder.registrations}
    made = {token for token in COMPUTED if token.startswith(("gcp:", "hcloud:"))}
    assert made <= judged, made - judged


def test_tier_prod_without_deletion_protection_is_refused_thing_by_thing() -> None:
    config = example()
    config["llmp:stack"]["gke"]["deletion_protection"] = False
    recorder = run("everything", config=config)
    assert {line.split(":")[0] for line in told(recorder, "prod")} == {"mandatory data-protected"}
    refused = {
        one.type
        for one in resources(recorder)
        for found in violations(one, "prod")
        if found.rule == "data-protected"
    }
    assert {
        "gcp:container/cluster:Cluster",
        "gcp:secretmanager/secret:Secret",
        "gcp:artifactregistry/repository:Repository",
    } <= refused
    assert {line.split(":")[0] for line in told(recorder, "dev")} == {"advisory data-protected"}
    assert told(recorder, "cost") == []


def warm_pool(stack: dict[str, Any]) -> None:
    stack["gke"]["gpu_pools"][0]["min_nodes"] = 1


def moving_charts(stack: dict[str, Any]) -> None:
    stack["platform"]["gitops"]["revision"] = "main"


@pytest.mark.parametrize(
    ("edit", "rule", "levels"),
    [
        (warm_pool, "gpu-pools-from-zero", ["mandatory", "advisory", "advisory"]),
        (moving_charts, "versions-pinned", ["advisory", "advisory", "mandatory"]),
    ],
)
def test_what_a_config_may_say_is_weighed_by_tier(
    edit: Callable[[dict[str, Any]], None], rule: str, levels: list[str]
) -> None:
    config = config_of("gke")
    config["llmp:stack"]["gke"]["deletion_protection"] = True
    edit(config["llmp:stack"])
    recorder = run("gke", config=config)
    for tier, level in zip(TIERS, levels, strict=True):
        assert {line.split(":")[0] for line in told(recorder, tier)} == {f"{level} {rule}"}


@pytest.mark.parametrize(
    ("token", "path", "value", "rule"),
    [
        (GCP_CLUSTER, "nodeConfig.serviceAccount", ..., "own-identities"),
        (GCP_CLUSTER, "workloadIdentityConfig", ..., "workload-identity"),
        (GCP_CLUSTER, "privateClusterConfig.enablePrivateNodes", ..., "private-nodes"),
        (GCP_CLUSTER, "network", "default", "nothing-public"),
        (GCP_CLUSTER, "deletionProtection", ..., "data-protected"),
        (GCP_CLUSTER, "resourceLabels", ..., "cost-labels"),
        (GCP_NODE_POOL, "nodeConfig.workloadMetadataConfig", ..., "workload-identity"),
        (GCP_NODE_POOL, "nodeConfig.serviceAccount", ..., "own-identities"),
        (GCP_NODE_POOL, "nodeConfig.resourceLabels", ..., "cost-labels"),
        (GPU_POOL, "nodeConfig.taints", ..., "gpu-nodes-tainted"),
        (GPU_POOL, "autoscaling", ..., "gpu-pools-autoscaled"),
        (GPU_POOL, "autoscaling.totalMinNodeCount", 1, "gpu-pools-from-zero"),
        (MEMBER, "role", "roles/editor", "least-privilege"),
        (MEMBER, "role", "roles/secretmanager.secretAccessor", "no-wide-grants"),
        (POD_BINDING, "member", "serviceAccount:other@x.iam.gserviceaccount.com", WI_RULE),
        (SECRET, "stringData", {"password": "plain"}, "no-plaintext-secret"),
        (APPLICATION, "spec.project", "default", "applications-in-a-project"),
        (RELEASE, "version", ..., "versions-pinned"),
    ],
)
def test_a_stack_that_did_otherwise_would_be_refused(
    token: str, path: str, value: object, rule: str
) -> None:
    """What the stacks register is what the rules read: one change of it, and they speak up."""
    token, _, kind = token.partition("|")
    of_type = [
        one
        for one in resources(everything())
        if one.type == token
        and (not kind or read(one.inputs, "nodeConfig.guestAccelerators"))
        and read(one.inputs, path) is not None
    ]
    worse = [dataclasses.replace(one, inputs=changed(one.inputs, path, value)) for one in of_type]
    refused = {found.rule for one in worse for found in violations(one, "prod")}
    assert rule in refused


def test_every_type_in_the_tables_is_one_of_the_sdks() -> None:
    """A misspelt type would let everything pass."""
    for token in {*LABELLED, *DATA, *CARRIES_SECRETS, GCP_FIREWALL, "gcp:compute/network:Network"}:
        package = token.partition(":")[0]
        if package in {"gcp", "hcloud"}:
            assert SdkTypes(package).resource(token) is not None, token
