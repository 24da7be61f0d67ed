"""What Google refuses about a cluster's control plane, its key and its way out."""

from collections.abc import Callable

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties
from tests.sandbox.conftest import PROJECT, Made, Provider

Configured = Callable[..., Provider]

ADDRESS = "gcp:compute/address:Address"
CLUSTER = "gcp:container/cluster:Cluster"
IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
KEY_RIGHT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
NAT = "gcp:compute/routerNat:RouterNat"
NETWORK = "gcp:compute/network:Network"
ROUTER = "gcp:compute/router:Router"
SERVICE = "gcp:projects/service:Service"

KEY = "projects/my-keys/locations/europe-west4/keyRings/llmp/cryptoKeys/secrets"
ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


@pytest.fixture
def google(provider: Configured) -> Provider:
    """A project with the APIs for clusters and keys."""
    google = provider("gcp")
    for api in ("container", "cloudkms"):
        inputs = {"service": f"{api}.googleapis.com", "disableOnDestroy": False}
        google.make(SERVICE, inputs, name=api)
    return google


def _refused(google: Provider, token: str, inputs: Properties) -> dict[str, str]:
    return {each.path: each.reason for each in google.refusals(token, inputs)}


def _cluster(**more: object) -> Properties:
    return {
        "name": "main",
        "location": "europe-west4-a",
        "initialNodeCount": 1,
        "deletionProtection": False,
        **more,
    }


def _exclusion(
    end: str, name: str = "freeze", scope: str = "NO_UPGRADES", start: str = "2026-12-01"
) -> Properties:
    return {
        "exclusionName": name,
        "startTime": f"{start}T00:00:00Z",
        "endTime": f"{end}T00:00:00Z",
        "exclusionOptions": {"scope": scope},
    }


# Maintenance and what is collected


def _policy(
    end: str = "2026-01-10T08:00:00Z",
    exclusions: list[Properties] | None = None,
    recurrence: str = "FREQ=WEEKLY;BYDAY=SA",
) -> Properties:
    window = {"startTime": "2026-01-10T02:00:00Z", "endTime": end, "recurrence": recurrence}
    return _cluster(
        maintenancePolicy={
            "recurringWindow": window,
            "maintenanceExclusions": exclusions or [],
        }
    )


def test_a_maintenance_policy_that_gke_takes_is_taken(google: Provider) -> None:
    exclusions = [
        _exclusion("2026-12-31"),
        _exclusion("2027-05-01", "minor", "NO_MINOR_OR_NODE_UPGRADES"),
    ]
    assert not google.refusals(CLUSTER, _policy(exclusions=exclusions))


@pytest.mark.parametrize("end", ["2026-01-10T05:59:59Z", "2026-01-11T02:00:01Z"])
def test_a_window_has_4_to_24_hours(google: Provider, end: str) -> None:
    refused = _refused(google, CLUSTER, _policy(end))
    assert "not 4 to 24 hours" in refused["maintenancePolicy.recurringWindow.endTime"]


def test_a_recurrence_is_one_of_rfc_5545(google: Provider) -> None:
    refused = _refused(google, CLUSTER, _policy(recurrence="every saturday"))
    assert "maintenancePolicy.recurringWindow.recurrence" in refused


@pytest.mark.parametrize(
    ("exclusions", "path", "reason"),
    [
        ([_exclusion("2027-01-01")], "[0].endTime", "not 0 to 720 hours"),
        ([_exclusion("2026-12-01")], "[0].endTime", "not 0 to 720 hours"),
        ([_exclusion("2026-12-02"), _exclusion("2026-12-03")], "", "two have one name"),
        (
            [_exclusion("2026-12-02", f"freeze-{number}") for number in range(4)],
            "",
            "4 have scope NO_UPGRADES, not 3",
        ),
        (
            [_exclusion("2026-12-02", f"f-{number}", "NO_MINOR_UPGRADES") for number in range(21)],
            "",
            "are 21; GKE takes 20",
        ),
        ([_exclusion("2026-12-02", scope="NONE")], "[0].exclusionOptions.scope", "is not one of"),
    ],
)
def test_an_exclusion_that_gke_does_not_take_is_refused(
    google: Provider, exclusions: list[Properties], path: str, reason: str
) -> None:
    refused = _refused(google, CLUSTER, _policy(exclusions=exclusions))
    assert reason in refused[f"maintenancePolicy.maintenanceExclusions{path}"]


def test_logs_and_metrics_need_those_of_the_system(google: Provider) -> None:
    inputs = _cluster(
        loggingConfig={"enableComponents": ["WORKLOADS"]},
        monitoringConfig={
            "enableComponents": ["DCGM"],
            "managedPrometheus": {"enabled": True},
        },
    )
    refused = _refused(google, CLUSTER, inputs)
    assert refused["loggingConfig.enableComponents"] == "needs SYSTEM_COMPONENTS"
    assert refused["monitoringConfig.enableComponents"] == "needs SYSTEM_COMPONENTS"


