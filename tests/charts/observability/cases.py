"""When each alert fires and when not: series as promtool writes them, one value a minute."""

from typing import Final

from tests.charts.observability import feature_cases, system_cases
from tests.charts.observability.case import Case

MODEL: Final = {"model_name": "qwen"}
VECTORS: Final = {"model_name": "vectors"}


def deployment(namespace: str, name: str, wanted: str, available: str) -> dict[str, str]:
    """Return what kube-state-metrics tells of a Deployment."""
    return system_cases.replicas("deployment", namespace, name, wanted, available)


def engine(wanted: str, available: str) -> dict[str, str]:
    """Return what kube-state-metrics tells of the engine of model qwen."""
    return {
        'kube_deployment_labels{namespace="serving", deployment="qwen-vllm", '
        'label_llmp_dev_model="qwen"}': "1x300",
        **deployment("serving", "qwen-vllm", wanted, available),
    }


def engine_on_nodes(wanted: str, leaders: str, workers: str = "1x300") -> dict[str, str]:
    """Return what kube-state-metrics tells of model qwen, each replica of which spans two nodes."""
    return {
        **system_cases.replicas("statefulset", "serving", "qwen-vllm-nodes", wanted, leaders),
        **system_cases.replicas("statefulset", "serving", "qwen-vllm-nodes-0", "1x300", workers),
    }


def embeddings(wanted: str, available: str, queue: str) -> dict[str, str]:
    """Return what is told of the engine of embedding model vectors."""
    labels = 'namespace="serving", deployment="vectors-embeddings", label_llmp_dev_model="vectors"'
    return {
        f"kube_deployment_labels{{{labels}}}": "1x300",
        **deployment("serving", "vectors-embeddings", wanted, available),
        'te_queue_size{llmp_dev_model="vectors", pod="vectors-1"}': queue,
    }


def embedding_requests(err: str, failed: str) -> dict[str, str]:
    """Return a request a second to embedding model vectors, of which some failed."""
    of = 'llmp_dev_model="vectors", pod="vectors-1"'
    return {
        f'te_request_count{{{of}, method="single"}}': "0+60x60",
        f'te_request_failure{{{of}, err="{err}"}}': failed,
    }


def scaler(kind: str, name: str, replicas: str) -> dict[str, str]:
    """Return what kube-state-metrics tells of a scaler that has as many replicas as it may."""
    of = f'namespace="serving", horizontalpodautoscaler="keda-hpa-{name}"'
    target = f'scaletargetref_kind="{kind}", scaletargetref_name="{name}"'
    return {
        f"kube_horizontalpodautoscaler_status_current_replicas{{{of}}}": replicas,
        f"kube_horizontalpodautoscaler_spec_max_replicas{{{of}}}": replicas,
        f"kube_horizontalpodautoscaler_info{{{of}, {target}}}": "1x300",
    }


def waiting(values: str) -> dict[str, str]:
    return {'vllm:num_requests_waiting{model_name="qwen", pod="qwen-1"}': values}


def objective(slo: str, target: str = "0.95", bucket: str | None = None) -> dict[str, str]:
    """Return the series that the objectives of a model become."""
    found = {f'llmp:slo_target:ratio{{model_name="qwen", slo="{slo}"}}': f"{target}x5000"}
    if bucket is not None:
        of = f'model_name="qwen", slo="{slo}"'
        found[f'llmp:slo_threshold:bucket{{{of}, le="{bucket}"}}'] = "1x5000"
        found[f"llmp:slo_threshold:seconds{{{of}}}"] = f"{bucket}x5000"
    return found


def histogram(metric: str, bucket: str, good: str, all_of_them: str) -> dict[str, str]:
    """Return a histogram of which only one bucket and the count matter."""
    of = 'model_name="qwen", pod="qwen-1"'
    return {
        f'{metric}_bucket{{{of}, le="{bucket}"}}': good,
        f'{metric}_bucket{{{of}, le="+Inf"}}': all_of_them,
        f"{metric}_count{{{of}}}": all_of_them,
    }


TTFT: Final = "vllm:time_to_first_token_seconds"
ITL: Final = "vllm:inter_token_latency_seconds"
E2E: Final = "vllm:e2e_request_latency_seconds"


def gateway_requests(route: str, status: str, values: str) -> dict[str, str]:
    name = f'gateway="inference/inference-gateway", route="{route}", status="{status}"'
    return {f"agentgateway_requests_total{{{name}}}": values}


def dcgm(metric: str, values: str, gpu: str = "0") -> dict[str, str]:
    of = f'node="node-1", gpu="{gpu}", modelName="NVIDIA L4"'
    return {f"{metric}{{{of}}}": values}


