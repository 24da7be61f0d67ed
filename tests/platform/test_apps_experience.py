"""What people use: each system has a key and a budget, and the edge knows who may come."""

from typing import Any

import pytest

from components.contract import SubstrateContract
from components.platform.apps import app_keys
from components.platform.apps.experience import (
    KEY_PORTAL_PODS,
    N8N_PODS,
    OPEN_WEBUI_PODS,
    TABBY_PODS,
    WEBHOOK_PATHS,
)
from components.platform.apps.llm_gateway import LITELLM_PODS
from components.platform.catalogue import CatalogueEntry, PlatformInputs
from components.platform.config import (
    Budget,
    CodingAssistantConfig,
    ExperienceConfig,
    Features,
    IdentityConfig,
    KeyPortalConfig,
    N8nConfig,
    Tier,
)
from components.platform.network import Outside, Pods
from tests.platform.samples import GKE, entries, inputs, model, tenant, values
from tests.samples import contract

PUBLIC = Features(public_edge=True)
ALL = Features(public_edge=True, identity=True, key_portal=True, coding_assistant=True, n8n=True)
VECTORS = model("vectors", engine="text_embeddings_inference")
APPS = ("open-webui", "tabby", "n8n", "key-portal")


def of(
    features: Features = ALL,
    *,
    tier: Tier = "cost",
    substrate: SubstrateContract | None = None,
    **changes: object,
) -> PlatformInputs:
    plain = inputs(
        profile="full",
        tier=tier,
        features=features,
        models=(model(), VECTORS),
        tenants=(
            tenant().model_copy(update={"members": ("ann@example.com", "@example.org")}),
            tenant("team-b"),
        ),
        contract=contract() if substrate is None else substrate,
    )
    object.__setattr__(plain, "config", plain.config.model_copy(update=changes))
    return plain


def secret(entry: CatalogueEntry) -> dict[str, str]:
    (found,) = entry.secrets
    return {one.key: one.remote_id for one in found.entries}


def test_profile_full_brings_open_webui_alone_and_features_the_rest() -> None:
    assert not set(APPS) & set(entries(inputs(profile="llm-gateway", features=Features())))
    bare = entries(of(Features(), substrate=GKE))
    assert set(APPS) & set(bare) == {"open-webui"}
    assert set(APPS) <= set(entries(of()))


def test_the_value_of_each_key_is_the_one_that_litellm_is_told_of() -> None:
    found = entries(of())
    (jobs_secret,) = [
        one for one in found["litellm-tenants"].secrets if one.name == "litellm-app-keys"
    ]
    told = {one.key: one.remote_id for one in jobs_secret.entries}
    assert told["open-webui"] == secret(found["open-webui"])["api-key"]
    assert told["open-webui-documents"] == secret(found["open-webui"])["documents-api-key"]
    assert told["tabby"] == secret(found["tabby"])["api-key"]
    assert told["n8n"] == secret(found["n8n"])["api-key"]
    made = {one.remote_id: one for one in found["litellm-tenants"].generates}
    for remote_id in told.values():
        # LiteLLM takes no key that does not start like this.
        assert made[remote_id].prefix == "sk-"


def test_each_key_has_models_a_budget_and_can_only_call_models() -> None:
    budget = ExperienceConfig(budget=Budget(usd=7, period="7d"))
    job = values(entries(of(experience=budget))["litellm-tenants"])["tenants"]
    keys = {key["alias"]: key for key in job["serviceKeys"] if "spending" in key}
    assert set(keys) == {"open-webui", "open-webui-documents", "tabby", "n8n"}
    for key in keys.values():
        assert key["routes"] == ["llm_api_routes"]
        assert key["spending"]["models"]
        assert (key["spending"]["maxBudgetUsd"], key["spending"]["budgetDuration"]) == (7, "7d")
    # The page to chat lists what its key may call.
    assert keys["open-webui"]["spending"]["models"] == ["qwen-small"]
    assert keys["open-webui-documents"]["spending"]["models"] == ["vectors"]


def test_litellm_lets_a_system_have_its_budget_though_no_tenant_has_as_much() -> None:
    found = entries(of(experience=ExperienceConfig(budget=Budget(usd=500))))
    settings = values(found["litellm"])["proxy_config"]["litellm_settings"]
    assert settings["upperbound_key_generate_params"]["max_budget"] == 500
    plain = values(entries(inputs())["litellm"])["proxy_config"]["litellm_settings"]
    assert plain["upperbound_key_generate_params"]["max_budget"] == 20


def test_no_key_is_made_that_would_have_no_model_and_so_all_of_them() -> None:
    only_vectors = inputs(profile="full", models=(VECTORS,))
    assert {key.name for key in app_keys.app_keys(only_vectors)} == {"open-webui-documents"}


def test_models_of_providers_are_offered_only_where_requests_may_leave() -> None:
    assert app_keys.chat_models(of()) == ("qwen-small",)
    assert app_keys.embedding_models(of()) == ("vectors",)


def test_each_system_calls_litellm_and_nothing_else_by_itself() -> None:
    found = entries(of())
    for name, pods in (
        ("open-webui", OPEN_WEBUI_PODS),
        ("tabby", TABBY_PODS),
        ("n8n", N8N_PODS),
        ("key-portal", KEY_PORTAL_PODS),
    ):
        opened = [one for one in found[name].connections if one.client == pods]
        assert LITELLM_PODS in [one.server for one in opened]
        assert Outside.INTERNET not in [one.server for one in opened]


