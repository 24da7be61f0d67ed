"""Values of charts/observability that the tests render."""

from components.platform.values.base import SecretKey
from components.platform.values.observability import (
    Email,
    Monitor,
    ObservabilityValues,
    Receiver,
    ServiceLevel,
)

OBSERVABILITY = ObservabilityValues(
    dashboards=("serving", "slo"),
    rules=("serving", "slo"),
    runbooks="https://github.com/your-org/llmp/blob/main/docs/runbooks.md",
    objectives=(
        ServiceLevel(model="qwen", slo="ttft", target=0.95, bucket="2.5"),
        ServiceLevel(model="qwen", slo="saturation", target=0.95, waiting_requests=5),
        ServiceLevel(model="qwen", slo="availability", target=0.99),
    ),
    monitors=(
        Monitor(name="pods", namespace="system", port="metrics", dropped=".+_bucket"),
        Monitor(
            name="service",
            namespace="system",
            labels={"app": "system"},
            target="services",
            port="https",
            scheme="https",
            service_account_token=True,
        ),
        Monitor(
            name="with-a-key",
            namespace="system",
            port="http",
            credentials=SecretKey(name="system-metrics", key="key"),
        ),
    ),
    receivers=(
        Receiver(
            name="chat",
            kind="slack",
            secret=SecretKey(name="alerting-chat", key="url"),
            alerts="warning",
            channel="#alerts",
        ),
        Receiver(
            name="on-call",
            kind="pagerduty",
            secret=SecretKey(name="alerting-on-call", key="routing-key"),
            alerts="critical",
        ),
        Receiver(
            name="mail",
            kind="email",
            secret=SecretKey(name="alerting-mail", key="password"),
            alerts="info",
            email=Email(
                to="team@example.com",
                sender="alerts@example.com",
                host="smtp.example.com",
                port=587,
                user="alerts",
            ),
        ),
        Receiver(
            name="dead-mans-switch",
            kind="webhook",
            secret=SecretKey(name="alerting-dead-mans-switch", key="url"),
            alerts="watchdog",
        ),
    ),
)

NOTHING_OBSERVED = ObservabilityValues()
