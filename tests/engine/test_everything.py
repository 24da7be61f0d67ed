"""The example that has every system, by the real engine: up, again, destroy."""

from pathlib import Path

import pytest

from sandbox.project import REPOSITORY, Sandbox
from sandbox.stack_file import read_stack_file
from tests.engine.conftest import Lab, changed, stack_object

pytestmark = pytest.mark.engine

IN_CLUSTER = {"AppProject", "Application", "ConfigMap", "Namespace", "Release", "Secret"}


def test_every_system_comes_up_stays_as_it_is_and_goes(tmp_path: Path) -> None:
    config = read_stack_file(REPOSITORY / "examples" / "everything.yaml").config
    stack = stack_object(config)
    # A commit that is made while the tests run would be a change.
    stack["platform"]["gitops"]["revision"] = "v1.0.0"
    lab = Lab(stack="everything", sandbox=Sandbox(root=tmp_path), config=config)

    up = lab.engine().up()
    assert up.outputs["edge_address"]
    assert up.outputs["dns_name_servers"]
    supplied = up.outputs["secrets_to_supply"]
    assert "claude-route" in supplied["anthropic-api-key"]
    assert not lab.engine().up().changed

    unprotected = changed(config, gke={**stack["gke"], "deletion_protection": False})
    unprotected["llmp:stack"]["platform"]["tier"] = "dev"
    lab.engine(unprotected).up()
    before = len(lab.journal())
    gone = lab.engine(unprotected).destroy()
    assert set(gone.operations) == {"delete"}
    assert not lab.engine(unprotected).export().get("resources")
    left = lab.sandbox.clouds(lab.stack) / "cloud"
    assert not [str(path.relative_to(left)) for path in left.rglob("*.json")]
    # Load balancers and disks go with the Applications, while the cluster still lives.
    kinds = [entry["type"].rpartition(":")[2] for entry in lab.journal()[before:]]
    last_application = len(kinds) - kinds[::-1].index("Application")
    cloud = [kind for kind in kinds[:last_application] if kind not in IN_CLUSTER]
    assert not cloud, cloud
