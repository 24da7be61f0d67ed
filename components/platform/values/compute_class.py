"""Values of charts/compute-class: in which order GKE tries the GPU node pools.

Owns the ComputeClass. Does not own the pools: the substrate makes them, with the label and the
taint that let them in. The definition is Google's, in no chart that could be held against it: the
fields are those of GKE docs, "ComputeClass CustomResourceDefinition".
"""

from typing import Annotated

from pydantic import Field

from components.platform.values.base import ChartValues, Name

PoolName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]


class ComputeClassValues(ChartValues):
    """All values of charts/compute-class."""

    name: Name = Field(description="Value of the label and taint cloud.google.com/compute-class.")
    priorities: tuple[tuple[PoolName, ...], ...] = Field(
        min_length=1, description="Node pools by preference; those of one step are equally good."
    )
