"""Builders of the platform layer: what every other layer stands on.

Every `requires` here is an edge that the cluster itself would enforce by failing: a missing
definition, a webhook that is not up, a Secret that is not there.
"""

from typing import Any, Final

from components.contract import EXTERNAL_SECRETS_IDENTITY
from components.platform.apps import namespaces, secrets
from components.platform.apps.parts import compute, disruption_budget, entry, is_prod, replicas
from components.platform.catalogue import (
    CatalogueEntry,
    Kustomization,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
)
from components.platform.values import kueue_queues
from components.platform.values.base import Toleration
from components.platform.values.kueue import kueue_values
from components.platform.values.secrets import SecretStoreValues, SecretsValues
from components.versions import (
    CERT_MANAGER,
    EXTERNAL_SECRETS,
    GATEWAY_API,
    KEDA,
    KUBE_PROMETHEUS_STACK,
    KUEUE,
    PROMETHEUS_OPERATOR_CRDS,
)

GATEWAY_API_ENTRY: Final = "gateway-api"
PROMETHEUS_CRDS_ENTRY: Final = "prometheus-crds"
EXTERNAL_SECRETS_ENTRY: Final = "external-secrets"
SECRET_STORE_ENTRY: Final = "secret-store"  # noqa: S105 - the name of an entry
KEDA_ENTRY: Final = "keda"
KUEUE_ENTRY: Final = "kueue"

_PROMETHEUS_DISK_GIB: Final = {"cost": 10, "dev": 20, "prod": 50}
_PROMETHEUS_RETENTION: Final = {"cost": "7d", "dev": "7d", "prod": "15d"}
_PROMETHEUS_MEMORY_MIB: Final = {"cost": 1024, "dev": 1024, "prod": 4096}


def secrets_entry(namespace: str) -> str:
    """Return the entry that brings a namespace its Secrets."""
    return f"{namespace}-secrets"


