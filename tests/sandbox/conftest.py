"""A sandbox of their own for the tests of the providers."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.provider.__main__ import package
from sandbox.provider.check import Failure
from sandbox.provider.package import Difference, Naming, Package, Subject
from sandbox.provider.store import Store
from sandbox.provider.values import Properties, Secret

PROJECT = "sandbox-project"
HCLOUD_TOKEN = "0123456789abcdef" * 4

CONFIGURATION: Mapping[str, Properties] = {
    "gcp": {"project": PROJECT, "region": "europe-west4", "zone": "europe-west4-a"},
    "hcloud": {"token": Secret(HCLOUD_TOKEN)},
    "kubernetes": {"context": "workshop"},
    "random": {},
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests that need the engine, with the reason, where there is none."""
    if "engine" in item.keywords and shutil.which("pulumi") is None:
        pytest.skip("there is no `pulumi` on PATH; `make test` brings one")


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that a test has made."""

    token: str
    name: str
    id: str
    inputs: Properties
    outputs: Properties


@dataclass(frozen=True, slots=True)
class Provider:
    """One configured provider, driven the way the engine drives it."""

    package: Package

    def refusals(self, token: str, inputs: Properties, name: str = "thing") -> list[Failure]:
        """Return what Check says against a new resource."""
        return self.package.check(Subject(token=token, name=name), {}, inputs, Naming())[1]

    def checked(
        self, token: str, inputs: Properties, olds: Properties | None = None, name: str = "thing"
    ) -> Properties:
        """Return the completed inputs of a resource that Check has nothing against."""
        subject = Subject(token=token, name=name)
        result, failures = self.package.check(subject, olds or {}, inputs, Naming())
        assert failures == []
        return result

    def make(self, token: str, inputs: Properties, name: str = "thing") -> Made:
        """Check and create a resource."""
        checked = self.checked(token, inputs, name=name)
        subject = Subject(token=token, name=name)
        identifier, outputs = self.package.create(subject, checked, preview=False)
        return Made(token, name, identifier, checked, outputs)

    def diff(self, made: Made, inputs: Properties) -> Difference:
        """Compare a resource with other inputs for it."""
        checked = self.checked(made.token, inputs, made.inputs, made.name)
        subject = Subject(token=made.token, name=made.name)
        return self.package.diff(subject, made.id, made.inputs, checked)

    def change(self, made: Made, inputs: Properties) -> Made:
        """Check and update a resource."""
        checked = self.checked(made.token, inputs, made.inputs, made.name)
        subject = Subject(token=made.token, name=made.name)
        outputs = self.package.update(subject, made.id, made.outputs, checked, preview=False)
        return Made(made.token, made.name, made.id, checked, outputs)

    def read(self, made: Made) -> tuple[str, Properties, Properties]:
        """Read a resource as a refresh does."""
        subject = Subject(token=made.token, name=made.name)
        return self.package.read(subject, made.id, made.inputs, made.outputs)

    def remove(self, made: Made) -> None:
        """Delete a resource."""
        self.package.delete(Subject(token=made.token, name=made.name), made.id, made.outputs)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty sandbox, which the providers of the test share."""
    home = tmp_path / "home"
    monkeypatch.setenv("LLMP_SANDBOX_HOME", str(home))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return Store(home)


@pytest.fixture
def provider(store: Store) -> Callable[..., Provider]:
    """Configure a provider by its name, with other settings than the usual ones if given."""
    del store

    def configured(name: str, **settings: object) -> Provider:
        served = package(name)
        served.configure({**CONFIGURATION[name], **settings})
        return Provider(served)

    return configured


def paths(failures: list[Failure]) -> set[str]:
    """Return the properties that failures are about."""
    return {failure.path for failure in failures}
