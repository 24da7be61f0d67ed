"""The estimate of what a stack costs: idle, and with every pool at its maximum."""

import json
from typing import Any

import pytest

from components.substrate.gke_machines import GPU_MACHINES
from stacks import prices
from stacks.config import parse_stack
from stacks.cost import Cost, CostLine, stack_cost
from stacks.prices import HOURS_PER_MONTH
from tests.samples import EXISTING_STACK, GKE_STACK, HETZNER_STACK, PLATFORM

E2_STANDARD_4 = 0.13402284
G2_STANDARD_4 = 0.706832255
SPOT_G2_STANDARD_4 = 0.423956


# Without models: which of them fits which pool is not the subject here.
GKE: dict[str, Any] = {
    **GKE_STACK,
    "platform": {**PLATFORM, "profile": "platform"},
    "models": [],
    "tenants": [],
}


HETZNER: dict[str, Any] = {
    **{key: GKE[key] for key in ("platform", "models", "tenants")},
    "kind": "hetzner",
    "hetzner": {"location": "nbg1", "api_allowed_cidrs": ["203.0.113.0/24"]},
}


def cost_of(stack: dict[str, Any], **changes: object) -> Cost:
    section = stack["kind"]
    changed = {**stack, section: {**stack[section], **changes}}
    cost = stack_cost(parse_stack(changed, "Pulumi.test.yaml"))
    assert cost is not None
    return cost


def with_pool(**changes: object) -> Cost:
    pool = {"name": "l4", "accelerator": "nvidia-l4", **changes}
    return cost_of(GKE, gpu_pools=[pool])


def line_of(cost: Cost, start: str) -> CostLine:
    (line,) = [line for line in cost.lines if line.what.startswith(start)]
    return line


def lines_of(cost: Cost) -> list[str]:
    return [line.what for line in cost.lines]


def test_every_line_of_a_plain_stack_is_there() -> None:
    assert lines_of(cost_of(GKE_STACK)) == [
        "control plane, zonal",
        "node of pool platform: e2-standard-4, on-demand",
        "its boot disk: 100 GiB, pd-balanced",
        "node of pool l4: g2-standard-4, on-demand",
        "its boot disk: 200 GiB, pd-balanced",
        "Cloud NAT, by node",
        "address of Cloud NAT",
        "secret, one version in one location",
    ]


def test_the_sums_are_those_of_the_lines() -> None:
    cost = cost_of(GKE_STACK)
    secrets = line_of(cost, "secret").idle * 0.06
    idle = 0.10 + E2_STANDARD_4 + 0.0014 + 0.005
    assert cost.idle == pytest.approx(idle * HOURS_PER_MONTH + 100 * 0.10 + secrets)
    maximum = 0.10 + 3 * E2_STANDARD_4 + G2_STANDARD_4 + 4 * 0.0014 + 0.005
    disks = (3 * 100 + 200) * 0.10
    assert cost.maximum == pytest.approx(maximum * HOURS_PER_MONTH + disks + secrets)
    assert cost.hourly_idle == pytest.approx(cost.idle / HOURS_PER_MONTH)
    assert cost.hourly_max == pytest.approx(cost.maximum / HOURS_PER_MONTH)


def test_an_idle_gpu_pool_costs_nothing() -> None:
    pool = line_of(cost_of(GKE), "node of pool l4")
    assert pool.each == pytest.approx(G2_STANDARD_4)
    assert (pool.idle, pool.maximum) == (0, 1)
    assert cost_of(GKE, gpu_pools=[]).idle == pytest.approx(cost_of(GKE).idle)


def test_a_minimum_of_gpu_nodes_is_paid_all_month_with_its_disk() -> None:
    added = with_pool(min_nodes=1).idle - with_pool().idle
    assert added == pytest.approx((G2_STANDARD_4 + 0.0014) * HOURS_PER_MONTH + 200 * 0.10)


def test_spot_nodes_cost_the_spot_price_which_floats() -> None:
    pool = line_of(with_pool(capacity="spot"), "node of pool l4")
    assert pool.each == pytest.approx(SPOT_G2_STANDARD_4)
    assert "floats" in pool.note


def test_flex_start_nodes_are_counted_at_the_most_that_they_can_cost() -> None:
    pool = line_of(with_pool(capacity="flex-start"), "node of pool l4")
    assert pool.each == pytest.approx(G2_STANDARD_4)
    assert "up to 53% less" in pool.note


def test_a_reservation_is_paid_while_nothing_runs_on_it() -> None:
    cost = with_pool(capacity="reservation", reservation="l4-reserved", max_nodes=4)
    pool = line_of(cost, "node of pool l4")
    assert (pool.idle, pool.maximum) == (4, 4)
    disk = line_of(cost, "its boot disk: 200")
    assert (disk.idle, disk.maximum) == (0, 4)
    assert cost.idle > with_pool(max_nodes=4).idle + 4 * 500


