"""What charts/k3s-upgrades renders, and what its script does on a node."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.charts.rendering import CHARTS, Json, of_kind, only, render
from tests.charts.values import K3S_UPGRADES

SCRIPT: Final = CHARTS / "k3s-upgrades" / "files" / "upgrade.sh"
SHELLCHECK: Final = str(Path(sys.executable).parent / "shellcheck")
WANTED: Final = "v1.33.12-k3s1"
OLD: Final = "v1.33.9+k3s1"
NEW: Final = "v1.33.12+k3s1"

# A node and the API as files; each call is written down, without what it only reads.
KUBECTL: Final = r"""#!/bin/bash
set -eu
cd "$STATE"
case "$*" in
  *'get nodes --selector=node-role.kubernetes.io/control-plane'*) cat servers ;;
  *kubeletVersion*) [ ! -e silent ] || exit 1; cat release ;;
  *'.spec.unschedulable'*) [ ! -e cordoned ] || printf true ;;
  *'type=="Ready"'*) printf True ;;
  *cordoned-for-upgrade\}*) [ ! -e marked ] || printf true ;;
  'annotate node node-1 --overwrite llmp.dev/cordoned-for-upgrade=true')
    echo mark >> calls; touch marked ;;
  'annotate node node-1 llmp.dev/cordoned-for-upgrade-') echo unmark >> calls; rm marked ;;
  'cordon node-1') echo cordon >> calls; touch cordoned ;;
  'uncordon node-1') echo uncordon >> calls; rm -f cordoned ;;
  'drain node-1 '*) echo "$*" >> drains; echo drain >> calls; touch cordoned; [ ! -e budget ] ;;
  *) echo "unexpected: $*" >&2; exit 2 ;;
