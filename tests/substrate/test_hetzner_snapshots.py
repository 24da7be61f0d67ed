"""Snapshots of etcd: where they are copied to, and who knows the keys."""

import pytest
import yaml

from components.contract import SecretStore
from components.substrate.hetzner_snapshots import snapshot_folder
from components.substrate.hetzner_substrate import HetznerSubstrate, HetznerSubstrateArgs
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import OBJECT_STORAGE, TOKEN, program, topology

SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type
SERVER = "hcloud:index/server:Server"
STORE = "substrate-snapshot-store-config"
THREE: dict[str, object] = {"control_plane": {"count": 3}}


@pytest.fixture(scope="module", params=[False, True], ids=["up", "preview"])
def stored(request: pytest.FixtureRequest) -> Recorder:
    return deploy(program({**THREE, **OBJECT_STORAGE}), preview=bool(request.param))


def test_the_secret_is_the_one_that_k3s_looks_for(stored: Recorder) -> None:
    secret = stored.one(SECRET, STORE)
    assert secret.inputs["metadata"]["name"] == "k3s-etcd-snapshot-s3-config"
    assert secret.inputs["metadata"]["namespace"] == "kube-system"
    assert secret.inputs["type"] == "etcd.k3s.cattle.io/s3-config-secret"
    (user_data, *_) = [
        one.inputs["userData"]
        for one in deploy(program(THREE)).all(SERVER)
        if "control-plane" in one.name
    ]
    (config,) = [
        yaml.safe_load(file["content"])
        for file in yaml.safe_load(user_data)["write_files"]
        if file["path"] == "/etc/rancher/k3s/config.yaml"
    ]
    assert config["etcd-s3-config-secret"] == secret.inputs["metadata"]["name"]


def test_the_secret_says_where_and_by_which_keys(stored: Recorder) -> None:
    assert stored.one(SECRET, STORE).inputs["stringData"] == {
        "etcd-s3-endpoint": "nbg1.your-objectstorage.com",
        "etcd-s3-region": "nbg1",
        "etcd-s3-bucket": "acme-llmp-backups",
        "etcd-s3-folder": "llmp/etcd",
        "etcd-s3-retention": str(28 * 3),
        "etcd-s3-access-key": "an-access-key",
        "etcd-s3-secret-key": "a-secret-key",
    }


def test_the_keys_are_secret_in_the_state(stored: Recorder) -> None:
    assert "stringData" in stored.one(SECRET, STORE).secret_inputs


def test_nothing_else_holds_the_keys(stored: Recorder) -> None:
    for one in stored.registrations:
        if one.name != STORE:
            assert "an-access-key" not in str(one.inputs), one.name
            assert "a-secret-key" not in str(one.inputs), one.name


def test_without_an_object_storage_there_is_no_secret_and_snapshots_stay_on_the_servers() -> None:
    recorder = deploy(program(THREE))
    assert STORE not in {one.name for one in recorder.all(SECRET)}
    assert not recorder.all("llmp:substrate:HetznerSnapshotStore")


def test_two_clusters_may_share_a_bucket() -> None:
    one, other = (topology({"cluster_name": name}) for name in ("one", "other"))
    assert snapshot_folder(one) != snapshot_folder(other)


def test_the_substrate_refuses_an_object_storage_without_keys() -> None:
    def build() -> None:
        HetznerSubstrate(
            "substrate",
            HetznerSubstrateArgs(
                topology=topology(OBJECT_STORAGE),
                token=TOKEN,
                secret_store=SecretStore(kind="kubernetes"),
            ),
        )

    with pytest.raises(ValueError, match="object_storage_keys is missing"):
        deploy(build)
