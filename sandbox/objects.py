"""Finds the Kubernetes objects that the sandbox keeps.

The provider writes them to `objects/<cluster>/<namespace>/<Kind>.<name>.yaml` in a stack's clouds.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from sandbox.errors import SandboxError
from sandbox.records import SECRET

_FOLDER: Final = "objects"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptObject:
    """One kept Kubernetes object."""

    cluster: str
    namespace: str
    kind: str
    name: str
    path: Path

    @property
    def reference(self) -> str:
        """What `show` takes."""
        return f"{self.kind}/{self.name}"

    def text(self) -> str:
        """Return the object as YAML; the values of a Secret are masked."""
        document = _read(self.path)
        if self.kind == "Secret":
            for key in ("data", "stringData"):
                if isinstance(document.get(key), dict):
                    values = cast("dict[str, Any]", document[key])
                    document[key] = dict.fromkeys(values, SECRET)
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def kept_objects(clouds: Path) -> tuple[KeptObject, ...]:
    """Return all kept objects below the folder of a stack's fake clouds."""
    objects: list[KeptObject] = []
    for path in sorted((clouds / _FOLDER).glob("*/*/*.yaml")):
        document = _read(path)  # the file name may hold a shortened name
        metadata = cast("dict[str, Any]", document.get("metadata") or {})
        kind, name = str(document.get("kind", "")), str(metadata.get("name", ""))
        cluster, namespace = path.parts[-3], str(metadata.get("namespace", ""))
        objects.append(
            KeptObject(cluster=cluster, namespace=namespace, kind=kind, name=name, path=path)
        )
    return tuple(objects)


def find_objects(clouds: Path, reference: str) -> tuple[KeptObject, ...]:
    """Return the objects that `Kind/name` names, in every namespace.

    Raises:
        SandboxError: there is none, or the reference is not of that form.
    """
    objects = kept_objects(clouds)
    if not objects:
        msg = "the sandbox keeps no Kubernetes object of this stack; run `make demo` first"
        raise SandboxError(msg)
    kind, slash, name = reference.partition("/")
    if not slash or not kind or not name:
        msg = f"{reference!r} is not of the form Kind/name, for example Application/litellm"
        raise SandboxError(msg)
    found = tuple(one for one in objects if one.kind.lower() == kind.lower() and one.name == name)
    if found:
        return found
    close = difflib.get_close_matches(reference, [one.reference for one in objects], n=3)
    hint = f"did you mean {', '.join(close)}?" if close else "`--list` shows what there is"
    msg = f"there is no {reference}; {hint}"
    raise SandboxError(msg)


def _read(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))
