"""What Google refuses about a cluster's control plane, its key and its way out."""

import datetime as dt
import re
from collections.abc import Iterable
from typing import Final

from sandbox.provider.check import Failure
from sandbox.provider.package import ProviderError
from sandbox.provider.store import Record
from sandbox.provider.values import Properties, as_dict, as_list, lookup, plain, reveal

KEY_ROLE: Final = "roles/cloudkms.cryptoKeyEncrypterDecrypter"

_MIN_PORTS: Final = 32
_WINDOW_HOURS: Final = (4, 24)
_EXCLUSIONS: Final = 20
_FULL_EXCLUSIONS: Final = 3
_FULL_EXCLUSION_HOURS: Final = (0, 30 * 24)
_EXCLUSION_HOURS: Final = (0, 731 * 24)
_AGENT_DOMAINS: Final = {"container.googleapis.com": "container-engine-robot"}


def project_number(project: str) -> str:
    """Return a number that stands for a project as long as its id stays."""
    return str(100_000_000_000 + sum(ord(letter) for letter in project) * 7_919)


def service_agent(service: str, project: str) -> str:
    """Return the account that a service of Google acts as (IAM docs, "Service agents")."""
    domain = _AGENT_DOMAINS.get(service, f"gcp-sa-{service.partition('.')[0]}")
    return f"service-{project_number(project)}@{domain}.iam.gserviceaccount.com"


def nat_failures(inputs: Properties) -> list[Failure]:
    """Report ports and addresses that Cloud NAT refuses (Compute Engine API, routers.nats)."""
    failures: list[Failure] = []
    manual = reveal(inputs.get("natIpAllocateOption")) == "MANUAL_ONLY"
    if manual != bool(reveal(inputs.get("natIps"))):
        failures.append(Failure("natIps", "goes with natIpAllocateOption MANUAL_ONLY"))
    dynamic = reveal(inputs.get("enableDynamicPortAllocation")) is True
    if dynamic and reveal(inputs.get("enableEndpointIndependentMapping")) is True:
        failures.append(
            Failure("enableEndpointIndependentMapping", "excludes enableDynamicPortAllocation")
        )
    least, most = reveal(inputs.get("minPortsPerVm")), reveal(inputs.get("maxPortsPerVm"))
    if most is not None and not dynamic:
        failures.append(Failure("maxPortsPerVm", "needs enableDynamicPortAllocation"))
    for path, ports in (("minPortsPerVm", least), ("maxPortsPerVm", most)):
        if dynamic and isinstance(ports, int) and (ports < _MIN_PORTS or ports & (ports - 1)):
            failures.append(Failure(path, f"{ports} is no power of two from {_MIN_PORTS} on"))
    if isinstance(least, int) and isinstance(most, int) and least >= most:
        failures.append(Failure("maxPortsPerVm", f"{most} is not more than minPortsPerVm, {least}"))
    return failures


def cluster_failures(inputs: Properties) -> list[Failure]:
    """Report a maintenance policy that GKE does not take, and what it collects only together."""
    return [*_maintenance_failures(inputs), *_component_failures(inputs)]


def _maintenance_failures(inputs: Properties) -> list[Failure]:
    failures: list[Failure] = []
    window = as_dict(lookup(inputs, "maintenancePolicy.recurringWindow"))
    if window is not None:
        failures += _length_failures("maintenancePolicy.recurringWindow", window, _WINDOW_HOURS)
    path = "maintenancePolicy.maintenanceExclusions"
    exclusions = [as_dict(reveal(item)) or {} for item in as_list(lookup(inputs, path)) or []]
    names = [str(plain(each.get("exclusionName"))) for each in exclusions]
    if len(set(names)) < len(names):
        failures.append(Failure(path, "two have one name"))
    full = 0
    for index, each in enumerate(exclusions):
        is_full = lookup(each, "exclusionOptions.scope") in (None, "NO_UPGRADES")
        full += is_full
        hours = _FULL_EXCLUSION_HOURS if is_full else _EXCLUSION_HOURS
        failures += _length_failures(f"{path}[{index}]", each, hours)
    if len(exclusions) > _EXCLUSIONS:
        failures.append(Failure(path, f"are {len(exclusions)}; GKE takes {_EXCLUSIONS}"))
    if full > _FULL_EXCLUSIONS:
        failures.append(Failure(path, f"{full} have scope NO_UPGRADES, not {_FULL_EXCLUSIONS}"))
    return failures


def _length_failures(path: str, window: Properties, hours: tuple[int, int]) -> list[Failure]:
    start, end = plain(window.get("startTime")), plain(window.get("endTime"))
    try:
        length = dt.datetime.fromisoformat(str(end)) - dt.datetime.fromisoformat(str(start))
    except (ValueError, TypeError):
        return []  # not known yet, or no time, which the rules table says
    least, most = (dt.timedelta(hours=limit) for limit in hours)
    if dt.timedelta(0) < length and least <= length <= most:
        return []
    return [
        Failure(f"{path}.endTime", f"{length} after startTime, not {hours[0]} to {hours[1]} hours")
    ]


def _component_failures(inputs: Properties) -> list[Failure]:
    failures: list[Failure] = []
    for path in ("loggingConfig", "monitoringConfig"):
        components = as_list(lookup(inputs, f"{path}.enableComponents")) or []
        if components and "SYSTEM_COMPONENTS" not in components:
            failures.append(Failure(f"{path}.enableComponents", "needs SYSTEM_COMPONENTS"))
    metrics = as_list(lookup(inputs, "monitoringConfig.enableComponents")) or []
    if (
        "DCGM" in metrics
        and lookup(inputs, "monitoringConfig.managedPrometheus.enabled") is not True
    ):
        failures.append(
            Failure("monitoringConfig.enableComponents", "DCGM needs managedPrometheus.enabled")
        )
    return failures


def check_key(state: Properties, rights: Iterable[Record]) -> None:
    """Refuse a cluster whose Secrets GKE can't encrypt (GKE docs, "Encrypt secrets").

    Args:
        state: of the cluster.
        rights: on keys.

    Raises:
        ProviderError: no key, one of another region, or one that GKE may not use.
    """
    key = lookup(state, "databaseEncryption.keyName")
    encrypted = lookup(state, "databaseEncryption.state") not in (None, "DECRYPTED")
    if encrypted != bool(key):
        raise ProviderError("databaseEncryption: a keyName goes with a state that encrypts")
    if not encrypted:
        return
    region = re.sub(r"-[a-z]$", "", str(plain(state["location"])))
    place = str(key).split("/")[3]
    if place != region:
        raise ProviderError(
            f"databaseEncryption.keyName: the key is in {place}, the cluster in {region}"
        )
    agent = service_agent("container.googleapis.com", str(plain(state["project"])))
    wanted = (key, KEY_ROLE, f"serviceAccount:{agent}")
    if wanted not in [
        tuple(plain(right.outputs.get(name)) for name in ("cryptoKeyId", "role", "member"))
        for right in rights
    ]:
        raise ProviderError(
            f"databaseEncryption.keyName: {agent} may not use {key}; grant it {KEY_ROLE} on the "
            "key first"
        )


def check_key_right_unused(right: Record, clusters: Iterable[Record]) -> None:
    """Refuse to take a right on a key away while a cluster needs it: no control plane would start.

    Raises:
        ProviderError: a cluster still encrypts with the key.
    """
    for cluster in clusters:
        used = lookup(cluster.outputs, "databaseEncryption.keyName")
        if used and used == right.outputs.get("cryptoKeyId"):
            raise ProviderError(f"{cluster.id} still encrypts with {used}")
