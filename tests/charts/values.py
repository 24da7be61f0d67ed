"""Values that stand for what stacks emit: each chart small, and with everything on."""

from components.platform.values import compute_class, embeddings, kserve_models
from components.platform.values.base import Compute, SecretKey, SpanReceiver, Toleration
from components.platform.values.benchmark import BenchmarkValues
from components.platform.values.edge import (
    EdgeGateway,
    EdgeValues,
    HostRoute,
    ListenerValues,
    RateLimit,
    SignIn,
)
from components.platform.values.edge import GatewayReference as EdgeReference
from components.platform.values.egress import EgressValues, ExternalModel
from components.platform.values.gpu_smoke import GpuSmokeValues
from components.platform.values.guardrails import FilterValues, GuardrailsValues
from components.platform.values.inference_routing import (
    Backend,
    GatewayReference,
    GatewayValues,
    InferenceRoutingValues,
    ModelRoute,
    Objective,
)
from components.platform.values.issuers import Acme, InternalCa, IssuersValues
from components.platform.values.k3s_upgrades import K3sUpgradesValues
from components.platform.values.key_portal import KeyLimits, KeyPortalValues, PortalTenant
from components.platform.values.kueue_queues import FlavorValues, KueueQueuesValues, TenantQueue
from components.platform.values.llm_gateway import (
    S3,
    AnswersValues,
    Archive,
    Backup,
    DatabaseValues,
    LlmGatewayValues,
    Reader,
    Recovery,
    ServiceKey,
    Team,
    TenantsValues,
)
from components.platform.values.mcp_gateway import (
    Callers,
    ListedModel,
    McpGatewayValues,
    OtherServer,
    OwnServer,
    PricePerMillion,
)
from components.platform.values.n8n import N8nValues, Owner
from components.platform.values.network import (
    NetworkPolicyValues,
    NetworkValues,
    PeerValues,
    PortValues,
    RuleValues,
)
from components.platform.values.open_webui import (
    Administrator,
    Documents,
    OpenWebUiValues,
)
from components.platform.values.open_webui import SignIn as OpenWebUiSignIn
from components.platform.values.policies import PoliciesValues
from components.platform.values.secrets import (
    ConsumerSecret,
    Federation,
    GeneratedSecret,
    SecretEntry,
    SecretStoreReference,
    SecretStoreValues,
    SecretsValues,
)
from components.platform.values.simulator import SimulatorValues
from components.platform.values.tabby import Administrator as TabbyAdministrator
from components.platform.values.tabby import Completion, TabbyValues
from components.platform.values.tenant import FirstKey, TenantValues
from components.platform.values.vllm import (
    Adapter,
    Autoscaling,
    Engine,
    Gpu,
    HubFiles,
    Replicas,
    Sleep,
    Speculation,
    VllmValues,
    Weights,
)
from tests.charts.observability.samples import NOTHING_OBSERVED, OBSERVABILITY

DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry.example.com/library/image:v1@{DIGEST}"
REVISION = "b" * 40

ONE_REPLICA = VllmValues(
    model="qwen",
    served_name="qwen",
    image=IMAGE,
    weights=Weights(
        source="hub",
        reference="Qwen/Qwen2.5-7B-Instruct-AWQ",
        revision=REVISION,
        token=SecretKey(name="hub-token", key="token"),
    ),
    engine=Engine(max_model_len=1_048_576, gpu_memory_utilization=0.85),
    api_key=SecretKey(name="vllm-api-key", key="api-key"),
)

