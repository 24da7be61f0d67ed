"""Values of charts/policies: what Kyverno refuses and changes at admission."""

from typing import Annotated, Literal

from pydantic import Field

from components.platform.values.base import ChartValues, Name

TaintKey = Annotated[str, Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*$")]

RegistryHost = Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?$")]
ImagePrefix = Annotated[str, Field(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$")]


class PoliciesValues(ChartValues):
    """All values of charts/policies."""

    failure_policy: Literal["Fail", "Ignore"] = Field(
        default="Ignore",
        description="What happens to objects of tenants while Kyverno does not answer.",
    )
    require_digest: bool = Field(
        default=False, description="Tenants name images by digest; else a version is enough."
    )
    gpu_toleration_keys: tuple[TaintKey, ...] = Field(
        default=(), description="Keys of the taints that keep other pods off the GPU nodes."
    )
    public_namespaces: tuple[Name, ...] = Field(
        default=(), description="Namespaces that may have Services for the world."
    )
    registry_mirrors: dict[RegistryHost, ImagePrefix] = Field(
        default_factory=dict,
        description="Image prefixes that pods pull from instead of a registry, by its host.",
    )
