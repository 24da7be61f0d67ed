"""The list of values at the end of a chart's README."""

from components.platform.values.network import NetworkValues
from tools.chart_readme import HEADING, with_values
from tools.generate import schema

SCHEMA = schema(NetworkValues)


def test_every_key_has_a_row_however_deep_it_lies() -> None:
    text = with_values("# network\n\nBy hand.\n", SCHEMA)
    assert text.startswith("# network\n\nBy hand.\n\n## Values\n")
    assert "| `policies[].ingress[].peer.namespace` | text |  | Of kind pods. |" in text
    assert "| `policies[].ingress[].ports[].port` | integer | required |" in text


def test_a_list_that_was_there_is_replaced_and_what_is_written_stays() -> None:
    once = with_values("# network\n\nBy hand.", SCHEMA)
    assert with_values(once, SCHEMA) == once
    assert once.count(HEADING) == 1
    other = with_values(once, {"properties": {}})
    assert "By hand." in other
    assert "policies" not in other
