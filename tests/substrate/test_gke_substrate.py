"""The GKE substrate as a whole: what it makes, in which order, and what it never makes."""

import dataclasses
import json
from typing import Any

import pytest

from components.contract import Dns, SecretStore
from components.substrate.gke_network import WEBHOOK_PORTS
from components.substrate.gke_node_identity import NODE_ROLES
from components.substrate.gke_topology import gke_contract
from tests.conftest import Run
from tests.harness import UNKNOWN, Recorder, Registration, deploy
from tests.substrate.gke_samples import CONTROL_PLANE, L4_POOL, TOPOLOGY, substrate, topology

CLUSTER = "gcp:container/cluster:Cluster"
NO_MODELS = dataclasses.replace(TOPOLOGY.registry, models=False)
BY_ADDRESS = dataclasses.replace(
    CONTROL_PLANE, endpoint="ip", authorized_networks=("203.0.113.0/24",)
)
POOL = "gcp:container/nodePool:NodePool"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token
SECRET_ROLE = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type token


def build(**changes: Any) -> Recorder:  # noqa: ANN401 - whatever the field takes
    """Build a substrate as an up would."""
    return deploy(lambda: _drop(substrate(**changes)))


def pool(recorder: Recorder, name: str) -> Registration:
    return next(
        each
        for each in recorder.all(POOL)
        if each.inputs["nodeConfig"]["labels"]["llmp.dev/pool"] == name
    )


