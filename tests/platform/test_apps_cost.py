"""Feature opencost: prices that count, and nothing that answers whoever asks."""

import re
from dataclasses import replace
from typing import Any

import pytest

from components.contract import SubstrateContract
from components.platform.apps.cost import OPENCOST_PODS, cost_model
from components.platform.apps.parts import PROMETHEUS_PODS
from components.platform.catalogue import PlatformInputs
from components.platform.config import Features, InfrastructurePrices, OpenCost, Profile
from components.platform.network import Outside
from tests.platform.samples import BARE, GKE, HETZNER, callers, entries, inputs, values

COST = Features(opencost=True)


def stack(
    *,
    prices: InfrastructurePrices | None = None,
    profile: Profile = "platform",
    contract: SubstrateContract = GKE,
) -> PlatformInputs:
    of = inputs(features=COST, profile=profile, contract=contract)
    changed = {} if prices is None else {"opencost": OpenCost(prices=prices)}
    return replace(of, config=of.config.model_copy(update=changed))


def opencost(contract: SubstrateContract = GKE) -> dict[str, Any]:
    found: dict[str, Any] = values(entries(stack(contract=contract))["opencost"])["opencost"]
    return found


@pytest.mark.parametrize("profile", ["platform", "full"])
def test_costs_are_a_feature_of_every_profile(profile: Profile) -> None:
    assert "opencost" in entries(stack(profile=profile))
    assert "opencost" not in entries(inputs(profile=profile))


def test_hourly_prices_are_handed_over_by_the_month() -> None:
    prices = InfrastructurePrices(
        cpu_usd_per_hour=0.03,
        memory_usd_per_gib_hour=0.004,
        gpu_usd_per_hour=1.0,
        storage_usd_per_gib_month=0.1,
        internet_egress_usd_per_gib=0.12,
    )
    model = cost_model(stack(prices=prices))
    # OpenCost divides these four by 730, and leaves traffic as it is.
    assert float(model["CPU"]) / 730 == pytest.approx(0.03)
    assert float(model["RAM"]) / 730 == pytest.approx(0.004)
    assert float(model["GPU"]) / 730 == pytest.approx(1.0)
    assert float(model["storage"]) == pytest.approx(0.1)
    assert float(model["internetNetworkEgress"]) == pytest.approx(0.12)


def test_the_prices_that_nobody_gave_are_a_machine_of_google() -> None:
    prices = InfrastructurePrices()
    e2_standard_4 = 4 * prices.cpu_usd_per_hour + 16 * prices.memory_usd_per_gib_hour
    assert e2_standard_4 == pytest.approx(0.134, abs=0.001)
    assert e2_standard_4 + prices.gpu_usd_per_hour == pytest.approx(0.71, abs=0.01)


def test_gpus_are_known_by_the_label_of_the_substrate() -> None:
    assert cost_model(stack(contract=GKE))["gpuLabel"] == GKE.gpu.product_label
    assert cost_model(stack(contract=HETZNER))["gpuLabel"] == HETZNER.gpu.product_label
    assert cost_model(stack(contract=BARE))["gpuLabel"] == "nvidia.com/gpu.present"


def test_spot_nodes_have_no_label_because_their_gpus_would_cost_nothing() -> None:
    assert not {"spotLabel", "spotLabelValue"} & set(cost_model(stack()))


def test_no_price_list_is_asked_and_so_no_key_is_needed() -> None:
    exporter = opencost()["exporter"]
    assert exporter["extraEnv"] == {"USE_CUSTOM_PROVIDER": "true"}
    assert "cloudProviderApiKey" not in exporter
    entry = entries(stack())["opencost"]
    assert all(one.server is not Outside.INTERNET for one in entry.connections)
    assert entry.secrets == ()


def test_it_reads_our_prometheus() -> None:
    prometheus = opencost()["prometheus"]
    assert prometheus["internal"]["enabled"] is False
    assert prometheus["external"] == {
        "enabled": True,
        "url": "http://kube-prometheus-stack-prometheus.monitoring.svc.cluster.local:9090",
    }
    by_name = entries(stack())
    assert any(
        (one.client, one.server, one.ports) == (OPENCOST_PODS, PROMETHEUS_PODS, (9090,))
        for one in by_name["opencost"].connections
    )


def test_what_answers_whoever_asks_is_off_and_prometheus_alone_reads_it() -> None:
    assert opencost()["mcp"] == {"enabled": False}
    assert opencost()["ui"] == {"enabled": False}
    assert callers(entries(stack()), OPENCOST_PODS) == {"monitoring"}
    assert entries(stack())["opencost"].hosts == ()


@pytest.mark.parametrize(
    ("metric", "kept"),
    [
        ("kube_node_status_allocatable", False),
        ("kube_node_status_capacity", False),
        ("kube_pod_labels", False),
        ("kube_node_status_capacity_cpu_cores", True),
        ("kube_node_labels", True),
        ("kubecost_pv_info", True),
        ("node_gpu_hourly_cost", True),
    ],
)
def test_nothing_is_told_twice_and_so_counted_twice(metric: str, *, kept: bool) -> None:
    metrics = opencost()["metrics"]
    assert metrics["kubeStateMetrics"] == {
        "emitKsmV1Metrics": False,
        "emitKsmV1MetricsOnly": True,
    }
    (rule,) = metrics["serviceMonitor"]["metricRelabelings"]
    assert rule["action"] == "drop"
    assert (re.fullmatch(rule["regex"], metric) is None) is kept


def test_the_cluster_has_its_own_name_in_the_costs() -> None:
    assert opencost(contract=HETZNER)["exporter"]["defaultClusterId"] == HETZNER.cluster_name
