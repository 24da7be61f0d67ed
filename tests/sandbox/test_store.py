"""What is kept, what is not, and how an operation is noted."""

import pytest

from sandbox.provider.package import ProviderError
from sandbox.provider.store import (
    REDACTED,
    InjectedError,
    Record,
    Store,
    StoreError,
    redact,
    restore,
)
from sandbox.provider.values import Properties, Secret

SECRET = Secret("correct horse")


def _record(properties: Properties) -> Record:
    kind = "gcp:a/b:C"
    return Record(token=kind, id="x", name="n", inputs=properties, outputs={})


def test_no_secret_reaches_a_file(store: Store) -> None:
    properties = {"plain": "shown", "hidden": SECRET, "nested": [{"deep": SECRET}]}
    with store.locked():
        store.put(_record(properties))
        store.write_object(
            store.object_path("c", "ns", "Secret", "s"), {"data": Secret({"k": "v7"})}
        )
    written = "".join(
        path.read_text(encoding="utf-8") for path in store.home.rglob("*") if path.is_file()
    )
    assert "shown" in written
    assert "correct horse" not in written
    assert "v7" not in written
    assert "k: (secret) sha256:" in written


def test_the_state_s_secrets_fill_the_places_that_the_store_left_open() -> None:
    known = {"a": SECRET, "b": [{"c": SECRET, "d": 1}], "e": Secret({"f": "g"})}
    assert restore(redact(known), known) == known


def test_a_secret_that_is_not_the_stored_one_does_not_pass_for_it() -> None:
    found = restore(redact({"a": SECRET}), {"a": Secret("another")})
    assert isinstance(found["a"], Secret)
    assert str(found["a"].value).startswith(REDACTED)


def test_every_operation_is_noted_in_order_with_its_failure(store: Store) -> None:
    with store.operation("create", "gcp:a/b:C", "one") as entry:
        entry.identifier = "x"
    with pytest.raises(ProviderError), store.operation("delete", "gcp:a/b:C", "one", "x"):
        raise ProviderError("still in use")
    lines = [(line["sequence"], line["operation"], line["id"]) for line in store.journal()]
    assert lines == [(1, "create", "x"), (2, "delete", "x")]
    assert store.journal()[1]["failed"] == "still in use"


def test_the_nth_create_fails_when_asked_to(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMP_SANDBOX_FAIL_AT", "2")
    with store.locked():
        store.count_create("one")
        with pytest.raises(InjectedError, match="create number 2"):
            store.count_create("two")
        store.count_create("three")


def test_the_named_create_fails_when_asked_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMP_SANDBOX_FAIL_ON", "two")
    with store.locked():
        store.count_create("one")
        with pytest.raises(InjectedError, match="creating two fails"):
            store.count_create("two")


def test_a_sandbox_without_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMP_SANDBOX_HOME", raising=False)
    with pytest.raises(StoreError, match="LLMP_SANDBOX_HOME is not set"):
        Store.from_environment()
