"""Worker pools on Hetzner Cloud: where they are, and who makes and deletes their servers."""

import hashlib
import json
import re
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import pytest
import yaml
from pydantic import ValidationError

from components.substrate.hetzner_addons import cilium_values, csi_values
from components.substrate.hetzner_autoscaler import (
    CLEANUP_SCRIPT,
    POOLS_SECRET,
    autoscaler_values,
    cleanup_request,
    pools_configuration,
)
from components.substrate.hetzner_k3s import JoinTokens
from components.versions import CLUSTER_AUTOSCALER_IMAGE, K3S, UBUNTU_IMAGE
from tests.harness import Recorder, deploy
from tests.substrate.hetzner_samples import TOKEN, config, program, topology

SERVER = "hcloud:index/server:Server"
GROUP = "hcloud:index/placementGroup:PlacementGroup"
RELEASE = "kubernetes:helm.sh/v3:Release"
COMMAND = "command:local:Command"
CLEANUP = "substrate-autoscaler-batch-servers"

TAINT = {"key": "workload", "value": "batch", "effect": "NoSchedule"}
POOLS: dict[str, Any] = {
    "worker_pools": [
        {"name": "platform", "count": 2},
        {
            "name": "batch",
            "server_type": "cx43",
            "location": "hel1",
            "autoscaling": {"min": 1, "max": 4},
            "labels": {"workload": "batch"},
            "taints": [TAINT],
        },
    ]
}


def _pools(*pools: dict[str, Any]) -> dict[str, Any]:
    return {"worker_pools": [{"name": "platform", "count": 1}, *pools]}


@pytest.fixture(scope="module")
def scaling() -> Recorder:
    return deploy(program(POOLS))


