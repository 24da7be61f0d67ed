"""The catalogue: every in-cluster system as pure data, in the order it rolls out.

A builder is a pure function from `PlatformInputs` to entries, in one file a subject under `apps/`.
Adding a system is one builder function and one pin. There is no Pulumi call here: the catalogue of
a stack can be built, compared and rendered in a test without an engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, Literal

from components.contract import SubstrateContract
from components.names import APP_PROJECT, HELM_RELEASE_MAX
from components.platform.config import (
    Feature,
    Model,
    PlatformConfig,
    Profile,
    Tenant,
    profile_includes,
)
from components.platform.network import Connection, Pods
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret
from components.versions import ChartPin, GitPin

Layer = Literal["platform", "serving", "routing", "llm-gateway", "experience"]

PROFILE_OF_LAYER: Final[Mapping[Layer, Profile]] = {
    "platform": "platform",
    "serving": "serving",
    "routing": "llm-gateway",
    "llm-gateway": "llm-gateway",
    "experience": "full",
}
"""The least profile that holds a layer."""

Values = Mapping[str, Any]
"""Helm values: JSON data, keys as the chart spells them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformInputs:
    """All that a builder may look at."""

    config: PlatformConfig
    models: tuple[Model, ...]
    tenants: tuple[Tenant, ...]
    contract: SubstrateContract
    revision: str
    """Git revision of our own charts: commit, tag or branch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UpstreamChart:
    """A chart of somebody else at an exact version."""

    pin: ChartPin
    values: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnChart:
    """A chart of this project, at the revision that the program runs from."""

    chart: str
    """Folder under charts/."""
    values: Values


@dataclass(frozen=True, kw_only=True, slots=True)
class Kustomization:
    """A folder of manifests or a kustomization in somebody else's repository, at one commit."""

    path: str
    pin: GitPin


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnoreDifference:
    """A field that something else than git owns, so that Argo CD neither reports nor resets it."""

    group: str
    kind: str
    json_pointers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A host of the domain at the public edge, such as `grafana` for `grafana.<domain>`.

    The edge, its certificate, the route and the connection to the pods all follow from it.
    """

    name: str
    service: str
    """The Service that answers, in the namespace of its pods."""
    port: int
    """Port of the Service."""
    pods: Pods
    target_port: int
    """Port of the containers behind the Service."""
    sign_in: bool = False
    """Whether the edge asks for a session first: for a system without single sign-on of its own."""
    paths: tuple[str, ...] = ("/",)
    """Path prefixes that are routed."""
    open_paths: tuple[str, ...] = ()
    """Path prefixes that need no session although `sign_in` asks for one."""
    requests_per_second: int | None = None
    """What one proxy of the edge lets in for it, over all callers; None for the edge's limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInClient:
    """A system that signs its users in by OpenID Connect at the platform's identity provider."""

    id: str
    host: str
    """Name of the `Host` that the browser comes back to."""
    callback: str
    """Path on that host."""
    secret_id: str
    """Remote id of the client secret; one that the cluster makes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueEntry:
    """One system: becomes one Argo CD Application.

    What it needs of others is said here too, and never where those are: its Secrets, the
    connections that it opens, its host at the edge, its dashboards and rules. Entries that serve
    all of them, such as the secret store, the network policies or the edge, are derived from that.
    """

    name: str
    """Application name and Helm release name: fixes Service names, so endpoints rest on it."""
    namespace: str
    layer: Layer
    source: UpstreamChart | OwnChart | Kustomization
    project: str = APP_PROJECT
    """AppProject: a tenant's own for what is in its namespace."""
    requires: tuple[str, ...] = ()
    """Entries that must be Healthy and Synced before this one is created."""
    sync: Literal["automatic", "manual"] = "automatic"
    """Manual creates the Application and starts nothing: the cost gate of GPU workloads."""
    ignore_differences: tuple[IgnoreDifference, ...] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    create_namespace: bool = True
    extra_namespaces: tuple[str, ...] = ()
    """Further namespaces that the chart writes to, for example kube-system."""
    definitions_only: bool = False
    """Whether it brings custom resource definitions and nothing else.

    Argo CD looks at the health of such an Application once, often before they are established, and
    then only by its clock.
    """
    gate_timeout_seconds: int = 600
    """How long dependants wait for it; the first sync pulls images."""
    feature: Feature | None = None
    """The feature that switches it on; None where the profile does."""
    description: str = ""
    """What it is for, in one line, for the page that lists all systems."""
    secrets: tuple[ConsumerSecret, ...] = ()
    """Secrets that its pods read."""
    generates: tuple[GeneratedSecret, ...] = ()
    """Secrets that the cluster makes for it, once."""
    connections: tuple[Connection, ...] = ()
    """What its pods call, and who calls them from outside of the catalogue."""
    hosts: tuple[Host, ...] = ()
    sign_in_clients: tuple[SignInClient, ...] = ()
    public_clients: tuple[str, ...] = ()
    """Ids at the identity provider of programs on people's machines, which can keep no secret."""
    dashboards: tuple[str, ...] = ()
    """Files under charts/observability/dashboards, without their ending."""
    rules: tuple[str, ...] = ()
    """Files under charts/observability/rules, without their ending."""


