"""Claims about faults are judged by all that is there, and hold with the real Argo CD."""

import json
import shutil
from dataclasses import replace
from typing import Any, Final
from unittest.mock import MagicMock

import pytest
from rich.console import Console

from lab import __main__ as command_line
from lab import faults
from lab.client import Answer, Client
from lab.deployed import at_rest
from lab.faults import KILLS, NAMES, Outcome
from lab.objects import Found, Key, difference, of_applications, owned, snapshot, wished
from lab.processes import LabError
from tools.custom_resources import definitions_folder

Json = dict[str, Any]

PROGRAMS: Final = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    *("argocd", "kwok", "helm", "kustomize"),
)
FOUND: Final = Found(
    path="/api/v1/namespaces/one/services/thing",
    uid="1",
    application="thing",
    hook=False,
    owner="",
    content="{}",
)
SERVICE: Final = Key(group="", kind="Service", namespace="one", name="thing")
POD: Final = Key(group="", kind="Pod", namespace="one", name="thing-x")
JOB: Final = Key(group="batch", kind="Job", namespace="one", name="thing")
THERE: Final = {
    SERVICE: FOUND,
    POD: replace(FOUND, owner="ReplicaSet thing-abc"),
    JOB: replace(FOUND, hook=True),
}
OBJECTS: Final[dict[str, Json]] = {
    "/apis": {
        "groups": [{"name": "apps", "preferredVersion": {"groupVersion": "apps/v1"}}],
    },
    "/api/v1": {
        "resources": [
            {"name": "events", "kind": "Event", "verbs": ["list"]},
            {"name": "bindings", "kind": "Binding", "verbs": ["create"]},
            {"name": "pods/log", "kind": "Pod", "verbs": ["list"]},
            {"name": "services", "kind": "Service", "verbs": ["list"]},
        ]
    },
    "/apis/apps/v1": {"resources": [{"name": "gone", "kind": "Gone", "verbs": ["list"]}]},
    "/api/v1/services": {
        "kind": "ServiceList",
        "items": [
            {
                "metadata": {
                    "name": "thing",
                    "namespace": "one",
                    "uid": "1",
                    "resourceVersion": "7",
                    "annotations": {"argocd.argoproj.io/tracking-id": "thing:/Service:one/thing"},
                },
                "spec": {"ports": []},
                "status": {"loadBalancer": {}},
            }
        ],
    },
}


class Server(Client):
    """An API server with a few objects."""

    def __init__(self) -> None:
        """Connect to nothing."""

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Json | None = None,
        *,
        content_type: str = "application/json",
    ) -> Answer:
        """Answer what is asked of the objects."""
        assert (method, body, content_type) == ("GET", None, "application/json")
        found = OBJECTS.get(path)
        status = 404 if found is None else 200
        return Answer(status=status, body=json.dumps(found), warnings=())


def test_all_objects_of_all_kinds_are_found_without_status_and_version() -> None:
    (key, found), *others = snapshot(Server()).items()
    assert not others
    assert (key, found.path, found.uid, found.application) == (
        SERVICE,
        FOUND.path,
        "1",
        "thing",
    )
    assert json.loads(found.content)["spec"] == {"ports": []}
    assert "loadBalancer" not in found.content
    assert "resourceVersion" not in found.content


def test_what_belongs_to_others_is_counted_and_not_named() -> None:
    assert set(wished(THERE)) == {SERVICE, JOB}
    assert owned(THERE) == {"Pod of ReplicaSet": 1}
    assert set(of_applications(THERE)) == {SERVICE}


def test_an_object_made_anew_is_told_from_one_that_changed() -> None:
    new = replace(SERVICE, name="new")
    changes = difference(
        THERE,
        {
            SERVICE: replace(FOUND, uid="2", content="{1}"),
            POD: replace(THERE[POD], content="{1}"),
            new: FOUND,
        },
    )
    assert changes.replaced == {SERVICE}
    assert changes.changed == {POD}
    assert (changes.gone, changes.new) == ({JOB}, {new})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"operation": {}}, False),
        ({"spec": {"source": {"name": "another"}}}, False),
    ],
)
def test_an_application_is_at_rest_when_nothing_is_left_to_be_done(
    changed: Json, *, expected: bool
) -> None:
    one: Json = {
        "spec": {"source": {"name": "this"}},
        "status": {
            "sync": {"status": "Synced", "comparedTo": {"source": {"name": "this"}}},
            "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded"},
        },
    }
    assert at_rest({**one, **changed}) is expected
    running = {**one["status"], "operationState": {"phase": "Running"}}
    assert not at_rest({**one, "status": running})
    assert not at_rest({})


def test_a_claim_that_fails_is_told_and_decides_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    holds = Outcome(name="deleted", claim="it is back", seconds=1.0, facts=["[bold] back"])
    fails = replace(holds, name="edited", problem="it stays")
    for outcomes, code in (([holds], 0), ([holds, fails], 1)):
        monkeypatch.setattr(faults, "faults", MagicMock(return_value=outcomes))
        assert faults.main(["--json"]) == code
        told: Json = json.loads(capsys.readouterr().out)
        assert [one["holds"] for one in told["scenarios"]] == [not one.problem for one in outcomes]
    console = Console(width=140, record=True)
    faults.show([holds, fails], console)
    text = console.export_text()
    assert "[bold] back" in text
    assert "it stays" in text


def test_a_scenario_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        faults.main(["--only", "flood"])
    assert "deleted" in capsys.readouterr().err


def test_what_breaks_a_scenario_does_not_break_the_others() -> None:
    outcomes: list[Outcome] = []
    with faults.recorded("one", "claim", outcomes) as facts:
        facts.append("seen")
        raise LabError("broken")
    with faults.recorded("two", "claim", outcomes):
        pass
    assert [(one.name, one.facts, one.problem) for one in outcomes] == [
        ("one", ["seen"], "broken"),
        ("two", [], ""),
    ]


@pytest.mark.lab
def test_what_drifts_breaks_or_is_taken_away_does_as_claimed_and_a_destroy_leaves_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH; `make test` builds it")
    if not definitions_folder().is_dir():
        pytest.skip("the custom resource definitions are not there; `make test` brings them")
    # Two minutes of bringing another stack up are for `make lab LAB=faults`.
    names = [name for name in NAMES if name != KILLS]
    code = command_line.main(["faults", "--only", *names, "--json"])
    told: Json = json.loads(capsys.readouterr().out)
    assert {one["name"]: one["problem"] for one in told["scenarios"]} == dict.fromkeys(names, "")
    assert code == 0