# Config.


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        (_pools({"name": "a"}), "worker_pools.1", "either count or autoscaling"),
        (
            _pools({"name": "a", "count": 1, "autoscaling": {"min": 0, "max": 1}}),
            "worker_pools.1",
            "either count or autoscaling",
        ),
        (
            _pools({"name": "a", "autoscaling": {"min": 3, "max": 2}}),
            "worker_pools.1.autoscaling.max",
            "max 2 is below min 3",
        ),
        (
            _pools({"name": "a", "autoscaling": {"min": 0, "max": 0}}),
            "worker_pools.1.autoscaling.max",
            "greater than or equal to 1",
        ),
        (
            _pools({"name": "a", "count": 1, "location": "ash"}),
            "worker_pools",
            "eu-central, which its network does not leave; take fsn1, nbg1, hel1",
        ),
        (
            {"location": "ash", **_pools({"name": "a", "count": 1, "server_type": "cx43"})},
            "worker_pools",
            "cx43 of pool 'a' is not offered in us-east, only in eu-central",
        ),
        (
            {"location": "hil", **_pools({"name": "a", "count": 1, "server_type": "cpx42"})},
            "worker_pools",
            "only in eu-central and ap-southeast; take a ccx type",
        ),
        (
            {"location": "sin", "control_plane": {"server_type": "cx33"}},
            "control_plane",
            "cx33 of the control plane is not offered in ap-southeast",
        ),
        (
            _pools({"name": "a", "count": 1, "server_type": "cax31"}),
            "worker_pools.1",
            "cax31 has ARM processors",
        ),
        (
            _pools(
                {
                    "name": "a",
                    "count": 1,
                    "server_type": "cax31",
                    "taints": [{"key": "arm", "effect": "PreferNoSchedule"}],
                }
            ),
            "worker_pools.1",
            "cax31 has ARM processors",
        ),
        (
            {"control_plane": {"server_type": "cax21", "schedulable": True}},
            "control_plane",
            "or set schedulable: false",
        ),
        (
            {"worker_pools": [{"name": "a", "autoscaling": {"min": 0, "max": 5}}]},
            "worker_pools",
            "an autoscaling.min above 0",
        ),
        (
            {
                "network_cidr": "10.0.0.0/24",
                "node_cidr": "10.0.0.0/27",
                **_pools({"name": "a", "autoscaling": {"min": 0, "max": 50}}),
            },
            "",
            "52 servers do not fit in node_cidr",
        ),
    ],
)
def test_a_pool_that_cannot_be_is_refused_with_the_fix(
    changes: dict[str, Any], where: str, says: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        config(changes)
    found = {
        ".".join(str(part) for part in error["loc"]): error["msg"]
        for error in raised.value.errors()
    }
    assert where in found, found
    assert says in found[where]


def test_arm_servers_are_taken_where_a_taint_or_the_control_plane_keeps_the_platform_away() -> None:
    tainted = {"name": "arm", "count": 1, "server_type": "cax31", "taints": [TAINT]}
    shape = topology({**_pools(tainted), "control_plane": {"server_type": "cax21"}})
    assert shape.worker_pools[1].server_type == "cax31"


@pytest.mark.parametrize("server_type", ["cpx41", "ccx33", "cx43", "cax41", "cpx42"])
def test_every_type_is_offered_in_europe(server_type: str) -> None:
    pool = {"name": "a", "count": 1, "server_type": server_type, "taints": [TAINT]}
    assert topology(_pools(pool)).worker_pools[1].server_type == server_type


def test_a_pool_is_where_the_cluster_is_unless_it_says_otherwise() -> None:
    locations = {pool.name: pool.location for pool in topology(POOLS).worker_pools}
    assert locations == {"platform": "nbg1", "batch": "hel1"}


def test_nothing_that_the_autoscaler_waits_for_waits_for_its_servers() -> None:
    alone = topology({"worker_pools": [{"name": "a", "autoscaling": {"min": 1, "max": 4}}]})
    assert alone.node_count == 1
    assert cilium_values(alone)["operator"]["replicas"] == 1


def test_a_scaling_pool_may_grow_to_its_maximum() -> None:
    shape = topology(POOLS)
    assert shape.node_count == 1 + 2
    assert [pool.max_count for pool in shape.worker_pools] == [2, 4]
    assert shape.placement_groups == 3


def test_a_volume_that_nobody_asks_for_yet_is_made_where_a_pod_can_use_it() -> None:
    def location(changes: dict[str, Any]) -> str:
        return str(csi_values(topology(changes))["controller"]["hcloudVolumeDefaultLocation"])

    away = {"worker_pools": [{"name": "a", "count": 1, "location": "fsn1"}]}
    assert location({}) == "nbg1"
    assert location(POOLS) == "nbg1"
    assert location(away) == "fsn1"
    assert location({**away, "control_plane": {"schedulable": True}}) == "nbg1"


@pytest.mark.parametrize("length", [1, 20, 40])
def test_names_of_scaled_servers_are_within_the_limit_and_tell_clusters_apart(length: int) -> None:
    def group(cluster: str) -> str:
        changes = _pools({"name": "p" * length, "autoscaling": {"min": 0, "max": 1}})
        shape = topology({**changes, "cluster_name": cluster})
        return shape.node_group(shape.autoscaled_pools[0])

    name = group("c" * 40)
    assert len(f"{name}-{2**63 - 1:x}") <= 63
    assert name != group("c" * 39 + "d")


# Servers that the program makes.


def test_servers_are_in_the_location_of_their_pool() -> None:
    away = {"name": "far", "count": 2, "location": "fsn1"}
    recorder = deploy(program(_pools(away)))
    where = {server.inputs["name"]: server.inputs["location"] for server in recorder.all(SERVER)}
    assert where == {
        "llmp-control-plane-0": "nbg1",
        "llmp-platform-0": "nbg1",
        "llmp-far-0": "fsn1",
        "llmp-far-1": "fsn1",
    }


# The autoscaler.


@pytest.mark.parametrize("preview", [False, True])
def test_without_a_pool_that_scales_there_is_no_autoscaler(*, preview: bool) -> None:
    recorder = deploy(program(), preview=preview)
    assert not recorder.all("llmp:substrate:HetznerAutoscaler")
    assert all(each.inputs["chart"] != "cluster-autoscaler" for each in recorder.all(RELEASE))


def test_the_program_makes_no_server_of_a_pool_that_scales(scaling: Recorder) -> None:
    roles = [server.inputs["labels"]["role"] for server in scaling.all(SERVER)]
    assert sorted(roles) == ["control-plane", "platform", "platform"]


def test_the_autoscaler_knows_limits_type_and_location_of_its_pools_alone() -> None:
    values = autoscaler_values(topology(POOLS), firewall_id=7, pools_digest="d")
    assert values["autoscalingGroups"] == [
        {
            "name": "llmp-batch",
            "minSize": 1,
            "maxSize": 4,
            "instanceType": "cx43",
            "region": "hel1",
        }
    ]
    assert values["extraArgs"]["enforce-node-group-min-size"] is True


def test_its_servers_have_the_workers_firewall_and_the_private_network_from_the_start() -> None:
    values = autoscaler_values(topology(POOLS), firewall_id=7, pools_digest="d")
    assert values["extraEnv"]["HCLOUD_FIREWALL"] == "7"
    assert values["extraEnvSecrets"]["HCLOUD_NETWORK"] == {"name": "hcloud", "key": "network"}


def test_no_secret_is_in_the_values_and_the_image_is_pinned() -> None:
    values = autoscaler_values(topology(POOLS), firewall_id=7, pools_digest="d")
    assert values["extraEnvSecrets"]["HCLOUD_TOKEN"] == {"name": "hcloud", "key": "token"}
    assert values["extraVolumeSecrets"]["pools"]["name"] == POOLS_SECRET
    assert values["image"]["tag"].endswith(f"@{CLUSTER_AUTOSCALER_IMAGE.digest}")
    assert TOKEN not in json.dumps(values)


def test_the_autoscaler_has_the_minor_version_of_the_cluster() -> None:
    minor = re.compile(r"v(\d+\.\d+)\.")
    versions = [minor.match(text) for text in (K3S, CLUSTER_AUTOSCALER_IMAGE.version)]
    assert len({match.group(1) for match in versions if match is not None}) == 1


def test_it_runs_where_it_deletes_no_server_and_without_any_privilege() -> None:
    values = autoscaler_values(topology(POOLS), firewall_id=7, pools_digest="d")
    assert values["nodeSelector"] == {"node-role.kubernetes.io/control-plane": "true"}
    assert values["securityContext"]["runAsNonRoot"] is True
    assert values["containerSecurityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "rbac" not in values


def _configuration(changes: dict[str, Any]) -> dict[str, Any]:
    shape = topology(changes)
    tokens = JoinTokens(server="server-password", agent="agent-password")
    groups = {pool.name: 9 for pool in shape.autoscaled_pools}
    return pools_configuration(shape, tokens, "certificate", groups)


def _k3s_config(user_data: str) -> dict[str, Any]:
    files = yaml.safe_load(user_data)["write_files"]
    content = next(
        file["content"] for file in files if file["path"] == "/etc/rancher/k3s/config.yaml"
    )
    return cast("dict[str, Any]", yaml.safe_load(content))


def test_a_scaled_server_joins_under_its_own_name_with_the_labels_that_are_expected_of_it() -> None:
    node = _configuration(POOLS)["nodeConfigs"]["llmp-batch"]
    told = _k3s_config(node["cloudInit"])
    assert "node-name" not in told
    assert told["node-label"] == [f"{key}={value}" for key, value in node["labels"].items()]
    assert node["labels"] == {
        "llmp.dev/pool": "batch",
        "hcloud/node-group": "llmp-batch",
        "workload": "batch",
    }
    assert told["node-taint"] == ["workload=batch:NoSchedule"]
    assert node["taints"] == [TAINT]


def test_a_scaled_server_gets_the_agents_token_alone() -> None:
    text = json.dumps(_configuration(POOLS))
    assert "agent-password" in text
    assert "server-password" not in text
    assert TOKEN not in text


def test_scaled_servers_have_the_image_of_the_others_whatever_their_processor() -> None:
    assert _configuration(POOLS)["imagesForArch"] == {"amd64": UBUNTU_IMAGE, "arm64": UBUNTU_IMAGE}


def test_a_pool_that_may_outgrow_its_placement_group_is_not_spread() -> None:
    def group(maximum: int) -> object:
        changes = _pools({"name": "a", "autoscaling": {"min": 0, "max": maximum}})
        return _configuration(changes)["nodeConfigs"]["llmp-a"].get("placementGroup")

    assert group(10) == "9"
    assert group(11) is None


def test_a_larger_maximum_keeps_the_placement_group_that_servers_are_in() -> None:
    recorder = deploy(program(_pools({"name": "a", "autoscaling": {"min": 0, "max": 11}})))
    assert [each.inputs["name"] for each in recorder.all(GROUP)].count("llmp-a-0") == 1


def test_what_servers_are_told_is_a_secret_and_a_change_of_it_restarts_the_autoscaler(
    scaling: Recorder,
) -> None:
    secret = scaling.one("kubernetes:core/v1:Secret", "substrate-autoscaler-pools")
    assert any(path.startswith("stringData") for path in secret.secret_inputs)
    release = scaling.one(RELEASE, "substrate-autoscaler-release")
    assert not release.secret_inputs
    text = secret.inputs["stringData"]["pools.json"]
    digest = release.inputs["values"]["podAnnotations"]["llmp.dev/pools-digest"]
    assert digest == hashlib.sha256(text.encode()).hexdigest()


# Its servers at the end.


def test_servers_are_deleted_after_the_autoscaler_and_before_what_they_use(
    scaling: Recorder,
) -> None:
    cleanup = scaling.one(COMMAND, CLEANUP)
    release = scaling.one(RELEASE, "substrate-autoscaler-release")
    assert cleanup.urn in release.depends_on
    assert not release.deleted_with
    for kind in (
        "hcloud:index/networkSubnet:NetworkSubnet",
        "hcloud:index/firewall:Firewall",
    ):
        assert {each.urn for each in scaling.all(kind)} <= cleanup.depends_on
    assert scaling.one(GROUP, "substrate-autoscaler-batch-spread").urn in cleanup.depends_on


def test_argo_cd_goes_before_the_autoscaler(scaling: Recorder) -> None:
    namespace = scaling.one("kubernetes:core/v1:Namespace", "substrate-argo-cd-namespace")
    assert scaling.one(RELEASE, "substrate-autoscaler-release").urn in namespace.depends_on


def test_the_autoscaler_does_not_wait_for_the_volumes_that_wait_for_its_first_node(
    scaling: Recorder,
) -> None:
    release = scaling.one(RELEASE, "substrate-autoscaler-release")
    names = {
        each.inputs["chart"] for each in scaling.all(RELEASE) if each.urn in release.depends_on
    }
    assert names == {"cilium", "hcloud-cloud-controller-manager"}


def test_the_clean_up_is_told_on_its_standard_input_and_nowhere_else(scaling: Recorder) -> None:
    cleanup = scaling.one(COMMAND, CLEANUP)
    assert "stdin" in cleanup.secret_inputs
    assert cleanup.inputs["create"] == "pass"
    assert cleanup.inputs["delete"] == CLEANUP_SCRIPT
    assert "environment" not in cleanup.inputs
    request = json.loads(cleanup.inputs["stdin"])
    assert (request["token"], request["value"]) == (TOKEN, "llmp-batch")


class _Hetzner:
    """Servers as Hetzner's API answers for them; anything that it would refuse is refused."""

    def __init__(self) -> None:
        self.servers: dict[int, dict[str, str]] = {}
        self.deleted: list[int] = []
        self.late: dict[int, dict[str, str]] = {}
        self.refusals: list[int] = []
        self.ignores_selector = False

    def listed(self, query: dict[str, list[str]]) -> dict[str, Any]:
        key, _, value = query["label_selector"][0].partition("==")
        found = [
            {"id": number, "labels": labels}
            for number, labels in sorted(self.servers.items())
            if self.ignores_selector or labels.get(key) == value
        ]
        page, size = int(query["page"][0]), int(query["per_page"][0])
        assert 1 <= size <= 50
        more = len(found) > page * size
        return {
            "servers": found[(page - 1) * size : page * size],
            "meta": {"pagination": {"page": page, "next_page": page + 1 if more else None}},
        }


class _Handler(BaseHTTPRequestHandler):
    hetzner: _Hetzner

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refused(self) -> bool:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"error": {"code": "unauthorized"}})
            return True
        if self.hetzner.refusals:
            self._answer(self.hetzner.refusals.pop(0), {"error": {"code": "refused"}})
            return True
        return False

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if self._refused():
            return
        if url.path != "/v1/servers":
            self._answer(404, {"error": {"code": "not_found"}})
            return
        answer = self.hetzner.listed(urllib.parse.parse_qs(url.query))
        if not answer["servers"]:
            self.hetzner.servers |= self.hetzner.late
            self.hetzner.late = {}
        self._answer(200, answer)

    def do_DELETE(self) -> None:
        if self._refused():
            return
        number = int(self.path.removeprefix("/v1/servers/"))
        if self.hetzner.servers.pop(number, None) is None:
            self._answer(404, {"error": {"code": "not_found"}})
            return
        self.hetzner.deleted.append(number)
        self._answer(200, {"action": {"status": "running"}})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
        pass


