"""How requests find their way where prefill and decode are apart (llm-d)."""

import json
from typing import Any, Final

from components.versions import LLM_D_SCHEDULER

_CONFIG_FILE: Final = "prefill-decode.yaml"

_CONFIG: Final[dict[str, Any]] = {
    "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
    "kind": "EndpointPickerConfig",
    "featureGates": ["prepareDataPlugins"],
    "plugins": [
        {"type": "disagg-headers-handler"},
        {"type": "prefix-cache-scorer"},
        {"type": "queue-scorer"},
        {"type": "prefill-filter"},
        {"type": "decode-filter"},
        {"type": "max-score-picker"},
        # What is nearly all in the cache of a decode pod already is not worth the transfer.
        {"type": "prefix-based-pd-decider", "parameters": {"nonCachedTokens": 16}},
        {
            "type": "disagg-profile-handler",
            "parameters": {"deciders": {"prefill": "prefix-based-pd-decider"}},
        },
    ],
    "schedulingProfiles": [
        {
            "name": name,
            "plugins": [
                {"pluginRef": f"{name}-filter"},
                {"pluginRef": "max-score-picker"},
                {"pluginRef": "prefix-cache-scorer", "weight": 2},
                {"pluginRef": "queue-scorer", "weight": 1},
            ],
        }
        for name in ("prefill", "decode")
    ],
}
"""The scheduler chooses two pods for a request, by the role in their labels (llm-d 0.7)."""


def picker_values() -> dict[str, Any]:
    """Return the values of `inferenceExtension` that make llm-d's scheduler a pool's picker."""
    return {
        "image": {
            "registry": "ghcr.io",
            "repository": "llm-d/llm-d-inference-scheduler",
            "tag": LLM_D_SCHEDULER,
            "pullPolicy": "IfNotPresent",
        },
        "pluginsConfigFile": _CONFIG_FILE,
        # JSON is YAML.
        "pluginsCustomConfig": {_CONFIG_FILE: json.dumps(_CONFIG, indent=2)},
    }
