# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Delete the database's volume snapshots that are old, and always keep the newest.

CloudNativePG never deletes a snapshot. Counts only snapshots that can be restored from, so that
a week of failed backups never pushes the last good one out. Standard library only, Python 3.9.

Exit status: 0 when all that was to go is gone, 1 when something is not, 2 for wrong settings.
"""

import datetime as dt
import os
import sys

import kubernetes_api
from kubernetes_api import Json, KubernetesError, quoted

GROUP = "/apis/snapshot.storage.k8s.io/v1"
CLUSTER_LABEL = "cnpg.io/cluster"
NOT_FOUND = 404


def snapshots(namespace: str, cluster: str) -> list[Json]:
    """Return the snapshots of the cluster, the newest first."""
    found: list[Json] = []
    token = ""
    while True:
        path = (
            f"{GROUP}/namespaces/{quoted(namespace)}/volumesnapshots"
            f"?limit=500&labelSelector={quoted(f'{CLUSTER_LABEL}={cluster}')}"
        )
        page = kubernetes_api.request("GET", path + (f"&continue={quoted(token)}" if token else ""))
        found += page["items"]
        token = page["metadata"].get("continue", "")
        if not token:
            return sorted(found, key=made_at, reverse=True)


def made_at(snapshot: Json) -> dt.datetime:
    """Return when a snapshot was asked for."""
    text = snapshot["metadata"]["creationTimestamp"].replace("Z", "+00:00")
    return dt.datetime.fromisoformat(text)


def is_ready(snapshot: Json) -> bool:
    """Return whether a database can be restored from it."""
    return snapshot.get("status", {}).get("readyToUse") is True


def expendable(
    found: list[Json], now: dt.datetime, keep_days: int, keep_at_least: int
) -> list[Json]:
    """Return what is too old, without the newest that are whole.

    Args:
        found: the newest first.
        now: with a time zone.
        keep_days: what is younger stays.
        keep_at_least: so many that are ready stay, however old they are.
    """
    kept = {one["metadata"]["name"] for one in [x for x in found if is_ready(x)][:keep_at_least]}
    limit = now - dt.timedelta(days=keep_days)
    return [one for one in found if made_at(one) < limit and one["metadata"]["name"] not in kept]


def delete(snapshot: Json, namespace: str) -> None:
    """Delete a snapshot and what it stands for at the cloud.

    The class retains what a deleted object stood for. So its content is told first that it may go,
    and only if it says itself that it belongs to this very snapshot.
    """
    name, uid = snapshot["metadata"]["name"], snapshot["metadata"]["uid"]
    content_name = snapshot.get("status", {}).get("boundVolumeSnapshotContentName")
    if content_name:
        try:
            release(content_name, namespace, uid)
        except KubernetesError as error:
            if error.status != NOT_FOUND:
                raise
    kubernetes_api.request(
        "DELETE",
        f"{GROUP}/namespaces/{quoted(namespace)}/volumesnapshots/{quoted(name)}",
        # Not another one that has taken the name since.
        {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}},
    )


def release(content_name: str, namespace: str, uid: str) -> None:
    """Let the content go with its snapshot."""
    path = f"{GROUP}/volumesnapshotcontents/{quoted(content_name)}"
    reference = kubernetes_api.request("GET", path)["spec"]["volumeSnapshotRef"]
    if (reference.get("namespace"), reference.get("uid")) != (namespace, uid):
        raise ValueError(f"{content_name} belongs to another snapshot")
    kubernetes_api.request(
        "PATCH",
        path,
        {"spec": {"deletionPolicy": "Delete"}},
        content_type="application/merge-patch+json",
    )


def main() -> int:
    """Delete what may go and return the exit status."""
    namespace, cluster = os.environ["NAMESPACE"], os.environ["CLUSTER"]
    keep_days, keep_at_least = int(os.environ["KEEP_DAYS"]), int(os.environ["KEEP_AT_LEAST"])
    if keep_days < 1 or keep_at_least < 1:
        print("KEEP_DAYS and KEEP_AT_LEAST must be 1 or more", file=sys.stderr)
        return 2
    try:
        found = snapshots(namespace, cluster)
    except (KubernetesError, OSError) as error:
        print(f"snapshots of {cluster}: {error}", file=sys.stderr)
        return 1
    failed = False
    now = dt.datetime.now(dt.timezone.utc)  # noqa: UP017 - 3.9
    old = expendable(found, now, keep_days, keep_at_least)
    for snapshot in old:
        name = snapshot["metadata"]["name"]
        try:
            delete(snapshot, namespace)
            print(f"{name}: deleted", flush=True)
        except KubernetesError as error:
            if error.status == NOT_FOUND:
                continue
            failed = True
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        except (OSError, KeyError, ValueError) as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    print(f"{len(found) - len(old)} of {len(found)} snapshots of {cluster} stay", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
