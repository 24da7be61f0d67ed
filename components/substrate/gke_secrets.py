"""Containers in Secret Manager for the secrets that External Secrets reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

READ_ROLES: Final = {"reader": "roles/secretmanager.secretAccessor"}
WRITE_ROLES: Final = {
    **READ_ROLES,
    "viewer": "roles/secretmanager.viewer",
    "writer": "roles/secretmanager.secretVersionAdder",
}
"""A push looks at versions and secret, then adds a version (External Secrets source)."""

OWNER_LABEL: Final = "managed-by"
PUSHED_BY: Final = "external-secrets"
"""External Secrets refuses to push to a secret that does not carry this value."""

VERSION_DESTROY_TTL: Final = "604800s"
"""A version that somebody destroys by mistake can be brought back for a week. It does not hold up
the deletion of the whole secret (Secret Manager docs, "Delayed destruction")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeSecretsArgs:
    """Inputs of the secrets. Ids are full: any prefix is part of them."""

    project: str
    generated: tuple[str, ...]
    """Ids of the secrets that the cluster makes itself and pushes."""
    supplied: tuple[str, ...]
    """Ids of the secrets that only people have."""
    member: pulumi.Input[str]
    """Who reads all of them and writes the generated ones: the identity of External Secrets."""
    locations: tuple[str, ...]
    """Regions that keep the values; empty leaves it to Google."""
    labels: Mapping[str, str]
    deletion_protection: bool


class GkeSecrets(pulumi.ComponentResource):
    """One empty secret for each id, and the rights on it. It never holds a value.

    Rights are given secret by secret, so no other secret of the project can be read. With such
    rights a secret that is missing looks forbidden, hence every id is made here beforehand. There
    are no annotations and no topics: External Secrets would try to take them off.

    Other locations would make each secret anew, without its values. That cannot happen by accident:
    the new one is asked for while the old one has the name, and Google refuses it.
    """

    secret_ids: tuple[str, ...]

    def __init__(
        self, name: str, args: GkeSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        both = sorted(set(args.generated) & set(args.supplied))
        if both:
            raise ValueError(f"{name}: {', '.join(both)} cannot be generated and supplied")
        super().__init__("llmp:substrate:GkeSecrets", name, None, opts)
        self.secret_ids = (*args.generated, *args.supplied)
        for secret_id in self.secret_ids:
            is_generated = secret_id in args.generated
            secret = gcp.secretmanager.Secret(
                f"{name}-{secret_id}",
                project=args.project,
                secret_id=secret_id,
                replication=_replication(args.locations),
                version_destroy_ttl=VERSION_DESTROY_TTL,
                labels={**args.labels, OWNER_LABEL: PUSHED_BY} if is_generated else args.labels,
                deletion_protection=args.deletion_protection,
                opts=pulumi.ResourceOptions(parent=self, protect=args.deletion_protection),
            )
            for purpose, role in (WRITE_ROLES if is_generated else READ_ROLES).items():
                gcp.secretmanager.SecretIamMember(
                    f"{name}-{secret_id}-{purpose}",
                    project=args.project,
                    secret_id=secret.secret_id,
                    role=role,
                    member=args.member,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.register_outputs({"secret_ids": list(self.secret_ids)})


def _replication(locations: tuple[str, ...]) -> gcp.secretmanager.SecretReplicationArgs:
    if not locations:
        return gcp.secretmanager.SecretReplicationArgs(
            auto=gcp.secretmanager.SecretReplicationAutoArgs()
        )
    return gcp.secretmanager.SecretReplicationArgs(
        user_managed=gcp.secretmanager.SecretReplicationUserManagedArgs(
            replicas=[
                gcp.secretmanager.SecretReplicationUserManagedReplicaArgs(location=location)
                for location in locations
            ]
        )
    )
