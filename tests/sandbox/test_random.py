"""Random values: real ones, of the asked form, drawn once."""

import base64
import re
from collections.abc import Callable

import pytest

from sandbox.provider.package import Subject
from sandbox.provider.store import Store
from sandbox.provider.values import UNKNOWN, Secret
from tests.sandbox.conftest import Provider

Configured = Callable[..., Provider]


@pytest.fixture
def chance(provider: Configured) -> Provider:
    """The random provider."""
    return provider("random")


def test_a_password_is_secret_and_of_the_asked_form(chance: Provider) -> None:
    inputs = {"length": 24, "special": False, "upper": False, "minNumeric": 3}
    made = chance.make("random:index/randomPassword:RandomPassword", inputs)
    result = made.outputs["result"]
    assert isinstance(result, Secret)
    assert isinstance(made.outputs["bcryptHash"], Secret)
    assert re.fullmatch(r"[a-z0-9]{24}", result.value)
    assert sum(letter.isdigit() for letter in result.value) >= 3


def test_a_string_is_not_secret(chance: Provider) -> None:
    made = chance.make("random:index/randomString:RandomString", {"length": 8})
    assert len(made.outputs["result"]) == 8


def test_an_id_comes_in_every_notation(chance: Provider) -> None:
    outputs = chance.make("random:index/randomId:RandomId", {"byteLength": 4}).outputs
    data = bytes.fromhex(outputs["hex"])
    assert len(data) == 4
    assert base64.b64decode(outputs["b64Std"]) == data
    assert int(outputs["dec"]) == int.from_bytes(data)


def test_bytes_are_secret(chance: Provider) -> None:
    outputs = chance.make("random:index/randomBytes:RandomBytes", {"length": 16}).outputs
    assert len(base64.b64decode(outputs["base64"].value)) == 16


def test_a_pet_has_the_asked_number_of_words(chance: Provider) -> None:
    made = chance.make("random:index/randomPet:RandomPet", {"length": 3, "prefix": "my"})
    assert len(made.id.split("-")) == 4


def test_a_keeper_replaces_the_value(chance: Provider) -> None:
    inputs = {"length": 8, "keepers": {"generation": "1"}}
    made = chance.make("random:index/randomString:RandomString", inputs)
    assert chance.diff(made, inputs).changes == []
    difference = chance.diff(made, {"length": 8, "keepers": {"generation": "2"}})
    assert [change.replaces for change in difference.changes] == [True]


def test_a_seed_draws_the_same_again(chance: Provider) -> None:
    inputs = {"min": 1, "max": 1_000_000, "seed": "a"}
    kind = "random:index/randomInteger:RandomInteger"
    assert chance.make(kind, inputs).outputs == chance.make(kind, inputs).outputs


def test_the_value_is_kept_in_the_state_alone(chance: Provider, store: Store) -> None:
    made = chance.make("random:index/randomString:RandomString", {"length": 20})
    texts = [
        path.read_text(encoding="utf-8")
        for path in store.home.rglob("*")
        if path.is_file() and path.name != "journal.jsonl"
    ]
    assert not any(made.outputs["result"] in text for text in texts)
    assert chance.read(made)[2] == made.outputs


def test_a_preview_leaves_the_value_open(chance: Provider) -> None:
    kind = "random:index/randomUuid:RandomUuid"
    subject = Subject(token=kind, name="u")
    checked = chance.checked(kind, {})
    assert chance.package.create(subject, checked, preview=True) == ("", {"result": UNKNOWN})
