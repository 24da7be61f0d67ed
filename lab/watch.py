"""What happens to objects while it happens: collections followed by threads, and Applications.

A watch survives the API server: it asks again until it is there, and misses no change but those
that were taken back in between.
"""

import http.client
import json
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

from components.names import ARGO_CD_NAMESPACE
from lab.client import Client
from lab.processes import LabError

Json = dict[str, Any]

APPLICATIONS: Final = f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO_CD_NAMESPACE}/applications"
AGAIN_SECONDS: Final = 0.2
"""How long a thread rests before it asks an API server again that is not there."""
JOIN_SECONDS: Final = 5.0
OVER: Final = frozenset({"Failed", "Error"})
"""Phases of an operation that has failed for good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of one object.

    Attributes:
        kind: what happened to it; `gone` where it was deleted.
        seconds: on the monotonic clock.
        one: the object as it is then, or was at last.
    """

    kind: Literal["there", "gone"]
    seconds: float
    one: Json


class WatchThread(ABC):
    """A thread that asks a collection for its changes, within a `with` block."""

    def __init__(self, client: Client, path: str) -> None:
        """Describe it.

        Args:
            client: asks; each thread has its own connection.
            path: path of the collection, without a query.
        """
        self._client = client
        self._path = path
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Have the thread end, without waiting for it."""
        self._stopping.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join(JOIN_SECONDS)

    @abstractmethod
    def _run(self) -> None:
        """Watch until it is stopped; in the thread."""

    def _opened(self, connection: socket.socket) -> None:
        self._socket = connection
        if self._stopping.is_set():
            self.stop()


class Follower(WatchThread):
    """Tells of each change of a collection, in order; lists again where a watch ends."""

    def __init__(self, client: Client, path: str, seen: Callable[[Change], None]) -> None:
        """Describe it.

        Args:
            client: asks; each thread has its own connection.
            path: path of the collection, without a query.
            seen: is told of each change, in that thread. What is there at first is a change.
        """
        super().__init__(client, path)
        self._seen = seen
        self._known: dict[str, Json] = {}

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                # The server may be away, or be killed in the middle of a line.
                with suppress(OSError, http.client.HTTPException, ValueError):
                    self._follow(self._list())
                self._stopping.wait(AGAIN_SECONDS)
        finally:
            self._client.close()

    def _list(self) -> str:
        """Tell of all that is there and of what is not any more; return the version."""
        answer = self._client.request("GET", self._path).json()
        # Elements of a list do not say what they are.
        kind = {
            "apiVersion": answer["apiVersion"],
            "kind": answer["kind"].removesuffix("List"),
        }
        there: dict[str, Json] = {
            one["metadata"]["uid"]: {**kind, **one} for one in answer["items"]
        }
        for uid, one in list(self._known.items()):
            if uid not in there:
                self._tell("gone", one)
        for uid, one in there.items():
            known = self._known.get(uid)
            if known is None or _version(known) != _version(one):
                self._tell("there", one)
        return _version(answer)

    def _follow(self, version: str) -> None:
        while not self._stopping.is_set():
            for event in self._client.watch(self._path, version=version, opened=self._opened):
                if event["type"] == "ERROR":
                    return
                self._tell("gone" if event["type"] == "DELETED" else "there", event["object"])
                version = _version(event["object"])

    def _tell(self, kind: Literal["there", "gone"], one: Json) -> None:
        self._seen(Change(kind=kind, seconds=time.monotonic(), one=one))
        # Only now: where it failed for want of a server, it is told again.
        if kind == "gone":
            self._known.pop(one["metadata"]["uid"], None)
        else:
            self._known[one["metadata"]["uid"]] = one


def _version(one: Json) -> str:
    return one["metadata"]["resourceVersion"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """How an Application stood from a moment on.

    Attributes:
        seconds: since the watch began.
        sync: `Synced`, `OutOfSync` or `Unknown`; empty before Argo CD has looked.
        health: `Healthy`, `Progressing`, ...; empty before Argo CD has looked.
        phase: of its last operation: `Running`, `Succeeded`, `Failed`, `Error`; empty before one.
        revision: what it was compared with.
        failed_attempts: how often a sync had failed by then, each retry counted.
        message: what its last operation says.
    """

    seconds: float
    sync: str
    health: str
    phase: str
    revision: str
    failed_attempts: int
    message: str

    @property
    def settled(self) -> bool:
        """Whether it is as it should be: Synced and Healthy, and no sync runs."""
        return self.sync == "Synced" and self.health == "Healthy" and self.phase != "Running"


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """All that was seen of one Application.

    Attributes:
        name: its name.
        created: when it was first there, in seconds since the watch began.
        observations: one for each change, oldest first.
        failures: the message of each failed attempt.
        gone: when it was gone; None while it is there.
    """

    name: str
    created: float
    observations: Sequence[Observation]
    failures: Sequence[str]
    gone: float | None

    @property
    def last(self) -> Observation:
        """How it stands."""
        return self.observations[-1]

    @property
    def failed_attempts(self) -> int:
        """How many syncs failed, each retry counted."""
        return len(self.failures)

    @property
    def synced(self) -> float | None:
        """When it was first Synced; None if it never was."""
        return next((one.seconds for one in self.observations if one.sync == "Synced"), None)

    @property
    def settled(self) -> float | None:
        """Since when it has been Synced and Healthy without a break; None if it is not."""
        since: float | None = None
        for one in self.observations:
            if not (one.sync == "Synced" and one.health == "Healthy"):
                since = None
            elif since is None:
                since = one.seconds
        return since


class ApplicationWatch:
    """All Applications: how they are, and what they went through since the watch began."""

    def __init__(self, client: Client, path: str = APPLICATIONS) -> None:
        """Describe it; it watches within a `with` block."""
        self._follower = Follower(client, path, self.seen)
        self._changed = threading.Condition()
        self._version = 0
        self.start = time.monotonic()
        """When the watch began, on the monotonic clock."""
        self._latest: dict[str, Json] = {}
        self._records: dict[str, _Record] = {}

    def __enter__(self) -> Self:
        self._follower.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._follower.__exit__(kind, error, trace)

    @property
    def seconds(self) -> float:
        """Seconds since the watch began."""
        return time.monotonic() - self.start

    def latest(self) -> Mapping[str, Json]:
        """Return the Applications that are there, by name."""
        with self._changed:
            return dict(self._latest)

    def histories(self) -> Mapping[str, History]:
        """Return what every Application went through, also those that are gone, by name."""
        with self._changed:
            return {name: one.history() for name, one in self._records.items()}

    def wait(
        self,
        condition: Callable[[Mapping[str, Json]], bool],
        *,
        seconds: float,
        problem: str,
    ) -> None:
        """Wait until a condition holds for the Applications that are there.

        Args:
            condition: is asked after each change.
            seconds: how long.
            problem: what did not happen, for the error; who is not settled is added.

        Raises:
            LabError: it does not hold in time.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition(self._latest):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise LabError(f"{problem} after {seconds:.0f} s\n{unsettled(self._latest)}")
                # In steps, so that Ctrl-C is heard.
                self._changed.wait(min(left, 1.0))

    def wait_change(self, seconds: float) -> None:
        """Wait until something changes, at most so long."""
        with self._changed:
            version = self._version
            self._changed.wait_for(lambda: self._version != version, seconds)

    def seen(self, change: Change) -> None:
        """Take in a change of an Application; the thread that follows them tells of each."""
        name = change.one["metadata"]["name"]
        with self._changed:
            seconds = change.seconds - self.start
            record = self._records.get(name)
            if change.kind == "gone":
                self._latest.pop(name, None)
                if record is not None:
                    record.gone = seconds
            else:
                self._latest[name] = change.one
                if record is None or record.uid != change.one["metadata"]["uid"]:
                    self._records[name] = _Record(change.one, seconds)
                else:
                    record.add(change.one, seconds)
            self._version += 1
            self._changed.notify_all()