def test_everything_is_below_the_substrate(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    for each in recorder.registrations:
        if each.type not in ("llmp:substrate:GkeSubstrate", "pulumi:providers:gcp"):
            assert recorder.ancestors(each)[-1] == "llmp:substrate:GkeSubstrate", each.urn


def test_every_component_registers_its_outputs(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    for each in recorder.registrations:
        if not each.custom:
            assert recorder.component_outputs(each.urn)


def test_google_resources_take_the_provider_of_the_composition_root(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    google = [each for each in recorder.registrations if each.type.startswith("gcp:")]
    assert google
    assert {each.provider for each in google} == {"google"}


def test_only_argo_cd_is_made_in_the_cluster(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    inside = [each for each in recorder.registrations if each.type.startswith("kubernetes:")]
    assert inside
    assert {each.parent_type for each in inside} == {"llmp:substrate:ArgoCd"}
    assert {each.provider for each in inside} == {"substrate-kubernetes"}


def test_apis_stay_on_when_the_stack_goes(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    services = recorder.all("gcp:projects/service:Service")
    assert {each.inputs["service"] for each in services} >= {
        "container.googleapis.com",
        "artifactregistry.googleapis.com",
        "secretmanager.googleapis.com",
    }
    assert all(each.inputs["disableOnDestroy"] is False for each in services)


def test_apis_that_nothing_uses_are_not_switched_on() -> None:
    recorder = build(
        topology=topology(registry=NO_MODELS), secret_store=SecretStore(kind="kubernetes")
    )
    services = {each.inputs["service"] for each in recorder.all("gcp:projects/service:Service")}
    assert not services & {"artifactregistry.googleapis.com", "secretmanager.googleapis.com"}


# Network


def test_the_network_is_its_own_and_has_no_automatic_subnets(run: Run) -> None:
    recorder = run(lambda: _drop(substrate()))
    assert recorder.one("gcp:compute/network:Network").inputs["autoCreateSubnetworks"] is False
    subnetwork = recorder.one("gcp:compute/subnetwork:Subnetwork")
    assert subnetwork.inputs["privateIpGoogleAccess"] is True
    ranges = {
        each["rangeName"]: each["ipCidrRange"] for each in subnetwork.inputs["secondaryIpRanges"]
    }
    assert ranges == {"pods": "10.4.0.0/14", "services": "10.8.0.0/20"}
    policy = recorder.one(CLUSTER).inputs["ipAllocationPolicy"]
    assert set(policy.values()) == set(ranges)


def test_private_nodes_reach_the_internet_through_nat_before_the_cluster_needs_it() -> None:
    recorder = build()
    nat = recorder.one("gcp:compute/routerNat:RouterNat")
    assert nat.inputs["sourceSubnetworkIpRangesToNat"] == "ALL_SUBNETWORKS_ALL_IP_RANGES"
    assert nat.inputs["logConfig"]["enable"] is True
    assert nat.urn in recorder.one("llmp:substrate:GkeCluster").depends_on


def test_only_the_control_plane_is_let_in_and_only_to_webhooks() -> None:
    recorder = build()
    rule = recorder.one("gcp:compute/firewall:Firewall").inputs
    assert rule["sourceRanges"] == ["172.16.0.0/28"]
    assert rule["targetServiceAccounts"] == ["llmp-nodes@my-project.iam.gserviceaccount.com"]
    assert rule["allows"] == [{"protocol": "tcp", "ports": list(WEBHOOK_PORTS)}]


@pytest.mark.parametrize(
    ("port", "who"),
    [
        ("6443", "the metrics API of KEDA"),
        ("8082", "the visibility API of Kueue"),
        ("9443", "the webhooks of CloudNativePG, KEDA and Kueue"),
        ("10250", "the webhooks of cert-manager, External Secrets and Prometheus"),
    ],
)
def test_the_control_plane_reaches_whatever_extends_the_api(port: str, who: str) -> None:
    assert port in WEBHOOK_PORTS, f"no way to {who}"


def test_nothing_is_open_to_the_world() -> None:
    recorder = build()
    everything = json.dumps([each.inputs for each in recorder.registrations])
    assert "0.0.0.0/0" not in everything
    assert "allUsers" not in everything
    assert "allAuthenticatedUsers" not in everything


# Control plane


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


def test_the_removed_pool_cannot_replace_the_cluster_later() -> None:
    assert {"nodeConfig", "initialNodeCount"} <= set(build().one(CLUSTER).ignore_changes)


def test_by_default_the_control_plane_has_a_name_that_iam_guards_and_no_open_address() -> None:
    inputs = build().one(CLUSTER).inputs
    endpoints = inputs["controlPlaneEndpointsConfig"]
    assert endpoints["dnsEndpointConfig"] == {"allowExternalTraffic": True}
    assert endpoints["ipEndpointsConfig"] == {"enabled": False}
    assert "masterAuthorizedNetworksConfig" not in inputs


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


@pytest.mark.parametrize("protected", [True, False])
def test_deletion_protection_stops_pulumi_and_google(*, protected: bool) -> None:
    recorder = build(topology=topology(deletion_protection=protected))
    for each in (recorder.one(CLUSTER), *recorder.all(SECRET)):
        assert each.inputs["deletionProtection"] is protected
        assert bool(each.protect) is protected


def test_a_regional_cluster_puts_control_plane_and_pools_in_the_region() -> None:
    recorder = build(topology=topology(zone=None))
    places = {each.inputs["location"] for each in (*recorder.all(POOL), recorder.one(CLUSTER))}
    assert places == {"us-central1"}


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


# Pools


def test_gpu_pools_are_tainted_start_at_zero_and_get_their_driver_from_gke(run: Run) -> None:
    gpu = pool(run(lambda: _drop(substrate())), "l4").inputs
    assert gpu["initialNodeCount"] == 0
    assert gpu["autoscaling"]["totalMinNodeCount"] == 0
    node = gpu["nodeConfig"]
    assert node["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    ]
    (accelerator,) = node["guestAccelerators"]
    assert (accelerator["type"], accelerator["count"]) == ("nvidia-l4", 1)
    assert accelerator["gpuDriverInstallationConfig"] == {"gpuDriverVersion": "DEFAULT"}
    assert node["imageType"] == "COS_CONTAINERD"


def test_pools_of_a_compute_class_take_only_pods_that_select_it() -> None:
    spot = dataclasses.replace(L4_POOL, name="l4-spot", capacity="spot")
    with_class = topology(gpu_pools=(L4_POOL, spot), compute_class=True)
    recorder = build(topology=with_class)
    gpu = gke_contract(with_class, secret_store=SecretStore(kind="kubernetes")).gpu
    assert gpu.compute_class is not None
    # Spot first, whatever the order of the config.
    assert gpu.compute_class.priorities == ((spot.node_pool_name,), (L4_POOL.node_pool_name,))
    ((key, value),) = gpu.node_selector.items()
    for name in ("l4", "l4-spot"):
        node = pool(recorder, name).inputs["nodeConfig"]
        assert node["labels"][key] == value == gpu.compute_class.name
        assert {"key": key, "value": value, "effect": "NO_SCHEDULE"} in node["taints"]
        # Whoever is meant to run there tolerates every taint.
        tolerated = {one.key for one in gpu.tolerations}
        if name == "l4-spot":
            tolerated |= {one.key for one in gpu.spot_tolerations}
        assert tolerated == {one["key"] for one in node["taints"]}
    assert key not in pool(recorder, "platform").inputs["nodeConfig"]["labels"]


def test_without_a_compute_class_pods_select_no_pool() -> None:
    gpu = gke_contract(TOPOLOGY, secret_store=SecretStore(kind="kubernetes")).gpu
    assert gpu.compute_class is None
    assert gpu.node_selector == {}


def test_the_platform_pool_has_neither_taint_nor_gpu() -> None:
    node = pool(build(), "platform").inputs["nodeConfig"]
    assert "taints" not in node
    assert "guestAccelerators" not in node


def test_every_pool_runs_as_the_nodes_identity_behind_the_metadata_server() -> None:
    pools = build().all(POOL)
    assert len(pools) == 2
    for each in pools:
        node = each.inputs["nodeConfig"]
        assert node["serviceAccount"] == "llmp-nodes@my-project.iam.gserviceaccount.com"
        assert node["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
        assert node["metadata"] == {"disable-legacy-endpoints": "true"}
        assert node["shieldedInstanceConfig"]["enableSecureBoot"] is True
        assert each.inputs["management"] == {"autoRepair": True, "autoUpgrade": True}


def test_raising_a_minimum_changes_no_input_that_replaces_a_pool() -> None:
    raised = topology(platform_pool=_raise(TOPOLOGY.platform_pool), gpu_pools=(_raise(L4_POOL),))
    before, after = build(), build(topology=raised)
    for name in ("platform", "l4"):
        old, new = pool(before, name), pool(after, name)
        assert {key for key in old.inputs if old.inputs[key] != new.inputs[key]} == {"autoscaling"}
        assert "initialNodeCount" in new.ignore_changes


def test_the_local_disks_that_gke_gives_a_machine_never_replace_its_pool() -> None:
    ignored = pool(build(), "l4").ignore_changes
    assert "nodeConfig.ephemeralStorageLocalSsdConfig" in ignored
    assert "nodeConfig.localNvmeSsdBlockConfig" in ignored


def test_spot_and_gpu_pools_take_any_zone_that_has_machines() -> None:
    assert pool(build(), "l4").inputs["autoscaling"]["locationPolicy"] == "ANY"
    assert pool(build(), "platform").inputs["autoscaling"]["locationPolicy"] == "BALANCED"


def test_upgrades_of_gpu_pools_need_no_quota_beyond_the_pool() -> None:
    upgrade = pool(build(), "l4").inputs["upgradeSettings"]
    assert (upgrade["maxSurge"], upgrade["maxUnavailable"]) == (0, 1)


# Identity


def test_nodes_have_the_four_least_roles_and_no_other_in_the_project() -> None:
    granted = build().all("gcp:projects/iAMMember:IAMMember")
    assert {each.inputs["role"] for each in granted} == set(NODE_ROLES.values())
    assert {each.inputs["member"] for each in granted} == {
        "serviceAccount:llmp-nodes@my-project.iam.gserviceaccount.com"
    }


def test_nobody_gets_a_primitive_role() -> None:
    roles = {each.inputs["role"] for each in build().registrations if "role" in each.inputs}
    assert not roles & {"roles/owner", "roles/editor", "roles/viewer"}


def test_no_identity_gets_a_key() -> None:
    types = {each.type for each in build().registrations}
    assert not [token for token in types if token.startswith("gcp:serviceaccount/key:")]


def test_the_identity_of_external_secrets_is_bound_once_the_cluster_made_its_pool() -> None:
    recorder = build()
    binding = recorder.one("gcp:serviceaccount/iAMMember:IAMMember")
    assert binding.inputs["role"] == "roles/iam.workloadIdentityUser"
    assert binding.inputs["member"] == (
        "serviceAccount:my-project.svc.id.goog[external-secrets/external-secrets]"
    )
    assert recorder.one(CLUSTER).urn in binding.depends_on


def test_the_contract_names_the_identity_that_is_made() -> None:
    recorder = build()
    account = recorder.one(
        "gcp:serviceaccount/account:Account", "substrate-external-secrets-account"
    )
    contract = recorder.component_outputs(recorder.one("llmp:substrate:GkeSubstrate").urn)[
        "contract"
    ]
    annotations = contract["workload_identities"]["external_secrets"]["annotations"]
    expected = f"{account.inputs['accountId']}@my-project.iam.gserviceaccount.com"
    assert annotations == {"iam.gke.io/gcp-service-account": expected}


# Secrets and registry


def test_secrets_are_empty_containers() -> None:
    types = {each.type for each in build().registrations}
    assert SECRET in types
    assert not [token for token in types if "secretVersion" in token.lower()]


def test_a_generated_secret_lets_external_secrets_push_and_a_supplied_one_only_read() -> None:
    recorder = build()
    roles: dict[str, set[str]] = {}
    for each in recorder.all(SECRET_ROLE):
        roles.setdefault(each.inputs["secretId"], set()).add(each.inputs["role"])
    assert roles == {
        "staging-vllm-api-key": {
            "roles/secretmanager.secretAccessor",
            "roles/secretmanager.viewer",
            "roles/secretmanager.secretVersionAdder",
        },
        "staging-hugging-face-token": {"roles/secretmanager.secretAccessor"},
    }


def test_a_generated_secret_is_marked_as_external_secrets_wants_it() -> None:
    generated = build().one(SECRET, "substrate-secrets-staging-vllm-api-key").inputs
    assert generated["labels"]["managed-by"] == "external-secrets"
    assert "annotations" not in generated
    assert "topics" not in generated


def test_no_secret_accessor_is_given_in_the_whole_project() -> None:
    granted = build().all("gcp:projects/iAMMember:IAMMember")
    assert not [each for each in granted if "secretmanager" in each.inputs["role"]]


def test_a_secret_cannot_be_generated_and_supplied() -> None:
    with pytest.raises(ValueError, match="staging-a cannot be generated and supplied"):
        build(generated_secrets=("a",), supplied_secrets=("a",))


ZONE_ROLE = "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember"


def test_who_writes_dns_records_may_write_those_of_one_zone_alone() -> None:
    recorder = build(dns=Dns(provider="google", zone="example-com"))
    accounts = {
        namespace: recorder.one(
            "gcp:serviceaccount/account:Account", f"substrate-{namespace}-account"
        ).inputs["accountId"]
        for namespace in ("cert-manager", "external-dns")
    }
    rights = recorder.all(ZONE_ROLE)
    assert {
        (each.inputs["managedZone"], each.inputs["role"], each.inputs["project"]) for each in rights
    } == {("example-com", "roles/dns.admin", "my-project")}
    assert len(rights) == 2
    assert set(accounts.values()) == {"llmp-cert-manager", "llmp-external-dns"}
    assert "dns.googleapis.com" in {
        each.inputs["service"] for each in recorder.all("gcp:projects/service:Service")
    }


def test_only_external_dns_may_see_which_zones_there_are() -> None:
    recorder = build(dns=Dns(provider="google", zone="example-com"))
    (reader,) = [
        each
        for each in recorder.all("gcp:projects/iAMMember:IAMMember")
        if each.inputs["role"] == "roles/dns.reader"
    ]
    assert reader.name == "substrate-external-dns-zone-reader"


def test_the_contract_names_the_identities_that_write_dns_records() -> None:
    recorder = build(dns=Dns(provider="google", zone="example-com"))
    contract = recorder.component_outputs(recorder.one("llmp:substrate:GkeSubstrate").urn)[
        "contract"
    ]
    bound = {
        each.inputs["member"] for each in recorder.all("gcp:serviceaccount/iAMMember:IAMMember")
    }
    for key in ("cert_manager", "external_dns"):
        identity = contract["workload_identities"][key]
        account = f"{identity['namespace']}/{identity['service_account']}"
        assert f"serviceAccount:my-project.svc.id.goog[{account}]" in bound


def test_without_a_zone_at_google_nobody_writes_records() -> None:
    recorder = build(dns=Dns(provider="cloudflare", zone="example.com"))
    assert not recorder.all(ZONE_ROLE)
    assert "dns.googleapis.com" not in {
        each.inputs["service"] for each in recorder.all("gcp:projects/service:Service")
    }


def test_without_secret_manager_there_are_no_secrets_and_no_identity_for_them() -> None:
    recorder = build(secret_store=SecretStore(kind="kubernetes"))
    assert not recorder.all(SECRET)
    assert not recorder.all("gcp:serviceaccount/iAMMember:IAMMember")


def test_the_registry_keeps_its_tags_and_the_nodes_read_it_alone() -> None:
    recorder = build()
    repository = recorder.one("gcp:artifactregistry/repository:Repository").inputs
    assert repository["dockerConfig"] == {"immutableTags": True}
    grant = recorder.one("gcp:artifactregistry/repositoryIamMember:RepositoryIamMember").inputs
    assert grant["role"] == "roles/artifactregistry.reader"
    assert grant["repository"] == repository["repositoryId"] == "llmp-models"


def test_without_a_registry_the_contract_has_no_prefix() -> None:
    recorder = build(topology=topology(registry=NO_MODELS))
    assert not recorder.all("gcp:artifactregistry/repository:Repository")
    urn = recorder.one("llmp:substrate:GkeSubstrate").urn
    assert recorder.component_outputs(urn)["contract"].get("registry_prefix") is None


def test_argo_cd_waits_for_nodes_to_run_on() -> None:
    recorder = build()
    namespace = recorder.one("kubernetes:core/v1:Namespace")
    assert pool(recorder, "platform").urn in namespace.depends_on


def _raise(one: Any) -> Any:  # noqa: ANN401 - either kind of pool
    return type(one)(
        **{
            **{slot: getattr(one, slot) for slot in one.__slots__},
            "min_nodes": one.min_nodes + 1,
        }
    )


def _drop(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
