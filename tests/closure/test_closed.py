"""Nothing is named in vain: whatever a stack's Applications name, one of them makes.

Over every profile, every feature on the least that it needs, and rows that hold every two choices
that can be made together.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from components.platform.apps import catalogue
from components.platform.apps.parts import PROMETHEUS_PODS
from components.platform.catalogue import (
    CatalogueEntry,
    Kustomization,
    OwnChart,
    UpstreamChart,
)
from components.platform.manifests import CLUSTER_KINDS
from components.platform.network import Outside, Pods
from components.substrate.gke_network import WEBHOOK_PORTS
from tests import pairwise
from tests.closure import ports
from tests.closure.references import references
from tests.closure.world import (
    BUILT_IN_GROUPS,
    CLUSTER_SCOPED,
    GIVEN_NAMESPACES,
    UPSTREAM,
    World,
    addresses,
    crd_owner,
    namespace_of,
    pod_templates,
    world,
)
from tools.generate import CHARTS

STACKS = pytest.mark.parametrize("name", sorted(pairwise.stacks()))

GIVEN: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("ServiceAccount", "", "default"),
        # Published in every namespace by Kubernetes itself.
        ("ConfigMap", "", "kube-root-ca.crt"),
        ("GatewayClass", "", "agentgateway"),
        ("PriorityClass", "", "system-cluster-critical"),
        ("PriorityClass", "", "system-node-critical"),
        ("ClusterRole", "", "system:auth-delegator"),
    }
)
"""What is there although no chart renders it: Kubernetes makes it, or a controller at its start."""


@cache
def world_of(name: str) -> World:
    return world(pairwise.stacks()[name])


GIVEN_SERVICES = frozenset({("default", "kubernetes"), ("argocd", "argocd-server")})
"""Namespace and name of Services that Kubernetes and the substrate bring."""


def by_name(of: World) -> dict[str, CatalogueEntry]:
    return {entry.name: entry for entry in of.entries}


def ancestors(entry: CatalogueEntry, entries: dict[str, CatalogueEntry]) -> set[str]:
    found: set[str] = set()
    pending = list(entry.requires)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += entries[name].requires
    return found


def test_what_is_known_of_upstream_charts_is_of_the_pinned_version() -> None:
    pins = {
        entry.source.pin.chart: entry.source.pin.version
        for inputs in pairwise.stacks().values()
        for entry in catalogue(inputs)
        if isinstance(entry.source, UpstreamChart)
    }
    assert {chart: known["version"] for chart, known in UPSTREAM.items()} == pins


@STACKS
@pytest.mark.charts
def test_every_object_that_is_named_is_made(name: str) -> None:
    of = world_of(name)
    entries = by_name(of)
    missing = {
        (entry, one["kind"], one["metadata"]["name"], reference)
        for entry, one in of.objects
        for reference in references(one, namespace_of(entries[entry], one))
        if reference not in of.made
        and (reference[0], "", reference[2]) not in GIVEN
        and not (reference[0] == "Service" and (reference[1], reference[2]) in of.services)
        and reference[1:] not in GIVEN_SERVICES
    }
    assert missing == set()


@STACKS
@pytest.mark.charts
def test_every_address_leads_to_a_service_on_a_port_that_it_has(name: str) -> None:
    of = world_of(name)
    wrong: set[tuple[str, str, str, int | None]] = set()
    for entry in of.entries:
        values: Mapping[str, Any] = (
            {} if isinstance(entry.source, Kustomization) else entry.source.values
        )
        for namespace, service, port in addresses([values, of.rendered.get(entry.name, [])]):
            if (namespace, service) in GIVEN_SERVICES:
                continue
            ports = of.services.get((namespace, service))
            if ports is None or (port is not None and ports and port not in ports):
                wrong.add((entry.name, namespace, service, port))
    assert wrong == set()


@STACKS
@pytest.mark.charts
def test_whoever_knows_an_address_may_connect_to_it(name: str) -> None:
    of = world_of(name)
    connections = [one for entry in of.entries for one in entry.connections]
    entries = by_name(of)
    cut_off: set[tuple[str, str, str]] = set()
    for entry, one in of.objects:
        for template in pod_templates(entry, namespace_of(entries[entry], one), one):
            for namespace, service, _ in addresses(template.spec):
                if (namespace, service) not in GIVEN_SERVICES and not any(
                    isinstance(each.client, Pods)
                    and isinstance(each.server, Pods)
                    and each.client.namespace == template.namespace
                    and each.client.labels.items() <= template.labels.items()
                    and each.server.namespace == namespace
                    for each in connections
                ):
                    cut_off.add((entry, namespace, service))
    for entry in of.entries:
        if isinstance(entry.source, UpstreamChart):
            for namespace, service, _ in addresses(entry.source.values):
                if (namespace, service) not in GIVEN_SERVICES and not any(
                    isinstance(each.client, Pods)
                    and isinstance(each.server, Pods)
                    and each.client.namespace == entry.namespace
                    and each.server.namespace == namespace
                    for each in connections
                ):
                    cut_off.add((entry.name, namespace, service))
    assert cut_off == set()


@STACKS
@pytest.mark.charts
def test_prometheus_reaches_every_port_that_a_monitor_names(name: str) -> None:
    of = world_of(name)
    connections = [one for entry in of.entries for one in entry.connections]
    called = [*ports.upstream(of, "read"), *ports.read_by_own_monitors(of)]
    assert called
    closed = [one for one in called if not one.is_open(PROMETHEUS_PODS, connections)]
    assert closed == []


@STACKS
@pytest.mark.charts
def test_the_api_server_reaches_every_webhook_and_every_api_that_it_hands_on_to(name: str) -> None:
    of = world_of(name)
    connections = [one for entry in of.entries for one in entry.connections]
    called = list(ports.upstream(of, "called"))
    assert called
    closed = [one for one in called if not one.is_open(Outside.API_SERVER, connections)]
    assert closed == []


@STACKS
@pytest.mark.charts
def test_both_ends_of_every_connection_are_pods_that_can_come_to_run(name: str) -> None:
    of = world_of(name)
    tenants = {tenant.name for tenant in of.inputs.tenants}
    owned = {entry.namespace for entry in of.entries if entry.create_namespace}
    nobody = {
        (entry.name, end.namespace, json.dumps(dict(end.labels)))
        for entry in of.entries
        for one in entry.connections
        for end in (one.client, one.server)
        if isinstance(end, Pods)
        and end.namespace not in GIVEN_NAMESPACES | tenants
        and not (end.namespace in owned and of.has_pods(end))
    }
    assert nobody == set()


@STACKS
@pytest.mark.charts
def test_every_object_lies_in_a_namespace_that_is_made_and_allowed(name: str) -> None:
    of = world_of(name)
    entries = by_name(of)
    for entry, one in of.objects:
        namespace = namespace_of(entries[entry], one)
        if namespace:
            assert ("Namespace", "", namespace) in of.made or namespace in GIVEN_NAMESPACES
            assert namespace in {entries[entry].namespace, *entries[entry].extra_namespaces}
        else:
            group = one["apiVersion"].rpartition("/")[0]
            assert (group, one["kind"]) in CLUSTER_KINDS, (entry, group, one["kind"])


@STACKS
@pytest.mark.charts
def test_every_definition_comes_before_its_objects(name: str) -> None:
    of = world_of(name)
    entries = by_name(of)
    early: set[tuple[str, str, str]] = set()
    for entry, one in of.objects:
        group = one["apiVersion"].rpartition("/")[0]
        if group in BUILT_IN_GROUPS:
            continue
        owner = crd_owner().get(group) or _kserve_owner(group, one["kind"])
        if owner not in ancestors(entries[entry], entries):
            early.add((entry, group, owner))
    assert early == set()


def _kserve_owner(group: str, kind: str) -> str:
    assert group == "serving.kserve.io", f"nobody is known to define {group}"
    return "kserve-llmisvc-crd" if kind.startswith("LLM") else "kserve-crd"


@STACKS
@pytest.mark.charts
def test_no_two_applications_make_the_same_object(name: str) -> None:
    of = world_of(name)
    entries = by_name(of)
    identities = [
        (one["kind"], namespace_of(entries[entry], one), one["metadata"]["name"])
        for entry, one in of.objects
    ]
    assert len(identities) == len(set(identities))


def test_no_two_charts_of_others_bring_the_same_definition() -> None:
    definitions = [
        name
        for known in UPSTREAM.values()
        for name in known["made"].get("CustomResourceDefinition", ())
    ]
    assert sorted(definitions) == sorted(set(definitions))


@STACKS
@pytest.mark.charts
def test_nothing_is_public_but_the_edge(name: str) -> None:
    of = world_of(name)
    for _, one in of.objects:
        if one["kind"] == "Service":
            assert one["spec"].get("type", "ClusterIP") == "ClusterIP"
        assert one["kind"] != "Ingress"
    public = {
        one.server.namespace
        for entry in of.entries
        for one in entry.connections
        if one.client is Outside.ANYONE and isinstance(one.server, Pods)
    }
    assert public <= {"edge"}
    assert bool(public) == of.inputs.config.features.public_edge


@pytest.mark.charts
def test_a_name_that_nobody_makes_is_found() -> None:
    one = {
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {
            "template": {
                "spec": {
                    "serviceAccountName": "who",
                    "volumes": [{"name": "v", "configMap": {"name": "missing"}}],
                    "containers": [
                        {"env": [{"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
                    ],
                }
            }
        },
    }
    assert references(one, "here") == {
        ("ServiceAccount", "here", "who"),
        ("ConfigMap", "here", "missing"),
        ("Secret", "here", "s"),
    }
    assert addresses({"url": "http://nobody.nowhere.svc.cluster.local:80/v1"}) == {
        ("nowhere", "nobody", 80)
    }


def test_every_choice_that_can_be_made_is_accepted_by_the_config() -> None:
    assert pairwise.stacks()


def test_the_rows_hold_every_pair_that_can_be_chosen() -> None:
    for pair in pairwise.pairs():
        if pairwise.closed(dict(pair)) is not None:
            assert any(pairwise.covers(row, pair) for row in pairwise.rows()), pair


def test_a_feature_that_is_switched_on_changes_the_catalogue() -> None:
    for name, choices in pairwise.singles().items():
        feature = name.partition("-")[2]
        without = {**choices, feature: False}
        if feature in pairwise.FEATURES and pairwise.choosable(without):
            on = {entry.name for entry in catalogue(pairwise.inputs(choices))}
            off = {entry.name for entry in catalogue(pairwise.inputs(without))}
            assert on - off, feature


def test_our_own_charts_are_those_of_the_folder() -> None:
    used = {
        entry.source.chart
        for inputs in pairwise.stacks().values()
        for entry in catalogue(inputs)
        if isinstance(entry.source, OwnChart)
    }
    assert used == set(CHARTS)


def test_cluster_scoped_kinds_that_we_may_make_are_known_to_these_tests() -> None:
    assert {kind for _, kind in CLUSTER_KINDS} <= CLUSTER_SCOPED


@pytest.mark.charts
def test_no_cluster_scoped_kind_is_allowed_that_nobody_makes() -> None:
    made = {
        (one["apiVersion"].rpartition("/")[0], one["kind"])
        for name in pairwise.stacks()
        for _, one in world_of(name).objects
    }
    # The charts of others make these; which built-in kinds they make is not kept here.
    made |= {
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("serving.kserve.io", "ClusterStorageContainer"),
    }
    unused = {one for one in CLUSTER_KINDS if one[0] not in BUILT_IN_GROUPS} - made
    assert unused == set()


def test_gke_lets_its_control_plane_reach_every_webhook() -> None:
    # Nodes take 443 and 10250 from it; each other port needs a line in the firewall.
    called = {
        str(port)
        for inputs in pairwise.stacks().values()
        for entry in catalogue(inputs)
        for one in entry.connections
        if one.client is Outside.API_SERVER
        for port in one.ports
    }
    assert called <= {*WEBHOOK_PORTS, "443"}