@contextmanager
def _served(hetzner: _Hetzner) -> Generator[str]:
    listener = HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hetzner": hetzner}))
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}/v1"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _clean_up(
    hetzner: _Hetzner, *, token: str = TOKEN, seconds: float = 20
) -> subprocess.CompletedProcess[str]:
    with _served(hetzner) as endpoint:
        request = {
            **cleanup_request("llmp-batch", token=token),
            "endpoint": endpoint,
            "seconds": seconds,
            "pause": 0.01,
        }
        return subprocess.run(
            [sys.executable, "-c", CLEANUP_SCRIPT],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


MINE = {"hcloud/node-group": "llmp-batch"}


def test_it_deletes_every_server_of_the_pool_however_many_pages_there_are() -> None:
    hetzner = _Hetzner()
    hetzner.servers = {number: dict(MINE) for number in range(1, 61)}
    done = _clean_up(hetzner)
    assert (done.returncode, done.stdout) == (0, "60 servers of llmp-batch deleted\n"), done.stderr
    assert not hetzner.servers


@pytest.mark.parametrize("ignores_selector", [False, True])
def test_it_deletes_no_server_of_others(*, ignores_selector: bool) -> None:
    hetzner = _Hetzner()
    hetzner.ignores_selector = ignores_selector
    others = {2: {"hcloud/node-group": "other-batch"}, 3: {"cluster": "llmp"}, 4: {}}
    hetzner.servers = {1: dict(MINE), **others}
    assert _clean_up(hetzner).returncode == 0
    assert hetzner.servers == others


def test_it_finds_the_server_that_was_ordered_while_the_autoscaler_stopped() -> None:
    hetzner = _Hetzner()
    hetzner.late = {5: dict(MINE)}
    assert _clean_up(hetzner).returncode == 0
    assert hetzner.deleted == [5]


def test_it_tries_again_when_hetzner_is_busy() -> None:
    hetzner = _Hetzner()
    hetzner.servers = {1: dict(MINE)}
    hetzner.refusals = [429, 503, 423]
    assert _clean_up(hetzner).returncode == 0
    assert hetzner.deleted == [1]


@pytest.mark.parametrize(("refusals", "code"), [([400], "400"), ([403], "403")])
def test_it_fails_aloud_where_trying_again_is_no_use(refusals: list[int], code: str) -> None:
    hetzner = _Hetzner()
    hetzner.servers = {1: dict(MINE)}
    hetzner.refusals = refusals
    done = _clean_up(hetzner)
    assert done.returncode == 1
    assert f"Hetzner answers {code}" in done.stderr
    assert "hcloud/node-group=llmp-batch" in done.stderr


def test_a_token_that_is_no_longer_valid_fails_at_once_and_is_shown_nowhere() -> None:
    wrong = "w" * 64
    done = _clean_up(_Hetzner(), token=wrong)
    assert done.returncode == 1
    assert "Hetzner answers 401" in done.stderr
    assert "Traceback" not in done.stderr
    assert wrong not in done.stdout + done.stderr


def test_it_ends_in_time_and_says_so_when_hetzner_never_answers_well() -> None:
    hetzner = _Hetzner()
    hetzner.refusals = [503] * 100_000
    done = _clean_up(hetzner, seconds=0.5)
    assert done.returncode == 1
    assert "may be left at Hetzner: Hetzner answers 503" in done.stderr
