"""The objects that Argo CD is handed: AppProjects, and one Application a catalogue entry.

Pure data from catalogue entries, so that tests, `stacks.render` and the components see the same.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from components.names import APP_PROJECT, ARGO_CD_NAMESPACE, IN_CLUSTER_SERVER
from components.platform.apps.namespaces import POD_SECURITY
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    Kustomization,
    OwnChart,
    UpstreamChart,
    gates,
)

API_VERSION: Final = "argoproj.io/v1alpha1"
CHARTS_FOLDER: Final = "charts"
RESOURCES_FINALIZER: Final = "resources-finalizer.argocd.argoproj.io"
"""Deleting the object deletes what it made, while Argo CD still lives."""

CLUSTER_KINDS: Final[tuple[tuple[str, str], ...]] = (
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("apiregistration.k8s.io", "APIService"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("cert-manager.io", "ClusterIssuer"),
    ("trust.cert-manager.io", "Bundle"),
    ("policies.kyverno.io", "ValidatingPolicy"),
    ("policies.kyverno.io", "MutatingPolicy"),
    ("cloud.google.com", "ComputeClass"),
    ("serving.kserve.io", "ClusterStorageContainer"),
    ("kueue.x-k8s.io", "ClusterQueue"),
    ("kueue.x-k8s.io", "ResourceFlavor"),
    ("kueue.x-k8s.io", "WorkloadPriorityClass"),
)
"""Cluster-scoped kinds that the charts of the catalogue make: group and kind."""


def manifests(
    entries: Sequence[CatalogueEntry], repository: str, revision: str
) -> list[dict[str, Any]]:
    """Return all that Argo CD is handed, in rollout order: the AppProjects, then Applications.

    Args:
        entries: the catalogue, in rollout order.
        repository: of our own charts.
        revision: git revision of our own charts.
    """
    waited_for = gates(entries)
    return [
        *(
            project_manifest(name, members, repository)
            for name, members in projects(entries).items()
        ),
        *(
            application_manifest(entry, repository, revision, is_gate=entry.name in waited_for)
            for entry in entries
        ),
    ]


def projects(entries: Sequence[CatalogueEntry]) -> dict[str, tuple[CatalogueEntry, ...]]:
    """Return each AppProject's entries by its name: the platform's first, then each tenant's."""
    names = dict.fromkeys((APP_PROJECT, *(entry.project for entry in entries)))
    return {name: tuple(entry for entry in entries if entry.project == name) for name in names}