GPU: Final = {"node": "node-1", "gpu": "0"}
GATEWAY: Final = {"gateway": "inference/inference-gateway"}
SERVING: Final = (
    Case(
        alert="ModelDown",
        because="the only replica is gone",
        series=engine("1x120", "1x60 0x60"),
        at="70m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelDown",
        because="a model that was stopped should not run",
        series=engine("1x60 0x60", "1x60 0x60"),
        at="70m",
    ),
    Case(
        alert="ModelDown",
        because="a model that never ran is still starting",
        series=engine("1x120", "0x120"),
        at="70m",
    ),
    Case(
        alert="ModelDoesNotStart",
        because="no replica came in 50 minutes",
        series=engine("1x120", "0x120"),
        at="50m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelDoesNotStart",
        because="a cold start takes half an hour",
        series=engine("1x120", "0x30 1x60"),
        at="50m",
    ),
    Case(
        alert="ModelDoesNotStart",
        because="a model asleep wants no replica",
        series=engine("0x120", "0x120"),
        at="100m",
    ),
    Case(
        alert="ModelReplicasMissing",
        because="one of three never comes",
        series=engine("3x120", "2x120"),
        at="50m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelReplicasMissing",
        because="the third comes after half an hour",
        series=engine("3x120", "2x30 3x90"),
        at="50m",
    ),
    Case(
        alert="ModelRestarts",
        because="the engine restarted three times",
        series={
            'kube_pod_container_status_restarts_total{namespace="serving", pod="qwen-1", '
            'container="engine"}': "0x30 1x10 2x10 3x60",
            'kube_pod_labels{namespace="serving", pod="qwen-1", label_llmp_dev_model="qwen"}': (
                "1x120"
            ),
        },
        at="59m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelRestarts",
        because="one restart is no pattern",
        series={
            'kube_pod_container_status_restarts_total{namespace="serving", pod="qwen-1", '
            'container="engine"}': "0x30 1x90",
            'kube_pod_labels{namespace="serving", pod="qwen-1", label_llmp_dev_model="qwen"}': (
                "1x120"
            ),
        },
        at="59m",
    ),
    Case(
        alert="ModelMetricsMissing",
        because="a replica is ready and tells nothing",
        series={**engine("1x60", "1x60"), **objective("ttft", bucket="2.5")},
        at="20m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelMetricsMissing",
        because="its metrics are read",
        series={**engine("1x60", "1x60"), **objective("ttft", bucket="2.5"), **waiting("0x60")},
        at="20m",
    ),
    Case(
        alert="ModelMetricsMissing",
        because="an engine without objectives has other metrics",
        series=engine("1x60", "1x60"),
        at="20m",
    ),
    Case(
        alert="ModelKvCacheFull",
        because="the replicas use 90 % between them",
        series={
            'vllm:kv_cache_usage_perc{model_name="qwen", pod="a"}': "0.95x60",
            'vllm:kv_cache_usage_perc{model_name="qwen", pod="b"}': "0.85x60",
        },
        at="20m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelKvCacheFull",
        because="85 % is where it begins",
        series={'vllm:kv_cache_usage_perc{model_name="qwen", pod="a"}': "0.85x60"},
        at="20m",
    ),
    Case(
        alert="ModelQueueDoesNotDrain",
        because="requests waited at any moment",
        series=waiting("3x60"),
        at="30m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelQueueDoesNotDrain",
        because="the queue was empty for a moment",
        series=waiting("8x20 0 8x40"),
        at="30m",
    ),
    Case(
        alert="ModelAtMaxReplicas",
        because="all replicas are there and requests wait",
        series={
            **engine("2x60", "2x60"),
            **waiting("4x60"),
            **scaler("Deployment", "qwen-vllm", "2x60"),
        },
        at="20m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelAtMaxReplicas",
        because="nothing waits",
        series={
            **engine("2x60", "2x60"),
            **waiting("0x60"),
            **scaler("Deployment", "qwen-vllm", "2x60"),
        },
        at="20m",
    ),
    Case(
        alert="ModelDown",
        because="the leader of its only replica on two nodes is gone, and a worker is left",
        series=engine_on_nodes("1x120", "1x60 0x60"),
        at="70m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelDown",
        because="a replica on two nodes answers as soon as its leader does",
        series=engine_on_nodes("1x120", "1x120", workers="0x120"),
        at="70m",
    ),
    Case(
        alert="ModelDown",
        because="a model on two nodes was stopped",
        series=engine_on_nodes("1x60 0x60", "1x60 0x60"),
        at="70m",
    ),
    Case(
        alert="ModelDoesNotStart",
        because="no leader came in 50 minutes",
        series=engine_on_nodes("1x120", "0x120"),
        at="50m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelDoesNotStart",
        because="its leader came after half an hour",
        series=engine_on_nodes("1x120", "0x30 1x60"),
        at="50m",
    ),
    Case(
        alert="ModelReplicasMissing",
        because="one of two groups of nodes never comes",
        series=engine_on_nodes("2x120", "1x120"),
        at="50m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelAtMaxReplicas",
        because="all groups of nodes are there and requests wait",
        series={
            **engine_on_nodes("2x60", "2x60"),
            **waiting("4x60"),
            **scaler("LeaderWorkerSet", "qwen-vllm-nodes", "2x60"),
        },
        at="20m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelDown",
        because="the only replica of an embedding model is gone",
        series=embeddings("1x120", "1x60 0x60", "0x120"),
        at="70m",
        fires=(VECTORS,),
    ),
    Case(
        alert="ModelQueueDoesNotDrain",
        because="texts waited at any moment",
        series=embeddings("1x60", "1x60", "3x60"),
        at="30m",
        fires=(VECTORS,),
    ),
    Case(
        alert="ModelQueueDoesNotDrain",
        because="no text waited for a moment",
        series=embeddings("1x60", "1x60", "3x20 0 3x40"),
        at="30m",
    ),
    Case(
        alert="ModelAtMaxReplicas",
        because="all replicas of an embedding model are there and texts wait",
        series={
            **embeddings("2x60", "2x60", "4x60"),
            **scaler("Deployment", "vectors-embeddings", "2x60"),
        },
        at="20m",
        fires=(VECTORS,),
    ),
    Case(
        alert="ModelAtMaxReplicas",
        because="an embedding model keeps up with all of its replicas",
        series={
            **embeddings("2x60", "2x60", "0x60"),
            **scaler("Deployment", "vectors-embeddings", "2x60"),
        },
        at="20m",
    ),
    Case(
        alert="EmbeddingsFail",
        because="a tenth of the requests find the engine overloaded",
        series=embedding_requests("overloaded", "0+6x60"),
        at="30m",
        fires=({**VECTORS, "llmp_dev_model": "vectors"},),
    ),
    Case(
        alert="EmbeddingsFail",
        because="texts that are too long are the callers' fault",
        series=embedding_requests("validation", "0+30x60"),
        at="30m",
    ),
    Case(
        alert="ModelPreemptsRequests",
        because="12 requests a minute are computed again",
        series={'vllm:num_preemptions_total{model_name="qwen", pod="a"}': "0+12x60"},
        at="40m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelPreemptsRequests",
        because="one in ten minutes is nothing",
        series={'vllm:num_preemptions_total{model_name="qwen", pod="a"}': "0+0.1x60"},
        at="40m",
    ),
    Case(
        alert="ModelEngineErrors",
        because="one of ten requests ends with an error",
        series={
            'vllm:request_success_total{model_name="qwen", finished_reason="error"}': "0+6x60",
            'vllm:request_success_total{model_name="qwen", finished_reason="stop"}': "0+54x60",
        },
        at="30m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelEngineErrors",
        because="callers that hang up are no errors",
        series={
            'vllm:request_success_total{model_name="qwen", finished_reason="error"}': "0x60",
            'vllm:request_success_total{model_name="qwen", finished_reason="abort"}': "0+30x60",
            'vllm:request_success_total{model_name="qwen", finished_reason="stop"}': "0+30x60",
        },
        at="30m",
    ),
)

