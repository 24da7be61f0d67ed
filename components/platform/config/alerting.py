"""Who is told of alerts."""

from typing import Annotated, Final, Literal, Self, cast

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from components.platform.config.base import EmailAddress, HostName, RemoteSecretId, Section, is_text

ReceiverName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=30,
        description="lower case letters, digits and hyphens, a letter first, at most 30 characters",
        examples=["on-call"],
    ),
    AfterValidator(is_text),
]
"""What tells a receiver from the others; 30 characters leave room for our prefix in 53."""


Severity = Literal["critical", "warning", "info"]


_LEAST: Final = "The least severity that it is told of."


class SlackReceiver(Section):
    """A channel of Slack."""

    kind: Literal["slack"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with the URL of a webhook.")
    channel: str | None = Field(
        default=None,
        # Alertmanager reads braces as a template.
        pattern=r"^[^\s{}]+$",
        description="without blanks and braces; left out, the one that the webhook was made for",
        examples=["#platform"],
    )
    least_severity: Severity = Field(default="warning", description=_LEAST)


class PagerDutyReceiver(Section):
    """A service of PagerDuty."""

    kind: Literal["pagerduty"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with a routing key of Events v2.")
    least_severity: Severity = Field(default="critical", description=_LEAST)


class WebhookReceiver(Section):
    """Anything that takes Alertmanager's own JSON."""

    kind: Literal["webhook"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with the URL, public and HTTPS.")
    least_severity: Severity = Field(default="warning", description=_LEAST)


class EmailReceiver(Section):
    """A mailbox, by a mail server that takes STARTTLS and a password."""

    kind: Literal["email"]
    name: ReceiverName
    secret: RemoteSecretId = Field(description="Id of the secret with the password.")
    to: EmailAddress
    sender: EmailAddress
    host: HostName = Field(description="The mail server, at a public address.")
    port: int = Field(default=587, ge=1, le=65535)
    user: str = Field(min_length=1, max_length=255, examples=["alerts"])
    least_severity: Severity = Field(default="warning", description=_LEAST)


def _receiver_tag(value: object) -> str | None:
    if isinstance(value, dict):
        kind = cast("dict[str, object]", value).get("kind")
    else:
        kind = getattr(value, "kind", None)
    return f"<{kind}>" if kind in {"slack", "pagerduty", "webhook", "email"} else None


AlertReceiver = Annotated[
    Annotated[SlackReceiver, Tag("<slack>")]
    | Annotated[PagerDutyReceiver, Tag("<pagerduty>")]
    | Annotated[WebhookReceiver, Tag("<webhook>")]
    | Annotated[EmailReceiver, Tag("<email>")],
    Discriminator(_receiver_tag),
]


class Alerting(Section):
    """Who is told of alerts. With nobody listed they show in Grafana, and nothing is sent."""

    receivers: tuple[AlertReceiver, ...] = ()
    dead_mans_switch_secret: RemoteSecretId | None = Field(
        default=None,
        description="Id of the secret with a URL that is called every 5 minutes while alerting "
        "works; whoever is behind it raises the alarm when the calls stop",
    )
    runbooks_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/#]+(/[^\s#]*)?$",
        description="where docs/runbooks.md is read; left out, in the repository of gitops",
        examples=["https://docs.example.com/runbooks"],
    )

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [receiver.name for receiver in self.receivers]
        for name in names:
            if names.count(name) > 1:
                msg = f"two receivers are called {name}; give one of them another name"
                raise ValueError(msg)
        if self.dead_mans_switch_secret is not None and DEAD_MANS_SWITCH in names:
            msg = f"{DEAD_MANS_SWITCH} is the dead man's switch; call the receiver something else"
            raise ValueError(msg)
        return self


DEAD_MANS_SWITCH: Final = "dead-mans-switch"