SCALED = VllmValues(
    model="coder",
    served_name="coder",
    image=IMAGE,
    weights=Weights(source="image", reference=f"registry.example.com/weights@{DIGEST}"),
    engine=Engine(
        max_model_len=16384,
        gpu_memory_utilization=0.9,
        quantization="awq_marlin",
        tool_call_parser="hermes",
        prefix_caching=False,
        kv_cache_dtype="fp8",
        max_num_seqs=64,
        speculation=Speculation(method="ngram", tokens=3),
        extra_args=("--reasoning-parser=qwen3",),
    ),
    api_key=SecretKey(name="vllm-api-key", key="api-key"),
    gpu=Gpu(
        count=2,
        node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
        tolerations=(Toleration(key="nvidia.com/gpu"),),
        runtime_class="nvidia",
    ),
    replicas=Replicas(min=1, max=4),
    autoscaling=Autoscaling(prometheus_url="http://prometheus.monitoring.svc:9090"),
)

ASLEEP = SCALED.model_copy(
    update={
        "replicas": Replicas(min=1, max=1),
        "autoscaling": Autoscaling(
            prometheus_url="http://prometheus.monitoring.svc:9090",
            polling_seconds=5,
            sleep=Sleep(idle_seconds=1800, route="serving/coder", pool="coder-pool", held=True),
        ),
    }
)
SEVERAL_NODES = ONE_REPLICA.model_copy(
    update={
        "engine": Engine(
            max_model_len=8192,
            gpu_memory_utilization=0.85,
            speculation=Speculation(
                method="eagle3",
                tokens=4,
                draft=HubFiles(repository="yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", revision=REVISION),
            ),
            adapters=(
                Adapter(name="qwen-sql", repository="your-org/sql", revision=REVISION),
                Adapter(name="qwen-legal", repository="your-org/legal", revision=REVISION),
            ),
            max_adapter_rank=32,
        ),
        "gpu": Gpu(count=8, nodes=2),
        "replicas": Replicas(min=1, max=3),
        "autoscaling": Autoscaling(prometheus_url="http://prometheus.monitoring.svc:9090"),
    }
)

SPANS = SpanReceiver(name="otel-collector", namespace="tracing")
GATEWAY = InferenceRoutingValues(gateway=GatewayValues(replicas=2))
TRACED_GATEWAY = InferenceRoutingValues(gateway=GatewayValues(spans=SPANS))
ROUTES = InferenceRoutingValues(
    routes=(
        ModelRoute(model="qwen", backends=(Backend(pool="qwen-pool"),)),
        ModelRoute(
            model="coder",
            adapters=("coder-sql",),
            backends=(
                Backend(pool="coder-pool", weight=90),
                Backend(pool="coder-canary-pool", weight=10),
            ),
            timeout_seconds=1200,
            retry_after_seconds=60,
        ),
    ),
    objectives=(Objective(name="interactive", pool="qwen-pool", priority=10),),
)

GENERATED = (
    GeneratedSecret(remote_id="litellm-master-key", prefix="sk-"),
    GeneratedSecret(remote_id="litellm-salt-key"),
)
CONSUMERS = (
    ConsumerSecret(
        name="litellm-pg-app",
        namespace="litellm",
        type="kubernetes.io/basic-auth",
        entries=(SecretEntry(key="password", remote_id="litellm-db-password"),),
        literals={"username": "litellm"},
    ),
    ConsumerSecret(
        name="vllm-api-key",
        namespace="serving",
        entries=(SecretEntry(key="api-key", remote_id="vllm-api-key"),),
        labels={"example.com/part": "serving"},
    ),
)
SECRETS_IN_CLUSTER = SecretsValues(
    store=SecretStoreValues(consumer_namespaces=("litellm", "serving")),
    generated=GENERATED,
    consumers=CONSUMERS,
)
SECRETS_AT_GOOGLE = SecretsValues(
    reference=SecretStoreReference(provider="google-secret-manager", prefix="lab-"),
    store=SecretStoreValues(
        provider="google-secret-manager",
        project="my-project",
        consumer_namespaces=("litellm", "serving"),
    ),
    generated=GENERATED,
    consumers=CONSUMERS,
)
SECRETS_BY_FEDERATION = SecretsValues(
    reference=SecretStoreReference(provider="google-secret-manager"),
    store=SecretStoreValues(
        provider="google-secret-manager",
        project="my-project",
        federation=Federation(
            audience="//iam.googleapis.com/projects/123456789012/locations/global/"
            "workloadIdentityPools/llmp-cluster/providers/kubernetes",
            service_account="external-secrets",
        ),
        consumer_namespaces=("litellm",),
    ),
)