SLOS: Final = (
    *(
        Case(
            alert="SloErrorBudgetBurnsFast",
            because=f"all of {slo} is bad for an hour",
            series={
                **objective(slo, bucket=bucket),
                **histogram(metric, bucket, "0+60x60 3600x90", "0+60x200"),
            },
            at="130m",
            fires=({**MODEL, "slo": slo},),
        )
        for slo, metric, bucket in (
            ("ttft", TTFT, "2.5"),
            ("inter_token", ITL, "0.1"),
            ("end_to_end", E2E, "60.0"),
        )
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="95 % is what was promised",
        series={
            **objective("ttft", bucket="2.5"),
            **histogram(TTFT, "2.5", "0+57x200", "0+60x200"),
        },
        at="130m",
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="it was bad, and is good again",
        series={
            **objective("ttft", bucket="2.5"),
            **histogram(TTFT, "2.5", "0x80 0+60x60", "0+60x200"),
        },
        at="110m",
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="a single slow request in an hour says nothing",
        series={
            **objective("ttft", bucket="2.5"),
            **histogram(TTFT, "2.5", "0x200", "0x60 1x140"),
        },
        at="100m",
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="each replica has twice the queue that it may have, all the time",
        series={
            **objective("saturation"),
            'llmp:slo_threshold:waiting_requests{model_name="qwen"}': "5x200",
            **waiting("10x200"),
        },
        at="90m",
        fires=({**MODEL, "slo": "saturation"},),
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="a queue of five for each replica is allowed",
        series={
            **objective("saturation"),
            'llmp:slo_threshold:waiting_requests{model_name="qwen"}': "5x200",
            **waiting("5x200"),
        },
        at="90m",
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="half of the answers are errors",
        series={
            **objective("availability", target="0.99"),
            **gateway_requests("serving/qwen", "200", "0+30x200"),
            **gateway_requests("serving/qwen", "503", "0+30x200"),
        },
        at="90m",
        fires=({**MODEL, "slo": "availability"},),
    ),
    Case(
        alert="SloErrorBudgetBurnsFast",
        because="what callers did wrong is not the model's fault",
        series={
            **objective("availability", target="0.99"),
            **gateway_requests("serving/qwen", "200", "0+30x200"),
            **gateway_requests("serving/qwen", "429", "0+30x200"),
        },
        at="90m",
    ),
    Case(
        alert="SloErrorBudgetBurnsSlowly",
        because="a fifth is slow for a day",
        series={
            **objective("ttft", bucket="2.5"),
            **histogram(TTFT, "2.5", "0+48x2000", "0+60x2000"),
        },
        at="26h",
        fires=({**MODEL, "slo": "ttft"},),
    ),
    Case(
        alert="SloErrorBudgetBurnsSlowly",
        because="4 % is within the budget",
        series={
            **objective("ttft", bucket="2.5"),
            **histogram(TTFT, "2.5", "0+57.6x2000", "0+60x2000"),
        },
        at="26h",
    ),
    Case(
        alert="ModelAsleepWhileCalled",
        because="callers get 503 and no replica comes",
        series={
            **engine("0x120", "0x120"),
            **gateway_requests("serving/qwen", "503", "0+5x120"),
        },
        at="60m",
        fires=(MODEL,),
    ),
    Case(
        alert="ModelAsleepWhileCalled",
        because="it woke up within half an hour",
        series={
            **engine("1x120", "0x25 1x100"),
            **gateway_requests("serving/qwen", "503", "0+5x120"),
        },
        at="40m",
    ),
)

