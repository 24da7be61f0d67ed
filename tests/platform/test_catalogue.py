"""The catalogue's order and the contradictions that it refuses."""

import pytest

from components.platform.catalogue import CatalogueEntry, CatalogueError, OwnChart, gates, order


def entry(name: str, *requires: str, sync: str = "automatic") -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        namespace="somewhere",
        layer="platform",
        source=OwnChart(chart="x", values={}),
        requires=requires,
        sync="manual" if sync == "manual" else "automatic",
    )


def test_an_entry_comes_after_all_that_it_requires() -> None:
    ordered = [one.name for one in order([entry("c", "b"), entry("b", "a"), entry("a")])]
    assert ordered == ["a", "b", "c"]


def test_entries_without_edges_keep_the_order_they_were_given_in() -> None:
    assert [one.name for one in order([entry("z"), entry("a"), entry("m")])] == ["z", "a", "m"]


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(CatalogueError, match="two entries are called 'a'"):
        order([entry("a"), entry("a")])


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(CatalogueError, match="requires 'gone', which is not in the catalogue"):
        order([entry("a", "gone")])


def test_a_circle_is_refused_and_named() -> None:
    with pytest.raises(CatalogueError, match="in a circle"):
        order([entry("a", "b"), entry("b", "a")])


def test_nothing_may_wait_for_an_entry_that_is_synced_by_hand() -> None:
    with pytest.raises(CatalogueError, match="synced by hand"):
        order([entry("model", sync="manual"), entry("user", "model")])


def test_a_name_longer_than_a_helm_release_is_refused() -> None:
    with pytest.raises(CatalogueError, match="longer than a Helm release"):
        order([entry("x" * 54)])


def test_only_what_others_require_is_a_gate() -> None:
    assert gates([entry("a"), entry("b", "a"), entry("c", "a")]) == {"a"}
