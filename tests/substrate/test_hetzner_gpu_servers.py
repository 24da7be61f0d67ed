"""Dedicated GPU servers on Hetzner: what is refused, what they promise, and how they join."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pydantic import ValidationError

from components.contract import GPU_SHARING, SecretStore
from components.platform.apps import gpus
from components.platform.config import ModelGpu
from components.substrate import gke_topology
from components.substrate.gpu_profile import NODE_POOL_LABEL, NODE_PRODUCT_LABEL
from components.substrate.hetzner_addons import cilium_values
from components.substrate.hetzner_gpu_join import (
    LEAVE,
    LEAVE_COMMAND,
    agent_settings,
    join_script,
)
from components.substrate.hetzner_gpu_servers import HetznerGpuServers, HetznerGpuServersArgs
from components.substrate.hetzner_gpu_topology import node_labels, node_taints
from components.substrate.hetzner_k3s import JoinTokens
from components.substrate.hetzner_topology import HetznerTopology, hetzner_contract
from components.versions import K3S
from stacks.config.hetzner.servers import Taint as ConfigTaint
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import (
    HOST_KEY,
    SSH_KEY,
    VSWITCH,
    WITH_GPU,
    config,
    program,
    topology,
)

COMMAND = "command:remote:Command"
SHELLCHECK = str(Path(sys.executable).parent / "shellcheck")
GEX44, GEX131 = WITH_GPU["gpu_servers"]
OTHER = {
    "name": "l40s-0",
    "model": "other",
    "product": "NVIDIA-L40S",
    "gpus": 2,
    "private_address": "10.0.128.9",
    "join": "script",
}
RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7"


def _servers(*servers: Mapping[str, Any], **more: object) -> dict[str, Any]:
    return {**VSWITCH, "gpu_servers": list(servers), **more}


def _changed(**changes: object) -> dict[str, Any]:
    return _servers({**GEX44, **changes})


def _without(*keys: str) -> dict[str, Any]:
    return _servers({key: value for key, value in GEX44.items() if key not in keys})


def _shape(*servers: Mapping[str, Any], **more: object) -> HetznerTopology:
    return topology(_servers(*servers, **more))


# --- config -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"gpu_servers": [GEX44]}, "gpu_servers", "through a vSwitch alone"),
        (
            {"gpu_servers": [GEX44], "vswitch": {"id": 4711, "cidr": "10.0.128.0/24"}},
            "gpu_servers",
            "hetzner.vswitch.vlan, 4000 to 4091",
        ),
        ({"vswitch": {**VSWITCH["vswitch"], "vlan": 100}}, "vswitch.vlan", "4000"),
        (_changed(model="GEX130"), "gpu_servers.0.model", "'GEX44', 'GEX131' or 'other'"),
        (_changed(model="other"), "gpu_servers.0", "write product"),
        (_changed(model="other", product="NVIDIA-L40S"), "gpu_servers.0", "and gpus"),
        (_changed(product="NVIDIA-L40S"), "gpu_servers.0", "a GEX44 has what it has"),
        (_changed(gpus=2), "gpu_servers.0", "set model: other"),
        (_servers({**OTHER, "product": "NVIDIA L40S"}), "gpu_servers.0.product", "pattern"),
        (_changed(private_address="10.0.129.2"), "gpu_servers", "not inside vswitch.cidr"),
        (_changed(private_address="10.0.128.1"), "gpu_servers", "is not for servers"),
        (_changed(private_address="10.0.128.255"), "gpu_servers", "is not for servers"),
        (_changed(private_address="ten"), "gpu_servers.0.private_address", "no IPv4 address"),
        (_servers(GEX44, {**GEX131, "private_address": "10.0.128.2"}), "gpu_servers", "its own"),
        (_servers(GEX44, {**GEX131, "name": "ada-0"}), "gpu_servers", "two servers have the name"),
        (
            _servers(GEX44, {**GEX44, "name": "ada-1", "private_address": "10.0.128.4"}),
            "gpu_servers",
            "two servers have the address",
        ),
        (_without("host_key"), "gpu_servers.0", "trusts host_key alone"),
        (_without("address"), "gpu_servers.0", "set join: script"),
        (_changed(join="script"), "gpu_servers.0", "set join: ssh"),
        (_changed(address="10.0.128.2"), "gpu_servers.0.address", "is not public"),
        (_changed(address="gpu.example.com"), "gpu_servers.0.address", "no IPv4 address"),
        (_changed(host_key="AAAA"), "gpu_servers.0.host_key", "ssh_host_ed25519_key.pub"),
        (_changed(host_key=RSA), "gpu_servers.0.host_key", "ssh-ed25519, ecdsa"),
        (
            _changed(host_key=HOST_KEY.replace("ssh-ed25519", "ecdsa-sha2-nistp256")),
            "gpu_servers.0.host_key",
            "no public host key",
        ),
        (
            _changed(ssh_allowed_cidrs=["0.0.0.0/0"]),
            "gpu_servers.0.ssh_allowed_cidrs.0",
            "much of the internet",
        ),
        (
            _changed(ssh_allowed_cidrs=["203.0.113.7/24"]),
            "gpu_servers.0.ssh_allowed_cidrs.0",
            "canonical CIDR form",
        ),
        (
            {
                **_servers(GEX44),
                "api_allowed_cidrs": [],
                "control_plane": {"load_balancer": "public"},
            },
            "gpu_servers",
            "let nobody in by SSH",
        ),
        (
            {**_servers(GEX44), "worker_pools": [{"name": "gpu-ada", "count": 1}]},
            "gpu_servers",
            "a server of pool gpu-ada",
        ),
        (
            _changed(labels={"llmp.dev/pool": "mine"}),
            "gpu_servers.0.labels",
            "a prefix of your own",
        ),
        (
            _changed(labels={"node-role.kubernetes.io/gpu": "x"}),
            "gpu_servers.0.labels",
            "refuses to start",
        ),
        (_changed(address="224.0.0.1"), "gpu_servers.0.address", "is not public"),
        (
            _changed(host_key=" ".join((HOST_KEY.split()[0], HOST_KEY.split()[1][:20]))),
            "gpu_servers.0.host_key",
            "no public host key",
        ),
        (
            _changed(host_key=f"{HOST_KEY}\n{HOST_KEY}"),
            "gpu_servers.0.host_key",
            "no public host key",
        ),
        (
            _changed(taints=[{"key": "b"}, {"key": "b", "value": "c"}]),
            "gpu_servers.0.taints",
            "each key and effect once",
        ),
        (
            _changed(taints=[{"key": "nvidia.com/gpu"}]),
            "gpu_servers.0.taints",
            "set by the program",
        ),
        (
            {"gpu_operator": {"driver": "preinstalled"}},
            "gpu_operator",
            "there are no gpu_servers",
        ),
        (_servers(GEX44, gpu_operator={"time_slicing": 0}), "gpu_operator.time_slicing", "1"),
        (_servers(GEX44, gpu_operator={"driver": "mine"}), "gpu_operator.driver", "'install'"),
        ({"gpu": {"managed_by": "gpu-operator"}}, "gpu", "Extra inputs"),
    ],
)
def test_a_server_that_could_not_join_is_refused_with_the_fix(
    changes: dict[str, Any], where: str, says: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        config(changes)
    found = {
        ".".join(str(part) for part in error["loc"]): error["msg"]
        for error in raised.value.errors()
    }
    assert where in found, found
    assert says in found[where]


def test_the_pods_of_gpu_servers_need_a_range_too() -> None:
    full = {"pod_cidr": "10.244.0.0/22"}
    config(full)
    with pytest.raises(ValidationError, match="a larger pod_cidr"):
        config({**full, **WITH_GPU})


def test_the_comment_of_a_host_key_is_dropped_so_that_writing_one_changes_nothing() -> None:
    (server,) = _shape({**GEX44, "host_key": f"{HOST_KEY} root@ada"}).gpu_servers
    assert server.ssh is not None
    assert server.ssh.host_key == HOST_KEY


# --- what the contract promises -----------------------------------------------------------------


def test_servers_with_the_same_gpus_are_one_pool() -> None:
    more = {**GEX131, "name": "pro-1", "private_address": "10.0.128.4"}
    profile = _shape(GEX44, GEX131, more, OTHER).gpu
    assert [(pool.name, pool.max_nodes, pool.gpus_per_node) for pool in profile.pools] == [
        ("gex44", 1, 1),
        ("gex131", 2, 1),
        ("nvidia-l40s-x2", 1, 2),
    ]
    assert (profile.max_gpus, profile.max_gpus_per_node) == (5, 2)
    assert profile.products == (
        "NVIDIA-RTX-4000-SFF-Ada-Generation",
        "NVIDIA-RTX-PRO-6000-Blackwell-Max-Q-Workstation-Edition",
        "NVIDIA-L40S",
    )


@pytest.mark.parametrize("time_slicing", [1, 4])
def test_the_nodes_have_what_the_contract_says_of_their_pool(time_slicing: int) -> None:
    shape = _shape(GEX44, GEX131, OTHER, gpu_operator={"time_slicing": time_slicing})
    pools = {pool.name: pool for pool in shape.gpu.pools}
    for server in shape.gpu_servers:
        pool = pools[server.pool]
        labels = node_labels(server, shape.gpu_operator)
        assert pool.labels.items() <= labels.items()
        assert node_taints(server, shape.gpu_operator) == pool.taints
        assert labels[NODE_PRODUCT_LABEL] == pool.product
        assert pool.clients_per_gpu == time_slicing
        assert pool.sharing == ("time-slicing" if time_slicing > 1 else None)


@pytest.mark.parametrize("shared", [False, True])
def test_a_model_selects_and_tolerates_the_nodes_of_its_kind_alone(*, shared: bool) -> None:
    shape = _shape(GEX44, gpu_operator={"time_slicing": 4 if shared else 1})
    (server,) = shape.gpu_servers
    wanted = ModelGpu(product=server.hardware.product, shared=shared)
    pod = gpus.model_nodes(shape.gpu, wanted)
    given = {**node_labels(server, shape.gpu_operator), "nvidia.com/gpu.present": "true"}
    assert pod.selector.items() <= given.items()
    assert pod.runtime_class == "nvidia"
    assert gpus.usable_pools(shape.gpu, wanted)
    other = ModelGpu(product=server.hardware.product, shared=not shared)
    assert not gpus.usable_pools(shape.gpu, other)
    tolerated = {each.key for each in pod.tolerations}
    assert {taint.key for taint in node_taints(server, shape.gpu_operator)} <= tolerated
    assert (GPU_SHARING in pod.selector) == shared


def test_the_labels_are_those_of_gke() -> None:
    assert NODE_POOL_LABEL == gke_topology.POOL_LABEL
    assert NODE_PRODUCT_LABEL == gke_topology.PRODUCT_LABEL


def test_a_server_whose_own_taints_keep_pods_off_promises_nothing_and_is_run_all_the_same() -> None:
    apart = {**GEX44, "taints": [{"key": "team", "value": "vision"}]}
    shape = _shape(apart, GEX131)
    assert [pool.name for pool in shape.gpu.pools] == ["gex131"]
    assert "team=vision:NoSchedule" in agent_settings(shape, shape.gpu_servers[0])["node-taint"]
    alone = _shape(apart).gpu
    assert (alone.managed_by, alone.max_gpus, alone.pools) == ("gpu-operator", 0, ())
    preferred = {"key": "team", "effect": "PreferNoSchedule"}
    assert _shape({**GEX44, "taints": [preferred]}).gpu.max_gpus == 1


def test_the_contract_with_shared_gpus_survives_the_way_through_annotations() -> None:
    shape = _shape(GEX44, OTHER, gpu_operator={"time_slicing": 4})
    contract = hetzner_contract(shape, secret_store=SecretStore(kind="kubernetes"))
    assert type(contract).from_annotations(contract.annotations()) == contract
    assert contract.gpu.max_gpus == 4 + 8


def test_cloud_controller_load_balancers_and_csi_leave_the_node_alone() -> None:
    shape = _shape(GEX44)
    settings = agent_settings(shape, shape.gpu_servers[0])
    # Unlike cloud servers it waits for no cloud controller, which would not find it.
    assert settings["kubelet-arg"] == ["provider-id=llmp-dedicated://llmp-gpu-ada-0"]
    assert "instance.hetzner.cloud/provided-by=robot" in settings["node-label"]
    exclude = "node.kubernetes.io/exclude-from-external-load-balancers=true"
    assert exclude in settings["node-label"]


def test_node_ports_answer_on_the_private_network_alone() -> None:
    # A dedicated server has no firewall of Hetzner's before it, and its own sees them too late.
    values = cilium_values(_shape(GEX44))
    assert values["nodePort"] == {"addresses": ["10.0.0.0/16"]}
    assert values["MTU"] == 1400


# --- the component ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return deploy(program(WITH_GPU))


def test_one_command_joins_a_server_whose_key_is_pinned(recorder: Recorder) -> None:
    command = recorder.one(COMMAND)
    connection = command.inputs["connection"]
    assert connection["host"] == GEX44["address"]
    assert connection["hostKey"] == HOST_KEY
    assert connection["user"] == "root"
    assert connection["privateKey"] == SSH_KEY
    assert command.inputs["delete"] == LEAVE_COMMAND


def test_what_joins_is_secret_and_in_no_command_line(recorder: Recorder) -> None:
    command = recorder.one(COMMAND)
    assert {"stdin", "connection"} <= command.secret_inputs
    assert re.fullmatch(r"K10[0-9a-f]{64}::node:0+\n", command.inputs["stdin"])
    for key in ("create", "delete"):
        assert "K10" not in command.inputs[key]
        assert "PRIVATE KEY" not in command.inputs[key]
    assert {"stdin", "connection"} <= set(command.additional_secret_outputs)
    assert "environment" not in command.inputs


def test_a_changed_script_runs_again_in_place_and_never_replaces(recorder: Recorder) -> None:
    command = recorder.one(COMMAND)
    assert "triggers" not in command.inputs
    assert "update" not in command.inputs
    assert not command.ignore_changes


def test_a_server_joins_once_the_api_and_the_vswitch_are_there(recorder: Recorder) -> None:
    depends = recorder.one(COMMAND).depends_on
    subnets = recorder.all("hcloud:index/networkSubnet:NetworkSubnet")
    ready = recorder.one("command:local:Command", "substrate-api-ready")
    assert {ready.urn, *(subnet.urn for subnet in subnets)} <= depends


def test_the_operators_daemons_and_argo_cd_go_before_the_servers_do(recorder: Recorder) -> None:
    joined = recorder.one(COMMAND).urn
    for name in ("substrate-gpu-operator-namespace", "substrate-argo-cd-namespace"):
        namespace = recorder.one("kubernetes:core/v1:Namespace", name)
        assert joined in namespace.depends_on


def test_a_server_without_ssh_gives_its_script_out_as_a_secret(recorder: Recorder) -> None:
    del recorder
    given: list[Any] = []

    def build() -> None:
        servers = HetznerGpuServers(
            "servers",
            HetznerGpuServersArgs(
                topology=topology(_servers(GEX131)),
                tokens=pulumi.Output.secret(JoinTokens(server="s" * 48, agent="a" * 48)),
                server_ca="certificate",
                ssh_key=None,
            ),
        )
        pulumi.Output.all(servers.scripts["pro-0"], servers.scripts["pro-0"].is_secret()).apply(
            given.append
        )

    assert not deploy(build).all(COMMAND)
    ((script, secret),) = given
    assert secret
    assert f"::node:{'a' * 48}'\n" in script
    assert "s" * 48 not in script


def test_a_server_by_ssh_without_a_key_is_an_error_of_the_program() -> None:
    def build() -> None:
        HetznerGpuServers(
            "servers",
            HetznerGpuServersArgs(
                topology=topology(_servers(GEX44)),
                tokens=JoinTokens(server="s", agent="a"),
                server_ca="certificate",
                ssh_key=None,
            ),
        )

    with pytest.raises(Exception, match="ada-0 is joined by SSH, and there is no key"):
        deploy(build)


# --- the script, run with stand-ins for everything that would change a machine --------------------

NODE = "llmp-gpu-ada-0"
STUBS = {
    "id": "echo 0",
    "uname": 'case "$1" in --kernel-release) echo 6.8.0-31-generic ;; *) echo "$MACHINE" ;; esac',
    "ip": """\
