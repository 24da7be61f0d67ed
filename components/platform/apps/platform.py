"""Builders of the platform layer: what every other layer stands on.

Every `requires` here is an edge that the cluster itself would enforce by failing: a missing
definition, a webhook that is not up, a Secret that is not there.
"""

from typing import Any, Final

from components.contract import (
    CERT_MANAGER_IDENTITY,
    EXTERNAL_SECRETS_IDENTITY,
    SubstrateContract,
)
from components.platform.apps import gpus, namespaces, sign_in
from components.platform.apps.parts import (
    PROMETHEUS_PODS,
    calls_api_server,
    calls_internet,
    compute,
    disruption_budget,
    entry,
    has_several_replicas,
    is_prod,
    replicas,
    scraped,
    spread,
    webhook,
)
from components.platform.catalogue import (
    CatalogueEntry,
    Host,
    Kustomization,
    OwnChart,
    PlatformInputs,
    SignInClient,
    UpstreamChart,
)
from components.platform.network import Connection, Outside, Pods
from components.platform.values import kueue_queues
from components.platform.values.kueue import kueue_values
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry
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
CERT_MANAGER_ENTRY: Final = "cert-manager"
EXTERNAL_SECRETS_ENTRY: Final = "external-secrets"
KEDA_ENTRY: Final = "keda"
KUEUE_ENTRY: Final = "kueue"
QUEUES_ENTRY: Final = "kueue-queues"

EXTERNAL_SECRETS_PODS: Final = Pods(
    namespace=namespaces.EXTERNAL_SECRETS, labels={"app.kubernetes.io/name": "external-secrets"}
)
_SECRETS_WEBHOOK_PODS: Final = Pods(
    namespace=namespaces.EXTERNAL_SECRETS,
    labels={"app.kubernetes.io/name": "external-secrets-webhook"},
)
GRAFANA_PODS: Final = Pods(
    namespace=namespaces.MONITORING, labels={"app.kubernetes.io/name": "grafana"}
)

_KEDA_PODS: Final = {
    part: Pods(namespace=namespaces.KEDA, labels={"app": app})
    for part, app in (
        ("operator", "keda-operator"),
        ("metricsServer", "keda-operator-metrics-apiserver"),
        ("webhooks", "keda-admission-webhooks"),
    )
}
_KUEUE_PODS: Final = Pods(namespace=namespaces.KUEUE, labels={"app.kubernetes.io/name": "kueue"})

ALERTMANAGER_PODS: Final = Pods(
    namespace=namespaces.MONITORING, labels={"app.kubernetes.io/name": "alertmanager"}
)

GRAFANA_HOST: Final = "grafana"
GRAFANA_CLIENT: Final = "grafana"
GRAFANA_SIGN_IN: Final = "grafana-sign-in"
GRAFANA_ADMIN: Final = "grafana-admin"
GRAFANA_USER_KEY: Final = "admin-user"
GRAFANA_PASSWORD_KEY: Final = "admin-password"  # noqa: S105 - the name of a key
_GRAFANA_ADMIN_PASSWORD: Final = GeneratedSecret(remote_id="grafana-admin-password")

_PROMETHEUS_DISK_GIB: Final = {"cost": 10, "dev": 20, "prod": 50}
_PROMETHEUS_RETENTION: Final = {"cost": "7d", "dev": "7d", "prod": "15d"}
_PROMETHEUS_MEMORY_MIB: Final = {"cost": 1024, "dev": 1024, "prod": 4096}
_SMALLEST_DISK_GIB: Final = 10
"""Hetzner sells none that is smaller."""

_NEVER_KEPT: Final = (
    # When a series began; Python's client has one beside each counter and histogram.
    "(vllm:|litellm_|http_|python_).+_created",
    # The same durations a second time, in 21 buckets for each engine.
    "http_request_duration_highr_seconds_bucket",
    # What callers asked for, and steps of the engine: on no panel, and in no rule.
    "vllm:(request_params_.+|iteration_tokens_total|request_max_num_generation_tokens)_bucket",
    "vllm:request_prefill_kv_computed_tokens_bucket",
)
"""Series that Prometheus does not keep: of what an engine of vLLM 0.23 tells, three in ten."""