Builder = Callable[[PlatformInputs], Sequence[CatalogueEntry]]

DerivedBuilder = Callable[[PlatformInputs, Sequence[CatalogueEntry]], Sequence[CatalogueEntry]]
"""Builds from what the entries before it say that they need."""


class CatalogueError(ValueError):
    """The catalogue contradicts itself: a defect in a builder, never in a user's config."""


def order(entries: Sequence[CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
    """Return entries in rollout order: each one behind all that it requires, else as given.

    Raises:
        CatalogueError: a name is taken twice or too long, an edge leads nowhere, to itself or in a
            circle, or an entry requires one that is synced by hand and so may never be there.
    """
    by_name: dict[str, CatalogueEntry] = {}
    for entry in entries:
        if entry.name in by_name:
            msg = f"two entries are called {entry.name!r}"
            raise CatalogueError(msg)
        if len(entry.name) > HELM_RELEASE_MAX:
            msg = f"{entry.name!r} is longer than a Helm release name ({HELM_RELEASE_MAX})"
            raise CatalogueError(msg)
        by_name[entry.name] = entry
    for entry in entries:
        for required in entry.requires:
            if required not in by_name:
                msg = f"{entry.name!r} requires {required!r}, which is not in the catalogue"
                raise CatalogueError(msg)
            if by_name[required].sync == "manual":
                msg = f"{entry.name!r} requires {required!r}, which is synced by hand"
                raise CatalogueError(msg)
    sorter = TopologicalSorter({entry.name: entry.requires for entry in entries})
    try:
        sorter.prepare()
    except CycleError as error:
        msg = "entries require each other in a circle: " + " -> ".join(error.args[1])
        raise CatalogueError(msg) from error
    ordered: list[CatalogueEntry] = []
    position = {entry.name: index for index, entry in enumerate(entries)}
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        ordered.extend(by_name[name] for name in ready)
        sorter.done(*ready)
    return tuple(ordered)


def reduced(entries: Sequence[CatalogueEntry]) -> tuple[CatalogueEntry, ...]:
    """Return entries in rollout order without the edges that other edges already say.

    Args:
        entries: in rollout order, as `order` returns them.
    """
    ancestors: dict[str, frozenset[str]] = {}
    kept: list[CatalogueEntry] = []
    for entry in entries:
        implied = frozenset[str]().union(*(ancestors[one] for one in entry.requires))
        ancestors[entry.name] = implied.union(entry.requires)
        kept.append(
            replace(entry, requires=tuple(one for one in entry.requires if one not in implied))
        )
    return tuple(kept)


def gates(entries: Sequence[CatalogueEntry]) -> frozenset[str]:
    """Return the names that others require: only these are waited for."""
    return frozenset(required for entry in entries for required in entry.requires)


def includes_layer(inputs: PlatformInputs, layer: Layer) -> bool:
    """Return whether the stack's profile holds a layer."""
    return profile_includes(inputs.config.profile, PROFILE_OF_LAYER[layer])
