"""Feature openbao: sealed at first, and in nobody's way."""

import json
import re
from typing import Any

import pytest

from components.contract import SubstrateContract
from components.platform.apps.openbao import OPENBAO_PODS, server_config
from components.platform.config import Features, Tier
from components.platform.network import Outside
from tests.platform.samples import GKE, HETZNER, callers, entries, inputs, tenant, values

OPENBAO = Features(openbao=True)


def openbao(*, tier: Tier = "cost", contract: SubstrateContract = GKE) -> dict[str, Any]:
    return values(entries(inputs(features=OPENBAO, tier=tier, contract=contract))["openbao"])


def test_nothing_waits_for_what_only_people_can_open() -> None:
    by_name = entries(inputs(features=OPENBAO, profile="full"))
    assert "openbao" not in {one for entry in by_name.values() for one in entry.requires}
    assert by_name["openbao"].requires == ("cert-manager", "prometheus-crds")


def test_the_platforms_own_secrets_stay_where_they_are() -> None:
    with_it, without = entries(inputs(features=OPENBAO)), entries(inputs())
    assert values(with_it["secret-store"]) == values(without["secret-store"])
    assert with_it["openbao"].secrets == ()
    assert with_it["openbao"].generates == ()


@pytest.mark.parametrize(("tier", "count"), [("cost", 1), ("dev", 1), ("prod", 3)])
def test_three_servers_in_prod_that_find_each_other(tier: Tier, count: int) -> None:
    server = openbao(tier=tier)["server"]
    assert server["ha"]["replicas"] == count
    assert server["ha"]["raft"]["config"] == server_config(count)
    leaders = re.findall(r'leader_api_addr += "https://([^:"]+):8200"', server_config(count))
    assert leaders == [f"openbao-{number}.openbao-internal" for number in range(count)]
    assert server["ha"]["disruptionBudget"] == {"enabled": tier == "prod"}
    # In order, the second would wait for people to unseal the first.
    assert server["podManagementPolicy"] == "Parallel"


def test_no_word_of_the_configuration_is_one_that_the_chart_replaces() -> None:
    assert not re.search(
        "HOST_IP|POD_IP|HOSTNAME|API_ADDR|TRANSIT_ADDR|RAFT_ADDR", server_config(3)
    )
    assert "{{" not in server_config(3)


def test_it_speaks_tls_by_a_certificate_for_each_name_that_is_called() -> None:
    set_values = openbao(tier="prod")
    assert set_values["global"]["tlsDisable"] is False
    assert "tls_disable" not in server_config(3)
    certificates = {
        one["metadata"]["name"]: one["spec"]
        for one in set_values["extraObjects"]
        if one["kind"] == "Certificate"
    }
    names = certificates["openbao"]["dnsNames"]
    (server_name,) = set(re.findall(r'leader_tls_servername = "(.+)"', server_config(3)))
    assert server_name in names
    assert set_values["serverTelemetry"]["serviceMonitor"]["tlsConfig"]["serverName"] in names
    assert "*.openbao-internal.openbao.svc.cluster.local" in names
    assert ".openbao-internal.openbao.svc.cluster.local" in set_values["server"]["ha"]["apiAddr"]
    assert "127.0.0.1" in certificates["openbao"]["ipAddresses"]


def test_the_authority_of_its_certificate_is_made_in_its_own_namespace() -> None:
    objects = {(one["kind"], one["metadata"]["name"]): one for one in openbao()["extraObjects"]}
    for one in objects.values():
        assert one["metadata"]["namespace"] == "openbao"
    for (kind, _), one in objects.items():
        if kind == "Certificate":
            issuer = one["spec"]["issuerRef"]
            assert (issuer["kind"], issuer["name"]) in objects
    ca = objects["Issuer", "openbao-ca"]["spec"]["ca"]["secretName"]
    assert ca == objects["Certificate", "openbao-ca"]["spec"]["secretName"]


def test_a_new_certificate_and_a_full_audit_file_are_noticed() -> None:
    server = openbao()["server"]
    (housekeeper,) = server["extraContainers"]
    script = housekeeper["command"][-1]
    assert "pkill -HUP -x bao" in script
    assert "/openbao/tls/tls.crt" in script
    assert "/openbao/audit/audit.log" in script
    assert server["shareProcessNamespace"] is True
    assert 'file_path = "/openbao/audit/audit.log"' in server_config(1)
    # One file and seven before it are less than the disk.
    assert server["auditStorage"]["size"] == "10Gi"


def test_a_sealed_server_is_not_restarted() -> None:
    probe = openbao()["server"]["livenessProbe"]
    assert probe["enabled"] is True
    for code in ("sealedcode=204", "uninitcode=204", "standbyok=true"):
        assert code in probe["path"]


def test_injector_pages_and_driver_are_off() -> None:
    set_values = openbao()
    for part in ("injector", "csi", "ui"):
        assert set_values[part] == {"enabled": False}
    assert "ui = false" in server_config(1)


def test_tenants_reach_it_and_the_internet_does_not() -> None:
    by_name = entries(inputs(features=OPENBAO, tenants=(tenant("team-a"), tenant("team-b"))))
    assert callers(by_name, OPENBAO_PODS) == {"openbao", "monitoring", "team-a", "team-b"}
    assert by_name["openbao"].hosts == ()
    assert all(one.server is not Outside.INTERNET for one in by_name["openbao"].connections)


def test_data_and_audit_are_on_disks_of_the_class_that_the_substrate_promises() -> None:
    server = openbao(contract=HETZNER)["server"]
    for disk in (server["dataStorage"], server["auditStorage"]):
        assert disk == {"enabled": True, "size": "10Gi", "storageClass": "hcloud-volumes"}


@pytest.mark.parametrize(("tier", "kept"), [("cost", "Delete"), ("prod", "Retain")])
def test_only_in_production_its_disks_outlive_it(tier: Tier, kept: str) -> None:
    policy = openbao(tier=tier)["server"]["persistentVolumeClaimRetentionPolicy"]
    assert policy == {"whenDeleted": kept, "whenScaled": "Retain"}


def test_its_containers_are_as_restricted_as_its_namespace() -> None:
    server = openbao()["server"]
    containers = (
        server["statefulSet"]["securityContext"]["container"],
        server["extraContainers"][0]["securityContext"],
    )
    for container in containers:
        assert container["allowPrivilegeEscalation"] is False
        assert container["capabilities"] == {"drop": ["ALL"]}
        assert container["readOnlyRootFilesystem"] is True
    assert server["statefulSet"]["securityContext"]["pod"]["runAsNonRoot"] is True
    assert "runAsUser" in json.dumps(server["statefulSet"]["securityContext"]["pod"])
