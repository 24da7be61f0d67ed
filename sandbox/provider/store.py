"""Keeps what exists in the sandbox as files, under one folder that all provider processes share.

::

    journal.jsonl                                every Create, Update, Delete, in order
    counters.json                                ids and addresses given out, enabled APIs
    cloud/<package>/<module>.<Type>/<id>.json    one cloud resource
    objects/<cluster>/<namespace>/<Kind>.<name>.yaml    one Kubernetes object
    clusters/<cluster>.json                      what is known about a cluster beyond its objects

Secret values are not written: their place holds a marker with the SHA-256 of the value, which is
enough to notice a change. Every change happens under one file lock.
"""

import datetime as dt
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox.provider.rules import read_yaml
from sandbox.provider.values import (
    UNKNOWN,
    Properties,
    Secret,
    Value,
    as_dict,
    as_list,
    plain,
)

HOME_VARIABLE = "LLMP_SANDBOX_HOME"
CLUSTER_HOME_VARIABLE = "LLMP_SANDBOX_CLUSTER_HOME"
"""Names the folder of the stack that made the cluster, where that is another one."""
FAIL_AT_VARIABLE = "LLMP_SANDBOX_FAIL_AT"
FAIL_ON_VARIABLE = "LLMP_SANDBOX_FAIL_ON"
REDACTED = "(secret) sha256:"

_UNSAFE = re.compile(r"[^A-Za-z0-9._@-]+")
_NAME_MAXIMUM = 120


class StoreError(Exception):
    """The store's folder is not named or can't be used."""


class OperationError(Exception):
    """An operation on a resource is refused. The text holds no secret: it goes into the journal."""


class InjectedError(OperationError):
    """A failure that a test asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A cloud resource that exists.

    Attributes:
        token: its type.
        id: its id.
        name: its logical name in the program.
        inputs: what the program asked for; secrets are markers.
        outputs: all its properties; secrets are markers.
        aliases: further names under which other resources may refer to it.
    """

    token: str
    id: str
    name: str
    inputs: Properties
    outputs: Properties
    aliases: tuple[str, ...] = ()


@dataclass(slots=True)
class Entry:
    """What the journal is to say about an operation that is under way.

    Attributes:
        identifier: the id; empty while there is none.
        failure: why it failed; None when it did not.
    """

    identifier: str
    failure: str | None = None


def fingerprint(value: Value) -> str:
    """Return the marker that stands for a secret value in the store."""
    text = json.dumps(plain(value), sort_keys=True, default=str)
    return REDACTED + hashlib.sha256(text.encode()).hexdigest()


def redact(value: Value) -> Value:
    """Return a copy with every secret replaced by its marker."""
    if isinstance(value, Secret):
        hidden = as_dict(value.value)
        if hidden is not None:
            # The keys stay readable: they name what is secret, and are not secret themselves.
            return {key: redact(Secret(item)) for key, item in hidden.items()}
        return redact(value.value) if isinstance(value.value, Secret) else fingerprint(value.value)
    if value is UNKNOWN:
        return None
    if (fields := as_dict(value)) is not None:
        return {key: redact(item) for key, item in fields.items()}
    if (items := as_list(value)) is not None:
        return [redact(item) for item in items]
    return value


def restore(stored: Value, known: Value) -> Value:
    """Put the secret values that the engine knows back in the place of their markers.

    A marker whose value the engine does not know, or knows differently, stays (as a secret): the
    stored resource is not what the state says.
    """
    if isinstance(stored, str) and stored.startswith(REDACTED):
        same = known is not None and fingerprint(known) == stored
        return Secret(plain(known) if same else stored)
    inner = known.value if isinstance(known, Secret) else known
    result = stored
    if (fields := as_dict(stored)) is not None:
        others = as_dict(inner) or {}
        result = {key: restore(item, others.get(key)) for key, item in fields.items()}
    elif (items := as_list(stored)) is not None:
        siblings = as_list(inner) or []
        result = [
            restore(item, siblings[index] if index < len(siblings) else None)
            for index, item in enumerate(items)
        ]
    return Secret(plain(result)) if isinstance(known, Secret) else result