_INHIBITIONS: Final = [
    {
        "source_matchers": ["severity = critical"],
        "target_matchers": ["severity =~ warning|info"],
        "equal": ["alertname", "namespace", "model_name"],
    },
    {
        "source_matchers": ["alertname = SloErrorBudgetBurnsFast"],
        "target_matchers": ["alertname = SloErrorBudgetBurnsSlowly"],
        "equal": ["model_name", "slo"],
    },
    # Of a model that is not there nothing else is worth telling.
    {
        "source_matchers": ["alertname =~ ModelDown|ModelDoesNotStart"],
        "target_matchers": ["alertname !~ ModelDown|ModelDoesNotStart", 'model_name != ""'],
        "equal": ["model_name"],
    },
]
"""Which alerts are not sent while another one fires."""


def gateway_api(_inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Definitions of the Gateway API, standard channel, from its own repository at one commit."""
    return (
        entry(
            GATEWAY_API_ENTRY,
            namespaces.AGENTGATEWAY,
            "platform",
            Kustomization(path="config/crd", pin=GATEWAY_API),
            description="Definitions of the Gateway API",
            definitions_only=True,
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
            description="Definitions of the Prometheus operator",
            definitions_only=True,
        ),
    )


def cert_manager(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Certificates, also for the TLS listeners of annotated Gateways."""
    budget = disruption_budget(inputs)
    return (
        entry(
            CERT_MANAGER_ENTRY,
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
                    "serviceAccount": _service_account(inputs.contract, CERT_MANAGER_IDENTITY),
                    "replicaCount": replicas(inputs),
                    "podDisruptionBudget": budget,
                    "topologySpreadConstraints": spread(inputs, _part("cert-manager")),
                    "resources": compute(25, 128),
                    "webhook": {
                        "replicaCount": replicas(inputs),
                        "podDisruptionBudget": budget,
                        "topologySpreadConstraints": spread(inputs, _part("webhook")),
                        "resources": compute(10, 64),
                    },
                    "cainjector": {
                        "replicaCount": replicas(inputs),
                        "podDisruptionBudget": budget,
                        "topologySpreadConstraints": spread(inputs, _part("cainjector")),
                        "resources": compute(10, 256),
                    },
                    "startupapicheck": {"resources": compute(10, 64)},
                },
            ),
            description="Certificates, issued and renewed",
            rules=("cert-manager",),
            # With enableGatewayAPI on and no such definitions, the controller exits at start.
            requires=(GATEWAY_API_ENTRY,),
            connections=(
                calls_api_server(Pods(namespace=namespaces.CERT_MANAGER)),
                webhook(_part("webhook"), 10250),
                # Every component has its metrics on one port.
                scraped(Pods(namespace=namespaces.CERT_MANAGER), 9402),
            ),
        ),
    )


def _part(name: str) -> Pods:
    """Return the pods of one part of cert-manager, which its chart names."""
    return Pods(namespace=namespaces.CERT_MANAGER, labels={"app.kubernetes.io/name": name})