case "$*" in
  *route*) echo "default via 198.51.100.1 dev enp5s0 proto static" ;;
  *) [ ! -e "$HERE/connected" ] || echo "7: vswitch    inet 10.0.128.2/24 brd 10.0.128.255" ;;
esac""",
    "netplan": '[ "$1" != apply ] || touch "$HERE/connected"; [ "$1" != generate ] || $NETPLAN',
    "nft": 'case "$1" in list) [ -e "$HERE/filtered" ] ;; *) touch "$HERE/filtered" ;; esac',
    "timeout": "$REACHABLE",
    "curl": """\
while [ $# -gt 1 ]; do
  [ "$1" != --output ] || name="$2"
  shift
done
case "$name" in
  k3s) cp "$HERE/k3s" k3s ;;
  *) echo "$(sha256sum "$HERE/k3s" | cut -d' ' -f1)  k3s" > "$name" ;;
esac""",
    **dict.fromkeys(
        (
            "apt-get",
            "journalctl",
            "modprobe",
            "nvidia-smi",
            "sleep",
            "sysctl",
            "systemctl",
            "update-initramfs",
        ),
        "true",
    ),
}
K3S_STUB = 'case "$*" in *"get node"*) cat "$HERE/taints" ;; *) $JOINS ;; esac'
FOLDERS = re.compile(r"(?<![\w.])/(etc|usr/local|var/lib|sys|lib/modules)(?=/)")


class Machine:
    """A folder that the script takes for a server."""

    def __init__(self, folder: Path) -> None:
        """Make a server with Ubuntu on it."""
        self.folder = folder
        self.log = folder / "log"
        for name, body in {**STUBS, "../k3s": K3S_STUB}.items():
            path = folder / "bin" / name
            path.parent.mkdir(exist_ok=True)
            shown = path.name
            path.write_text(f'#!/bin/bash\necho "{shown} $*" >> "$HERE/log"\n{body}\n')
            path.chmod(0o755)
        self.write("etc/os-release", 'ID=ubuntu\nVERSION_ID="24.04"\n')
        self.write("usr/local/bin/.keep", "")
        self.write("lib/modules/6.8.0-31-generic/build", "")
        self.write("taints", "nvidia.com/gpu=present:NoSchedule\n")

    def write(self, path: str, text: str) -> None:
        """Write a file below the folder."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def read(self, path: str) -> str:
        """Return a file below the folder."""
        return (self.folder / path).read_text()

    def run(self, script: str, **environment: str) -> tuple[int, str, list[str]]:
        """Run the script; return its status, what it said, and the commands that it ran."""
        self.log.write_text("")
        moved = FOLDERS.sub(lambda match: f"{self.folder}{match[0]}", script)
        # A device of the system, not a file of the server.
        moved = moved.replace(f"{self.folder}/dev", "/dev")
        done = subprocess.run(
            ["/bin/bash", "-c", moved],
            input="K10token\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                "HERE": str(self.folder),
                "MACHINE": "x86_64",
                "NETPLAN": "true",
                "REACHABLE": "true",
                "JOINS": "true",
                **environment,
            },
        )
        return done.returncode, done.stdout + done.stderr, self.log.read_text().splitlines()

    def state(self) -> dict[str, tuple[int, int, bytes]]:
        """Return every file of the server with its mode, its time and its content."""
        found: dict[str, tuple[int, int, bytes]] = {}
        for top in ("etc", "usr", "var"):
            for path in sorted((self.folder / top).rglob("*")):
                if path.is_file():
                    about = path.stat()
                    relative = str(path.relative_to(self.folder))
                    mode = stat.S_IMODE(about.st_mode)
                    found[relative] = (mode, about.st_mtime_ns, path.read_bytes())
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _script(server: Mapping[str, Any] | None = None, **more: object) -> str:
    shape = _shape({**GEX44, **(server or {})}, **more)
    return join_script(shape, shape.gpu_servers[0], version=K3S)


