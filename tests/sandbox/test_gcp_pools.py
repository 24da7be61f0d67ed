"""Which node pools Google Cloud refuses, and which it takes."""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties
from tests.sandbox.conftest import Made, Provider, paths

SERVICE = "gcp:projects/service:Service"
NETWORK = "gcp:compute/network:Network"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"

L4 = {"type": "nvidia-l4", "count": 1}
FLEX_START: dict[str, Any] = {
    "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 2, "locationPolicy": "ANY"},
    "management": {"autoRepair": False, "autoUpgrade": True},
    "nodeConfig": {
        "machineType": "g2-standard-4",
        "guestAccelerators": [L4],
        "flexStart": True,
        "maxRunDuration": "604800s",
        "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
    },
}
RESERVED = {
    "consumeReservationType": "SPECIFIC_RESERVATION",
    "key": "compute.googleapis.com/reservation-name",
    "values": ["mine"],
}
IMAGE = {"diskImage": "projects/p/global/images/vllm", "mode": "CONTAINER_IMAGE_CACHE"}


@pytest.fixture
def google(provider: Callable[..., Provider]) -> Provider:
    """A project with the APIs for clusters and for image streaming."""
    google = provider("gcp")
    for api in ("container", "containerfilesystem"):
        service = {"service": f"{api}.googleapis.com", "disableOnDestroy": False}
        google.make(SERVICE, service, name=api)
    return google


@pytest.fixture
def cluster(google: Provider) -> Made:
    google.make(NETWORK, {"name": "net", "autoCreateSubnetworks": False}, name="net")
    inputs = {"name": "c", "location": "us-central1-a", "initialNodeCount": 1, "network": "net"}
    return google.make(CLUSTER, inputs, name="c")


def node(**changes: Any) -> Properties:  # noqa: ANN401 - whatever the property takes
    return {"nodeConfig": {"machineType": "g2-standard-4", "guestAccelerators": [L4], **changes}}


def flex_start(**changes: Any) -> Properties:  # noqa: ANN401 - whatever the property takes
    """Return a flex-start pool with some keys of its node config changed; None takes one away."""
    config = {**FLEX_START["nodeConfig"], **changes}
    kept = {key: value for key, value in config.items() if value is not None}
    return {**FLEX_START, "nodeConfig": kept}


def machine(name: str, kind: str, count: int, **more: Any) -> Properties:  # noqa: ANN401
    config = {"machineType": name, "guestAccelerators": [{"type": kind, "count": count}], **more}
    return {"nodeConfig": config}


REFUSED: list[tuple[str, Properties, str]] = [
    ("a2", machine("a2-highgpu-1g", "nvidia-a100-80gb", 1), "it takes nvidia-tesla-a100"),
    ("a2-count", machine("a2-highgpu-2g", "nvidia-tesla-a100", 1), "takes 2 of nvidia-tesla-a100"),
    ("a2-unknown", machine("a2-highgpu-3g", "nvidia-tesla-a100", 3), "there is no a2-highgpu-3g"),
    ("a3-mega", machine("a3-megagpu-8g", "nvidia-h100-80gb", 8), "takes nvidia-h100-mega-80gb"),
    ("a3-small", machine("a3-highgpu-1g", "nvidia-h100-80gb", 1), "spot or flex-start only"),
    ("g4", machine("g4-standard-48", "nvidia-l4", 1), "it takes nvidia-rtx-pro-6000"),
    ("g4-count", machine("g4-standard-96", "nvidia-rtx-pro-6000", 1), "takes 2 of"),
    ("g4-unknown", machine("g4-standard-64", "nvidia-rtx-pro-6000", 1), "no g4-standard-64"),
    (
        "g4-disk",
        machine("g4-standard-48", "nvidia-rtx-pro-6000", 1, diskType="pd-balanced"),
        "g4-standard-48 boots from hyperdisk-balanced, not from pd-balanced",
    ),
    ("g2-disk", node(diskType="hyperdisk-balanced"), "boots from pd-balanced or pd-ssd"),
    ("t4-vcpus", machine("n1-standard-64", "nvidia-tesla-t4", 2), "with 48 vCPUs at most"),
    ("flex-start-spot", flex_start(spot=True), "flexStart and spot exclude each other"),
    (
        "flex-start-reservation",
        flex_start(reservationAffinity=None),
        "flexStart needs reservationAffinity NO_RESERVATION",
    ),
    (
        "flex-start-too-long",
        flex_start(maxRunDuration="604801s"),
        "604801s is not between 0s and 604800s",
    ),
    (
        "flex-start-repair",
        {**FLEX_START, "management": {"autoRepair": True}},
        "flexStart needs management.autoRepair false",
    ),
    (
        "flex-start-fixed-size",
        {key: value for key, value in FLEX_START.items() if key != "autoscaling"},
        "flexStart needs autoscaling",
    ),
    (
        "reservation-nameless",
        node(reservationAffinity={"consumeReservationType": "SPECIFIC_RESERVATION"}),
        "SPECIFIC_RESERVATION needs key and values",
    ),
    (
        "reservation-named-in-vain",
        node(reservationAffinity={**RESERVED, "consumeReservationType": "ANY_RESERVATION"}),
        "ANY_RESERVATION takes neither key nor values",
    ),
    (
        "reservation-spot",
        node(spot=True, reservationAffinity=RESERVED),
        "spot nodes take nothing from a reservation",
    ),
    ("disks-unstreamed", node(secondaryBootDisks=[IMAGE]), "needs gcfsConfig with enabled true"),
    (
        "streaming-ubuntu",
        node(gcfsConfig={"enabled": True}, imageType="UBUNTU_CONTAINERD"),
        "needs imageType COS_CONTAINERD, not UBUNTU_CONTAINERD",
    ),
    (
        "upgrade-stuck",
        {"upgradeSettings": {"maxSurge": 0, "maxUnavailable": 0}},
        "one of maxSurge and maxUnavailable must be greater than zero",
    ),
    (
        "upgrade-too-many",
        {"upgradeSettings": {"maxSurge": 11, "maxUnavailable": 10}},
        "are 21 together",
    ),
    (
        "upgrade-surge-of-blue-green",
        {"upgradeSettings": {"strategy": "BLUE_GREEN", "maxSurge": 1}},
        "go with strategy SURGE alone",
    ),
    (
        "upgrade-blue-green-of-surge",
        {
            "upgradeSettings": {
                "strategy": "SURGE",
                "blueGreenSettings": {"standardRolloutPolicy": {"batchNodeCount": 1}},
            }
        },
        "go with strategy BLUE_GREEN alone",
    ),
    (
        "upgrade-two-batches",
        {
            "upgradeSettings": {
                "strategy": "BLUE_GREEN",
                "blueGreenSettings": {
                    "standardRolloutPolicy": {"batchNodeCount": 1, "batchPercentage": 0.5}
                },
            }
        },
        "takes batchNodeCount or batchPercentage, not both",
    ),
    ("zones", {"nodeLocations": ["europe-west4-a"]}, "europe-west4-a is not a zone of us-central1"),
]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_a_pool_that_google_would_not_make_is_refused(
    google: Provider, cluster: Made, inputs: Properties, reason: str
) -> None:
    with pytest.raises(ProviderError, match=reason):
        google.make(POOL, {"cluster": cluster.id, "location": "us-central1-a", **inputs})


