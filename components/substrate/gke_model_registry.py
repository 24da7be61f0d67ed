"""The private image repository for model images."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeModelRegistryArgs:
    """Inputs of the repository."""

    project: str
    region: str
    repository_id: str
    node_member: pulumi.Input[str]
    """The nodes' identity, which pulls."""
    labels: Mapping[str, str]


class GkeModelRegistry(pulumi.ComponentResource):
    """A Docker repository whose tags never move, readable by the nodes.

    It owns no image and grants no right to push.
    """

    repository_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: GkeModelRegistryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeModelRegistry", name, None, opts)
        repository = gcp.artifactregistry.Repository(
            f"{name}-repository",
            project=args.project,
            location=args.region,
            repository_id=args.repository_id,
            description="Model images.",
            format="DOCKER",
            docker_config=gcp.artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
            labels=args.labels,
            opts=pulumi.ResourceOptions(parent=self),
        )
        gcp.artifactregistry.RepositoryIamMember(
            f"{name}-nodes",
            project=args.project,
            location=args.region,
            repository=repository.repository_id,
            role="roles/artifactregistry.reader",
            member=args.node_member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.repository_id = repository.repository_id
        self.register_outputs({"repository_id": self.repository_id})
