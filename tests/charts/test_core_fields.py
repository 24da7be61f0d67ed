"""The field check itself: it must find what the API server would refuse."""

import pytest

from tests.charts.core_fields import unknown_fields

GOOD = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "x"},
    "spec": {"clusterIP": "None", "ports": [{"port": 80, "targetPort": "http"}]},
}


def test_a_right_object_has_no_unknown_field() -> None:
    assert unknown_fields(GOOD) == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"clusterIp": "None"}, "Service x.spec.clusterIp is no field of ServiceSpec"),
        ({"ports": [{"prt": 80}]}, "Service x.spec.ports[0].prt is no field of ServicePort"),
        ({"ports": [{"port": "80"}]}, "Service x.spec.ports[0].port: '80' is no int"),
        ({"type": ["a"]}, "Service x.spec.type: a list, where none is expected"),
    ],
)
def test_a_wrong_field_is_found(spec: dict[str, object], problem: str) -> None:
    assert unknown_fields({**GOOD, "spec": spec}) == [problem]


def test_a_kind_without_known_type_is_reported() -> None:
    assert unknown_fields({**GOOD, "kind": "Sevice"}) == ["Sevice x: no type is known for v1"]
