"""The pack as the real engine asks it: what passes, what is refused, and with which words."""

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import EngineError
from sandbox.project import POLICY_PACK, Sandbox
from sandbox.runner import Engine
from tests.engine.conftest import Config, Lab, lab_in, stack_object

pytestmark = pytest.mark.engine

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - not a secret

PROGRAM = """
import pulumi
import pulumi_gcp as gcp

project = "my-project"
api = gcp.projects.Service(
    "api", project=project, service="compute.googleapis.com", disable_on_destroy=False
)
store = gcp.projects.Service(
    "store", project=project, service="secretmanager.googleapis.com", disable_on_destroy=False
)
after = pulumi.ResourceOptions(depends_on=[api, store])
settings = pulumi.Config("llmp")
labels = {"managed-by": "llmp", "llmp-cluster": "llmp"}
network = gcp.compute.Network(
    "net", project=project, name="net", auto_create_subnetworks=False, opts=after
)
if settings.get_bool("broken"):
    gcp.compute.Firewall(
        "open",
        project=project,
        name="open",
        network=network.id,
        source_ranges=["0.0.0.0/0"],
        allows=[gcp.compute.FirewallAllowArgs(protocol="tcp", ports=["22"])],
    )
    gcp.projects.IAMMember(
        "editor", project=project, role="roles/editor", member="user:someone@example.com"
    )
token = settings.get("token") if settings.get_bool("broken") else settings.get_secret("token")
gcp.secretmanager.Secret(
    "kept",
    project=project,
    secret_id="kept",
    replication=gcp.secretmanager.SecretReplicationArgs(
        auto=gcp.secretmanager.SecretReplicationAutoArgs()
    ),
    annotations={"note": token},
    labels=labels,
    deletion_protection=bool(settings.get_bool("protected")),
    opts=pulumi.ResourceOptions.merge(
        after, pulumi.ResourceOptions(protect=settings.get_bool("protected"))
    ),
)
"""


@pytest.fixture
def program(tmp_path: Path) -> Lab:
    """A small program with a secret in its config, in a sandbox of its own."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n", encoding="utf-8")
    (folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    return Lab(
        stack="small",
        sandbox=Sandbox(root=tmp_path / "sandbox", repository=folder),
        config={"llmp:token": TOKEN},
    )


def engine(lab: Lab, config: Config) -> Engine:
    """Return the engine on a lab's stack, with the policy pack and the token as a secret."""
    made = Engine(lab.sandbox, lab.stack, config, policies=True)
    if "llmp:token" in config:
        made.export()  # makes the stack, which the encryption belongs to
        lab.pulumi("config", "set", "--secret", "llmp:token", TOKEN)
    return made


def config_of(tier: str | None, **settings: str) -> Config:
    """Return the config of the small program in a tier; None for a stack that says nothing."""
    stack: dict[str, Any] = {} if tier is None else {"llmp:stack": {"platform": {"tier": tier}}}
    return {**stack, "llmp:token": TOKEN, **{f"llmp:{key}": one for key, one in settings.items()}}


def refused(made: Engine, verb: str = "preview") -> str:
    """Return what the engine says of a run that it refuses."""
    with pytest.raises(EngineError) as caught:
        getattr(made, verb)()
    return "\n".join(caught.value.problems)


def test_a_stack_that_keeps_to_the_rules_comes_up_without_a_word(tmp_path: Path) -> None:
    lab = lab_in(tmp_path, "gke")
    made = Engine(lab.sandbox, lab.stack, lab.config, policies=True)
    up = made.up()
    assert up.changed
    assert up.advice == ()


def test_a_stack_that_breaks_a_rule_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    lab = lab_in(tmp_path, "gke")
    config = copy.deepcopy(lab.config)
    stack_object(config)["gke"]["gpu_pools"][0]["min_nodes"] = 1
    made = Engine(lab.sandbox, lab.stack, config, policies=True)
    said = refused(made, "up")
    assert "policy gpu-pools-from-zero: autoscaling.totalMinNodeCount is 1" in said
    assert "fix: set min_nodes: 0 for the pool" in said
    # What breaks no rule may have been made by then: even the pool without GPUs.
    assert not [line for line in lab.journal() if "gpu-pool" in line["name"]]
    assert not [line for line in lab.journal() if line["type"].endswith(":Application")]


def test_every_broken_rule_of_a_program_is_told_at_once_in_any_tier(program: Lab) -> None:
    said = refused(engine(program, config_of("cost", broken="true")))
    assert re.search("Firewall 'open': policy nothing-public: it lets 0.0.0.0/0 in", said)
    assert re.search("IAMMember 'editor': policy least-privilege: roles/editor", said)
    assert re.search("Secret 'kept': policy no-plaintext-secret: annotations.note holds", said)
    assert "a secret of the stack's config" in said
    assert TOKEN not in said
    assert program.journal() == []


@pytest.mark.parametrize("tier", ["prod", None])
def test_data_is_kept_from_deletion_in_prod_and_where_nobody_says_what_it_is(
    program: Lab, tier: str | None
) -> None:
    said = refused(engine(program, config_of(tier)))
    assert "Secret 'kept': policy data-protected: one wrong command deletes it" in said
    assert "deletionProtection is false" in said
    assert engine(program, config_of(tier, protected="true")).preview().advice == ()


def test_what_prod_refuses_is_advice_in_dev_and_nothing_in_cost(program: Lab) -> None:
    (advice,) = engine(program, config_of("dev")).preview().advice
    assert advice.startswith("Secret 'kept': policy data-protected: ")
    assert engine(program, config_of("cost")).preview().advice == ()


def test_a_teardown_may_take_protection_off_and_nothing_else(program: Lab) -> None:
    chosen = ("--policy-pack", str(POLICY_PACK))
    chosen += ("--policy-pack-config", str(POLICY_PACK / "teardown.json"))
    engine(program, config_of("prod"))
    said = program.pulumi("preview", "--color", "never", *chosen)
    assert re.search(r"\[advisory\]\s+data-protected", said)
    engine(program, config_of("prod", broken="true"))
    with pytest.raises(subprocess.CalledProcessError) as caught:
        program.pulumi("preview", "--color", "never", *chosen)
    assert re.search(r"\[mandatory\]\s+nothing-public", caught.value.stdout)