ROUTING: Final = (
    Case(
        alert="GatewayErrors",
        because="a tenth of the answers are errors",
        series={
            **gateway_requests("serving/qwen", "200", "0+54x60"),
            **gateway_requests("serving/qwen", "500", "0+6x60"),
        },
        at="20m",
        fires=(GATEWAY,),
    ),
    Case(
        alert="GatewayErrors",
        because="one of a hundred is not many",
        series={
            **gateway_requests("serving/qwen", "200", "0+99x60"),
            **gateway_requests("serving/qwen", "500", "0+1x60"),
        },
        at="20m",
    ),
    Case(
        alert="GatewayErrors",
        because="the only request of an hour failed",
        series=gateway_requests("serving/qwen", "500", "0x10 1x60"),
        at="25m",
    ),
    Case(
        alert="GatewayDown",
        because="no proxy is ready",
        series=deployment("inference", "inference-gateway", "2x30", "0x30"),
        at="10m",
        fires=({"namespace": "inference", "deployment": "inference-gateway"},),
    ),
    Case(
        alert="GatewayDown",
        because="one of two proxies is ready",
        series=deployment("inference", "inference-gateway", "2x30", "1x30"),
        at="10m",
    ),
    Case(
        alert="GatewayConnectsSlowly",
        because="connections take seconds",
        series={
            'agentgateway_upstream_connect_duration_seconds_bucket{pod="a", le="0.5"}': "0x60",
            'agentgateway_upstream_connect_duration_seconds_bucket{pod="a", le="4.0"}': "0+60x60",
            'agentgateway_upstream_connect_duration_seconds_bucket{pod="a", le="+Inf"}': "0+60x60",
        },
        at="40m",
        fires=({"pod": "a"},),
    ),
    Case(
        alert="GatewayConnectsSlowly",
        because="connections take milliseconds",
        series={
            'agentgateway_upstream_connect_duration_seconds_bucket{pod="a", le="0.5"}': "0+60x60",
            'agentgateway_upstream_connect_duration_seconds_bucket{pod="a", le="4.0"}': "0+60x60",
            'agentgateway_upstream_connect_duration_seconds_bucket{pod="a", le="+Inf"}': "0+60x60",
        },
        at="40m",
    ),
    Case(
        alert="EndpointPickerDown",
        because="the picker is not ready",
        series=deployment("serving", "qwen-pool-epp", "1x30", "0x30"),
        at="15m",
        fires=({"namespace": "serving", "deployment": "qwen-pool-epp"},),
    ),
    Case(
        alert="EndpointPickerDown",
        because="an engine that is not ready is no picker",
        series=deployment("serving", "qwen-vllm", "1x30", "0x30"),
        at="15m",
    ),
    Case(
        alert="EndpointPickerSeesNoReplica",
        because="a replica is ready and the pool is empty",
        series={**engine("1x30", "1x30"), 'inference_pool_ready_pods{name="qwen-pool"}': "0x30"},
        at="15m",
        fires=(MODEL,),
    ),
    Case(
        alert="EndpointPickerSeesNoReplica",
        because="a model that was stopped has none",
        series={**engine("0x30", "0x30"), 'inference_pool_ready_pods{name="qwen-pool"}': "0x30"},
        at="15m",
    ),
    Case(
        alert="EndpointPickerErrors",
        because="a tenth of the requests is turned away",
        series={
            'inference_objective_request_error_total{model_name="qwen", error_code="x"}': "0+6x60",
            'inference_objective_request_total{model_name="qwen", priority="0"}': "0+60x60",
        },
        at="30m",
        fires=(MODEL,),
    ),
    Case(
        alert="EndpointPickerErrors",
        because="none is turned away",
        series={
            'inference_objective_request_error_total{model_name="qwen", error_code="x"}': "0x60",
            'inference_objective_request_total{model_name="qwen", priority="0"}': "0+60x60",
        },
        at="30m",
    ),
)


def budget(left: str, hours: str = "48x500") -> dict[str, str]:
    """Return what LiteLLM tells of the budget of team-a, which is 100 USD."""
    return {
        'litellm_remaining_team_budget_metric{team="team-a", pod="a"}': left,
        'litellm_team_max_budget_metric{team="team-a", pod="a"}': "100x500",
        'litellm_team_budget_remaining_hours_metric{team="team-a", pod="a"}': hours,
    }


