"""The GPU quota that pools need, and what a run says where Google grants less."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pytest

from components.substrate.gke_machines import Accelerator
from components.substrate.gke_quota import (
    ALL_REGIONS,
    GPU_FAMILY,
    UNLIMITED,
    Limit,
    Quota,
    limit_of,
    preemptible_quota,
    quotas_of,
    shortages,
    standard_quota,
)
from components.substrate.gke_services import needed_services
from components.substrate.gke_topology import GkeGpuPool
from stacks.config import parse_stack
from stacks.contracts import gke_topology
from stacks.quota import check_quota
from tests.harness import deploy
from tests.samples import GKE_STACK
from tests.substrate.gke_samples import L4_POOL, SURGE, topology

L4 = "NVIDIA-L4-GPUS-per-project-region"
SPOT_L4 = f"PREEMPTIBLE-{L4}"
REGION = "us-central1"


def pool(**changes: Any) -> GkeGpuPool:  # noqa: ANN401 - whatever the field takes
    return dataclasses.replace(L4_POOL, **changes)


def said(*pools: GkeGpuPool, limits: Mapping[str, int]) -> tuple[str, ...]:
    """What is said about pools, with limits by quota id."""
    shape = topology(gpu_pools=pools)
    return shortages(shape, {quota: limits.get(quota.quota_id) for quota in quotas_of(shape)})


@pytest.mark.parametrize(
    ("accelerator", "standard", "preemptible", "family"),
    [
        ("nvidia-l4", L4, SPOT_L4, None),
        (
            "nvidia-tesla-t4",
            "NVIDIA-T4-GPUS-per-project-region",
            "PREEMPTIBLE-NVIDIA-T4-GPUS-per-project-region",
            None,
        ),
        (
            "nvidia-a100-80gb",
            "NVIDIA-A100-80GB-GPUS-per-project-region",
            "PREEMPTIBLE-NVIDIA-A100-80GB-GPUS-per-project-region",
            None,
        ),
        (
            "nvidia-h100-80gb",
            GPU_FAMILY,
            "PREEMPTIBLE-NVIDIA-H100-GPUS-per-project-region",
            "NVIDIA_H100",
        ),
        (
            "nvidia-rtx-pro-6000",
            GPU_FAMILY,
            "PREEMPTIBLE-NVIDIA-RTX-PRO-6000-GPUS-per-project-region",
            "NVIDIA_RTX_PRO_6000",
        ),
    ],
)
def test_each_product_draws_on_its_own_quota(
    accelerator: Accelerator, standard: str, preemptible: str, family: str | None
) -> None:
    on_demand = standard_quota(accelerator, REGION)
    assert on_demand == Quota(quota_id=standard, region=REGION, gpu_family=family)
    assert preemptible_quota(accelerator, REGION) == Quota(quota_id=preemptible, region=REGION)


def test_a_quota_is_called_what_the_console_calls_it() -> None:
    assert Quota(quota_id=ALL_REGIONS).metric == "GPUS_ALL_REGIONS"
    assert standard_quota("nvidia-l4", REGION).metric == "NVIDIA_L4_GPUS"
    assert "(NVIDIA_H100)" in standard_quota("nvidia-h100-80gb", REGION).metric


def test_only_what_pools_draw_on_is_asked_for() -> None:
    shape = topology(gpu_pools=(pool(), pool(name="other", capacity="reservation")))
    assert [quota.quota_id for quota in quotas_of(shape)] == [ALL_REGIONS, L4]
    reserved = topology(gpu_pools=(pool(capacity="reservation", reservation="l4"),))
    assert quotas_of(reserved) == ()
    assert quotas_of(topology(gpu_pools=())) == ()


def test_enough_says_nothing() -> None:
    assert said(pool(max_nodes=2), limits={ALL_REGIONS: 2, L4: 2}) == ()


def test_a_new_project_is_told_that_its_zero_keeps_every_gpu_away() -> None:
    (message,) = said(pool(max_nodes=2), limits={ALL_REGIONS: 0, L4: 8})
    assert message.startswith("GPU quota GPUS_ALL_REGIONS of project my-project is 0")
    assert "Ask for 2 or more at https://console.cloud.google.com/iam-admin/quotas" in message
    assert "filter GPUS-ALL-REGIONS-per-project" in message
    assert "New projects have 0" in message


def test_all_pools_of_a_product_draw_on_one_quota() -> None:
    eight = pool(name="eight", accelerators_per_node=8, max_nodes=1)
    (message,) = said(pool(max_nodes=2), eight, limits={ALL_REGIONS: 16, L4: 4})
    assert "NVIDIA_L4_GPUS of project my-project in us-central1 is 4" in message
    assert "grow to 10 (l4 2, eight 8;" in message
    assert "New projects" not in message


@pytest.mark.parametrize(
    ("upgrade", "needed"),
    [
        (dataclasses.replace(SURGE, max_surge=0, max_unavailable=1), 2),
        (dataclasses.replace(SURGE, max_surge=1), 3),
        (dataclasses.replace(SURGE, strategy="blue-green"), 4),
    ],
)
def test_nodes_that_an_upgrade_adds_are_counted(upgrade: Any, needed: int) -> None:  # noqa: ANN401
    upgraded = pool(max_nodes=2, upgrade=upgrade)
    assert said(upgraded, limits={ALL_REGIONS: needed, L4: needed}) == ()
    short = said(upgraded, limits={ALL_REGIONS: needed - 1, L4: needed - 1})
    assert len(short) == 2
    assert all(f"grow to {needed} " in message for message in short)


def test_spot_nodes_draw_on_preemptible_quota() -> None:
    spot = pool(capacity="spot", max_nodes=2)
    assert said(spot, limits={ALL_REGIONS: 2, SPOT_L4: 2, L4: 0}) == ()
    (message,) = said(spot, limits={ALL_REGIONS: 2, SPOT_L4: 1, L4: 8})
    assert "PREEMPTIBLE_NVIDIA_L4_GPUS of project my-project in us-central1 is 1" in message


def test_without_preemptible_quota_spot_nodes_draw_on_that_of_on_demand_nodes() -> None:
    spot = pool(name="spot", capacity="spot", max_nodes=2)
    assert said(spot, limits={ALL_REGIONS: 8, SPOT_L4: 0, L4: 2}) == ()
    (message,) = said(pool(max_nodes=1), spot, limits={ALL_REGIONS: 8, SPOT_L4: 0, L4: 2})
    assert "NVIDIA_L4_GPUS of project my-project in us-central1 is 2" in message
    assert "grow to 3 (l4 1, spot 2;" in message
    assert "while PREEMPTIBLE_NVIDIA_L4_GPUS is 0" in message


def test_what_is_unlimited_or_unknown_is_not_judged() -> None:
    assert said(pool(), limits={ALL_REGIONS: UNLIMITED, L4: UNLIMITED}) == ()
    assert said(pool(), limits={}) == ()


def test_the_most_specific_limit_is_in_force() -> None:
    quota = standard_quota("nvidia-l4", REGION)
    own = Limit(dimensions={"region": REGION}, locations=(REGION,), value=4)
    others = Limit(dimensions={}, locations=("us-east1", REGION), value=1)
    assert limit_of(quota, [own, others]) == own.value
    assert limit_of(quota, [others]) == others.value


def test_the_limit_of_another_region_or_product_is_not_taken() -> None:
    h100 = standard_quota("nvidia-h100-80gb", REGION)
    rows = [
        Limit(dimensions={"gpu_family": "NVIDIA_B200"}, locations=(REGION,), value=8),
        Limit(dimensions={"gpu_family": "NVIDIA_H100"}, locations=("us-east1",), value=16),
    ]
    assert limit_of(h100, rows) == 0
    assert limit_of(h100, []) is None


def test_a_limit_without_regions_holds_in_all() -> None:
    row = Limit(dimensions={}, locations=("global",), value=3)
    assert limit_of(Quota(quota_id=ALL_REGIONS), [row]) == row.value
    assert limit_of(standard_quota("nvidia-l4", REGION), [row]) == row.value


class Said:
    """What a run told people, by severity."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.warnings: list[str] = []
        self.information: list[str] = []
        monkeypatch.setattr(pulumi.log, "warn", self.warnings.append)
        monkeypatch.setattr(pulumi.log, "info", self.information.append)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Said:
    return Said(monkeypatch)


