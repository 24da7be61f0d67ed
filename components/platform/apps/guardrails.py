"""Builder of the filters that LiteLLM asks about prompts, and its settings for them.

Both filters run before every call of every model. They fail closed, whatever the tier: LiteLLM
1.89 refuses a request whose prompt Presidio could not look at, and has no switch for that.
"""

from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import entry, replicas
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    includes_layer,
)
from components.platform.network import Connection, Pods
from components.platform.values.base import Compute
from components.platform.values.guardrails import FilterValues, GuardrailsValues
from components.versions import PRESIDIO_ANALYZER_IMAGE, PRESIDIO_ANONYMIZER_IMAGE

GUARDRAILS_ENTRY: Final = "guardrails"

GUARDRAILS_PODS: Final = Pods(
    namespace=namespaces.GUARDRAILS, labels={"app.kubernetes.io/name": "guardrails"}
)

_INJECTION_CATEGORIES: Final = (
    "prompt_injection_jailbreak",
    "prompt_injection_system_prompt",
    "prompt_injection_data_exfiltration",
)
"""LiteLLM 1.89's own lists of words (guardrail_hooks/litellm_content_filter/categories)."""


def is_enabled(inputs: PlatformInputs) -> bool:
    """Return whether prompts are filtered."""
    return includes_layer(inputs, "llm-gateway") and inputs.config.features.guardrails


def guardrails(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Presidio's two services. They call nobody, and LiteLLM alone calls them."""
    if not is_enabled(inputs):
        return ()
    values = GuardrailsValues(
        replicas=replicas(inputs),
        filters=(
            FilterValues(
                name=endpoints.PRESIDIO_ANALYZER.service,
                image=PRESIDIO_ANALYZER_IMAGE.reference,
                part="analyzer",
                # It holds a language model of spaCy.
                compute=Compute(cpu=0.25, memory_mib=2048),
                start_seconds=300,
            ),
            FilterValues(
                name=endpoints.PRESIDIO_ANONYMIZER.service,
                image=PRESIDIO_ANONYMIZER_IMAGE.reference,
                part="anonymizer",
                compute=Compute(cpu=0.05, memory_mib=256),
                start_seconds=120,
            ),
        ),
    )
    return (
        entry(
            GUARDRAILS_ENTRY,
            namespaces.GUARDRAILS,
            "llm-gateway",
            OwnChart(chart="guardrails", values=values.to_values()),
            description="Presidio: finds and masks personal data in prompts",
            feature="guardrails",
            rules=("guardrails",),
        ),
    )


def connections(inputs: PlatformInputs, client: Pods) -> tuple[Connection, ...]:
    """Return what LiteLLM calls."""
    if not is_enabled(inputs):
        return ()
    port = endpoints.PRESIDIO_ANALYZER.port
    return (Connection(client=client, server=GUARDRAILS_PODS, ports=(port,)),)


def settings(inputs: PlatformInputs) -> list[dict[str, Any]]:
    """Return LiteLLM's list of guardrails: each runs before every call, and no caller skips it."""
    if not is_enabled(inputs):
        return []
    return [
        {
            "guardrail_name": "personal-data",
            "litellm_params": {
                "guardrail": "presidio",
                "mode": "pre_call",
                "default_on": True,
                # Answers are not masked: a stream would have to end before its first word is sent.
                "presidio_filter_scope": "input",
                "presidio_analyzer_api_base": endpoints.PRESIDIO_ANALYZER.url(),
                "presidio_anonymizer_api_base": endpoints.PRESIDIO_ANONYMIZER.url(),
                "presidio_language": "en",
                "pii_entities_config": dict.fromkeys(
                    inputs.config.guardrails.masked_entities, "MASK"
                ),
            },
        },
        {
            "guardrail_name": "prompt-injection",
            "litellm_params": {
                "guardrail": "litellm_content_filter",
                "mode": "pre_call",
                "default_on": True,
                "severity_threshold": inputs.config.guardrails.injection_severity,
                "categories": [
                    {
                        "category": category,
                        "enabled": True,
                        "action": "BLOCK",
                        "severity_threshold": inputs.config.guardrails.injection_severity,
                    }
                    for category in _INJECTION_CATEGORIES
                ],
            },
        },
    ]
