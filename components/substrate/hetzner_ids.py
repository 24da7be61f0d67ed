"""Hetzner's ids: Pulumi holds every id as text, and inputs that refer to one want the number."""

import pulumi


def numeric_id(resource: pulumi.CustomResource) -> pulumi.Output[int]:
    """Return the id of a resource as the number that other resources take."""
    return resource.id.apply(int)
