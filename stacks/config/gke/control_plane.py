"""The `gke.control_plane` section."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import Field, ValidationInfo, field_validator

from components.platform.config import Section
from components.substrate.gke_topology import (
    ControlPlaneEndpoint,
    ExclusionScope,
    GkeControlPlaneTopology,
    GkeMaintenance,
    GkeMaintenanceExclusion,
    LogSource,
    ReleaseChannel,
    Weekday,
)
from stacks.config.gke.addresses import AuthorizedNetwork

MIN_WINDOW_HOURS: Final = 4
"""GKE counts no shorter window (GKE docs, "Maintenance windows and exclusions", with all below)."""

MIN_HOURS_A_WEEK: Final = 12
"""GKE asks for 48 hours in any 32 days, and four weeks are what any 32 days have for certain. Where
its newer pages ask for the same in 92 days, this holds as well."""

MAX_EXCLUSIONS: Final = 20
MAX_FULL_EXCLUSIONS: Final = 3
"""Exclusions of scope `no_upgrades`."""

MAX_FULL_EXCLUSION: Final = dt.timedelta(days=30)
FREE_TIME: Final = dt.timedelta(hours=48)
FREE_TIME_PERIOD: Final = dt.timedelta(days=32)
"""In any such period `no_upgrades` leaves that much time, in pieces that hold a window."""

SUPPORT_DAYS: Final[Mapping[ReleaseChannel, int]] = {
    "rapid": 427,
    "regular": 427,
    "stable": 427,
    "extended": 731,
}
"""14 months, or 24, in which a minor version is supported (GKE docs, "GKE versioning and support");
no exclusion outlives that."""

MAX_AUTHORIZED_NETWORKS: Final = 100
"""Of one cluster (GKE docs, "About control plane access")."""

_TIME: Final = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


def _moment(value: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value} is no time: {error}; write 2026-12-20T00:00:00Z") from error


def _doubles(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


class GkeMaintenanceExclusionConfig(Section):
    """A time in which GKE leaves versions as they are."""

    name: str = Field(
        pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="lower case letters, digits and hyphens, a letter first, at most 63 characters",
        examples=["year-end"],
    )
    scope: ExclusionScope = Field(
        default="no_minor_or_node_upgrades",
        description="no_upgrades keeps security fixes out as well, for 30 days at most",
    )
    start: str = Field(
        pattern=_TIME, description="RFC 3339, UTC", examples=["2026-12-20T00:00:00Z"]
    )
    end: str = Field(pattern=_TIME, description="RFC 3339, UTC", examples=["2027-01-05T00:00:00Z"])

    @field_validator("start", "end")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        _moment(value)
        return value

    @field_validator("end")
    @classmethod
    def _has_a_length_that_gke_takes(cls, value: str, info: ValidationInfo) -> str:
        start: str | None = info.data.get("start")
        if start is None:
            return value
        length = _moment(value) - _moment(start)
        if length <= dt.timedelta(0):
            raise ValueError(f"{value} is not after start {start}; write a later end")
        if info.data.get("scope") == "no_upgrades" and length > MAX_FULL_EXCLUSION:
            raise ValueError(
                f"scope no_upgrades lasts {length / dt.timedelta(days=1):.6g} days here, and GKE "
                f"takes {MAX_FULL_EXCLUSION.days} at most; write an earlier end, or scope: "
                "no_minor_or_node_upgrades, which lets security fixes of the control plane in"
            )
        return value

    @property
    def starts(self) -> dt.datetime:
        """When it begins."""
        return _moment(self.start)

    @property
    def ends(self) -> dt.datetime:
        """When it is over."""
        return _moment(self.end)


class GkeMaintenanceConfig(Section):
    """When GKE may upgrade control plane and nodes by itself, in UTC."""

    days: tuple[Weekday, ...] = Field(
        default=("saturday", "sunday"), description="Days of the week on which a window begins."
    )
    start: str = Field(
        default="02:00",
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="HH:MM at which it begins.",
    )
    hours: int = Field(
        default=6,
        ge=MIN_WINDOW_HOURS,
        le=24,
        validate_default=True,
        description="How long a window is; all of a week together are 12 hours at least.",
    )
    exclusions: tuple[GkeMaintenanceExclusionConfig, ...] = Field(
        default=(),
        description="Times in which GKE leaves versions as they are: 20 at most, 3 of them of "
        "scope no_upgrades.",
    )

    @field_validator("days")
    @classmethod
    def _days_are_told_apart(cls, value: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if not value:
            raise ValueError("GKE would never upgrade; name a day of the week, such as [saturday]")
        if doubles := _doubles(value):
            raise ValueError(f"{doubles[0]} is there twice; name each day once")
        return value

    @field_validator("hours")
    @classmethod
    def _windows_are_enough(cls, value: int, info: ValidationInfo) -> int:
        days: tuple[Weekday, ...] | None = info.data.get("days")
        if days is not None and value * len(days) < MIN_HOURS_A_WEEK:
            longer = -(-MIN_HOURS_A_WEEK // len(days))
            raise ValueError(
                f"{len(days)} x {value} hours a week are {4 * len(days) * value} hours in 32 days, "
                f"and GKE asks for 48; set hours: {longer}, or name more days"
            )
        return value

    @field_validator("exclusions")
    @classmethod
    def _exclusions_are_what_gke_takes(
        cls, value: tuple[GkeMaintenanceExclusionConfig, ...]
    ) -> tuple[GkeMaintenanceExclusionConfig, ...]:
        if doubles := _doubles(one.name for one in value):
            raise ValueError(f"two are called {doubles[0]!r}; give each a name of its own")
        if len(value) > MAX_EXCLUSIONS:
            raise ValueError(
                f"these are {len(value)}, and GKE takes {MAX_EXCLUSIONS}; remove those over it"
            )
        full = sorted(
            (one for one in value if one.scope == "no_upgrades"), key=lambda one: one.starts
        )
        if len(full) > MAX_FULL_EXCLUSIONS:
            raise ValueError(
                f"{len(full)} have scope no_upgrades, and GKE takes {MAX_FULL_EXCLUSIONS}; remove "
                "those that are over, or give some scope: no_minor_or_node_upgrades"
            )
        for one in full:
            for begin in (one.starts, one.ends - FREE_TIME_PERIOD):
                if _free_time(full, begin) < FREE_TIME:
                    raise ValueError(
                        f"scope no_upgrades leaves less than 48 hours of the 32 days from "
                        f"{begin:%Y-%m-%dT%H:%M}Z, and GKE asks for as much; end one earlier, or "
                        "give one scope: no_minor_or_node_upgrades"
                    )
        return value

    def topology(self) -> GkeMaintenance:
        """Return the same in the form that the substrate takes."""
        return GkeMaintenance(
            days=self.days,
            start=self.start,
            hours=self.hours,
            exclusions=tuple(
                GkeMaintenanceExclusion(
                    name=one.name, start=one.start, end=one.end, scope=one.scope
                )
                for one in self.exclusions
            ),
        )


def _free_time(
    exclusions: Sequence[GkeMaintenanceExclusionConfig], begin: dt.datetime
) -> dt.timedelta:
    """Return how much of a period GKE may work in, by exclusions that are ordered by start."""
    free, reached, end = dt.timedelta(0), begin, begin + FREE_TIME_PERIOD
    gaps: list[dt.timedelta] = []
    for one in exclusions:
        gaps.append(min(one.starts, end) - reached)
        reached = max(reached, min(one.ends, end))
    gaps.append(end - reached)
    shortest = dt.timedelta(hours=MIN_WINDOW_HOURS)
    return sum((gap for gap in gaps if gap >= shortest), free)


class GkeControlPlaneConfig(Section):
    """Who reaches the Kubernetes API, and how Google runs it. IAM is always asked as well."""

    endpoint: ControlPlaneEndpoint = Field(
        default="dns",
        description="dns is a name that IAM guards and that works from anywhere; ip is an address "
        "that only authorized_networks reach",
    )
    authorized_networks: tuple[AuthorizedNetwork, ...] = Field(
        default=(),
        max_length=MAX_AUTHORIZED_NETWORKS,
        validate_default=True,
        description="networks that may reach the address, with endpoint ip",
        examples=[["203.0.113.0/24"]],
    )

    release_channel: ReleaseChannel = Field(
        default="regular", description="How early GKE brings new Kubernetes versions."
    )
    maintenance: GkeMaintenanceConfig = GkeMaintenanceConfig()
    secrets_encryption_key: str | None = Field(
        default=None,
        pattern=r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/[a-z0-9-]+"
        r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$",
        description="A key of Cloud KMS in the cluster's region, which is there already: it "
        "encrypts Secrets before they are stored. Losing the key loses the cluster.",
        examples=[
            "projects/my-project/locations/us-central1/keyRings/llmp/cryptoKeys/kubernetes-secrets"
        ],
    )
    security_group: str | None = Field(
        default=None,
        pattern=r"^gke-security-groups@[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[a-z]{2,}$",
        description="The group of Google Workspace whose member groups Kubernetes RBAC knows by "
        "their addresses; left out, it knows single users alone.",
        examples=["gke-security-groups@example.com"],
    )
    logs: tuple[LogSource, ...] = Field(
        default=("system", "workloads"),
        description="Which logs go to Cloud Logging; system is always among them.",
    )
    managed_prometheus: bool = Field(
        default=True,
        description="Google's collection of metrics. GKE runs its DCGM exporter only with it, so "
        "without it nothing measures the GPUs.",
    )

    @field_validator("authorized_networks")
    @classmethod
    def _networks_belong_to_an_address(
        cls, value: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        endpoint = info.data.get("endpoint")
        if endpoint == "ip" and not value:
            raise ValueError(
                "nobody reaches an address without networks; list the networks of your operators, "
                "or use endpoint: dns"
            )
        if doubles := _doubles(value):
            raise ValueError(f"{doubles[0]} is there twice; list each network once")
        if endpoint == "dns" and value:
            raise ValueError(
                "have no meaning with endpoint dns, where IAM decides; remove them, or set "
                "endpoint: ip"
            )
        return value

    @field_validator("maintenance")
    @classmethod
    def _exclusions_end_with_the_version(
        cls, value: GkeMaintenanceConfig, info: ValidationInfo
    ) -> GkeMaintenanceConfig:
        channel: ReleaseChannel | None = info.data.get("release_channel")
        if channel is None:
            return value
        most = dt.timedelta(days=SUPPORT_DAYS[channel])
        for one in value.exclusions:
            if one.ends - one.starts > most:
                raise ValueError(
                    f"exclusion {one.name!r} lasts {(one.ends - one.starts).days} days, and no "
                    f"version of channel {channel} is supported for more than {most.days}; write "
                    "an earlier end"
                )
        return value

    @field_validator("logs")
    @classmethod
    def _system_logs_are_there(cls, value: tuple[LogSource, ...]) -> tuple[LogSource, ...]:
        if "system" not in value:
            raise ValueError(
                "GKE takes no other logs without those of the system, and nobody finds a fault "
                "without them; add system"
            )
        if doubles := _doubles(value):
            raise ValueError(f"{doubles[0]} is there twice; name each source once")
        return value

    def topology(self) -> GkeControlPlaneTopology:
        """Return the same in the form that the substrate takes."""
        return GkeControlPlaneTopology(
            endpoint=self.endpoint,
            authorized_networks=self.authorized_networks,
            release_channel=self.release_channel,
            maintenance=self.maintenance.topology(),
            secrets_encryption_key=self.secrets_encryption_key,
            security_group=self.security_group,
            logs=self.logs,
            managed_prometheus=self.managed_prometheus,
        )
