"""The recorder refuses what the real engine would refuse, or what would hide a mistake."""

from typing import Any, cast

import pulumi
import pulumi_gcp as gcp
import pulumi_random as random
import pytest

from tests.harness import UNKNOWN, deploy


class Component(pulumi.ComponentResource):
    """A component of the substrate tree, for these tests only."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llmp:substrate:Component", name, None, opts)
        self.network = gcp.compute.Network(
            f"{name}-network",
            name="network",
            opts=pulumi.ResourceOptions(parent=self, protect=True, ignore_changes=["description"]),
        )
        self.register_outputs({"network": self.network.name})


def test_a_resource_is_recorded_with_its_parent_and_options() -> None:
    recorder = deploy(lambda: _make(Component("one")))
    network = recorder.one("gcp:compute/network:Network")
    assert (network.parent_name, network.parent_type) == ("one", "llmp:substrate:Component")
    assert recorder.ancestors(network) == ["llmp:substrate:Component"]
    assert network.protect is True
    assert network.ignore_changes == ("description",)
    assert network.inputs["name"] == "network"
    assert recorder.component_outputs(network.parent) == {"network": "network"}


def test_two_resources_with_one_urn_are_refused() -> None:
    def program() -> None:
        gcp.compute.Network("same", name="a")
        gcp.compute.Network("same", name="b")

    with pytest.raises(AssertionError, match="registered twice"):
        deploy(program)


def test_one_name_under_two_parents_is_allowed() -> None:
    def program() -> None:
        Component("one")
        Component("two")

    assert len(deploy(program).all("gcp:compute/network:Network")) == len(("one", "two"))


def test_a_type_that_the_table_does_not_know_is_refused() -> None:
    with pytest.raises(AssertionError, match="does not know"):
        deploy(lambda: _make(gcp.pubsub.Topic("topic")))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"reservation_affinty": {}}, "reservation_affinty"),
        ({"guestAccelerators": [{"type": "nvidia-l4", "counts": 1}]}, "did you mean 'count'"),
        ({"guestAccelerators": [{"type": "nvidia-l4", "count": "one"}]}, "a whole number"),
        ({"guestAccelerators": [{"type": "nvidia-l4"}]}, "is required"),
        ({"spot": "yes"}, "true or false"),
    ],
)
def test_an_input_that_the_sdk_does_not_have_is_refused_at_any_depth(
    settings: dict[str, Any], told: str
) -> None:
    def program() -> None:
        gcp.container.NodePool("pool", cluster="llmp", node_config=cast("Any", settings))

    with pytest.raises(AssertionError, match=told):
        deploy(program)


def test_an_invoke_is_refused() -> None:
    def program() -> None:
        pulumi.export("zones", gcp.compute.get_zones_output().names)

    with pytest.raises(AssertionError, match="invokes"):
        deploy(program)


def test_a_failing_apply_fails_the_program() -> None:
    def fail(_value: object) -> None:
        raise ValueError("from the apply")

    with pytest.raises(ValueError, match="from the apply"):
        deploy(lambda: _make(gcp.compute.Network("n", name="n").name.apply(fail)))


def test_computed_outputs_are_unknown_in_a_preview_only() -> None:
    def program() -> None:
        account = gcp.serviceaccount.Account("a", account_id="account", project="project-1")
        pulumi.export("email", account.email)

    assert deploy(program).exports["email"] == "account@project-1.iam.gserviceaccount.com"
    assert deploy(program, preview=True).exports["email"] == UNKNOWN


def test_a_secret_stays_marked_from_provider_to_export() -> None:
    def program() -> None:
        password = random.RandomPassword("p", length=8)
        pulumi.export("password", password.result)
        pulumi.export("plain", "text")

    recorder = deploy(program)
    assert recorder.exports == {"password": "0" * 8, "plain": "text"}
    assert recorder.secret_exports == {"password"}


def test_dependencies_are_recorded_through_a_component() -> None:
    def program() -> None:
        gcp.compute.Network("late", opts=pulumi.ResourceOptions(depends_on=[Component("one")]))

    recorder = deploy(program)
    late = recorder.one("gcp:compute/network:Network", "late")
    assert recorder.one("gcp:compute/network:Network", "one-network").urn in late.depends_on


def test_another_stack_is_read_through_a_stack_reference() -> None:
    def program() -> None:
        reference = pulumi.StackReference("organization/llmp/other")
        pulumi.export("answer", reference.require_output("answer"))

    others = {"organization/llmp/other": {"answer": 42}}
    assert deploy(program, other_stacks=others).exports == {"answer": 42}


def _make(_resource: object) -> None:
    """Turn a registration into a program that returns nothing."""
