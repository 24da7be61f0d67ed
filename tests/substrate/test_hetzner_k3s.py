"""What a server is told on its first boot. Each test is a trap that a cluster would fall into."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from components.substrate.hetzner_audit import audit_policy
from components.substrate.hetzner_k3s import (
    USER_DATA_LIMIT,
    CertificateAuthority,
    ClusterAuthorities,
    JoinTokens,
    UserDataTooLargeError,
    agent_config,
    agent_user_data,
    control_plane_user_data,
    join_token,
    server_config,
)
from components.versions import K3S
from tests.substrate.hetzner_samples import OBJECT_STORAGE, topology

TOKENS = JoinTokens(server="server-password", agent="agent-password")
SERVER_CA = "-----BEGIN CERTIFICATE-----\nserver\n-----END CERTIFICATE-----\n"
SCRIPTS = ("/usr/local/sbin/llmp-install-k3s", "/usr/local/sbin/llmp-guard-metadata")
SHELLCHECK = str(Path(sys.executable).parent / "shellcheck")
UNWANTED = "SC2250,SC2292,SC2312"
"""Matters of taste: braces around every variable, [[ for [, and commands whose failure is masked
where it is meant to be."""


def _authority(name: str) -> CertificateAuthority:
    return CertificateAuthority(certificate=f"{name} certificate\n", private_key=f"{name} key\n")


AUTHORITIES = ClusterAuthorities(
    server=CertificateAuthority(certificate=SERVER_CA, private_key="server key\n"),
    client=_authority("client"),
    request_header=_authority("request-header"),
    etcd_server=_authority("etcd-server"),
    etcd_peer=_authority("etcd-peer"),
    service_account_key="service account key\n",
)


def _server(index: int = 0, changes: dict[str, object] | None = None) -> str:
    shape = topology({"control_plane": {"count": 3}} if changes is None else changes)
    settings = server_config(
        shape, index=index, public_address="192.0.2.1", tokens=TOKENS, server_ca=SERVER_CA
    )
    return control_plane_user_data(
        settings,
        node_cidr=shape.node_cidr,
        version=K3S,
        authorities=AUTHORITIES if index == 0 else None,
    )


def _worker(pool: dict[str, object] | None = None) -> str:
    platform = {"name": "platform", "count": 1}
    pools = [platform] if pool is None else [pool, platform]
    shape = topology({"worker_pools": pools})
    settings = agent_config(
        shape,
        shape.worker_pools[0],
        node_name="llmp-platform-0",
        tokens=TOKENS,
        server_ca=SERVER_CA,
    )
    return agent_user_data(settings, node_cidr=shape.node_cidr, version=K3S)


def _document(user_data: str) -> dict[str, Any]:
    assert user_data.startswith("#cloud-config\n")
    return cast("dict[str, Any]", yaml.safe_load(user_data))


def _files(user_data: str) -> dict[str, dict[str, str]]:
    return {file["path"]: file for file in _document(user_data)["write_files"]}


def _k3s(user_data: str) -> dict[str, Any]:
    content = _files(user_data)["/etc/rancher/k3s/config.yaml"]["content"]
    return cast("dict[str, Any]", yaml.safe_load(content))


def test_what_others_do_is_switched_off_in_k3s() -> None:
    settings = _k3s(_server())
    assert settings["flannel-backend"] == "none"
    assert settings["disable-kube-proxy"] is True
    assert settings["disable-network-policy"] is True
    assert settings["disable-cloud-controller"] is True
    assert {"traefik", "servicelb"} <= set(settings["disable"])


def test_k3s_makes_no_second_default_storage_class() -> None:
    assert "local-storage" in _k3s(_server())["disable"]


def test_every_node_waits_for_the_cloud_controller() -> None:
    for user_data in (_server(0), _server(1), _worker()):
        assert "cloud-provider=external" in _k3s(user_data)["kubelet-arg"]


def test_secrets_are_encrypted_at_rest_in_the_same_way_by_every_server() -> None:
    for index in range(3):
        assert _k3s(_server(index))["secrets-encryption"] is True
        assert _k3s(_server(index))["secrets-encryption-provider"] == "secretbox"


def test_the_api_server_writes_an_audit_log_that_cannot_fill_the_disk() -> None:
    for index in range(3):
        files = _files(_server(index))
        arguments = dict(one.split("=", 1) for one in _k3s(_server(index))["kube-apiserver-arg"])
        assert arguments["audit-log-path"] == "/var/lib/rancher/k3s/server/logs/audit.log"
        kept = int(arguments["audit-log-maxbackup"]) + 1
        assert kept * int(arguments["audit-log-maxsize"]) <= 1100
        assert int(arguments["audit-log-maxage"]) == 30
        assert files[arguments["audit-policy-file"]]["permissions"] == "0600"


def test_the_audit_log_can_be_switched_off_and_leaves_no_file() -> None:
    user_data = _server(0, {"control_plane": {"audit_log": False}})
    assert _k3s(user_data)["kube-apiserver-arg"] == []
    assert "audit" not in user_data


def test_no_rule_of_the_audit_policy_records_what_secrets_config_maps_or_tokens_hold() -> None:
    rules: list[dict[str, Any]] = audit_policy()["rules"]
    assert rules[-1] == {"level": "Metadata"}, "what no rule names is recorded"
    assert {rule["level"] for rule in rules} == {"None", "Metadata", "Request"}
    for rule in rules:
        if rule["level"] == "Request":
            assert [each["group"] for each in rule["resources"]] == ["rbac.authorization.k8s.io"]
    first = rules[0]["resources"]
    assert {"group": "", "resources": ["secrets", "serviceaccounts/token"]} in first
    assert rules[0]["level"] == "Metadata", "before the rules that leave reads out"


def test_workers_write_no_audit_log() -> None:
    assert "audit" not in _worker()


def test_every_server_takes_snapshots_four_times_a_day_and_keeps_a_week_of_them() -> None:
    for index in range(3):
        settings = _k3s(_server(index))
        assert settings["etcd-snapshot-schedule-cron"] == "0 */6 * * *"
        assert settings["etcd-snapshot-retention"] == 7 * 4
        assert "etcd-disable-snapshots" not in settings


def test_a_server_knows_the_store_of_snapshots_by_its_secret_and_by_nothing_else() -> None:
    # One more setting, and k3s would ignore the Secret.
    for index in range(3):
        settings = _k3s(_server(index))
        assert {key: value for key, value in settings.items() if key.startswith("etcd-s3")} == {
            "etcd-s3": True,
            "etcd-s3-config-secret": "k3s-etcd-snapshot-s3-config",
        }


def test_naming_a_store_of_snapshots_later_changes_nothing_that_a_server_is_told() -> None:
    assert _server(0, {}) == _server(0, OBJECT_STORAGE)
    assert _server(1, {}) == _server(1, OBJECT_STORAGE)


def test_kubelet_finds_the_kernel_as_it_wants_it_and_would_not_start_otherwise() -> None:
    wanted = {
        "vm.overcommit_memory": "1",
        "vm.panic_on_oom": "0",
        "kernel.panic": "10",
        "kernel.panic_on_oops": "1",
        "kernel.keys.root_maxkeys": "1000000",
        "kernel.keys.root_maxbytes": "25000000",
    }
    for user_data in (_server(0), _server(1), _worker()):
        assert _k3s(user_data)["protect-kernel-defaults"] is True
        lines = _files(user_data)["/etc/sysctl.d/90-llmp.conf"]["content"].splitlines()
        assert wanted.items() <= dict(line.split(" = ") for line in lines).items()
        script = _files(user_data)["/usr/local/sbin/llmp-install-k3s"]["content"]
        assert script.index("sysctl --quiet --system") < script.index("systemctl start")


def test_the_first_server_starts_etcd_and_the_others_join_it() -> None:
    assert _k3s(_server(0))["cluster-init"] is True
    assert "server" not in _k3s(_server(0))
    for index in (1, 2):
        assert "cluster-init" not in _k3s(_server(index))
        assert _k3s(_server(index))["server"] == "https://10.0.127.254:6443"


def test_what_the_first_server_is_told_does_not_depend_on_how_many_there_are() -> None:
    assert _server(0, {"control_plane": {"count": 1}}) == _server(
        0, {"control_plane": {"count": 3}}
    )


def test_the_api_certificate_names_the_addresses_that_are_used() -> None:
    assert _k3s(_server())["tls-san"] == ["192.0.2.1", "10.0.127.254", "10.0.127.249"]


def test_the_authorities_lie_in_place_before_k3s_first_starts() -> None:
    files = _files(_server())
    folder = "/var/lib/rancher/k3s/server/tls"
    expected = {f"{folder}/service.key": "service account key\n"}
    for name, path in (
        ("client", "client-ca"),
        ("request-header", "request-header-ca"),
        ("etcd-server", "etcd/server-ca"),
        ("etcd-peer", "etcd/peer-ca"),
    ):
        expected[f"{folder}/{path}.crt"] = f"{name} certificate\n"
        expected[f"{folder}/{path}.key"] = f"{name} key\n"
    expected |= {f"{folder}/server-ca.crt": SERVER_CA, f"{folder}/server-ca.key": "server key\n"}
    found = {path: file for path, file in files.items() if path.startswith(folder)}
    assert {path: file["content"] for path, file in found.items()} == expected
    assert {file["permissions"] for file in found.values()} == {"0600"}


def test_only_the_first_server_is_given_the_authorities() -> None:
    for user_data in (_server(1), _server(2), _worker()):
        assert "server/tls" not in user_data
        assert "service account key" not in user_data


def test_a_worker_never_learns_the_token_that_decrypts_the_authorities() -> None:
    assert TOKENS.server not in _worker()
    assert TOKENS.agent in _worker()


def test_a_node_joins_only_the_cluster_whose_authority_it_was_told() -> None:
    digest = hashlib.sha256(SERVER_CA.encode()).hexdigest()
    assert _k3s(_worker())["token"] == f"K10{digest}::node:agent-password"
    assert _k3s(_server(1))["token"] == f"K10{digest}::server:server-password"
    assert join_token("p", role="node", server_ca=SERVER_CA + "\n") != join_token(
        "p", role="node", server_ca=SERVER_CA
    )


def test_files_with_secrets_are_for_root_alone() -> None:
    assert _files(_server())["/etc/rancher/k3s/config.yaml"]["permissions"] == "0600"
    assert _k3s(_server())["write-kubeconfig-mode"] == "0600"


def test_the_node_uses_its_private_address_and_waits_until_it_has_one() -> None:
    script = _files(_server())["/usr/local/sbin/llmp-install-k3s"]["content"]
    assert "address show to 10.0.0.0/17" in script
    assert "/etc/rancher/k3s/config.yaml.d/10-node-ip.yaml" in script
    assert script.index("10-node-ip.yaml") < script.index("systemctl start")


def test_the_binary_is_the_pinned_release_and_runs_only_if_its_checksum_matches() -> None:
    script = _files(_worker())["/usr/local/sbin/llmp-install-k3s"]["content"]
    assert f"/releases/download/{K3S.replace('+', '%2B')}/" in script
    assert "sha256sum --check --strict" in script
    assert script.index("sha256sum --check") < script.index("/usr/local/bin/k3s")
    assert "--proto '=https'" in script


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a release of k3s"):
        agent_user_data({}, node_cidr="10.0.0.0/17", version="latest")


def test_pods_are_kept_from_the_metadata_service_or_k3s_does_not_run() -> None:
    for user_data, service in ((_server(), "k3s"), (_worker(), "k3s-agent")):
        files = _files(user_data)
        guard = files["/usr/local/sbin/llmp-guard-metadata"]["content"]
        assert 'rule=(PREROUTING --destination "$2" --jump DROP)' in guard
        assert '--table raw --insert "${rule[@]}"' in guard
        assert "\nguard iptables 169.254.169.254/32\n" in guard
        assert "\nguard ip6tables fe80::a9fe:a9fe/128\n" in guard
        unit = files[f"/etc/systemd/system/{service}.service"]["content"]
        assert "Requires=llmp-guard-metadata.service" in unit
        assert "After=network-online.target llmp-guard-metadata.service" in unit
        order = files["/etc/systemd/system/llmp-guard-metadata.service"]["content"]
        assert f"{service}.service" in order.split("Before=")[1].splitlines()[0].split()[-2:]


def test_nobody_signs_in_by_ssh_or_by_the_password_that_is_mailed() -> None:
    document = _document(_server())
    assert document["ssh_pwauth"] is False
    script = _files(_server())["/usr/local/sbin/llmp-install-k3s"]["content"]
    assert "passwd --lock root" in script
    assert "systemctl disable --now ssh.socket ssh.service" in script


def test_the_control_plane_runs_no_workloads_unless_asked() -> None:
    tainted = _k3s(_server())["node-taint"]
    assert tainted == ["node-role.kubernetes.io/control-plane=true:NoSchedule"]
    asked = _k3s(_server(0, {"control_plane": {"schedulable": True}}))
    assert asked["node-taint"] == []


def test_a_worker_carries_the_labels_and_taints_of_its_pool() -> None:
    settings = _k3s(
        _worker(
            {
                "name": "batch",
                "count": 1,
                "labels": {"workload": "batch"},
                "taints": [{"key": "dedicated", "value": "batch"}],
            }
        )
    )
    assert settings["node-label"] == ["llmp.dev/pool=batch", "workload=batch"]
    assert settings["node-taint"] == ["dedicated=batch:NoSchedule"]


def test_user_data_over_the_limit_is_refused_before_hetzner_does() -> None:
    with pytest.raises(UserDataTooLargeError, match=str(USER_DATA_LIMIT)):
        agent_user_data({"node-label": ["x" * 40_000]}, node_cidr="10.0.0.0/17", version=K3S)


def test_no_answer_of_yaml_turns_a_text_into_something_else() -> None:
    shape = topology({"worker_pools": [{"name": "e1", "count": 1, "labels": {"a": "yes"}}]})
    settings = agent_config(
        shape,
        shape.worker_pools[0],
        node_name="1e3",
        tokens=JoinTokens(server="s", agent="0123456789"),
        server_ca=SERVER_CA,
    )
    read = _k3s(agent_user_data(settings, node_cidr=shape.node_cidr, version=K3S))
    assert read == settings


@pytest.mark.parametrize("path", SCRIPTS)
def test_the_scripts_are_valid_bash(path: str) -> None:
    for user_data in (_server(), _worker()):
        script = _files(user_data)[path]["content"]
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("path", SCRIPTS)
def test_shellcheck_finds_nothing_in_the_scripts(path: str) -> None:
    command = [SHELLCHECK, "--shell=bash", "--enable=all", f"--exclude={UNWANTED}", "-"]
    for user_data in (_server(), _worker()):
        script = _files(user_data)[path]["content"]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
        assert (done.stdout, done.returncode) == ("", 0)


def test_shellcheck_would_find_something() -> None:
    command = [SHELLCHECK, "--shell=bash", "-"]
    done = subprocess.run(
        command,
        input='rm -rf "$work/"*\necho $unquoted\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SC2086" in done.stdout
    assert done.returncode == 1