DATABASE = LlmGatewayValues(database=DatabaseValues())
DATABASE_PROD = LlmGatewayValues(
    database=DatabaseValues(
        instances=3,
        image=IMAGE,
        storage_class="premium-rwo",
        compute=Compute(cpu=1, memory_mib=2048),
        reader=Reader(),
        backup=Backup(snapshot_class="snapshots", snapshot_driver="csi.example.com", image=IMAGE),
    )
)
ARCHIVE = Archive(
    bucket="my-project-llmp-backups",
    folder="litellm-pg-2",
    keep_days=14,
    service_account_annotations={
        "iam.gke.io/gcp-service-account": "llmp-database@my-project.iam.gserviceaccount.com"
    },
)
DATABASE_ARCHIVED = LlmGatewayValues(database=DatabaseValues(archive=ARCHIVE))
DATABASE_RESTORED = LlmGatewayValues(
    database=DatabaseValues(
        archive=ARCHIVE.model_copy(
            update={"recovery": Recovery(folder="litellm-pg", until="2026-12-20T08:30:00Z")}
        )
    )
)
ARCHIVE_S3 = Archive(
    bucket="acme-llmp-backups",
    folder="litellm-pg-2",
    keep_days=30,
    s3=S3(endpoint="nbg1.your-objectstorage.com"),
    recovery=Recovery(folder="litellm-pg"),
)
DATABASE_S3 = LlmGatewayValues(database=DatabaseValues(instances=3, archive=ARCHIVE_S3))
TEAMS = (
    Team(
        name="team-a",
        models=("qwen", "coder"),
        max_budget_usd=50,
        requests_per_minute=60,
        tokens_per_minute=100_000,
        key_secret="litellm-key",  # noqa: S106 - the name of a Secret
    ),
    Team(
        name="team-b",
        models=(),
        max_budget_usd=0.5,
        budget_duration="7d",
        requests_per_minute=10,
        tokens_per_minute=5_000_000,
    ),
)
TENANTS = LlmGatewayValues(
    tenants=TenantsValues(
        image=IMAGE,
        master_key=SecretKey(name="litellm-secrets", key="PROXY_MASTER_KEY"),
        teams=TEAMS,
        service_keys=(
            ServiceKey(
                alias="key-of-metrics",
                secret=SecretKey(name="metrics", key="api-key"),
                routes=("/metrics",),
            ),
        ),
        metrics_key=SecretKey(name="metrics", key="api-key"),
    )
)
ANSWERS = LlmGatewayValues(answers=AnswersValues())

FILTERS = GuardrailsValues(
    filters=(
        FilterValues(
            name="presidio-analyzer",
            image=IMAGE,
            part="analyzer",
            compute=Compute(cpu=0.25, memory_mib=1024),
            start_seconds=300,
        ),
        FilterValues(
            name="presidio-anonymizer",
            image=IMAGE,
            part="anonymizer",
            compute=Compute(cpu=0.05, memory_mib=128),
            start_seconds=60,
        ),
    ),
)
FILTERS_PROD = FILTERS.model_copy(update={"replicas": 2})

EXTERNAL = EgressValues(
    models=(
        ExternalModel(
            name="claude-haiku",
            provider="anthropic",
            model="claude-haiku-4-5",
            api_key_secret="claude-haiku-api-key",  # noqa: S106 - the name of a Secret
        ),
    )
)

QUEUES = KueueQueuesValues(
    flavor=FlavorValues(
        node_labels={"pool": "gpu"}, tolerations=(Toleration(key="nvidia.com/gpu"),)
    ),
    tenants=(
        TenantQueue.for_gpus("team-a", 2),
        TenantQueue(name="team-b", gpus=0, cpus=8, memory_gib=32, borrowing_gpus=0),
    ),
)