def test_only_the_edge_reaches_the_key_portal_which_believes_what_it_says() -> None:
    found = entries(of())
    clients = [
        one.client
        for entry in found.values()
        for one in entry.connections
        if one.server == KEY_PORTAL_PODS
    ]
    assert [client.namespace for client in clients if isinstance(client, Pods)] == ["edge"]
    assert len(clients) == 1
    assert found["key-portal"].namespace == "key-portal"


def test_hosts_ask_for_a_session_where_the_system_cannot_sign_in_itself() -> None:
    hosts = {host.name: host for entry in entries(of()).values() for host in entry.hosts}
    assert {name: hosts[name].sign_in for name in ("chat", "code", "n8n", "portal")} == {
        "chat": False,
        # Editors send tokens of Tabby, and could not follow a redirect to a page.
        "code": False,
        "n8n": True,
        "portal": True,
    }


def test_nothing_is_public_without_an_edge() -> None:
    for name in ("open-webui",):
        assert entries(of(Features(), substrate=GKE))[name].hosts == ()


def test_open_webui_keeps_its_login_form_without_single_sign_on() -> None:
    entry = entries(of(PUBLIC))["open-webui"]
    assert "signIn" not in values(entry)
    assert entry.sign_in_clients == ()
    assert "client-secret" not in secret(entry)
    assert values(entry)["publicUrl"] == "https://chat.llm.example.com"


def test_open_webui_signs_in_at_dex_with_the_secret_that_dex_has() -> None:
    found = entries(of(identity=IdentityConfig(admin_groups=("your-org:platform",))))
    (client,) = found["open-webui"].sign_in_clients
    assert secret(found["open-webui"])["client-secret"] == client.secret_id
    assert (client.host, client.callback) == ("chat", "/oauth/oidc/callback")
    chart = values(found["open-webui"])["signIn"]
    assert chart["clientId"] == client.id
    assert chart["adminGroups"] == ["your-org:platform"]


def test_the_first_account_is_dexs_own_user_where_there_is_one() -> None:
    email = values(entries(of())["open-webui"])["administrator"]["email"]
    assert email == "admin@llm.example.com"
    bare = values(entries(of(Features(), substrate=GKE))["open-webui"])
    assert bare["administrator"]["email"] == "admin@llmp.internal"


def test_tabbys_password_is_one_that_tabby_takes() -> None:
    (made,) = [
        one for one in entries(of())["tabby"].generates if one.remote_id == "tabby-admin-password"
    ]
    # 8 to 20 characters, a sign among them; capitals and digits come from the generator.
    assert len(made.prefix) + made.length == 20
    assert "-" in made.prefix


def test_tabby_asks_the_models_that_the_config_names_or_the_first_that_can() -> None:
    chart = values(entries(of())["tabby"])
    assert (chart["chatModel"], chart["embeddingModel"]) == ("qwen-small", "vectors")
    assert "completion" not in chart
    chosen = CodingAssistantConfig(completion_model="qwen-small")
    chart = values(entries(of(coding_assistant=chosen))["tabby"])
    assert chart["completion"]["model"] == "qwen-small"
    assert "{prefix}" in chart["completion"]["template"]


def test_workflows_reach_the_internet_and_are_started_from_it_only_by_config() -> None:
    closed = entries(of())["n8n"]
    (host,) = closed.hosts
    assert host.open_paths == ()
    opened = entries(of(n8n=N8nConfig(internet=True, webhooks=True)))["n8n"]
    (host,) = opened.hosts
    assert host.open_paths == WEBHOOK_PATHS
    assert "/webhook-test" not in WEBHOOK_PATHS
    assert Outside.INTERNET in [one.server for one in opened.connections]


def test_n8n_gets_a_hash_of_its_owners_password_and_a_key_that_is_made_once() -> None:
    (found,) = entries(of())["n8n"].secrets
    by_key = {one.key: one for one in found.entries}
    assert by_key["owner-password-hash"].hashed == "bcrypt"
    assert by_key["encryption-key"].remote_id == "n8n-encryption-key"


def test_the_portal_offers_teams_that_have_members_within_their_budget() -> None:
    limits = KeyPortalConfig(max_budget_usd=30, max_days=10, keys_per_user=2, period="7d")
    chart = values(entries(of(key_portal=limits))["key-portal"])
    assert chart["tenants"] == [
        {
            "name": "team-a",
            "models": ["qwen-small"],
            "members": ["ann@example.com", "@example.org"],
            # The team has 20.
            "maxBudgetUsd": 20.0,
        }
    ]
    assert chart["limits"] == {"budgetDuration": "7d", "maxDays": 10, "keysPerUser": 2}


def test_people_are_told_the_public_address_of_the_models() -> None:
    assert values(entries(of())["key-portal"])["modelsUrl"] == "https://api.llm.example.com/v1"


@pytest.mark.parametrize("name", ["open-webui", "tabby", "n8n"])
def test_what_has_a_database_in_a_file_stays_one_in_prod(name: str) -> None:
    chart: dict[str, Any] = values(entries(of(tier="prod"))[name])
    assert "replicas" not in chart


def test_the_portal_has_two_replicas_in_prod() -> None:
    assert values(entries(of(tier="prod"))["key-portal"])["replicas"] == 2
    assert values(entries(of())["key-portal"])["replicas"] == 1
