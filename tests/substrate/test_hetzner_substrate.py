"""The Hetzner substrate as a program registers it: every resource, its options, its secrets."""

import base64
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components.contract import SubstrateContract
from components.substrate.hetzner_addons import csi_values
from components.versions import CILIUM, HCLOUD_CCM, HCLOUD_CSI, UBUNTU_IMAGE
from tests.harness import Recorder, Registration, deploy
from tests.substrate.hetzner_samples import TOKEN, VSWITCH, WITH_GPU, program, topology

SERVER = "hcloud:index/server:Server"
FIREWALL = "hcloud:index/firewall:Firewall"
ATTACHMENT = "hcloud:index/serverNetwork:ServerNetwork"
RELEASE = "kubernetes:helm.sh/v3:Release"
COMMAND = "command:local:Command"
FIRST = "substrate-control-plane-0-server"
HIGH: dict[str, Any] = {"control_plane": {"count": 3}}


@pytest.fixture(scope="module")
def smallest() -> Recorder:
    return deploy(program())


@pytest.fixture(scope="module")
def largest() -> Recorder:
    pools = {"worker_pools": [{"name": "web", "count": 12}]}
    return deploy(program({**HIGH, **WITH_GPU, **VSWITCH, **pools}))


def _release(recorder: Recorder, chart: str) -> Registration:
    return next(each for each in recorder.all(RELEASE) if each.inputs["chart"] == chart)


def _user_data(server: Registration) -> dict[str, str]:
    document = yaml.safe_load(server.inputs["userData"])
    return {file["path"]: file["content"] for file in document["write_files"]}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)


@pytest.mark.parametrize("preview", [False, True])
def test_every_shape_registers_as_an_up_and_as_a_preview(*, preview: bool) -> None:
    no_workers: dict[str, Any] = {
        "worker_pools": [],
        "control_plane": {"count": 3, "schedulable": True},
    }
    for changes in ({}, HIGH, WITH_GPU, no_workers):
        recorder = deploy(program(changes), preview=preview)
        assert recorder.secret_exports == frozenset({"kubeconfig"})


def test_everything_hangs_under_the_substrate(smallest: Recorder) -> None:
    for each in smallest.registrations:
        if each.type != "llmp:substrate:HetznerSubstrate":
            assert smallest.ancestors(each)[-1] == "llmp:substrate:HetznerSubstrate", each.name


def test_the_contract_is_plain_and_complete_before_anything_exists() -> None:
    exported = deploy(program(WITH_GPU), preview=True).exports["substrate"]
    contract = SubstrateContract.from_output(exported)
    assert (contract.cloud, contract.region) == ("hetzner", "nbg1")
    assert contract.storage_class == "hcloud-volumes"


# Network and firewall.


def test_the_subnet_lies_in_the_zone_of_the_location(smallest: Recorder) -> None:
    subnet = smallest.one("hcloud:index/networkSubnet:NetworkSubnet")
    assert subnet.inputs["networkZone"] == "eu-central"
    assert subnet.inputs["type"] == "cloud"
    assert isinstance(subnet.inputs["networkId"], int)


def test_only_the_api_and_only_from_the_given_networks_is_reachable(smallest: Recorder) -> None:
    control_plane = smallest.one(FIREWALL, "substrate-firewall-control-plane")
    ports = {rule.get("port"): rule for rule in control_plane.inputs["rules"]}
    assert set(ports) == {"6443", None}
    assert ports["6443"]["sourceIps"] == ["203.0.113.0/24"]
    assert ports[None]["protocol"] == "icmp"
    workers = smallest.one(FIREWALL, "substrate-firewall-workers")
    assert [rule["protocol"] for rule in workers.inputs["rules"]] == ["icmp"]


def test_no_server_is_ever_without_its_firewall(smallest: Recorder) -> None:
    for server in smallest.all(SERVER):
        assert len(server.inputs["firewallIds"]) == 1


def test_no_server_carries_an_ssh_key(smallest: Recorder) -> None:
    assert all("sshKeys" not in server.inputs for server in smallest.all(SERVER))


# Servers.


def test_user_data_and_image_never_replace_a_server(largest: Recorder) -> None:
    for server in largest.all(SERVER):
        never = {"userData", "image", "name"}
        etcd = server.inputs["labels"]["role"] == "control-plane"
        assert set(server.ignore_changes) == (never | {"location"} if etcd else never)
        assert server.inputs["image"] == UBUNTU_IMAGE