TEAM: Final = {"team": "team-a"}
LLM_GATEWAY: Final = (
    Case(
        alert="LiteLlmDown",
        because="no replica is ready",
        series=deployment("litellm", "litellm", "1x30", "0x30"),
        at="10m",
        fires=({"namespace": "litellm", "deployment": "litellm"},),
    ),
    Case(
        alert="LiteLlmDown",
        because="one of two is ready",
        series=deployment("litellm", "litellm", "2x30", "1x30"),
        at="10m",
    ),
    Case(
        alert="LiteLlmErrors",
        because="a fifth of the requests fails",
        series={
            'litellm_proxy_failed_requests_metric_total{requested_model="qwen", '
            'exception_status="500"}': "0+12x60",
            'litellm_proxy_total_requests_metric_total{requested_model="qwen"}': "0+60x60",
        },
        at="30m",
        fires=({"requested_model": "qwen"},),
    ),
    Case(
        alert="LiteLlmErrors",
        because="limits are no failures",
        series={
            'litellm_proxy_failed_requests_metric_total{requested_model="qwen", '
            'exception_status="429"}': "0+30x60",
            'litellm_proxy_total_requests_metric_total{requested_model="qwen"}': "0+60x60",
        },
        at="30m",
    ),
    Case(
        alert="TeamBudgetNearlySpent",
        because="5 % are left",
        series=budget("5x60"),
        at="10m",
        fires=(TEAM,),
    ),
    Case(
        alert="TeamBudgetNearlySpent",
        because="half is left",
        series=budget("50x60"),
        at="10m",
    ),
    Case(
        alert="TeamOverBudget",
        because="more than all is spent",
        series=budget("-1x60"),
        at="10m",
        fires=(TEAM,),
    ),
    Case(alert="TeamOverBudget", because="a dollar is left", series=budget("1x60"), at="10m"),
    Case(
        alert="TeamBudgetBurnsTooFast",
        because="3 USD an hour for two days are more than the 50 that are left",
        series={
            **budget("50x500"),
            'litellm_spend_metric_total{team="team-a", model="qwen", pod="a"}': "0+0.05x500",
        },
        at="8h",
        fires=(TEAM,),
    ),
    Case(
        alert="TeamBudgetBurnsTooFast",
        because="0.3 USD an hour for two days are not",
        series={
            **budget("50x500"),
            'litellm_spend_metric_total{team="team-a", model="qwen", pod="a"}': "0+0.005x500",
        },
        at="8h",
    ),
)