def _changing(log: list[str]) -> list[str]:
    """Return the commands that change a machine, however often they run."""
    harmless = (
        "systemctl daemon-reload",
        "systemctl enable",
        "systemctl start",
        "nft list",
        "k3s kubectl",
        *(f"{name} " for name in ("id", "uname", "ip", "timeout", "nvidia-smi", "sleep")),
    )
    return [line for line in log if not line.startswith(harmless)]


def test_it_makes_a_node_of_a_server(machine: Machine) -> None:
    status, said, log = machine.run(_script())
    assert status == 0, said
    assert said.endswith(f"{NODE} is a node of the cluster\n")
    assert machine.read("etc/rancher/k3s/agent-token") == "K10token\n"
    settings = yaml.safe_load(machine.read("etc/rancher/k3s/config.yaml"))
    expected = json.dumps(agent_settings(_shape(GEX44), _shape(GEX44).gpu_servers[0]))
    moved = FOLDERS.sub(lambda match: f"{machine.folder}{match[0]}", expected)
    assert settings == json.loads(moved)
    assert settings["server"] == "https://10.0.127.254:6443"
    assert "systemctl restart --no-block k3s-agent.service" in log
    assert (machine.folder / "usr/local/bin/k3s").stat().st_mode & 0o111


def test_running_it_again_changes_nothing(machine: Machine) -> None:
    machine.run(_script())
    before = machine.state()
    status, _, log = machine.run(_script())
    assert status == 0
    assert machine.state() == before
    assert _changing(log) == []


