"""Any `gke` section that is accepted leads to names, a contract and resources that all agree."""

import json
import re
from typing import Any

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.contract import SubstrateContract
from components.substrate.gke_machines import GPU_MACHINES, Accelerator
from components.substrate.gke_topology import (
    COMPUTE_CLASS_LABEL,
    DNS_WRITERS,
    SPOT_TAINT,
    GkeTopology,
    gke_contract,
)
from components.substrate.gpu_profile import GPU_TOLERATION
from policies.rules import violations
from stacks.config.gke import GkeConfig
from tests.harness import deploy
from tests.policies.samples import resources
from tests.substrate.gke_samples import EVERYTHING, SECRET_MANAGER, substrate

REGION = "europe-west4"
NAME = st.one_of(
    st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9-]{38}[a-z0-9]", fullmatch=True),
)
LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


@st.composite
def gpu_pools(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a GPU pool that Google sells, with or without each of its settings."""
    accelerator: Accelerator = draw(st.sampled_from(sorted(GPU_MACHINES)))
    count = draw(st.sampled_from(sorted(GPU_MACHINES[accelerator])))
    machine = draw(st.sampled_from(GPU_MACHINES[accelerator][count]))
    capacity = draw(st.sampled_from(machine.capacity))
    pool: dict[str, Any] = {
        "name": draw(NAME),
        "accelerator": accelerator,
        "accelerators_per_node": count,
        "machine_type": machine.name,
        "capacity": capacity,
        "max_nodes": draw(st.integers(min_value=1, max_value=40)),
    }
    settings_of_all: dict[str, st.SearchStrategy[Any]] = {
        "driver_version": st.sampled_from(["default", "latest"]),
        "disk_size_gib": st.integers(min_value=50, max_value=65_536),
        "sharing": st.fixed_dictionaries(
            {
                "strategy": st.sampled_from(["mps", "time-slicing"]),
                "clients_per_gpu": st.integers(min_value=2, max_value=48),
            }
        ),
        "image_streaming": st.booleans(),
    }
    pool |= draw(st.fixed_dictionaries({}, optional=settings_of_all))
    if capacity == "reservation":
        pool |= {"reservation": "reserved", "zones": [f"{REGION}-a"]}
    if capacity != "flex-start":
        upgrade = st.sampled_from([{"max_surge": 2}, {"strategy": "blue-green", "batch_nodes": 3}])
        pool |= draw(st.fixed_dictionaries({}, optional={"upgrade": upgrade}))
    return pool


SECTIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "project": st.from_regex(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", fullmatch=True),
        "region": st.just(REGION),
        "cluster_name": NAME,
        "gpu_pools": st.lists(gpu_pools(), max_size=5, unique_by=lambda pool: pool["name"]),
    },
    optional={
        "zone": st.sampled_from([f"{REGION}-a", f"{REGION}-b"]),
        "registry": st.sampled_from([{"models": False}, {"pull_through": True}]),
        "edge_address": st.booleans(),
        "backups": st.sampled_from([{"enabled": False}, {"retention_days": 3}]),
        "network": st.sampled_from([{"nat_addresses": 8}, {"flow_logs": True}]),
        "control_plane": st.sampled_from(
            [
                {"endpoint": "ip", "authorized_networks": ["203.0.113.0/24"]},
                {"managed_prometheus": False},
            ]
        ),
    },
)


def topology_of(section: dict[str, Any], *, compute_class: bool) -> GkeTopology:
    """Return what a section leads to; what is drawn and refused is drawn again."""
    try:
        config = GkeConfig.model_validate_json(json.dumps(section))
    except ValidationError:
        assume(condition=False)
        raise
    return config.topology(tier="prod", database=True, compute_class=compute_class)


def contract_of(topology: GkeTopology) -> SubstrateContract:
    return gke_contract(
        topology,
        secret_store=SECRET_MANAGER,
        domain=EVERYTHING["domain"],
        dns=EVERYTHING["dns"],
    )


@settings(derandomize=True, deadline=None, max_examples=60)
@given(SECTIONS, st.booleans())
def test_its_contract_reads_back_and_its_pools_say_what_they_are(
    section: dict[str, Any],
    compute_class: bool,  # noqa: FBT001 - drawn
) -> None:
    topology = topology_of(section, compute_class=compute_class)
    contract = contract_of(topology)
    assert SubstrateContract.from_output(contract.to_output()) == contract
    assert SubstrateContract.from_annotations(contract.annotations()) == contract
    assert contract.gpu.max_gpus == sum(pool.gpus for pool in contract.gpu.pools)
    for pool in contract.gpu.pools:
        keys = {taint.key for taint in pool.taints}
        assert GPU_TOLERATION.key in keys
        assert (SPOT_TAINT.key in keys) == (pool.capacity == "spot")
        assert (COMPUTE_CLASS_LABEL in keys) == compute_class
    if contract.gpu.compute_class is not None:
        tried = [name for step in contract.gpu.compute_class.priorities for name in step]
        assert sorted(tried) == sorted(pool.node_pool_name for pool in topology.gpu_pools)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(SECTIONS)
def test_its_names_are_names_at_google_and_each_is_of_one_thing(section: dict[str, Any]) -> None:
    topology = topology_of(section, compute_class=False)
    accounts = [
        topology.node_account_id,
        topology.external_secrets_account_id,
        topology.database_account_id,
        *(topology.dns_account_id(identity) for identity in DNS_WRITERS),
    ]
    pools = [pool.node_pool_name for pool in (topology.platform_pool, *topology.gpu_pools)]
    repositories = [topology.model_repository_id, *topology.mirror_repository_ids.values()]
    buckets = [] if topology.backups is None else [topology.backups.bucket]
    limits = ((accounts, 6, 30), (pools, 1, 40), (repositories, 1, 63), (buckets, 3, 63))
    for made, least, most in limits:
        assert len(set(made)) == len(made)
        assert all(least <= len(name) <= most and LABEL.fullmatch(name) for name in made)
    for value in topology.resource_labels.values():
        assert re.fullmatch(r"[a-z0-9_-]{1,63}", value)


# A program takes a second, and a smaller example hundreds of them.
@settings(
    derandomize=True,
    deadline=None,
    max_examples=8,
    phases=(Phase.explicit, Phase.generate),
)
@given(SECTIONS, st.booleans())
def test_its_resources_are_registered_and_no_mandatory_rule_is_against_them(
    section: dict[str, Any],
    compute_class: bool,  # noqa: FBT001 - drawn
) -> None:
    topology = topology_of(section, compute_class=compute_class)

    def program() -> None:
        substrate(topology=topology, domain=EVERYTHING["domain"], dns=EVERYTHING["dns"])

    found = resources(deploy(program))
    told = [found.text for one in found for found in violations(one, "prod")]
    assert told == []
