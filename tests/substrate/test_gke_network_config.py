"""The `gke.network` and `gke.control_plane` sections: what is refused, and with which fix."""

from typing import Any

import pytest
from pydantic import ValidationError

from stacks.config.gke import GkeConfig
from tests.substrate.test_gke_config import gpu_pool, parse, shape

KEY = "projects/my-keys/locations/{}/keyRings/llmp/cryptoKeys/kubernetes-secrets"
SURGE = {"strategy": "surge", "max_surge": 1, "max_unavailable": 0}
BLUE_GREEN = {"strategy": "blue-green"}


def messages(**changes: object) -> dict[str, str]:
    """Read a section that is refused, and return what it says about each path."""
    with pytest.raises(ValidationError) as caught:
        parse(**changes)
    return {
        ".".join(str(part) for part in error["loc"]): error["msg"]
        for error in caught.value.errors()
    }


def nodes_at_most(config: GkeConfig) -> int:
    topology = shape(config)
    return topology.platform_pool.most_nodes + sum(pool.most_nodes for pool in topology.gpu_pools)


# Room for the nodes


def test_a_pod_range_that_cannot_hold_the_pools_is_refused_with_the_sum_and_the_fix() -> None:
    message = messages(network={"pod_cidr": "10.4.0.0/24"})[""]
    assert "grow to 5 nodes while they are upgraded (4 platform + 1 l4)" in message
    assert "pod_cidr 10.4.0.0/24 has room for 1 node (a /24 each); take a /21" in message
    assert "node_cidr" not in message


def test_a_pod_range_smaller_than_that_of_one_node_holds_none() -> None:
    message = messages(network={"pod_cidr": "10.4.0.0/28"})[""]
    assert "pod_cidr 10.4.0.0/28 has room for 0 nodes" in message


def test_a_node_range_that_cannot_hold_the_pools_is_refused_with_the_sum_and_the_fix() -> None:
    message = messages(network={"node_cidr": "10.0.0.0/29"})[""]
    assert "has room for 4 nodes (8 addresses, 4 of them Google's); take a /28" in message


@pytest.mark.parametrize("bits", [21, 22, 23, 24])
def test_the_range_that_the_message_names_is_enough_and_half_of_it_is_not(bits: int) -> None:
    nodes = 2 ** (24 - bits)
    # One surge node, and the platform's four.
    pools = gpu_pool(max_nodes=nodes, upgrade=SURGE)
    message = messages(network={"pod_cidr": f"10.4.0.0/{bits}"}, **pools)[""]
    wanted = int(message.split("take a /")[1].split(";")[0])
    assert nodes_at_most(parse(network={"pod_cidr": f"10.64.0.0/{wanted}"}, **pools)) == nodes + 5
    assert "room for" in messages(network={"pod_cidr": f"10.64.0.0/{wanted + 1}"}, **pools)[""]


def test_blue_green_needs_room_for_the_pool_twice() -> None:
    network = {"pod_cidr": "10.4.0.0/20"}
    surge = parse(network=network, **gpu_pool(max_nodes=11, upgrade=SURGE))
    assert nodes_at_most(surge) == 16
    message = messages(network=network, **gpu_pool(max_nodes=11, upgrade=BLUE_GREEN))[""]
    assert "grow to 26 nodes while they are upgraded (4 platform + 22 gpu)" in message


def test_too_few_reserved_addresses_for_the_ports_of_all_nodes_are_refused() -> None:
    # 64 512 ports of an address, 1024 for each of 63 nodes.
    parse(network={"nat_addresses": 1}, **gpu_pool(max_nodes=58, upgrade=SURGE))
    message = messages(network={"nat_addresses": 1}, **gpu_pool(max_nodes=59, upgrade=SURGE))[""]
    assert "1 is enough for the ports of 63 nodes (64512 an address, 1024 a node)" in message
    assert message.endswith("set 2; or lower max_nodes")
    parse(network={"nat_addresses": 0}, **gpu_pool(max_nodes=59, upgrade=SURGE))


def test_everything_that_is_too_small_is_named_at_once() -> None:
    ranges = {"node_cidr": "10.0.0.0/29", "pod_cidr": "10.4.0.0/24"}
    message = messages(network=ranges)[""]
    assert "node_cidr" in message
    assert "pod_cidr" in message


# The control plane

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"secrets_encryption_key": KEY.format("global")},
        "control_plane",
        "is in location global, and GKE takes a key of the cluster's region alone; make one in us",
    ),
    (
        {"secrets_encryption_key": KEY.format("europe-west4")},
        "control_plane",
        "is in location europe-west4",
    ),
    (
        {"secrets_encryption_key": KEY.format("us-central1-a")},
        "control_plane",
        "is in location us-central1-a",
    ),
    ({"secrets_encryption_key": "kubernetes-secrets"}, "control_plane.secrets_encryption_key", ""),
    ({"security_group": "admins@example.com"}, "control_plane.security_group", "pattern"),
    ({"logs": ["workloads"]}, "control_plane.logs", "add system"),
    ({"logs": []}, "control_plane.logs", "add system"),
    ({"logs": ["system", "system"]}, "control_plane.logs", "system is there twice"),
    ({"logs": ["system", "audit"]}, "control_plane.logs.1", "'api-server'"),
    (
        {"endpoint": "ip", "authorized_networks": ["203.0.113.0/24"] * 2},
        "control_plane.authorized_networks",
        "203.0.113.0/24 is there twice; list each network once",
    ),
    (
        {
            "endpoint": "ip",
            "authorized_networks": [f"203.0.{number}.0/24" for number in range(101)],
        },
        "control_plane.authorized_networks",
        "at most 100",
    ),
]


