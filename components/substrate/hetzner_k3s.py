"""What a server does on its first boot: cloud-init user data that turns it into a k3s node.

Pure functions from plain data to text. A server is told once, before it exists, and never again:
there is no SSH into it. Sources of the settings: k3s documentation ("Server", "Agent", "Using
Custom CA Certificates", "CIS Hardening Guide", "k3s etcd-snapshot"), and the source of k3s for what
a join token holds.

The binary is checked against the list of checksums of its own release, over TLS: that finds a
broken download, not a release that was replaced.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from components.substrate.hetzner_audit import audit_arguments, audit_policy
from components.substrate.hetzner_topology import API_PORT, HetznerTopology, WorkerPool

USER_DATA_LIMIT: Final = 32 * 1024
"""Bytes of user data that a server takes (Hetzner Cloud API, POST /servers)."""

METADATA_ADDRESS: Final = "169.254.169.254"
"""Where a server asks for its user data (Hetzner Docs, "Server Metadata")."""

METADATA_IPV6_ADDRESS: Final = "fe80::a9fe:a9fe"
"""Where cloud-init asks first (its DataSourceHetzner). No pod has an IPv6 address, and Cilium drops
such packets while it runs without IPv6: this one is for the day that it does not."""

CONTAINERD_FOLDER: Final = "/var/lib/rancher/k3s/agent/etc/containerd"
CONTAINERD_SOCKET: Final = "/run/k3s/containerd/containerd.sock"
"""Where k3s keeps its containerd; since k3s pull request 13680 that imports drop-ins."""

NODE_GROUP_LABEL: Final = "hcloud/node-group"
"""How the cluster autoscaler marks servers and knows nodes again (its provider for Hetzner)."""

CONTROL_PLANE_TAINT: Final = "node-role.kubernetes.io/control-plane=true:NoSchedule"

SNAPSHOT_SCHEDULE: Final = "0 */6 * * *"
"""When each control-plane server takes a snapshot of etcd, in UTC: what a disaster loses at most is
six hours."""

SNAPSHOT_RETENTION: Final = 28
"""Snapshots that each control-plane server keeps on its disk: a week."""

SNAPSHOT_STORE_SECRET: Final = "k3s-etcd-snapshot-s3-config"  # noqa: S105 - a name, not a value
"""The Secret in kube-system that says where snapshots are copied to; see `HetznerSnapshotStore`."""

ENCRYPTION_PROVIDER: Final = "secretbox"
"""How k3s encrypts Secrets in etcd: authenticated, where its default of AES-CBC is not (Kubernetes
documentation, "Encrypting Confidential Data at Rest"). The same on every server, for good."""

AUDIT_POLICY_PATH: Final = "/etc/rancher/k3s/audit-policy.yaml"

_DATA: Final = "/var/lib/rancher/k3s"
_INSTALLER: Final = "/usr/local/sbin/llmp-install-k3s"
_GUARD: Final = "/usr/local/sbin/llmp-guard-metadata"
_RELEASES: Final = "https://github.com/k3s-io/k3s/releases/download"
_NETWORK_WAIT_SECONDS: Final = 600


class UserDataTooLargeError(ValueError):
    """The rendered user data is larger than Hetzner takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateAuthority:
    """A certificate with its private key, both as PEM. Secret."""

    certificate: str
    private_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterAuthorities:
    """All that k3s signs with. Secret: whoever has it is the cluster.

    k3s makes its own where these files are missing at its first start; with ours in place the admin
    certificate that the program signed is valid from the first second.
    """

    server: CertificateAuthority
    client: CertificateAuthority
    request_header: CertificateAuthority
    etcd_server: CertificateAuthority
    etcd_peer: CertificateAuthority
    service_account_key: str
    """RSA private key as PEM, which signs service account tokens."""

    def files(self) -> dict[str, str]:
        """Return the files below the `server/tls` folder of k3s, by relative path."""
        files = {"service.key": self.service_account_key}
        for path, authority in (
            ("server-ca", self.server),
            ("client-ca", self.client),
            ("request-header-ca", self.request_header),
            ("etcd/server-ca", self.etcd_server),
            ("etcd/peer-ca", self.etcd_peer),
        ):
            files[f"{path}.crt"] = authority.certificate
            files[f"{path}.key"] = authority.private_key
        return files


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinTokens:
    """The two passwords of the cluster. Secret.

    Workers hold the agent's alone: the server's decrypts the authorities in etcd.
    """

    server: str
    agent: str


