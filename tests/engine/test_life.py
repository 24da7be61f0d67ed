"""The life of every committed stack, by the real engine: up, again, refresh, edits, destroy.

Each stage is run once for a stack and looked at by several tests; it starts where the one before
left off.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.applications import emitted_applications
from sandbox.records import Run
from tests.engine.conftest import (
    Config,
    Lab,
    by_operation,
    changed,
    committed_config,
    lab_in,
    stack_object,
)

pytestmark = pytest.mark.engine

STACKS = ("gke", "hetzner", "local")
NEW_MODEL = "brand-new"

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - how the state marks secrets
_CREDENTIAL = re.compile(
    r"""(?:token|client-key-data|password|secret[-_]?key|private_key)["']?\s*[:=]\s*["']?"""
    r"""([^\s"',}]{8,})"""
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END", re.DOTALL)


@pytest.fixture(scope="module", params=STACKS)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    stack = str(request.param)
    return lab_in(tmp_path_factory.mktemp(stack), stack)


@pytest.fixture(scope="module")
def up(lab: Lab) -> Run:
    return lab.engine().up()


@pytest.fixture(scope="module")
def again(lab: Lab, up: Run) -> Run:
    assert up.changed
    return lab.engine().up()


@pytest.fixture(scope="module")
def refreshed(lab: Lab, again: Run) -> Run:
    assert not again.changed
    return lab.engine().refresh()


@pytest.fixture(scope="module")
def with_more_nodes(lab: Lab, refreshed: Run) -> Run:
    assert refreshed.stack == lab.stack
    return lab.engine(more_nodes(lab.config)).preview()


@pytest.fixture(scope="module")
def with_new_model(lab: Lab, refreshed: Run) -> Run:
    assert refreshed.stack == lab.stack
    return lab.engine(one_more_model(lab.config)).preview()


@pytest.fixture(scope="module")
def without_a_tenant(lab: Lab, refreshed: Run) -> tuple[Run, list[dict[str, Any]]]:
    """Take the last tenant away, and give what the providers did in that order."""
    assert refreshed.stack == lab.stack
    before = len(lab.journal())
    tenants = stack_object(lab.config)["tenants"]
    run = lab.engine(changed(lab.config, tenants=tenants[:-1])).up()
    return run, lab.journal()[before:]


@pytest.fixture(scope="module")
def destroyed(lab: Lab, refreshed: Run) -> tuple[Run, list[dict[str, Any]]]:
    """Destroy the stack, and give what the providers did in the order in which they did it."""
    assert refreshed.stack == lab.stack
    unprotected = without_protection(lab.config)
    if unprotected != lab.config:
        lab.engine(unprotected).up()
    before = len(lab.journal())
    run = lab.engine(unprotected).destroy()
    return run, lab.journal()[before:]


def more_nodes(config: Config) -> Config:
    """Return a config in which the first pool of nodes has one node more, at least."""
    edited = copy.deepcopy(config)
    stack = stack_object(edited)
    match stack["kind"]:
        case "gke":
            stack["gke"]["gpu_pools"][0]["min_nodes"] = 1
        case "hetzner":
            stack["hetzner"]["worker_pools"][0]["count"] += 1
        case kind:
            message = f"a stack of kind {kind} has no pools"
            raise AssertionError(message)
    return edited


def one_more_model(config: Config) -> Config:
    """Return a config with one model more, which nobody may call yet."""
    models = stack_object(config)["models"]
    return changed(config, models=[*models, {**models[0], "name": NEW_MODEL}])


def without_protection(config: Config) -> Config:
    """Return a config whose cluster may be deleted."""
    edited = copy.deepcopy(config)
    stack = stack_object(edited)
    if stack["kind"] == "hetzner":
        stack["hetzner"]["deletion_protection"] = False
    if stack["kind"] == "gke":
        stack["gke"]["deletion_protection"] = False
    return edited


def is_part_of(urn: str, tree: str) -> bool:
    """Return whether a resource belongs to one of the two trees, by the parents in its URN."""
    return f"llmp:{tree}:" in urn


def test_an_up_creates_everything(up: Run) -> None:
    assert set(up.operations) == {"create"}
    assert up.changed


def test_both_trees_appear_under_their_own_component(lab: Lab, up: Run) -> None:
    by_urn = {one.urn: one for one in up.resources}

    def root_of(urn: str) -> str:
        resource = by_urn[urn]
        parent = by_urn.get(resource.parent or "")
        if parent is None or parent.type == "pulumi:pulumi:Stack":
            return resource.type
        return root_of(parent.urn)

    roots = {
        root_of(one.urn)
        for one in up.resources
        if one.type not in {"pulumi:pulumi:Stack", "pulumi:pulumi:StackReference"}
        and not one.type.startswith("pulumi:providers:")
    }

    assert all(root.startswith(("llmp:substrate:", "llmp:platform:")) for root in roots), roots
    assert "llmp:platform:Platform" in roots
    applications = [one for one in up.resources if one.kind == "Application"]
    assert applications
    assert {root_of(one.urn) for one in applications} == {"llmp:platform:Platform"}
    if lab.stack != "local":
        assert any(root.startswith("llmp:substrate:") for root in roots)


def test_applications_are_created_after_all_that_they_require(lab: Lab, up: Run) -> None:
    requires = {one.name: set(one.requires) for one in emitted_applications(up.resources)}
    created = [
        entry["name"].removesuffix("-application")
        for entry in lab.journal()
        if entry["operation"] == "create" and entry["type"].endswith(":Application")
    ][: len(requires)]

    assert sorted(created) == sorted(requires)
    for place, name in enumerate(created):
        assert requires[name] <= set(created[:place]), f"{name} came before what it requires"


def test_models_that_cost_a_gpu_are_not_started_by_themselves(lab: Lab, up: Run) -> None:
    sync = {one.name: one.sync for one in emitted_applications(up.resources)}

    for model in stack_object(lab.config)["models"]:
        assert sync.pop(f"{model['name']}-vllm") == "manual"
    assert set(sync.values()) == {"automatic"}


def test_the_contract_is_a_plain_output_and_the_kubeconfig_a_secret_one(lab: Lab, up: Run) -> None:
    contract = up.outputs["substrate"]

    assert contract["version"] == 1
    assert contract["cloud"] == {"gke": "gcp", "hetzner": "hetzner", "local": "other"}[lab.stack]
    if lab.stack != "local":
        assert up.outputs["kubeconfig"] == "[secret]"


def test_no_secret_stands_in_clear_in_the_state_or_in_any_file(lab: Lab, up: Run) -> None:
    assert up.changed
    shown = json.loads(lab.pulumi("stack", "export", "--show-secrets"))
    secrets = secrets_in(shown["deployment"])
    exported = lab.pulumi("stack", "export")
    if lab.stack != "local":
        assert secrets, "the stack has secrets, and none was found to look for"
        assert _SECRET_MARK in exported

    # The connection to a GPU server is secret as a whole: address and host key are in the config.
    written = json.dumps(lab.config)
    secrets = {secret for secret in secrets if _as_written(secret) not in written}
    secrets.add(lab.sandbox.environment(lab.stack)["HCLOUD_TOKEN"])
    secrets.add(lab.sandbox.passphrase_file.read_text(encoding="utf-8"))
    assert not [secret[:4] for secret in secrets if _as_written(secret) in exported]
    for path in files_of(lab):
        text = path.read_text(encoding="utf-8", errors="replace")
        found = [secret[:4] for secret in secrets if secret in text or _as_written(secret) in text]
        assert not found, f"{path.relative_to(lab.sandbox.root)} holds secrets in clear"


def test_a_second_up_changes_nothing(again: Run) -> None:
    assert set(again.operations) == {"same"}, by_operation(again)
    assert not again.changed


def test_the_order_of_the_applications_is_the_same_on_a_second_up(up: Run, again: Run) -> None:
    assert emitted_applications(again.resources) == emitted_applications(up.resources)


def test_a_refresh_finds_nothing_changed(lab: Lab, refreshed: Run) -> None:
    assert "update" not in refreshed.operations, by_operation(refreshed)
    assert "delete" not in refreshed.operations, by_operation(refreshed)
    assert not lab.engine().preview().changed


@pytest.mark.parametrize("lab", ["gke", "hetzner"], indirect=True)
def test_more_nodes_in_a_pool_replace_nothing(lab: Lab, with_more_nodes: Run) -> None:
    done = by_operation(with_more_nodes)

    assert with_more_nodes.changed
    assert "replace" not in done
    assert "delete" not in done
    if lab.stack == "gke":
        assert [one.type for one in done["update"]] == ["gcp:container/nodePool:NodePool"]
        assert "create" not in done
    else:
        assert {one.type for one in done["create"] if one.custom} == {
            "hcloud:index/server:Server",
            "hcloud:index/serverNetwork:ServerNetwork",
        }


def test_a_new_model_makes_its_own_applications_and_changes_only_who_lists_models(
    with_new_model: Run,
) -> None:
    done = by_operation(with_new_model)

    assert set(done) <= {"create", "update"}
    assert {one.kind for one in done["create"] if one.custom} == {"Application"}
    assert all(NEW_MODEL in one.name for one in done["create"]), done["create"]
    assert {one.kind for one in done["update"] if one.custom} <= {"Application", "AppProject"}
    assert not [one.urn for one in done["update"] if not is_part_of(one.urn, "platform")]
    assert "litellm" in {one.name.removesuffix("-application") for one in done["update"]}


def test_a_tenant_that_is_removed_takes_its_applications_along_and_then_its_project(
    lab: Lab, without_a_tenant: tuple[Run, list[dict[str, Any]]]
) -> None:
    run, journal = without_a_tenant
    name = stack_object(lab.config)["tenants"][-1]["name"]
    gone = [one for one in by_operation(run)["delete"] if one.custom]
    assert {one.name.removesuffix("-application") for one in gone if one.kind == "Application"} == {
        f"{name}-network",
        f"{name}-tenant",
    }
    assert [one.kind for one in gone if one.kind != "Application"] == ["AppProject"]
    deleted = [
        entry["type"].rpartition(":")[2] for entry in journal if entry["operation"] == "delete"
    ]
    assert deleted == ["Application", "Application", "AppProject"]
    updated = {one.name for one in by_operation(run)["update"] if one.kind == "AppProject"}
    assert not updated


def test_a_destroy_leaves_nothing(lab: Lab, destroyed: tuple[Run, list[dict[str, Any]]]) -> None:
    run, _ = destroyed

    assert set(run.operations) == {"delete"}
    assert not lab.engine().export().get("resources")
    assert not list((lab.sandbox.clouds(lab.stack) / "cloud").rglob("*.json"))


def test_a_destroy_removes_applications_then_argo_cd_then_the_cluster(
    lab: Lab, destroyed: tuple[Run, list[dict[str, Any]]]
) -> None:
    _, journal = destroyed
    deleted = [
        (index, entry) for index, entry in enumerate(journal) if entry["operation"] == "delete"
    ]

    def places(*types: str) -> list[int]:
        found = [index for index, entry in deleted if entry["type"].endswith(types)]
        assert found, f"no {types} was deleted"
        return found

    applications = places(":Application")
    argo_cd = [
        index
        for index, entry in deleted
        if entry["type"].endswith(":Release") and "argocd" in entry["name"].replace("-", "")
    ]
    assert argo_cd, "the Argo CD release was not deleted"
    assert max(applications) < min(argo_cd)
    if lab.stack == "gke":
        assert max(argo_cd) < min(places(":NodePool"))
        assert max(argo_cd) < min(places("container/cluster:Cluster"))
    if lab.stack == "hetzner":
        assert max(argo_cd) < min(places("server:Server"))


def files_of(lab: Lab) -> list[Path]:
    """Return the files that a stack left behind, but the one that holds the passphrase."""
    return [
        path
        for path in sorted(lab.sandbox.root.rglob("*"))
        if path.is_file() and path != lab.sandbox.passphrase_file
    ]


def secrets_in(deployment: dict[str, Any]) -> set[str]:
    """Return the secret texts of a decrypted state.

    All that passwords, keys, commands and the stack itself mark as secret, and credentials in what
    others mark: those mark whole objects, with names and addresses in them that everybody may read.
    """
    found: set[str] = set()
    for resource in deployment["resources"]:
        texts = _marked([resource.get("inputs"), resource.get("outputs")])
        for text in texts:
            found.update(_CREDENTIAL.findall(text), _PRIVATE_KEY.findall(text))
        if resource["type"].startswith(("random:", "tls:", "command:", "pulumi:pulumi:Stack")):
            found |= texts
    return {text for text in found if len(text) >= 8}


def _marked(value: object) -> set[str]:
    """Return the texts below the secret marks of a value."""
    if isinstance(value, list):
        return {text for item in cast("list[object]", value) for text in _marked(item)}
    if not isinstance(value, dict):
        return set()
    mapping = cast("dict[str, object]", value)
    if mapping.get(_SIGNATURE) == _SECRET_MARK:
        return _texts(json.loads(str(mapping["plaintext"])))
    return {text for item in mapping.values() for text in _marked(item)}


def _texts(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, list):
        return {text for item in cast("list[object]", value) for text in _texts(item)}
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).values()
        return {text for item in items for text in _texts(item)}
    return set()


def _as_written(text: str) -> str:
    """Return a text as it stands inside a JSON string."""
    return json.dumps(text)[1:-1]


def test_the_committed_stacks_are_the_ones_that_are_tested() -> None:
    for stack in STACKS:
        assert stack_object(committed_config(stack))["platform"]