esac
"""
UPGRADE: Final = f"""#!/bin/bash
echo upgrade >> "$STATE/calls"
[ -e "$STATE/refused" ] && exit 1
echo '{NEW}' > "$STATE/release"
"""
SLEEP: Final = f"""#!/bin/bash
echo '{NEW}' > "$STATE/servers"
echo "sleep $1" >> "$STATE/sleeps"
"""


class Node:
    """A node that the script is run on."""

    def __init__(self, folder: Path, *, release: str, role: str, servers: str = NEW) -> None:
        self.folder, self.role = folder, role
        for name, text in (("kubectl", KUBECTL), ("upgrade", UPGRADE), ("sleep", SLEEP)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        (folder / "release").write_text(f"{release}\n")
        (folder / "servers").write_text(f"{servers}\n")

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def put(self, name: str) -> None:
        (self.folder / name).touch()

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def run(self) -> int:
        steps = SCRIPT.read_text()
        for path, double in (("/opt/k3s kubectl", "kubectl"), ("/bin/upgrade.sh", "upgrade")):
            assert path in steps
            steps = steps.replace(path, str(self.folder / double))
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", 'eval "$STEPS"'],
            env={
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "STATE": str(self.folder),
                "STEPS": steps,
                "ROLE": self.role,
                "DRAIN_TIMEOUT_SECONDS": "60",
                "SYSTEM_UPGRADE_NODE_NAME": "node-1",
                "SYSTEM_UPGRADE_PLAN_LATEST_VERSION": WANTED,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "unexpected" not in done.stderr
        return done.returncode


def test_a_worker_is_drained_upgraded_and_let_go(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="worker")
    assert node.run() == 0
    assert node.lines("calls") == ["mark", "drain", "upgrade", "uncordon", "unmark"]
    (drain,) = node.lines("drains")
    assert "--timeout=60s" in drain
    # Budgets hold: nothing is deleted past them, and pods that nobody would make again are kept.
    assert "--force" not in drain
    assert "--disable-eviction" not in drain


def test_a_control_plane_server_is_cordoned_and_not_drained(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="server", servers=OLD)
    assert node.run() == 0
    assert node.lines("calls") == ["mark", "cordon", "upgrade", "uncordon", "unmark"]


@pytest.mark.parametrize("role", ["server", "worker"])
def test_a_node_that_runs_the_release_is_left_alone(tmp_path: Path, role: str) -> None:
    node = Node(tmp_path, release=NEW, role=role)
    assert node.run() == 0
    assert node.lines("calls") == []


def test_a_worker_waits_until_every_server_runs_the_release(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="worker", servers=f"{NEW}\n{OLD}")
    assert node.run() == 0
    assert node.lines("sleeps")[0] == "sleep 10"
    assert "drain" in node.lines("calls")


def test_the_next_node_waits_until_this_one_was_well_for_half_a_minute(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="server")
    assert node.run() == 0
    assert node.lines("sleeps") == ["sleep 5"] * 6


def test_a_node_that_people_cordoned_stays_so(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="worker")
    node.put("cordoned")
    assert node.run() == 0
    assert node.has("cordoned")
    assert node.lines("calls") == ["drain", "upgrade"]


def test_a_drain_that_a_budget_refuses_ends_before_anything_is_replaced(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="worker")
    node.put("budget")
    assert node.run() != 0
    assert node.lines("calls") == ["mark", "drain"]


def test_a_second_try_goes_on_and_lets_the_node_go(tmp_path: Path) -> None:
    node = Node(tmp_path, release=NEW, role="worker")
    for left_by_the_first in ("marked", "cordoned"):
        node.put(left_by_the_first)
    assert node.run() == 0
    assert node.lines("calls") == ["uncordon", "unmark"]


def test_a_release_that_is_refused_leaves_the_node_cordoned_and_the_job_failed(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path, release=OLD, role="server")
    node.put("refused")
    assert node.run() != 0
    assert node.has("cordoned")


def test_an_api_that_does_not_answer_is_no_other_release(tmp_path: Path) -> None:
    node = Node(tmp_path, release=OLD, role="worker")
    node.put("silent")
    assert node.run() != 0
    assert node.lines("calls") == []


def test_shellcheck_finds_nothing_in_the_script() -> None:
    done = subprocess.run([SHELLCHECK, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def plans() -> dict[str, Json]:
    return {
        one["metadata"]["name"]: one["spec"]
        for one in of_kind(render("k3s-upgrades", K3S_UPGRADES), "Plan")
    }


@pytest.mark.charts
def test_both_plans_take_one_node_at_a_time_to_the_same_release() -> None:
    found = plans()
    assert set(found) == {"servers", "workers"}
    for spec in found.values():
        assert spec["concurrency"] == 1
        assert spec["version"] == NEW
        # The controller adds the release as the tag, where there is none.
        assert spec["upgrade"]["image"] == "docker.io/rancher/k3s-upgrade"
        assert spec["tolerations"] == [{"operator": "Exists"}]
        # The controller's own drain would empty every node that it has not seen.
        assert not {"drain", "cordon", "prepare", "channel", "secrets"} & set(spec)


@pytest.mark.charts
def test_every_node_belongs_to_one_plan() -> None:
    role = "node-role.kubernetes.io/control-plane"
    assert {name: spec["nodeSelector"] for name, spec in plans().items()} == {
        "servers": {"matchExpressions": [{"key": role, "operator": "Exists"}]},
        "workers": {"matchExpressions": [{"key": role, "operator": "DoesNotExist"}]},
    }


@pytest.mark.charts
def test_the_images_script_does_not_take_the_job_for_k3s() -> None:
    for name, spec in plans().items():
        container = spec["upgrade"]
        words = " ".join([*container["command"], *container["args"]])
        # As upgrade.sh of k3s-upgrade looks through the processes of the node.
        assert not re.search(r"( |/)k3s .*(server|agent)", words)
        variables = {one["name"]: one["value"] for one in container["envs"]}
        assert variables["ROLE"] == name.removesuffix("s")
        assert variables["STEPS"].rstrip() == SCRIPT.read_text().rstrip()
        # Kubernetes would take these for its own variables.
        assert "$$" not in variables["STEPS"]
        assert not [one for one in variables if f"$({one})" in variables["STEPS"]]


@pytest.mark.charts
def test_nobody_may_delete_pods_or_read_secrets_of_the_cluster() -> None:
    for role in of_kind(render("k3s-upgrades", K3S_UPGRADES), "ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "secrets" not in rule["resources"]
            assert "delete" not in rule["verbs"]


@pytest.mark.charts
def test_the_controller_leads_under_the_name_that_it_has_rights_to() -> None:
    objects = render("k3s-upgrades", K3S_UPGRADES)
    pod = only(objects, "Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    name = variables["SYSTEM_UPGRADE_CONTROLLER_NAME"]
    assert pod["metadata"]["labels"]["upgrade.cattle.io/controller"] == name
    (lease,) = (rule for rule in only(objects, "Role")["rules"] if "resourceNames" in rule)
    assert lease["resourceNames"] == [name]