class _Record:
    """The history of one Application as it grows."""

    def __init__(self, one: Json, seconds: float) -> None:
        self.name: str = one["metadata"]["name"]
        self.uid: str = one["metadata"]["uid"]
        self.gone: float | None = None
        self._created = seconds
        self._observations: list[Observation] = []
        self._failures: list[str] = []
        self._operation = ""
        self._retries = 0
        self._over = False
        self.add(one, seconds)

    def history(self) -> History:
        return History(
            name=self.name,
            created=self._created,
            observations=tuple(self._observations),
            failures=tuple(self._failures),
            gone=self.gone,
        )

    def add(self, one: Json, seconds: float) -> None:
        status: Json = one.get("status", {})
        state: Json = status.get("operationState", {})
        phase: str = state.get("phase", "")
        message = reason(state)
        self._count(state.get("startedAt", ""), phase, int(state.get("retryCount", 0)), message)
        found = Observation(
            seconds=seconds,
            sync=status.get("sync", {}).get("status", ""),
            health=status.get("health", {}).get("status", ""),
            phase=phase,
            revision=status.get("sync", {}).get("revision", ""),
            failed_attempts=len(self._failures),
            message=message,
        )
        if not self._observations or _differs(self._observations[-1], found):
            self._observations.append(found)

    def _count(self, started: str, phase: str, retries: int, message: str) -> None:
        """Count failures: Argo CD says Running between attempts, and counts the retries to come."""
        if started != self._operation:
            self._operation, self._retries, self._over = started, 0, False
        self._failures += [message] * (retries - self._retries)
        self._retries = max(retries, self._retries)
        if phase in OVER and not self._over:
            self._failures.append(message)
        self._over = phase in OVER


