"""Values of charts/egress: models that a provider answers, each behind the egress gateway.

The gateway itself is a release of charts/inference-routing. One release a model: its key may be
missing, and no other model notices.
"""

from typing import Literal

from pydantic import Field

from components.platform.values.base import ChartValues, Name, ObjectName
from components.platform.values.inference_routing import GatewayReference


class ExternalModel(ChartValues):
    """One model of a provider."""

    name: Name = Field(description="What callers ask for, and name of the objects.")
    provider: Literal["anthropic", "openai", "gemini"]
    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")
    api_key_secret: ObjectName = Field(description="Secret with the key `Authorization`.")
    timeout_seconds: int = Field(default=300, ge=1)


class EgressValues(ChartValues):
    """All values of charts/egress."""

    gateway_reference: GatewayReference = GatewayReference(
        name="egress-gateway", namespace="egress"
    )
    models: tuple[ExternalModel, ...] = ()
