"""The `tenants` section: the one list that drives budgets, limits, access and GPU quota."""

from typing import Annotated, Literal

from pydantic import (
    Field,
)

from components.platform.config.base import DnsLabel, ModelName, Section


class Budget(Section):
    """What a tenant may spend in one period, enforced by LiteLLM."""

    usd: float = Field(gt=0, le=10_000_000, description="USD in one period.")
    period: Literal["1d", "7d", "30d"] = Field(
        default="30d", description="After it, the spend counts from 0 again."
    )


class RateLimits(Section):
    """How fast a tenant may call, enforced by LiteLLM."""

    requests_per_minute: int = Field(
        default=60, ge=1, le=1_000_000_000, description="Over all its keys."
    )
    tokens_per_minute: int = Field(
        default=100_000, ge=1, le=1_000_000_000, description="Prompt and answer, over all its keys."
    )
    parallel_requests: int = Field(
        default=50, ge=1, le=100_000, description="At once, by each of its keys."
    )


Member = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9._%+-]*@([a-z0-9-]+\.)+[a-z]{2,63}$",
        max_length=254,
        description="an e-mail address in lower case, or @ and a domain for all addresses of it",
        examples=["ann@example.com", "@research.example.com"],
    ),
]


class Tenant(Section):
    """One team: the one list that drives budgets, limits, model access and GPU quota."""

    name: DnsLabel
    models: tuple[ModelName, ...] = Field(default=(), description="Models it may call.")
    budget: Budget
    rate_limits: RateLimits = RateLimits()
    gpu_quota: int = Field(default=0, ge=0, le=10_000, description="GPUs its own jobs may hold.")
    members: tuple[Member, ...] = Field(
        default=(),
        description="who makes keys for themselves out of its budget. An address counts before "
        "its domain, and nobody is in two tenants",
    )