def _slug(text: str) -> str:
    slug = _UNSAFE.sub("_", text).strip("_.")
    if slug == text and len(slug) <= _NAME_MAXIMUM:
        return slug
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{slug[:_NAME_MAXIMUM]}.{digest}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class Store:
    """The sandbox's folder.

    Args:
        home: the folder; it is made when it is not there.
    """

    def __init__(self, home: Path) -> None:
        """Make the folder, readable by its owner only."""
        self.home = home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)

    @classmethod
    def from_environment(cls) -> "Store":
        """Open the folder that ``LLMP_SANDBOX_HOME`` names.

        Raises:
            StoreError: the variable is not set, or the folder can't be made.
        """
        home = os.environ.get(HOME_VARIABLE, "")
        if not home:
            raise StoreError(
                f"{HOME_VARIABLE} is not set: it names the folder in which the sandbox providers "
                "keep what they made"
            )
        try:
            return cls(Path(home).absolute())
        except OSError as error:
            raise StoreError(f"cannot use {HOME_VARIABLE}={home}: {error}") from error

    @classmethod
    def of_cluster(cls) -> "Store":
        """Open the folder in which the cluster is kept: with its cloud, whichever stack made it.

        Raises:
            StoreError: no folder is named, or it can't be made.
        """
        home = os.environ.get(CLUSTER_HOME_VARIABLE, "")
        return cls(Path(home).absolute()) if home else cls.from_environment()

    @contextmanager
    def locked(self) -> Generator[None]:
        """Hold the store's lock; not to be nested."""
        with (self.home / ".lock").open("a", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)

    @contextmanager
    def operation(self, kind: str, token: str, name: str, identifier: str = "") -> Generator[Entry]:
        """Hold the lock during an operation, and note in the journal how it ended.

        Args:
            kind: create, update or delete.
            token: the resource type.
            name: the logical name.
            identifier: the id, where there is one already.
        """
        entry = Entry(identifier)
        with self.locked():
            try:
                yield entry
            except OperationError as error:
                entry.failure = str(error)
                raise
            finally:
                self._record(kind, token, name, entry)

    # --- counters -------------------------------------------------------------------------------

    def counters(self) -> dict[str, Any]:
        """Read the counters; call it with the lock held when they are to be changed."""
        path = self.home / "counters.json"
        if not path.is_file():
            return {}
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))

    def save_counters(self, counters: dict[str, Any]) -> None:
        """Write the counters; the lock must be held."""
        _write(self.home / "counters.json", json.dumps(counters, indent=1, sort_keys=True))

    def next_number(self, name: str, start: int = 1) -> int:
        """Give out the next number of a sequence; the lock must be held."""
        counters = self.counters()
        number = int(counters.get(name, start - 1)) + 1
        counters[name] = number
        self.save_counters(counters)
        return number

    # --- journal --------------------------------------------------------------------------------

    def _record(self, kind: str, token: str, name: str, entry: Entry) -> None:
        line: dict[str, Any] = {
            "sequence": self.next_number("journal"),
            "time": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
            "operation": kind,
            "type": token,
            "name": name,
            "id": entry.identifier,
        }
        if entry.failure is not None:
            line["failed"] = entry.failure
        with (self.home / "journal.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """Read the whole journal."""
        path = self.home / "journal.jsonl"
        if not path.is_file():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def count_create(self, name: str) -> None:
        """Count an attempt to create; the lock must be held.

        Raises:
            InjectedError: the environment asks this one to fail.
        """
        number = self.next_number("creates")
        wanted = os.environ.get(FAIL_AT_VARIABLE, "")
        if wanted and number == int(wanted):
            raise InjectedError(
                f"create number {number} ({name}) fails because {FAIL_AT_VARIABLE}={wanted}"
            )
        if name and name == os.environ.get(FAIL_ON_VARIABLE, ""):
            raise InjectedError(f"creating {name} fails because {FAIL_ON_VARIABLE}={name}")

    # --- cloud resources ------------------------------------------------------------------------

    def _folder(self, token: str) -> Path:
        package, module, name = token.split(":")
        return self.home / "cloud" / package / f"{module.partition('/')[0]}.{name}"

    def find(self, token: str, identifier: str) -> Record | None:
        """Return the resource with this type and id; None when there is none."""
        path = self._folder(token) / f"{_slug(identifier)}.json"
        return self._load(path) if path.is_file() else None

    def all(self, token: str) -> list[Record]:
        """Return every resource of a type, by id."""
        folder = self._folder(token)
        if not folder.is_dir():
            return []
        return [self._load(path) for path in sorted(folder.glob("*.json"))]

    def everything(self) -> list[Record]:
        """Return every cloud resource."""
        return [self._load(path) for path in sorted((self.home / "cloud").glob("*/*/*.json"))]

    def _load(self, path: Path) -> Record:
        content = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        return Record(
            token=content["type"],
            id=content["id"],
            name=content["name"],
            inputs=content["inputs"],
            outputs=content["outputs"],
            aliases=tuple(content["aliases"]),
        )

    def put(self, record: Record) -> None:
        """Write a resource; secrets are replaced by markers. The lock must be held."""
        content = {
            "type": record.token,
            "id": record.id,
            "name": record.name,
            "aliases": list(record.aliases),
            "inputs": redact(record.inputs),
            "outputs": redact(record.outputs),
        }
        path = self._folder(record.token) / f"{_slug(record.id)}.json"
        _write(path, json.dumps(content, indent=1, sort_keys=True) + "\n")

    def remove(self, token: str, identifier: str) -> None:
        """Forget a resource; the lock must be held."""
        (self._folder(token) / f"{_slug(identifier)}.json").unlink(missing_ok=True)

    # --- Kubernetes objects ---------------------------------------------------------------------

    def object_path(self, cluster: str, namespace: str, kind: str, name: str) -> Path:
        """Say where an object is kept; an empty namespace means that it has none."""
        scope = _slug(namespace) if namespace else "_cluster"
        return self.home / "objects" / _slug(cluster) / scope / f"{kind}.{_slug(name)}.yaml"

    def read_object(self, path: Path) -> Properties | None:
        """Read an object; None when it does not exist."""
        if not path.is_file():
            return None
        return cast("Properties", read_yaml(path))

    def write_object(self, path: Path, content: Properties) -> None:
        """Write an object as YAML; secrets are replaced by markers. The lock must be held."""
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text = yaml.dump(
            redact(content), Dumper=dumper, sort_keys=False, allow_unicode=True, width=100
        )
        _write(path, text)

    def remove_object(self, path: Path) -> None:
        """Forget an object; the lock must be held."""
        path.unlink(missing_ok=True)

    def objects(self, cluster: str, namespace: str | None = None, kind: str = "*") -> list[Path]:
        """List the files of a cluster's objects, of one namespace or of all."""
        folder = self.home / "objects" / _slug(cluster)
        scopes = {None: "*", "": "_cluster"}
        scope = scopes[namespace] if namespace in scopes else _slug(str(namespace))
        return sorted(folder.glob(f"{scope}/{kind}.*.yaml"))
