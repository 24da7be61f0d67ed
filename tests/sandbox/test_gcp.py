"""What Google Cloud refuses when things are made and removed, and what it answers."""

from collections.abc import Callable

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.store import Store
from sandbox.provider.values import Properties
from tests.sandbox.conftest import PROJECT, Made, Provider

Configured = Callable[..., Provider]

SERVICE = "gcp:projects/service:Service"
NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
ACCOUNT = "gcp:serviceaccount/account:Account"
ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"


@pytest.fixture
def google(provider: Configured) -> Provider:
    """A project with the API for clusters, which brings those it needs."""
    google = provider("gcp")
    service = {"service": "container.googleapis.com", "disableOnDestroy": False}
    google.make(SERVICE, service, name="api")
    return google


def _network(google: Provider, name: str = "net") -> Made:
    return google.make(NETWORK, {"name": name, "autoCreateSubnetworks": False}, name=name)


def _subnetwork(
    google: Provider, network: Made, block: str = "10.0.0.0/20", **more: object
) -> Made:
    inputs = {"name": "sub", "network": network.id, "ipCidrRange": block, **more}
    return google.make(SUBNETWORK, inputs, name="sub")


def _cluster(google: Provider, **more: object) -> Made:
    network = _network(google)
    subnetwork = _subnetwork(google, network)
    inputs: Properties = {
        "name": "main",
        "location": "europe-west4-a",
        "network": network.id,
        "subnetwork": subnetwork.id,
        "initialNodeCount": 1,
        "deletionProtection": False,
        **more,
    }
    return google.make(CLUSTER, inputs, name="cluster")


def test_an_api_has_to_be_enabled_first(provider: Configured) -> None:
    with pytest.raises(ProviderError, match=r"compute\.googleapis\.com is not enabled"):
        _network(provider("gcp"))


def test_an_api_that_is_kept_on_destroy_stays_enabled(provider: Configured) -> None:
    google = provider("gcp")
    service = {"service": "compute.googleapis.com", "disableOnDestroy": False}
    google.remove(google.make(SERVICE, service, name="api"))
    assert _network(google).id == f"projects/{PROJECT}/global/networks/net"


def test_an_api_that_is_in_use_can_t_be_switched_off(provider: Configured) -> None:
    google = provider("gcp")
    api = google.make(SERVICE, {"service": "compute.googleapis.com"}, name="api")
    _network(google)
    with pytest.raises(ProviderError, match="in use by net"):
        google.remove(api)


def test_two_things_can_t_have_one_name(google: Provider) -> None:
    _network(google)
    with pytest.raises(ProviderError, match="exists already"):
        _network(google)


def test_ranges_of_a_network_may_not_overlap(google: Provider) -> None:
    network = _network(google)
    _subnetwork(google, network, "10.0.0.0/20")
    inputs = {"name": "b", "network": network.id, "ipCidrRange": "10.0.8.0/24"}
    with pytest.raises(ProviderError, match=r"10\.0\.8\.0/24 overlaps 10\.0\.0\.0/20 of sub"):
        google.make(SUBNETWORK, inputs)
    secondary = {"rangeName": "pods", "ipCidrRange": "10.9.0.0/16"}
    inputs = {"name": "c", "network": network.id, "ipCidrRange": "10.9.1.0/24"}
    with pytest.raises(ProviderError, match="the same subnetwork"):
        google.make(SUBNETWORK, {**inputs, "secondaryIpRanges": [secondary]})


def test_a_subnetwork_needs_its_network(google: Provider) -> None:
    with pytest.raises(ProviderError, match="network names the Network 'nowhere'"):
        google.make(SUBNETWORK, {"network": "nowhere", "ipCidrRange": "10.0.0.0/20"})


def test_a_network_in_use_can_t_be_removed(google: Provider) -> None:
    network = _network(google)
    subnetwork = _subnetwork(google, network)
    with pytest.raises(ProviderError, match="in use by the Subnetwork sub"):
        google.remove(network)
    google.remove(subnetwork)
    google.remove(network)


def test_a_cluster_s_subnetwork_belongs_to_its_network(google: Provider) -> None:
    other = _network(google, "other")
    with pytest.raises(ProviderError, match="not a subnetwork of"):
        _cluster(google, network=other.id)


def test_a_cluster_s_secondary_ranges_must_be_there(google: Provider) -> None:
    with pytest.raises(ProviderError, match="no secondary range 'pods'"):
        _cluster(google, ipAllocationPolicy={"clusterSecondaryRangeName": "pods"})


def test_a_cluster_without_nodes_is_refused(google: Provider) -> None:
    with pytest.raises(ProviderError, match="greater than zero"):
        _cluster(google, initialNodeCount=0)


def test_a_protected_cluster_stays(google: Provider) -> None:
    cluster = _cluster(google, deletionProtection=True)
    with pytest.raises(ProviderError, match="deletionProtection is true"):
        google.remove(cluster)
    inputs = {key: value for key, value in cluster.inputs.items() if not key.startswith("__")}
    google.remove(google.change(cluster, {**inputs, "deletionProtection": False}))


def test_a_cluster_answers_with_what_a_kubeconfig_needs(google: Provider) -> None:
    outputs = _cluster(google).outputs
    assert outputs["endpoint"].startswith("198.18.")
    assert outputs["masterAuth"]["clusterCaCertificate"]
    assert outputs["location"] == "europe-west4-a"


def test_a_pool_needs_its_cluster(google: Provider) -> None:
    with pytest.raises(ProviderError, match="names the Cluster 'main', which does not exist"):
        google.make(POOL, {"cluster": "main"})


