"""Where the images of the catalogue come from, and which of those registries have a mirror."""

from collections.abc import Mapping
from typing import Final

from components import versions
from components.substrate.gke_topology import MIRRORED_REGISTRIES
from components.versions import ImagePin
from tests.closure.world import UPSTREAM

NOT_MIRRORED: Final[Mapping[str, str]] = {
    "cr.agentgateway.dev": "leads on to ghcr.io",
    "docker.n8n.io": "leads on to Docker Hub",
    "reg.kyverno.io": "leads on to ghcr.io; and Kyverno does not rewrite its own pods",
}
"""Registries that are only names. Whether Artifact Registry follows them is written nowhere."""


def hosts() -> set[str]:
    """Return the registries of all images that the catalogue's charts and pins name."""
    pinned = {one.repository for one in vars(versions).values() if isinstance(one, ImagePin)}
    upstream = {image for chart in UPSTREAM.values() for image in chart.get("images", ())}
    return {image.partition("/")[0] for image in pinned | upstream}


def test_each_registry_of_an_image_has_a_mirror_or_a_reason_to_have_none() -> None:
    assert hosts() == {*MIRRORED_REGISTRIES, *NOT_MIRRORED}
    assert not set(MIRRORED_REGISTRIES) & set(NOT_MIRRORED)


def test_of_every_upstream_chart_with_pods_the_images_are_known() -> None:
    with_pods = {chart for chart, known in UPSTREAM.items() if known["pods"]}
    assert with_pods == {chart for chart, known in UPSTREAM.items() if known.get("images")}