def join_token(password: str, *, role: str, server_ca: str) -> str:
    """Return a token that joins only the cluster of this authority.

    k3s compares the digest in the token with the authority that the server shows, so that a node
    never gives its password to another machine that answers at the address.

    Args:
        password: the server's or the agent's.
        role: `server` or `node`, as k3s calls the user that joins.
        server_ca: the certificate of the server authority, byte for byte as k3s serves it.
    """
    digest = hashlib.sha256(server_ca.encode()).hexdigest()
    return f"K10{digest}::{role}:{password}"


def server_config(
    topology: HetznerTopology,
    *,
    index: int,
    public_address: str,
    tokens: JoinTokens,
    server_ca: str,
) -> dict[str, Any]:
    """Return the k3s configuration of a control-plane server, counted from 0.

    What k3s would bring by itself is off wherever something else does it: Cilium the network, the
    services and the policies, the cloud controller the nodes and load balancers, the CSI driver the
    volumes (two default classes would make every claim ambiguous), Argo CD the charts.
    """
    first = index == 0
    joins: dict[str, Any] = (
        {"cluster-init": True, "token": tokens.server}
        if first
        else {
            "server": _api_url(topology),
            "token": join_token(tokens.server, role="server", server_ca=server_ca),
        }
    )
    return {
        **joins,
        "agent-token": tokens.agent,
        "node-name": topology.control_plane_name(index),
        "tls-san": [
            public_address,
            topology.control_plane_address(index),
            topology.load_balancer_address,
        ],
        "cluster-cidr": topology.pod_cidr,
        "service-cidr": topology.service_cidr,
        "cluster-dns": topology.cluster_dns,
        "flannel-backend": "none",
        "disable-kube-proxy": True,
        "disable-network-policy": True,
        "disable-cloud-controller": True,
        "disable-helm-controller": True,
        "disable": ["traefik", "servicelb", "local-storage"],
        "secrets-encryption": True,
        "secrets-encryption-provider": ENCRYPTION_PROVIDER,
        "etcd-snapshot-schedule-cron": SNAPSHOT_SCHEDULE,
        "etcd-snapshot-retention": SNAPSHOT_RETENTION,
        # By the Secret's name and nothing else, whether or not there is one: k3s reads it at each
        # snapshot and only warns where it is missing, so that a store can be named, changed and
        # taken away without touching a server.
        "etcd-s3": True,
        "etcd-s3-config-secret": SNAPSHOT_STORE_SECRET,
        "write-kubeconfig-mode": "0600",
        "kube-apiserver-arg": (
            list(audit_arguments(AUDIT_POLICY_PATH)) if topology.control_plane.audit_log else []
        ),
        "protect-kernel-defaults": True,
        "kubelet-arg": ["cloud-provider=external"],
        "node-taint": [] if topology.control_plane.schedulable else [CONTROL_PLANE_TAINT],
    }


def agent_config(
    topology: HetznerTopology,
    pool: WorkerPool,
    *,
    node_name: str | None,
    tokens: JoinTokens,
    server_ca: str,
) -> dict[str, Any]:
    """Return the k3s configuration of a worker.

    Args:
        topology: the cluster.
        pool: the worker's.
        node_name: name of its server; None where many servers are told the same: k3s then takes the
            host name, which Hetzner makes the server's.
        tokens: the agent's is used.
        server_ca: certificate of the server authority.
    """
    return {
        "server": _api_url(topology),
        "token": join_token(tokens.agent, role="node", server_ca=server_ca),
        **({} if node_name is None else {"node-name": node_name}),
        "node-label": [f"{key}={value}" for key, value in node_labels(topology, pool).items()],
        "node-taint": list(pool.taints),
        "protect-kernel-defaults": True,
        "kubelet-arg": ["cloud-provider=external"],
    }


