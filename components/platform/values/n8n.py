"""Values of charts/n8n: the workflow automation."""

from typing import Annotated

from pydantic import Field

from components.platform.values.base import (
    ChartValues,
    Compute,
    Image,
    ObjectName,
    SecretKey,
    Url,
)

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class Owner(ChartValues):
    """The account that administers it; set anew at each start."""

    email: Email
    password_hash: SecretKey = Field(description="bcrypt.")


class N8nValues(ChartValues):
    """All values of charts/n8n. One replica: its database is a file."""

    image: Image
    host: str = Field(pattern=r"^[a-z0-9.-]+$", description="Its public name; always by HTTPS.")
    models_url: Url = Field(description="API of OpenAI's kind, up to /v1.")
    api_key: SecretKey
    encryption_key: SecretKey = Field(
        description="Encrypts the credentials of workflows. Another one cannot read them."
    )
    owner: Owner
    timezone: str = Field(default="Etc/UTC", pattern=r"^[A-Za-z0-9_+/-]+$")
    storage_gib: int = Field(default=10, ge=1)
    storage_class: ObjectName | None = None
    compute: Compute = Compute(cpu=0.2, memory_mib=1024)