POSTGRES: Final = 'namespace="litellm", pod="litellm-pg-1"'
DATABASE: Final = (
    Case(
        alert="DatabaseDown",
        because="no instance is ready",
        series={
            f'kube_pod_container_status_ready{{{POSTGRES}, container="postgres"}}': "1x10 0x50"
        },
        at="25m",
        fires=({"namespace": "litellm"},),
    ),
    Case(
        alert="DatabaseDown",
        because="there is no instance at all",
        series={"up": "1x60"},
        at="25m",
        fires=({"namespace": "litellm", "container": "postgres"},),
    ),
    Case(
        alert="DatabaseDown",
        because="an instance is ready",
        series={
            f'kube_pod_container_status_ready{{{POSTGRES}, container="postgres"}}': "1x60",
            'kube_pod_container_status_ready{namespace="litellm", pod="litellm-pg-2", '
            'container="postgres"}': "0x60",
        },
        at="25m",
    ),
    Case(
        alert="DatabaseReplicationLag",
        because="a standby is two minutes behind",
        series={f"cnpg_pg_replication_lag{{{POSTGRES}}}": "120x30"},
        at="10m",
        fires=({"namespace": "litellm", "pod": "litellm-pg-1"},),
    ),
    Case(
        alert="DatabaseReplicationLag",
        because="two seconds are nothing",
        series={f"cnpg_pg_replication_lag{{{POSTGRES}}}": "2x30"},
        at="10m",
    ),
    Case(
        alert="DatabaseStandbyNotStreaming",
        because="a standby has no connection to its primary",
        series={
            f"cnpg_pg_replication_is_wal_receiver_up{{{POSTGRES}}}": "0x30",
            f"cnpg_pg_replication_in_recovery{{{POSTGRES}}}": "1x30",
        },
        at="15m",
        fires=({"namespace": "litellm", "pod": "litellm-pg-1"},),
    ),
    Case(
        alert="DatabaseStandbyNotStreaming",
        because="a primary receives from nobody",
        series={
            f"cnpg_pg_replication_is_wal_receiver_up{{{POSTGRES}}}": "0x30",
            f"cnpg_pg_replication_in_recovery{{{POSTGRES}}}": "0x30",
        },
        at="15m",
    ),
    *(
        Case(
            alert="DatabaseDiskFilling",
            because=because,
            series={
                'kubelet_volume_stats_available_bytes{namespace="litellm", '
                'persistentvolumeclaim="litellm-pg-1"}': free,
                'kubelet_volume_stats_capacity_bytes{namespace="litellm", '
                'persistentvolumeclaim="litellm-pg-1"}': "10x60",
            },
            at="20m",
            fires=fires,
        )
        for because, free, fires in (
            (
                "a tenth is free",
                "1x60",
                ({"namespace": "litellm", "persistentvolumeclaim": "litellm-pg-1"},),
            ),
            ("a third is free", "3x60", ()),
        )
    ),
    *(
        Case(
            alert="DatabaseConnectionsExhausted",
            because=because,
            series={
                f'cnpg_backends_total{{{POSTGRES}, state="idle"}}': idle,
                f'cnpg_backends_total{{{POSTGRES}, state="active"}}': "20x60",
                f'cnpg_pg_settings_setting{{{POSTGRES}, name="max_connections"}}': "100x60",
            },
            at="20m",
            fires=fires,
        )
        for because, idle, fires in (
            ("95 of 100 are taken", "75x60", ({"namespace": "litellm", "pod": "litellm-pg-1"},)),
            ("40 of 100 are taken", "20x60", ()),
        )
    ),
    Case(
        alert="DatabaseBackupTooOld",
        because="the last one is of 28 hours ago",
        series={f"cnpg_collector_last_available_backup_timestamp{{{POSTGRES}}}": "60x1800"},
        at="28h",
        fires=({"namespace": "litellm"},),
    ),
    Case(
        alert="DatabaseBackupTooOld",
        because="the last one is of 20 hours ago",
        series={f"cnpg_collector_last_available_backup_timestamp{{{POSTGRES}}}": "60x1800"},
        at="20h",
    ),
    Case(
        alert="DatabaseBackupMissing",
        because="there was none in more than a day",
        series={f"cnpg_collector_last_available_backup_timestamp{{{POSTGRES}}}": "0x1800"},
        at="27h",
        fires=({"namespace": "litellm"},),
    ),
    Case(
        alert="DatabaseBackupMissing",
        because="the first one is there",
        series={f"cnpg_collector_last_available_backup_timestamp{{{POSTGRES}}}": "0x600 9x1200"},
        at="27h",
    ),
    *(
        Case(
            alert="DatabaseBackupFailed",
            because=because,
            series={
                f"cnpg_collector_last_failed_backup_timestamp{{{POSTGRES}}}": failed,
                f"cnpg_collector_last_available_backup_timestamp{{{POSTGRES}}}": "1000x60",
            },
            at="10m",
            fires=fires,
        )
        for because, failed, fires in (
            ("one failed after the last good one", "2000x60", ({"namespace": "litellm"},)),
            ("one failed before the last good one", "500x60", ()),
        )
    ),
    *(
        Case(
            alert="DatabaseArchivingFails",
            because=because,
            series={
                f"cnpg_pg_stat_archiver_last_failed_time{{{POSTGRES}}}": failed,
                f"cnpg_pg_stat_archiver_last_archived_time{{{POSTGRES}}}": archived,
            },
            at="20m",
            fires=fires,
        )
        for because, failed, archived, fires in (
            (
                "nothing was ever archived",
                "60+60x60",
                "-1x60",
                ({"namespace": "litellm", "pod": "litellm-pg-1"},),
            ),
            (
                "nothing was archived any more",
                "60+60x60",
                "30x60",
                ({"namespace": "litellm", "pod": "litellm-pg-1"},),
            ),
            ("the next attempt succeeded", "60+60x5 360x60", "30x6 400x60", ()),
            ("no attempt ever failed", "-1x60", "60+60x60", ()),
        )
    ),
)

QUEUE: Final = {"cluster_queue": "team-a"}
PLATFORM: Final = (
    *(
        Case(
            alert="KueueWorkloadsWait",
            because=because,
            series={'kueue_pending_workloads{cluster_queue="team-a", status="active"}': pending},
            at="150m",
            fires=fires,
        )
        for because, pending, fires in (
            ("a job waited for two hours", "1x200", (QUEUE,)),
            ("no job waited for a while", "1x60 0x20 1x100", ()),
        )
    ),
    *(
        Case(
            alert="KueueWorkloadsInadmissible",
            because=because,
            series={
                'kueue_pending_workloads{cluster_queue="team-a", status="inadmissible"}': pending
            },
            at="130m",
            fires=fires,
        )
        for because, pending, fires in (
            ("a job asks for more than there is", "1x200", (QUEUE,)),
            ("there is none", "0x200", ()),
        )
    ),
    *(
        Case(
            alert="KueueQueueInactive",
            because=because,
            series={
                'kueue_cluster_queue_status{cluster_queue="team-a", status="active"}': active,
                'kueue_cluster_queue_status{cluster_queue="team-a", status="terminating"}': ending,
            },
            at="20m",
            fires=fires,
        )
        for because, active, ending, fires in (
            ("the queue lacks its flavor", "0x60", "0x60", (QUEUE,)),
            ("the queue is active", "1x60", "0x60", ()),
            ("the tenant was removed and jobs of it still run", "0x60", "1x60", ()),
        )
    ),
    *(
        Case(
            alert="KedaScalerErrors",
            because=because,
            series={
                'keda_scaler_detail_errors_total{namespace="serving", scaledObject="qwen-vllm", '
                'scaler="prometheusScaler"}': errors
            },
            at="30m",
            fires=fires,
        )
        for because, errors, fires in (
            (
                "the trigger fails again and again",
                "0+2x60",
                (
                    {
                        "namespace": "serving",
                        "scaledObject": "qwen-vllm",
                        "scaler": "prometheusScaler",
                    },
                ),
            ),
            ("the trigger worked ever since", "0 3x60", ()),
        )
    ),
    *(
        Case(
            alert="KedaScaledObjectPaused",
            because=because,
            series={
                'keda_scaled_object_paused{namespace="serving", scaledObject="qwen-vllm"}': paused
            },
            at="13h",
            fires=fires,
        )
        for because, paused, fires in (
            (
                "somebody forgot it",
                "1x800",
                ({"namespace": "serving", "scaledObject": "qwen-vllm"},),
            ),
            ("it was paused for an hour", "1x60 0x800", ()),
        )
    ),
    Case(
        alert="KedaDown",
        because="the operator is not ready",
        series=deployment("keda", "keda-operator", "1x30", "0x30"),
        at="15m",
        fires=({"namespace": "keda", "deployment": "keda-operator"},),
    ),
    Case(
        alert="KedaDown",
        because="the operator is ready",
        series=deployment("keda", "keda-operator", "1x30", "1x30"),
        at="15m",
    ),
    *(
        Case(
            alert=alert,
            because=because,
            series={
                f'{kind}_status_condition{{{of}, condition="Ready", status="False"}}': is_false
            },
            at="20m",
            fires=fires,
        )
        for alert, kind, of, labels in (
            (
                "ExternalSecretNotReady",
                "externalsecret",
                'namespace="serving", name="gated-hub-token"',
                {"namespace": "serving", "name": "gated-hub-token"},
            ),
            (
                "SecretStoreNotReady",
                "clustersecretstore",
                'name="secret-store"',
                {"name": "secret-store"},
            ),
            (
                "PushSecretNotReady",
                "pushsecret",
                'namespace="external-secrets", name="litellm-salt-key"',
                {"namespace": "external-secrets", "name": "litellm-salt-key"},
            ),
        )
        for because, is_false, fires in (
            ("it is not ready", "1x60", (labels,)),
            ("it is ready", "0x60", ()),
        )
    ),
)


