"""What the systems of a stack show, record and alert on, and who is told.

Which dashboards and rules there are follows from the entries: each one names its own, so that no
rule asks for series that nothing in the stack has.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from components.names import ARGO_CD_NAMESPACE
from components.platform.apps import llm_gateway, namespaces, platform
from components.platform.apps.parts import calls_internet, entry, scraped
from components.platform.catalogue import CatalogueEntry, OwnChart, PlatformInputs
from components.platform.config import (
    DEAD_MANS_SWITCH,
    AlertReceiver,
    EmailReceiver,
    Engine,
    Model,
    SlackReceiver,
)
from components.platform.network import Connection, Pods
from components.platform.values.base import SecretKey
from components.platform.values.observability import (
    Email,
    Monitor,
    ObservabilityValues,
    Receiver,
    ServiceLevel,
    Slo,
)
from components.platform.values.secrets import ConsumerSecret, SecretEntry

OBSERVABILITY_ENTRY: Final = "observability"

ARGO_CD_PODS: Final = Pods(
    namespace=ARGO_CD_NAMESPACE, labels={"app.kubernetes.io/part-of": "argocd"}
)
"""Argo CD is no entry of the catalogue: it was there before, and delivers all of them."""
ARGO_CD_METRICS_PORTS: Final = (8080, 8082, 8083, 8084, 9001)
"""ApplicationSets, controller, server, repository server, notifications (chart 9.5)."""

VLLM_METRICS: Final[frozenset[Engine]] = frozenset({"vllm", "kserve", "llm_d", "simulator"})
"""Engines that are vLLM, or tell the same series as vLLM."""

_CONTROLLER_BUCKETS: Final = (
    "(controller_runtime|workqueue|rest_client|certwatcher|go_gc|go_sched)_.+_bucket"
)
"""Histograms that every controller brings along: most of its series, and on no panel."""

MONITORS: Final[Mapping[str, Monitor]] = MappingProxyType(
    {
        "cert-manager": Monitor(
            name="cert-manager",
            namespace=namespaces.CERT_MANAGER,
            port="http-metrics",
            interval_seconds=60,
            dropped=_CONTROLLER_BUCKETS,
        ),
        platform.EXTERNAL_SECRETS_ENTRY: Monitor(
            name="external-secrets",
            namespace=namespaces.EXTERNAL_SECRETS,
            port="metrics",
            interval_seconds=60,
            dropped=_CONTROLLER_BUCKETS,
        ),
        platform.KEDA_ENTRY: Monitor(
            name="keda",
            namespace=namespaces.KEDA,
            labels={"app": "keda-operator"},
            port="metrics",
            dropped=_CONTROLLER_BUCKETS,
        ),
        platform.KUEUE_ENTRY: Monitor(
            name="kueue",
            namespace=namespaces.KUEUE,
            labels={"app.kubernetes.io/component": "metrics-service"},
            # Kueue shows its metrics to those whom the API server allows to read them.
            target="services",
            port="https",
            scheme="https",
            service_account_token=True,
            dropped=_CONTROLLER_BUCKETS,
        ),
        llm_gateway.CLOUDNATIVE_PG_ENTRY: Monitor(
            name="cloudnative-pg",
            namespace=namespaces.CLOUDNATIVE_PG,
            labels=dict(llm_gateway.OPERATOR_PODS.labels),
            port="metrics",
            interval_seconds=60,
            dropped=_CONTROLLER_BUCKETS,
        ),
    }
)
"""Monitors of upstream systems, by entry.

They are here and not in the systems' own charts, so that none of them waits for the definitions of
the Prometheus operator.
"""

_ARGO_CD_MONITOR: Final = Monitor(
    name="argo-cd",
    namespace=ARGO_CD_NAMESPACE,
    labels=dict(ARGO_CD_PODS.labels),
    port="metrics",
    dropped=rf"{_CONTROLLER_BUCKETS}|grpc_.+|argocd_(redis|kubectl)_.+_bucket",
)

_KEYS: Final = {
    "slack": "url",
    "pagerduty": "routing-key",
    "webhook": "url",
    "email": "password",
}
"""Key of each receiver's Secret."""


