"""Values of charts/tabby: the coding assistant that editors ask."""

from typing import Annotated

from pydantic import Field

from components.platform.values.base import (
    ChartValues,
    Compute,
    Image,
    Name,
    ObjectName,
    SecretKey,
    Url,
)

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class Completion(ChartValues):
    """The model that fills gaps in code."""

    model: Name
    template: str = Field(
        pattern=r"^[^\n]*\{prefix\}[^\n]*\{suffix\}[^\n]*$",
        description="How it is asked: with the text before and after the gap.",
    )


class Administrator(ChartValues):
    """The first account, made before anybody can reach the pod."""

    email: Email
    password: SecretKey = Field(
        description="8 to 20 characters, of them a capital, a small letter, a digit and a sign."
    )


class TabbyValues(ChartValues):
    """All values of charts/tabby. One replica: its database is a file."""

    image: Image
    script_image: Image = Field(description="Any image with a `python3` of 3.9 or later.")
    models_url: Url = Field(description="API of OpenAI's kind, up to /v1.")
    api_key: SecretKey
    chat_model: Name
    embedding_model: Name = Field(
        description="Never left out: Tabby would download one and look for a GPU."
    )
    completion: Completion | None = Field(default=None, description="None completes nothing.")
    administrator: Administrator
    storage_gib: int = Field(default=10, ge=1)
    storage_class: ObjectName | None = None
    compute: Compute = Compute(cpu=0.5, memory_mib=2048)
