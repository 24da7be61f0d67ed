"""The cost line: what the machines of a stack cost, idle and at their limits."""

from typing import Any

import pytest

from stacks.config import parse_stack
from stacks.cost import HOURS_PER_MONTH, MonthlyCost, monthly_cost
from tests.samples import EXISTING_STACK, GKE_STACK, HETZNER_STACK


def cost_of(stack: dict[str, Any], **changes: object) -> MonthlyCost:
    section = stack["kind"]
    changed = {**stack, section: {**stack[section], **changes}}
    cost = monthly_cost(parse_stack(changed, "Pulumi.test.yaml"))
    assert cost is not None
    return cost


def test_an_idle_gpu_pool_costs_nothing() -> None:
    cost = cost_of(GKE_STACK)
    assert cost.idle == pytest.approx((0.10 + 0.134) * HOURS_PER_MONTH)
    assert cost.maximum == pytest.approx((0.10 + 3 * 0.134 + 0.71) * HOURS_PER_MONTH)


def test_a_minimum_of_gpu_nodes_is_paid_all_month() -> None:
    pool = {"name": "l4", "accelerator": "nvidia-l4", "min_nodes": 1}
    added = cost_of(GKE_STACK, gpu_pools=[pool]).idle - cost_of(GKE_STACK).idle
    assert added == pytest.approx(0.71 * HOURS_PER_MONTH)


def test_servers_of_hetzner_are_paid_in_euros_whether_used_or_not() -> None:
    cost = cost_of(HETZNER_STACK)
    assert (cost.currency, cost.idle) == ("EUR", pytest.approx(35.49 + 3 * 69.49))
    assert cost.maximum == cost.idle


def test_a_machine_without_a_price_is_named_and_not_counted_as_free() -> None:
    cost = cost_of(HETZNER_STACK, control_plane={"server_type": "ccx63"})
    assert cost.unpriced == ("ccx63",)
    assert cost.idle == pytest.approx(3 * 69.49)


def test_the_line_for_people_names_what_is_not_in_it() -> None:
    line = str(cost_of(HETZNER_STACK, control_plane={"server_type": "ccx63"}))
    assert line == "€208 a month idle, without ccx63, of unknown price"


def test_a_cluster_that_is_there_already_costs_this_stack_nothing() -> None:
    assert monthly_cost(parse_stack(EXISTING_STACK, "Pulumi.test.yaml")) is None