def test_user_data_is_secret_and_within_the_limit(largest: Recorder) -> None:
    for server in largest.all(SERVER):
        assert server.secret_inputs == frozenset({"userData"})
        assert len(server.inputs["userData"].encode()) <= 32 * 1024


def test_every_server_is_attached_to_the_network_and_only_etcd_by_a_fixed_address(
    largest: Recorder,
) -> None:
    attachments = {each.parent_name: each.inputs for each in largest.all(ATTACHMENT)}
    assert len(attachments) == len(largest.all(SERVER)) == 15
    assert attachments["substrate-control-plane-1"]["ip"] == "10.0.127.253"
    assert "ip" not in attachments["substrate-pool-web-0"]
    assert all("networkId" not in inputs for inputs in attachments.values())


def test_with_protection_the_control_plane_is_protected_and_workers_are_not() -> None:
    recorder = deploy(program({"deletion_protection": True, "control_plane": {"count": 3}}))
    for server in recorder.all(SERVER):
        protected = server.inputs["labels"]["role"] == "control-plane"
        assert server.inputs["deleteProtection"] is protected
        assert server.inputs["rebuildProtection"] is protected


def test_nothing_is_protected_unless_the_stack_asks_for_it(largest: Recorder) -> None:
    for each in largest.registrations:
        assert each.inputs.get("deleteProtection") in (None, False), each.name


def test_no_placement_group_gets_more_servers_than_it_takes(largest: Recorder) -> None:
    groups = [server.inputs["placementGroupId"] for server in largest.all(SERVER)]
    assert max(groups.count(group) for group in groups) <= 10
    types = {
        each.inputs["type"] for each in largest.all("hcloud:index/placementGroup:PlacementGroup")
    }
    assert types == {"spread"}


def test_adding_servers_changes_no_server_that_is_there() -> None:
    few = deploy(program({"worker_pools": [{"name": "web", "count": 2}]}))
    many = deploy(program({**HIGH, "worker_pools": [{"name": "web", "count": 3}]}))
    kept = {each.urn: each.inputs for each in many.registrations}
    for each in few.registrations:
        assert each.urn in kept
        if each.type in (SERVER, ATTACHMENT):
            compared = set(each.inputs) - {"userData"}
            assert {key: kept[each.urn][key] for key in compared} == {
                key: each.inputs[key] for key in compared
            }


def test_the_first_servers_address_is_its_own_before_the_server_exists(smallest: Recorder) -> None:
    address = smallest.one("hcloud:index/primaryIp:PrimaryIp")
    server = smallest.one(SERVER, FIRST)
    assert address.inputs["autoDelete"] is False
    assert address.urn in server.depends_on
    assert server.inputs["publicNets"][0]["ipv6Enabled"] is False


# Certificates and kubeconfig.


def _kubeconfig(recorder: Recorder) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(recorder.exports["kubeconfig"]))


def _certificate(data: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(data))


def _placed(recorder: Recorder, name: str) -> x509.Certificate:
    files = _user_data(recorder.one(SERVER, FIRST))
    return x509.load_pem_x509_certificate(files[f"/var/lib/rancher/k3s/server/tls/{name}"].encode())


def test_the_administrator_is_signed_by_the_authority_that_the_first_server_gets(
    smallest: Recorder,
) -> None:
    user = _kubeconfig(smallest)["users"][0]["user"]
    administrator = _certificate(user["client-certificate-data"])
    authority = _placed(smallest, "client-ca.crt")
    administrator.verify_directly_issued_by(authority)
    groups = administrator.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [group.value for group in groups] == ["system:masters"]
    usage = administrator.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not administrator.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_administrators_key_belongs_to_the_certificate(smallest: Recorder) -> None:
    user = _kubeconfig(smallest)["users"][0]["user"]
    key = load_pem_private_key(base64.b64decode(user["client-key-data"]), None)
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    certificate = _certificate(user["client-certificate-data"])
    assert key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def test_the_kubeconfig_trusts_the_authority_that_signs_the_api(smallest: Recorder) -> None:
    cluster = _kubeconfig(smallest)["clusters"][0]["cluster"]
    trusted = _certificate(cluster["certificate-authority-data"])
    assert trusted == _placed(smallest, "server-ca.crt")
    address = smallest.one(COMMAND).inputs["stdin"]
    assert json.loads(address)["url"] == f"{cluster['server']}/readyz"


