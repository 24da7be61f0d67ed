"""docs/gke.md says what the code does: its tables against components, config, outputs and roles."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from stacks.config.gke import GkeConfig
from tests.substrate.test_gke_identity import contract
from tests.substrate.test_gke_teardown import everything
from tests.test_tokens import TOKENS

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "gke.md").read_text(encoding="utf-8")


def first_column(heading: str) -> list[str]:
    """Return what stands in backquotes in the first column of the table that begins so."""
    table = DOCUMENT[DOCUMENT.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [name for row in table for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_every_component_has_a_row_and_no_row_is_of_none() -> None:
    components = {
        token.rpartition(":")[2] for token in TOKENS if token.startswith("llmp:substrate:Gke")
    }
    assert set(first_column("component")) == components - {"GkeSubstrate"}


@pytest.mark.parametrize("key", first_column("key"))
def test_every_choice_is_a_key_of_the_section(key: str) -> None:
    section: type[BaseModel] = GkeConfig
    *parents, last = key.split(".")
    for parent in parents:
        annotation = section.model_fields[parent].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        section = annotation
    assert last in section.model_fields


def test_every_output_of_a_stack_with_every_part_is_listed() -> None:
    assert set(everything().exports) <= set(first_column("output"))


def test_the_accounts_that_are_trusted_are_those_of_the_contract() -> None:
    row = DOCUMENT[DOCUMENT.index("| identity |") :].split("\n\n")[0]
    trusted = {
        f"{one['namespace']}/{one['service_account']}"
        for one in contract()["workload_identities"].values()
    }
    named = {name for name in re.findall(r"`([^`]+)`", row) if "/" in name}
    assert named == trusted


def test_it_stays_short_enough_to_be_read() -> None:
    assert len(DOCUMENT.splitlines()) <= 170
