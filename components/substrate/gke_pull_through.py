"""Caches of public registries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

DOCKER_HUB: Final = "docker.io"
"""Artifact Registry knows Docker Hub by a name of its own, the others by their addresses."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkePullThroughArgs:
    """Inputs of the caches."""

    project: str
    region: str
    repository_ids: Mapping[str, str]
    """The repository of each registry, by the registry's host."""
    cached_days: int
    """Days after which an image is fetched anew."""
    node_member: pulumi.Input[str]
    """The nodes' identity, which pulls and so fills the caches."""
    labels: Mapping[str, str]


class GkePullThrough(pulumi.ComponentResource):
    """One repository for each public registry, that fetches an image once and then keeps it.

    Nothing in them is protected: what is deleted is fetched again. Nothing is scanned, which would
    be billed for each of other people's images. Pods name the public registries all the same; the
    platform rewrites the names at admission, because containerd would ask a mirror without the
    nodes' credentials (GKE docs, "Customize containerd configuration in GKE nodes": headers and
    certificates that stay the same).
    """

    repository_ids: dict[str, pulumi.Output[str]]

    def __init__(
        self, name: str, args: GkePullThroughArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkePullThrough", name, None, opts)
        self.repository_ids = {}
        for host, repository_id in args.repository_ids.items():
            repository = gcp.artifactregistry.Repository(
                f"{name}-{host}",
                project=args.project,
                location=args.region,
                repository_id=repository_id,
                description=f"Cache of {host}.",
                format="DOCKER",
                mode="REMOTE_REPOSITORY",
                # Google asks the registry once when it makes this, and refuses a wrong address.
                remote_repository_config=_upstream(host),
                cleanup_policy_dry_run=False,
                cleanup_policies=[
                    gcp.artifactregistry.RepositoryCleanupPolicyArgs(
                        id="delete-old",
                        action="DELETE",
                        condition=gcp.artifactregistry.RepositoryCleanupPolicyConditionArgs(
                            tag_state="ANY", older_than=f"{args.cached_days}d"
                        ),
                    )
                ],
                vulnerability_scanning_config=(
                    gcp.artifactregistry.RepositoryVulnerabilityScanningConfigArgs(
                        enablement_config="DISABLED"
                    )
                ),
                labels=args.labels,
                opts=pulumi.ResourceOptions(parent=self),
            )
            gcp.artifactregistry.RepositoryIamMember(
                f"{name}-{host}-nodes",
                project=args.project,
                location=args.region,
                repository=repository.repository_id,
                role="roles/artifactregistry.reader",
                member=args.node_member,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.repository_ids[host] = repository.repository_id
        self.register_outputs({"repository_ids": self.repository_ids})


def _upstream(host: str) -> gcp.artifactregistry.RepositoryRemoteRepositoryConfigArgs:
    registry = gcp.artifactregistry
    if host == DOCKER_HUB:
        return registry.RepositoryRemoteRepositoryConfigArgs(
            docker_repository=registry.RepositoryRemoteRepositoryConfigDockerRepositoryArgs(
                public_repository="DOCKER_HUB"
            )
        )
    return registry.RepositoryRemoteRepositoryConfigArgs(
        common_repository=registry.RepositoryRemoteRepositoryConfigCommonRepositoryArgs(
            uri=f"https://{host}"
        )
    )
