"""A run of the engine that failed is taken up where it stood, not where it wanted to be."""

from collections.abc import Mapping
from typing import Any

import pytest

from lab.client import Answer, Client
from lab.deployment import Deployment, DeploymentError, Plan
from lab.watch import ApplicationWatch

Json = dict[str, Any]


class Server(Client):
    """An API server that takes everything."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.applied: list[str] = []

    def apply(self, one: Json, *, dry_run: bool = True) -> Answer:
        """Take it."""
        assert not dry_run
        self.applied.append(one["metadata"]["name"])
        return Answer(status=200, body="{}", warnings=())


class Seen(ApplicationWatch):
    """Applications that are as a test says."""

    def __init__(self, there: Mapping[str, Json]) -> None:
        """Watch nothing."""
        self.there = there

    @property
    def seconds(self) -> float:
        """No time passes."""
        return 0.0

    def latest(self) -> Mapping[str, Json]:
        """Return what the test says."""
        return self.there

    def wait_change(self, seconds: float) -> None:
        """Nothing changes by itself."""
        assert seconds > 0


def application(name: str, **annotations: str) -> Json:
    return {"metadata": {"name": name, "annotations": annotations}}


def test_a_gate_that_a_failed_run_left_closed_holds_back_the_next_run() -> None:
    server, seen = Server(), Seen({})
    deployment = Deployment(server, seen)
    gate = application(
        "gate",
        **{"pulumi.com/waitFor": '["jsonpath={.open}=yes"]', "pulumi.com/timeoutSeconds": "0"},
    )
    plan = Plan(
        projects={"project": {"metadata": {"name": "project"}}},
        applications={"gate": gate, "behind": application("behind")},
        requires={"behind": ("gate",)},
    )
    for _ in range(2):
        with pytest.raises(DeploymentError, match="gate is not ready"):
            deployment.up(plan)
    assert "behind" not in server.applied
    seen.there = {"gate": {"open": "yes"}}
    assert [one.name for one in deployment.up(plan)] == ["gate", "behind"]
    assert deployment.up(plan) == []