def test_the_first_run_would_be_seen_to_change_things(machine: Machine) -> None:
    _, _, log = machine.run(_script())
    changing = " ".join(_changing(log))
    for name in ("netplan apply", "nft --file", "curl", "update-initramfs -u", "systemctl restart"):
        assert name in changing


@pytest.mark.parametrize(
    ("more", "restarts", "file"),
    [
        ({"server": {"labels": {"team": "vision"}}}, True, "etc/rancher/k3s/config.yaml"),
        ({"server": {"ssh_allowed_cidrs": ["198.51.100.0/24"]}}, False, "etc/llmp/firewall.nft"),
        (
            {"network_cidr": "10.0.0.0/15", "node_cidr": "10.0.0.0/17"},
            False,
            "etc/netplan/60-llmp.yaml",
        ),
    ],
    ids=["labels", "firewall", "network"],
)
def test_a_change_reaches_its_own_file_and_restarts_only_what_reads_it(
    machine: Machine, more: dict[str, Any], file: str, *, restarts: bool
) -> None:
    machine.run(_script())
    before = machine.state()
    status, said, log = machine.run(_script(**more))
    assert status == 0, said
    after = machine.state()
    assert [path for path in after if after[path] != before[path]] == [file]
    assert ("systemctl restart --no-block k3s-agent.service" in log) == restarts


