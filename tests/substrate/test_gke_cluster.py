"""The control plane of a GKE cluster, the key of its Secrets, and the way in."""

import dataclasses
import json
from typing import Any

from components.substrate.gke_topology import (
    GkeMaintenance,
    GkeMaintenanceExclusion,
    Weekday,
)
from tests.conftest import Run
from tests.harness import UNKNOWN, Recorder, deploy
from tests.substrate.gke_samples import CONTROL_PLANE, substrate, topology

CLUSTER = "gcp:container/cluster:Cluster"
IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
KEY_RIGHT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
KEY = "projects/my-keys/locations/us-central1/keyRings/llmp/cryptoKeys/kubernetes-secrets"
BY_ADDRESS = dataclasses.replace(
    CONTROL_PLANE, endpoint="ip", authorized_networks=("203.0.113.0/24",)
)


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(**changes)))


def control_plane(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate whose control plane is another one."""
    changed = dataclasses.replace(CONTROL_PLANE, **changes)
    return build(topology=topology(control_plane=changed))


def test_the_cluster_has_private_nodes_dataplane_v2_and_workload_identity(run: Run) -> None:
    inputs = run(lambda: _drop(substrate())).one(CLUSTER).inputs
    assert inputs["privateClusterConfig"]["enablePrivateNodes"] is True
    assert inputs["datapathProvider"] == "ADVANCED_DATAPATH"
    assert inputs["workloadIdentityConfig"] == {"workloadPool": "my-project.svc.id.goog"}
    assert inputs["enableShieldedNodes"] is True
    assert inputs["releaseChannel"] == {"channel": "REGULAR"}
    assert inputs["costManagementConfig"] == {"enabled": True}


def test_what_is_old_or_open_is_off() -> None:
    inputs = build().one(CLUSTER).inputs
    assert inputs["enableLegacyAbac"] is False
    client_certificate = inputs["masterAuth"]["clientCertificateConfig"]
    assert client_certificate == {"issueClientCertificate": False}
    assert inputs["anonymousAuthenticationConfig"] == {"mode": "LIMITED"}
    defaults = inputs["nodePoolDefaults"]["nodeConfigDefaults"]
    assert defaults["insecureKubeletReadonlyPortEnabled"] == "FALSE"


def test_the_gateway_api_of_gke_is_off_because_the_platform_brings_its_own_crds() -> None:
    assert build().one(CLUSTER).inputs["gatewayApiConfig"] == {"channel": "CHANNEL_DISABLED"}


def test_dcgm_metrics_are_on_so_that_the_exporter_of_the_contract_exists() -> None:
    monitoring = build().one(CLUSTER).inputs["monitoringConfig"]
    assert "DCGM" in monitoring["enableComponents"]
    assert monitoring["managedPrometheus"] == {"enabled": True}


def test_the_pool_that_gke_insists_on_goes_and_never_runs_as_the_default_account() -> None:
    cluster = build().one(CLUSTER)
    assert cluster.inputs["removeDefaultNodePool"] is True
    account = cluster.inputs["nodeConfig"]["serviceAccount"]
    assert account == "llmp-nodes@my-project.iam.gserviceaccount.com"


def test_the_pool_that_gke_insists_on_fits_the_disk_quota_of_a_new_project() -> None:
    config = build().one(CLUSTER).inputs["nodeConfig"]
    assert (config["diskType"], config["diskSizeGb"]) == ("pd-standard", 20)


def test_the_removed_pool_cannot_replace_the_cluster_later() -> None:
    assert {"nodeConfig", "initialNodeCount"} <= set(build().one(CLUSTER).ignore_changes)


def test_by_default_the_control_plane_has_a_name_that_iam_guards_and_no_open_address() -> None:
    inputs = build().one(CLUSTER).inputs
    endpoints = inputs["controlPlaneEndpointsConfig"]
    assert endpoints["dnsEndpointConfig"] == {"allowExternalTraffic": True}
    assert endpoints["ipEndpointsConfig"] == {"enabled": False}
    assert "masterAuthorizedNetworksConfig" not in inputs


def test_what_google_answers_of_the_endpoint_is_what_was_asked() -> None:
    # The provider sends it with an address alone, but compares it always.
    by_name = build().one(CLUSTER).inputs["privateClusterConfig"]
    assert by_name["enablePrivateEndpoint"] is True
    by_address = build(topology=topology(control_plane=BY_ADDRESS)).one(CLUSTER)
    assert by_address.inputs["privateClusterConfig"]["enablePrivateEndpoint"] is False


def test_an_address_is_reached_from_the_listed_networks_only() -> None:
    changed = topology(control_plane=BY_ADDRESS)
    inputs = build(topology=changed).one(CLUSTER).inputs
    assert inputs["controlPlaneEndpointsConfig"]["ipEndpointsConfig"] == {"enabled": True}
    assert inputs["controlPlaneEndpointsConfig"]["dnsEndpointConfig"] == {
        "allowExternalTraffic": False
    }
    assert inputs["masterAuthorizedNetworksConfig"] == {
        "cidrBlocks": [{"cidrBlock": "203.0.113.0/24"}],
        "gcpPublicCidrsAccessEnabled": False,
    }


def test_nobody_may_give_rights_to_everyone() -> None:
    assert build().one(CLUSTER).inputs["rbacBindingConfig"] == {
        "enableInsecureBindingSystemAuthenticated": False,
        "enableInsecureBindingSystemUnauthenticated": False,
    }


def test_groups_are_known_to_kubernetes_where_the_config_names_their_group() -> None:
    group = "gke-security-groups@example.com"
    inputs = control_plane(security_group=group).one(CLUSTER).inputs
    assert inputs["authenticatorGroupsConfig"] == {"securityGroup": group}
    assert "authenticatorGroupsConfig" not in build().one(CLUSTER).inputs


# Maintenance


def maintenance(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the field takes
    changed = dataclasses.replace(CONTROL_PLANE.maintenance, **changes)
    return control_plane(maintenance=changed).one(CLUSTER).inputs["maintenancePolicy"]


def test_gke_upgrades_in_windows_of_the_week() -> None:
    assert maintenance() == {
        "recurringWindow": {
            "startTime": "2026-01-10T02:00:00Z",
            "endTime": "2026-01-10T08:00:00Z",
            "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
        }
    }


def test_a_window_may_end_on_the_next_day() -> None:
    window = maintenance(days=("sunday",), start="22:30", hours=12)["recurringWindow"]
    assert window["startTime"] == "2026-01-11T22:30:00Z"
    assert window["endTime"] == "2026-01-12T10:30:00Z"


def test_the_order_of_the_days_in_the_config_changes_nothing() -> None:
    assert maintenance(days=("sunday", "monday")) == maintenance(days=("monday", "sunday"))


def test_the_first_window_is_on_one_of_the_days() -> None:
    days: tuple[Weekday, ...] = ("monday", "wednesday", "sunday")
    starts = [maintenance(days=(day,))["recurringWindow"]["startTime"] for day in days]
    assert starts == ["2026-01-05T02:00:00Z", "2026-01-07T02:00:00Z", "2026-01-11T02:00:00Z"]


def test_exclusions_keep_their_scope_and_times() -> None:
    exclusion = GkeMaintenanceExclusion(
        name="year-end",
        start="2026-12-20T00:00:00Z",
        end="2027-01-05T00:00:00Z",
        scope="no_minor_or_node_upgrades",
    )
    changed = GkeMaintenance(days=("saturday",), start="02:00", hours=12, exclusions=(exclusion,))
    policy = control_plane(maintenance=changed).one(CLUSTER).inputs["maintenancePolicy"]
    assert policy["maintenanceExclusions"] == [
        {
            "exclusionName": "year-end",
            "startTime": "2026-12-20T00:00:00Z",
            "endTime": "2027-01-05T00:00:00Z",
            "exclusionOptions": {"scope": "NO_MINOR_OR_NODE_UPGRADES"},
        }
    ]


# Logs and metrics


def test_logs_are_those_of_the_config() -> None:
    assert build().one(CLUSTER).inputs["loggingConfig"] == {
        "enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]
    }
    chosen = control_plane(logs=("system", "api-server", "scheduler", "controller-manager"))
    assert chosen.one(CLUSTER).inputs["loggingConfig"]["enableComponents"] == [
        "SYSTEM_COMPONENTS",
        "APISERVER",
        "SCHEDULER",
        "CONTROLLER_MANAGER",
    ]


def test_without_managed_prometheus_there_is_no_exporter_and_none_is_promised() -> None:
    recorder = control_plane(managed_prometheus=False)
    assert recorder.one(CLUSTER).inputs["monitoringConfig"] == {
        "enableComponents": ["SYSTEM_COMPONENTS"],
        "managedPrometheus": {"enabled": False},
    }
    outputs = recorder.component_outputs(recorder.one("llmp:substrate:GkeSubstrate").urn)
    assert outputs["contract"]["gpu"]["managed_by"] == "gke"
    assert outputs["contract"]["gpu"].get("dcgm") is None


# The key of the Secrets


def services(recorder: Recorder) -> set[str]:
    return {each.inputs["service"] for each in recorder.all("gcp:projects/service:Service")}


def test_without_a_key_google_encrypts_with_its_own_and_nobody_gets_a_right() -> None:
    recorder = build()
    # A block that is missing would leave a cluster with the key that it had before.
    assert recorder.one(CLUSTER).inputs["databaseEncryption"] == {"state": "DECRYPTED"}
    assert not recorder.all(KEY_RIGHT)
    assert not recorder.all(IDENTITY)
    assert "cloudkms.googleapis.com" not in services(recorder)


def test_gke_alone_may_use_the_key_and_only_that_key() -> None:
    recorder = control_plane(secrets_encryption_key=KEY)
    assert recorder.one(KEY_RIGHT).inputs == {
        "cryptoKeyId": KEY,
        "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "member": "serviceAccount:service-123456789012@container-engine-robot"
        ".iam.gserviceaccount.com",
    }
    assert recorder.one(IDENTITY).inputs["service"] == "container.googleapis.com"
    assert "cloudkms.googleapis.com" in services(recorder)


def test_the_cluster_comes_after_the_right_on_its_key_and_goes_before_it(run: Run) -> None:
    changed = topology(control_plane=dataclasses.replace(CONTROL_PLANE, secrets_encryption_key=KEY))
    recorder = run(lambda: _drop(substrate(topology=changed)))
    cluster, right = recorder.one(CLUSTER), recorder.one(KEY_RIGHT)
    assert right.urn in cluster.depends_on
    assert recorder.one(IDENTITY).urn in right.depends_on
    assert cluster.inputs["databaseEncryption"]["state"] == "ENCRYPTED"


def test_gkes_account_is_asked_for_once_its_api_is_on() -> None:
    recorder = control_plane(secrets_encryption_key=KEY)
    made_after = recorder.one("llmp:substrate:GkeSecretsEncryption").depends_on
    for service in ("container", "cloudkms"):
        api = recorder.one("gcp:projects/service:Service", f"substrate-services-{service}")
        assert api.urn in made_after


# Kubeconfig


def kubeconfig(recorder: Recorder) -> dict[str, Any]:
    outputs = recorder.component_outputs(recorder.one("llmp:substrate:GkeSubstrate").urn)
    return json.loads(outputs["kubeconfig"])


def test_the_kubeconfig_asks_a_plugin_and_holds_no_credential() -> None:
    config = kubeconfig(build())
    (user,) = config["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["command"] == "gke-gcloud-auth-plugin"
    assert config["clusters"][0]["cluster"] == {
        "server": "https://gke-0123456789.us-central1.gke.goog"
    }


def test_the_kubeconfig_of_an_address_carries_its_authority() -> None:
    changed = topology(control_plane=BY_ADDRESS)
    cluster = kubeconfig(build(topology=changed))["clusters"][0]["cluster"]
    assert cluster == {
        "server": "https://192.0.2.10",
        "certificate-authority-data": "Y2VydGlmaWNhdGU=",
    }


def test_the_kubeconfig_is_marked_secret_and_unknown_before_the_cluster_is_there() -> None:
    recorder = deploy(lambda: _drop(substrate()), preview=True)
    provider = recorder.one("pulumi:providers:kubernetes")
    assert "kubeconfig" in provider.secret_inputs
    assert provider.inputs["kubeconfig"] == UNKNOWN


def test_a_new_kubeconfig_replaces_nothing_because_the_cluster_has_an_identifier() -> None:
    provider = build().one("pulumi:providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == "my-project/us-central1-a/llmp"


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
