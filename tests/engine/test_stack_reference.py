"""The platform tree by StackReference is the one that is built in process."""

from pathlib import Path
from typing import Any

import pytest

from sandbox.records import Run
from sandbox.runner import Engine
from tests.engine.conftest import changed, lab_in, stack_object

pytestmark = pytest.mark.engine


def _platform(run: Run) -> dict[str, Any]:
    return {
        one.name: one.inputs for one in run.resources if one.kind in {"Application", "AppProject"}
    }


def test_a_stack_that_refers_to_a_substrate_has_the_same_platform(tmp_path: Path) -> None:
    lab = lab_in(tmp_path, "gke")
    stack = stack_object(lab.config)
    in_process = lab.engine().preview()
    without = {**stack["platform"], "enabled": False}
    alone = lab.engine(changed(lab.config, platform=without, models=[], tenants=[])).up()
    assert not _platform(alone)
    referring = {
        "llmp:stack": {
            "kind": "existing",
            "existing": {"contract_from": "organization/llmp/gke", "install_argo_cd": False},
            **{key: stack[key] for key in ("platform", "models", "tenants")},
        }
    }

    second = Engine(lab.sandbox, "gke-platform", referring)
    by_reference = second.up()

    assert _platform(by_reference)
    assert _platform(by_reference) == _platform(in_process)
    assert by_reference.outputs["substrate"] == alone.outputs["substrate"]
    assert not second.up().changed
    second.destroy()
    lab.engine(changed(lab.config, platform=without, models=[], tenants=[])).destroy()