def test_another_release_of_k3s_is_left_to_the_cluster(machine: Machine) -> None:
    machine.run(_script())
    before = machine.state()
    shape = _shape(GEX44)
    newer = join_script(shape, shape.gpu_servers[0], version="v1.99.0+k3s1")
    _, _, log = machine.run(newer)
    assert machine.state() == before
    assert not [line for line in log if line.startswith("curl")]


def test_secrets_are_readable_by_root_alone(machine: Machine) -> None:
    machine.run(_script())
    for path in ("etc/rancher/k3s/agent-token", "etc/rancher/k3s/config.yaml"):
        assert machine.state()[path][0] == 0o600
    assert b"K10token" not in machine.state()["etc/rancher/k3s/config.yaml"][2]


def test_the_interface_carries_what_a_vswitch_carries(machine: Machine) -> None:
    machine.run(_script())
    plan = yaml.safe_load(machine.read("etc/netplan/60-llmp.yaml"))["network"]["vlans"]["vswitch"]
    assert plan == {
        "id": 4000,
        "link": "enp5s0",
        "mtu": 1400,
        "addresses": ["10.0.128.2/24"],
        "routes": [{"to": "10.0.0.0/16", "via": "10.0.128.1"}],
    }


def test_the_internet_reaches_ssh_from_known_networks_alone(machine: Machine) -> None:
    machine.run(_script())
    rules = machine.read("etc/llmp/firewall.nft")
    accepted = [line.strip() for line in rules.splitlines() if line.strip().endswith("accept")]
    assert accepted == [
        'iifname != "enp5s0" accept',
        "ct state established,related accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "ip saddr { 203.0.113.0/24 } tcp dport 22 accept",
        'iifname != "enp5s0" accept',
        "ct state established,related accept",
    ]
    assert [line.strip() for line in rules.splitlines()].count("drop") == 2
    unit = machine.read("etc/systemd/system/k3s-agent.service")
    assert "Requires=llmp-firewall.service" in unit
    assert "metadata" not in unit