TENANT = TenantValues(
    name="team-a",
    first_key=FirstKey(
        secret="litellm-key",  # noqa: S106 - the name of a Secret
        service_account="litellm-tenants-teams",
        service_account_namespace="litellm",
    ),
)

NETWORK_CLOSED = NetworkValues()
NETWORK_OPEN = NetworkValues(
    policies=(
        NetworkPolicyValues(
            name="all-pods",
            ingress=tuple(
                RuleValues(peer=PeerValues(kind=kind), ports=(PortValues(port=9443),))
                for kind in ("api-server", "anyone")
            ),
        ),
        NetworkPolicyValues(
            name="server",
            pod_labels={"app": "server"},
            ingress=(
                RuleValues(
                    peer=PeerValues(kind="pods", namespace="clients", pod_labels={"app": "client"}),
                    ports=(PortValues(port=1, end_port=65535), PortValues(port=53, protocol="UDP")),
                ),
            ),
            egress=tuple(
                RuleValues(peer=PeerValues(kind=kind), ports=(PortValues(port=443),))
                for kind in ("internet", "nodes", "metadata-server", "api-server")
            ),
        ),
    )
)

POLICIES = PoliciesValues()
POLICIES_PROD = PoliciesValues(
    failure_policy="Fail",
    require_digest=True,
    gpu_toleration_keys=("nvidia.com/gpu",),
    public_namespaces=("edge",),
    registry_mirrors={
        "docker.io": "us-central1-docker.pkg.dev/my-project/llmp-docker-io",
        "ghcr.io": "us-central1-docker.pkg.dev/my-project/llmp-ghcr-io",
    },
)

EDGE_GATEWAY = EdgeValues(
    gateway=EdgeGateway(
        domain="llm.example.com",
        listeners=(
            ListenerValues(name="chat", hostname="chat.llm.example.com", namespace="experience"),
            ListenerValues(name="auth", hostname="auth.llm.example.com", namespace="identity"),
        ),
        issuer="acme",
        service_annotations={"example.com/load-balancer": "internal"},
        replicas=2,
    )
)
TRACED_EDGE = EdgeValues(
    gateway=EdgeGateway(
        domain="llm.example.com",
        listeners=(
            ListenerValues(name="api", hostname="api.llm.example.com", namespace="litellm"),
        ),
        issuer="acme",
        spans=SPANS,
    )
)
EDGE_SIGN_IN = SignIn(
    service="oauth2-proxy",
    namespace="identity",
    port=80,
    start_url="https://login.llm.example.com/oauth2/start",
)
EDGE_ROUTES = EdgeValues(
    sign_in=EDGE_SIGN_IN,
    routes=(
        HostRoute(
            name="chat",
            hostname="chat.llm.example.com",
            service="chat",
            port=8080,
            sign_in=True,
            open_paths=("/health",),
        ),
        HostRoute(
            name="api",
            hostname="api.llm.example.com",
            service="litellm",
            port=4000,
            paths=("/v1", "/chat"),
            limit=RateLimit(requests_per_second=20, burst=40),
        ),
        HostRoute(name="plain", hostname="plain.llm.example.com", service="plain", port=80),
    ),
    grants=("experience", "monitoring"),
)

ACME_AT_CLOUDFLARE = IssuersValues(
    acme=Acme(
        name="acme",
        server="https://acme.example.com/directory",
        email="platform@example.com",
        domain="llm.example.com",
        solver="cloudflare",
        token=SecretKey(name="cloudflare-api-token", key="api-token"),
    )
)
ACME_AT_GOOGLE = IssuersValues(
    acme=Acme(
        name="acme",
        server="https://acme.example.com/directory",
        domain="llm.example.com",
        solver="google",
        project="my-project",
        zone="example-com",
    )
)
ACME_BY_HTTP = IssuersValues(
    acme=Acme(
        name="acme",
        server="https://acme.example.com/directory",
        domain="llm.example.com",
        solver="http01",
        gateway=EdgeReference(),
    )
)
INTERNAL_CA = IssuersValues(
    internal_ca=InternalCa(name="internal-ca", common_name="llmp test", bundle="trusted")
)