def ask(**changes: Any) -> None:  # noqa: ANN401 - whatever the field takes
    provider = gcp.Provider("google", project="my-project", add_pulumi_attribution_label=False)
    check_quota(topology(**changes), provider)


@pytest.mark.parametrize("preview", [True, False])
def test_a_run_warns_of_each_quota_that_is_too_small(told: Said, *, preview: bool) -> None:
    deploy(ask, preview=preview, quotas={ALL_REGIONS: 0, L4: 1})
    assert [text.split(" of project")[0] for text in told.warnings] == [
        "GPU quota GPUS_ALL_REGIONS",
        "GPU quota NVIDIA_L4_GPUS",
    ]
    assert told.information == []


def test_a_run_with_enough_quota_is_quiet(told: Said) -> None:
    deploy(ask)
    assert (told.warnings, told.information) == ([], [])


def test_a_run_that_google_does_not_answer_goes_on_with_one_line(told: Said) -> None:
    recorder = deploy(ask, quotas=None)
    (line,) = told.information
    assert told.warnings == []
    assert "\n" not in line
    assert line.startswith("GPU quota was not checked (Cloud Quotas API has not been used before")
    assert "https://console.cloud.google.com/iam-admin/quotas?project=my-project" in line
    assert "gcloud services enable cloudquotas.googleapis.com --project my-project" in line
    assert recorder.registrations


