"""Values of charts/simulator: one release answers for a model that is not there.

Owns the pods and the Service. Does not own routes or the InferencePool.
"""

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Image, Name

Milliseconds = int


class SimulatorValues(ChartValues):
    """All values of charts/simulator."""

    model: Name = Field(description="Served model name, and value of the label llmp.dev/model.")
    image: Image
    replicas: int = Field(default=1, ge=1)
    max_model_len: int = Field(ge=1)
    max_concurrent_requests: int = Field(
        default=16, ge=1, description="Requests of one replica at once; the rest waits in a queue."
    )
    time_to_first_token: Milliseconds = Field(default=200, ge=0)
    inter_token_latency: Milliseconds = Field(default=20, ge=0)
    compute: Compute = Compute(cpu=0.1, memory_mib=256)
    unrouting_seconds: int = Field(default=15, ge=1)
    longest_request_seconds: int = Field(default=300, ge=1)
    scrape_seconds: int = Field(default=15, ge=5, description="Interval of the ServiceMonitor.")