def test_a_gpu_that_is_attached_is_paid_beside_its_machine() -> None:
    pool = {"name": "t4", "accelerator": "nvidia-tesla-t4", "accelerators_per_node": 2}
    cost = cost_of(GKE, gpu_pools=[pool])
    assert line_of(cost, "node of pool t4").each == pytest.approx(0.189999 + 2 * 0.35)


def test_every_machine_that_a_gpu_pool_can_name_has_an_on_demand_price() -> None:
    named = {
        machine.name: accelerator
        for accelerator, sold in GPU_MACHINES.items()
        for machines in sold.values()
        for machine in machines
    }
    assert len(named) > len(GPU_MACHINES)
    without = [
        name
        for name, accelerator in named.items()
        if not (
            name in prices.GPU_MACHINES
            or (name.rsplit("-", 1)[0] in prices.VCPUS and accelerator in prices.ATTACHED_GPUS)
        )
    ]
    assert without == []


def test_no_price_is_for_a_machine_that_nobody_sells() -> None:
    sold = {
        machine.name
        for counts in GPU_MACHINES.values()
        for machines in counts.values()
        for machine in machines
    }
    assert set(prices.GPU_MACHINES) <= sold


def test_spot_is_never_dearer_than_on_demand() -> None:
    pairs = [*prices.GPU_MACHINES.items(), *prices.VCPUS.items()]
    both = [
        (name, price.spot, price.on_demand)
        for name, price in pairs
        if price.spot is not None and price.on_demand is not None
    ]
    assert both
    assert [name for name, spot, on_demand in both if spot >= on_demand] == []


def test_a_machine_without_a_price_is_named_and_not_counted_as_free() -> None:
    cost = cost_of(GKE, platform_pool={"machine_type": "c2d-standard-4"})
    assert cost.unpriced == ("c2d-standard-4 (on-demand)",)
    assert line_of(cost, "node of pool platform").each is None
    assert str(cost).endswith("without c2d-standard-4 (on-demand), of unknown price")


def test_a_gpu_without_a_spot_price_leaves_its_node_without_a_price() -> None:
    pool = {"name": "t4", "accelerator": "nvidia-tesla-t4", "capacity": "spot"}
    cost = cost_of(GKE, gpu_pools=[pool])
    assert cost.unpriced == ("n1-standard-4 with 1 nvidia-tesla-t4 (spot)",)


def test_a_regional_control_plane_has_no_free_tier() -> None:
    zonal = cost_of(GKE)
    regional = cost_of(GKE, zone=None, platform_pool={"min_nodes": 3, "max_nodes": 3}, gpu_pools=[])
    assert any("one zonal cluster: $74.40" in note for note in zonal.notes)
    assert not any("zonal" in note for note in regional.notes)
    assert line_of(regional, "control plane, regional").each == 0.10


def test_another_region_is_said_to_have_other_prices() -> None:
    cost = cost_of(GKE, region="europe-west4", zone="europe-west4-a")
    assert any("europe-west4 has others" in note for note in cost.notes)
    assert not any("has others" in note for note in cost_of(GKE).notes)


def test_nat_costs_no_more_from_32_nodes_on() -> None:
    nat = line_of(with_pool(max_nodes=100), "Cloud NAT, by node")
    assert (nat.idle, nat.maximum) == (1, 32)


def test_reserved_nat_addresses_are_paid_each() -> None:
    cost = cost_of(GKE, network={"nat_addresses": 3})
    address = line_of(cost, "address of Cloud NAT")
    assert (address.idle, address.note) == (3, "")


def test_the_public_edge_costs_a_forwarding_rule() -> None:
    platform = {
        **PLATFORM,
        "domain": "llm.example.com",
        "features": {"public_edge": True, "identity": True},
        "identity": {"admin_email": "admin@example.com"},
        "edge": {"acme_email": "admin@example.com"},
    }
    public = {**GKE_STACK, "platform": platform}
    gke = {**GKE["gke"], "edge_address": True}
    public["gke"] = gke
    cost = stack_cost(parse_stack(public, "Pulumi.test.yaml"))
    assert cost is not None
    assert "free meanwhile" in line_of(cost, "load balancer of the public edge").note
    assert "load balancer of the public edge" not in lines_of(cost_of(GKE))


