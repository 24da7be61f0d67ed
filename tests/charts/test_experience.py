"""Charts of what people use: no visitor becomes the administrator, nothing is lost or leaked."""

import json
from typing import Any

import pytest

from components.platform.values.base import ChartValues
from tests.charts.rendering import CHARTS, Json, of_kind, only, render
from tests.charts.values import (
    KEY_PORTAL,
    N8N,
    OPEN_WEBUI,
    OPEN_WEBUI_SIGNED_IN,
    TABBY,
    TABBY_COMPLETING,
)

pytestmark = pytest.mark.charts


def pod(chart: str, values: ChartValues) -> Json:
    return only(render(chart, values), "Deployment")["spec"]["template"]["spec"]


def environment(chart: str, values: ChartValues) -> dict[str, Any]:
    (container, *_) = pod(chart, values)["containers"]
    names = [one["name"] for one in container["env"]]
    assert len(names) == len(set(names)), "server-side apply refuses a name that is there twice"
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


@pytest.mark.parametrize(
    ("chart", "values"), [("open-webui", OPEN_WEBUI), ("tabby", TABBY), ("n8n", N8N)]
)
def test_what_keeps_a_database_in_a_file_runs_once_and_outlives_its_application(
    chart: str, values: ChartValues
) -> None:
    objects = render(chart, values)
    deployment = only(objects, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    claim = only(objects, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"argocd.argoproj.io/sync-options": "Delete=false"}
    (volume,) = [
        one for one in deployment["template"]["spec"]["volumes"] if "persistentVolumeClaim" in one
    ]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    # The image's user does not own a new volume.
    assert deployment["template"]["spec"]["securityContext"]["fsGroup"] > 0


@pytest.mark.parametrize(
    ("chart", "values"), [("open-webui", OPEN_WEBUI), ("tabby", TABBY), ("n8n", N8N)]
)
def test_storage_is_the_clusters_default_unless_a_class_is_given(
    chart: str, values: ChartValues
) -> None:
    bare = values.model_copy(update={"storage_class": None})
    claim = only(render(chart, bare), "PersistentVolumeClaim")["spec"]
    assert "storageClassName" not in claim
    given = values.model_copy(update={"storage_class": "premium-rwo"})
    claim = only(render(chart, given), "PersistentVolumeClaim")["spec"]
    assert claim["storageClassName"] == "premium-rwo"


def test_open_webui_has_its_own_login_unless_there_is_single_sign_on() -> None:
    alone, signed_in = (
        environment("open-webui", values) for values in (OPEN_WEBUI, OPEN_WEBUI_SIGNED_IN)
    )
    assert (alone["ENABLE_LOGIN_FORM"], alone["ENABLE_PASSWORD_AUTH"]) == ("true", "true")
    assert "OAUTH_CLIENT_ID" not in alone
    assert (signed_in["ENABLE_LOGIN_FORM"], signed_in["ENABLE_PASSWORD_AUTH"]) == ("false", "false")
    assert signed_in["OAUTH_CLIENT_ID"] == "open-webui"
    assert signed_in["OPENID_REDIRECT_URI"] == ("https://chat.llm.example.com/oauth/oidc/callback")


@pytest.mark.parametrize("values", [OPEN_WEBUI, OPEN_WEBUI_SIGNED_IN])
def test_nobody_signs_up_at_open_webui_and_no_visitor_is_the_first(values: ChartValues) -> None:
    given = environment("open-webui", values)
    assert given["ENABLE_SIGNUP"] == "false"
    assert given["WEBUI_ADMIN_EMAIL"] == "admin@llmp.internal"
    assert given["WEBUI_ADMIN_PASSWORD"]["secretKeyRef"]["key"] == "admin-password"
    assert given["WEBUI_SECRET_KEY"]["secretKeyRef"]["key"] == "session-key"


def test_open_webui_takes_its_settings_from_here_at_every_start() -> None:
    # Else the first start would write them into its database, and no change would ever count.
    assert environment("open-webui", OPEN_WEBUI)["ENABLE_PERSISTENT_CONFIG"] == "false"


def test_open_webui_downloads_nothing_and_tells_nobody() -> None:
    for values in (OPEN_WEBUI, OPEN_WEBUI_SIGNED_IN):
        given = environment("open-webui", values)
        assert given["OFFLINE_MODE"] == "true"
        # Any other engine loads a model of its own at the start.
        assert given["RAG_EMBEDDING_ENGINE"] == "openai"
        assert given["ENABLE_VERSION_UPDATE_CHECK"] == "false"
        assert given["ENABLE_PIP_INSTALL_FRONTMATTER_REQUIREMENTS"] == "false"


def test_documents_are_searched_by_a_model_with_a_key_of_its_own_or_not_at_all() -> None:
    without, documents = (
        environment("open-webui", values) for values in (OPEN_WEBUI, OPEN_WEBUI_SIGNED_IN)
    )
    assert without["BYPASS_EMBEDDING_AND_RETRIEVAL"] == "true"
    assert documents["BYPASS_EMBEDDING_AND_RETRIEVAL"] == "false"
    assert documents["RAG_EMBEDDING_MODEL"] == "embeddings"
    assert documents["RAG_OPENAI_API_KEY"] != documents["OPENAI_API_KEY"]


def test_open_webui_signs_in_over_addresses_that_a_pod_reaches() -> None:
    objects = render("open-webui", OPEN_WEBUI_SIGNED_IN)
    told = json.loads(only(objects, "ConfigMap")["data"]["openid-configuration.json"])
    assert told["issuer"] == "https://auth.llm.example.com"
    assert told["authorization_endpoint"] == "https://auth.llm.example.com/auth"
    for name in ("token_endpoint", "jwks_uri", "userinfo_endpoint"):
        assert told[name].startswith("http://dex.identity.svc.cluster.local:5556/")
    # It serves that document to itself, out of the folder of its static files.
    url = environment("open-webui", OPEN_WEBUI_SIGNED_IN)["OPENID_PROVIDER_URL"]
    (container,) = pod("open-webui", OPEN_WEBUI_SIGNED_IN)["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    static = environment("open-webui", OPEN_WEBUI_SIGNED_IN)["STATIC_DIR"]
    assert mounts["static"] == static
    path = url.removeprefix("http://127.0.0.1:8080/static/")
    assert mounts["sign-in"] == f"{static}/{path.rpartition('/')[0]}"
    assert path.rpartition("/")[2] in only(objects, "ConfigMap")["data"]


def test_administrators_are_groups_where_there_are_some() -> None:
    given = environment("open-webui", OPEN_WEBUI_SIGNED_IN)
    assert given["ENABLE_OAUTH_ROLE_MANAGEMENT"] == "true"
    assert given["OAUTH_ADMIN_ROLES"] == "your-org:platform,your-org:leads"
    assert "groups" in given["OAUTH_SCOPES"]
    assert OPEN_WEBUI_SIGNED_IN.sign_in is not None
    sign_in = OPEN_WEBUI_SIGNED_IN.sign_in.model_copy(update={"admin_groups": ()})
    without = OPEN_WEBUI_SIGNED_IN.model_copy(update={"sign_in": sign_in})
    # By groups that nobody has, the administrator would become a user at the next sign-in.
    assert "ENABLE_OAUTH_ROLE_MANAGEMENT" not in environment("open-webui", without)


def test_cookies_go_over_https_alone_where_the_page_is_public() -> None:
    public = environment("open-webui", OPEN_WEBUI_SIGNED_IN)
    assert public["WEBUI_SESSION_COOKIE_SECURE"] == "true"
    # Through a forwarded port there is no HTTPS.
    assert "WEBUI_SESSION_COOKIE_SECURE" not in environment("open-webui", OPEN_WEBUI)
    assert environment("n8n", N8N)["N8N_SECURE_COOKIE"] == "true"


def test_tabby_is_ready_only_when_it_has_an_administrator() -> None:
    spec = pod("tabby", TABBY)
    tabby, first_account = spec["containers"]
    assert first_account["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert first_account["livenessProbe"]["httpGet"]["path"] == "/alive"
    given = {one["name"]: one for one in first_account["env"]}
    assert given["ADMIN_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "admin-password"
    port = tabby["ports"][0]["containerPort"]
    assert given["TABBY_PORT"]["value"] == str(port)


def test_tabby_is_probed_by_its_port_because_every_path_asks_for_a_token() -> None:
    (tabby, _) = pod("tabby", TABBY)["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert tabby[probe]["tcpSocket"] == {"port": "http"}


def test_the_key_of_tabbys_models_is_in_no_config_and_on_no_disk() -> None:
    objects = render("tabby", TABBY_COMPLETING)
    settings = json.loads(only(objects, "ConfigMap")["data"]["settings.json"])["tables"]
    assert all("api_key" not in table for table in settings.values())
    spec = only(objects, "Deployment")["spec"]["template"]["spec"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["config"]["emptyDir"]["medium"] == "Memory"


def test_tabby_completes_only_where_a_model_can_and_embeds_always_elsewhere() -> None:
    def tables(values: ChartValues) -> dict[str, dict[str, str]]:
        data = only(render("tabby", values), "ConfigMap")["data"]
        return json.loads(data["settings.json"])["tables"]

    assert set(tables(TABBY)) == {"model.chat.http", "model.embedding.http"}
    completion = tables(TABBY_COMPLETING)["model.completion.http"]
    assert completion["kind"] == "vllm/completion"
    assert completion["prompt_template"] == "<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}"
    # Left out, Tabby downloads a model and looks for a GPU.
    assert tables(TABBY)["model.embedding.http"]["model_name"] == "embeddings"


def test_n8ns_owner_is_set_before_anybody_comes() -> None:
    given = environment("n8n", N8N)
    assert given["N8N_INSTANCE_OWNER_MANAGED_BY_ENV"] == "true"
    assert given["N8N_INSTANCE_OWNER_EMAIL"] == "admin@llm.example.com"
    assert given["N8N_INSTANCE_OWNER_PASSWORD_HASH"]["secretKeyRef"]["key"] == "owner-password-hash"


def test_nobody_sees_the_key_that_workflows_call_models_with() -> None:
    given = environment("n8n", N8N)
    filled_in = json.loads(given["CREDENTIALS_OVERWRITE_DATA"])
    assert filled_in["openAiApi"]["apiKey"] == "$(MODELS_API_KEY)"
    assert filled_in["openAiApi"]["url"] == N8N.models_url
    # A variable is put into those that come after it.
    names = list(given)
    assert names.index("MODELS_API_KEY") < names.index("CREDENTIALS_OVERWRITE_DATA")
    assert given["N8N_BLOCK_ENV_ACCESS_IN_NODE"] == "true"


def test_n8n_tells_nobody_and_runs_no_code_of_others() -> None:
    given = environment("n8n", N8N)
    for name in (
        "N8N_DIAGNOSTICS_ENABLED",
        "N8N_VERSION_NOTIFICATIONS_ENABLED",
        "N8N_TEMPLATES_ENABLED",
        "N8N_COMMUNITY_PACKAGES_ENABLED",
        "N8N_PYTHON_ENABLED",
    ):
        assert given[name] == "false"
    assert "n8n-nodes-base.executeCommand" in json.loads(given["NODES_EXCLUDE"])


def test_every_folder_that_n8n_writes_to_is_a_volume() -> None:
    (container,) = pod("n8n", N8N)["containers"]
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    given = environment("n8n", N8N)
    assert {f"{given['HOME']}/.n8n", f"{given['HOME']}/.cache", "/tmp"} <= mounts  # noqa: S108
    assert given["N8N_RESTRICT_FILE_ACCESS_TO"] in mounts


def test_the_portal_runs_the_files_of_its_chart() -> None:
    data = only(render("key-portal", KEY_PORTAL), "ConfigMap")["data"]
    folder = CHARTS / "key-portal/files"
    assert {name for name in data if name != "settings.json"} == {
        path.name for path in folder.iterdir() if path.is_file()
    }
    for path in folder.iterdir():
        if path.is_file():
            assert data[path.name] == path.read_text()


def test_the_portals_secrets_are_in_its_environment_alone() -> None:
    objects = render("key-portal", KEY_PORTAL)
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    given = {one["name"]: one for one in container["env"]}
    for name, key in (("LITELLM_MASTER_KEY", "litellm-master-key"), ("FORM_SECRET", "form-secret")):
        assert given[name]["valueFrom"]["secretKeyRef"] == {"name": "key-portal", "key": key}


def test_a_change_of_settings_or_files_starts_the_portal_anew() -> None:
    def checksum(values: ChartValues) -> str:
        template = only(render("key-portal", values), "Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/files"]

    other = KEY_PORTAL.model_copy(update={"public_url": "https://other.example.com"})
    assert checksum(KEY_PORTAL) != checksum(other)


def test_two_replicas_are_spread_and_one_is_not_kept_from_a_drain() -> None:
    assert of_kind(render("key-portal", KEY_PORTAL), "PodDisruptionBudget")
    one = KEY_PORTAL.model_copy(update={"replicas": 1})
    assert not of_kind(render("key-portal", one), "PodDisruptionBudget")