def test_the_exporter_of_gpu_metrics_needs_managed_prometheus(google: Provider) -> None:
    monitoring = {
        "enableComponents": ["SYSTEM_COMPONENTS", "DCGM"],
        "managedPrometheus": {"enabled": False},
    }
    refused = _refused(google, CLUSTER, _cluster(monitoringConfig=monitoring))
    assert "DCGM needs" in refused["monitoringConfig.enableComponents"]


# The key of the Secrets


def _encrypted(google: Provider, **more: object) -> Made:
    network = google.make(NETWORK, {"name": "net"}, name="net")
    encryption = {"state": "ENCRYPTED", "keyName": KEY}
    inputs = _cluster(network=network.id, databaseEncryption=encryption)
    return google.make(CLUSTER, {**inputs, **more}, name="cluster")


def _right(google: Provider) -> Made:
    agent = google.make(IDENTITY, {"service": "container.googleapis.com"}, name="agent")
    inputs = {"cryptoKeyId": KEY, "role": ROLE, "member": agent.outputs["member"]}
    return google.make(KEY_RIGHT, inputs, name="right")


def test_the_account_of_gke_has_the_number_of_the_project(google: Provider) -> None:
    agent = google.make(IDENTITY, {"service": "container.googleapis.com"}, name="agent")
    assert agent.id == f"projects/{PROJECT}/services/container.googleapis.com"
    number = google.package.invoke("gcp:organizations/getProject:getProject", {})["number"]
    assert agent.outputs["email"] == (
        f"service-{number}@container-engine-robot.iam.gserviceaccount.com"
    )
    assert agent.outputs["member"] == f"serviceAccount:{agent.outputs['email']}"


def test_a_key_that_gke_may_not_use_is_refused(google: Provider) -> None:
    with pytest.raises(ProviderError, match=r"may not use .*grant it roles/cloudkms"):
        _encrypted(google)


def test_another_account_s_right_on_the_key_is_not_gke_s(google: Provider) -> None:
    agent = google.make(IDENTITY, {"service": "compute.googleapis.com"}, name="agent")
    inputs = {"cryptoKeyId": KEY, "role": ROLE, "member": agent.outputs["member"]}
    google.make(KEY_RIGHT, inputs, name="right")
    with pytest.raises(ProviderError, match="may not use"):
        _encrypted(google)


def test_a_key_of_another_region_is_refused(google: Provider) -> None:
    _right(google)
    with pytest.raises(ProviderError, match="the key is in europe-west4, the cluster in us-east1"):
        _encrypted(google, location="us-east1-b")


def test_a_key_goes_with_a_state_that_encrypts(google: Provider) -> None:
    _right(google)
    with pytest.raises(ProviderError, match="a keyName goes with"):
        _encrypted(google, databaseEncryption={"state": "DECRYPTED", "keyName": KEY})


def test_a_right_that_a_cluster_needs_goes_after_the_cluster(google: Provider) -> None:
    right = _right(google)
    cluster = _encrypted(google)
    with pytest.raises(ProviderError, match="still encrypts with"):
        google.remove(right)
    google.remove(cluster)
    google.remove(right)


# Cloud NAT


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"minPortsPerVm": 1000}, "minPortsPerVm", "1000 is no power of two"),
        ({"minPortsPerVm": 16}, "minPortsPerVm", "16 is no power of two from 32 on"),
        ({"maxPortsPerVm": 1024}, "maxPortsPerVm", "1024 is not more than minPortsPerVm, 1024"),
        ({"maxPortsPerVm": 131_072}, "maxPortsPerVm", "is not between"),
        (
            {"enableEndpointIndependentMapping": True},
            "enableEndpointIndependentMapping",
            "excludes enableDynamicPortAllocation",
        ),
        ({"enableDynamicPortAllocation": False}, "maxPortsPerVm", "needs enableDynamicPort"),
        ({"natIpAllocateOption": "MANUAL_ONLY"}, "natIps", "goes with natIpAllocateOption"),
        ({"natIps": ["an-address"]}, "natIps", "goes with natIpAllocateOption MANUAL_ONLY"),
    ],
)
def test_a_nat_that_google_does_not_make_is_refused(
    google: Provider, changes: Properties, path: str, reason: str
) -> None:
    inputs: Properties = {
        "router": "router",
        "natIpAllocateOption": "AUTO_ONLY",
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
        "enableDynamicPortAllocation": True,
        "minPortsPerVm": 1024,
        "maxPortsPerVm": 32_768,
    }
    assert not google.refusals(NAT, inputs)
    assert reason in _refused(google, NAT, {**inputs, **changes})[path]


def test_an_address_of_the_nat_stays_while_the_nat_uses_it(google: Provider) -> None:
    network = google.make(NETWORK, {"name": "net"}, name="net")
    router = google.make(ROUTER, {"name": "router", "network": network.id}, name="router")
    address = google.make(ADDRESS, {"name": "nat-1"}, name="nat-1")
    inputs: Properties = {
        "router": router.outputs["name"],
        "natIpAllocateOption": "MANUAL_ONLY",
        "natIps": [address.outputs["selfLink"]],
        "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    }
    nat = google.make(NAT, inputs, name="nat")
    with pytest.raises(ProviderError, match="in use by the RouterNat"):
        google.remove(address)
    google.remove(nat)
    google.remove(address)
