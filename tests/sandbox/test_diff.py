"""What counts as a change, and what replaces a resource."""

from typing import Any

import pytest

from sandbox.provider import rules
from sandbox.provider.diff import Change, Kind, compare
from sandbox.provider.values import UNKNOWN, Secret

POOL = rules.load("gcp").types["gcp:container/nodePool:NodePool"]


def _pool(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    return compare(
        old, new, immutable=POOL.immutable, computed=POOL.outputs, unordered=POOL.unordered
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": 1}, {"a": 1.0}),
        ({"a": None}, {}),
        ({"a": []}, {}),
        ({}, {"a": {}}),
        ({"a": "x"}, {"a": Secret("x")}),
        ({"a": [{"b": Secret("x")}]}, {"a": [{"b": "x"}]}),
        ({"__defaults": ["a"]}, {"__defaults": []}),
    ],
)
def test_what_means_the_same_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert compare(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "path", "kind"),
    [
        ({"a": 1}, {"a": True}, "a", Kind.UPDATE),
        ({"a": 0}, {"a": False}, "a", Kind.UPDATE),
        ({"a": "x"}, {}, "a", Kind.DELETE),
        ({}, {"a": "x"}, "a", Kind.ADD),
        ({"a": "x"}, {"a": UNKNOWN}, "a", Kind.UPDATE),
        ({"a": {"b/c": 1}}, {"a": {"b/c": 2}}, 'a["b/c"]', Kind.UPDATE),
        ({"a": [1, 2]}, {"a": [1]}, "a[1]", Kind.DELETE),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b", Kind.UPDATE),
    ],
)
def test_a_change_is_named_by_its_path(
    old: dict[str, Any], new: dict[str, Any], path: str, kind: Kind
) -> None:
    changes = compare(old, new)
    assert [(change.text, change.kind) for change in changes] == [(path, kind)]


def test_raising_a_pool_s_minimum_never_replaces_it() -> None:
    changes = _pool({"autoscaling": {"minNodeCount": 0}}, {"autoscaling": {"minNodeCount": 1}})
    assert [change.replaces for change in changes] == [False]


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        ({"machineType": "e2-small"}, {"machineType": "e2-medium"}, False),
        ({"labels": {"a": "b"}}, {"labels": {"a": "c"}}, False),
        ({"taints": []}, {"taints": [{"key": "k", "value": "v", "effect": "NO_EXECUTE"}]}, False),
        ({"spot": False}, {"spot": True}, True),
        ({"serviceAccount": "a"}, {"serviceAccount": "b"}, True),
        ({"oauthScopes": ["a"]}, {"oauthScopes": ["b"]}, True),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "c"}}, True),
        (
            {"guestAccelerators": [{"type": "t", "count": 1}]},
            {"guestAccelerators": [{"type": "t", "count": 2}]},
            True,
        ),
        ({"guestAccelerators": []}, {"guestAccelerators": [{"type": "t", "count": 1}]}, True),
        ({"gvnic": {"enabled": False}}, {"gvnic": {"enabled": True}}, False),
    ],
)
def test_a_pool_is_replaced_by_exactly_the_node_settings_that_the_schema_names(
    old: dict[str, Any], new: dict[str, Any], *, replaces: bool
) -> None:
    changes = _pool({"nodeConfig": old}, {"nodeConfig": new})
    assert changes
    assert any(change.replaces for change in changes) is replaces


def test_the_initial_node_count_replaces_a_pool() -> None:
    assert _pool({"initialNodeCount": 1}, {"initialNodeCount": 2})[0].replaces


def test_withdrawing_an_input_that_the_cloud_also_computes_changes_nothing() -> None:
    assert _pool({"nodeLocations": ["a"]}, {}) == []
    assert _pool({"autoscaling": {"maxNodeCount": 1}}, {}) != []


def test_the_order_of_a_set_means_nothing() -> None:
    old = {"nodeConfig": {"oauthScopes": ["a", "b"]}}
    assert _pool(old, {"nodeConfig": {"oauthScopes": ["b", "a"]}}) == []


def test_an_unknown_value_for_an_immutable_property_replaces() -> None:
    assert _pool({"cluster": "a"}, {"cluster": UNKNOWN})[0].replaces
