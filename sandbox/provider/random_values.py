"""The random provider: real random values, kept nowhere but in the state, as in the real one."""

import base64
import hashlib
import random
import secrets
import string
import uuid
from collections.abc import Callable

from sandbox.provider.check import Failure
from sandbox.provider.drawn import DrawnPackage
from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties, has_unknown, reveal

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_ADJECTIVES = ("brave", "calm", "eager", "fair", "keen", "quiet", "swift", "warm")
_ADVERBS = ("boldly", "gladly", "mildly", "neatly", "softly", "truly", "vastly", "wisely")
_ANIMALS = ("badger", "crane", "falcon", "heron", "lynx", "otter", "raven", "stoat")
_ITERATIONS = 1000
# Kinds of characters: the property that allows one, that of its least number, and the characters.
_CLASSES = (
    ("lower", "minLower", string.ascii_lowercase),
    ("upper", "minUpper", string.ascii_uppercase),
    ("numeric", "minNumeric", string.digits),
    ("special", "minSpecial", _SPECIAL),
)


class RandomPackage(DrawnPackage):
    """Makes random values when they are created and never again."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("random")

    def check_more(self, token: str, inputs: Properties) -> list[Failure]:
        """Report counts of characters that can't be met together."""
        if token.rpartition(":")[2] not in ("RandomPassword", "RandomString"):
            return []
        failures: list[Failure] = []
        length = reveal(inputs.get("length"))
        least = [reveal(inputs.get(minimum)) for _, minimum, _ in _CLASSES]
        if not has_unknown([length, *least]):
            together = sum(count for count in least if count is not None)
            if length < together:
                reason = f"{length} is less than the minimum counts together, {together}"
                failures.append(Failure("length", reason))
        if all(reveal(inputs.get(flag)) is False for flag, _, _ in _CLASSES):
            failures.append(Failure("lower", "no kind of character is allowed"))
        return failures

    def draw(self, token: str, inputs: Properties) -> tuple[str, Properties]:
        """Draw the values of a new resource."""
        return _MAKERS[token.rpartition(":")[2]](inputs)


def _password(inputs: Properties) -> tuple[str, Properties]:
    text = _text(inputs)
    return "none", {"result": text, "bcryptHash": _hash(text)}


def _string(inputs: Properties) -> tuple[str, Properties]:
    text = _text(inputs)
    return text, {"result": text}


def _bytes(inputs: Properties) -> tuple[str, Properties]:
    data = secrets.token_bytes(inputs["length"])
    return "none", {"base64": base64.b64encode(data).decode(), "hex": data.hex()}


def _uuid(inputs: Properties) -> tuple[str, Properties]:
    del inputs
    text = str(uuid.uuid4())
    return text, {"result": text}


def _integer(inputs: Properties) -> tuple[str, Properties]:
    if inputs["min"] > inputs["max"]:
        raise ProviderError("min is more than max")
    number = _generator(inputs).randint(inputs["min"], inputs["max"])
    return str(number), {"result": number}


def _shuffle(inputs: Properties) -> tuple[str, Properties]:
    items = list(inputs["inputs"])
    _generator(inputs).shuffle(items)
    count = inputs.get("resultCount", len(items))
    return "-", {"results": [items[index % len(items)] for index in range(count)]}


def _generator(inputs: Properties) -> random.Random:
    seed = inputs.get("seed")
    if seed is None:
        return random.SystemRandom()
    return random.Random(seed)  # noqa: S311 - a seed asks for the same result every time


def _text(inputs: Properties) -> str:
    special = inputs.get("overrideSpecial")
    length = int(inputs["length"])
    pool = ""
    chosen: list[str] = []
    for flag, minimum, usual in _CLASSES:
        characters = special if flag == "special" and special is not None else usual
        if inputs.get(flag, True):
            pool += characters
        chosen.extend(secrets.choice(characters) for _ in range(inputs.get(minimum, 0)))
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


def _pet(inputs: Properties) -> tuple[str, Properties]:
    length = inputs.get("length", 2)
    words = [secrets.choice(_ADVERBS) for _ in range(max(length - 2, 0))]
    if length > 1:
        words.append(secrets.choice(_ADJECTIVES))
    words.append(secrets.choice(_ANIMALS))
    prefix = inputs.get("prefix")
    name = inputs.get("separator", "-").join([prefix, *words] if prefix else words)
    return name, {}


_MAKERS: dict[str, Callable[[Properties], tuple[str, Properties]]] = {
    "RandomBytes": _bytes,
    "RandomId": _identifier,
    "RandomInteger": _integer,
    "RandomPassword": _password,
    "RandomPet": _pet,
    "RandomShuffle": _shuffle,
    "RandomString": _string,
    "RandomUuid": _uuid,
    "RandomUuid4": _uuid,
}
