"""Builders of the experience layer: what people use, each with a key of LiteLLM of its own.

Whoever comes first administers Open WebUI, Tabby and n8n by their own defaults. Here each has its
first account before it is reachable, with a password that the cluster makes and keeps in the store.
"""

from typing import Final

from components import names
from components.platform import endpoints
from components.platform.apps import app_keys, namespaces, secrets, sign_in
from components.platform.apps.llm_gateway import API_HOST, LITELLM_PODS
from components.platform.apps.parts import calls_internet, entry, replicas, scraped
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import (
    CatalogueEntry,
    Host,
    OwnChart,
    PlatformInputs,
    SignInClient,
    includes_layer,
)
from components.platform.network import Connection, Pods
from components.platform.values import open_webui as open_webui_values
from components.platform.values import tabby as tabby_values
from components.platform.values.base import SecretKey
from components.platform.values.key_portal import KeyLimits, KeyPortalValues, PortalTenant
from components.platform.values.n8n import N8nValues, Owner
from components.platform.values.open_webui import Documents, OpenWebUiValues
from components.platform.values.secrets import ConsumerSecret, GeneratedSecret, SecretEntry
from components.platform.values.tabby import Completion, TabbyValues
from components.versions import N8N_IMAGE, OPEN_WEBUI_IMAGE, PYTHON_IMAGE, TABBY_IMAGE

OPEN_WEBUI_ENTRY: Final = "open-webui"
TABBY_ENTRY: Final = "tabby"
N8N_ENTRY: Final = "n8n"
KEY_PORTAL_ENTRY: Final = "key-portal"

CHAT_HOST: Final = "chat"
CODE_HOST: Final = "code"
N8N_HOST: Final = "n8n"
PORTAL_HOST: Final = "portal"

OPEN_WEBUI_PODS: Final = Pods(
    namespace=namespaces.EXPERIENCE, labels={"app.kubernetes.io/name": "open-webui"}
)
TABBY_PODS: Final = Pods(
    namespace=namespaces.EXPERIENCE, labels={"app.kubernetes.io/name": "tabby"}
)
N8N_PODS: Final = Pods(namespace=namespaces.N8N, labels={"app.kubernetes.io/name": "n8n"})
KEY_PORTAL_PODS: Final = Pods(
    namespace=namespaces.KEY_PORTAL, labels={"app.kubernetes.io/name": "key-portal"}
)

_OPEN_WEBUI_SESSIONS: Final = GeneratedSecret(remote_id="open-webui-session-key")
_OPEN_WEBUI_ADMIN: Final = GeneratedSecret(remote_id="open-webui-admin-password")
_TABBY_ADMIN: Final = GeneratedSecret(
    remote_id="tabby-admin-password",
    # Tabby takes 8 to 20 characters, a sign among them (its v0.31.0, schema/auth.rs).
    prefix="tabby-",
    length=14,
)
_N8N_ENCRYPTION_KEY: Final = GeneratedSecret(remote_id="n8n-encryption-key")
"""Encrypts what workflows sign in with: it can never change."""
_N8N_OWNER: Final = GeneratedSecret(remote_id="n8n-owner-password")
_FORM_SECRET: Final = GeneratedSecret(remote_id="key-portal-form-secret")

WEBHOOK_PATHS: Final = ("/webhook", "/webhook-waiting", "/form", "/form-waiting")
"""Where workflows in use are started and resumed (n8n 2.27, endpoints.config). A test's path,
which n8n opens while somebody edits, is not among them."""

_WEB_PORT: Final = 8080
_N8N_PORT: Final = 5678


