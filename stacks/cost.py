"""What the machines of a stack cost a month: idle, and with every pool at its maximum.

List prices, on demand, without tax, discount, disks and traffic: enough to see that a change
doubles the bill, not to write one. A machine without a price is named, never counted as free.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from stacks.config.stack import ExistingStack, GkeStack, HetznerStack, Stack

HOURS_PER_MONTH: Final = 730

GOOGLE_USD_PER_HOUR: Final[Mapping[str, float]] = {
    "e2-standard-2": 0.067,
    "e2-standard-4": 0.134,
    "e2-standard-8": 0.268,
    "e2-standard-16": 0.536,
    "g2-standard-4": 0.71,
    "g2-standard-8": 0.85,
    "g2-standard-12": 1.00,
    "g2-standard-16": 1.15,
    "g2-standard-24": 2.00,
    "g2-standard-32": 1.73,
    "g2-standard-48": 4.00,
    "g2-standard-96": 8.00,
    "a2-highgpu-1g": 3.67,
    "a2-highgpu-2g": 7.35,
    "a2-highgpu-4g": 14.69,
    "a2-highgpu-8g": 29.39,
    "a2-ultragpu-1g": 5.07,
}
"""us-central1, on demand, rounded to the cent (Google Cloud's VM price list, 2026)."""

GKE_USD_PER_HOUR: Final = 0.10
"""Management fee of one cluster, before the free tier (GKE price list)."""

HETZNER_EUR_PER_MONTH: Final[Mapping[str, float]] = {
    "cx33": 8.49,
    "cx43": 15.99,
    "cax11": 5.99,
    "cax21": 10.49,
    "cax31": 20.99,
    "cpx22": 19.49,
    "cpx32": 35.49,
    "cpx42": 69.49,
    "ccx13": 42.99,
    "ccx23": 85.99,
    "ccx33": 138.49,
}
"""Without value-added tax and IPv4 address (Hetzner's price list after April 2026)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthlyCost:
    """The bill of the machines."""

    currency: Literal["USD", "EUR"]
    idle: float
    """Every pool at its minimum."""
    maximum: float
    """Every pool at its maximum, all month."""
    unpriced: tuple[str, ...]
    """Machine types that have no price here and are not counted."""

    def __str__(self) -> str:
        """Return the bill in one line for people."""
        sign = {"USD": "$", "EUR": "€"}[self.currency]
        line = f"{sign}{self.idle:,.0f} a month idle"
        if self.maximum != self.idle:
            line += f", {sign}{self.maximum:,.0f} with every pool at its maximum"
        if self.unpriced:
            line += f", without {', '.join(self.unpriced)}, of unknown price"
        return line

    def as_dict(self) -> dict[str, Any]:
        """Return the cost as JSON data."""
        return {
            "currency": self.currency,
            "monthly_idle": round(self.idle, 2),
            "monthly_max": round(self.maximum, 2),
            "unpriced": list(self.unpriced),
        }


def monthly_cost(stack: Stack) -> MonthlyCost | None:
    """Return what the machines of a stack cost a month; None where it makes none."""
    match stack:
        case GkeStack():
            prices = {
                machine: price * HOURS_PER_MONTH for machine, price in GOOGLE_USD_PER_HOUR.items()
            }
            return _sum("USD", prices, _gke_machines(stack), GKE_USD_PER_HOUR * HOURS_PER_MONTH)
        case HetznerStack():
            return _sum("EUR", HETZNER_EUR_PER_MONTH, _hetzner_machines(stack), 0)
        case ExistingStack():
            return None


def _gke_machines(stack: GkeStack) -> Iterator[tuple[str, int, int]]:
    pool = stack.gke.platform_pool.pool()
    yield pool.machine_type, pool.min_nodes, pool.max_nodes
    for gpu_pool in (one.pool() for one in stack.gke.gpu_pools):
        yield gpu_pool.machine_type, gpu_pool.min_nodes, gpu_pool.max_nodes


def _hetzner_machines(stack: HetznerStack) -> Iterator[tuple[str, int, int]]:
    topology = stack.hetzner.topology()
    control_plane = topology.control_plane
    yield control_plane.server_type, control_plane.count, control_plane.count
    for pool in topology.worker_pools:
        yield pool.server_type, pool.count, pool.count


def _sum(
    currency: Literal["USD", "EUR"],
    prices: Mapping[str, float],
    machines: Iterator[tuple[str, int, int]],
    fixed: float,
) -> MonthlyCost:
    idle = maximum = fixed
    unpriced: list[str] = []
    for machine, least, most in machines:
        if machine not in prices:
            unpriced.append(machine)
            continue
        idle += prices[machine] * least
        maximum += prices[machine] * most
    return MonthlyCost(
        currency=currency,
        idle=idle,
        maximum=maximum,
        unpriced=tuple(dict.fromkeys(unpriced)),
    )
