"""docs/hetzner.md says what the code does: its tables against components, config and addresses."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from stacks.config.hetzner import HetznerConfig
from tests.substrate.hetzner_samples import topology
from tests.test_tokens import TOKENS

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "hetzner.md").read_text(encoding="utf-8")


def first_column(heading: str) -> list[str]:
    """Return what stands in backquotes in the first column of the table that begins so."""
    table = DOCUMENT[DOCUMENT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [name for row in table for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_every_component_has_a_row_and_no_row_is_of_none() -> None:
    components = {
        token.rpartition(":")[2] for token in TOKENS if token.startswith("llmp:substrate")
    }
    own = {name for name in components if name.startswith("Hetzner")} - {"HetznerSubstrate"}
    assert own <= set(first_column("component")) <= components


@pytest.mark.parametrize("key", first_column("key"))
def test_every_choice_is_a_key_of_the_section(key: str) -> None:
    section: type[BaseModel] = HetznerConfig
    *parents, last = key.split(".")
    for parent in parents:
        annotation = section.model_fields[parent].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        section = annotation
    assert last in section.model_fields


def test_every_way_to_the_api_is_told() -> None:
    ways = HetznerConfig.model_json_schema()["$defs"]["HetznerControlPlane"]["properties"]
    assert set(first_column("`load_balancer`")) == set(ways["load_balancer"]["enum"])


def test_the_addresses_of_the_diagram_are_those_of_the_default_network() -> None:
    shape = topology({"control_plane": {"count": 3}})
    assert f"<br>{shape.control_plane_address(0)}, .253, …" in DOCUMENT
    assert shape.control_plane_address(1).endswith(".253")
    assert f"<br>{shape.load_balancer_address}" in DOCUMENT


def test_what_is_left_is_found_by_labels_that_the_program_sets() -> None:
    (cluster,) = set(re.findall(r"--selector (cluster=\S+)`", DOCUMENT))
    key, _, value = cluster.partition("=")
    assert topology().resource_labels[key] == value


def test_it_stays_short_enough_to_be_read() -> None:
    assert len(DOCUMENT.splitlines()) <= 150