BENCHMARK = BenchmarkValues(
    model="qwen",
    image=IMAGE,
    target="http://inference-gateway.inference.svc.cluster.local",
    api_key=SecretKey(name="vllm-api-key", key="api-key"),
)
COMPUTE_CLASS = compute_class.ComputeClassValues(
    name="gpus", priorities=(("l4-spot",), ("l4", "t4"))
)
GPU_SMOKE = GpuSmokeValues(
    driver_image=IMAGE,
    engine_image=IMAGE,
    node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
    tolerations=(Toleration(key="nvidia.com/gpu"),),
    runtime_class="nvidia",
)
EMBEDDINGS = embeddings.EmbeddingsValues(
    model="bge",
    image=IMAGE,
    staging_image=IMAGE,
    weights=embeddings.Weights(repository="BAAI/bge-base-en-v1.5", revision=REVISION),
    api_key=SecretKey(name="vllm-api-key", key="api-key"),
)
EMBEDDINGS_SCALED = EMBEDDINGS.model_copy(
    update={
        "weights": embeddings.Weights(
            repository="your-org/gated",
            revision=REVISION,
            token=SecretKey(name="bge-hub-token", key="token"),
        ),
        "autoscaling": embeddings.Autoscaling(
            prometheus_url="http://prometheus.monitoring.svc:9090", max_replicas=4
        ),
        "route": embeddings.Route(),
        "spans_url": "http://spans.tracing.svc:4317",
    }
)
SIMULATOR = SimulatorValues(model="pretend", image=IMAGE, replicas=2, max_model_len=1_048_576)
KSERVE = kserve_models.KserveModelsValues(
    model="qwen",
    image=IMAGE,
    weights=kserve_models.Weights(
        source="image", reference=f"registry.example.com/weights@{DIGEST}"
    ),
    arguments=("--max-model-len=8192",),
    api_key=SecretKey(name="vllm-api-key", key="api-key"),
)
KSERVE_SCALED = kserve_models.KserveModelsValues(
    model="coder",
    image=IMAGE,
    weights=kserve_models.Weights(
        source="hub",
        reference="Qwen/Qwen2.5-7B-Instruct-AWQ",
        revision=REVISION,
        token=SecretKey(name="coder-hub-token", key="token"),
    ),
    api_key=SecretKey(name="vllm-api-key", key="api-key"),
    gpu=kserve_models.Gpu(
        count=2,
        node_selector={"cloud.google.com/gke-accelerator": "nvidia-l4"},
        tolerations=(Toleration(key="nvidia.com/gpu"),),
        runtime_class="nvidia",
    ),
    host=kserve_models.Host(cpu=4, cpu_limit=8, memory_gib=24, shared_memory_gib=8),
    spans_url="http://spans.tracing.svc:4317",
    autoscaling=kserve_models.Autoscaling(
        prometheus_url="http://prometheus.monitoring.svc:9090", max_replicas=3
    ),
)
LLM_D = KSERVE_SCALED.model_copy(
    update={
        "autoscaling": None,
        "disaggregation": kserve_models.Disaggregation(prefill_replicas=2, pool="coder-pool"),
    }
)
LLM_D_IMAGE = LLM_D.model_copy(update={"weights": KSERVE.weights})

