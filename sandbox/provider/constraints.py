"""What a single value may be: the constraints that rules tables put on property paths.

Each constraint is a function from a value and the constraint's argument to a complaint, or None.
Complaints hold the value, so callers use ``complaint_about`` which hides secret ones.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from sandbox.provider.values import Secret, Value, as_dict

_GCP_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_GCP_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_GCP_LABELS_MAXIMUM = 64
_NAME_PART = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_LENGTH = 253
_IAM_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer"
    r"|principal|principalSet):[^\s].*"
)
_DELETED_MEMBER = "deleted:"
_IAM_EMAIL = re.compile(r"(user|serviceAccount|group):(?P<email>.+)")
_WORKLOAD_POOL = re.compile(r"[^@\s]+\.svc\.id\.goog\[[a-z0-9-]+/[a-z0-9.-]+\]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_ROLE = re.compile(r"(roles|projects/[^/]+/roles|organizations/[^/]+/roles)/[A-Za-z0-9_.]+")


def _one_of(value: Value, allowed: list[Any]) -> str | None:
    if value in allowed:
        return None
    return f"{value!r} is not one of {', '.join(str(item) for item in allowed)}"


def _none_of(value: Value, refused: list[Any]) -> str | None:
    return f"{value!r} is not taken here" if value in refused else None


def _pattern(value: Value, pattern: str) -> str | None:
    if re.fullmatch(pattern, str(value)):
        return None
    return f"{value!r} does not match the pattern {pattern}"


def _length(value: Value, bounds: list[int]) -> str | None:
    low, high = bounds
    size = len(value.encode("utf-8")) if isinstance(value, str) else len(value)
    if low <= size <= high:
        return None
    return f"has a length of {size}, allowed are {low} to {high}"


def _minimum(value: Value, low: int) -> str | None:
    return None if value >= low else f"{value} is less than {low}"


def _minimum_items(value: Value, low: int) -> str | None:
    size = len(value)
    return None if size >= low else f"has {size} items, at least {low} are needed"


def _range(value: Value, bounds: list[float]) -> str | None:
    low, high = bounds
    return None if low <= value <= high else f"{value} is not between {low:g} and {high:g}"


def _ranges(value: Value, ranges: list[list[int]]) -> str | None:
    if any(low <= value <= high for low, high in ranges):
        return None
    allowed = ", ".join(f"{low}-{high}" if low < high else str(low) for low, high in ranges)
    return f"{value} is in none of {allowed}"


def _time(value: Value, _: Any) -> str | None:
    text = str(value)
    complaint = f"{text!r} is not a time as RFC 3339 writes it, such as 2026-01-31T03:00:00Z"
    if not _RFC3339.fullmatch(text):
        return complaint
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return complaint
    return None


def _cidr(value: Value, family: Any) -> str | None:
    text = str(value)
    if "/" not in text:
        return f"{text!r} is not a CIDR block (an address, a slash and a length)"
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is not a CIDR block"
    if family in (4, 6) and network.version != family:
        return f"{text!r} is not an IPv{family} block"
    if str(network.network_address) != str(ipaddress.ip_address(text.partition("/")[0])):
        return f"{text!r} has host bits set; the block is {network}"
    return None


def _address_or_cidr(value: Value, _: Any) -> str | None:
    text = str(value)
    if "/" in text:
        return _cidr(text, "any")
    return _address(text, None)


def _address(value: Value, _: Any) -> str | None:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return f"{value!r} is not an IP address"
    return None


def _iam_member(value: Value, _: Any) -> str | None:
    text = str(value)
    if text.startswith(_DELETED_MEMBER):
        return f"{text!r} names a principal that was deleted, which can't be given a role"
    if not _IAM_MEMBER.fullmatch(text):
        return (
            f"{text!r} is not an IAM member: write allUsers, allAuthenticatedUsers, or a kind "
            "and a colon such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com"
        )
    match = _IAM_EMAIL.fullmatch(text)
    if (
        match
        and not _EMAIL.fullmatch(match["email"])
        and not _WORKLOAD_POOL.fullmatch(match["email"])
    ):
        return f"{match['email']!r} is neither an e-mail address nor POOL[namespace/account]"
    return None


def _iam_role(value: Value, _: Any) -> str | None:
    if _ROLE.fullmatch(str(value)):
        return None
    return f"{value!r} is not a role (roles/NAME, or projects/PROJECT/roles/NAME)"


def _labels(value: Value, flavour: str) -> str | None:
    labels = as_dict(value) or {}
    if flavour == "gcp" and len(labels) > _GCP_LABELS_MAXIMUM:
        return f"has {len(labels)} labels, at most {_GCP_LABELS_MAXIMUM} are allowed"
    for key, text in labels.items():
        if isinstance(text, Secret) or not isinstance(text, str):
            continue
        problem = _gcp_label(key, text) if flavour == "gcp" else label_problem(key, text)
        if problem:
            return problem
    return None


def _gcp_label(key: str, text: str) -> str | None:
    if not _GCP_LABEL_KEY.fullmatch(key):
        return f"label key {key!r}: lower case letters, digits, _ and -, a letter first, up to 63"
    if not _GCP_LABEL_VALUE.fullmatch(text):
        return f"label {key}={text!r}: lower case letters, digits, _ and -, up to 63"
    return None


def label_problem(key: str, text: str) -> str | None:
    """Say what is wrong with a Kubernetes (and Hetzner Cloud) label, or None."""
    problem = qualified_name_problem(key)
    if problem:
        return f"label key {key!r}: {problem}"
    if text and not _NAME_PART.fullmatch(text):
        return (
            f"label {key}={text!r}: up to 63 letters, digits, '-', '_' or '.', "
            "a letter or digit at both ends"
        )
    return None


def qualified_name_problem(key: str) -> str | None:
    """Say what is wrong with a label or annotation key, or None."""
    prefix, slash, name = key.rpartition("/")
    if slash and not is_subdomain(prefix):
        return "the part before the slash must be a DNS name"
    if not _NAME_PART.fullmatch(name):
        return "a name has 1 to 63 letters, digits, '-', '_' or '.', a letter or digit at both ends"
    return None


def is_subdomain(text: str) -> bool:
    """Tell whether a text is a DNS-1123 subdomain (lower case, at most 253 characters)."""
    return len(text) <= _SUBDOMAIN_LENGTH and _SUBDOMAIN.fullmatch(text) is not None


CONSTRAINTS: dict[str, Callable[[Value, Any], str | None]] = {
    "enum": _one_of,
    "none_of": _none_of,
    "pattern": _pattern,
    "length": _length,
    "minimum": _minimum,
    "minimum_items": _minimum_items,
    "range": _range,
    "ranges": _ranges,
    "time": _time,
    "cidr": _cidr,
    "address_or_cidr": _address_or_cidr,
    "address": _address,
    "iam_member": _iam_member,
    "iam_role": _iam_role,
    "labels": _labels,
}


def complaint_about(value: Value, name: str, argument: Any) -> str | None:
    """Apply one constraint; the answer never holds a secret value."""
    secret = isinstance(value, Secret)
    complaint = CONSTRAINTS[name](value.value if secret else value, argument)
    if complaint is None or not secret:
        return complaint
    return f"the secret value breaks the rule {name}: {argument}"
