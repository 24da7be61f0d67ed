"""No pod reads the metadata service of its server: what is said on the server, and by Cilium."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.substrate.hetzner_addons import cilium_values
from components.substrate.hetzner_metadata_policy import metadata_policy
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import program, topology

SERVER = "hcloud:index/server:Server"
POLICY = "kubernetes:cilium.io/v2:CiliumClusterwideNetworkPolicy"
GUARD = "/usr/local/sbin/llmp-guard-metadata"
RULES = [
    "iptables --table raw PREROUTING --destination 169.254.169.254/32 --jump DROP",
    "ip6tables --table raw PREROUTING --destination fe80::a9fe:a9fe/128 --jump DROP",
]


@pytest.fixture(scope="module")
def stack() -> Recorder:
    return deploy(program({"control_plane": {"count": 3}}))


def _guards(stack: Recorder) -> set[str]:
    documents: list[dict[str, Any]] = [
        yaml.safe_load(one.inputs["userData"]) for one in stack.all(SERVER)
    ]
    return {
        file["content"]
        for document in documents
        for file in document["write_files"]
        if file["path"] == GUARD
    }


def _run(script: str, folder: Path, *, has_rules: bool) -> list[str]:
    """Run the script with tables that only write down what they are asked; return what is new."""
    log = folder / "log"
    for name in ("iptables", "ip6tables"):
        program = folder / name
        program.write_text(
            f'#!/bin/bash\necho "{name} $*" >> "{log}"\n'
            f'[[ "$*" != *--check* ]] || exit {0 if has_rules else 1}\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
    subprocess.run(
        ["bash", "-s"],
        input=script,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    calls = log.read_text("utf-8").splitlines()
    assert len([call for call in calls if "--check" in call]) == len(RULES)
    return [
        call.replace(" --wait 30", "").replace(" --insert", "")
        for call in calls
        if "--insert" in call
    ]


def test_every_server_has_the_same_guard(stack: Recorder) -> None:
    assert len(stack.all(SERVER)) == 6
    assert len(_guards(stack)) == 1


def test_the_guard_drops_what_is_not_the_servers_own_over_ipv4_and_ipv6(
    stack: Recorder, tmp_path: Path
) -> None:
    (script,) = _guards(stack)
    assert _run(script, tmp_path, has_rules=False) == RULES


def test_a_restart_adds_no_rule_twice(stack: Recorder, tmp_path: Path) -> None:
    (script,) = _guards(stack)
    assert _run(script, tmp_path, has_rules=True) == []


def test_what_pods_send_passes_the_rules_of_the_server() -> None:
    values = cilium_values(topology())
    assert values["bpf"] == {"masquerade": False, "hostLegacyRouting": True}


def test_no_proxy_on_the_host_asks_for_a_pod() -> None:
    values = cilium_values(topology())
    assert values["l7Proxy"] is False
    assert values["envoy"] == {"enabled": False}


def test_cilium_denies_it_too_to_all_pods_and_nothing_else_to_anyone(stack: Recorder) -> None:
    policy = stack.one(POLICY)
    assert policy.inputs["spec"] == metadata_policy()
    assert policy.inputs["spec"]["endpointSelector"] == {}
    assert policy.inputs["spec"]["egressDeny"] == [{"toCIDR": ["169.254.169.254/32"]}]
    assert policy.inputs["spec"]["enableDefaultDeny"] == {"ingress": False, "egress": False}
    assert not {"egress", "ingress", "ingressDeny"} & set(policy.inputs["spec"])


def test_the_policy_comes_after_cilium_which_brings_its_kind(stack: Recorder) -> None:
    policy = stack.one(POLICY)
    cilium = stack.one("kubernetes:helm.sh/v3:Release", "substrate-addons-network")
    assert cilium.urn in policy.depends_on
    assert policy.provider == "substrate-kubernetes"
    assert policy.deleted_with.endswith("::substrate-control-plane-0-server")