TAKEN: list[tuple[str, Properties]] = [
    ("flex-start", FLEX_START),
    ("flex-start of a small a3", flex_start(
        machineType="a3-highgpu-1g", guestAccelerators=[{"type": "nvidia-h100-80gb", "count": 1}])),
    ("reservation", node(reservationAffinity=RESERVED)),
    ("disks", node(gcfsConfig={"enabled": True}, secondaryBootDisks=[IMAGE])),
    ("g4", machine("g4-standard-384", "nvidia-rtx-pro-6000", 8, diskType="hyperdisk-balanced")),
    ("mega", machine("a3-megagpu-8g", "nvidia-h100-mega-80gb", 8, diskType="pd-balanced")),
    ("another zone of the region", {"nodeLocations": ["us-central1-b"]}),
    ("blue-green", {"upgradeSettings": {"strategy": "BLUE_GREEN", "blueGreenSettings": {
        "nodePoolSoakDuration": "3600s", "standardRolloutPolicy": {"batchNodeCount": 1}}}}),
    ("a family that no table knows", machine("a4-highgpu-8g", "nvidia-b200", 8)),
]  # fmt: skip


@pytest.mark.parametrize("inputs", [case[1] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_a_pool_that_google_makes_is_taken(
    google: Provider, cluster: Made, inputs: Properties
) -> None:
    made = google.make(POOL, {"cluster": cluster.id, "location": "us-central1-a", **inputs})
    assert made.outputs["version"]


def test_image_streaming_waits_for_its_api(provider: Callable[..., Provider]) -> None:
    google = provider("gcp")
    google.make(SERVICE, {"service": "container.googleapis.com"}, name="api")
    google.make(NETWORK, {"name": "net", "autoCreateSubnetworks": False}, name="net")
    inputs = {"name": "c", "location": "us-central1-a", "initialNodeCount": 1, "network": "net"}
    cluster = google.make(CLUSTER, inputs, name="c")
    pool = {"cluster": cluster.id, "location": "us-central1-a"}
    with pytest.raises(ProviderError, match=r"containerfilesystem.googleapis.com is not enabled"):
        google.make(POOL, {**pool, **node(gcfsConfig={"enabled": True})})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (
            {"secondaryBootDisks": [{**IMAGE, "diskImage": "vllm"}]},
            "nodeConfig.secondaryBootDisks[0].diskImage",
        ),
        (
            {"secondaryBootDisks": [{**IMAGE, "mode": "CACHE"}]},
            "nodeConfig.secondaryBootDisks[0].mode",
        ),
        ({"maxRunDuration": "7d"}, "nodeConfig.maxRunDuration"),
        (
            {"guestAccelerators": [{**L4, "gpuSharingConfig": {
                "gpuSharingStrategy": "MPS", "maxSharedClientsPerGpu": 49}}]},
            "nodeConfig.guestAccelerators[0].gpuSharingConfig.maxSharedClientsPerGpu",
        ),
        (
            {"guestAccelerators": [{**L4, "gpuSharingConfig": {
                "gpuSharingStrategy": "TIME_SLICING", "maxSharedClientsPerGpu": 2}}]},
            "nodeConfig.guestAccelerators[0].gpuSharingConfig.gpuSharingStrategy",
        ),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_form_is_seen_before_anything_is_made(
    google: Provider, change: Properties, path: str
) -> None:
    failures = google.refusals(POOL, {"cluster": "c", **node(**change)})
    assert paths(failures) == {path}
