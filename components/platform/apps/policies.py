"""Builders of the admission policies: Kyverno, and what it refuses and changes."""

from typing import Any, Final

from components.platform.apps import namespaces
from components.platform.apps.parts import (
    calls_api_server,
    compute,
    disruption_budget,
    entry,
    is_prod,
    scraped,
    webhook,
)
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
)
from components.platform.network import Pods
from components.platform.values.policies import PoliciesValues
from components.versions import KYVERNO

KYVERNO_ENTRY: Final = "kyverno"

_ADMISSION_REPLICAS: Final = {"cost": 1, "dev": 1, "prod": 3}
"""Three in prod: with two, a restart leaves a single one (Kyverno docs, high availability)."""

_CONTROLLERS: Final = ("backgroundController", "cleanupController", "reportsController")


def kyverno(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The admission controller and its helpers."""
    if not inputs.config.features.security:
        return ()
    monitor = {"enabled": True}
    values: dict[str, Any] = {
        "admissionController": {
            "replicas": _ADMISSION_REPLICAS[inputs.config.tier],
            "container": {"resources": compute(100, 512)},
            "initContainer": {"resources": compute(10, 256)},
            "podDisruptionBudget": disruption_budget(inputs),
            "serviceMonitor": monitor,
        },
        **{
            name: {
                # Each leads by a lease; a second one would only wait.
                "replicas": 1,
                "resources": compute(50, 256),
                "serviceMonitor": monitor,
            }
            for name in _CONTROLLERS
        },
        "features": {
            "logging": {"format": "json"},
            # An exception to a policy is a change of the policy, in git.
            "policyExceptions": {"enabled": False},
            # The policies stay Kyverno's: a copy of each in the API server would answer twice.
            "generateValidatingAdmissionPolicy": {"enabled": False},
        },
        # It deletes webhooks that would refuse everything once Kyverno is gone.
        "webhooksCleanup": {"enabled": True},
        # A Job at every sync that has nothing to migrate in a version that is installed afresh.
        "crds": {"migration": {"enabled": False}},
    }
    pods = Pods(namespace=namespaces.KYVERNO)
    return (
        entry(
            KYVERNO_ENTRY,
            namespaces.KYVERNO,
            "platform",
            UpstreamChart(pin=KYVERNO, values=values),
            feature="security",
            description="Refuses at admission what policies forbid",
            rules=("kyverno",),
            requires=(PROMETHEUS_CRDS_ENTRY,),
            connections=(
                calls_api_server(pods),
                webhook(_component("admission-controller"), 9443),
                webhook(_component("cleanup-controller"), 9443),
                scraped(pods, 8000),
            ),
        ),
    )


def policies(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The policies themselves."""
    if not inputs.config.features.security:
        return ()
    values = PoliciesValues(
        failure_policy="Fail" if is_prod(inputs) else "Ignore",
        require_digest=is_prod(inputs),
        gpu_toleration_keys=tuple(
            dict.fromkeys(one.key for one in inputs.contract.gpu.tolerations)
        ),
        public_namespaces=(namespaces.EDGE,) if inputs.config.features.public_edge else (),
        registry_mirrors=inputs.contract.registry_mirrors,
    )
    return (
        entry(
            "policies",
            namespaces.KYVERNO,
            "platform",
            OwnChart(chart="policies", values=values.to_values()),
            feature="security",
            description="Queue names, limits, labels, images, Pod Security, no public Services",
            # Its webhook admits policies.
            requires=(KYVERNO_ENTRY,),
        ),
    )


def _component(name: str) -> Pods:
    return Pods(namespace=namespaces.KYVERNO, labels={"app.kubernetes.io/component": name})
