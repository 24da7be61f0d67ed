"""What is wrong with a Kubernetes object that the API server would say: names, labels, sizes."""

import base64
import binascii
import re
from typing import Any, cast

from sandbox.provider import waits
from sandbox.provider.check import Failure
from sandbox.provider.constraints import is_subdomain, label_problem, qualified_name_problem
from sandbox.provider.rules import load
from sandbox.provider.values import (
    UNKNOWN,
    Properties,
    as_dict,
    has_unknown,
    lookup,
    plain,
    reveal,
)

_LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LETTER_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_ANNOTATIONS_MAXIMUM = 256 * 1024  # Kubernetes API validation, TotalAnnotationSizeLimitB
_DATA_MAXIMUM = 1024 * 1024  # Kubernetes API, MaxSecretSize; the same for ConfigMap


def name_problem(kind: str, name: str) -> str | None:
    """Say what is wrong with an object's name, or None."""
    tables = load("kubernetes").tables
    if kind in tables["path_named"]:
        good = bool(name) and "/" not in name and "%" not in name and name not in (".", "..")
        return None if good else f"{name!r} can't be a part of a path"
    if kind in tables["label_named"]:
        rule = "lower case letters, digits and '-', at most 63, a letter or digit at both ends"
        return None if _LABEL_NAME.fullmatch(name) else f"{name!r}: {rule}"
    if kind in tables["letter_named"]:
        rule = "lower case letters, digits and '-', at most 63, a letter first"
        return None if _LETTER_NAME.fullmatch(name) else f"{name!r}: {rule}"
    if is_subdomain(name):
        return None
    return f"{name!r}: lower case letters, digits, '-' and '.', at most 253 (RFC 1123 subdomain)"


def check_metadata(kind: str, inputs: Properties) -> list[Failure]:
    """Check name, namespace, labels and annotations."""
    metadata = as_dict(reveal(inputs.get("metadata"))) or {}
    failures: list[Failure] = []
    name = plain(metadata.get("name"))
    if isinstance(name, str):
        problem = name_problem(kind, name)
        if problem:
            failures.append(Failure("metadata.name", problem))
    namespace = plain(metadata.get("namespace"))
    if isinstance(namespace, str):
        if kind in load("kubernetes").tables["cluster_scoped"]:
            failures.append(Failure("metadata.namespace", f"a {kind} has no namespace"))
        elif not _LABEL_NAME.fullmatch(namespace):
            failures.append(Failure("metadata.namespace", f"{namespace!r} can't be a namespace"))
    failures.extend(_check_labels("metadata.labels", metadata.get("labels")))
    annotations = as_dict(reveal(metadata.get("annotations"))) or {}
    failures.extend(_check_annotations(annotations))
    return failures


def _check_labels(path: str, labels: Any) -> list[Failure]:
    failures: list[Failure] = []
    for key, value in (as_dict(reveal(labels)) or {}).items():
        text = plain(value)
        if text is UNKNOWN or text is None:
            continue
        problem = label_problem(key, str(text))
        if problem:
            failures.append(Failure(f'{path}["{key}"]', problem))
    return failures


def _check_annotations(annotations: Properties) -> list[Failure]:
    failures: list[Failure] = []
    size = 0
    for key, value in annotations.items():
        problem = qualified_name_problem(key.lower())
        if problem:
            failures.append(Failure(f'metadata.annotations["{key}"]', problem))
        text = plain(value)
        size += len(key) + (len(text.encode()) if isinstance(text, str) else 0)
    if size > _ANNOTATIONS_MAXIMUM:
        reason = f"together {size} bytes, at most {_ANNOTATIONS_MAXIMUM} are allowed"
        failures.append(Failure("metadata.annotations", reason))
    for key, problem in waits.annotation_problems(annotations):
        failures.append(Failure(f'metadata.annotations["{key}"]', problem))
    return failures


def check_content(kind: str, inputs: Properties) -> list[Failure]:
    """Check what is special to a kind."""
    if kind in ("Secret", "ConfigMap"):
        return _check_data(kind, inputs)
    if kind in ("Deployment", "StatefulSet", "DaemonSet"):
        return _check_selector(inputs)
    return []


def _check_data(kind: str, inputs: Properties) -> list[Failure]:
    failures: list[Failure] = []
    size = 0
    encoded = "data" if kind == "Secret" else "binaryData"
    for field in ("data", "stringData", "binaryData"):
        for key, value in (as_dict(reveal(inputs.get(field))) or {}).items():
            if not _DATA_KEY.fullmatch(key):
                failures.append(Failure(f'{field}["{key}"]', "letters, digits, '-', '_' and '.'"))
            text = plain(value)
            if not isinstance(text, str):
                continue
            size += len(text.encode())
            if field == encoded:
                try:
                    base64.b64decode(text, validate=True)
                except (binascii.Error, ValueError):
                    failures.append(Failure(f'{field}["{key}"]', "is not base64"))
    if size > _DATA_MAXIMUM:
        failures.append(Failure("data", f"has {size} bytes, at most {_DATA_MAXIMUM} are allowed"))
    return failures


def _check_selector(inputs: Properties) -> list[Failure]:
    wanted = as_dict(lookup(inputs, "spec.selector.matchLabels")) or {}
    labels = as_dict(lookup(inputs, "spec.template.metadata.labels"))
    if labels is None or has_unknown(labels) or has_unknown(wanted):
        return []
    missing = [key for key, value in wanted.items() if plain(labels.get(key)) != plain(value)]
    if not missing:
        return []
    reason = f"the template's labels lack {', '.join(missing)} of the selector"
    return [Failure("spec.template.metadata.labels", reason)]


def split_token(token: str) -> tuple[str, str]:
    """Return apiVersion and kind for a type token such as ``kubernetes:core/v1:Secret``."""
    _, version, kind = token.split(":")
    return version.removeprefix("core/"), kind


def observed(inputs: Any, live: Any) -> Any:
    """Return the inputs with the values that the live object has in their places."""
    asked, found = as_dict(reveal(inputs)), as_dict(reveal(live))
    if asked is not None and found is not None:
        result = {key: observed(item, found[key]) for key, item in asked.items() if key in found}
        return result if inputs is asked else cast("Any", type(inputs))(result)
    return live