def open_webui(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The page to chat with the models."""
    if not includes_layer(inputs, "experience"):
        return ()
    keys = {key.name: key for key in app_keys.app_keys(inputs)}
    documents = keys.get("open-webui-documents")
    chat = app_keys.chat_models(inputs)
    values = OpenWebUiValues(
        image=OPEN_WEBUI_IMAGE.reference,
        models_url=endpoints.LITELLM.url("/v1"),
        api_key=SecretKey(name=OPEN_WEBUI_ENTRY, key="api-key"),
        session_key=SecretKey(name=OPEN_WEBUI_ENTRY, key="session-key"),
        administrator=open_webui_values.Administrator(
            email=_administrator(inputs),
            password=SecretKey(name=OPEN_WEBUI_ENTRY, key="admin-password"),
        ),
        default_model=chat[0] if chat else "",
        documents=None
        if documents is None
        else Documents(
            model=documents.models[0],
            api_key=SecretKey(name=OPEN_WEBUI_ENTRY, key="documents-api-key"),
        ),
        public_url=sign_in.url(inputs, CHAT_HOST) if sign_in.has_edge(inputs) else None,
        sign_in=_open_webui_sign_in(inputs),
        storage_class=inputs.contract.storage_class,
    )
    entries = [
        SecretEntry(key="session-key", remote_id=_OPEN_WEBUI_SESSIONS.remote_id),
        SecretEntry(key="admin-password", remote_id=_OPEN_WEBUI_ADMIN.remote_id),
    ]
    if "open-webui" in keys:
        entries.append(SecretEntry(key="api-key", remote_id=app_keys.remote_id("open-webui")))
    if documents is not None:
        entries.append(
            SecretEntry(key="documents-api-key", remote_id=app_keys.remote_id(documents.name))
        )
    clients = _open_webui_clients(inputs)
    entries += [SecretEntry(key="client-secret", remote_id=one.secret_id) for one in clients]
    return (
        entry(
            OPEN_WEBUI_ENTRY,
            namespaces.EXPERIENCE,
            "experience",
            OwnChart(chart="open-webui", values=values.to_values()),
            description="The page to chat with the models",
            secrets=(
                ConsumerSecret(
                    name=OPEN_WEBUI_ENTRY,
                    namespace=namespaces.EXPERIENCE,
                    entries=tuple(entries),
                ),
            ),
            generates=(_OPEN_WEBUI_SESSIONS, _OPEN_WEBUI_ADMIN),
            connections=(
                _calls_models(OPEN_WEBUI_PODS),
                *((sign_in.calls_dex(OPEN_WEBUI_PODS),) if clients else ()),
            ),
            hosts=_hosts(inputs, CHAT_HOST, OPEN_WEBUI_ENTRY, OPEN_WEBUI_PODS, _WEB_PORT),
            sign_in_clients=clients,
        ),
    )


def tabby(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The coding assistant. Editors send tokens of its own, so that no session is asked for."""
    if not (includes_layer(inputs, "experience") and inputs.config.features.coding_assistant):
        return ()
    config = inputs.config.coding_assistant
    chat, vectors = app_keys.chat_models(inputs), app_keys.embedding_models(inputs)
    values = TabbyValues(
        image=TABBY_IMAGE.reference,
        script_image=PYTHON_IMAGE.reference,
        models_url=endpoints.LITELLM.url("/v1"),
        api_key=SecretKey(name=TABBY_ENTRY, key="api-key"),
        chat_model=config.chat_model or chat[0],
        embedding_model=config.embedding_model or vectors[0],
        completion=None
        if config.completion_model is None
        else Completion(model=config.completion_model, template=config.completion_template),
        administrator=tabby_values.Administrator(
            email=_administrator(inputs),
            password=SecretKey(name=TABBY_ENTRY, key="admin-password"),
        ),
        storage_class=inputs.contract.storage_class,
    )
    return (
        entry(
            TABBY_ENTRY,
            namespaces.EXPERIENCE,
            "experience",
            OwnChart(chart="tabby", values=values.to_values()),
            feature="coding_assistant",
            description="The coding assistant that editors ask",
            secrets=(
                ConsumerSecret(
                    name=TABBY_ENTRY,
                    namespace=namespaces.EXPERIENCE,
                    entries=(
                        SecretEntry(key="api-key", remote_id=app_keys.remote_id("tabby")),
                        SecretEntry(key="admin-password", remote_id=_TABBY_ADMIN.remote_id),
                    ),
                ),
            ),
            generates=(_TABBY_ADMIN,),
            connections=(_calls_models(TABBY_PODS),),
            hosts=_hosts(inputs, CODE_HOST, TABBY_ENTRY, TABBY_PODS, _WEB_PORT),
        ),
    )


def n8n(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Workflow automation, behind a session of the edge and a login of its own."""
    if not (
        includes_layer(inputs, "experience")
        and inputs.config.features.n8n
        and sign_in.has_sign_in(inputs)
    ):
        return ()
    config = inputs.config.n8n
    values = N8nValues(
        image=N8N_IMAGE.reference,
        host=f"{N8N_HOST}.{sign_in.domain(inputs)}",
        models_url=endpoints.LITELLM.url("/v1"),
        api_key=SecretKey(name=N8N_ENTRY, key="api-key"),
        encryption_key=SecretKey(name=N8N_ENTRY, key="encryption-key"),
        owner=Owner(
            email=_administrator(inputs),
            password_hash=SecretKey(name=N8N_ENTRY, key="owner-password-hash"),
        ),
        storage_class=inputs.contract.storage_class,
    )
    return (
        entry(
            N8N_ENTRY,
            namespaces.N8N,
            "experience",
            OwnChart(chart="n8n", values=values.to_values()),
            feature="n8n",
            description="Workflow automation",
            # The chart brings a ServiceMonitor.
            requires=(PROMETHEUS_CRDS_ENTRY,),
            secrets=(
                ConsumerSecret(
                    name=N8N_ENTRY,
                    namespace=namespaces.N8N,
                    entries=(
                        SecretEntry(key="api-key", remote_id=app_keys.remote_id("n8n")),
                        SecretEntry(key="encryption-key", remote_id=_N8N_ENCRYPTION_KEY.remote_id),
                        SecretEntry(
                            key="owner-password-hash",
                            remote_id=_N8N_OWNER.remote_id,
                            hashed="bcrypt",
                        ),
                    ),
                ),
            ),
            generates=(_N8N_ENCRYPTION_KEY, _N8N_OWNER),
            connections=(
                _calls_models(N8N_PODS),
                scraped(N8N_PODS, _N8N_PORT),
                *((calls_internet(N8N_PODS),) if config.internet else ()),
            ),
            hosts=(
                Host(
                    name=N8N_HOST,
                    service=N8N_ENTRY,
                    port=_N8N_PORT,
                    pods=N8N_PODS,
                    target_port=_N8N_PORT,
                    sign_in=True,
                    open_paths=WEBHOOK_PATHS if config.webhooks else (),
                ),
            ),
        ),
    )


def key_portal(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """The page where people make keys of their own, within the budget of their team.

    In a namespace of its own, because it holds LiteLLM's master key. Nothing but the edge reaches
    it: it believes what the edge says of who somebody is.
    """
    if not (
        includes_layer(inputs, "experience")
        and inputs.config.features.key_portal
        and sign_in.has_sign_in(inputs)
    ):
        return ()
    config = inputs.config.key_portal
    values = KeyPortalValues(
        image=PYTHON_IMAGE.reference,
        replicas=replicas(inputs),
        litellm_url=endpoints.LITELLM.url(),
        master_key=SecretKey(name=KEY_PORTAL_ENTRY, key="litellm-master-key"),
        form_secret=SecretKey(name=KEY_PORTAL_ENTRY, key="form-secret"),
        public_url=sign_in.url(inputs, PORTAL_HOST),
        models_url=sign_in.url(inputs, API_HOST, "/v1"),
        limits=KeyLimits(
            budget_duration=config.period,
            max_days=config.max_days,
            keys_per_user=config.keys_per_user,
        ),
        tenants=tuple(
            PortalTenant(
                name=tenant.name,
                models=tenant.models,
                members=tenant.members,
                max_budget_usd=min(config.max_budget_usd, tenant.budget.usd),
            )
            for tenant in inputs.tenants
            if tenant.members
        ),
    )
    return (
        entry(
            KEY_PORTAL_ENTRY,
            namespaces.KEY_PORTAL,
            "experience",
            OwnChart(chart="key-portal", values=values.to_values()),
            feature="key_portal",
            description="The page where people make and revoke keys of their own",
            secrets=(
                ConsumerSecret(
                    name=KEY_PORTAL_ENTRY,
                    namespace=namespaces.KEY_PORTAL,
                    entries=(
                        SecretEntry(
                            key="litellm-master-key", remote_id=secrets.MASTER_KEY.remote_id
                        ),
                        SecretEntry(key="form-secret", remote_id=_FORM_SECRET.remote_id),
                    ),
                ),
            ),
            generates=(_FORM_SECRET,),
            connections=(_calls_models(KEY_PORTAL_PODS),),
            hosts=(
                Host(
                    name=PORTAL_HOST,
                    service=KEY_PORTAL_ENTRY,
                    port=_WEB_PORT,
                    pods=KEY_PORTAL_PODS,
                    target_port=_WEB_PORT,
                    sign_in=True,
                ),
            ),
        ),
    )


def _calls_models(pods: Pods) -> Connection:
    return Connection(client=pods, server=LITELLM_PODS, ports=(endpoints.LITELLM.port,))


def _hosts(
    inputs: PlatformInputs, name: str, service: str, pods: Pods, port: int
) -> tuple[Host, ...]:
    """Return the host of a system that signs people in itself; none where there is no edge."""
    if not sign_in.has_edge(inputs):
        return ()
    return (Host(name=name, service=service, port=port, pods=pods, target_port=port),)


def _administrator(inputs: PlatformInputs) -> str:
    """Return the address of the first account: the identity provider's own user, where it can."""
    domain = inputs.contract.domain
    # A name that is reserved for what is no public one (RFC 6762, appendix G).
    return names.admin_email(domain or "llmp.internal", inputs.config.identity.admin_email)


def _open_webui_clients(inputs: PlatformInputs) -> tuple[SignInClient, ...]:
    if not sign_in.has_sign_in(inputs):
        return ()
    return (sign_in.client(OPEN_WEBUI_ENTRY, CHAT_HOST, "/oauth/oidc/callback"),)


def _open_webui_sign_in(inputs: PlatformInputs) -> open_webui_values.SignIn | None:
    if not sign_in.has_sign_in(inputs):
        return None
    return open_webui_values.SignIn(
        issuer=sign_in.issuer(inputs),
        authorization_url=sign_in.authorization_url(inputs),
        token_url=sign_in.token_url(),
        keys_url=sign_in.keys_url(),
        userinfo_url=sign_in.userinfo_url(),
        client_id=OPEN_WEBUI_ENTRY,
        client_secret=SecretKey(name=OPEN_WEBUI_ENTRY, key="client-secret"),
        scopes=sign_in.GROUP_SCOPES,
        admin_groups=inputs.config.identity.admin_groups,
    )
