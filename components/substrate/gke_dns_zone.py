"""The public zone of Cloud DNS that answers for the platform's domain."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeDnsZoneArgs:
    """Inputs of the zone."""

    project: str
    zone: str
    """Name of the managed zone."""
    domain: str
    """Without a dot at the end."""
    labels: dict[str, str]
    deletion_protection: bool


class GkeDnsZone(pulumi.ComponentResource):
    """A public managed zone, signed.

    It owns no record, and not the delegation: the zone above must name its name servers, and its
    DS record once they answer. Without deletion protection the zone goes with all that is in it,
    because Google deletes no zone with records, and a challenge that cert-manager gave up would
    hold up the teardown.
    """

    name: pulumi.Output[str]
    name_servers: pulumi.Output[Sequence[str]]

    def __init__(
        self, name: str, args: GkeDnsZoneArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeDnsZone", name, None, opts)
        zone = gcp.dns.ManagedZone(
            f"{name}-zone",
            project=args.project,
            name=args.zone,
            dns_name=f"{args.domain}.",
            description=f"{args.domain}, whose records external-dns and cert-manager write",
            visibility="public",
            dnssec_config=gcp.dns.ManagedZoneDnssecConfigArgs(state="on"),
            labels=args.labels,
            force_destroy=not args.deletion_protection,
            opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
        )
        self.name = zone.name
        self.name_servers = zone.name_servers
        self.register_outputs({"name": self.name, "name_servers": self.name_servers})
