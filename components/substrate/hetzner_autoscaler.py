"""The cluster autoscaler: servers of a pool on Hetzner Cloud that come and go with its pods."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes

from components.substrate.hetzner_addons import (
    NAMESPACE,
    RELEASE_TIMEOUT_SECONDS,
    SECRET,
)
from components.substrate.hetzner_ids import numeric_id
from components.substrate.hetzner_k3s import (
    NODE_GROUP_LABEL,
    JoinTokens,
    agent_config,
    agent_user_data,
    node_labels,
)
from components.substrate.hetzner_node_pool import spread_group
from components.substrate.hetzner_topology import (
    PLACEMENT_GROUP_SIZE,
    HetznerTopology,
    WorkerPool,
)
from components.versions import (
    CLUSTER_AUTOSCALER,
    CLUSTER_AUTOSCALER_IMAGE,
    K3S,
    UBUNTU_IMAGE,
)

POOLS_SECRET: Final = "cluster-autoscaler-pools"  # noqa: S105 - a name
POOLS_FILE: Final = "pools.json"
POOLS_FOLDER: Final = "/etc/cluster-autoscaler"

API_ENDPOINT: Final = "https://api.hetzner.cloud/v1"
CLEANUP_SECONDS: Final = 900
"""How long the last servers of a pool may take to go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerAutoscalerArgs:
    """Inputs of the autoscaler."""

    topology: HetznerTopology
    """With at least one pool that scales."""
    token: pulumi.Input[str]
    """Token of Hetzner Cloud's API. Secret."""
    tokens: pulumi.Input[JoinTokens]
    """Secret; only the agent's token reaches a worker."""
    server_ca: pulumi.Input[str]
    """Certificate of the authority that the API's certificate is checked against."""
    firewall_id: pulumi.Input[int]
    """Of workers. Every server carries it from its creation on."""
    used_by_servers: Sequence[pulumi.Resource]
    """Network and firewall: they outlive the last server."""
    after: Sequence[pulumi.Resource]
    """What makes a server a node: the cluster's network and its cloud controller."""


