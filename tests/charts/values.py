"""Values that stand for what stacks emit: each chart small, and with everything on."""

from components.platform.values.base import Compute, SecretKey, Toleration
from components.platform.values.inference_routing import (
    Backend,
    GatewayValues,
    InferenceRoutingValues,
    ModelRoute,
    Objective,
)
from components.platform.values.kueue_queues import FlavorValues, KueueQueuesValues, TenantQueue
from components.platform.values.llm_gateway import (
    Backup,
    DatabaseValues,
    LlmGatewayValues,
    Team,
    TenantsValues,
)
from components.platform.values.network import (
    NetworkPolicyValues,
    NetworkValues,
    PeerValues,
    PortValues,
    RuleValues,
)
from components.platform.values.policies import PoliciesValues
from components.platform.values.secrets import (
    ConsumerSecret,
    GeneratedSecret,
    SecretEntry,
    SecretStoreReference,
    SecretStoreValues,
    SecretsValues,
)
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

GATEWAY = InferenceRoutingValues(gateway=GatewayValues(replicas=2))
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

DATABASE = LlmGatewayValues(database=DatabaseValues())
DATABASE_PROD = LlmGatewayValues(
    database=DatabaseValues(
        instances=3,
        image=IMAGE,
        storage_class="premium-rwo",
        compute=Compute(cpu=1, memory_mib=2048),
        backup=Backup(snapshot_class="snapshots", snapshot_driver="csi.example.com"),
    )
)
TEAMS = (
    Team(
        name="team-a",
        models=("qwen", "coder"),
        max_budget_usd=50,
        requests_per_minute=60,
        tokens_per_minute=100_000,
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
)

ALL = {
    "vllm-one-replica": ("vllm", ONE_REPLICA),
    "vllm-scaled": ("vllm", SCALED),
    "vllm-asleep": ("vllm", ASLEEP),
    "vllm-several-nodes": ("vllm", SEVERAL_NODES),
    "inference-routing-gateway": ("inference-routing", GATEWAY),
    "inference-routing-routes": ("inference-routing", ROUTES),
    "secrets-in-cluster": ("secrets", SECRETS_IN_CLUSTER),
    "secrets-at-google": ("secrets", SECRETS_AT_GOOGLE),
    "llm-gateway-database": ("llm-gateway", DATABASE),
    "llm-gateway-database-prod": ("llm-gateway", DATABASE_PROD),
    "llm-gateway-tenants": ("llm-gateway", TENANTS),
    "kueue-queues": ("kueue-queues", QUEUES),
    "policies": ("policies", POLICIES),
    "policies-prod": ("policies", POLICIES_PROD),
    "network-closed": ("network", NETWORK_CLOSED),
    "network-open": ("network", NETWORK_OPEN),
}
"""Chart and values of every case."""
