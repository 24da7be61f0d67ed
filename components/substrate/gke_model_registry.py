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
    scanning: bool
    """Whether images are searched for known vulnerabilities."""
    untagged_days: int
    """Days after which images without a tag are deleted."""
    node_member: pulumi.Input[str]
    """The nodes' identity, which pulls."""
    labels: Mapping[str, str]
    deletion_protection: bool


class GkeModelRegistry(pulumi.ComponentResource):
    """A Docker repository whose tags never move, readable by the nodes.

    Google deletes no image that has such a tag, so cleanup is of untagged ones alone: pushes that
    broke off, and whatever was never given a name (Artifact Registry API, `immutableTags`). It owns
    no image and grants no right to push: whoever builds images needs
    `roles/artifactregistry.writer` on this repository, and on nothing else.
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
            cleanup_policy_dry_run=False,
            cleanup_policies=[
                gcp.artifactregistry.RepositoryCleanupPolicyArgs(
                    id="delete-untagged",
                    action="DELETE",
                    condition=gcp.artifactregistry.RepositoryCleanupPolicyConditionArgs(
                        tag_state="UNTAGGED", older_than=f"{args.untagged_days}d"
                    ),
                )
            ],
            vulnerability_scanning_config=(
                gcp.artifactregistry.RepositoryVulnerabilityScanningConfigArgs(
                    # There is no plain on: it scans where the project has the scanning API.
                    enablement_config="INHERITED" if args.scanning else "DISABLED"
                )
            ),
            labels=args.labels,
            opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
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
