"""Backups of the database of a Hetzner stack: in an object storage, by keys that nothing names."""

import json
from typing import Any

import pytest

from components.contract import SubstrateContract
from stacks.config import ConfigError, parse_stack
from stacks.contracts import known_contract, supplied_secrets
from tests.samples import HETZNER_STACK, MODEL

STORAGE: dict[str, Any] = {
    "endpoint": "nbg1.your-objectstorage.com",
    "region": "nbg1",
    "bucket": "acme-llmp-backups",
}
PROD: dict[str, Any] = {"deletion_protection": True, "control_plane": {"count": 3}}


def stack(tier: str = "cost", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - of the section
    """Return a Hetzner stack with some keys of its section changed."""
    return {
        **HETZNER_STACK,
        "hetzner": {**HETZNER_STACK["hetzner"], **changes},
        "platform": {**HETZNER_STACK["platform"], "profile": "llm-gateway", "tier": tier},
        # Tier prod runs more replicas than this cluster has GPUs.
        "models": [{**MODEL, "engine": "simulator"}],
    }


def contract(tier: str = "cost", **changes: Any) -> SubstrateContract:  # noqa: ANN401
    """Return what that stack's substrate promises."""
    found = known_contract(parse_stack(stack(tier, **changes), "Pulumi.test.yaml"))
    assert found is not None
    return found


def test_the_contract_says_where_backups_go_and_what_the_keys_are_called() -> None:
    backups = contract(object_storage=STORAGE).backups
    assert backups is not None
    assert backups.model_dump() == {
        "kind": "s3",
        "bucket": "acme-llmp-backups",
        "retention_days": 30,
        "endpoint": "nbg1.your-objectstorage.com",
        "region": "nbg1",
        "access_key_secret": "object-storage-access-key",
        "secret_key_secret": "object-storage-secret-key",
    }


def test_how_long_backups_are_kept_can_be_said() -> None:
    backups = contract(object_storage={**STORAGE, "backup_days": 90}).backups
    assert backups is not None
    assert backups.retention_days == 90


def test_without_an_object_storage_no_backup_is_promised() -> None:
    assert contract().backups is None


def test_a_bucket_of_s3_survives_the_way_through_stack_output_and_annotations() -> None:
    made = contract(object_storage=STORAGE)
    assert SubstrateContract.from_output(json.loads(json.dumps(made.to_output()))) == made
    assert SubstrateContract.from_annotations(made.annotations()) == made


def test_people_are_asked_for_both_keys_only_where_there_is_a_bucket() -> None:
    def asked(**changes: Any) -> set[str]:  # noqa: ANN401
        parsed = parse_stack(stack(**changes), "Pulumi.test.yaml")
        found = known_contract(parsed)
        assert found is not None
        return {one for one in supplied_secrets(parsed, found) if "object-storage" in one}

    assert asked(object_storage=STORAGE) == {
        "object-storage-access-key",
        "object-storage-secret-key",
    }
    assert asked() == set()


def test_a_stack_of_tier_prod_is_taken_with_a_bucket_and_refused_without() -> None:
    assert contract("prod", **PROD, object_storage=STORAGE).backups is not None
    with pytest.raises(ConfigError) as refused:
        contract("prod", **PROD)
    (problem,) = refused.value.problems
    assert problem.path == "platform.tier"
    assert "hetzner.object_storage" in problem.fix
