"""How the pack answers the engine: what it makes of requests, and how it starts and ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from components.platform.config import PlatformConfig
from policies.analyzer import DEFAULT_TIER, PACK, config_secrets, decoded, tier_of
from policies.model import Hidden
from policies.rules import GCP_BUCKET, RULES

ROOT = Path(__file__).resolve().parents[2]
PACK_FOLDER = ROOT / "policies"
STARTER = PACK_FOLDER / "bin" / "pulumi-analyzer-policy-llmp"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": "hunter2"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

_pb = cast("Any", analyzer_pb2)
EMPTY = empty_pb2.Empty()


def stack_config(**platform: object) -> dict[str, str]:
    return {"llmp:stack": json.dumps({"kind": "gke", "platform": platform})}


@pytest.mark.parametrize("tier", ["cost", "dev", "prod"])
def test_the_tier_is_the_one_that_the_config_names(tier: str) -> None:
    assert tier_of(stack_config(tier=tier)) == tier


def test_a_stack_that_names_no_tier_has_the_one_that_its_config_gives_it() -> None:
    assert tier_of(stack_config()) == DEFAULT_TIER
    assert PlatformConfig.model_fields["tier"].default == DEFAULT_TIER


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"llmp:stack": "no JSON"},
        {"llmp:stack": "[]"},
        {"llmp:stack": "{}"},
        {"llmp:stack": '{"platform": null}'},
        stack_config(tier="Prod"),
        stack_config(tier=["cost"]),
    ],
)
def test_a_stack_whose_tier_cannot_be_seen_is_judged_as_prod(config: dict[str, str]) -> None:
    assert tier_of(config) == "prod"


def test_secrets_and_unknown_values_are_hidden_wherever_they_are() -> None:
    wire = {"plain": 1.0, "list": [{"deep": SECRET}, UNKNOWN], "none": None}
    assert decoded(wire) == {
        "plain": 1.0,
        "list": [{"deep": Hidden.SECRET}, Hidden.UNKNOWN],
        "none": None,
    }


def test_the_secrets_of_the_config_are_its_texts_and_not_its_keys() -> None:
    config = {
        "hcloud:token": "t0ken",
        "llmp:more": json.dumps({"user": "me", "inner": [{"key": "s3cret", "size": 3}]}),
        "llmp:plain": "plain",
        "llmp:number": "12345678",
    }
    found = config_secrets(config, ["hcloud:token", "llmp:more", "llmp:number", "llmp:gone"])
    assert found == ("t0ken", "me", "s3cret", "12345678")


def test_what_a_teardown_turns_down_is_one_rule_and_not_a_rule_of_security() -> None:
    chosen = json.loads((PACK_FOLDER / "teardown.json").read_text(encoding="utf-8"))
    assert chosen == {"data-protected": "advisory"}
    assert "data-protected" in {rule.name for rule in RULES}


def test_the_engine_finds_the_starter_by_the_runtime_of_the_pack() -> None:
    pack = yaml.safe_load((PACK_FOLDER / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    assert STARTER.name == f"pulumi-analyzer-policy-{pack['runtime']}"
    assert os.access(STARTER, os.X_OK)


@contextmanager
def serving(*command: str) -> Generator[tuple[Any, "subprocess.Popen[str]"]]:
    """Start the pack and return a client of it, and the process."""
    process = subprocess.Popen(
        command,
        cwd="/",
        env={"PATH": os.defpath, "LLMP_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel), process
    finally:
        process.kill()
        process.communicate()


ENGINE = "127.0.0.1:1"
STARTED = pytest.mark.parametrize(
    "command",
    [
        (str(STARTER), ENGINE, "."),
        (sys.executable, str(PACK_FOLDER), ENGINE),
        # How language hosts that know packs start one that says it is of Python.
        (sys.executable, "-u", "-m", "pulumi.policy", ENGINE, str(PACK_FOLDER)),
    ],
    ids=["starter", "folder", "pulumi.policy"],
)


@STARTED
def test_it_answers_however_it_is_started_and_ends_quietly(command: tuple[str, ...]) -> None:
    with serving(*command) as (client, process):
        info = client.GetAnalyzerInfo(EMPTY)
        assert info.name == PACK
        assert [one.name for one in info.policies] == [rule.name for rule in RULES]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_config_of_the_stack_decides_how_much_a_rule_weighs() -> None:
    levels: dict[str, dict[str, int]] = {}
    with serving(str(STARTER), ENGINE, ".") as (client, _):
        for tier in ("cost", "prod"):
            client.ConfigureStack(
                _pb.AnalyzerStackConfigureRequest(stack="s", config=stack_config(tier=tier))
            )
            levels[tier] = {
                one.name: one.enforcementLevel for one in client.GetAnalyzerInfo(EMPTY).policies
            }
    assert levels["cost"]["data-protected"] == _pb.DISABLED
    assert levels["prod"]["data-protected"] == _pb.MANDATORY
    assert levels["cost"]["nothing-public"] == levels["prod"]["nothing-public"] == _pb.MANDATORY


def test_a_violation_names_rule_resource_and_fix_and_the_engine_may_choose_its_level() -> None:
    request = _pb.AnalyzeRequest(type=GCP_BUCKET, name="backups", urn="urn:of:backups")
    request.options.protect = True
    request.properties.update(
        {
            "publicAccessPrevention": "enforced",
            "uniformBucketLevelAccess": True,
            "labels": {"managed-by": "llmp", "llmp-cluster": "llmp"},
        }
    )
    with serving(str(STARTER), ENGINE, ".") as (client, _):
        (found,) = client.Analyze(request).diagnostics
        assert (found.policyName, found.urn) == ("buckets-versioned", "urn:of:backups")
        assert "\nfix: set versioning.enabled: true" in found.message
        assert found.enforcementLevel == _pb.MANDATORY
        chosen = _pb.PolicyConfig(enforcementLevel=_pb.ADVISORY)
        client.Configure(_pb.ConfigureAnalyzerRequest(policyConfig={"buckets-versioned": chosen}))
        (found,) = client.Analyze(request).diagnostics
        assert found.enforcementLevel == _pb.ADVISORY
        request.properties.update({"versioning": SECRET})
        assert not client.Analyze(request).diagnostics
