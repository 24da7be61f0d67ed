"""The one AppProject of the platform: what its Applications may read from and write to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components.names import APP_PROJECT, ARGO_CD_NAMESPACE
from components.platform.application import argo_source, repository_of
from components.platform.catalogue import CatalogueEntry

IN_CLUSTER_SERVER = "https://kubernetes.default.svc"

CLUSTER_KINDS: tuple[tuple[str, str], ...] = (
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("apiregistration.k8s.io", "APIService"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("generators.external-secrets.io", "ClusterGenerator"),
    ("kueue.x-k8s.io", "ClusterQueue"),
    ("kueue.x-k8s.io", "Cohort"),
    ("kueue.x-k8s.io", "ResourceFlavor"),
    ("kueue.x-k8s.io", "WorkloadPriorityClass"),
)
"""Cluster-scoped kinds that the charts of the catalogue make: group and kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoProjectArgs:
    """Inputs of the AppProject."""

    entries: Sequence[CatalogueEntry]
    repository: str
    """Git repository of our own charts."""


class ArgoProject(pulumi.ComponentResource):
    """The AppProject that every Application of the catalogue belongs to.

    It lists exactly the sources and namespaces of the catalogue and the cluster-scoped kinds of its
    charts. It does not own the `default` project, which nothing of ours uses.
    """

    project_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: ArgoProjectArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the AppProject once all of `after` is there."""
        super().__init__("llmp:platform:ArgoProject", name, None, opts)
        project = CustomResource(
            f"{name}-appproject",
            api_version="argoproj.io/v1alpha1",
            kind="AppProject",
            metadata=ObjectMetaArgs(
                name=APP_PROJECT,
                namespace=ARGO_CD_NAMESPACE,
                # Removed only when no Application refers to it any more.
                finalizers=["resources-finalizer.argocd.argoproj.io"],
            ),
            spec=project_spec(args.entries, args.repository),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.resource = project
        self.project_name = pulumi.Output.from_input(APP_PROJECT)
        self.register_outputs({"project_name": self.project_name})


def project_spec(entries: Sequence[CatalogueEntry], repository: str) -> dict[str, Any]:
    """Return the AppProject's spec: sources, destinations and kinds, none of them a wildcard."""
    sources = {repository_of(argo_source(entry, repository, "HEAD")) for entry in entries}
    namespaces = {entry.namespace for entry in entries}
    namespaces |= {name for entry in entries for name in entry.extra_namespaces}
    return {
        "description": "The platform's own systems; emitted by llmp, not edited by hand.",
        "sourceRepos": sorted(sources | {repository}),
        "destinations": [
            {"server": IN_CLUSTER_SERVER, "namespace": namespace}
            for namespace in sorted(namespaces)
        ],
        "clusterResourceWhitelist": [
            {"group": group, "kind": kind} for group, kind in CLUSTER_KINDS
        ],
        # Argo CD has no list of allowed kinds that also holds for kinds that CRDs bring, other than
        # everything in the namespaces above.
        "namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
        "orphanedResources": {"warn": False},
    }
