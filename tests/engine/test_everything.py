"""The example that has every system, by the real engine: up, again, destroy."""

from pathlib import Path

import pytest

from sandbox.project import REPOSITORY, Sandbox
from sandbox.stack_file import read_stack_file
from tests.engine.conftest import Lab, changed, stack_object

pytestmark = pytest.mark.engine


def test_every_system_comes_up_stays_as_it_is_and_goes(tmp_path: Path) -> None:
    config = read_stack_file(REPOSITORY / "examples" / "everything.yaml").config
    stack = stack_object(config)
    # A commit that is made while the tests run would be a change.
    stack["platform"]["gitops"]["revision"] = "v1.0.0"
    lab = Lab(stack="everything", sandbox=Sandbox(root=tmp_path), config=config)

    up = lab.engine().up()
    supplied = up.outputs["secrets_to_supply"]
    assert "claude-route" in supplied["anthropic-api-key"]
    assert not lab.engine().up().changed

    unprotected = changed(config, gke={**stack["gke"], "deletion_protection": False})
    unprotected["llmp:stack"]["platform"]["tier"] = "dev"
    lab.engine(unprotected).up()
    gone = lab.engine(unprotected).destroy()
    assert set(gone.operations) == {"delete"}
    assert not lab.engine(unprotected).export().get("resources")
