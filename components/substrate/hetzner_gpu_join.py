"""What a dedicated GPU server runs to become a node: one bash script, the same at every change.

Pure functions from plain data to text. Unlike a cloud server it can be told again: what it is told
is its state, and running the script twice changes nothing. It holds no secret but where somebody is
to run it by hand. Sources of the settings: Hetzner Docs ("vSwitch", "Architecture" of networks),
k3s documentation ("Agent"), NVIDIA's documentation of the GPU Operator ("Platform Support").
"""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final

from components.contract import GPU_SHARING, Taint
from components.substrate.hetzner_gpu_topology import (
    GpuDriver,
    GpuServer,
    node_labels,
    node_taints,
)
from components.substrate.hetzner_k3s import SYSCTL, download_script, service_unit
from components.substrate.hetzner_topology import API_PORT, VSWITCH_MTU, HetznerTopology, Vswitch

LEAVE: Final = "/usr/local/sbin/llmp-leave"
LEAVE_COMMAND: Final = f"test ! -x {LEAVE} || {LEAVE}"
"""What takes a server out of the cluster, as far as the server itself can."""

SUPPORTED_UBUNTU: Final = ("22.04", "24.04")
"""Releases that NVIDIA publishes driver containers for, and whose network netplan sets."""

INTERFACE: Final = "vswitch"
TOKEN_FILE: Final = "/etc/rancher/k3s/agent-token"  # noqa: S105 - where it lies, not what it is

_CONFIG: Final = "/etc/rancher/k3s/config.yaml"
_FIREWALL: Final = "/etc/llmp/firewall.nft"
_FIREWALL_UNIT: Final = "llmp-firewall.service"
_AGENT: Final = "/var/lib/rancher/k3s/agent"