def external_secrets(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The operator that reads and writes the secret store."""
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
                    "serviceAccount": _service_account(inputs.contract, EXTERNAL_SECRETS_IDENTITY),
                    "replicaCount": replicas(inputs),
                    "leaderElect": is_prod(inputs),
                    # Off by default: one that hangs would hold up every secret, and look fine.
                    "livenessProbe": {"enabled": True},
                    "readinessProbe": {"enabled": True},
                    "podDisruptionBudget": budget,
                    "topologySpreadConstraints": spread(inputs, EXTERNAL_SECRETS_PODS),
                    "resources": compute(25, 256),
                    "webhook": {
                        "replicaCount": replicas(inputs),
                        "podDisruptionBudget": budget,
                        "topologySpreadConstraints": spread(inputs, _SECRETS_WEBHOOK_PODS),
                        "resources": compute(10, 128),
                    },
                    "certController": {"resources": compute(10, 256)},
                },
            ),
            description="Reads and writes the secret store",
            rules=("external-secrets",),
            connections=(
                calls_api_server(Pods(namespace=namespaces.EXTERNAL_SECRETS)),
                webhook(_SECRETS_WEBHOOK_PODS, 10250),
                scraped(Pods(namespace=namespaces.EXTERNAL_SECRETS), 8080),
                *_store_connections(inputs),
            ),
        ),
    )


def _service_account(contract: SubstrateContract, identity: str) -> dict[str, Any]:
    """Return the values of a service account, with the cloud identity that the contract has."""
    account: dict[str, Any] = {"create": True}
    trusted = contract.workload_identities.get(identity)
    if trusted is not None:
        account |= {"name": trusted.service_account, "annotations": dict(trusted.annotations)}
    return account


def _store_connections(inputs: PlatformInputs) -> tuple[Connection, ...]:
    """Return what the operator needs to reach the store, where it is not the cluster itself."""
    if inputs.contract.secret_store.kind != "google-secret-manager":
        return ()
    if inputs.contract.secret_store.audience is not None:
        # The token is the cluster's own: no metadata server is asked.
        return (calls_internet(EXTERNAL_SECRETS_PODS),)
    return (
        calls_internet(EXTERNAL_SECRETS_PODS),
        Connection(client=EXTERNAL_SECRETS_PODS, server=Outside.METADATA_SERVER, ports=(80, 988)),
    )


def kube_prometheus_stack(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Prometheus, its operator, Alertmanager, Grafana, kube-state-metrics and node-exporter."""
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
                    "alertmanager": _alertmanager(inputs),
                    # GKE does not expose them; k3s runs them inside one process on the loopback.
                    "kubeControllerManager": {"enabled": False},
                    "kubeScheduler": {"enabled": False},
                    "kubeEtcd": {"enabled": False},
                    # Cilium and Dataplane V2 replace it.
                    "kubeProxy": {"enabled": False},
                    "coreDns": {"enabled": _has_coredns(inputs)},
                    "prometheusOperator": {
                        "resources": compute(50, 256),
                        "admissionWebhooks": {"patch": {"resources": compute(10, 64)}},
                    },
                    "prometheus": {
                        "podDisruptionBudget": disruption_budget(inputs),
                        "prometheusSpec": _prometheus_spec(inputs),
                        "additionalPodMonitors": _pod_monitors(inputs),
                    },
                    "grafana": _grafana(inputs),
                    "kube-state-metrics": {
                        "resources": compute(20, 128),
                        "collectors": list(_STATE_COLLECTORS),
                        # Who pays for what, and which Deployment runs which model.
                        "metricLabelsAllowlist": [
                            "deployments=[llmp.dev/model]",
                            "namespaces=[team,environment,llmp.dev/tenant]",
                            "pods=[llmp.dev/team,llmp.dev/model,llmp.dev/environment]",
                        ],
                    },
                    "prometheus-node-exporter": {"resources": compute(20, 64)},
                },
            ),
            description="Metrics, dashboards and alerts: Prometheus, Grafana, Alertmanager",
            # The monitors of the chart itself need the definitions.
            requires=(PROMETHEUS_CRDS_ENTRY,),
            secrets=(
                ConsumerSecret(
                    name=GRAFANA_ADMIN,
                    namespace=namespaces.MONITORING,
                    entries=(
                        SecretEntry(
                            key=GRAFANA_PASSWORD_KEY,
                            remote_id=_GRAFANA_ADMIN_PASSWORD.remote_id,
                        ),
                    ),
                    literals={GRAFANA_USER_KEY: "admin"},
                ),
                *(
                    ConsumerSecret(
                        name=GRAFANA_SIGN_IN,
                        namespace=namespaces.MONITORING,
                        entries=(SecretEntry(key="client-secret", remote_id=client.secret_id),),
                    )
                    for client in _grafana_client(inputs)
                ),
            ),
            generates=(_GRAFANA_ADMIN_PASSWORD,),
            connections=_monitoring_connections(inputs),
            hosts=_grafana_host(inputs),
            sign_in_clients=_grafana_client(inputs),
            dashboards=("gpu",) if inputs.contract.gpu.dcgm is not None else (),
            rules=("gpu",) if inputs.contract.gpu.dcgm is not None else (),
            # The Service that finds CoreDNS lies next to it.
            extra_namespaces=(namespaces.KUBE_SYSTEM,),
            gate_timeout_seconds=900,
        ),
    )


def _grafana_client(inputs: PlatformInputs) -> tuple[SignInClient, ...]:
    if not sign_in.has_sign_in(inputs):
        return ()
    return (sign_in.client(GRAFANA_CLIENT, GRAFANA_HOST, "/login/generic_oauth"),)


