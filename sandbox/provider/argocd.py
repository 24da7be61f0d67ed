"""Argo CD as far as the sandbox has one: the shape of its resources, and what it makes of them."""

import os
import re
from typing import Any, cast

from sandbox.provider.check import Failure
from sandbox.provider.rules import RULES_FOLDER, read_yaml
from sandbox.provider.values import (
    UNKNOWN,
    Path,
    Properties,
    Value,
    as_dict,
    as_list,
    lookup,
    path_text,
    reveal,
)

GROUP = "argoproj.io"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
FINALIZERS = (FINALIZER, f"{FINALIZER}/foreground", f"{FINALIZER}/background")
DEGRADED_VARIABLE = "LLMP_SANDBOX_DEGRADED"
IN_CLUSTER_SERVER = "https://kubernetes.default.svc"
IN_CLUSTER_NAME = "in-cluster"

_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}
_schema_cache: dict[str, Any] = {}


def check_spec(kind: str, spec: Value) -> list[Failure]:
    """Check the spec of an Application or AppProject against its closed schema."""
    if not _schema_cache:
        _schema_cache.update(read_yaml(RULES_FOLDER / "argocd.yaml"))
    schema = _schema_cache.get(kind)
    if schema is None:
        return []
    if reveal(spec) is None:
        return [Failure("spec", "is required and was not given")]
    failures = _check(schema, spec, ("spec",))
    if kind == "Application" and not failures:
        failures = _check_application(cast("Properties", reveal(spec)))
    return failures


def _check(schema: Any, value: Value, path: Path) -> list[Failure]:
    value = reveal(value)
    if value is UNKNOWN or value is None or schema == "any":
        return []
    if isinstance(schema, str):
        good = isinstance(value, _KINDS[schema])
        if schema == "integer" and isinstance(value, bool):
            good = False
        text = path_text(path)
        return [] if good else [Failure(text, f"expected a {schema}, got {value!r}"[:200])]
    element = as_list(schema)
    if element is not None:
        items = as_list(value)
        if items is None:
            return [Failure(path_text(path), "expected a list")]
        return [
            failure
            for index, item in enumerate(items)
            for failure in _check(element[0], item, (*path, index))
        ]
    return _check_object(cast("Properties", schema), value, path)


def _check_object(schema: Properties, value: Value, path: Path) -> list[Failure]:
    fields = as_dict(value)
    if fields is None:
        return [Failure(path_text(path), "expected an object")]
    free = schema.get("*")
    if free is not None:
        return [
            failure for key, item in fields.items() for failure in _check(free, item, (*path, key))
        ]
    known = {key.removesuffix("!"): (inner, key.endswith("!")) for key, inner in schema.items()}
    failures: list[Failure] = []
    for key, item in fields.items():
        if key not in known:
            text = f"Argo CD has no field {key!r} here; it has {', '.join(sorted(known))}"
            failures.append(Failure(path_text((*path, key)), text))
        else:
            failures.extend(_check(known[key][0], item, (*path, key)))
    for key, (_, required) in known.items():
        if required and reveal(fields.get(key)) is None:
            failures.append(Failure(path_text((*path, key)), "is required and was not given"))
    return failures


def _check_application(spec: Properties) -> list[Failure]:
    given = [
        key for key in ("source", "sources", "sourceHydrator") if reveal(spec.get(key)) is not None
    ]
    if not given:
        return [Failure("spec.source", "needs source or sources")]
    failures: list[Failure] = []
    for index, source in enumerate(sources(spec)):
        where = f"spec.sources[{index}]" if spec.get("sources") else "spec.source"
        chart, path = lookup(source, "chart"), lookup(source, "path")
        if UNKNOWN in (chart, path):
            continue
        if chart and path:
            failures.append(Failure(where, "has both chart and path"))
        if not chart and not path and lookup(source, "ref") is None:
            failures.append(Failure(where, "needs chart, path or ref"))
        revision = lookup(source, "targetRevision")
        if chart and revision in (None, ""):
            failures.append(Failure(f"{where}.targetRevision", "is required for a chart"))
        if lookup(source, "helm.values") and lookup(source, "helm.valuesObject"):
            failures.append(Failure(f"{where}.helm", "has both values and valuesObject"))
    server, name = lookup(spec, "destination.server"), lookup(spec, "destination.name")
    if server and name and UNKNOWN not in (server, name):
        failures.append(Failure("spec.destination", "has both server and name"))
    if not server and not name:
        failures.append(Failure("spec.destination", "needs server or name"))
    return failures


