"""What a stand-in provider offers to the protocol server, and the errors it may raise."""

import abc
import secrets
from dataclasses import dataclass, field

from sandbox.provider.check import Failure, unknown_key
from sandbox.provider.diff import Change, compare
from sandbox.provider.sdk_types import SdkTypes
from sandbox.provider.store import OperationError
from sandbox.provider.values import Properties

# What the engine itself keeps among the inputs of a provider: where its plugin comes from.
ENGINE_SETTINGS = ("version", "pluginDownloadURL")


class ProviderError(OperationError):
    """The provider or the cloud behind it refuses an operation. The text holds no secret."""


class NotReadyError(Exception):
    """The resource was made or changed, but did not become ready.

    Attributes:
        identifier: its id.
        outputs: the state that it is in; the engine keeps it.
        inputs: the inputs that it was made from.
        reasons: why it is not ready.
    """

    def __init__(
        self, identifier: str, outputs: Properties, inputs: Properties, reasons: list[str]
    ) -> None:
        """Keep what the engine is to be told."""
        super().__init__("; ".join(reasons))
        self.identifier = identifier
        self.outputs = outputs
        self.inputs = inputs
        self.reasons = reasons


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Which resource an operation is about.

    Attributes:
        token: its type.
        name: its logical name.
        urn: its URN.
    """

    token: str
    name: str
    urn: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """How a made-up physical name is to be built.

    Attributes:
        seed: the engine's random seed; the same seed gives the same name.
        proposal: a name that the engine proposes or demands.
        demanded: whether the proposal must be used as it is.
        disabled: whether no name may be made up.
    """

    seed: bytes = b""
    proposal: str = ""
    demanded: bool = False
    disabled: bool = False

    def digits(self, count: int) -> str:
        """Return hexadecimal digits, from the seed where there is one."""
        return (
            self.seed.hex()[:count]
            if len(self.seed) * 2 >= count
            else secrets.token_hex(count)[:count]
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The answer to Diff.

    Attributes:
        changes: every changed property; none means that nothing is to be done.
        delete_before_replace: whether a replacement has to remove the old resource first.
    """

    changes: list[Change] = field(default_factory=list[Change])
    delete_before_replace: bool = False


class Package(abc.ABC):
    """One provider. A process serves one, configured once."""

    def __init__(self, name: str) -> None:
        """Read the SDK's types."""
        self.name = name
        self.sdk = SdkTypes(name)
        self.version = self.sdk.version

    def check_config(self, config: Properties) -> list[Failure]:
        """Report what is wrong with the provider's configuration: settings that it doesn't have."""
        known = self.sdk.provider()
        return [
            Failure(key, unknown_key(key, known))
            for key in config
            if key not in known and key not in ENGINE_SETTINGS
        ]

    def diff_config(self, old: Properties, new: Properties) -> Difference:
        """Compare two configurations of the provider; here every change is made in place."""
        return Difference(changes=compare(old, new))

    @abc.abstractmethod
    def configure(self, config: Properties) -> None:
        """Take the configuration. Raises ProviderError when it can't be worked with."""

    @abc.abstractmethod
    def check(
        self, subject: Subject, olds: Properties, news: Properties, naming: Naming
    ) -> tuple[Properties, list[Failure]]:
        """Complete the inputs of a resource and report what is wrong with them."""

    @abc.abstractmethod
    def diff(
        self, subject: Subject, identifier: str, old: Properties, new: Properties
    ) -> Difference:
        """Compare the inputs that a resource was last given with new ones."""

    @abc.abstractmethod
    def create(
        self, subject: Subject, inputs: Properties, *, preview: bool
    ) -> tuple[str, Properties]:
        """Make a resource and return its id and properties."""

    @abc.abstractmethod
    def read(
        self, subject: Subject, identifier: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        """Return id, inputs and properties as they are now; an empty id if it is gone."""

    @abc.abstractmethod
    def update(
        self,
        subject: Subject,
        identifier: str,
        outputs: Properties,
        inputs: Properties,
        *,
        preview: bool,
    ) -> Properties:
        """Change a resource in place and return its properties."""

    @abc.abstractmethod
    def delete(self, subject: Subject, identifier: str, outputs: Properties) -> None:
        """Remove a resource."""

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a function call. Raises ProviderError when the function is not offered."""
        del arguments
        raise ProviderError(f"the sandbox has no function {token}")
