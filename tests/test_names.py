"""Physical names stay within each system's limit and stay unique."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import names

LABEL = st.from_regex(r"[a-z][a-z0-9-]{0,80}[a-z0-9]", fullmatch=True)


@given(LABEL, st.integers(min_value=20, max_value=63))
def test_a_fitted_name_is_within_its_limit_and_still_a_dns_label(name: str, limit: int) -> None:
    fitted = names.fit(name, limit)
    assert len(fitted) <= limit
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", fitted)


@given(LABEL)
def test_a_name_that_fits_is_left_alone(name: str) -> None:
    assert names.fit(name, 100) == name


@given(LABEL, LABEL)
def test_two_long_names_never_become_one(first: str, second: str) -> None:
    if first != second:
        assert names.fit(first, 30) != names.fit(second, 30)


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        names.fit("a-rather-long-name", 9)


def test_a_google_service_account_id_has_at_most_thirty_characters() -> None:
    account = names.gcp_service_account("a-cluster-with-quite-a-long-name", "external-secrets")
    assert len(account) == 30