def sources(spec: Properties) -> list[Properties]:
    """Return an Application's sources, whether it has one or several."""
    several = as_list(reveal(spec.get("sources")))
    if several:
        return [cast("Properties", reveal(item)) for item in several]
    single = as_dict(reveal(spec.get("source")))
    return [single] if single is not None else []


def application_status(
    application: Properties, project: Properties | None, now: str, *, destination_known: bool
) -> Properties:
    """Work out what Argo CD would report for an Application.

    Args:
        application: the object, with all values known.
        project: the AppProject that it names; None when there is none.
        now: the time of the reconciliation.
        destination_known: whether Argo CD knows the destination cluster.
    """
    spec = cast("Properties", application["spec"])
    name = str(lookup(application, "metadata.name"))
    problem = _problem(spec, project, destination_known=destination_known)
    compared = {
        key: spec[key] for key in ("source", "sources", "destination") if spec.get(key) is not None
    }
    if problem is not None:
        condition = {"type": "InvalidSpecError", "message": problem, "lastTransitionTime": now}
        return {
            "conditions": [condition],
            "sync": {"status": "Unknown", "comparedTo": compared},
            "health": {"status": "Unknown"},
            "reconciledAt": now,
        }
    revision = [str(source.get("targetRevision", "HEAD")) for source in sources(spec)][-1]
    automated = as_dict(lookup(spec, "syncPolicy.automated"))
    degraded = name in os.environ.get(DEGRADED_VARIABLE, "").split(",")
    if automated is None or automated.get("enabled") is False:
        sync, health = "OutOfSync", "Missing"
    else:
        sync, health = "Synced", "Degraded" if degraded else "Healthy"
    status: Properties = {
        "sync": {"status": sync, "revision": revision, "comparedTo": compared},
        "health": {"status": health},
        "reconciledAt": now,
    }
    if sync == "Synced":
        status["operationState"] = {"phase": "Succeeded", "startedAt": now, "finishedAt": now}
    return status


def same_report(one: Properties, other: Properties) -> bool:
    """Tell whether two reports differ in nothing but their times."""

    def core(status: Properties) -> tuple[Any, ...]:
        conditions = as_list(status.get("conditions")) or []
        return (
            lookup(status, "sync.status"),
            lookup(status, "sync.revision"),
            lookup(status, "health.status"),
            [lookup(item, "message") for item in conditions],
        )

    return core(one) == core(other)


def _problem(
    spec: Properties, project: Properties | None, *, destination_known: bool
) -> str | None:
    name = spec.get("project")
    if project is None:
        return f"application references the project {name} which does not exist"
    rules = cast("Properties", project.get("spec") or {})
    for source in sources(spec):
        repository = str(source.get("repoURL"))
        if not _permitted(repository, as_list(rules.get("sourceRepos")) or []):
            return f"application repo {repository} is not permitted in project '{name}'"
    destination = cast("Properties", spec["destination"])
    if not _destination_permitted(destination, as_list(rules.get("destinations")) or []):
        where = destination.get("server") or destination.get("name")
        return (
            f"application destination {where} and namespace {destination.get('namespace')} do not "
            f"match any of the allowed destinations in project '{name}'"
        )
    if not destination_known:
        return f"there is no cluster {destination.get('server') or destination.get('name')}"
    return None


def _permitted(repository: str, patterns: list[Any]) -> bool:
    allowed = False
    for pattern in patterns:
        text = str(pattern)
        if text.startswith("!") and _glob(text[1:], repository):
            return False
        if text == "*" or _glob(text, repository):
            allowed = True
    return allowed


def _destination_permitted(destination: Properties, rows: list[Any]) -> bool:
    server, name = destination.get("server"), destination.get("name")
    if server is None and name == IN_CLUSTER_NAME:
        server = IN_CLUSTER_SERVER
    if name is None and server == IN_CLUSTER_SERVER:
        name = IN_CLUSTER_NAME
    namespace = str(destination.get("namespace", ""))
    for row in rows:
        fields = as_dict(row) or {}
        where = (fields.get("server") and server and _glob(str(fields["server"]), str(server))) or (
            fields.get("name") and name and _glob(str(fields["name"]), str(name))
        )
        if where and _glob(str(fields.get("namespace", "")), namespace):
            return True
    return False


def _glob(pattern: str, text: str) -> bool:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    wild = {"**": ".*", "*": "[^/]*" if "/" in pattern else ".*", "?": "."}
    return re.fullmatch("".join(wild.get(part, re.escape(part)) for part in parts), text) is not (
        None
    )


def finalized(live: Properties) -> bool:
    """Tell whether an object waits for Argo CD to clean up before it goes."""
    names = as_list(lookup(live, "metadata.finalizers")) or []
    return any(name in FINALIZERS for name in names)
