"""Values of charts/guardrails: Presidio's analyzer and anonymizer, which LiteLLM asks."""

from typing import Literal

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Image, Name


class FilterValues(ChartValues):
    """One of Presidio's two services."""

    name: Name
    image: Image
    part: Literal["analyzer", "anonymizer"]
    compute: Compute
    start_seconds: int = Field(
        ge=10, description="How long a start may take: the analyzer loads its language model."
    )


class GuardrailsValues(ChartValues):
    """All values of charts/guardrails. Its services keep nothing and call nobody."""

    replicas: int = Field(default=1, ge=1)
    filters: tuple[FilterValues, ...] = ()