def node_labels(topology: HetznerTopology, pool: WorkerPool) -> dict[str, str]:
    """Return the labels that a worker gives itself."""
    group = {} if pool.autoscaling is None else {NODE_GROUP_LABEL: topology.node_group(pool)}
    return {"llmp.dev/pool": pool.name, **group, **dict(sorted(pool.labels.items()))}


def control_plane_user_data(
    config: Mapping[str, Any],
    *,
    node_cidr: str,
    version: str,
    authorities: ClusterAuthorities | None,
) -> str:
    """Return the user data of a control-plane server.

    Args:
        config: from `server_config`.
        node_cidr: subnet in which the server finds its own private address.
        version: release of k3s.
        authorities: for the server that starts the cluster; the others get them when they join.

    Raises:
        UserDataTooLargeError: Hetzner would refuse it.
    """
    files = {
        f"{_DATA}/server/tls/{path}": content
        for path, content in ({} if authorities is None else authorities.files()).items()
    }
    if config["kube-apiserver-arg"]:
        files[AUDIT_POLICY_PATH] = _yaml(audit_policy())
    return _user_data("server", config, files, node_cidr=node_cidr, version=version)


def agent_user_data(config: Mapping[str, Any], *, node_cidr: str, version: str) -> str:
    """Return the user data of a worker.

    Args:
        config: from `agent_config`.
        node_cidr: subnet in which the server finds its own private address.
        version: release of k3s.

    Raises:
        UserDataTooLargeError: Hetzner would refuse it.
    """
    return _user_data("agent", config, {}, node_cidr=node_cidr, version=version)


def _api_url(topology: HetznerTopology) -> str:
    return f"https://{topology.join_address}:{API_PORT}"


def _user_data(
    command: str,
    config: Mapping[str, Any],
    more_files: Mapping[str, str],
    *,
    node_cidr: str,
    version: str,
) -> str:
    service = "k3s" if command == "server" else "k3s-agent"
    files = [
        _file("/etc/rancher/k3s/config.yaml", _yaml(config), "0600"),
        *(_file(path, content, "0600") for path, content in more_files.items()),
        _file(_GUARD, _GUARD_SCRIPT, "0700"),
        _file(f"/etc/systemd/system/{_GUARD_UNIT_NAME}", _GUARD_UNIT, "0644"),
        _file(
            f"/etc/systemd/system/{service}.service",
            service_unit(command, requires=_GUARD_UNIT_NAME),
            "0644",
        ),
        _file("/etc/sysctl.d/90-llmp.conf", SYSCTL, "0644"),
        _file(_INSTALLER, _install_script(service, node_cidr=node_cidr, version=version), "0700"),
    ]
    document = {
        "ssh_pwauth": False,
        "package_update": False,
        "package_upgrade": False,
        "write_files": files,
        "runcmd": [[_INSTALLER]],
    }
    text = "#cloud-config\n" + _yaml(document)
    size = len(text.encode())
    if size > USER_DATA_LIMIT:
        msg = f"user data of {size} bytes is over the limit of {USER_DATA_LIMIT}"
        raise UserDataTooLargeError(msg)
    return text


class _BlockDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, so that people can read what a server gets."""


def _represent_text(_dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


_BlockDumper.add_representer(str, _represent_text)


def _yaml(data: Mapping[str, Any]) -> str:
    return yaml.dump(dict(data), Dumper=_BlockDumper, sort_keys=False, width=1000)


def _file(path: str, content: str, permissions: str) -> dict[str, str]:
    return {"path": path, "owner": "root:root", "permissions": permissions, "content": content}


def service_unit(command: str, *, requires: str) -> str:
    """Return the systemd unit of k3s: what its own installer sets, and one unit that it needs.

    Args:
        command: `server` or `agent`.
        requires: unit without which k3s must not run.
    """
    return f"""\
[Unit]
Description=k3s {command}
Wants=network-online.target
After=network-online.target {requires}
Requires={requires}