def test_every_authority_is_its_own_and_may_sign(smallest: Recorder) -> None:
    names = ("server-ca", "client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca")
    authorities = [_placed(smallest, f"{name}.crt") for name in names]
    assert len({each.fingerprint(each.signature_hash_algorithm) for each in authorities}) == 5  # type: ignore[arg-type]
    for authority in authorities:
        authority.verify_directly_issued_by(authority)
        assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_kubeconfig_of_another_stack_is_of_another_authority(smallest: Recorder) -> None:
    other = deploy(program(), stack="other")
    user = _kubeconfig(other)["users"][0]["user"]
    with pytest.raises(InvalidSignature):
        _certificate(user["client-certificate-data"]).verify_directly_issued_by(
            _placed(smallest, "client-ca.crt")
        )


def test_no_change_of_the_program_makes_another_authority(smallest: Recorder) -> None:
    for authority in smallest.all("tls:index/selfSignedCert:SelfSignedCert"):
        assert {"subject", "validityPeriodHours", "allowedUses"} <= set(authority.ignore_changes)
    for key in smallest.all("tls:index/privateKey:PrivateKey"):
        assert key.ignore_changes == ("algorithm", "ecdsaCurve", "rsaBits")


# Secrets.


def test_no_secret_stands_in_a_plain_input(largest: Recorder) -> None:
    files = _user_data(largest.one(SERVER, FIRST))
    keys = [text for path, text in files.items() if path.endswith(".key")]
    settings = yaml.safe_load(files["/etc/rancher/k3s/config.yaml"])
    secrets = [TOKEN, settings["token"], settings["agent-token"], *keys]
    assert len(keys) == 6
    for each in largest.registrations:
        for key, value in each.inputs.items():
            if key in each.secret_inputs or any(
                path.startswith(f"{key}.") for path in each.secret_inputs
            ):
                continue
            for text in _texts(value):
                assert not any(secret in text for secret in secrets), f"{each.name}.{key}"


def test_the_wait_shows_no_secret_to_the_process_list(smallest: Recorder) -> None:
    command = smallest.one(COMMAND)
    assert command.secret_inputs == frozenset({"stdin"})
    assert "environment" not in command.inputs
    assert command.inputs["interpreter"] == ["python3", "-c"]
    compile(command.inputs["create"], "wait", "exec")


# The cluster.


def test_nothing_talks_to_the_cluster_before_its_api_is_ready(smallest: Recorder) -> None:
    command = smallest.one(COMMAND)
    assert smallest.one(SERVER, FIRST).urn in command.depends_on
    provider = smallest.one("pulumi:providers:kubernetes")
    assert command.urn in provider.depends_on
    for each in smallest.registrations:
        if each.type.startswith("kubernetes:"):
            assert each.provider == provider.name


def test_a_renewed_certificate_leaves_the_cluster_the_same(smallest: Recorder) -> None:
    provider = smallest.one("pulumi:providers:kubernetes")
    assert len(provider.inputs["clusterIdentifier"]) == 64
    assert provider.secret_inputs == frozenset({"kubeconfig"})


def test_cilium_stands_in_for_kube_proxy_and_reaches_the_api_on_every_node(
    smallest: Recorder,
) -> None:
    release = _release(smallest, "cilium")
    values = release.inputs["values"]
    assert release.inputs["version"] == CILIUM.version
    assert values["kubeProxyReplacement"] is True
    assert (values["k8sServiceHost"], values["k8sServicePort"]) == ("127.0.0.1", 6444)


def test_packets_of_pods_pass_the_netfilter_that_guards_the_metadata(smallest: Recorder) -> None:
    values = _release(smallest, "cilium").inputs["values"]
    assert values["bpf"] == {"masquerade": False, "hostLegacyRouting": True}


def test_the_tunnel_fits_the_network_below_it(smallest: Recorder, largest: Recorder) -> None:
    assert _release(smallest, "cilium").inputs["values"]["MTU"] == 1450
    assert _release(largest, "cilium").inputs["values"]["MTU"] == 1400


def test_on_one_node_nothing_waits_for_a_second_replica() -> None:
    alone = deploy(program({"worker_pools": [], "control_plane": {"schedulable": True}}))
    assert _release(alone, "cilium").inputs["values"]["operator"]["replicas"] == 1


