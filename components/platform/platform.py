"""The platform tree: AppProjects, and one Application for each catalogue entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.names import APP_PROJECT
from components.platform.application import ArgoApplication, ArgoApplicationArgs
from components.platform.apps import catalogue
from components.platform.catalogue import CatalogueEntry, PlatformInputs, gates
from components.platform.manifests import projects, version_of
from components.platform.project import ArgoProject, ArgoProjectArgs


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformArgs:
    """Inputs of the platform tree: plain data, because it decides which Applications exist."""

    inputs: PlatformInputs


class Platform(pulumi.ComponentResource):
    """Everything in the cluster, as Argo CD Applications.

    It makes no in-cluster object but AppProjects and Applications: Argo CD makes the rest.
    It knows of the substrate only what the contract says.
    """

    entries: tuple[CatalogueEntry, ...]
    applications: dict[str, ArgoApplication]

    def __init__(
        self,
        name: str,
        args: PlatformArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the tree once all of `after` is there: the substrate with its Argo CD."""
        super().__init__("llmp:platform:Platform", name, None, opts)
        inputs = args.inputs
        repository = inputs.config.gitops.repository
        self.entries = catalogue(inputs)
        argo_projects = {
            project: ArgoProject(
                f"{name}-project" if project == APP_PROJECT else project,
                ArgoProjectArgs(project=project, entries=members, repository=repository),
                # The AppProject itself waits: components hand no depends_on down to their children.
                opts=pulumi.ResourceOptions(parent=self),
                after=after,
            )
            for project, members in projects(self.entries).items()
        }
        waited_for = gates(self.entries)
        self.applications = {}
        for entry in self.entries:
            self.applications[entry.name] = ArgoApplication(
                entry.name,
                ArgoApplicationArgs(
                    entry=entry,
                    repository=repository,
                    revision=inputs.revision,
                    is_gate=entry.name in waited_for,
                ),
                opts=pulumi.ResourceOptions(parent=self),
                requires=[
                    argo_projects[entry.project].project,
                    *(self.applications[required].application for required in entry.requires),
                ],
            )
        self.register_outputs({"applications": summary(self.entries, inputs.revision)})


def summary(entries: Sequence[CatalogueEntry], revision: str) -> list[dict[str, Any]]:
    """Return the Applications in rollout order, for people and scripts."""
    return [
        {
            "name": entry.name,
            "namespace": entry.namespace,
            "requires": list(entry.requires),
            "version": version_of(entry, revision),
            "sync": entry.sync,
        }
        for entry in entries
    ]
