"""Values of charts/key-portal: the page where people make and revoke keys of their own."""

from typing import Annotated, Literal

from pydantic import Field

from components.platform.values.base import ChartValues, Compute, Image, Name, SecretKey, Url

Member = Annotated[str, Field(pattern=r"^[a-z0-9._%+-]*@([a-z0-9-]+\.)+[a-z]{2,63}$")]
"""An address in lower case, or `@` and a domain for all addresses of it."""


class PortalTenant(ChartValues):
    """A team of LiteLLM: who is in it, and what one key of theirs may have at most."""

    name: Name
    models: tuple[Name, ...]
    members: tuple[Member, ...] = Field(min_length=1)
    max_budget_usd: float = Field(gt=0)


class KeyLimits(ChartValues):
    """What holds for the keys of everybody."""

    budget_duration: Literal["1d", "7d", "30d"] = "30d"
    max_days: int = Field(default=90, ge=1)
    keys_per_user: int = Field(default=5, ge=1)


class KeyPortalValues(ChartValues):
    """All values of charts/key-portal."""

    image: Image = Field(description="Any image with a `python3` of 3.11 or later.")
    replicas: int = Field(default=1, ge=1)
    litellm_url: Url
    master_key: SecretKey
    form_secret: SecretKey = Field(description="Signs forms; another one ends those that are open.")
    public_url: Url = Field(description="Where browsers reach it, without a slash at its end.")
    models_url: Url = Field(description="Where people call models, up to /v1.")
    limits: KeyLimits = KeyLimits()
    tenants: tuple[PortalTenant, ...] = ()
    compute: Compute = Compute(cpu=0.05, memory_mib=128)