class HetznerAutoscaler(pulumi.ComponentResource):
    """The autoscaler, what it tells a new server, and who deletes the last one.

    Its servers are in no state of Pulumi. They carry `hcloud/node-group=<cluster>-<pool>`, the one
    label that this release sets: by it they are found, at Hetzner and by the clean-up, which
    deletes those of a pool once the autoscaler has forgotten the pool or is gone itself. What a new
    server is told changes for new ones alone. It runs on the control plane: never on a server that
    it might delete, and what it knows, a join token, is there already. The providers in `opts` must
    reach Hetzner and the cluster.

    The autoscaler does not start with a placement group that is smaller than the pool may become;
    servers of such a pool are not spread.
    """

    release: kubernetes.helm.v3.Release

    def __init__(
        self, name: str, args: HetznerAutoscalerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Install the autoscaler and be ready to clean up behind it."""
        super().__init__("llmp:substrate:HetznerAutoscaler", name, None, opts)
        topology = args.topology
        groups = {
            pool.name: spread_group(f"{name}-{pool.name}-spread", topology, pool.name, 0, self)
            for pool in topology.autoscaled_pools
        }
        cleanups = [
            self._cleanup(
                f"{name}-{pool.name}-servers",
                args,
                pool,
                [*args.used_by_servers, groups[pool.name]],
            )
            for pool in topology.autoscaled_pools
        ]
        pools = pulumi.Output.secret(
            pulumi.Output.all(
                args.tokens,
                args.server_ca,
                {pool: numeric_id(group) for pool, group in groups.items()},
            ).apply(lambda values: json.dumps(pools_configuration(topology, *values)))
        )
        secret = kubernetes.core.v1.Secret(
            f"{name}-pools",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=POOLS_SECRET, namespace=NAMESPACE),
            type="Opaque",
            string_data={POOLS_FILE: pools},
            opts=pulumi.ResourceOptions(parent=self),
        )
        # A digest shows nothing of tokens with 285 bits.
        digest = pulumi.Output.unsecret(
            pools.apply(lambda text: hashlib.sha256(text.encode()).hexdigest())
        )
        self.release = kubernetes.helm.v3.Release(
            f"{name}-release",
            name=CLUSTER_AUTOSCALER.chart,
            namespace=NAMESPACE,
            chart=CLUSTER_AUTOSCALER.chart,
            version=CLUSTER_AUTOSCALER.version,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(
                repo=CLUSTER_AUTOSCALER.repository
            ),
            values=pulumi.Output.all(args.firewall_id, digest).apply(
                lambda values: autoscaler_values(
                    topology, firewall_id=values[0], pools_digest=values[1]
                )
            ),
            atomic=True,
            max_history=5,
            timeout=RELEASE_TIMEOUT_SECONDS,
            # Gone before the clean-up starts: it would make anew what is deleted behind its back.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[secret, *cleanups, *args.after]),
        )
        self.register_outputs({})

    def _cleanup(
        self,
        resource_name: str,
        args: HetznerAutoscalerArgs,
        pool: WorkerPool,
        after: Sequence[pulumi.Resource],
    ) -> command.local.Command:
        group = args.topology.node_group(pool)
        return command.local.Command(
            resource_name,
            # A command needs one to be created with. Nothing is to do before the end.
            create="pass",
            delete=CLEANUP_SCRIPT,
            interpreter=["python3", "-c"],
            stdin=pulumi.Output.secret(
                pulumi.Output.from_input(args.token).apply(
                    lambda token: json.dumps(cleanup_request(group, token=token))
                )
            ),
            triggers=[group],
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(after), additional_secret_outputs=["stdin"]
            ),
        )


def autoscaler_values(
    topology: HetznerTopology, *, firewall_id: int, pools_digest: str
) -> dict[str, Any]:
    """Return the values of the autoscaler's chart.

    Args:
        topology: which pools there are.
        firewall_id: firewall of the workers.
        pools_digest: changes with what servers are told, which the autoscaler reads at its start.
    """
    return {
        "cloudProvider": "hetzner",
        "fullnameOverride": CLUSTER_AUTOSCALER.chart,
        "image": {
            "repository": CLUSTER_AUTOSCALER_IMAGE.repository,
            "tag": f"{CLUSTER_AUTOSCALER_IMAGE.version}@{CLUSTER_AUTOSCALER_IMAGE.digest}",
        },
        "autoscalingGroups": [
            {
                "name": topology.node_group(pool),
                "minSize": pool.min_count,
                "maxSize": pool.max_count,
                "instanceType": pool.server_type,
                "region": pool.location,
            }
            for pool in topology.autoscaled_pools
        ],
        "extraArgs": {
            # Without it, a minimum only keeps servers from being deleted.
            "enforce-node-group-min-size": True,
            # Caches and scratch folders of pods may go with a node.
            "skip-nodes-with-local-storage": False,
            # Cilium takes it away once the node has a network.
            "startup-taint": "node.cilium.io/agent-not-ready",
        },
        "extraEnv": {
            # As a file: a variable holds 128 KiB, four pools with the user data that Hetzner takes.
            "HCLOUD_CLUSTER_CONFIG_FILE": f"{POOLS_FOLDER}/{POOLS_FILE}",
            "HCLOUD_FIREWALL": str(firewall_id),
            "HCLOUD_PUBLIC_IPV4": "true",
            "HCLOUD_PUBLIC_IPV6": "true",
        },
        "extraEnvSecrets": {
            "HCLOUD_TOKEN": {"name": SECRET, "key": "token"},
            "HCLOUD_NETWORK": {"name": SECRET, "key": "network"},
        },
        "extraVolumeSecrets": {"pools": {"name": POOLS_SECRET, "mountPath": POOLS_FOLDER}},
        "podAnnotations": {"llmp.dev/pools-digest": pools_digest},
        "nodeSelector": {"node-role.kubernetes.io/control-plane": "true"},
        "tolerations": [
            {
                "key": "node-role.kubernetes.io/control-plane",
                "operator": "Exists",
                "effect": "NoSchedule",
            }
        ],
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "runAsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containerSecurityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def pools_configuration(
    topology: HetznerTopology,
    tokens: JoinTokens,
    server_ca: str,
    placement_groups: Mapping[str, int],
) -> dict[str, Any]:
    """Return what the autoscaler knows of each pool, the user data of its servers among it. Secret.

    Labels and taints are what it expects of a node that is not there yet; a node gets its own from
    the user data.
    """
    return {
        "imagesForArch": {"amd64": UBUNTU_IMAGE, "arm64": UBUNTU_IMAGE},
        "nodeConfigs": {
            topology.node_group(pool): {
                "cloudInit": agent_user_data(
                    agent_config(
                        topology, pool, node_name=None, tokens=tokens, server_ca=server_ca
                    ),
                    node_cidr=topology.node_cidr,
                    version=K3S,
                ),
                "labels": node_labels(topology, pool),
                "taints": [_taint(taint) for taint in pool.taints],
                **(
                    {"placementGroup": str(placement_groups[pool.name])}
                    if pool.max_count <= PLACEMENT_GROUP_SIZE
                    else {}
                ),
            }
            for pool in topology.autoscaled_pools
        },
    }


def _taint(text: str) -> dict[str, str]:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "value": value, "effect": effect}


def cleanup_request(group: str, *, token: str) -> dict[str, Any]:
    """Return what the clean-up of a pool reads from its standard input. Secret."""
    return {
        "endpoint": API_ENDPOINT,
        "token": token,
        "label": NODE_GROUP_LABEL,
        "value": group,
        "seconds": CLEANUP_SECONDS,
        "pause": 10,
    }


CLEANUP_SCRIPT: Final = """\
import json, sys, time, urllib.error, urllib.parse, urllib.request

request = json.load(sys.stdin)
label, value = request["label"], request["value"]


def call(method, path):
    asked = urllib.request.Request(
        request["endpoint"] + path,
        method=method,
        headers={"Authorization": "Bearer " + request["token"]},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)


def servers():
    found, page = [], 1
    while page:
        query = {"label_selector": f"{label}=={value}", "per_page": 50, "page": page}
        answer = call("GET", "/servers?" + urllib.parse.urlencode(query))
        found += answer["servers"]
        page = answer["meta"]["pagination"]["next_page"]
    # Never one that only came along.
    return [server for server in found if server["labels"].get(label) == value]


deleted, empty, reason = set(), 0, "they are still there"
deadline = time.monotonic() + request["seconds"]
while time.monotonic() < deadline:
    try:
        there = servers()
        empty = 0 if there else empty + 1
        # Three looks: the autoscaler may have ordered one more while it was stopped.
        if empty == 3:
            print(f"{len(deleted)} servers of {value} deleted")
            sys.exit(0)
        for server in there:
            call("DELETE", f"/servers/{server['id']}")
            deleted.add(server["id"])
    except urllib.error.HTTPError as error:
        reason = f"Hetzner answers {error.code} {error.reason}"
        if error.code in (401, 403):
            break
        # 404: it went meanwhile; 409, 423: something else changes it; 429: too many requests.
        if error.code not in (404, 409, 423, 429) and error.code < 500:
            break
    except OSError as error:
        reason = str(getattr(error, "reason", error))
    time.sleep(request["pause"])
sys.exit(
    f"servers with the label {label}={value} may be left at Hetzner: {reason}. Delete them there, "
    "or correct hcloud:token by `pulumi up` and try again."
)
"""
