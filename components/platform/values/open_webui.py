"""Values of charts/open-webui: the page to chat with the models."""

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


class Administrator(ChartValues):
    """The first account, made at the first start, so that no visitor becomes it."""

    email: Email
    password: SecretKey


class Documents(ChartValues):
    """How uploaded documents are searched."""

    model: Name
    api_key: SecretKey


class SignIn(ChartValues):
    """Sign-in by OpenID Connect. Browsers go to one address, the server asks others."""

    issuer: Url
    authorization_url: Url
    token_url: Url
    keys_url: Url
    userinfo_url: Url
    client_id: str = Field(pattern=r"^[a-z0-9-]+$")
    client_secret: SecretKey
    scopes: str = Field(default="openid profile email", pattern=r"^[a-z ]+$")
    admin_groups: tuple[str, ...] = Field(
        default=(), description="Who administers it; empty, the first account alone."
    )


class OpenWebUiValues(ChartValues):
    """All values of charts/open-webui. One replica: its database is a file."""

    image: Image
    models_url: Url = Field(description="API of OpenAI's kind, up to /v1.")
    api_key: SecretKey
    session_key: SecretKey = Field(description="Signs sessions, encrypts what people keep in it.")
    administrator: Administrator
    default_model: str = Field(default="", description="Preselected for a new chat.")
    documents: Documents | None = Field(
        default=None, description="None puts a document into the prompt as a whole."
    )
    public_url: Url | None = None
    sign_in: SignIn | None = Field(
        default=None, description="None keeps its own login form; with it, there is no other way."
    )
    storage_gib: int = Field(default=10, ge=1)
    storage_class: ObjectName | None = None
    compute: Compute = Compute(cpu=0.5, memory_mib=2048)