def gateway_api(_inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Definitions of the Gateway API, standard channel, from its own repository at one commit."""
    return (
        entry(
            GATEWAY_API_ENTRY,
            namespaces.AGENTGATEWAY,
            "platform",
            Kustomization(path="config/crd", pin=GATEWAY_API),
            # Definitions belong to no namespace.
            create_namespace=False,
        ),
    )


def prometheus_crds(_inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Definitions of the Prometheus operator, apart from the operator.

    Everything with a ServiceMonitor needs the definitions and nothing needs the operator, so the
    rollout does not wait for Prometheus and Grafana to start.
    """
    return (
        entry(
            PROMETHEUS_CRDS_ENTRY,
            namespaces.MONITORING,
            "platform",
            UpstreamChart(pin=PROMETHEUS_OPERATOR_CRDS, values={}),
        ),
    )


def cert_manager(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Certificates, also for the TLS listeners of annotated Gateways."""
    budget = disruption_budget(inputs)
    return (
        entry(
            "cert-manager",
            namespaces.CERT_MANAGER,
            "platform",
            UpstreamChart(
                pin=CERT_MANAGER,
                values={
                    "crds": {"enabled": True},
                    # The chart's own default is kube-system, which managed clusters may lock.
                    "global": {"leaderElection": {"namespace": namespaces.CERT_MANAGER}},
                    "config": {
                        "apiVersion": "controller.config.cert-manager.io/v1alpha1",
                        "kind": "ControllerConfiguration",
                        "enableGatewayAPI": True,
                    },
                    "replicaCount": replicas(inputs),
                    "podDisruptionBudget": budget,
                    "resources": compute(25, 128),
                    "webhook": {
                        "replicaCount": replicas(inputs),
                        "podDisruptionBudget": budget,
                        "resources": compute(10, 64),
                    },
                    "cainjector": {
                        "replicaCount": replicas(inputs),
                        "podDisruptionBudget": budget,
                        "resources": compute(10, 256),
                    },
                    "startupapicheck": {"resources": compute(10, 64)},
                },
            ),
            # With enableGatewayAPI on and no such definitions, the controller exits at start.
            requires=(GATEWAY_API_ENTRY,),
        ),
    )


def external_secrets(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The operator that reads and writes the secret store."""
    identity = inputs.contract.workload_identities.get(EXTERNAL_SECRETS_IDENTITY)
    account: dict[str, Any] = {"create": True}
    if identity is not None:
        account |= {"name": identity.service_account, "annotations": dict(identity.annotations)}
    budget = disruption_budget(inputs)
    return (
        entry(
            EXTERNAL_SECRETS_ENTRY,
            namespaces.EXTERNAL_SECRETS,
            "platform",
            UpstreamChart(
                pin=EXTERNAL_SECRETS,
                values={
                    "installCRDs": True,
                    "serviceAccount": account,
                    "replicaCount": replicas(inputs),
                    "leaderElect": is_prod(inputs),
                    "podDisruptionBudget": budget,
                    "resources": compute(25, 256),
                    "webhook": {
                        "replicaCount": replicas(inputs),
                        "podDisruptionBudget": budget,
                        "resources": compute(10, 128),
                    },
                    "certController": {"resources": compute(10, 256)},
                },
            ),
        ),
    )


def secret_store(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The one ClusterSecretStore, and the secrets that the cluster makes and pushes to it."""
    store = inputs.contract.secret_store
    values = SecretStoreValues(
        provider=store.kind,
        project=store.project,
        consumer_namespaces=tuple(sorted(secrets.consumers(inputs))),
    )
    return (
        entry(
            SECRET_STORE_ENTRY,
            namespaces.EXTERNAL_SECRETS,
            "platform",
            OwnChart(
                chart="secrets",
                values=SecretsValues(
                    reference=secrets.reference(inputs),
                    store=values,
                    generated=secrets.generated(inputs),
                ).to_values(),
            ),
            # Its webhook admits every object of the chart.
            requires=(EXTERNAL_SECRETS_ENTRY,),
            extra_namespaces=(values.namespace,) if store.kind == "kubernetes" else (),
        ),
    )


def consumer_secrets(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The Secrets of each namespace, in an entry each: a missing one holds up only its readers."""
    return tuple(
        entry(
            secrets_entry(namespace),
            namespace,
            "platform",
            OwnChart(
                chart="secrets",
                values=SecretsValues(
                    reference=secrets.reference(inputs), consumers=consumers
                ).to_values(),
            ),
            requires=(SECRET_STORE_ENTRY,),
        )
        for namespace, consumers in secrets.consumers(inputs).items()
    )


def kube_prometheus_stack(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Prometheus, its operator, Grafana, kube-state-metrics and node-exporter.

    Alertmanager is off: there is no rule of ours to send and nobody to send it to yet, and one
    without a receiver only looks like alerting.
    """
    return (
        entry(
            "kube-prometheus-stack",
            namespaces.MONITORING,
            "platform",
            UpstreamChart(
                pin=KUBE_PROMETHEUS_STACK,
                values={
                    # The definitions are the entry prometheus-crds.
                    "crds": {"enabled": False},
                    "alertmanager": {"enabled": False},
                    # GKE does not expose them; k3s runs them inside one process on the loopback.
                    "kubeControllerManager": {"enabled": False},
                    "kubeScheduler": {"enabled": False},
                    "kubeEtcd": {"enabled": False},
                    # Cilium and Dataplane V2 replace it.
                    "kubeProxy": {"enabled": False},
                    # GKE runs kube-dns instead.
                    "coreDns": {"enabled": inputs.contract.cloud != "gcp"},
                    "prometheusOperator": {
                        "resources": compute(50, 256),
                        "admissionWebhooks": {"patch": {"resources": compute(10, 64)}},
                    },
                    "prometheus": {
                        "podDisruptionBudget": disruption_budget(inputs),
                        "prometheusSpec": _prometheus_spec(inputs),
                        "additionalPodMonitors": _pod_monitors(inputs),
                    },
                    "grafana": _grafana(),
                    "kube-state-metrics": {"resources": compute(20, 128)},
                    "prometheus-node-exporter": {"resources": compute(20, 64)},
                },
            ),
            # Grafana's password; the monitors of the chart itself need the definitions.
            requires=(PROMETHEUS_CRDS_ENTRY, secrets_entry(namespaces.MONITORING)),
            # The Service that finds CoreDNS lies next to it.
            extra_namespaces=(namespaces.KUBE_SYSTEM,),
            gate_timeout_seconds=900,
        ),
    )


def _prometheus_spec(inputs: PlatformInputs) -> dict[str, Any]:
    tier = inputs.config.tier
    disk = _PROMETHEUS_DISK_GIB[tier]
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{disk}Gi"}},
    }
    if inputs.contract.storage_class is not None:
        claim["storageClassName"] = inputs.contract.storage_class
    return {
        # Left at their defaults, these five would see only the monitors of this one release.
        "serviceMonitorSelectorNilUsesHelmValues": False,
        "podMonitorSelectorNilUsesHelmValues": False,
        "ruleSelectorNilUsesHelmValues": False,
        "probeSelectorNilUsesHelmValues": False,
        "scrapeConfigSelectorNilUsesHelmValues": False,
        "replicas": replicas(inputs),
        "retention": _PROMETHEUS_RETENTION[tier],
        # Old blocks go before the disk is full: a full disk stops Prometheus for good.
        "retentionSize": f"{disk * 8 // 10}GiB",
        "resources": compute(200, _PROMETHEUS_MEMORY_MIB[tier]),
        "storageSpec": {"volumeClaimTemplate": {"spec": claim}},
        # By default a claim outlives its Prometheus, and its disk the cluster.
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
    }


def _pod_monitors(inputs: PlatformInputs) -> list[dict[str, Any]]:
    """Return the monitor of the substrate's own DCGM exporter; a second exporter would crash it."""
    dcgm = inputs.contract.gpu.dcgm
    if dcgm is None:
        return []
    return [
        {
            "name": "dcgm-exporter",
            "namespaceSelector": {"matchNames": [dcgm.namespace]},
            "selector": {"matchLabels": dict(dcgm.pod_labels)},
            "podMetricsEndpoints": [{"port": dcgm.port, "interval": "15s"}],
        }
    ]


def _grafana() -> dict[str, Any]:
    return {
        # Without it the chart makes a password of its own, which everybody knows.
        "admin": {
            "existingSecret": secrets.GRAFANA_ADMIN,
            "userKey": secrets.GRAFANA_USER_KEY,
            "passwordKey": secrets.GRAFANA_PASSWORD_KEY,
        },
        "defaultDashboardsTimezone": "browser",
        "resources": compute(50, 512),
        # It would run a floating image, and Argo CD does not run Helm tests.
        "testFramework": {"enabled": False},
        "grafana.ini": {
            "analytics": {"reporting_enabled": False, "check_for_updates": False},
            "users": {"allow_sign_up": False},
            "auth.anonymous": {"enabled": False},
        },
        "sidecar": {
            "resources": compute(10, 128),
            "dashboards": {"enabled": True, "searchNamespace": "ALL", "resource": "configmap"},
            "datasources": {
                "enabled": True,
                "searchNamespace": "ALL",
                "alertmanager": {"enabled": False},
            },
        },
    }


def keda(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Scales models on what waits for them."""
    if not inputs.config.features.autoscaling:
        return ()
    values: dict[str, Any] = {
        "image": {"pullPolicy": "IfNotPresent"},
        "operator": {"replicaCount": replicas(inputs)},
        "metricsServer": {"replicaCount": replicas(inputs)},
        "webhooks": {"replicaCount": replicas(inputs)},
        "resources": {
            "operator": compute(100, 256),
            "metricServer": compute(100, 256),
            "webhooks": compute(10, 128),
        },
    }
    if is_prod(inputs):
        values["podDisruptionBudget"] = {
            name: {"minAvailable": 1} for name in ("operator", "metricServer", "webhooks")
        }
    return (
        entry(
            KEDA_ENTRY,
            namespaces.KEDA,
            "platform",
            UpstreamChart(pin=KEDA, values=values),
            # The metrics server reads the API server's authentication settings there.
            extra_namespaces=(namespaces.KUBE_SYSTEM,),
        ),
    )


def kueue(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """GPU quota for the tenants' own jobs. It sees no namespace but theirs."""
    values = kueue_values(replicas=replicas(inputs))
    values["controllerManager"]["podDisruptionBudget"] = disruption_budget(inputs)
    return (
        entry(
            KUEUE_ENTRY,
            namespaces.KUEUE,
            "platform",
            UpstreamChart(pin=KUEUE, values=values),
            extra_namespaces=(namespaces.KUBE_SYSTEM,),
        ),
    )


def queues(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Each tenant's namespace and queue; what one leaves idle, the others may borrow."""
    gpu = inputs.contract.gpu
    values = kueue_queues.KueueQueuesValues(
        flavor=kueue_queues.FlavorValues(
            node_labels=gpu.node_selector,
            tolerations=tuple(Toleration(**one.model_dump()) for one in gpu.tolerations),
        ),
        tenants=tuple(
            kueue_queues.TenantQueue.for_gpus(tenant.name, tenant.gpu_quota)
            for tenant in inputs.tenants
        ),
    )
    return (
        entry(
            "kueue-queues",
            namespaces.KUEUE,
            "platform",
            OwnChart(chart="kueue-queues", values=values.to_values()),
            # Its webhook admits the queues.
            requires=(KUEUE_ENTRY,),
            extra_namespaces=tuple(tenant.name for tenant in inputs.tenants),
        ),
    )