@pytest.mark.parametrize(("changes", "path", "message"), REFUSED)
def test_a_control_plane_that_gke_would_not_make_is_refused(
    changes: dict[str, Any], path: str, message: str
) -> None:
    found = messages(control_plane=changes)
    assert path in found
    assert message in found[path]


def test_a_zonal_cluster_takes_a_key_of_its_region() -> None:
    section = parse(control_plane={"secrets_encryption_key": KEY.format("us-central1")})
    assert shape(section).location == "us-central1-a"
    assert shape(section).control_plane.secrets_encryption_key == KEY.format("us-central1")


# Maintenance


def exclusion(
    start: str, end: str, *, name: str = "freeze", scope: str = "no_upgrades"
) -> dict[str, str]:
    """Return an exclusion between two days of a year."""
    return {
        "name": name,
        "start": f"{start}T00:00:00Z",
        "end": f"{end}T00:00:00Z",
        "scope": scope,
    }


MAINTENANCE_REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"days": []}, "days", "name a day of the week"),
    ({"days": ["sunday", "sunday"]}, "days", "sunday is there twice"),
    ({"days": ["sundays"]}, "days.0", "'sunday'"),
    (
        {"days": ["sunday"]},
        "hours",
        "1 x 6 hours a week are 24 hours in 32 days, and GKE asks for 48; set hours: 12",
    ),
    ({"hours": 5}, "hours", "2 x 5 hours a week are 40 hours in 32 days"),
    ({"hours": 3}, "hours", "greater than or equal to 4"),
    ({"hours": 25}, "hours", "less than or equal to 24"),
    ({"start": "24:00"}, "start", "pattern"),
    (
        {"exclusions": [exclusion("2026-12-20", "2026-12-20")]},
        "exclusions.0.end",
        "is not after start 2026-12-20T00:00:00Z; write a later end",
    ),
    (
        {"exclusions": [exclusion("2026-12-20", "2026-02-30")]},
        "exclusions.0.end",
        "is no time: day",
    ),
    (
        {"exclusions": [{"name": "a", "start": "2026-12-20", "end": "2026-12-21T00:00:00Z"}]},
        "exclusions.0.start",
        "pattern",
    ),
    (
        {
            "exclusions": [
                {**exclusion("2026-12-20", "2026-12-21"), "end": "2026-12-21T00:00:00+01:00"}
            ]
        },
        "exclusions.0.end",
        "pattern",
    ),
    (
        {"exclusions": [exclusion("2026-12-01", "2027-01-01")]},
        "exclusions.0.end",
        "lasts 31 days here, and GKE takes 30 at most",
    ),
    (
        {"exclusions": [exclusion("2026-01-01", "2027-06-01", scope="no_minor_upgrades")]},
        "",
        "'freeze' lasts 516 days, and no version of channel regular is supported for more than 427",
    ),
    (
        {"exclusions": [exclusion("2026-12-01", "2026-12-05")] * 2},
        "exclusions",
        "two are called 'freeze'; give each a name of its own",
    ),
    (
        {
            "exclusions": [
                exclusion(f"2026-0{month}-01", f"2026-0{month}-02", name=f"freeze-{month}")
                for month in range(1, 5)
            ]
        },
        "exclusions",
        "4 have scope no_upgrades, and GKE takes 3",
    ),
    (
        {
            "exclusions": [
                exclusion("2026-12-01", "2026-12-02", name=f"freeze-{n}", scope="no_minor_upgrades")
                for n in range(21)
            ]
        },
        "exclusions",
        "these are 21, and GKE takes 20",
    ),
    (
        {
            "exclusions": [
                exclusion("2026-11-01", "2026-11-28", name="a"),
                exclusion("2026-11-29", "2026-12-20", name="b"),
            ]
        },
        "exclusions",
        "leaves less than 48 hours of the 32 days from 2026-11-01T00:00Z",
    ),
]


@pytest.mark.parametrize(("changes", "path", "message"), MAINTENANCE_REFUSED)
def test_maintenance_that_gke_would_not_take_is_refused(
    changes: dict[str, Any], path: str, message: str
) -> None:
    found = messages(control_plane={"maintenance": changes})
    place = f"control_plane.maintenance.{path}".rstrip(".")
    assert place in found
    assert message in found[place]


@pytest.mark.parametrize(
    "changes",
    [
        {"days": ["sunday"], "hours": 12},
        {"days": ["monday", "tuesday", "wednesday"], "hours": 4},
        {"exclusions": [exclusion("2026-12-01", "2026-12-31")]},
        # Two days between them, which is just enough.
        {
            "exclusions": [
                exclusion("2026-11-01", "2026-11-28", name="a"),
                exclusion("2026-11-30", "2026-12-20", name="b"),
            ]
        },
        {"exclusions": [exclusion("2026-01-01", "2026-12-31", scope="no_minor_or_node_upgrades")]},
    ],
)
def test_maintenance_at_the_limits_is_taken(changes: dict[str, Any]) -> None:
    section = parse(control_plane={"maintenance": changes})
    assert shape(section).control_plane.maintenance.days


def test_the_extended_channel_keeps_a_version_for_longer() -> None:
    long = exclusion("2026-01-01", "2027-06-01", scope="no_minor_upgrades")
    section = parse(
        control_plane={"release_channel": "extended", "maintenance": {"exclusions": [long]}}
    )
    (kept,) = shape(section).control_plane.maintenance.exclusions
    assert kept.end == "2027-06-01T00:00:00Z"


def test_by_default_gke_upgrades_at_weekends_and_system_logs_are_kept() -> None:
    control_plane = shape(parse()).control_plane
    assert control_plane.maintenance.days == ("saturday", "sunday")
    assert control_plane.logs == ("system", "workloads")
    assert not control_plane.authorized_networks
    assert control_plane.secrets_encryption_key is None
