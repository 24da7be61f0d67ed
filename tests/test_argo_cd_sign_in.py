"""How Argo CD's users sign in, from a stack file to both trees."""

import copy
from typing import Any

import pytest

from components.substrate.argocd import ArgoCdSignIn
from stacks.config import Stack, parse_stack
from stacks.contracts import argo_cd_sign_in, known_contract
from tests.samples import EXISTING_STACK, GKE_STACK, HETZNER_STACK

BASES = {"gke": GKE_STACK, "hetzner": HETZNER_STACK, "existing": EXISTING_STACK}


def stack(kind: str, platform: dict[str, Any], **existing: object) -> Stack:
    data: dict[str, Any] = copy.deepcopy(BASES[kind])
    data["platform"] |= platform
    if existing:
        data["existing"] |= existing
    return parse_stack(data, "Pulumi.test.yaml")


def signed_in(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the section takes
    return {
        "domain": "llm.example.com",
        "dns": {"provider": "cloudflare", "zone": "example.com", "token_secret": "cf-token"},
        "features": {"public_edge": True, "identity": True},
        **changes,
    }


@pytest.mark.parametrize("kind", BASES)
def test_the_argo_cd_that_a_stack_installs_signs_in_and_the_contract_says_so(kind: str) -> None:
    made = stack(kind, signed_in())
    assert argo_cd_sign_in(made) == ArgoCdSignIn(
        issuer="https://auth.llm.example.com", admin_email="admin@llm.example.com"
    )
    contract = known_contract(made)
    assert contract is not None
    assert contract.argo_cd_sign_in is True


@pytest.mark.parametrize("kind", BASES)
def test_without_identity_nothing_changes(kind: str) -> None:
    made = stack(kind, signed_in(features={"public_edge": True}))
    contract = known_contract(made)
    assert argo_cd_sign_in(made) is None
    assert contract is not None
    assert contract.argo_cd_sign_in is False


def test_an_argo_cd_that_was_there_before_keeps_its_own_settings() -> None:
    made = stack("existing", signed_in(), install_argo_cd=False)
    contract = known_contract(made)
    assert argo_cd_sign_in(made) is None
    assert contract is not None
    assert contract.argo_cd_sign_in is False


def test_administrators_are_those_of_the_platform() -> None:
    identity = {"admin_email": "boss@example.com", "admin_groups": ["your-org:platform"]}
    sign_in = argo_cd_sign_in(stack("gke", signed_in(identity=identity)))
    assert sign_in is not None
    assert (sign_in.admin_email, sign_in.admin_groups) == (
        "boss@example.com",
        ("your-org:platform",),
    )


def test_the_own_authority_is_trusted_only_where_it_signs_for_the_edge() -> None:
    features = {"public_edge": True, "identity": True, "internal_ca": True}
    private = signed_in(features=features)
    del private["dns"]
    own = argo_cd_sign_in(stack("hetzner", private))
    public = argo_cd_sign_in(stack("hetzner", signed_in(features=features)))
    assert own is not None
    assert public is not None
    assert (own.trust_bundle, public.trust_bundle) == (True, False)
