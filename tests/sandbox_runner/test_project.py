"""The folder and the environment that the engine gets."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from sandbox.errors import SandboxError
from sandbox.project import REPOSITORY, Sandbox, engine_environment

CONFIG = {"llmp:stack": {"kind": "gke"}}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(root=tmp_path / "sandbox")


def _lock(sandbox: Sandbox, process: int) -> Path:
    folder = sandbox.state / ".pulumi" / "locks" / "organization" / "llmp" / "gke"
    folder.mkdir(parents=True)
    lock = folder / "1.json"
    lock.write_text(json.dumps({"pid": process}), encoding="utf-8")
    return lock


def test_no_credential_of_the_user_reaches_the_engine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = {
        "KUBECONFIG": "/home/me/.kube/config",
        "HCLOUD_TOKEN": "a-real-token",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/me/key.json",
        "GOOGLE_CREDENTIALS": "a-real-key",
        "CLOUDSDK_CONFIG": "/home/me/.config/gcloud",
        "PULUMI_ACCESS_TOKEN": "a-real-login",
        "PULUMI_BACKEND_URL": "gs://real-state",
        "PULUMI_CONFIG_PASSPHRASE": "a-real-passphrase",
        "AWS_SECRET_ACCESS_KEY": "a-real-key",
        "ANYTHING_ELSE": "a-real-secret",
    }
    for name, value in real.items():
        monkeypatch.setenv(name, value)

    environment = sandbox.environment("gke")

    assert set(real.values()).isdisjoint(environment.values())
    assert len(environment["HCLOUD_TOKEN"]) == 64
    assert environment["PULUMI_BACKEND_URL"].startswith("file://")
    assert not Path(environment["KUBECONFIG"]).exists()


def test_the_providers_of_the_sandbox_come_first_on_the_path(sandbox: Sandbox) -> None:
    path = sandbox.environment("gke")["PATH"].split(os.pathsep)

    assert path[0] == str(REPOSITORY / "sandbox" / "bin")


def test_the_environment_is_as_before_after_the_engine_ran(sandbox: Sandbox) -> None:
    before = dict(os.environ)

    with engine_environment(sandbox.environment("gke")):
        assert dict(os.environ) == sandbox.environment("gke") | {"PATH": os.environ["PATH"]}

    assert dict(os.environ) == before


def test_the_passphrase_is_generated_once_and_readable_by_its_owner_alone(
    sandbox: Sandbox,
) -> None:
    sandbox.prepare("gke", CONFIG)
    first = sandbox.passphrase_file.read_text(encoding="utf-8")
    sandbox.prepare("hetzner", CONFIG)

    assert sandbox.passphrase_file.read_text(encoding="utf-8") == first
    assert len(first) >= 32
    assert stat.S_IMODE(sandbox.passphrase_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(sandbox.root.stat().st_mode) == 0o700


def test_the_program_of_the_project_is_the_one_of_the_repository(sandbox: Sandbox) -> None:
    folder = sandbox.prepare("gke", CONFIG)

    settings = yaml.safe_load((folder / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert settings["main"] == str(REPOSITORY)
    assert settings["name"] == sandbox.project_name() == "llmp"
    assert (REPOSITORY / "__main__.py").is_file()


def test_a_new_config_keeps_the_salt_that_the_engine_wrote(sandbox: Sandbox) -> None:
    file = sandbox.prepare("gke", CONFIG) / "Pulumi.gke.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "encryptionsalt: v1:abc\n", encoding="utf-8")

    sandbox.prepare("gke", {"llmp:stack": {"kind": "hetzner"}})

    assert yaml.safe_load(file.read_text(encoding="utf-8")) == {
        "encryptionsalt": "v1:abc",
        "config": {"llmp:stack": {"kind": "hetzner"}},
    }


def test_the_lock_of_a_run_that_died_is_removed(sandbox: Sandbox) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    lock = _lock(sandbox, ended.pid)

    sandbox.clear_dead_locks("gke")

    assert not lock.exists()


def test_a_run_that_is_at_work_is_not_disturbed(sandbox: Sandbox) -> None:
    lock = _lock(sandbox, os.getpid())

    with pytest.raises(SandboxError, match="another run"):
        sandbox.clear_dead_locks("gke")

    assert lock.exists()


def test_a_reset_forgets_one_stack_and_no_other(sandbox: Sandbox) -> None:
    for stack in ("gke", "gke-two"):
        sandbox.prepare(stack, CONFIG)
        state = sandbox.state / ".pulumi" / "stacks" / "llmp" / f"{stack}.json"
        state.parent.mkdir(parents=True, exist_ok=True)
        state.write_text("{}", encoding="utf-8")

    assert sandbox.reset("gke")
    assert not sandbox.reset("gke")

    assert sandbox.stacks() == ("gke-two",)
    states = (sandbox.state / ".pulumi" / "stacks" / "llmp").iterdir()
    assert [state.name for state in states] == ["gke-two.json"]
