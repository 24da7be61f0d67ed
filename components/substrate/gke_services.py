"""The Google Cloud APIs that a stack uses."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeServicesArgs:
    """Inputs of the APIs."""

    project: str
    model_registry: bool
    """Whether Artifact Registry is used."""
    secret_manager: bool
    """Whether Secret Manager is used."""
    cloud_dns: bool = False
    """Whether a zone of Cloud DNS is used."""


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
        self.services = (
            "compute",
            "container",
            "iam",
            "iamcredentials",
            "logging",
            "monitoring",
            *(("artifactregistry",) if args.model_registry else ()),
            *(("secretmanager",) if args.secret_manager else ()),
            *(("dns",) if args.cloud_dns else ()),
        )
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