def join_script(
    topology: HetznerTopology, server: GpuServer, *, version: str, token: str | None = None
) -> str:
    """Return the script that joins a server, to be run as root.

    Args:
        topology: the cluster.
        server: one of its dedicated servers.
        version: release of k3s, for a server that has none yet: later ones come from inside the
            cluster, one node at a time.
        token: what joins the cluster, for a script that somebody runs by hand; the whole text is
            then a secret. None reads it from standard input, so that no process list shows it.

    Raises:
        ValueError: the topology has no vSwitch that the server could be in, or the version is not a
            release of k3s.
    """
    vswitch = topology.vswitch
    if vswitch is None or vswitch.vlan is None:
        msg = f"{server.name} has no vSwitch to join through"
        raise ValueError(msg)
    parts = [
        _START,
        "IFS= read -r token" if token is None else f"token='{token}'",
        _CHECKS,
        _DRIVER[topology.gpu_operator.driver],
        _network(topology, server, vswitch, vswitch.vlan),
        _firewall(server),
        _reachable(topology, vswitch.vlan),
        _agent(topology, server, version),
        _node(topology, server),
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def agent_settings(topology: HetznerTopology, server: GpuServer) -> dict[str, Any]:
    """Return the k3s configuration of a server, without the token.

    The cloud controller finds no such server at Hetzner Cloud, and deletes a node that it finds
    nowhere once it is not ready. One whose provider it does not know it leaves alone (hcloud cloud
    controller, `providerid`).
    """
    name = topology.gpu_server_name(server)
    operator = topology.gpu_operator
    return {
        "server": f"https://{topology.join_address}:{API_PORT}",
        "token-file": TOKEN_FILE,
        "node-name": name,
        "node-ip": server.private_address,
        "node-label": [f"{key}={value}" for key, value in node_labels(server, operator).items()],
        "node-taint": [_kubelet_taint(taint) for taint in node_taints(server, operator)],
        "protect-kernel-defaults": True,
        "kubelet-arg": [f"provider-id=llmp-dedicated://{name}"],
    }


def _kubelet_taint(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}"


def _put(path: str, mode: str, content: str, *, expand: bool = False) -> str:
    """Return the lines that write a file; with `expand` bash fills in its variables."""
    mark = "LLMP" if expand else "'LLMP'"
    return f"put {path} {mode} <<{mark}\n{content.rstrip()}\nLLMP\n"


_START: Final = """\
#!/bin/bash
# Makes a dedicated server a node of the cluster. Running it again changes nothing.
set -euo pipefail
umask 077
export DEBIAN_FRONTEND=noninteractive

fail() {
  echo "$1" >&2
  exit 1
}

# Writes standard input to a file, and says in `written` whether that changed anything.
put() {
  local new
  mkdir --parents "$(dirname "$1")"
  new="$(mktemp "$1.XXXXXX")"
  cat > "$new"
  chmod "$2" "$new"
  written=no
  if cmp --silent "$new" "$1"; then
    rm -f "$new"
  else
    mv --force "$new" "$1"
    written=yes
  fi
}
"""

_CHECKS: Final = f"""\
[ -n "$token" ] || fail "there is no join token on standard input"
[ "$(id --user)" = 0 ] || fail "this must run as root"
[ "$(uname --machine)" = x86_64 ] || fail "GPU servers are x86_64, this is $(uname --machine)"
# shellcheck source=/dev/null
release="$(. /etc/os-release && echo "$ID $VERSION_ID")"
case "$release" in
  {" | ".join(f'"ubuntu {release}"' for release in SUPPORTED_UBUNTU)}) ;;
  *) fail "this is $release; install Ubuntu {" or ".join(SUPPORTED_UBUNTU)}" ;;
esac
public="$(ip -4 route show default |
  awk '{{ for (i = 1; i < NF; i++) if ($i == "dev") {{ print $(i + 1); exit }} }}')"
[ -n "$public" ] || fail "there is no default route, so no interface that the vSwitch could be on"

packages=()
command -v curl > /dev/null || packages+=(curl)
command -v nft > /dev/null || packages+=(nftables)
if [ "${{#packages[@]}}" -gt 0 ]; then
  apt-get update
  apt-get install --yes --no-install-recommends "${{packages[@]}}"
fi
"""

_NO_NOUVEAU: Final = "blacklist nouveau\noptions nouveau modeset=0\n"

# It would keep the operator's driver from the GPU, and the initial ramdisk may hold it too.
_NOUVEAU: Final = f"""\
{_put("/etc/modprobe.d/llmp-nouveau.conf", "0644", _NO_NOUVEAU)}\
if [ "$written" = yes ]; then
  update-initramfs -u
fi
if [ -d /sys/module/nouveau ]; then
  modprobe --remove nouveau ||
    fail "the driver nouveau holds the GPU; reboot the server once, then run this again"
fi
"""

_DRIVER: Final[Mapping[GpuDriver, str]] = {
    "install": f"""\
secure_boot="$({{ find /sys/firmware/efi/efivars -name 'SecureBoot-*' -exec tail --bytes=1 {{}} + \\
  2> /dev/null || true; }} | od --address-radix=n --format=u1 | tr --delete ' ')"
[ "$secure_boot" != 1 ] ||
  fail "Secure Boot keeps out the driver's module, which is built here; switch it off"
{_NOUVEAU}\
if [ ! -e "/lib/modules/$(uname --kernel-release)/build" ]; then
  apt-get update
  apt-get install --yes --no-install-recommends "linux-headers-$(uname --kernel-release)" ||
    fail "Ubuntu has no headers of the running kernel any more; reboot into the newest one"
fi
""",
    "precompiled": f"""\
case "$(uname --kernel-release)" in
  *-generic) ;;
  *) fail "NVIDIA has built no driver for $(uname --kernel-release); set driver: install" ;;
esac
{_NOUVEAU}""",
    "preinstalled": """\
nvidia-smi > /dev/null ||
  fail "driver: preinstalled, and nvidia-smi finds no GPU; install NVIDIA's driver first"
""",
}


def _network(topology: HetznerTopology, server: GpuServer, vswitch: Vswitch, vlan: int) -> str:
    subnet = ipaddress.IPv4Network(vswitch.cidr)
    address = f"{server.private_address}/{subnet.prefixlen}"
    # The first address is Hetzner's gateway to the cloud servers.
    netplan = f"""\
network:
  version: 2
  vlans:
    {INTERFACE}:
      id: {vlan}
      link: $public
      mtu: {VSWITCH_MTU}
      addresses: [{address}]
      routes:
        - to: {topology.network_cidr}
          via: {subnet[1]}
"""
    return f"""\
# systemd-networkd would take away the routes and rules that Cilium makes.
{_put("/etc/systemd/networkd.conf.d/llmp.conf", "0644", _NETWORKD)}\
{_put("/etc/netplan/60-llmp.yaml", "0600", netplan, expand=True)}\
connected() {{
  ip -4 -oneline address show dev {INTERFACE} 2> /dev/null |
    grep --quiet --fixed-strings " {address} "
}}
if [ "$written" = yes ] || ! connected; then
  netplan generate || {{
    rm -f /etc/netplan/60-llmp.yaml
    fail "netplan does not know the interface $public; describe it in /etc/netplan first"
  }}
  netplan apply
  for _ in $(seq 30); do
    connected && break
    sleep 1
  done
  connected || fail "the interface {INTERFACE} has not got the address {address}"
fi
"""


_NETWORKD: Final = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"


def _firewall(server: GpuServer) -> str:
    networks = ", ".join(server.ssh_allowed_cidrs)
    # Pods and the vSwitch have interfaces of their own: the public one alone is filtered.
    rules = f"""\
table inet llmp
delete table inet llmp
table inet llmp {{
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname != "$public" accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
    ip saddr {{ {networks} }} tcp dport 22 accept
    drop
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname != "$public" accept
    ct state established,related accept
    drop
  }}
}}
"""
    unit = f"""\
[Unit]
Description=Let nothing in from the internet but SSH from known networks
DefaultDependencies=no
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {_FIREWALL}

[Install]
WantedBy=multi-user.target
"""
    return f"""\
if [ -n "${{SSH_CONNECTION:-}}" ]; then
  python3 -c 'import ipaddress, sys
at = ipaddress.ip_address(sys.argv[1])
sys.exit(not any(at in ipaddress.ip_network(one) for one in sys.argv[2:]))' \\
    "${{SSH_CONNECTION%% *}}" {networks.replace(",", "")} ||
    fail "the firewall would keep you out: ${{SSH_CONNECTION%% *}} is not in {networks}"
fi
{_put(_FIREWALL, "0600", rules, expand=True)}\
if [ "$written" = yes ] || ! nft list table inet llmp > /dev/null 2>&1; then
  nft --file {_FIREWALL}
fi
{_put(f"/etc/systemd/system/{_FIREWALL_UNIT}", "0644", unit)}"""


def _reachable(topology: HetznerTopology, vlan: int) -> str:
    address = topology.join_address
    return f"""\
answers=no
for _ in $(seq 12); do
  if timeout 3 bash -c ': < /dev/tcp/{address}/{API_PORT}' 2> /dev/null; then
    answers=yes
    break
  fi
  sleep 5
done
[ "$answers" = yes ] ||
  fail "no control plane answers at {address}: is this server in the vSwitch with VLAN id {vlan}?"
"""


def _agent(topology: HetznerTopology, server: GpuServer, version: str) -> str:
    name = topology.gpu_server_name(server)
    config = "".join(
        f"{key}: {json.dumps(value)}\n" for key, value in agent_settings(topology, server).items()
    )
    unit = service_unit("agent", requires=_FIREWALL_UNIT)
    return f"""\
{_put("/etc/sysctl.d/90-llmp.conf", "0644", SYSCTL)}\
if [ "$written" = yes ]; then
  sysctl --quiet --system
fi

changed=no
# An agent that is there is upgraded from inside the cluster.
if [ ! -x /usr/local/bin/k3s ]; then
  (
{download_script(version).rstrip()}
  )
  changed=yes
fi
{_put(_CONFIG, "0600", config)}\
[ "$written" = no ] || changed=yes
put {TOKEN_FILE} 0600 <<< "$token"
[ "$written" = no ] || changed=yes
{_put("/etc/systemd/system/k3s-agent.service", "0644", unit)}\
[ "$written" = no ] || changed=yes
{_put(LEAVE, "0700", _leave_script(name))}\
systemctl daemon-reload
systemctl enable --quiet {_FIREWALL_UNIT} k3s-agent.service
systemctl start {_FIREWALL_UNIT}
if [ "$changed" = yes ]; then
  systemctl restart --no-block k3s-agent.service
else
  systemctl start --no-block k3s-agent.service
fi
"""


def _node(topology: HetznerTopology, server: GpuServer) -> str:
    """Return the lines that wait for the node, and bring its labels up to date.

    k3s sets labels and taints when a node first joins (k3s documentation, "Node Labels and
    Taints"). A node may change its own labels later, and never its taints.
    """
    name = topology.gpu_server_name(server)
    operator = topology.gpu_operator
    labels = [f"'{key}={value}'" for key, value in node_labels(server, operator).items()]
    if operator.time_slicing == 1:
        labels.append(f"'{GPU_SHARING}-'")
    taints = "\n".join(_kubelet_taint(taint) for taint in node_taints(server, operator))
    return f"""\
node() {{
  /usr/local/bin/k3s kubectl --kubeconfig {_AGENT}/kubelet.kubeconfig "$@"
}}
joined=no
for _ in $(seq 60); do
  if node label --overwrite node {name} {" ".join(labels)} > /dev/null 2>&1; then
    joined=yes
    break
  fi
  sleep 5
done
if [ "$joined" = no ]; then
  journalctl --unit k3s-agent.service --lines 20 --no-pager >&2 || true
  fail "{name} has not joined; where there was such a node before: kubectl delete node {name}"
fi

found="$(node get node {name} \\
  --output 'jsonpath={{range .spec.taints[*]}}{{.key}}={{.value}}:{{.effect}}{{"\\n"}}{{end}}')"
wanted='{taints}'
wrong=""
while IFS= read -r taint; do
  grep --quiet --line-regexp --fixed-strings -- "$taint" <<< "$found" || wrong+=" $taint"
done <<< "$wanted"
while IFS= read -r taint; do
  case "$taint" in
    {GPU_SHARING}=*)
      grep --quiet --line-regexp --fixed-strings -- "$taint" <<< "$wanted" || wrong+=" $taint-" ;;
  esac
done <<< "$found"
[ -z "$wrong" ] ||
  fail "a node cannot change its own taints; run: kubectl taint nodes {name}$wrong"
echo "{name} is a node of the cluster"
"""


def _leave_script(name: str) -> str:
    # The password of the node stays: without it the server could not come back under its name.
    return f"""\
#!/bin/bash
# Stops the agent and its pods, and takes its credentials away. Best effort: it always ends well.
systemctl disable --now k3s-agent.service
systemctl kill --kill-whom=all --signal=SIGKILL k3s-agent.service 2> /dev/null
for group in /sys/fs/cgroup/kubepods /sys/fs/cgroup/kubepods.slice; do
  [ ! -e "$group/cgroup.kill" ] || echo 1 > "$group/cgroup.kill"
done
rm -f {_CONFIG} {TOKEN_FILE} /etc/systemd/system/k3s-agent.service
rm -f /usr/local/bin/k3s /usr/local/bin/kubectl /usr/local/bin/crictl
rm -f {_AGENT}/*.crt {_AGENT}/*.key {_AGENT}/*.kubeconfig
systemctl daemon-reload
echo "{name} has left. What stays: images and logs below /var/lib/rancher and /var/lib/kubelet, the"
echo "interface {INTERFACE}, the firewall, and in the cluster its Node: kubectl delete node {name}"
exit 0
"""