def certificate(lifetime_hours: int, *, ready: str = "1x300") -> dict[str, str]:
    """Return what cert-manager tells of a certificate that begins at the start of the test."""
    of = 'namespace="edge", name="wildcard"'
    return {
        f"certmanager_certificate_not_before_timestamp_seconds{{{of}}}": "0x300",
        f"certmanager_certificate_expiration_timestamp_seconds{{{of}}}": (
            f"{lifetime_hours * 3600}x300"
        ),
        f'certmanager_certificate_ready_status{{{of}, condition="True"}}': ready,
    }


CERTIFICATE: Final = {"namespace": "edge", "name": "wildcard"}


def application(labels: str, values: str = "1x120") -> dict[str, str]:
    return {f'argocd_app_info{{name="litellm", {labels}}}': values}


APPLICATION: Final = {"name": "litellm"}
DELIVERY: Final = (
    Case(
        alert="CertificateNotReady",
        because="it was never issued",
        series=certificate(2160, ready="0x300"),
        at="40m",
        fires=(CERTIFICATE,),
    ),
    Case(alert="CertificateNotReady", because="it is", series=certificate(2160), at="40m"),
    Case(
        alert="CertificateNotRenewed",
        because="less than a quarter of its four hours is left",
        series={**certificate(4)},
        at="245m",
        fires=(CERTIFICATE,),
    ),
    Case(
        alert="CertificateNotRenewed",
        because="it has three months",
        series=certificate(2160),
        at="245m",
    ),
    Case(
        alert="CertificateExpires",
        because="a few minutes are left",
        series=certificate(4),
        at="235m",
        fires=(CERTIFICATE,),
    ),
    Case(alert="CertificateExpires", because="an hour is left", series=certificate(4), at="180m"),
    Case(
        alert="ApplicationDegraded",
        because="it is Degraded",
        series=application('health_status="Degraded"'),
        at="20m",
        fires=(APPLICATION,),
    ),
    Case(
        alert="ApplicationDegraded",
        because="one that is synced by hand is Missing until then",
        series=application('health_status="Missing"'),
        at="20m",
    ),
    Case(
        alert="ApplicationOutOfSync",
        because="it syncs by itself and does not",
        series=application('sync_status="OutOfSync", autosync_enabled="true"'),
        at="70m",
        fires=(APPLICATION,),
    ),
    Case(
        alert="ApplicationOutOfSync",
        because="it is synced by hand",
        series=application('sync_status="OutOfSync", autosync_enabled="false"'),
        at="70m",
    ),
    Case(
        alert="ApplicationUnknown",
        because="its source cannot be read",
        series=application('sync_status="Unknown"'),
        at="40m",
        fires=(APPLICATION,),
    ),
    Case(
        alert="ApplicationUnknown",
        because="it was read again",
        series=application('sync_status="Unknown"', "1x5 _x60"),
        at="40m",
    ),
    Case(
        alert="ApplicationSyncFails",
        because="it failed again and again",
        series={'argocd_app_sync_total{name="litellm", phase="Failed"}': "0+0.1x120"},
        at="90m",
        fires=(APPLICATION,),
    ),
    Case(
        alert="ApplicationSyncFails",
        because="all syncs succeeded",
        series={'argocd_app_sync_total{name="litellm", phase="Succeeded"}': "0+0.1x120"},
        at="90m",
    ),
    *(
        Case(
            alert="ArgoCdDown",
            because=because,
            series={
                'kube_statefulset_status_replicas_ready{namespace="argocd", '
                'statefulset="argocd-application-controller"}': ready
            },
            at="20m",
            fires=fires,
        )
        for because, ready, fires in (
            (
                "its controller is not ready",
                "0x60",
                ({"namespace": "argocd", "statefulset": "argocd-application-controller"},),
            ),
            ("its controller is ready", "1x60", ()),
        )
    ),
)