MODELS_URL = "http://litellm.litellm.svc.cluster.local:4000/v1"
OPEN_WEBUI = OpenWebUiValues(
    image=IMAGE,
    models_url=MODELS_URL,
    api_key=SecretKey(name="open-webui", key="api-key"),
    session_key=SecretKey(name="open-webui", key="session-key"),
    administrator=Administrator(
        email="admin@llmp.internal", password=SecretKey(name="open-webui", key="admin-password")
    ),
)
OPEN_WEBUI_SIGNED_IN = OPEN_WEBUI.model_copy(
    update={
        "default_model": "qwen",
        "documents": Documents(
            model="embeddings", api_key=SecretKey(name="open-webui", key="documents-api-key")
        ),
        "public_url": "https://chat.llm.example.com",
        "sign_in": OpenWebUiSignIn(
            issuer="https://auth.llm.example.com",
            authorization_url="https://auth.llm.example.com/auth",
            token_url="http://dex.identity.svc.cluster.local:5556/token",  # noqa: S106 - a URL
            keys_url="http://dex.identity.svc.cluster.local:5556/keys",
            userinfo_url="http://dex.identity.svc.cluster.local:5556/userinfo",
            client_id="open-webui",
            client_secret=SecretKey(name="open-webui", key="client-secret"),
            scopes="openid profile email groups",
            admin_groups=("your-org:platform", "your-org:leads"),
        ),
        "storage_class": "premium-rwo",
    }
)
TABBY = TabbyValues(
    image=IMAGE,
    script_image=IMAGE,
    models_url=MODELS_URL,
    api_key=SecretKey(name="tabby", key="api-key"),
    chat_model="qwen",
    embedding_model="embeddings",
    administrator=TabbyAdministrator(
        email="admin@llmp.internal", password=SecretKey(name="tabby", key="admin-password")
    ),
)
TABBY_COMPLETING = TABBY.model_copy(
    update={
        "completion": Completion(
            model="coder-base", template="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}"
        ),
        "storage_class": "premium-rwo",
    }
)
N8N = N8nValues(
    image=IMAGE,
    host="n8n.llm.example.com",
    models_url=MODELS_URL,
    api_key=SecretKey(name="n8n", key="api-key"),
    encryption_key=SecretKey(name="n8n", key="encryption-key"),
    owner=Owner(
        email="admin@llm.example.com",
        password_hash=SecretKey(name="n8n", key="owner-password-hash"),
    ),
    storage_class="premium-rwo",
)
KEY_PORTAL = KeyPortalValues(
    image=IMAGE,
    replicas=2,
    litellm_url="http://litellm.litellm.svc.cluster.local:4000",
    master_key=SecretKey(name="key-portal", key="litellm-master-key"),
    form_secret=SecretKey(name="key-portal", key="form-secret"),
    public_url="https://portal.llm.example.com",
    models_url="https://api.llm.example.com/v1",
    limits=KeyLimits(max_days=60, keys_per_user=3),
    tenants=(
        PortalTenant(
            name="team-a",
            models=("coder", "qwen"),
            members=("ann@example.com", "@research.example.com"),
            max_budget_usd=10,
        ),
        PortalTenant(
            name="team-b",
            models=("qwen",),
            members=("bob@research.example.com",),
            max_budget_usd=0.5,
        ),
    ),
)
MCP_GATEWAY = McpGatewayValues(
    gateway_reference=GatewayReference(name="mcp-gateway", namespace="mcp"),
    public_url="https://mcp.llm.example.com",
    callers=Callers(
        issuer="https://auth.llm.example.com",
        audience="mcp",
        keys_service="dex",
        keys_namespace="identity",
        keys_port=5556,
    ),
    own=OwnServer(
        image=IMAGE,
        replicas=2,
        models_url="https://api.llm.example.com/v1",
        models=(
            ListedModel(
                name="qwen",
                does="chat",
                max_tokens=8192,
                price=PricePerMillion(input=0.5, output=1.5),
            ),
            ListedModel(
                name="embeddings",
                does="embeddings",
                max_tokens=512,
                price=PricePerMillion(input=0.1, output=0),
            ),
        ),
    ),
    others=(
        OtherServer(name="docs", host="mcp.example.org", token_secret="docs-token"),  # noqa: S106
        OtherServer(name="open", host="tools.example.org", path="/v1/mcp"),
    ),
)

