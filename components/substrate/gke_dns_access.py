"""The right to write records of one zone of Cloud DNS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp
import pulumi_random as random

RECORD_PERMISSIONS: Final = (
    "dns.changes.create",
    "dns.changes.get",
    "dns.resourceRecordSets.create",
    "dns.resourceRecordSets.delete",
    "dns.resourceRecordSets.list",
    "dns.resourceRecordSets.update",
)
"""What the calls of cert-manager 1.20 and external-dns 0.21 on a zone need (Cloud DNS docs, "Roles
and permissions"). roles/dns.admin, the least predefined role that writes records, could delete the
zone too, and let others in."""

LIST_PERMISSIONS: Final = ("dns.managedZones.list",)


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeDnsAccessArgs:
    """Inputs of the rights on one zone."""

    project: str
    zone: pulumi.Input[str]
    """Name of the managed zone."""
    writers: Mapping[str, pulumi.Input[str]]
    """Who writes records, by a name for each of them."""
    listers: Mapping[str, pulumi.Input[str]]
    """Who must read which zones the project has: external-dns looks for its zone in the list of
    all of them, even where it is told the name of the zone (its provider/google), and a right on
    one zone says nothing about the list. So this one right is on the project: it shows the names of
    zones, and no record. cert-manager is told the name and lists nothing."""


class GkeDnsAccess(pulumi.ComponentResource):
    """Lets some identities write the records of one zone, and of no other.

    It owns the two roles that say so, and neither the zone nor a record. Google keeps the id of a
    deleted role for up to 37 days and refuses it to a new one (IAM docs, "Create and manage custom
    roles"), so the ids are drawn: a stack that was destroyed can be made again at once.
    """

    def __init__(
        self, name: str, args: GkeDnsAccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeDnsAccess", name, None, opts)
        suffix = random.RandomId(
            f"{name}-roles", byte_length=4, opts=pulumi.ResourceOptions(parent=self)
        )
        # Pulumi's own made-up id has hyphens, which Google refuses in a role.
        records = gcp.projects.IAMCustomRole(
            f"{name}-records-role",
            project=args.project,
            role_id=pulumi.Output.format("llmp_dns_records_{0}", suffix.hex),
            title="llmp: records of a DNS zone",
            description="Reads and writes the records of the zones that it is granted on.",
            permissions=list(RECORD_PERMISSIONS),
            stage="GA",
            opts=pulumi.ResourceOptions(parent=self),
        )
        for who, member in args.writers.items():
            gcp.dns.DnsManagedZoneIamMember(
                f"{name}-{who}-writer",
                project=args.project,
                managed_zone=args.zone,
                role=records.name,
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        if args.listers:
            lists = gcp.projects.IAMCustomRole(
                f"{name}-list-role",
                project=args.project,
                role_id=pulumi.Output.format("llmp_dns_list_{0}", suffix.hex),
                title="llmp: list of DNS zones",
                description="Reads which zones there are, and no record of them.",
                permissions=list(LIST_PERMISSIONS),
                stage="GA",
                opts=pulumi.ResourceOptions(parent=self),
            )
            for who, member in args.listers.items():
                gcp.projects.IAMMember(
                    f"{name}-{who}-lister",
                    project=args.project,
                    role=lists.name,
                    member=member,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.register_outputs({"zone": args.zone})
