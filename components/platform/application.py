"""One Argo CD Application for one catalogue entry."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.names import APP_PROJECT, ARGO_CD_NAMESPACE
from components.platform.catalogue import (
    CatalogueEntry,
    IgnoreDifference,
    Kustomization,
    OwnChart,
    UpstreamChart,
)

CHARTS_FOLDER: Final = "charts"
DELETE_TIMEOUT: Final = "15m"
"""Deleting an Application waits for its objects; a load balancer can take ten minutes to go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoApplicationArgs:
    """Inputs of one Application."""

    entry: CatalogueEntry
    repository: str
    """Git repository of our own charts."""
    revision: str
    """Git revision of our own charts."""
    is_gate: bool
    """Whether other entries wait for this one."""


class ArgoApplication(pulumi.ComponentResource):
    """The Application object of one catalogue entry.

    It does not own what Argo CD makes of it. Edges to other Applications are the caller's, by
    `depends_on` of `requires`.
    """

    application: CustomResource

    def __init__(
        self,
        name: str,
        args: ArgoApplicationArgs,
        opts: pulumi.ResourceOptions | None = None,
        requires: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the Application after all of `requires`."""
        super().__init__("llmp:platform:ArgoApplication", name, None, opts)
        manifest = application_manifest(
            args.entry, args.repository, args.revision, is_gate=args.is_gate
        )
        self.application = CustomResource(
            f"{name}-application",
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            metadata=ObjectMetaArgs(**manifest["metadata"]),
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(requires),
                custom_timeouts=pulumi.CustomTimeouts(delete=DELETE_TIMEOUT),
            ),
        )
        self.register_outputs({"name": args.entry.name})


def application_manifest(
    entry: CatalogueEntry, repository: str, revision: str, *, is_gate: bool
) -> dict[str, Any]:
    """Return the Application as Kubernetes takes it: pure data, so that tests see it too."""
    annotations: dict[str, str] = {}
    if is_gate:
        annotations = {
            "pulumi.com/waitFor": json.dumps(
                [
                    "jsonpath={.status.health.status}=Healthy",
                    "jsonpath={.status.sync.status}=Synced",
                ]
            ),
            "pulumi.com/timeoutSeconds": str(entry.gate_timeout_seconds),
        }
    metadata: dict[str, Any] = {
        "name": entry.name,
        "namespace": ARGO_CD_NAMESPACE,
        "labels": {"llmp.dev/layer": entry.layer},
        # Deleting the Application deletes what it made, while Argo CD still lives.
        "finalizers": ["resources-finalizer.argocd.argoproj.io"],
    }
    if annotations:
        metadata["annotations"] = annotations
    spec: dict[str, Any] = {
        "project": APP_PROJECT,
        "source": argo_source(entry, repository, revision),
        "destination": {
            "server": "https://kubernetes.default.svc",
            "namespace": entry.namespace,
        },
        "syncPolicy": _sync_policy(entry),
        "revisionHistoryLimit": 5,
    }
    if entry.ignore_differences:
        spec["ignoreDifferences"] = [_ignored(one) for one in entry.ignore_differences]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
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
        case Kustomization(path=path, pin=pin, patches=patches):
            source: dict[str, Any] = {
                "repoURL": pin.repository if pin else repository,
                "path": path,
                "targetRevision": pin.commit if pin else revision,
            }
            if patches:
                source["kustomize"] = {"patches": [dict(patch) for patch in patches]}
            return source


def repository_of(source: dict[str, Any]) -> str:
    """Return a source's repository as an AppProject lists it."""
    return str(source["repoURL"])


def version_of(entry: CatalogueEntry, revision: str) -> str:
    """Return what version of its source an entry asks for, as people name it."""
    match entry.source:
        case UpstreamChart(pin=pin):
            return pin.version
        case Kustomization(pin=pin) if pin is not None:
            return pin.version
        case _:
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
    if entry.skip_dry_run_on_missing_resource:
        options.append("SkipDryRunOnMissingResource=true")
    policy: dict[str, Any] = {
        "syncOptions": options,
        "retry": {
            "limit": 5,
            "backoff": {"duration": "10s", "factor": 2, "maxDuration": "3m"},
        },
    }
    if entry.sync == "automatic":
        policy["automated"] = {"prune": True, "selfHeal": True}
    if entry.create_namespace and entry.namespace_labels:
        policy["managedNamespaceMetadata"] = {"labels": dict(entry.namespace_labels)}
    return policy


def _ignored(difference: IgnoreDifference) -> dict[str, Any]:
    ignored: dict[str, Any] = {"group": difference.group, "kind": difference.kind}
    if difference.name is not None:
        ignored["name"] = difference.name
    if difference.json_pointers:
        ignored["jsonPointers"] = list(difference.json_pointers)
    if difference.jq_path_expressions:
        ignored["jqPathExpressions"] = list(difference.jq_path_expressions)
    return ignored
