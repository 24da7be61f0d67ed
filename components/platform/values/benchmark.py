"""Values of charts/benchmark: a load test of one model by GuideLLM, and what it has to reach."""

from typing import Annotated

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Image, Name, SecretKey, Url

Requests = Annotated[int, Field(ge=1, le=10_000)]


class Objectives(ChartValues):
    """What the 95th percentile of the lowest step must stay below, in milliseconds."""

    time_to_first_token: int = Field(default=250, ge=1)
    inter_token_latency: int = Field(default=20, ge=1)


class BenchmarkValues(ChartValues):
    """All values of charts/benchmark."""

    model: Name
    image: Image = Field(description="GuideLLM.")
    target: Url = Field(description="An OpenAI API without its /v1.")
    api_key: SecretKey
    concurrency: tuple[Requests, ...] = Field(
        default=(1, 2, 4, 8, 16, 32), min_length=1, description="Requests at once, step by step."
    )
    seconds_per_step: int = Field(default=60, ge=5, le=3600)
    prompt_words: int = Field(
        default=200, ge=1, le=100_000, description="Of each prompt; all are different."
    )
    output_tokens: int = Field(default=128, ge=1, le=100_000)
    prompts: int = Field(
        default=10_000,
        ge=1,
        le=100_000,
        description="How many are prepared: a step ends when none is left.",
    )
    seed: int = Field(default=42, ge=0)
    objectives: Objectives = Objectives()
    most_incomplete: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of requests that may be cut off at the end of the lowest step.",
    )
    compute: Compute = Compute(cpu=1, memory_mib=4096)