[Service]
Type={"notify" if command == "server" else "exec"}
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s {command}
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
"""


# The first hook that a pod's packet passes; what the host itself sends never passes it, so that
# cloud-init and the drivers on the host network still reach the service.
_GUARD_SCRIPT: Final = f"""\
#!/bin/bash
set -euo pipefail
guard() {{
  local rule=(PREROUTING --destination "$2" --jump DROP)
  "$1" --wait 30 --table raw --check "${{rule[@]}}" 2>/dev/null ||
    "$1" --wait 30 --table raw --insert "${{rule[@]}}"
}}
guard iptables {METADATA_ADDRESS}/32
guard ip6tables {METADATA_IPV6_ADDRESS}/128
"""

# Without the guard a pod could read the user data, and with it the authorities: k3s requires it.
_GUARD_UNIT_NAME: Final = "llmp-guard-metadata.service"
_GUARD_UNIT: Final = f"""\
[Unit]
Description=Keep pods from the metadata service, which shows this server's user data
Before=k3s.service k3s-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={_GUARD}

[Install]
WantedBy=multi-user.target
"""

# One node holds many pods with many watches each; the defaults of 128 and 65536 run out. The others
# are what kubelet wants: with protect-kernel-defaults it ends rather than set them by itself.
SYSCTL: Final = """\
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 524288
kernel.keys.root_maxbytes = 25000000
kernel.keys.root_maxkeys = 1000000
kernel.panic = 10
kernel.panic_on_oops = 1
vm.overcommit_memory = 1
vm.panic_on_oom = 0
"""


def download_script(version: str) -> str:
    """Return the lines of bash that put k3s and its tools in place, checked.

    Raises:
        ValueError: it is not a release of k3s.
    """
    if not re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+\+k3s[0-9]+", version):
        msg = f"{version!r} is not a release of k3s"
        raise ValueError(msg)
    release = f"{_RELEASES}/{version.replace('+', '%2B')}"
    return f"""\
case "$(uname -m)" in
  x86_64) binary=k3s sums=sha256sum-amd64.txt ;;
  aarch64) binary=k3s-arm64 sums=sha256sum-arm64.txt ;;
  *) echo "no k3s for $(uname -m)" >&2; exit 1 ;;
esac

work="$(mktemp --directory)"
trap 'rm -rf "$work"' EXIT
cd "$work"
for name in "$sums" "$binary"; do
  curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 \\
    --retry 20 --retry-delay 5 --retry-all-errors --connect-timeout 10 --max-time 600 \\
    --output "$name" "{release}/$name"
done
grep --extended-regexp "^[0-9a-f]{{64}}  $binary\\$" "$sums" > wanted
sha256sum --check --strict wanted
install --mode 0755 "$binary" /usr/local/bin/k3s
ln --symbolic --force k3s /usr/local/bin/kubectl
ln --symbolic --force k3s /usr/local/bin/crictl
"""


def _install_script(service: str, *, node_cidr: str, version: str) -> str:
    return f"""\
#!/bin/bash
set -euo pipefail

# Hetzner sets a root password where no SSH key is given, and mails it.
passwd --lock root
systemctl disable --now ssh.socket ssh.service || true

command -v iptables > /dev/null || {{
  apt-get update
  apt-get install --yes --no-install-recommends iptables
}}

{download_script(version)}
# The private interface comes up after the server is attached to the network.
address=""
for _ in $(seq {_NETWORK_WAIT_SECONDS // 2}); do
  address="$(ip -4 -oneline address show to {node_cidr} | awk '{{ print $4 }}' | cut -d/ -f1)"
  address="${{address%%$'\\n'*}}"
  [ -n "$address" ] && break
  sleep 2
done
[ -n "$address" ] || {{ echo "no address in {node_cidr}" >&2; exit 1; }}
install --directory --mode 0700 /etc/rancher/k3s/config.yaml.d
printf 'node-ip: %s\\n' "$address" > /etc/rancher/k3s/config.yaml.d/10-node-ip.yaml

sysctl --quiet --system
systemctl daemon-reload
systemctl enable --now llmp-guard-metadata.service
systemctl enable {service}.service
# Without waiting: a node that joins starts over until the first server answers.
systemctl start --no-block {service}.service
"""
