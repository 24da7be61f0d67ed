"""Builder of LeaderWorkerSet: the pods of one replica on several nodes, as one."""

from typing import Final

from components.platform.apps import namespaces
from components.platform.apps.parts import (
    apart,
    calls_api_server,
    compute,
    entry,
    replicas,
    webhook,
)
from components.platform.apps.serving import LEADER_WORKER_SET_ENTRY
from components.platform.catalogue import CatalogueEntry, PlatformInputs, UpstreamChart
from components.platform.network import Pods
from components.versions import LEADER_WORKER_SET

OPERATOR_PODS: Final = Pods(
    namespace=namespaces.LEADER_WORKER_SET, labels={"control-plane": "controller-manager"}
)


def leader_worker_set(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The operator of groups of pods that start, restart and scale together."""
    if not inputs.config.features.multi_node:
        return ()
    return (
        entry(
            LEADER_WORKER_SET_ENTRY,
            namespaces.LEADER_WORKER_SET,
            "serving",
            UpstreamChart(
                pin=LEADER_WORKER_SET,
                values={
                    # The definitions call a Service of this name, in this namespace, to convert.
                    "fullnameOverride": "lws",
                    "replicaCount": replicas(inputs),
                    "affinity": apart(inputs, OPERATOR_PODS),
                    "image": {
                        "manager": {
                            # The chart's own default is the branch.
                            "tag": f"v{LEADER_WORKER_SET.version}",
                            "pullPolicy": "IfNotPresent",
                        }
                    },
                    "resources": compute(100, 512),
                    "podSecurityContext": {
                        "runAsNonRoot": True,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                },
            ),
            feature="multi_node",
            description="Starts the pods of a replica that spans nodes together",
            connections=(calls_api_server(OPERATOR_PODS), webhook(OPERATOR_PODS, 9443)),
        ),
    )
