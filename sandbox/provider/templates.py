"""Fills in the templates of rules tables: ids and computed values.

``{name}`` is a property (dotted paths reach inside), ``{id}`` the resource's id. A text that is one
placeholder keeps the value's type. ``{function:argument}`` calls one of ``FUNCTIONS``; made-up
numbers and texts follow from the resource's id, so that they are the same whenever they are asked.
"""

import base64
import datetime as dt
import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.provider.values import UNKNOWN, Value, as_dict, as_list, lookup, plain

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Scope:
    """What a template can refer to.

    Args:
        properties: the resource's properties.
        identifier: its id, or a text that stands for it before there is one.
        allocate: gives out an address of a family (``gcp``, ``hcloud``, ``hcloud6``).
    """

    def __init__(
        self,
        properties: Mapping[str, Any],
        identifier: str,
        allocate: Callable[[str], str],
    ) -> None:
        """Keep the parts."""
        self.properties = properties
        self.identifier = identifier
        self.allocate = allocate

    def digest(self, salt: str) -> str:
        """Return 64 hexadecimal digits that follow from the id and a salt."""
        return hashlib.sha256(f"{self.identifier}\n{salt}".encode()).hexdigest()


def fill(template: Any, scope: Scope) -> Value:
    """Return the template with its placeholders filled in; UNKNOWN when one of them is."""
    if isinstance(template, str):
        return _fill_text(template, scope)
    if (fields := as_dict(template)) is not None:
        return {key: fill(item, scope) for key, item in fields.items()}
    if (items := as_list(template)) is not None:
        return [fill(item, scope) for item in items]
    return template


def _fill_text(template: str, scope: Scope) -> Value:
    whole = _PLACEHOLDER.fullmatch(template)
    if whole:
        return _placeholder(whole.group(1), scope)
    parts: list[str] = []
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        value = _placeholder(match.group(1), scope)
        if value is UNKNOWN:
            return UNKNOWN
        parts.append(template[end : match.start()])
        parts.append("" if value is None else str(value))
        end = match.end()
    return "".join((*parts, template[end:]))


def _placeholder(text: str, scope: Scope) -> Value:
    name, colon, argument = text.partition(":")
    if colon:
        return FUNCTIONS[name](scope, argument)
    if text == "id":
        return scope.identifier
    return plain(lookup(scope.properties, text))


def _number(scope: Scope, digits: str) -> str:
    low = 10 ** (int(digits) - 1)
    return str(low + int(scope.digest("number"), 16) % (9 * low))


def _integer(scope: Scope, digits: str) -> int:
    return int(_number(scope, digits))


def _hexadecimal(scope: Scope, argument: str) -> str:
    size, _, salt = argument.partition(",")
    return scope.digest(f"hex{salt}")[: int(size)]


def _fingerprint(scope: Scope, path: str) -> str:
    value = lookup(scope.properties, path) if path else ""
    digest = hashlib.sha256(f"{scope.identifier}{plain(value)}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:8]).decode()


def _now(scope: Scope, _: str) -> str:
    del scope
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _address(scope: Scope, family: str) -> str:
    return scope.allocate(family)


def _gateway(scope: Scope, path: str) -> Value:
    value = lookup(scope.properties, path)
    if not isinstance(value, str):
        return value
    return str(ipaddress.ip_network(value, strict=False).network_address + 1)


def _last(scope: Scope, path: str) -> Value:
    value = lookup(scope.properties, path)
    return value.rpartition("/")[2] if isinstance(value, str) else value


def _before(scope: Scope, argument: str) -> Value:
    path, _, separator = argument.partition(",")
    value = lookup(scope.properties, path)
    return value.partition(separator)[0] if isinstance(value, str) else value


def _otherwise(scope: Scope, argument: str) -> Value:
    path, _, fallback = argument.partition(",")
    value = plain(lookup(scope.properties, path))
    if value is not None:
        return value
    return _literal(fallback, scope)


def _literal(text: str, scope: Scope) -> Value:
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    value = plain(lookup(scope.properties, text)) if re.fullmatch(r"[A-Za-z.]+", text) else None
    return text if value is None else value


def _certificate(scope: Scope, salt: str) -> str:
    body = base64.b64encode(scope.digest(f"certificate{salt}").encode()).decode()
    text = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    return base64.b64encode(text.encode()).decode()


def _region(scope: Scope, path: str) -> Value:
    value = lookup(scope.properties, path)
    if not isinstance(value, str):
        return value
    return re.sub(r"-[a-z]$", "", value)


FUNCTIONS: dict[str, Callable[[Scope, str], Value]] = {
    "number": _number,
    "integer": _integer,
    "hex": _hexadecimal,
    "fingerprint": _fingerprint,
    "now": _now,
    "address": _address,
    "gateway": _gateway,
    "last": _last,
    "before": _before,
    "or": _otherwise,
    "certificate": _certificate,
    "region": _region,
}