def _grafana_host(inputs: PlatformInputs) -> tuple[Host, ...]:
    """Return Grafana's host: only where people sign in as themselves."""
    if not sign_in.has_sign_in(inputs):
        return ()
    return (
        Host(
            name=GRAFANA_HOST,
            service="kube-prometheus-stack-grafana",
            port=80,
            pods=GRAFANA_PODS,
            target_port=3000,
        ),
    )


_STATE_COLLECTORS: Final = (
    "cronjobs",
    "daemonsets",
    "deployments",
    "horizontalpodautoscalers",
    "jobs",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "poddisruptionbudgets",
    "pods",
    "replicasets",
    "resourcequotas",
    "statefulsets",
)
"""What rules and dashboards read of the cluster's objects. Its rights follow from it: by default it
may read every Secret and ConfigMap of the cluster."""


def _has_coredns(inputs: PlatformInputs) -> bool:
    """Return whether CoreDNS answers names: GKE runs kube-dns instead."""
    return inputs.contract.cloud != "gcp"


def _monitoring_connections(inputs: PlatformInputs) -> tuple[Connection, ...]:
    operator = Pods(
        namespace=namespaces.MONITORING,
        labels={"app.kubernetes.io/name": "kube-prometheus-stack-prometheus-operator"},
    )
    state = Pods(
        namespace=namespaces.MONITORING, labels={"app.kubernetes.io/name": "kube-state-metrics"}
    )
    found = [
        # Prometheus and Grafana's sidecars discover, kube-state-metrics reads, the operator and its
        # certificate Jobs write. Not Alertmanager: its way out leads to receivers alone.
        *(calls_api_server(pods) for pods in (PROMETHEUS_PODS, GRAFANA_PODS, state, operator)),
        webhook(operator, 10250),
        scraped(operator, 10250),
        scraped(GRAFANA_PODS, 3000),
        scraped(PROMETHEUS_PODS, 9090, 8080),
        # Also where Prometheus sends its alerts.
        scraped(ALERTMANAGER_PODS, 9093, 8080),
        Connection(client=GRAFANA_PODS, server=ALERTMANAGER_PODS, ports=(9093,)),
        scraped(state, 8080),
        Connection(client=GRAFANA_PODS, server=PROMETHEUS_PODS, ports=(9090,)),
        # The kubelet, and node-exporter in the host's network.
        Connection(client=PROMETHEUS_PODS, server=Outside.NODES, ports=(10250, 9100)),
    ]
    if _has_coredns(inputs):
        found.append(scraped(Pods(namespace=namespaces.KUBE_SYSTEM), 9153))
    if has_several_replicas(inputs):
        # They tell each other what was sent, so that nobody is told twice.
        found += [
            Connection(
                client=ALERTMANAGER_PODS,
                server=ALERTMANAGER_PODS,
                ports=(9094,),
                protocol=protocol,
            )
            for protocol in ("TCP", "UDP")
        ]
    if sign_in.has_sign_in(inputs):
        found.append(sign_in.calls_dex(GRAFANA_PODS))
    dcgm = inputs.contract.gpu.dcgm
    if dcgm is not None:
        found.append(scraped(Pods(namespace=dcgm.namespace, labels=dcgm.pod_labels), 9400))
    return tuple(found)


def _alertmanager(inputs: PlatformInputs) -> dict[str, Any]:
    """Return Alertmanager's values; who is told is the entry observability.

    Each receiver is an object of its own there. One whose Secret is missing is left out by the
    operator; in this configuration it would keep Alertmanager from starting.
    """
    spec: dict[str, Any] = {
        "replicas": replicas(inputs),
        "resources": compute(20, 128),
        # By default an object's receiver is told only of alerts from the object's namespace.
        "alertmanagerConfigMatcherStrategy": {"type": "None"},
        # By default whoever may write such an object in any namespace could read every alert.
        "alertmanagerConfigNamespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": namespaces.MONITORING}
        },
    }
    if is_prod(inputs):
        # Silences outlive both pods.
        spec["storage"] = {"volumeClaimTemplate": {"spec": _claim(inputs, _SMALLEST_DISK_GIB)}}
        spec["persistentVolumeClaimRetentionPolicy"] = {
            "whenDeleted": "Delete",
            "whenScaled": "Retain",
        }
    return {
        "podDisruptionBudget": disruption_budget(inputs),
        "alertmanagerSpec": spec,
        "config": {
            "route": {
                "receiver": "null",
                "group_by": ["alertname", "namespace", "model_name", "team"],
                "routes": [],
            },
            "receivers": [{"name": "null"}],
            "inhibit_rules": _INHIBITIONS,
        },
    }


