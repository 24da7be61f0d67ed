"""What the sandbox answers about GPU quota."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from sandbox.provider.gcp_quotas import PLENTY, QUOTA_INFO, VARIABLE
from sandbox.provider.package import ProviderError
from tests.sandbox.conftest import PROJECT, Provider

ALL_REGIONS = "GPUS-ALL-REGIONS-per-project"
FAMILY = "GPUS-PER-GPU-FAMILY-per-project-region"
L4 = "NVIDIA-L4-GPUS-per-project-region"


@pytest.fixture
def gcp(provider: Callable[..., Provider]) -> Provider:
    """Google Cloud with the API on, as a stack's first `up` leaves it."""
    google = provider("gcp")
    google.make(
        "gcp:projects/service:Service",
        {"project": PROJECT, "service": "cloudquotas.googleapis.com"},
    )
    return google


def asked(gcp: Provider, quota: str = ALL_REGIONS, **changes: str) -> list[dict[str, Any]]:
    arguments = {
        "parent": f"projects/{PROJECT}",
        "service": "compute.googleapis.com",
        "quotaId": quota,
        **changes,
    }
    answer = gcp.package.invoke(QUOTA_INFO, cast("Any", arguments))
    return cast("list[dict[str, Any]]", answer["dimensionsInfos"])


def test_a_quota_that_nobody_sets_is_plenty(gcp: Provider) -> None:
    (info,) = asked(gcp)
    assert info["details"] == [{"value": str(PLENTY)}]
    assert info["applicableLocations"] == ["global"]


def test_the_environment_sets_quotas(gcp: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"{L4}=3,{FAMILY}/NVIDIA_H100=8")
    (info,) = asked(gcp, L4)
    assert info["details"] == [{"value": "3"}]
    families = {row["dimensions"]["gpu_family"]: row["details"] for row in asked(gcp, FAMILY)}
    assert families["NVIDIA_H100"] == [{"value": "8"}]
    assert families["NVIDIA_RTX_PRO_6000"] == [{"value": str(PLENTY)}]


def test_a_zero_has_no_value_as_the_api_leaves_it_out(
    gcp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{ALL_REGIONS}=0")
    (info,) = asked(gcp)
    assert info["details"] == []


def test_without_the_api_nothing_is_answered(provider: Callable[..., Provider]) -> None:
    with pytest.raises(ProviderError, match="Cloud Quotas API has not been used"):
        asked(provider("gcp"))


def test_a_caller_without_the_permission_is_refused(
    gcp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "denied")
    with pytest.raises(ProviderError, match="Permission"):
        asked(gcp)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"parent": PROJECT}, "not of the form projects/"),
        ({"service": "container.googleapis.com"}, "compute.googleapis.com alone"),
        ({"quotaId": "NVIDIA_L4_GPUS"}, "no quota 'NVIDIA_L4_GPUS'"),
        ({"region": "us-central1"}, "takes parent, quotaId, service"),
    ],
)
def test_wrong_arguments_are_refused(gcp: Provider, changes: dict[str, str], told: str) -> None:
    with pytest.raises(ProviderError, match=told):
        asked(gcp, **changes)


def test_a_variable_that_cannot_be_read_is_refused(
    gcp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"{ALL_REGIONS}=many")
    with pytest.raises(ProviderError, match=VARIABLE):
        asked(gcp)