def test_labels_follow_and_stale_sharing_goes(machine: Machine) -> None:
    _, _, log = machine.run(_script(server={"labels": {"team": "vision"}}))
    (told,) = [line for line in log if "label --overwrite" in line]
    assert f"node {NODE} " in told
    assert "team=vision" in told
    assert told.endswith(" llmp.dev/gpu-sharing-")
    machine.write(
        "taints",
        "nvidia.com/gpu=present:NoSchedule\nllmp.dev/gpu-sharing=time-slicing:NoSchedule\n",
    )
    _, _, log = machine.run(_script(gpu_operator={"time_slicing": 4}))
    (told,) = [line for line in log if "label --overwrite" in line]
    assert "llmp.dev/gpu-sharing=time-slicing" in told
    assert "llmp.dev/gpu-sharing-" not in told


def _preinstalled(_machine: Machine) -> str:
    return _script(gpu_operator={"driver": "preinstalled"})


def _shared(_machine: Machine) -> str:
    return _script(gpu_operator={"time_slicing": 4})


def _once_shared(machine: Machine) -> str:
    taints = "nvidia.com/gpu=present:NoSchedule\nllmp.dev/gpu-sharing=time-slicing:NoSchedule\n"
    machine.write("taints", taints)
    return _script()


def _debian(machine: Machine) -> str:
    machine.write("etc/os-release", 'ID=debian\nVERSION_ID="13"\n')
    return _script()