K3S_UPGRADES = K3sUpgradesValues(
    controller_image=IMAGE,
    upgrade_image="docker.io/rancher/k3s-upgrade",
    version="v1.33.12+k3s1",
)

ALL = {
    "k3s-upgrades": ("k3s-upgrades", K3S_UPGRADES),
    "open-webui": ("open-webui", OPEN_WEBUI),
    "open-webui-signed-in": ("open-webui", OPEN_WEBUI_SIGNED_IN),
    "tabby": ("tabby", TABBY),
    "tabby-completing": ("tabby", TABBY_COMPLETING),
    "n8n": ("n8n", N8N),
    "key-portal": ("key-portal", KEY_PORTAL),
    "mcp-gateway": ("mcp-gateway", MCP_GATEWAY),
    "benchmark": ("benchmark", BENCHMARK),
    "compute-class": ("compute-class", COMPUTE_CLASS),
    "gpu-smoke": ("gpu-smoke", GPU_SMOKE),
    "embeddings": ("embeddings", EMBEDDINGS),
    "embeddings-scaled": ("embeddings", EMBEDDINGS_SCALED),
    "simulator": ("simulator", SIMULATOR),
    "kserve-models-image": ("kserve-models", KSERVE),
    "kserve-models-scaled": ("kserve-models", KSERVE_SCALED),
    "kserve-models-llm-d": ("kserve-models", LLM_D),
    "kserve-models-llm-d-image": ("kserve-models", LLM_D_IMAGE),
    "observability": ("observability", OBSERVABILITY),
    "observability-empty": ("observability", NOTHING_OBSERVED),
    "edge-gateway": ("edge", EDGE_GATEWAY),
    "edge-gateway-traced": ("edge", TRACED_EDGE),
    "edge-routes": ("edge", EDGE_ROUTES),
    "issuers-cloudflare": ("issuers", ACME_AT_CLOUDFLARE),
    "issuers-google": ("issuers", ACME_AT_GOOGLE),
    "issuers-http": ("issuers", ACME_BY_HTTP),
    "issuers-internal-ca": ("issuers", INTERNAL_CA),
    "vllm-one-replica": ("vllm", ONE_REPLICA),
    "vllm-scaled": ("vllm", SCALED),
    "vllm-asleep": ("vllm", ASLEEP),
    "vllm-several-nodes": ("vllm", SEVERAL_NODES),
    "inference-routing-gateway": ("inference-routing", GATEWAY),
    "inference-routing-gateway-traced": ("inference-routing", TRACED_GATEWAY),
    "inference-routing-routes": ("inference-routing", ROUTES),
    "secrets-in-cluster": ("secrets", SECRETS_IN_CLUSTER),
    "secrets-at-google": ("secrets", SECRETS_AT_GOOGLE),
    "secrets-by-federation": ("secrets", SECRETS_BY_FEDERATION),
    "llm-gateway-database": ("llm-gateway", DATABASE),
    "llm-gateway-database-prod": ("llm-gateway", DATABASE_PROD),
    "llm-gateway-database-archived": ("llm-gateway", DATABASE_ARCHIVED),
    "llm-gateway-database-s3": ("llm-gateway", DATABASE_S3),
    "llm-gateway-database-restored": ("llm-gateway", DATABASE_RESTORED),
    "llm-gateway-tenants": ("llm-gateway", TENANTS),
    "llm-gateway-answers": ("llm-gateway", ANSWERS),
    "guardrails": ("guardrails", FILTERS),
    "guardrails-prod": ("guardrails", FILTERS_PROD),
    "egress": ("egress", EXTERNAL),
    "kueue-queues": ("kueue-queues", QUEUES),
    "tenant": ("tenant", TENANT),
    "policies": ("policies", POLICIES),
    "policies-prod": ("policies", POLICIES_PROD),
    "network-closed": ("network", NETWORK_CLOSED),
    "network-open": ("network", NETWORK_OPEN),
}
"""Chart and values of every case."""
