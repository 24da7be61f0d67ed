"""When the alerts that a system is not there fire, and when not."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.charts.observability.case import Case

_REFUSED: Final = (
    'apiserver_admission_webhook_rejection_count{name="validate.kyverno.svc-fail", '
    'operation="CREATE", type="validating", '
)
_LAST_SYNC: Final = (
    'external_dns_controller_last_sync_timestamp_seconds{namespace="external-dns", pod="a"}'
)
_TEAMS_JOB: Final = (
    'kube_job_failed{namespace="litellm", job_name="litellm-tenants-teams", condition="true"}'
)


def replicas(kind: str, namespace: str, name: str, wanted: str, ready: str) -> dict[str, str]:
    """Return what kube-state-metrics tells of a Deployment or a StatefulSet."""
    at = f'{{namespace="{namespace}", {kind}="{name}"}}'
    if kind == "deployment":
        return {
            f"kube_deployment_spec_replicas{at}": wanted,
            f"kube_deployment_status_replicas_available{at}": ready,
        }
    return {
        f"kube_statefulset_replicas{at}": wanted,
        f"kube_statefulset_status_replicas_ready{at}": ready,
    }


def _down(alert: str, namespace: str, name: str, kind: str = "deployment") -> Iterator[Case]:
    """Yield the cases of one system: gone, one of two gone, moving, and switched off."""
    gone: Mapping[str, str] = {"namespace": namespace, "workload": name}
    for because, wanted, ready, fires in (
        ("no replica is left", "1x60", "1x10 0x50", (gone,)),
        ("one of two replicas is left", "2x60", "2x10 1x50", ()),
        ("it was on another node within four minutes", "1x60", "1x45 0x4 1x20", ()),
        ("somebody scaled it to zero", "0x60", "0x60", ()),
    ):
        yield Case(
            alert=alert,
            because=f"{name}: {because}",
            series=replicas(kind, namespace, name, wanted, ready),
            at="50m",
            fires=fires,
        )


_SYSTEMS: Final = (
    ("argocd", "argocd-repo-server", "deployment"),
    ("cert-manager", "trust-manager", "deployment"),
    ("experience", "open-webui", "deployment"),
    ("external-dns", "external-dns", "deployment"),
    ("key-portal", "key-portal", "deployment"),
    ("kyverno", "kyverno-background-controller", "deployment"),
    ("litellm", "litellm-qdrant", "statefulset"),
    ("litellm", "litellm-valkey", "deployment"),
    ("mcp", "mcp-gateway", "deployment"),
    ("monitoring", "kube-prometheus-stack-grafana", "deployment"),
)

SYSTEMS: Final = (
    *(
        case
        for namespace, name, kind in _SYSTEMS
        for case in _down("SystemDown", namespace, name, kind)
    ),
    *(
        Case(
            alert="SystemDown",
            because=f"{namespace}/{name} has an alert of its own, or is nothing of the platform",
            series=replicas("deployment", namespace, name, "1x60", "0x60"),
            at="50m",
        )
        for namespace, name in (
            ("guardrails", "presidio-analyzer"),
            ("identity", "dex"),
            ("inference", "inference-gateway"),
            ("kyverno", "kyverno-admission-controller"),
            ("litellm", "litellm"),
            ("serving", "qwen-vllm"),
            ("team-a", "notebook"),
        )
    ),
    *_down("GuardrailsDown", "guardrails", "presidio-analyzer"),
    *_down("GuardrailsDown", "guardrails", "presidio-anonymizer"),
    *_down("AdmissionDown", "kyverno", "kyverno-admission-controller"),
    *_down("SignInDown", "identity", "dex"),
    *_down("SignInDown", "identity", "oauth2-proxy"),
    Case(
        alert="WebhookFails",
        because="nobody answers, and the policy is to refuse then",
        series={f'{_REFUSED}error_type="calling_webhook_error"}}': "0+6x60"},
        at="40m",
        fires=({"name": "validate.kyverno.svc-fail"},),
    ),
    Case(
        alert="WebhookFails",
        because="it answers, and forbids what policies forbid",
        series={f'{_REFUSED}error_type="no_error", rejection_code="400"}}': "0+6x60"},
        at="40m",
    ),
    Case(
        alert="WebhookFails",
        because="it was restarted",
        series={f'{_REFUSED}error_type="calling_webhook_error"}}': "0x20 6x40"},
        at="32m",
    ),
    Case(
        alert="DnsRecordsNotWritten",
        because="the provider has refused the token for 20 minutes",
        series={_LAST_SYNC: "0+60x20 1200x60"},
        at="41m",
        fires=({"namespace": "external-dns"},),
    ),
    Case(
        alert="DnsRecordsNotWritten",
        because="it has never come so far",
        series={_LAST_SYNC: "0x60"},
        at="21m",
        fires=({"namespace": "external-dns"},),
    ),
    Case(
        alert="DnsRecordsNotWritten",
        because="it was done a minute ago",
        series={_LAST_SYNC: "0+60x60"},
        at="41m",
    ),
    Case(
        alert="TenantsNotBroughtUpToDate",
        because="all attempts failed",
        series={_TEAMS_JOB: "0x10 1x60"},
        at="30m",
        fires=({"namespace": "litellm", "job_name": "litellm-tenants-teams"},),
    ),
    Case(
        alert="TenantsNotBroughtUpToDate",
        because="the next sync made the Job anew",
        series={_TEAMS_JOB: "1x10 _x60"},
        at="30m",
    ),
    Case(
        alert="TenantsNotBroughtUpToDate",
        because="some other Job failed",
        series={_TEAMS_JOB.replace("litellm-tenants-teams", "notebook"): "1x60"},
        at="30m",
    ),
)
