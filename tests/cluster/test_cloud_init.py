"""The user data of every server of a stack is what cloud-init takes, by cloud-init's own schema."""

import json
from functools import cache
from typing import Any, Final

import jsonschema
import pytest
import yaml

from components.substrate.hetzner_k3s import USER_DATA_LIMIT
from tests.harness import deploy
from tests.substrate.hetzner_samples import program
from tools.cloud_init import SCHEMA, schema_file
from tools.go_tools import WRAPPERS, module_version

pytestmark = pytest.mark.cluster

SHAPES: Final[dict[str, dict[str, Any]]] = {
    "smallest": {},
    "largest": {
        "control_plane": {"count": 5, "schedulable": True},
        "worker_pools": [
            {
                "name": "batch",
                "count": 2,
                "labels": {"workload": "batch"},
                "taints": [{"key": "dedicated", "value": "batch"}],
            }
        ],
    },
    "without an audit log": {"control_plane": {"audit_log": False}},
}


@cache
def validator() -> jsonschema.Draft4Validator:
    """Return what cloud-init checks with: its schema, read as draft 4 (its config/schema.py)."""
    file = schema_file()
    if not file.is_file():
        pytest.skip("cloud-init's schema is not there; `make test` brings it")
    return jsonschema.Draft4Validator(json.loads(file.read_text("utf-8")))


def problems(document: Any) -> list[str]:  # noqa: ANN401 - JSON values
    """Return what cloud-init has against a document."""
    found = validator().iter_errors(document)  # pyright: ignore[reportUnknownMemberType]
    return [f"{'.'.join(map(str, one.path))}: {one.message}" for one in found]


def user_data(shape: str) -> dict[str, str]:
    """Return the user data of each server of a stack, with real keys and certificates."""
    stack = deploy(program(SHAPES[shape]))
    servers = stack.all("hcloud:index/server:Server")
    return {one.inputs["name"]: one.inputs["userData"] for one in servers}


@pytest.mark.parametrize("shape", SHAPES)
def test_cloud_init_takes_the_user_data_of_every_server(shape: str) -> None:
    for text in user_data(shape).values():
        # Without this line cloud-init takes the rest for something else and does nothing.
        assert text.startswith("#cloud-config\n")
        assert problems(yaml.safe_load(text)) == []


def test_the_largest_user_data_leaves_a_third_of_the_limit_free() -> None:
    sizes = {name: len(text.encode()) for name, text in user_data("largest").items()}
    assert max(sizes.values()) < USER_DATA_LIMIT * 2 / 3, sizes


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"write_file": []}, "write_file"),
        ({"write_files": [{"content": "x"}]}, "path"),
        ({"write_files": [{"path": "/x", "permissions": 600}]}, "600 is not of type 'string'"),
        ({"runcmd": [{"a": "b"}]}, "runcmd.0"),
        ({"ssh_pwauth": [1]}, "ssh_pwauth"),
    ],
)
def test_the_schema_finds_what_cloud_init_would_not_do(wrong: dict[str, Any], says: str) -> None:
    assert any(says in one for one in problems(wrong)), problems(wrong)


def test_the_schema_is_pinned_with_its_checksum() -> None:
    sums = (WRAPPERS / SCHEMA.wrapper / "go.sum").read_text(encoding="utf-8")
    version = module_version(SCHEMA.wrapper, SCHEMA.module)
    assert f"{SCHEMA.module} {version} h1:" in sums
