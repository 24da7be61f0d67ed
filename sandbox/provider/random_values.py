"""The random provider: real random values, kept nowhere but in the state, as in the real one."""

import base64
import hashlib
import random
import secrets
import string
import uuid
from typing import cast

from sandbox.provider.cloud import CloudPackage
from sandbox.provider.check import Failure
from sandbox.provider.package import ProviderError, Subject
from sandbox.provider.rules import TypeRules
from sandbox.provider.store import InjectedFailure
from sandbox.provider.values import (
    UNKNOWN,
    Properties,
    Secret,
    Value,
    has_secret,
    mark_secret,
    plain,
)

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_ADJECTIVES = ("brave", "calm", "eager", "fair", "keen", "quiet", "swift", "warm")
_ADVERBS = ("boldly", "gladly", "mildly", "neatly", "softly", "truly", "vastly", "wisely")
_ANIMALS = ("badger", "crane", "falcon", "heron", "lynx", "otter", "raven", "stoat")
_ITERATIONS = 1000


class RandomPackage(CloudPackage):
    """Makes random values when they are created and never again."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("random")

    def check_config(self, config: Properties) -> list[Failure]:
        """Refuse any setting: the provider has none."""
        known = ("version", "pluginDownloadURL")
        return [
            Failure(key, "the random provider has no settings")
            for key in config
            if key not in known
        ]

    def create(self, subject: Subject, inputs: Properties, preview: bool) -> tuple[str, Properties]:
        """Draw the values, or at preview leave them open."""
        rules = self.row(subject.token)
        state = {key: value for key, value in inputs.items() if not key.startswith("__")}
        if preview:
            return "", self._foresee(subject.token, rules, state, {})
        with self.store.locked():
            try:
                self.store.count_create(subject.name)
            except InjectedFailure as error:
                self.store.record("create", subject.token, subject.name, "", str(error))
                raise
            identifier, drawn = _draw(subject.token, cast(Properties, plain(state)))
            self.store.record("create", subject.token, subject.name, identifier)
        return identifier, self._outputs(rules, state, drawn)

    def _outputs(self, rules: TypeRules, state: Properties, drawn: Properties) -> Properties:
        result = dict(state)
        for key, value in drawn.items():
            result[key] = value
        for path in rules.secret_outputs:
            mark_secret(result, path)
        return result

    def read(
        self, subject: Subject, identifier: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        """Return what the state has: nobody else knows the values."""
        if not outputs:
            raise ProviderError(f"{subject.token} can't be imported in the sandbox")
        return identifier, inputs, outputs

    def update(
        self,
        subject: Subject,
        identifier: str,
        outputs: Properties,
        inputs: Properties,
        preview: bool,
    ) -> Properties:
        """Keep the values; nothing that changes them can be changed in place."""
        rules = self.row(subject.token)
        state = {key: value for key, value in inputs.items() if not key.startswith("__")}
        kept = {key: outputs[key] for key in rules.outputs if key in outputs}
        if not preview:
            with self.store.locked():
                self.store.record("update", subject.token, subject.name, identifier)
        return self._outputs(rules, state, kept)

    def delete(self, subject: Subject, identifier: str, outputs: Properties) -> None:
        """Note that the value is forgotten."""
        del outputs
        with self.store.locked():
            self.store.record("delete", subject.token, subject.name, identifier)


def _draw(token: str, inputs: Properties) -> tuple[str, Properties]:
    kind = token.rpartition(":")[2]
    match kind:
        case "RandomPassword":
            text = _text(inputs)
            return "none", {"result": text, "bcryptHash": _hash(text)}
        case "RandomString":
            text = _text(inputs)
            return text, {"result": text}
        case "RandomId":
            return _identifier(inputs)
        case "RandomBytes":
            data = secrets.token_bytes(inputs["length"])
            return "none", {"base64": base64.b64encode(data).decode(), "hex": data.hex()}
        case "RandomUuid" | "RandomUuid4" | "RandomUuid7":
            text = str(uuid.uuid4())
            return text, {"result": text}
        case "RandomPet":
            text = _pet(inputs)
            return text, {}
        case "RandomInteger":
            generator = _generator(inputs)
            number = generator.randint(inputs["min"], inputs["max"])
            return str(number), {"result": number}
        case "RandomShuffle":
            items = list(inputs["inputs"])
            _generator(inputs).shuffle(items)
            count = inputs.get("resultCount", len(items))
            return "-", {"results": [items[index % len(items)] for index in range(count)]}
        case _:
            raise ProviderError(f"the sandbox can't draw a {kind}")


def _generator(inputs: Properties) -> random.Random:
    seed = inputs.get("seed")
    return random.Random(seed) if seed is not None else random.SystemRandom()


def _text(inputs: Properties) -> str:
    special = inputs.get("overrideSpecial")
    classes = [
        ("lower", "minLower", string.ascii_lowercase),
        ("upper", "minUpper", string.ascii_uppercase),
        ("numeric", "minNumeric", string.digits),
        ("special", "minSpecial", _SPECIAL if special is None else special),
    ]
    length = int(inputs["length"])
    pool = ""
    chosen: list[str] = []
    for flag, minimum, characters in classes:
        if inputs.get(flag, True):
            pool += characters
        chosen.extend(secrets.choice(characters) for _ in range(inputs.get(minimum, 0)))
    if len(chosen) > length:
        raise ProviderError("length is less than the minimum counts of characters together")
    if not pool and len(chosen) < length:
        raise ProviderError("no kind of character is allowed")
    chosen.extend(secrets.choice(pool) for _ in range(length - len(chosen)))
    random.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def _hash(text: str) -> str:
    # The real provider makes a bcrypt hash, which the standard library can't; nothing in the
    # program logs in with it, so a salted PBKDF2 hash of the same shape stands in.
    digest = hashlib.pbkdf2_hmac("sha256", text.encode(), secrets.token_bytes(16), _ITERATIONS)
    return "$2a$10$" + base64.b64encode(digest + digest, altchars=b"./").decode()[:53]


def _identifier(inputs: Properties) -> tuple[str, Properties]:
    data = secrets.token_bytes(inputs["byteLength"])
    prefix = inputs.get("prefix", "")
    url = base64.urlsafe_b64encode(data).decode().rstrip("=")
    return url, {
        "b64Std": prefix + base64.b64encode(data).decode(),
        "b64Url": prefix + url,
        "dec": prefix + str(int.from_bytes(data)),
        "hex": prefix + data.hex(),
    }


def _pet(inputs: Properties) -> str:
    length = inputs.get("length", 2)
    words = [secrets.choice(_ADVERBS) for _ in range(max(length - 2, 0))]
    if length > 1:
        words.append(secrets.choice(_ADJECTIVES))
    words.append(secrets.choice(_ANIMALS))
    prefix = inputs.get("prefix")
    return inputs.get("separator", "-").join([prefix, *words] if prefix else words)