def _nouveau(machine: Machine) -> str:
    machine.write("sys/module/nouveau/version", "")
    machine.write("bin/modprobe", "#!/bin/bash\nexit 1\n")
    return _script()


def _secure_boot(machine: Machine) -> str:
    path = machine.folder / "sys/firmware/efi/efivars/SecureBoot-8be4df61"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x06\x00\x00\x00\x01")
    return _script()


def _no_driver(machine: Machine) -> str:
    machine.write("bin/nvidia-smi", "#!/bin/bash\nexit 9\n")
    return _preinstalled(machine)


def _own_kernel(machine: Machine) -> str:
    machine.write("bin/uname", "#!/bin/bash\n[ $1 = --machine ] && echo x86_64 || echo 6.12-own\n")
    return _script(gpu_operator={"driver": "precompiled"})


def _plain(_machine: Machine) -> str:
    return _script()


@pytest.mark.parametrize(
    ("prepare", "environment", "says"),
    [
        (_plain, {"MACHINE": "aarch64"}, "GPU servers are x86_64"),
        (_debian, {}, "install Ubuntu 22.04 or 24.04"),
        (_nouveau, {}, "reboot the server once"),
        (_secure_boot, {}, "Secure Boot"),
        (_no_driver, {}, "install NVIDIA's driver first"),
        (_own_kernel, {}, "set driver: install"),
        (_plain, {"NETPLAN": "false"}, "netplan does not know the interface enp5s0"),
        (_plain, {"REACHABLE": "false"}, "VLAN id 4000"),
        (_plain, {"SSH_CONNECTION": "198.51.100.9 50000 203.0.113.20 22"}, "keep you out"),
        (_plain, {"JOINS": "false"}, f"kubectl delete node {NODE}"),
        (
            _shared,
            {},
            f"kubectl taint nodes {NODE} llmp.dev/gpu-sharing=time-slicing:NoSchedule",
        ),
        (
            _once_shared,
            {},
            f"kubectl taint nodes {NODE} llmp.dev/gpu-sharing=time-slicing:NoSchedule-",
        ),
    ],
)
def test_what_would_not_work_is_said_with_the_way_out(
    machine: Machine,
    prepare: Callable[[Machine], str],
    environment: dict[str, str],
    says: str,
) -> None:
    script = prepare(machine)
    for name in ("modprobe", "nvidia-smi", "uname"):
        (machine.folder / "bin" / name).chmod(0o755)
    status, said, _ = machine.run(script, **environment)
    assert status == 1
    assert says in said
    assert "is a node of the cluster" not in said