def _claim(inputs: PlatformInputs, disk_gib: int) -> dict[str, Any]:
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{disk_gib}Gi"}},
    }
    if inputs.contract.storage_class is not None:
        claim["storageClassName"] = inputs.contract.storage_class
    return claim


def _prometheus_spec(inputs: PlatformInputs) -> dict[str, Any]:
    tier = inputs.config.tier
    disk = _PROMETHEUS_DISK_GIB[tier]
    return {
        # Left at their defaults, these five would see only the monitors of this one release.
        "serviceMonitorSelectorNilUsesHelmValues": False,
        "podMonitorSelectorNilUsesHelmValues": False,
        "ruleSelectorNilUsesHelmValues": False,
        "probeSelectorNilUsesHelmValues": False,
        "scrapeConfigSelectorNilUsesHelmValues": False,
        # Of all monitors, whichever chart they are in.
        "scrapeClasses": [
            {
                "name": "platform",
                "default": True,
                "metricRelabelings": [
                    {"sourceLabels": ["__name__"], "regex": "|".join(_NEVER_KEPT), "action": "drop"}
                ],
            }
        ],
        "replicas": replicas(inputs),
        "retention": _PROMETHEUS_RETENTION[tier],
        # Old blocks go before the disk is full: a full disk stops Prometheus for good.
        "retentionSize": f"{disk * 8 // 10}GiB",
        "resources": compute(200, _PROMETHEUS_MEMORY_MIB[tier]),
        "storageSpec": {"volumeClaimTemplate": {"spec": _claim(inputs, disk)}},
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
            "podMetricsEndpoints": [
                {
                    "port": dcgm.port,
                    "interval": "15s",
                    "relabelings": [
                        {
                            "sourceLabels": ["__meta_kubernetes_pod_node_name"],
                            "targetLabel": "node",
                        }
                    ],
                }
            ],
        }
    ]


def _grafana(inputs: PlatformInputs) -> dict[str, Any]:
    values: dict[str, Any] = {
        # Without it the chart makes a password of its own, which everybody knows.
        "admin": {
            "existingSecret": GRAFANA_ADMIN,
            "userKey": GRAFANA_USER_KEY,
            "passwordKey": GRAFANA_PASSWORD_KEY,
        },
        # A role in its own namespace: by default Grafana reads the Secrets of all of them.
        "rbac": {"namespaced": True},
        "defaultDashboardsTimezone": "browser",
        "resources": compute(50, 512),
        # It would run a floating image, and Argo CD does not run Helm tests.
        "testFramework": {"enabled": False},
        "grafana.ini": {
            "analytics": {
                "reporting_enabled": False,
                "check_for_updates": False,
                "check_for_plugin_updates": False,
            },
            # Grafana 13 brings its data sources as plugins in the image. By default it looks at
            # each start for newer ones, ends those that it wants to replace, and then fails where
            # it cannot fetch or write: the data source is gone.
            "plugins": {"preinstall_disabled": True, "plugin_admin_enabled": False},
            "news": {"news_feed_enabled": False},
            # Pictures of people, which it would fetch by their e-mail addresses.
            "security": {"disable_gravatar": True},
            "users": {"allow_sign_up": False},
            "auth.anonymous": {"enabled": False},
        },
        "sidecar": {
            "resources": compute(10, 128),
            "dashboards": {
                "enabled": True,
                "searchNamespace": namespaces.MONITORING,
                "resource": "configmap",
            },
            "datasources": {"enabled": True, "searchNamespace": namespaces.MONITORING},
        },
    }
    if sign_in.has_sign_in(inputs):
        settings = _grafana_sign_in(inputs)
        settings["security"] |= values["grafana.ini"]["security"]
        values["grafana.ini"] |= settings
        values["envValueFrom"] = {
            "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": {
                "secretKeyRef": {"name": GRAFANA_SIGN_IN, "key": "client-secret"}
            }
        }
    return values


