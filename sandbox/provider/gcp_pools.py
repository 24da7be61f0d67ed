"""Nodes of GKE: which machines Google sells with what, and which settings of a pool exclude others.

What is refused here is what the Kubernetes Engine API refuses: the provider sends it on unread.
"""

import re
from typing import Any, cast

from sandbox.provider.package import ProviderError
from sandbox.provider.values import Properties, as_dict, as_list, has_unknown, lookup, plain

_MACHINE = re.compile(r"(?P<series>[a-z]+\d+[a-z]*-[a-z]+)-(?P<size>\d+)")
_SECONDS = re.compile(r"(?P<seconds>\d+)s")
_DEFAULT_MACHINE = "e2-medium"
_LONGEST_FLEX_START = 604_800
_MOST_UPGRADING = 20

Tables = dict[str, Any]


def check_nodes(state: Properties, tables: Tables) -> None:
    """Refuse machines, GPUs and boot disks that Google does not sell together.

    Raises:
        ProviderError: with what goes with the machine instead.
    """
    machine = lookup(state, "nodeConfig.machineType")
    if not isinstance(machine, str):
        machine = _DEFAULT_MACHINE
    size = _size(machine, tables)
    family = machine.partition("-")[0]
    disk = lookup(state, "nodeConfig.diskType")
    disks = cast("dict[str, list[str]]", tables["boot_disks"]).get(family)
    if isinstance(disk, str) and disks is not None and disk not in disks:
        raise ProviderError(f"{machine} boots from {' or '.join(disks)}, not from {disk}")
    for item in as_list(lookup(state, "nodeConfig.guestAccelerators")) or []:
        accelerator = cast("Properties", plain(item))
        kind, count = accelerator.get("type"), accelerator.get("count")
        if not has_unknown([kind, count]) and count != 0:
            _check_accelerator(machine, size, str(kind), count, tables)
    shared = cast("list[str]", tables["spot_or_flex_start"])
    if machine in shared and True not in (
        lookup(state, "nodeConfig.spot"),
        lookup(state, "nodeConfig.flexStart"),
    ):
        raise ProviderError(f"{machine} is sold as spot or flex-start only")


def _size(machine: str, tables: Tables) -> int:
    """Return the number that a machine type ends in, or 0 where it has none."""
    whole = cast("dict[str, dict[str, int]]", tables["machines_with_gpus"])
    if machine in tables["machine_names"] or machine in whole:
        return 0
    match = _MACHINE.fullmatch(machine)
    series = match["series"] if match else ""
    size = int(match["size"]) if match else 0
    machines = cast("dict[str, dict[str, list[int]]]", tables["machines"])
    family = machine.partition("-")[0]
    known = {name.partition("-")[0] for name in (*machines, *whole)}
    if family in known and size not in machines.get(series, {}).get("sizes", []):
        raise ProviderError(f"nodeConfig.machineType: there is no {machine}")
    return size


def _check_accelerator(machine: str, size: int, kind: str, count: Any, tables: Tables) -> None:
    whole = cast("dict[str, dict[str, int]]", tables["machines_with_gpus"])
    by_family = cast("dict[str, dict[str, Any]]", tables["accelerators"])
    family = machine.partition("-")[0]
    if machine in whole:
        table: dict[str, Any] = {name: [number] for name, number in whole[machine].items()}
    elif family in by_family:
        table = by_family[family]
    else:
        return
    allowed = table.get(kind)
    if allowed is None:
        fitting = ", ".join(table) or "no accelerators"
        raise ProviderError(f"{kind} can't be attached to {machine}; it takes {fitting}")
    # A list names the counts that any size takes, a map the one count of each size.
    by_size = cast("dict[int, int] | None", as_dict(allowed))
    counts: list[Any] = (as_list(allowed) or []) if by_size is None else [by_size.get(size)]
    if count not in counts:
        wanted = " or ".join(str(number) for number in counts)
        raise ProviderError(f"{machine} takes {wanted} of {kind}, not {count}")
    most = cast("dict[str, dict[int, int]]", tables["most_vcpus"]).get(kind, {}).get(count)
    if most is not None and size > most:
        raise ProviderError(f"{count} of {kind} go with {most} vCPUs at most, not with {machine}")


