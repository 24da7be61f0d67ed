"""The `features` of a platform: capabilities that a stack switches on, one by one."""

from typing import Literal

from pydantic import (
    Field,
)

from components.platform.config.base import Section

Feature = Literal[
    "autoscaling",
    "security",
    "logging",
    "tracing",
    "opencost",
    "public_edge",
    "dns",
    "identity",
    "internal_ca",
    "openbao",
    "kserve",
    "llm_d",
    "multi_node",
    "compute_class",
    "gpu_smoke",
    "benchmark",
    "egress",
    "guardrails",
    "caching",
    "semantic_caching",
    "mcp_gateway",
    "key_portal",
    "coding_assistant",
    "n8n",
]


class Features(Section):
    """Capabilities of a stack. What each one needs is in `stacks.config.rules`."""

    autoscaling: bool = Field(default=True, description="KEDA scales models on waiting requests.")
    security: bool = Field(
        default=True,
        description="Kyverno's admission policies. The network is default-deny in any case.",
    )
    logging: bool = Field(default=False, description="Loki keeps the logs of all pods.")
    tracing: bool = Field(default=False, description="Traces from the edge to the engine.")
    opencost: bool = Field(default=False, description="Infrastructure cost by workload and team.")
    public_edge: bool = Field(default=False, description="The gateway that faces the internet.")
    dns: bool = Field(default=False, description="external-dns publishes the edge's records.")
    identity: bool = Field(default=False, description="Single sign-on: Dex and oauth2-proxy.")
    internal_ca: bool = Field(
        default=False, description="A certificate authority of the cluster, for private domains."
    )
    openbao: bool = Field(default=False, description="OpenBao: secrets with leases and an audit.")
    kserve: bool = Field(default=False, description="KServe: models with engine kserve or llm_d.")
    llm_d: bool = Field(default=False, description="Prefill and decode apart: engine llm_d.")
    multi_node: bool = Field(default=False, description="Models whose replicas span nodes.")
    compute_class: bool = Field(
        default=False, description="GKE compute classes: which GPU nodes to try, in which order."
    )
    gpu_smoke: bool = Field(default=False, description="A Job that proves a GPU, synced by hand.")
    benchmark: bool = Field(default=False, description="Load tests of models, synced by hand.")
    egress: bool = Field(default=False, description="Models of external providers.")
    guardrails: bool = Field(default=False, description="PII masking and injection filter.")
    caching: bool = Field(default=False, description="Answers that are asked for again, by model.")
    semantic_caching: bool = Field(
        default=False, description="Answers to questions that mean the same, by model."
    )
    mcp_gateway: bool = Field(default=False, description="A governed gateway for MCP tools.")
    key_portal: bool = Field(default=False, description="Users make and revoke their own keys.")
    coding_assistant: bool = Field(default=False, description="Tabby, for editors.")
    n8n: bool = Field(default=False, description="Workflow automation.")