def _grafana_sign_in(inputs: PlatformInputs) -> dict[str, Any]:
    """Return Grafana's settings of single sign-on, only where there is one.

    The form of the local admin goes with it; without Dex nobody could sign in any more. The API
    keeps the admin's password, for the day when Dex is down.
    """
    administrators = [
        f"email == '{sign_in.admin_email(inputs)}'",
        *(f"contains(groups || `[]`, '{one}')" for one in inputs.config.identity.admin_groups),
    ]
    return {
        "server": {"root_url": sign_in.url(inputs, GRAFANA_HOST)},
        "security": {"cookie_secure": True},
        "auth": {"disable_login_form": True},
        "auth.generic_oauth": {
            "enabled": True,
            "name": "Dex",
            "client_id": GRAFANA_CLIENT,
            "scopes": sign_in.GROUP_SCOPES,
            "auth_url": sign_in.authorization_url(inputs),
            "token_url": sign_in.token_url(),
            "api_url": sign_in.userinfo_url(),
            "use_pkce": True,
            "allow_sign_up": True,
            "role_attribute_path": f"({' || '.join(administrators)}) && 'Admin' || 'Viewer'",
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
        # By default it may read everything in the cluster, Secrets too, and scale any kind. What it
        # scales are Deployments, and models on several nodes.
        "permissions": {"operator": {"restrict": {"secret": True}}},
        "rbac": {
            "enabledCustomScaledRefKinds": inputs.config.features.multi_node,
            "scaledRefKinds": [
                {"apiGroup": "leaderworkerset.x-k8s.io", "kind": "leaderworkersets"}
            ],
        },
        "prometheus": {"operator": {"enabled": True}},
        "topologySpreadConstraints": {
            part: spread(inputs, pods) for part, pods in _KEDA_PODS.items()
        },
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
            feature="autoscaling",
            description="Scales models on what waits for them",
            rules=("keda",),
            connections=(
                calls_api_server(Pods(namespace=namespaces.KEDA)),
                Connection(
                    client=_KEDA_PODS["operator"],
                    server=PROMETHEUS_PODS,
                    ports=(9090,),
                ),
                Connection(
                    client=_KEDA_PODS["metricsServer"],
                    server=_KEDA_PODS["operator"],
                    ports=(9666,),
                ),
                # The API of external metrics, and the admission webhooks.
                webhook(_KEDA_PODS["metricsServer"], 6443),
                webhook(_KEDA_PODS["webhooks"], 9443),
                scraped(Pods(namespace=namespaces.KEDA), 8080),
            ),
            # The metrics server reads the API server's authentication settings there.
            extra_namespaces=(namespaces.KUBE_SYSTEM,),
        ),
    )


def kueue(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """GPU quota for the tenants' own jobs. It sees no namespace but theirs."""
    values = kueue_values(replicas=replicas(inputs))
    values["controllerManager"] |= {
        "podDisruptionBudget": disruption_budget(inputs),
        "topologySpreadConstraints": spread(inputs, _KUEUE_PODS),
    }
    return (
        entry(
            KUEUE_ENTRY,
            namespaces.KUEUE,
            "platform",
            UpstreamChart(pin=KUEUE, values=values),
            description="GPU quota for the jobs of tenants",
            rules=("kueue",),
            connections=(
                calls_api_server(Pods(namespace=namespaces.KUEUE)),
                # Webhooks, and the API of who waits in which queue.
                webhook(Pods(namespace=namespaces.KUEUE), 9443, 8082),
                scraped(Pods(namespace=namespaces.KUEUE), 8443),
            ),
            extra_namespaces=(namespaces.KUBE_SYSTEM,),
        ),
    )


def queues(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Each tenant's quota of the GPUs; what one leaves idle, the others may borrow."""
    nodes = gpus.job_nodes(inputs.contract.gpu)
    values = kueue_queues.KueueQueuesValues(
        flavor=kueue_queues.FlavorValues(
            node_labels=nodes.selector,
            tolerations=nodes.tolerations,
        ),
        tenants=tuple(
            kueue_queues.TenantQueue.for_gpus(tenant.name, tenant.gpu_quota)
            for tenant in inputs.tenants
        ),
    )
    return (
        entry(
            QUEUES_ENTRY,
            namespaces.KUEUE,
            "platform",
            OwnChart(chart="kueue-queues", values=values.to_values()),
            description="GPU quota of each tenant",
            # Its webhook admits the queues.
            requires=(KUEUE_ENTRY,),
        ),
    )
