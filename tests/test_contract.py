"""The substrate contract: what goes in comes out, by each of its three ways."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from components.contract import SubstrateContract, annotation_key
from tests.samples import contract

ROOT = Path(__file__).resolve().parent.parent
KEY = re.compile(r"llmp\.dev/([a-z-]+)")
NOT_CONTRACT = {
    "environment",
    "gpu-product",
    "gpu-sharing",
    "kueue-managed",
    "layer",
    "model",
    "scripts",
    "team",
    "tenant",
}
"""Labels and annotations of our own objects and nodes that share the prefix."""


def test_what_the_stack_output_holds_is_read_back_unchanged() -> None:
    assert SubstrateContract.from_output(contract().to_output()) == contract()


def test_what_the_cluster_secret_holds_is_read_back_unchanged() -> None:
    assert SubstrateContract.from_annotations(contract().annotations()) == contract()


def test_a_contract_without_optional_values_survives_the_cluster_secret() -> None:
    bare = contract(domain=None, project=None, storage_class=None, snapshot_class=None)
    assert SubstrateContract.from_annotations(bare.annotations()) == bare


def test_every_field_is_an_annotation_and_every_annotation_a_field() -> None:
    produced = set(contract().annotations())
    assert produced == {annotation_key(name) for name in SubstrateContract.model_fields}


def test_a_missing_annotation_is_noticed() -> None:
    annotations = contract().annotations()
    del annotations["llmp.dev/gpu"]
    with pytest.raises(KeyError, match=r"llmp\.dev/gpu"):
        SubstrateContract.from_annotations(annotations)


def test_every_key_that_the_documents_and_charts_read_is_produced() -> None:
    produced = {key.removeprefix("llmp.dev/") for key in contract().annotations()}
    read: dict[str, str] = {}
    for folder in ("docs", "charts", "README.md"):
        place = ROOT / folder
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.is_file() and file.suffix in {".md", ".yaml", ".tpl"}:
                for key in KEY.findall(file.read_text(encoding="utf-8")):
                    read[key] = str(file.relative_to(ROOT))
    unknown = {key: file for key, file in read.items() if key not in produced | NOT_CONTRACT}
    assert not unknown


def test_labels_are_valid_kubernetes_label_values() -> None:
    for value in contract().labels().values():
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", value)


def test_a_contract_of_another_version_is_refused() -> None:
    with pytest.raises(ValidationError, match="version"):
        SubstrateContract.from_output({**contract().to_output(), "version": 2})


def test_an_unknown_key_in_the_stack_output_is_refused() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        SubstrateContract.from_output({**contract().to_output(), "surprise": 1})


def test_the_contract_cannot_be_changed_after_it_was_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        contract().region = "elsewhere"  # type: ignore[misc]