MODEL_OF_GPU: Final = {"modelName": "NVIDIA L4"}
GPUS: Final = (
    *(
        Case(
            alert="GpuHardwareError",
            because=f"XID {xid} is about the hardware",
            series=dcgm("DCGM_FI_DEV_XID_ERRORS", f"0x5 {xid}x30"),
            at="10m",
            fires=({**GPU, **MODEL_OF_GPU},),
        )
        for xid in (48, 79, 95)
    ),
    Case(
        alert="GpuHardwareError",
        because="XID 31 is a program that went wrong",
        series=dcgm("DCGM_FI_DEV_XID_ERRORS", "0x5 31x30"),
        at="10m",
    ),
    Case(
        alert="GpuError",
        because="XID 31 was reported just now",
        series=dcgm("DCGM_FI_DEV_XID_ERRORS", "0x5 31x30"),
        at="10m",
        fires=({**GPU, **MODEL_OF_GPU},),
    ),
    Case(
        alert="GpuError",
        because="it was an hour ago",
        series=dcgm("DCGM_FI_DEV_XID_ERRORS", "0x5 31x90"),
        at="60m",
    ),
    *(
        Case(
            alert="GpuMissing",
            because=because,
            series={
                'kube_node_status_capacity{node="node-1", resource="nvidia_com_gpu"}': "2x60",
                'kube_node_status_allocatable{node="node-1", resource="nvidia_com_gpu"}': healthy,
            },
            at="20m",
            fires=fires,
        )
        for because, healthy, fires in (
            ("one of two is unhealthy", "1x60", ({"node": "node-1"},)),
            ("both are healthy", "2x60", ()),
        )
    ),
    Case(
        alert="GpuMemoryErrors",
        because="a row was remapped",
        series=dcgm("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "0x30 1x90"),
        at="60m",
        fires=(GPU,),
    ),
    Case(
        alert="GpuMemoryErrors",
        because="rows were remapped before it came to us",
        series=dcgm("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "4x90"),
        at="60m",
    ),
    Case(
        alert="GpuMemoryRemapFailed",
        because="a row could not be remapped",
        series=dcgm("DCGM_FI_DEV_ROW_REMAP_FAILURE", "1x30"),
        at="10m",
        fires=(GPU,),
    ),
    Case(
        alert="GpuMemoryRemapFailed",
        because="none failed",
        series=dcgm("DCGM_FI_DEV_ROW_REMAP_FAILURE", "0x30"),
        at="10m",
    ),
    Case(
        alert="GpuHot",
        because="it has 91 degrees",
        series=dcgm("DCGM_FI_DEV_GPU_TEMP", "91x30"),
        at="15m",
        fires=(GPU,),
    ),
    Case(
        alert="GpuHot",
        because="it has 75 degrees",
        series=dcgm("DCGM_FI_DEV_GPU_TEMP", "75x30"),
        at="15m",
    ),
    Case(
        alert="GpuThrottled",
        because="it is busy at a third of its clock",
        series={
            **dcgm("DCGM_FI_DEV_SM_CLOCK", "2000x30 600x60"),
            **dcgm("DCGM_FI_DEV_GPU_UTIL", "100x90"),
        },
        at="70m",
        fires=({**GPU, **MODEL_OF_GPU},),
    ),
    Case(
        alert="GpuThrottled",
        because="an idle GPU lowers its clock",
        series={
            **dcgm("DCGM_FI_DEV_SM_CLOCK", "2000x30 600x60"),
            **dcgm("DCGM_FI_DEV_GPU_UTIL", "100x30 0x60"),
        },
        at="70m",
    ),
    Case(
        alert="GpuMetricsMissing",
        because="a node with a GPU is not told about",
        series={
            'kube_node_status_allocatable{node="node-1", resource="nvidia_com_gpu"}': "1x60",
        },
        at="40m",
        fires=({"node": "node-1"},),
    ),
    Case(
        alert="GpuMetricsMissing",
        because="its exporter tells",
        series={
            'kube_node_status_allocatable{node="node-1", resource="nvidia_com_gpu"}': "1x60",
            **dcgm("DCGM_FI_DEV_GPU_TEMP", "60x60"),
        },
        at="40m",
    ),
)

CASES: Final = (
    *SERVING,
    *SLOS,
    *ROUTING,
    *LLM_GATEWAY,
    *DATABASE,
    *PLATFORM,
    *DELIVERY,
    *GPUS,
    *feature_cases.LOGGING,
    *feature_cases.TRACING,
    *feature_cases.OPENCOST,
    *feature_cases.OPENBAO,
    *feature_cases.K3S_UPGRADES,
    *system_cases.SYSTEMS,
)
