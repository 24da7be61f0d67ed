"""Values cross the wire unchanged: secrets stay secret, and unknown stays unknown."""

import pytest

from sandbox.provider.values import UNKNOWN, Properties, Secret
from sandbox.provider.wire import decode, encode


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -17,
        1.5,
        2**53,
        "",
        "text",
        [],
        {},
        UNKNOWN,
        Secret("hidden"),
        Secret({"a": [1, Secret(UNKNOWN)]}),
        [{"a": None}, [Secret([False])]],
    ],
)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    properties: Properties = {"key": value}
    assert decode(encode(properties)) == properties


def test_a_whole_number_comes_back_as_one() -> None:
    assert isinstance(decode(encode({"n": 3}))["n"], int)


def test_what_the_protocol_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be sent"):
        encode({"key": {1, 2}})