def test_load_balancers_without_annotations_do_not_stay_pending(smallest: Recorder) -> None:
    release = _release(smallest, "hcloud-cloud-controller-manager")
    values = release.inputs["values"]
    assert release.inputs["version"] == HCLOUD_CCM.version
    assert values["env"]["HCLOUD_LOAD_BALANCERS_NETWORK_ZONE"] == {"value": "eu-central"}
    assert "HCLOUD_LOAD_BALANCERS_LOCATION" not in values["env"]
    assert values["networking"] == {"enabled": True, "clusterCIDR": "10.244.0.0/16"}


def test_the_pinned_cloud_controller_is_one_that_the_api_still_answers() -> None:
    assert tuple(int(part) for part in HCLOUD_CCM.version.split(".")) >= (1, 30, 1)


def test_volumes_have_one_default_class_and_the_driver_may_ask_for_the_servers_id(
    smallest: Recorder,
) -> None:
    release = _release(smallest, "hcloud-csi")
    assert release.inputs["version"] == HCLOUD_CSI.version
    values = release.inputs["values"]
    assert values == csi_values(topology())
    assert [each["name"] for each in values["storageClasses"]] == ["hcloud-volumes"]
    assert values["storageClasses"][0]["defaultStorageClass"] is True
    assert values["node"]["hostNetwork"] is True


def test_the_volume_drivers_only_pod_keeps_no_node_from_being_drained() -> None:
    controller = csi_values(topology())["controller"]
    assert controller.get("replicaCount", 1) == 1
    assert controller["podDisruptionBudget"] == {"create": False}


def test_the_token_reaches_the_cluster_as_a_secret(smallest: Recorder) -> None:
    secret = smallest.one("kubernetes:core/v1:Secret", "substrate-addons-token")
    assert secret.inputs["metadata"] == {"name": "hcloud", "namespace": "kube-system"}
    assert secret.inputs["stringData"] == {"token": TOKEN, "network": "llmp"}
    assert any(path.startswith("stringData") for path in secret.secret_inputs)


def test_cilium_encrypts_between_nodes_when_it_is_asked_to(smallest: Recorder) -> None:
    assert _release(smallest, "cilium").inputs["values"]["encryption"] == {"enabled": False}
    asked = deploy(program({"wireguard": True}))
    values = _release(asked, "cilium").inputs["values"]
    assert values["encryption"] == {"enabled": True, "type": "wireguard"}
    # Of the packets between nodes: Cilium takes its tunnel's and WireGuard's 130 bytes off itself.
    assert values["MTU"] == 1450


def test_cilium_and_the_cloud_controller_do_not_wait_for_each_other(smallest: Recorder) -> None:
    network = _release(smallest, "cilium")
    controller = _release(smallest, "hcloud-cloud-controller-manager")
    assert controller.urn not in network.depends_on
    assert network.urn not in controller.depends_on
    volumes = _release(smallest, "hcloud-csi")
    assert {network.urn, controller.urn} <= volumes.depends_on


def test_every_wait_ends(largest: Recorder) -> None:
    for release in largest.all(RELEASE):
        assert 0 < release.inputs["timeout"] <= 900
        assert release.inputs.get("skipAwait") in (None, False)


def test_what_the_cluster_lives_on_goes_with_its_first_server(smallest: Recorder) -> None:
    server = smallest.one(SERVER, FIRST)
    for chart in ("cilium", "hcloud-cloud-controller-manager", "hcloud-csi"):
        assert _release(smallest, chart).deleted_with == server.urn


def test_argo_cd_and_the_operator_come_last(largest: Recorder) -> None:
    volumes = _release(largest, "hcloud-csi")
    for name in ("substrate-argo-cd-namespace", "substrate-gpu-operator-namespace"):
        assert volumes.urn in largest.one("kubernetes:core/v1:Namespace", name).depends_on


def test_without_dedicated_servers_there_is_no_gpu_operator(smallest: Recorder) -> None:
    assert not smallest.all("llmp:substrate:GpuOperator")


def test_argo_cd_goes_before_the_workers_that_its_pods_run_on(largest: Recorder) -> None:
    namespace = largest.one("kubernetes:core/v1:Namespace", "substrate-argo-cd-namespace")
    workers = {each.urn for each in largest.all(SERVER) if "HetznerNodePool" in each.urn}
    assert workers
    assert workers <= namespace.depends_on