def reason(state: Json) -> str:
    """Return what an operation says, with what the first object says that failed in it."""
    message: str = state.get("message", "")
    failed = [
        f"{one['kind']} {one['name']}: {one.get('message', '')}"
        for one in state.get("syncResult", {}).get("resources", [])
        if one.get("status") == "SyncFailed" or one.get("hookPhase") in OVER
    ]
    return f"{message} ({failed[0]})" if failed else message


def _differs(one: Observation, other: Observation) -> bool:
    return (one.sync, one.health, one.phase, one.revision, one.failed_attempts) != (
        other.sync,
        other.health,
        other.phase,
        other.revision,
        other.failed_attempts,
    )


def settled(application: Json) -> bool:
    """Return whether an Application is Synced and Healthy, of what its spec asks for now."""
    status: Json = application.get("status", {})
    sync: Json = status.get("sync", {})
    return (
        sync.get("status") == "Synced"
        and status.get("health", {}).get("status") == "Healthy"
        # Right after an update the status still tells of the source before it.
        and sync.get("comparedTo", {}).get("source") == application["spec"]["source"]
    )


def unsettled(applications: Mapping[str, Json]) -> str:
    """Return a line for each Application that is not settled, with what it says."""
    return "\n".join(
        f"  {name}: {describe(one)}"
        for name, one in sorted(applications.items())
        if not settled(one)
    )


def describe(application: Json) -> str:
    """Return in one line how an Application stands and why."""
    status: Json = application.get("status", {})
    parts = [
        status.get("sync", {}).get("status", "not compared"),
        status.get("health", {}).get("status", "not assessed"),
    ]
    state: Json = status.get("operationState", {})
    if state.get("phase") not in (None, "Succeeded"):
        parts.append(f"{state['phase']}: {reason(state)}")
    parts += [one.get("message", "") for one in status.get("conditions", [])]
    parts += [
        f"{one['kind']} {one['name']}: {one['health']['status']}"
        + (f", {one['health']['message']}" if one["health"].get("message") else "")
        for one in status.get("resources", [])
        if one.get("health", {}).get("status") not in (None, "Healthy")
    ]
    return json.dumps(", ".join(parts))[1:-1]