def test_a_cluster_with_pools_can_t_be_removed(google: Provider) -> None:
    cluster = _cluster(google)
    pool = google.make(POOL, {"cluster": cluster.id, "name": "gpu"}, name="gpu")
    with pytest.raises(ProviderError, match="in use by the NodePool gpu"):
        google.remove(cluster)
    google.remove(pool)
    google.remove(cluster)


@pytest.mark.parametrize(
    ("machine", "accelerator", "reason"),
    [
        ("g2-standard-8", ("nvidia-l4", 2), "takes 1 of nvidia-l4, not 2"),
        ("g2-standard-24", ("nvidia-l4", 1), "takes 2 of nvidia-l4"),
        ("g2-standard-8", ("nvidia-tesla-t4", 1), "can't be attached to g2-standard-8"),
        ("e2-standard-4", ("nvidia-l4", 1), "takes no accelerators"),
        ("n1-standard-4", ("nvidia-tesla-t4", 3), "takes 1 or 2 or 4"),
        ("g2-standard-6", None, "there is no g2-standard-6"),
        ("e2-standard-64", None, "there is no e2-standard-64"),
    ],
)
def test_a_machine_that_is_not_offered_is_refused(
    google: Provider, machine: str, accelerator: tuple[str, int] | None, reason: str
) -> None:
    cluster = _cluster(google)
    node: Properties = {"machineType": machine}
    if accelerator is not None:
        node["guestAccelerators"] = [{"type": accelerator[0], "count": accelerator[1]}]
    with pytest.raises(ProviderError, match=reason):
        google.make(POOL, {"cluster": cluster.id, "nodeConfig": node})


@pytest.mark.parametrize(
    ("machine", "kind", "count"),
    [("g2-standard-8", "nvidia-l4", 1), ("g2-standard-96", "nvidia-l4", 8),
     ("n1-standard-8", "nvidia-tesla-t4", 2), ("a3-highgpu-8g", "nvidia-h100-80gb", 8)],
)  # fmt: skip
def test_a_machine_that_is_offered_is_taken(
    google: Provider, machine: str, kind: str, count: int
) -> None:
    cluster = _cluster(google)
    node = {"machineType": machine, "guestAccelerators": [{"type": kind, "count": count}]}
    assert google.make(POOL, {"cluster": cluster.id, "nodeConfig": node}).outputs["version"]


def test_an_identity_pool_comes_with_the_first_cluster_that_has_it(google: Provider) -> None:
    account = google.make(ACCOUNT, {"accountId": "secrets-reader"}, name="account")
    inputs = {
        "serviceAccountId": account.outputs["name"],
        "role": "roles/iam.workloadIdentityUser",
        "member": f"serviceAccount:{PROJECT}.svc.id.goog[eso/external-secrets]",
    }
    with pytest.raises(ProviderError, match=r"identity pool .* does not exist"):
        google.make(ACCOUNT_MEMBER, inputs)
    _cluster(google, workloadIdentityConfig={"workloadPool": f"{PROJECT}.svc.id.goog"})
    assert google.make(ACCOUNT_MEMBER, inputs).outputs["etag"]


def test_a_member_of_the_own_project_must_exist(google: Provider) -> None:
    inputs = {
        "project": PROJECT,
        "role": "roles/viewer",
        "member": f"serviceAccount:nobody@{PROJECT}.iam.gserviceaccount.com",
    }
    with pytest.raises(ProviderError, match=r"service account nobody@.* does not exist"):
        google.make(PROJECT_MEMBER, inputs)


def test_reading_back_finds_nothing_changed(google: Provider) -> None:
    cluster = _cluster(google, resourceLabels={"team": "a"})
    identifier, inputs, outputs = google.read(cluster)
    assert (identifier, inputs, outputs) == (cluster.id, cluster.inputs, cluster.outputs)


def test_reading_something_that_is_gone_says_so(google: Provider, store: Store) -> None:
    network = _network(google)
    with store.locked():
        store.remove(NETWORK, network.id)
    assert google.read(network)[0] == ""


def test_an_update_keeps_what_was_made_up_and_follows_the_inputs(google: Provider) -> None:
    cluster = _cluster(google)
    inputs = {key: value for key, value in cluster.inputs.items() if not key.startswith("__")}
    changed = google.change(cluster, {**inputs, "resourceLabels": {"team": "b"}})
    assert changed.outputs["endpoint"] == cluster.outputs["endpoint"]
    assert changed.outputs["pulumiLabels"].value == {"team": "b"}


def test_a_named_thing_is_removed_before_it_is_replaced(google: Provider) -> None:
    network = _network(google)
    difference = google.diff(network, {"name": "net", "autoCreateSubnetworks": True})
    assert difference.delete_before_replace
    unnamed = google.make(NETWORK, {"autoCreateSubnetworks": False}, name="second")
    assert not google.diff(unnamed, {"autoCreateSubnetworks": True}).delete_before_replace


def test_a_bucket_that_enforces_privacy_is_opened_to_nobody(google: Provider) -> None:
    private = {"name": "private", "location": "EU", "publicAccessPrevention": "enforced"}
    google.make("gcp:storage/bucket:Bucket", private, name="private")
    google.make("gcp:storage/bucket:Bucket", {"name": "open", "location": "EU"}, name="open")
    everybody = {"role": "roles/storage.objectViewer", "member": "allUsers"}
    member = "gcp:storage/bucketIAMMember:BucketIAMMember"
    with pytest.raises(ProviderError, match="enforces public access prevention"):
        google.make(member, {**everybody, "bucket": "private"}, name="private-reader")
    google.make(member, {**everybody, "bucket": "open"}, name="open-reader")