def project_manifest(
    name: str, entries: Sequence[CatalogueEntry], repository: str
) -> dict[str, Any]:
    """Return an AppProject as Kubernetes takes it.

    Args:
        name: of the project.
        entries: those that belong to it.
        repository: of our own charts.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": "AppProject",
        "metadata": {
            "name": name,
            "namespace": ARGO_CD_NAMESPACE,
            # No finalizer: its Applications depend on it, so they are gone before. Argo CD up to
            # 3.4.3 sometimes remembers one that is gone and then never lets go of its project
            # (argo-cd pull request 29737; the lab saw it in two destroys out of five).
        },
        "spec": project_spec(name, entries, repository),
    }


def project_spec(name: str, entries: Sequence[CatalogueEntry], repository: str) -> dict[str, Any]:
    """Return an AppProject's spec: sources, destinations and kinds, none of them a wildcard.

    The platform's own reaches the namespaces of the platform, used or not, and those of its
    entries; a tenant's just that of the tenant, which it also makes.
    """
    is_platform = name == APP_PROJECT
    sources = {argo_source(entry, repository, "HEAD")["repoURL"] for entry in entries}
    used = {entry.namespace for entry in entries}
    used |= {name for entry in entries for name in entry.extra_namespaces}
    if is_platform:
        # Also those of features that are off: Argo CD leaves the objects of an Application that is
        # deleted where its project does not reach any more, and the project is updated first.
        used |= POD_SECURITY.keys()
    owner = "The platform's own systems" if is_platform else "What the platform makes for a tenant"
    return {
        "description": f"{owner}; emitted by llmp, not edited by hand.",
        "sourceRepos": sorted(sources | {repository}),
        "destinations": [
            {"server": IN_CLUSTER_SERVER, "namespace": namespace} for namespace in sorted(used)
        ],
        "clusterResourceWhitelist": [
            {"group": group, "kind": kind} for group, kind in CLUSTER_KINDS
        ]
        if is_platform
        else [{"group": "", "kind": "Namespace", "name": namespace} for namespace in sorted(used)],
        # Argo CD has no list of allowed kinds that also holds for kinds that CRDs bring, other than
        # everything in the namespaces above.
        "namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
        "orphanedResources": {"warn": False},
    }


def application_manifest(
    entry: CatalogueEntry, repository: str, revision: str, *, is_gate: bool
) -> dict[str, Any]:
    """Return the Application as Kubernetes takes it: pure data, so that tests see it too."""
    source = argo_source(entry, repository, revision)
    annotations = {
        # The Argo CD that we install does so anyway; one that was there before may not, and without
        # it every default that the API server fills in is a difference for ever.
        "argocd.argoproj.io/compare-options": "ServerSideDiff=true",
    }
    if is_gate:
        # Right after an update the status still tells of the source before it, Synced and Healthy:
        # with Argo CD 3.4.3 for up to two seconds. It repeats the source that it is about, but a
        # condition compares text alone. So the source has a name that changes with it.
        source["name"] = _fingerprint(source)
        annotations |= {
            "pulumi.com/waitFor": json.dumps(
                [
                    f"jsonpath={{.status.sync.comparedTo.source.name}}={source['name']}",
                    "jsonpath={.status.sync.status}=Synced",
                    # A sync is over once the API server has established every definition of it.
                    "jsonpath={.status.operationState.phase}=Succeeded"
                    if entry.definitions_only
                    else "jsonpath={.status.health.status}=Healthy",
                ]
            ),
            "pulumi.com/timeoutSeconds": str(entry.gate_timeout_seconds),
        }
    metadata: dict[str, Any] = {
        "name": entry.name,
        "namespace": ARGO_CD_NAMESPACE,
        "labels": {"llmp.dev/layer": entry.layer},
        "annotations": annotations,
        "finalizers": [RESOURCES_FINALIZER],
    }
    spec: dict[str, Any] = {
        "project": entry.project,
        "source": source,
        "destination": {
            "server": IN_CLUSTER_SERVER,
            "namespace": entry.namespace,
        },
        "syncPolicy": _sync_policy(entry),
        "revisionHistoryLimit": 5,
    }
    if entry.ignore_differences:
        spec["ignoreDifferences"] = [_ignored(one) for one in entry.ignore_differences]
    return {
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": metadata,
        "spec": spec,
    }


def argo_source(entry: CatalogueEntry, repository: str, revision: str) -> dict[str, Any]:
    """Return the `source` of an entry's Application."""
    match entry.source:
        case UpstreamChart(pin=pin, values=values):
            return {
                "repoURL": pin.repository,
                "chart": pin.chart,
                "targetRevision": pin.version,
                "helm": {"releaseName": entry.name, "valuesObject": dict(values)},
            }
        case OwnChart(chart=chart, values=values):
            return {
                "repoURL": repository,
                "path": f"{CHARTS_FOLDER}/{chart}",
                "targetRevision": revision,
                "helm": {"releaseName": entry.name, "valuesObject": dict(values)},
            }
        case Kustomization(path=path, pin=pin):
            return {"repoURL": pin.repository, "path": path, "targetRevision": pin.commit}


def _fingerprint(source: dict[str, Any]) -> str:
    """Return a text that is the same for the same source alone."""
    content = json.dumps(source, sort_keys=True)
    return f"source-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def version_of(entry: CatalogueEntry, revision: str) -> str:
    """Return what version of its source an entry asks for, as people name it."""
    match entry.source:
        case UpstreamChart(pin=pin) | Kustomization(pin=pin):
            return pin.version
        case OwnChart():
            return revision


def _sync_policy(entry: CatalogueEntry) -> dict[str, Any]:
    options = [
        # Custom resource definitions pass the 256 KiB that client-side apply can hold.
        "ServerSideApply=true",
        # Without it a sync resets what ignoreDifferences only hides, such as replicas of KEDA.
        "RespectIgnoreDifferences=true",
    ]
    if entry.create_namespace:
        options.insert(0, "CreateNamespace=true")
    policy: dict[str, Any] = {
        "syncOptions": options,
        "retry": {
            # Eleven minutes, as long as dependants wait; then it syncs another source alone. While
            # it retries it takes no other one: `refresh` renews the revision, and not that of the
            # source that an automated sync names (argoproj/argo-cd#28794, seen with 3.4.3). Without
            # an end, a correction would wait for the controller's timeout of 40 minutes.
            "limit": 7,
            "refresh": True,
            "backoff": {"duration": "10s", "factor": 2, "maxDuration": "3m"},
        },
    }
    if entry.sync == "automatic":
        policy["automated"] = {"prune": True, "selfHeal": True}
    if entry.create_namespace and entry.namespace_labels:
        policy["managedNamespaceMetadata"] = {"labels": dict(entry.namespace_labels)}
    return policy


def _ignored(difference: IgnoreDifference) -> dict[str, Any]:
    return {
        "group": difference.group,
        "kind": difference.kind,
        "jsonPointers": list(difference.json_pointers),
    }