@pytest.mark.parametrize("changes", [{"gpu_pools": ()}, {"quota_check": False}])
def test_nothing_is_asked_where_there_is_nothing_to_compare(
    told: Said, changes: dict[str, Any]
) -> None:
    deploy(lambda: ask(**changes), quotas=None)
    assert (told.warnings, told.information) == ([], [])


@pytest.mark.parametrize(
    "arguments",
    [
        {"parent": "my-project"},
        {"service": "container.googleapis.com"},
        {"quota_id": "NVIDIA_L4_GPUS"},
    ],
)
def test_a_question_that_google_does_not_know_fails_the_tests(arguments: dict[str, str]) -> None:
    right = {"parent": "projects/my-project", "service": "compute.googleapis.com", "quota_id": L4}

    def program() -> None:
        provider = gcp.Provider("google", project="my-project")
        options = pulumi.InvokeOptions(provider=provider)
        gcp.cloudquota.get_s_quota_info(**{**right, **arguments}, opts=options)

    with pytest.raises(AssertionError, match="no such quota"):
        deploy(program)


def test_google_is_asked_through_a_provider_of_the_program() -> None:
    def program() -> None:
        gcp.cloudquota.get_s_quota_info(
            parent="projects/my-project", service="compute.googleapis.com", quota_id=L4
        )

    with pytest.raises(AssertionError, match="no provider of the program"):
        deploy(program)


def test_the_api_is_enabled_for_the_check_alone() -> None:
    def services(**changes: Any) -> tuple[str, ...]:  # noqa: ANN401
        return needed_services(topology(**changes), secret_manager=True, cloud_dns=False)

    assert "cloudquotas" in services()
    assert "cloudquotas" not in services(quota_check=False)
    assert "cloudquotas" not in services(gpu_pools=())


def test_the_check_is_on_unless_the_config_says_otherwise() -> None:
    def checked(**changes: object) -> bool:
        section = {**GKE_STACK["gke"], **changes}
        stack = parse_stack({**GKE_STACK, "gke": section}, "Pulumi.test.yaml")
        assert stack.kind == "gke"
        return gke_topology(stack).quota_check

    assert checked()
    assert not checked(quota_check=False)