def check_pool(state: Properties) -> None:
    """Refuse settings of a node pool that exclude each other or lack what they need.

    Raises:
        ProviderError: with the setting and what it needs.
    """
    _check_capacity(state)
    _check_images(state)
    _check_upgrade(state)


def _check_capacity(state: Properties) -> None:
    spot = lookup(state, "nodeConfig.spot") is True
    affinity = lookup(state, "nodeConfig.reservationAffinity.consumeReservationType")
    names = as_list(lookup(state, "nodeConfig.reservationAffinity.values")) or []
    key = lookup(state, "nodeConfig.reservationAffinity.key")
    if affinity == "SPECIFIC_RESERVATION" and not (key and names):
        raise ProviderError("reservationAffinity: SPECIFIC_RESERVATION needs key and values")
    if affinity != "SPECIFIC_RESERVATION" and (key or names):
        raise ProviderError(f"reservationAffinity: {affinity} takes neither key nor values")
    if spot and affinity not in (None, "NO_RESERVATION"):
        raise ProviderError("spot nodes take nothing from a reservation")
    if lookup(state, "nodeConfig.flexStart") is not True:
        return
    if spot:
        raise ProviderError("flexStart and spot exclude each other")
    if affinity != "NO_RESERVATION":
        raise ProviderError("flexStart needs reservationAffinity NO_RESERVATION")
    if lookup(state, "management.autoRepair") is not False:
        raise ProviderError("flexStart needs management.autoRepair false")
    if lookup(state, "autoscaling") is None:
        raise ProviderError("flexStart needs autoscaling")
    duration = lookup(state, "nodeConfig.maxRunDuration")
    match = _SECONDS.fullmatch(str(duration)) if duration is not None else None
    if duration is not None and (match is None or int(match["seconds"]) > _LONGEST_FLEX_START):
        raise ProviderError(
            f"nodeConfig.maxRunDuration: {duration} is not between 0s and {_LONGEST_FLEX_START}s"
        )


def _check_images(state: Properties) -> None:
    streaming = lookup(state, "nodeConfig.gcfsConfig.enabled") is True
    image = lookup(state, "nodeConfig.imageType")
    if streaming and image not in (None, "COS_CONTAINERD"):
        raise ProviderError(f"nodeConfig.gcfsConfig needs imageType COS_CONTAINERD, not {image}")
    if as_list(lookup(state, "nodeConfig.secondaryBootDisks")) and not streaming:
        raise ProviderError("nodeConfig.secondaryBootDisks needs gcfsConfig with enabled true")


def _check_upgrade(state: Properties) -> None:
    if lookup(state, "upgradeSettings") is None:
        return
    surge = lookup(state, "upgradeSettings.maxSurge")
    unavailable = lookup(state, "upgradeSettings.maxUnavailable")
    blue_green = lookup(state, "upgradeSettings.blueGreenSettings")
    if lookup(state, "upgradeSettings.strategy") == "BLUE_GREEN":
        if surge or unavailable:
            raise ProviderError("maxSurge and maxUnavailable go with strategy SURGE alone")
        policy = "standardRolloutPolicy"
        if lookup(blue_green, f"{policy}.batchNodeCount") and lookup(
            blue_green, f"{policy}.batchPercentage"
        ):
            raise ProviderError(f"{policy} takes batchNodeCount or batchPercentage, not both")
        return
    if blue_green is not None:
        raise ProviderError("blueGreenSettings go with strategy BLUE_GREEN alone")
    if isinstance(surge, int) and isinstance(unavailable, int):
        if surge + unavailable == 0:
            raise ProviderError("one of maxSurge and maxUnavailable must be greater than zero")
        if surge + unavailable > _MOST_UPGRADING:
            raise ProviderError(
                f"maxSurge and maxUnavailable are {surge + unavailable} together, and at most "
                f"{_MOST_UPGRADING} nodes are upgraded at once"
            )