def test_a_firewall_that_lets_the_program_in_is_put_up(machine: Machine) -> None:
    status, said, _ = machine.run(_script(), SSH_CONNECTION="203.0.113.9 50000 203.0.113.20 22")
    assert status == 0, said


def test_a_network_that_netplan_refuses_leaves_no_file_for_the_next_boot(machine: Machine) -> None:
    machine.run(_script(), NETPLAN="false")
    assert not (machine.folder / "etc/netplan/60-llmp.yaml").exists()


def test_a_driver_that_is_there_is_left_alone(machine: Machine) -> None:
    status, said, log = machine.run(_preinstalled(machine))
    assert status == 0, said
    assert not [line for line in log if line.startswith(("update-initramfs", "apt-get"))]
    assert not (machine.folder / "etc/modprobe.d").exists()


def test_leaving_takes_the_credentials_and_keeps_the_way_back(machine: Machine) -> None:
    machine.run(_script())
    machine.write("var/lib/rancher/k3s/agent/kubelet.kubeconfig", "secret")
    machine.write("etc/rancher/node/password", "kept")
    status, said, log = machine.run(
        machine.read(LEAVE.removeprefix("/")).replace(str(machine.folder), "")
    )
    assert status == 0
    assert f"kubectl delete node {NODE}" in said
    assert "systemctl disable --now k3s-agent.service" in log
    left = machine.state()
    assert "var/lib/rancher/k3s/agent/kubelet.kubeconfig" not in left
    assert "etc/rancher/k3s/agent-token" not in left
    assert "usr/local/bin/k3s" not in left
    assert "etc/rancher/node/password" in left
    status, said, _ = machine.run(_script())
    assert status == 0, said


@pytest.mark.parametrize("driver", ["install", "precompiled", "preinstalled"])
def test_shellcheck_finds_nothing_in_the_script(tmp_path: Path, driver: str) -> None:
    path = tmp_path / "join.sh"
    path.write_text(_script(gpu_operator={"driver": driver, "time_slicing": 2}))
    done = subprocess.run(
        [SHELLCHECK, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_shellcheck_finds_nothing_in_what_leaves(tmp_path: Path) -> None:
    text = _script().split(f"put {LEAVE} 0700 <<'LLMP'\n")[1].split("\nLLMP\n")[0]
    path = tmp_path / "leave.sh"
    path.write_text(f"{text}\n")
    done = subprocess.run(
        [SHELLCHECK, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout


def test_a_topology_without_a_vswitch_joins_nobody() -> None:
    shape = _shape(GEX44)
    with pytest.raises(ValueError, match="no vSwitch to join through"):
        join_script(topology(), shape.gpu_servers[0], version=K3S)


def test_a_taint_is_written_as_the_config_writes_it() -> None:
    taint = {"key": "team", "value": "vision", "effect": "NoExecute"}
    shape = _shape({**GEX44, "taints": [taint]})
    last = agent_settings(shape, shape.gpu_servers[0])["node-taint"][-1]
    assert last == str(ConfigTaint.model_validate(taint))