def observability(
    inputs: PlatformInputs, entries: Sequence[CatalogueEntry]
) -> tuple[CatalogueEntry, ...]:
    """Dashboards, rules, objectives, monitors and receivers of all entries."""
    names = {one.name for one in entries}
    monitors = (_ARGO_CD_MONITOR, *(one for name, one in MONITORS.items() if name in names))
    rules = ("systems", "argo-cd", *(name for one in entries for name in one.rules))
    dashboards = ("platform", *(name for one in entries for name in one.dashboards))
    values = ObservabilityValues(
        dashboards=tuple(dict.fromkeys(dashboards)),
        rules=tuple(dict.fromkeys(rules)),
        runbooks=runbooks_url(inputs),
        objectives=tuple(
            one
            for model in inputs.models
            if "slo" in rules and model.engine in VLLM_METRICS
            for one in _objectives(model, has_gateway="slo-availability" in rules)
        ),
        monitors=monitors,
        receivers=_receivers(inputs),
    )
    return (
        entry(
            OBSERVABILITY_ENTRY,
            namespaces.MONITORING,
            "platform",
            OwnChart(chart="observability", values=values.to_values()),
            description="Dashboards, rules and objectives of all systems, and who hears of alerts",
            requires=(platform.PROMETHEUS_CRDS_ENTRY,),
            secrets=_receiver_secrets(inputs),
            connections=(
                scraped(ARGO_CD_PODS, *ARGO_CD_METRICS_PORTS),
                *_receiver_connections(inputs),
            ),
        ),
    )


def runbooks_url(inputs: PlatformInputs) -> str:
    """Return where people read docs/runbooks.md: in the repository, at the commit that runs.

    The path is that of GitHub, Gitea and Forgejo. It is empty for a repository that no browser
    reaches; `platform.alerting.runbooks_url` says it for all others.
    """
    given = inputs.config.alerting.runbooks_url
    if given is not None:
        return given
    repository = inputs.config.gitops.repository.removesuffix(".git")
    found = re.fullmatch(
        r"(?:https://|ssh://(?:[^@/]+@)?|[^@/]+@)([^:/]+)(?::[0-9]+(?=/))?[:/]/?(.+)", repository
    )
    if found is None:
        return ""
    host, path = found.groups()
    return f"https://{host}/{path}/blob/{inputs.revision}/docs/runbooks.md"


def _objectives(model: Model, *, has_gateway: bool) -> tuple[ServiceLevel, ...]:
    objectives = model.objectives
    times: tuple[tuple[Slo, float], ...] = (
        ("ttft", objectives.ttft_seconds),
        ("inter_token", objectives.inter_token_seconds),
        ("end_to_end", objectives.end_to_end_seconds),
    )
    found = [
        ServiceLevel(model=model.name, slo=slo, target=objectives.within, bucket=_bucket(seconds))
        for slo, seconds in times
    ]
    found.append(
        ServiceLevel(
            model=model.name,
            slo="saturation",
            target=objectives.within,
            waiting_requests=model.scaling.waiting_requests_per_replica,
        )
    )
    if has_gateway:
        found.append(
            ServiceLevel(model=model.name, slo="availability", target=objectives.availability)
        )
    return tuple(found)


def _bucket(seconds: float) -> str:
    """Return the bound of a bucket as the engine spells it, and as Prometheus keeps it."""
    return repr(float(seconds))


def _receivers(inputs: PlatformInputs) -> tuple[Receiver, ...]:
    alerting = inputs.config.alerting
    found = [_receiver(one) for one in alerting.receivers]
    if alerting.dead_mans_switch_secret is not None:
        found.append(
            Receiver(
                name=DEAD_MANS_SWITCH,
                kind="webhook",
                secret=_secret_key(DEAD_MANS_SWITCH, "webhook"),
                alerts="watchdog",
            )
        )
    return tuple(found)


def _receiver(receiver: AlertReceiver) -> Receiver:
    return Receiver(
        name=receiver.name,
        kind=receiver.kind,
        secret=_secret_key(receiver.name, receiver.kind),
        alerts=receiver.least_severity,
        channel=receiver.channel if isinstance(receiver, SlackReceiver) else None,
        email=Email(
            to=receiver.to,
            sender=receiver.sender,
            host=receiver.host,
            port=receiver.port,
            user=receiver.user,
        )
        if isinstance(receiver, EmailReceiver)
        else None,
    )


def _secret_key(receiver: str, kind: str) -> SecretKey:
    return SecretKey(name=f"alerting-{receiver}", key=_KEYS[kind])


def _receiver_secrets(inputs: PlatformInputs) -> tuple[ConsumerSecret, ...]:
    """Return one Secret a receiver: one that nobody supplied silences that receiver alone."""
    alerting = inputs.config.alerting
    remote_ids = {one.name: one.secret for one in alerting.receivers}
    if alerting.dead_mans_switch_secret is not None:
        remote_ids[DEAD_MANS_SWITCH] = alerting.dead_mans_switch_secret
    return tuple(
        ConsumerSecret(
            name=one.secret.name,
            namespace=namespaces.MONITORING,
            entries=(SecretEntry(key=one.secret.key, remote_id=remote_ids[one.name]),),
        )
        for one in _receivers(inputs)
    )


def _receiver_connections(inputs: PlatformInputs) -> tuple[Connection, ...]:
    ports = {443 if one.email is None else one.email.port for one in _receivers(inputs)}
    if not ports:
        return ()
    return (calls_internet(platform.ALERTMANAGER_PODS, *sorted(ports)),)
