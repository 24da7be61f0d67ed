"""The Google Cloud APIs that a stack uses."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_topology import GkeTopology


def needed_services(
    topology: GkeTopology, *, secret_manager: bool, cloud_dns: bool
) -> tuple[str, ...]:
    """Return the APIs that a substrate uses, without `.googleapis.com`.

    Args:
        topology: what the substrate consists of.
        secret_manager: whether its secrets are in Secret Manager.
        cloud_dns: whether a zone of Cloud DNS answers for its domain.
    """
    registry = topology.registry
    needed = {
        "compute": True,
        "container": True,
        "iam": True,
        "iamcredentials": True,
        "logging": True,
        "monitoring": True,
        "artifactregistry": registry.models or registry.pull_through,
        "containerscanning": registry.models and registry.scanning,
        "secretmanager": secret_manager,
        "dns": cloud_dns,
        "cloudkms": topology.control_plane.secrets_encryption_key is not None,
        "billingbudgets": topology.budget is not None,
        "containerfilesystem": topology.streams_images,
        "storage": topology.backups is not None,
        "cloudquotas": topology.quota_check and bool(topology.gpu_pools),
    }
    return tuple(service for service, is_needed in needed.items() if is_needed)


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeServicesArgs:
    """Inputs of the APIs."""

    project: str
    services: tuple[str, ...]
    """Their names without `.googleapis.com`, of `needed_services`."""


class GkeServices(pulumi.ComponentResource):
    """Switches the APIs on and never off: other stacks of the project may use them too.

    Two APIs must be on before: serviceusage, which switches the others on, and with it
    cloudresourcemanager, which reads the project.
    """

    services: tuple[str, ...]

    def __init__(
        self, name: str, args: GkeServicesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeServices", name, None, opts)
        self.services = args.services
        for service in self.services:
            gcp.projects.Service(
                f"{name}-{service}",
                project=args.project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
                disable_dependent_services=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"services": list(self.services)})
