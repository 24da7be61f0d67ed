"""Values of charts/k3s-upgrades: by which release of k3s every node is to run.

Owns the controller that makes a Job for each node, and its plans. Does not own the nodes: the
substrate makes new ones with the same release.
"""

from typing import Annotated

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Image

Untagged = Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+$")]
"""A container image without a tag, its registry written out."""


class K3sUpgradesValues(ChartValues):
    """All values of charts/k3s-upgrades."""

    controller_image: Image
    upgrade_image: Untagged = Field(
        description="Image of k3s-upgrade; the controller adds the release as its tag."
    )
    version: str = Field(
        pattern=r"^v[0-9]+\.[0-9]+\.[0-9]+\+k3s[0-9]+$",
        description="Release of k3s that every node is to run, for example v1.33.12+k3s1.",
    )
    compute: Compute = Compute(cpu=0.01, memory_mib=128)
    server_deadline_seconds: int = Field(
        default=1800, ge=300, description="How long one control-plane server may take."
    )
    worker_deadline_seconds: int = Field(
        default=14400,
        ge=3600,
        description="How long one worker may take; the first waits for all servers.",
    )
    drain_timeout_seconds: int = Field(
        default=1800,
        ge=60,
        description="How long pods and their disruption budgets may hold it up.",
    )
