"""What a stack of kind `gke` exports, and what it emits without GPU metrics."""

import copy
import json
from typing import Any

import pytest

from tests.harness import Recorder
from tests.test_stacks import APPLICATION, built, config_of, run


def with_section(*, preview: bool = False, **changes: Any) -> Recorder:  # noqa: ANN401 - any field
    """Run the committed stack with other values in its `gke` section."""
    config = copy.deepcopy(config_of("gke"))
    config["llmp:stack"]["gke"] |= changes
    return run("gke", preview=preview, config=config)


def test_the_way_in_is_exported_as_a_command_without_a_credential() -> None:
    exported = built("gke").exports["credentials_command"]
    section = config_of("gke")["llmp:stack"]["gke"]
    assert exported.startswith("gcloud container clusters get-credentials ")
    assert f"--project {section['project']}" in exported
    assert exported.endswith("--dns-endpoint")
    assert "credentials_command" not in built("gke").secret_exports


def test_the_command_asks_for_the_address_where_there_is_no_name() -> None:
    by_address = {"endpoint": "ip", "authorized_networks": ["203.0.113.0/24"]}
    exported = with_section(control_plane=by_address).exports["credentials_command"]
    assert "--dns-endpoint" not in exported


def test_reserved_addresses_are_exported_for_others_to_let_in() -> None:
    exported = with_section(network={"nat_addresses": 2}).exports["nat_addresses"]
    assert exported == ["192.0.2.30", "192.0.2.30"]


def test_addresses_that_google_chooses_are_not_exported() -> None:
    assert "nat_addresses" not in built("gke").exports


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_without_managed_prometheus_nothing_scrapes_or_draws_the_gpus(*, preview: bool) -> None:
    recorder = with_section(preview=preview, control_plane={"managed_prometheus": False})
    emitted = json.dumps([each.inputs for each in recorder.all(APPLICATION)])
    assert "gke-managed-dcgm-exporter" not in emitted
    assert "gke-managed-system" not in emitted
    usual = json.dumps([each.inputs for each in built("gke").all(APPLICATION)])
    assert "gke-managed-dcgm-exporter" in usual