def test_a_secret_is_paid_in_each_location_that_keeps_it() -> None:
    once = line_of(cost_of(GKE_STACK), "secret")
    twice = line_of(cost_of(GKE_STACK, secret_locations=["us-central1", "us-east1"]), "secret")
    assert once.idle > 0
    assert twice.idle == 2 * once.idle


def test_what_depends_on_use_is_named_with_its_price() -> None:
    told = " ".join(cost_of(GKE_STACK).not_counted)
    for part in ("volumes", "traffic", "logs", "backups", "Artifact Registry", "scans"):
        assert part in told
    registry = {"models": False}
    assert not any(
        "Artifact" in text or "scans" in text
        for text in cost_of(GKE, registry=registry).not_counted
    )


def test_whose_prices_they_are_is_said_with_region_and_date() -> None:
    assert cost_of(GKE).source == "Cloud Billing catalogue, us-central1, 2026-08-20"


def test_every_line_of_a_hetzner_stack_is_there() -> None:
    assert lines_of(cost_of(HETZNER_STACK)) == [
        "server of the control plane: cpx32",
        "server of pool platform: cpx42",
        "IPv4 address of a server",
        "dedicated GPU server ada-0: GEX44",
    ]


def test_servers_of_hetzner_are_paid_in_euros_whether_used_or_not() -> None:
    cost = cost_of(HETZNER)
    assert (cost.currency, cost.idle) == ("EUR", pytest.approx(35.49 + 3 * 69.49 + 4 * 0.50))
    assert cost.maximum == pytest.approx(cost.idle)
    assert cost.source == "pricing API of Hetzner Cloud, eu-central, 2026-07-23"


def test_servers_that_the_autoscaler_may_add_cost_at_the_maximum_alone() -> None:
    pools = [{"name": "platform", "autoscaling": {"min": 1, "max": 4}}]
    cost = cost_of(HETZNER, worker_pools=pools)
    assert cost.idle == pytest.approx(35.49 + 69.49 + 2 * 0.50)
    assert cost.maximum == pytest.approx(35.49 + 4 * 69.49 + 5 * 0.50)


def test_each_load_balancer_of_hetzner_is_paid() -> None:
    assert "load balancer of the API" not in lines_of(cost_of(HETZNER))
    balanced = cost_of(HETZNER, control_plane={"load_balancer": "private"})
    assert balanced.idle - cost_of(HETZNER).idle == pytest.approx(7.49)
    edge = {
        "domain": "llm.example.org",
        "dns": {"provider": "cloudflare", "zone": "example.org", "token_secret": "dns-token"},
        "features": {"public_edge": True},
    }
    stack = {**HETZNER_STACK, "platform": {**PLATFORM, **edge}}
    assert line_of(cost_of(stack), "load balancer of the public edge").idle == 1


def test_a_dedicated_gpu_server_is_paid_by_its_model_with_its_setup_fee_beside() -> None:
    line = line_of(cost_of(HETZNER_STACK), "dedicated GPU server")
    assert line.hourly(1) * HOURS_PER_MONTH == pytest.approx(234.0)
    assert line.note == "and €114 once; as of 2026-06-15"


def test_secrets_that_a_hetzner_stack_keeps_at_google_are_named() -> None:
    federation = {"project": "my-project", "project_number": 123456789012}
    store = {"store": "google-secret-manager", "federation": federation}
    named = "secrets at Google ($0.06 a version and month)"
    assert named in cost_of({**HETZNER, "secrets": store}).not_counted
    assert named not in cost_of(HETZNER).not_counted


def test_outside_europe_the_estimate_says_whose_prices_it_takes() -> None:
    (note,) = [note for note in cost_of(HETZNER, location="ash").notes if "ash" in note]
    assert "those of eu-central" in note
    assert len(cost_of(HETZNER).notes) == 1


def test_the_line_for_people_names_what_is_not_in_it() -> None:
    line = str(cost_of(HETZNER, control_plane={"server_type": "cpx51"}))
    assert line == "€210 a month idle, without cpx51, of unknown price"


def test_a_cluster_that_is_there_already_costs_this_stack_nothing() -> None:
    assert stack_cost(parse_stack(EXISTING_STACK, "Pulumi.test.yaml")) is None


def test_the_document_has_the_sums_and_every_line() -> None:
    cost = cost_of(HETZNER, control_plane={"server_type": "cpx51"})
    document = json.loads(json.dumps(cost.as_dict()))
    assert document["monthly_idle"] == pytest.approx(210.47)
    assert document["hourly_max"] == pytest.approx(0.2883, abs=1e-4)
    assert [line["hourly_each"] is None for line in document["lines"]] == [True, False, False]
    assert [line["monthly_idle"] for line in document["lines"]] == [None, 208.47, 2.0]
    assert document["unpriced"] == ["cpx51"]
