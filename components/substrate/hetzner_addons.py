"""What a k3s cluster on Hetzner needs before GitOps can run: network, cloud controller, volumes."""

from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from components.substrate.hetzner_topology import STORAGE_CLASS, HetznerTopology
from components.versions import CILIUM, HCLOUD_CCM, HCLOUD_CSI, ChartPin

NAMESPACE: Final = "kube-system"
SECRET: Final = "hcloud"  # noqa: S105 - the name that both charts look for, not a value
RELEASE_TIMEOUT_SECONDS: Final = 600

K3S_API_PORT: Final = 6444
"""Where the agent inside every k3s node, server or worker, balances over all API servers.

Cilium stands in for kube-proxy, so it cannot reach the API by the Service that it has yet to serve.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerAddonsArgs:
    """Inputs of the add-ons."""

    topology: HetznerTopology
    token: pulumi.Input[str]
    """Token of Hetzner Cloud's API. Secret."""
    network_name: pulumi.Input[str]
    deleted_with: pulumi.Resource
    """The first server: once it goes, nothing of this is uninstalled first. A cluster without its
    network could no longer delete what runs in it."""


class HetznerAddons(pulumi.ComponentResource):
    """Cilium, the cloud controller manager and the CSI driver, with the Secret that both read.

    Nodes stay untouchable until Cilium gives them a network and the cloud controller says who they
    are. The two are installed at once, as neither may wait for the other. The provider in `opts`
    must reach the cluster.
    """

    network: kubernetes.helm.v3.Release
    """Cilium."""
    cloud_controller: kubernetes.helm.v3.Release
    """Says which server a node is; with it and Cilium a server becomes a node that takes pods."""
    volumes: kubernetes.helm.v3.Release
    """The last one: once it is there, the cluster runs workloads with volumes."""

    def __init__(
        self, name: str, args: HetznerAddonsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Install the add-ons."""
        super().__init__("llmp:substrate:HetznerAddons", name, None, opts)
        topology = args.topology
        secret = kubernetes.core.v1.Secret(
            f"{name}-token",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=SECRET, namespace=NAMESPACE),
            type="Opaque",
            string_data={
                "token": pulumi.Output.secret(args.token),
                "network": args.network_name,
            },
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.deleted_with),
        )
        self.network = self._release(f"{name}-network", args, CILIUM, cilium_values(topology), [])
        self.cloud_controller = self._release(
            f"{name}-cloud-controller",
            args,
            HCLOUD_CCM,
            cloud_controller_values(topology),
            [secret],
        )
        self.volumes = self._release(
            f"{name}-volumes",
            args,
            HCLOUD_CSI,
            csi_values(topology),
            [self.network, self.cloud_controller],
        )
        self.register_outputs({})

    def _release(
        self,
        resource_name: str,
        args: HetznerAddonsArgs,
        pin: ChartPin,
        values: dict[str, Any],
        after: list[pulumi.Resource],
    ) -> kubernetes.helm.v3.Release:
        return kubernetes.helm.v3.Release(
            resource_name,
            name=pin.chart,
            namespace=NAMESPACE,
            chart=pin.chart,
            version=pin.version,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=pin.repository),
            values=values,
            # A failed installation is taken back, so that the next one starts clean.
            atomic=True,
            max_history=5,
            timeout=RELEASE_TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=after, deleted_with=args.deleted_with
            ),
        )


def cilium_values(topology: HetznerTopology) -> dict[str, Any]:
    """Return the values of Cilium's chart.

    A tunnel rather than Hetzner's routes: a network takes 100 routes, and none of them reaches a
    dedicated server behind a vSwitch (documentation of the cloud controller, "Private Networks").
    """
    return {
        "kubeProxyReplacement": True,
        "k8sServiceHost": "127.0.0.1",
        "k8sServicePort": K3S_API_PORT,
        "ipam": {"mode": "kubernetes"},
        "routingMode": "tunnel",
        "tunnelProtocol": "vxlan",
        # Cilium would measure the public interface, whose packets are larger. What its tunnel and
        # WireGuard add to a packet it takes off by itself.
        "MTU": topology.underlay_mtu,
        # Else node ports answer at public addresses too, before any firewall of a dedicated server:
        # Cilium takes their packets before netfilter sees them.
        "nodePort": {"addresses": [topology.network_cidr]},
        # Packets of pods pass the host's netfilter, where the metadata service is kept from them:
        # else Cilium sends them from the pod's interface to the server's (its bpf_lxc.c).
        "bpf": {"masquerade": False, "hostLegacyRouting": True},
        # Its proxy connects from the host, past that: whoever may write a policy of Cilium's with
        # rules for HTTP could have it ask the metadata service. Nobody here has such rules.
        "l7Proxy": False,
        "encryption": (
            {"enabled": True, "type": "wireguard"} if topology.wireguard else {"enabled": False}
        ),
        # Two replicas refuse to share a node, and the installation would wait for the second.
        "operator": {"replicas": min(2, topology.node_count)},
        "envoy": {"enabled": False},
        "hubble": {"enabled": False},
        "rollOutCiliumPods": True,
    }


def cloud_controller_values(topology: HetznerTopology) -> dict[str, Any]:
    """Return the values of the cloud controller manager's chart.

    Without a default zone every load balancer without annotations of its own stays pending.
    """
    return {
        "networking": {"enabled": True, "clusterCIDR": topology.pod_cidr},
        "env": {
            "HCLOUD_LOAD_BALANCERS_NETWORK_ZONE": {"value": topology.network_zone},
            "HCLOUD_LOAD_BALANCERS_USE_PRIVATE_IP": {"value": "true"},
            # Pods travel in Cilium's tunnel; see `cilium_values`.
            "HCLOUD_NETWORK_ROUTES_ENABLED": {"value": "false"},
        },
    }


def csi_values(topology: HetznerTopology) -> dict[str, Any]:
    """Return the values of the CSI driver's chart.

    The node driver asks the metadata service for the server's id, which only the host network may.
    """
    return {
        "controller": {
            "hcloudVolumeDefaultLocation": topology.volume_location,
            # By this a volume is found that outlives its cluster.
            "volumeExtraLabels": {"cluster": topology.cluster_name},
            # One that is always there, of one pod: no node that runs it could ever be drained.
            "podDisruptionBudget": {"create": False},
        },
        "node": {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]},
        "storageClasses": [
            {"name": STORAGE_CLASS, "defaultStorageClass": True, "reclaimPolicy": "Delete"}
        ],
    }
