"""Every value that we set is one that its chart knows; a misspelt one is ignored without a word.

`upstream_values/<chart>.json` holds the keys of a chart's values at the pinned version, and no
values: what its `values.yaml` has and what its templates read besides, with those of its subcharts
below their names. A list, a number, a text or nothing is `null`, a map with keys of the user's own
choice (labels, resources, a whole configuration file) is `"*"`.
"""

import functools
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

import pytest

from components import versions
from components.contract import Dns
from components.platform.apps import catalogue
from components.platform.catalogue import PlatformInputs, UpstreamChart
from components.platform.config import PROFILES, Features, Tier
from components.substrate.argocd import ArgoCdArgs, argo_cd_values
from components.substrate.gpu_operator import GpuOperatorArgs, gpu_operator_values
from components.substrate.hetzner_addons import (
    cilium_values,
    cloud_controller_values,
    csi_values,
)
from components.substrate.hetzner_autoscaler import autoscaler_values
from components.substrate.hetzner_gpu_topology import GpuDriver
from components.substrate.hetzner_k3s import CONTAINERD_FOLDER, CONTAINERD_SOCKET
from components.versions import ChartPin
from tests.platform.samples import BARE, GKE, HETZNER, gated, inputs, model, tenant
from tests.samples import contract
from tests.substrate import hetzner_samples

FOLDER: Final = Path(__file__).parent / "upstream_values"

OPEN: Final = "*"

PINS: Final = {pin.chart: pin for pin in vars(versions).values() if isinstance(pin, ChartPin)}

TIERS: Final[tuple[Tier, ...]] = ("cost", "dev", "prod")

NO_FEATURE: Final = dict.fromkeys(Features.model_fields, False)
EVERY_FEATURE: Final = dict.fromkeys(Features.model_fields, True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """The keys of one chart at one version, and where they were read."""

    chart: str
    version: str
    source: str
    keys: Mapping[str, object]


@functools.cache
def digest(chart: str) -> Digest:
    data = json.loads((FOLDER / f"{chart}.json").read_text(encoding="utf-8"))
    data.pop("note", None)
    return Digest(**data)


def unknown(values: Mapping[str, object], known: object, path: str = "") -> Iterator[str]:
    """Yield the path of every key in `values` that the digest `known` does not have."""
    if known == OPEN:
        return
    keys: Mapping[str, object] = {}
    if isinstance(known, dict):
        keys = cast("dict[str, object]", known)
    for key, value in values.items():
        where = f"{path}.{key}" if path else key
        if key not in keys:
            yield where
        elif isinstance(value, Mapping):
            yield from unknown(cast("Mapping[str, object]", value), keys[key], where)


def stacks() -> Iterator[PlatformInputs]:
    """Yield every profile, tier and kind of substrate with no, the usual and every feature.

    Every feature at once wants a domain, as `stacks.config.rules` asks for one.
    """
    domain = {
        "domain": "llm.example.com",
        "dns": Dns(provider="cloudflare", zone="example.com", token_secret="cloudflare-token"),  # noqa: S106 - the id of a secret
    }
    substrates = (GKE, HETZNER, BARE)
    with_domain = (
        contract(),
        HETZNER.model_copy(update=domain),
        BARE.model_copy(update=domain),
    )
    choices = (
        *itertools.product((Features(**NO_FEATURE), Features()), substrates),
        *itertools.product((Features(**EVERY_FEATURE),), with_domain),
    )
    for profile, tier, (features, substrate) in itertools.product(PROFILES, TIERS, choices):
        yield inputs(
            profile=profile,
            tier=tier,
            features=features,
            contract=substrate,
            models=(
                model(),
                model("started", autostart=True),
                gated(),
                model("vectors", engine="text_embeddings_inference"),
            ),
            tenants=(tenant(), tenant("team-b", models=("started", "gated"))),
        )


def sets_of_the_platform() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for stack in stacks():
        for entry in catalogue(stack):
            if isinstance(entry.source, UpstreamChart):
                yield entry.source.pin.chart, entry.source.values


def sets_of_the_substrates() -> Iterator[tuple[str, Mapping[str, Any]]]:
    topology = hetzner_samples.topology()
    yield versions.CILIUM.chart, cilium_values(topology)
    yield versions.HCLOUD_CCM.chart, cloud_controller_values(topology)
    yield versions.HCLOUD_CSI.chart, csi_values(topology)
    scaling = {"worker_pools": [{"name": "a", "autoscaling": {"min": 1, "max": 2}}]}
    yield (
        versions.CLUSTER_AUTOSCALER.chart,
        autoscaler_values(hetzner_samples.topology(scaling), firewall_id=1, pools_digest="d"),
    )
    for driver in get_args(GpuDriver):
        yield (
            versions.GPU_OPERATOR.chart,
            gpu_operator_values(
                GpuOperatorArgs(
                    containerd_folder=CONTAINERD_FOLDER,
                    containerd_socket=CONTAINERD_SOCKET,
                    profile=topology.gpu,
                    driver=driver,
                    pods_per_gpu=4,
                )
            ),
        )
    for high_availability in (False, True):
        yield (
            versions.ARGO_CD.chart,
            argo_cd_values(ArgoCdArgs(contract=contract(), high_availability=high_availability)),
        )


def test_every_pinned_chart_has_a_digest_and_no_digest_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(PINS)


@pytest.mark.parametrize("chart", PINS)
def test_a_digest_is_of_the_pinned_version(chart: str) -> None:
    read = digest(chart)
    assert (read.chart, read.version) == (chart, PINS[chart].version), (
        "read the values of the new version and refresh the digest"
    )


@pytest.mark.parametrize("chart", PINS)
def test_a_digest_holds_keys_and_no_values(chart: str) -> None:
    def kinds(node: object) -> Iterator[object]:
        if isinstance(node, dict):
            for inner in cast("dict[str, object]", node).values():
                yield from kinds(inner)
        else:
            yield node

    assert set(kinds(digest(chart).keys)) <= {None, OPEN}


def test_every_value_that_the_catalogue_sets_is_one_that_its_chart_knows() -> None:
    found = {
        (chart, path)
        for chart, values in sets_of_the_platform()
        for path in unknown(values, digest(chart).keys)
    }
    assert not found, sorted(found)


def test_every_value_that_a_substrate_sets_is_one_that_its_chart_knows() -> None:
    found = {
        (chart, path)
        for chart, values in sets_of_the_substrates()
        for path in unknown(values, digest(chart).keys)
    }
    assert not found, sorted(found)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"replicas": 2}, ["replicas"]),
        ({"replicaCount": 2}, []),
        ({"image": {"digest": "sha256:0", "sha": "0"}}, ["image.sha"]),
        (
            {"serviceMonitor": {"enabled": True, "additionalLabels": {}}},
            ["serviceMonitor.additionalLabels"],
        ),
        ({"resources": {"whatever": 1}}, []),
        ({"replicaCount": {"minimum": 1}}, ["replicaCount.minimum"]),
        ({"service": {"ports": {"http": {"prot": 1}}}}, ["service.ports.http.prot"]),
    ],
)
def test_a_key_that_a_chart_does_not_know_is_found(
    values: dict[str, Any], expected: list[str]
) -> None:
    assert list(unknown(values, digest("dex").keys)) == expected


def test_keys_of_a_subchart_are_known_below_its_name() -> None:
    known = digest("kube-prometheus-stack").keys
    assert not list(unknown({"grafana": {"sidecar": {"dashboards": {"label": "x"}}}}, known))
    assert list(unknown({"grafana": {"sidecars": {}}}, known)) == ["grafana.sidecars"]
