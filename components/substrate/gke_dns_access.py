"""The right to write records of one zone of Cloud DNS."""

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeDnsAccessArgs:
    """Inputs of the right of one identity."""

    project: str
    zone: str
    """Name of the managed zone, which is there already."""
    member: pulumi.Input[str]
    lists_zones: bool
    """Whether it must also read which zones the project has: no right on one zone says so."""


class GkeDnsAccess(pulumi.ComponentResource):
    """Lets one identity write the records of one zone, and of no other.

    It owns neither the zone nor a record.
    """

    def __init__(
        self, name: str, args: GkeDnsAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeDnsAccess", name, None, opts)
        gcp.dns.DnsManagedZoneIamMember(
            f"{name}-writer",
            project=args.project,
            managed_zone=args.zone,
            role="roles/dns.admin",
            member=args.member,
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.lists_zones:
            gcp.projects.IAMMember(
                f"{name}-reader",
                project=args.project,
                role="roles/dns.reader",
                member=args.member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"zone": args.zone})
