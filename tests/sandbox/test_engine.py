"""The real engine, from nothing to nothing, against the sandbox's providers."""

from pathlib import Path

import pytest
from pulumi import automation

from tests.sandbox.engine_programs import Rig, Settings

pytestmark = pytest.mark.engine


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A stack of its own."""
    return Rig(tmp_path)


def _changes(result: automation.UpResult | automation.DestroyResult) -> dict[str, int]:
    return {str(key): number for key, number in (result.summary.resource_changes or {}).items()}


def test_a_stack_lives_from_nothing_to_nothing(rig: Rig) -> None:
    stack = rig.stack()
    foreseen = stack.preview().change_summary
    made = _changes(stack.up())
    total = made["create"]
    assert made == {"create": total} == {str(key): value for key, value in foreseen.items()}
    # All but the stack itself and the explicit provider are made by providers.
    assert len([line for line in rig.journal() if line["operation"] == "create"]) == total - 2

    assert _changes(stack.up()) == {"same": total}
    assert stack.preview().change_summary == {"same": total}
    refreshed = stack.refresh().summary.resource_changes or {}
    assert set(refreshed) == {"same"}

    state = rig.state()
    assert "sign-in" not in state
    assert '"ciphertext"' in state
    journal = (rig.home / "journal.jsonl").read_text(encoding="utf-8")
    kept = "".join(
        path.read_text(encoding="utf-8") for path in rig.home.rglob("*.*") if path.is_file()
    )
    assert "stringData" in kept
    assert "(secret) sha256:" in kept
    assert "sign-in" not in journal

    raised = rig.stack(Settings(minimum=1)).up()
    assert _changes(raised) == {"same": total - 1, "update": 1}
    added = rig.stack(Settings(minimum=1, models=3)).up()
    assert _changes(added) == {"same": total, "create": 2}

    assert _changes(stack.destroy()) == {"delete": total + 2}
    removed = [line["type"] for line in rig.journal() if line["operation"] == "delete"]
    order = [removed.index(kind) for kind in (
        "kubernetes:argoproj.io/v1alpha1:Application",
        "kubernetes:argoproj.io/v1alpha1:AppProject",
        "kubernetes:helm.sh/v3:Release",
        "kubernetes:core/v1:Namespace",
        "gcp:container/nodePool:NodePool",
        "gcp:container/cluster:Cluster",
        "gcp:compute/network:Network",
    )]  # fmt: skip
    assert order == sorted(order)
    assert not list((rig.home / "cloud").rglob("*.json"))
    assert not list((rig.home / "objects").rglob("*.yaml"))


def test_a_change_that_needs_a_new_pool_replaces_the_pool_alone(rig: Rig) -> None:
    rig.stack().up()
    before = len(rig.journal())
    rig.stack(Settings(spot=True)).up()
    after = [(line["operation"], line["name"]) for line in rig.journal()[before:]]
    assert after == [("delete", "gpu"), ("create", "gpu")]


def test_a_failure_in_the_middle_is_made_good_by_the_next_run(rig: Rig) -> None:
    with pytest.raises(automation.CommandError, match="create number 6"):
        rig.stack(LLMP_SANDBOX_FAIL_AT="6").up()
    result = _changes(rig.stack().up())
    assert result["create"] + result["same"] == sum(result.values())
    assert set(_changes(rig.stack().up())) == {"same"}


def test_a_refused_input_stops_the_preview_and_names_the_property(rig: Rig) -> None:
    wrong = Settings(routing_mode="LOCAL", mtu=1)
    with pytest.raises(automation.CommandError) as caught:
        rig.stack(wrong).preview()
    assert "routingMode" in str(caught.value)
    assert "'LOCAL' is not one of REGIONAL, GLOBAL" in str(caught.value)
    assert "1 is not between 1300 and 8896" in str(caught.value)


def test_what_only_the_cloud_refuses_fails_the_update(rig: Rig) -> None:
    with pytest.raises(automation.CommandError, match="takes 1 of nvidia-l4, not 2"):
        rig.stack(Settings(accelerators=2)).up()


def test_an_application_that_never_syncs_is_kept_and_completed_by_the_fix(rig: Rig) -> None:
    broken = Settings(repository="https://elsewhere.example.com/x.git")
    with pytest.raises(automation.CommandError, match="is not permitted in project"):
        rig.stack(broken).up()
    fixed = _changes(rig.stack().up())
    assert fixed["update"] == 1
    assert "create" not in fixed
