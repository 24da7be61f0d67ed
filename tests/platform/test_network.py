"""Who may talk to whom: one line a connection, both ends' policies."""

import pytest

from components.platform.apps import catalogue
from components.platform.network import Connection, Outside, Pods, policies
from components.platform.values.network import NetworkPolicyValues
from tests import pairwise
from tests.platform.samples import HETZNER, entries, inputs, tenant, values

WEB = Pods(namespace="web", labels={"app": "web"})
STORE = Pods(namespace="data", labels={"app": "store", "part": "main"})


def only(found: tuple[NetworkPolicyValues, ...]) -> NetworkPolicyValues:
    (policy,) = found
    return policy


def test_what_a_removed_tenant_leaves_behind_stays_closed() -> None:
    by_name = entries()
    kept = {
        name
        for name, entry in by_name.items()
        if name.endswith("-network") and values(entry)["keepDefaultDeny"]
    }
    assert kept == {"team-a-network"}


def test_both_ends_of_a_connection_come_from_one_line() -> None:
    made = policies([Connection(client=WEB, server=STORE, ports=(5432,))], ["web", "data"])
    out, into = only(made["web"]).egress, only(made["data"]).ingress
    assert out[0].ports == into[0].ports
    assert (out[0].peer.namespace, out[0].peer.pod_labels) == ("data", dict(STORE.labels))
    assert (into[0].peer.namespace, into[0].peer.pod_labels) == ("web", dict(WEB.labels))
    assert only(made["web"]).ingress == () == only(made["data"]).egress


def test_a_namespace_that_is_not_ours_gets_no_policy() -> None:
    made = policies([Connection(client=WEB, server=STORE, ports=(53,))], ["web"])
    assert set(made) == {"web"}
    assert only(made["web"]).egress


def test_a_connection_that_two_systems_name_counts_once() -> None:
    twice = [Connection(client=WEB, server=STORE, ports=(5432,))] * 2
    assert len(only(policies(twice, ["data"])["data"]).ingress) == 1


def test_a_namespace_without_connections_is_closed_all_the_same() -> None:
    assert policies([], ["web"]) == {"web": ()}


def test_what_is_no_pod_gets_no_policy_of_its_own() -> None:
    made = policies(
        [
            Connection(client=Outside.API_SERVER, server=WEB, ports=(9443,)),
            Connection(client=WEB, server=Outside.INTERNET, ports=(443,)),
        ],
        ["web"],
    )
    policy = only(made["web"])
    assert [rule.peer.kind for rule in policy.ingress] == ["api-server"]
    assert [rule.peer.kind for rule in policy.egress] == ["internet"]


def test_pods_with_other_labels_have_a_policy_with_another_name() -> None:
    alike = [
        Pods(namespace="web", labels={"app": "a-b"}),
        Pods(namespace="web", labels={"app": "a", "part": "b"}),
        Pods(namespace="web"),
        Pods(namespace="web", labels={"app": "x" * 63, "part": "y" * 63}),
    ]
    made = policies(
        [Connection(client=one, server=Outside.INTERNET, ports=(443,)) for one in alike], ["web"]
    )["web"]
    names = [one.name for one in made]
    assert len(set(names)) == len(alike)
    assert max(len(name) for name in names) <= 63


def test_every_namespace_that_the_platform_makes_is_default_deny() -> None:
    for stack in (inputs(), inputs(profile="full", contract=HETZNER, tier="prod")):
        by_name = entries(stack)
        made = {one.namespace for one in by_name.values() if one.create_namespace}
        for namespace in made | {one.name for one in stack.tenants}:
            entry = by_name[f"{namespace}-network"]
            assert entry.namespace == namespace
            assert entry.create_namespace == (namespace in made)


def test_tenants_call_litellm_and_never_each_other() -> None:
    both = inputs(tenants=(tenant(), tenant("team-b")))
    connections = [one for entry in catalogue(both) for one in entry.connections]
    team_a, team_b = Pods(namespace="team-a"), Pods(namespace="team-b")
    assert any(
        one.client == team_a and isinstance(one.server, Pods) and one.server.namespace == "litellm"
        for one in connections
    )
    assert not any(one.client == team_a and one.server == team_b for one in connections)


@pytest.mark.parametrize("name", sorted(pairwise.stacks()))
def test_tenants_call_litellm_openbao_the_internet_and_themselves_alone(name: str) -> None:
    stack = pairwise.stacks()[name]
    connections = [one for entry in catalogue(stack) for one in entry.connections]
    for tenant_name in (one.name for one in stack.tenants):
        pods = Pods(namespace=tenant_name)
        called = {
            one.server.namespace if isinstance(one.server, Pods) else one.server
            for one in connections
            if isinstance(one.client, Pods) and one.client.namespace == tenant_name
        }
        assert called <= {tenant_name, "litellm", "openbao", Outside.INTERNET}
        callers = {
            one.client
            if not isinstance(one.client, Pods)
            else (one.client.namespace, *one.client.labels)
            for one in connections
            if isinstance(one.server, Pods) and one.server.namespace == pods.namespace
        }
        assert callers <= {(tenant_name,)}
        # The proxy, and neither its database nor its caches.
        assert all(
            one.server.labels == {"app.kubernetes.io/name": "litellm"}
            for one in connections
            if one.client == pods
            and isinstance(one.server, Pods)
            and one.server.namespace == "litellm"
        )


@pytest.mark.parametrize("name", sorted(pairwise.stacks()))
def test_only_pods_with_a_cloud_identity_reach_the_metadata_server(name: str) -> None:
    stack = pairwise.stacks()[name]
    reading = [
        one.client
        for entry in catalogue(stack)
        for one in entry.connections
        if one.server is Outside.METADATA_SERVER
    ]
    trusted = {one.namespace for one in stack.contract.workload_identities.values()}
    for client in reading:
        assert isinstance(client, Pods)
        assert client.namespace in trusted
        assert client.labels


def test_no_engine_and_no_database_reaches_the_internet_without_need() -> None:
    for entry in catalogue(inputs(tier="prod")):
        for one in entry.connections:
            if one.server is Outside.INTERNET and isinstance(one.client, Pods):
                assert one.client.namespace in {"serving", "external-secrets", "team-a"}


@pytest.mark.parametrize("profile", ["platform", "full"])
def test_only_load_balancers_take_in_just_anyone(profile: str) -> None:
    chosen = inputs(profile="full") if profile == "full" else inputs(profile="platform")
    assert not any(
        one.client is Outside.ANYONE for entry in catalogue(chosen) for one in entry.connections
    )


def test_the_policies_of_a_namespace_are_what_its_release_gets() -> None:
    given = values(entries()["litellm-network"])
    names = [one["name"] for one in given["policies"]]
    assert names == sorted(names)
    assert any(name.startswith("litellm-pg-") for name in names)
