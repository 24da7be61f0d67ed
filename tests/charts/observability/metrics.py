"""Which metrics each system has, at the version that the catalogue pins: those that we read.

A name is here because the system's own source, or a running one, shows it. Rules and dashboards
may read nothing else: a series that nobody makes reads as nothing, without an error.
"""

from typing import Final

VLLM: Final = frozenset(
    {
        "vllm:e2e_request_latency_seconds_bucket",
        "vllm:e2e_request_latency_seconds_count",
        "vllm:generation_tokens_total",
        "vllm:inter_token_latency_seconds_bucket",
        "vllm:inter_token_latency_seconds_count",
        "vllm:kv_cache_usage_perc",
        "vllm:num_preemptions_total",
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:prefix_cache_hits_total",
        "vllm:prefix_cache_queries_total",
        "vllm:prompt_tokens_by_source_total",
        "vllm:prompt_tokens_total",
        "vllm:request_prompt_tokens_bucket",
        "vllm:request_queue_time_seconds_bucket",
        "vllm:request_success_total",
        "vllm:time_to_first_token_seconds_bucket",
        "vllm:time_to_first_token_seconds_count",
    }
)
"""vLLM 0.23, engine V1: what `/metrics` of a running one showed."""

VLLM_SPECULATION: Final = frozenset(
    {
        "vllm:spec_decode_num_accepted_tokens_total",
        "vllm:spec_decode_num_draft_tokens_total",
    }
)
"""vLLM with speculative decoding only (v1/spec_decode/metrics.py)."""

RENAMED_IN_V1: Final = frozenset(
    {
        "vllm:gpu_cache_usage_perc",
        "vllm:gpu_prefix_cache_hits_total",
        "vllm:gpu_prefix_cache_queries_total",
        "vllm:num_requests_swapped",
        "vllm:time_per_output_token_seconds_bucket",
    }
)
"""Names of vLLM's former engine, which many examples still use."""

TEXT_EMBEDDINGS_INFERENCE: Final = frozenset(
    {
        "te_batch_next_tokens_bucket",
        "te_queue_size",
        "te_request_count",
        "te_request_duration_bucket",
        "te_request_failure",
        "te_request_inference_duration_bucket",
        "te_request_input_length_bucket",
        "te_request_queue_duration_bucket",
    }
)
"""Text Embeddings Inference 1.7: core/src/{infer,queue}.rs, router/src/{lib,prometheus}.rs and
router/src/http/server.rs. Its exporter appends no `_total` to counters."""

AGENTGATEWAY: Final = frozenset(
    {
        "agentgateway_downstream_connections_total",
        "agentgateway_request_duration_seconds_bucket",
        "agentgateway_requests_total",
        "agentgateway_retries_total",
        "agentgateway_upstream_connect_duration_seconds_bucket",
    }
)
"""agentgateway 1.2.1: crates/agentgateway/src/telemetry/metrics.rs."""

ENDPOINT_PICKER: Final = frozenset(
    {
        "inference_extension_prefix_indexer_hit_ratio_count",
        "inference_extension_prefix_indexer_hit_ratio_sum",
        "inference_extension_scheduler_e2e_duration_seconds_bucket",
        "inference_objective_request_error_total",
        "inference_objective_request_total",
        "inference_pool_average_kv_cache_utilization",
        "inference_pool_average_queue_size",
        "inference_pool_ready_pods",
    }
)
"""Inference extension 1.5.0: pkg/epp/metrics/metrics.go."""

LITELLM: Final = frozenset(
    {
        "litellm_proxy_failed_requests_metric_total",
        "litellm_proxy_total_requests_metric_total",
        "litellm_remaining_team_budget_metric",
        "litellm_spend_metric_total",
        "litellm_team_budget_remaining_hours_metric",
        "litellm_team_max_budget_metric",
    }
)
"""LiteLLM 1.89.2: litellm/integrations/prometheus.py; none of them asks for a licence."""

CLOUDNATIVE_PG: Final = frozenset(
    {
        "cnpg_backends_total",
        "cnpg_collector_last_available_backup_timestamp",
        "cnpg_collector_last_failed_backup_timestamp",
        "cnpg_collector_up",
        "cnpg_pg_database_size_bytes",
        "cnpg_pg_replication_in_recovery",
        "cnpg_pg_replication_is_wal_receiver_up",
        "cnpg_pg_replication_lag",
        "cnpg_pg_settings_setting",
        "cnpg_pg_stat_archiver_last_archived_time",
        "cnpg_pg_stat_archiver_last_failed_time",
        "cnpg_pg_stat_database_xact_commit",
    }
)
"""CloudNativePG 1.29.1: pg_collector.go, and the queries of default-monitoring.yaml."""

KUEUE: Final = frozenset(
    {
        "kueue_admitted_active_workloads",
        "kueue_cluster_queue_status",
        "kueue_pending_workloads",
    }
)
"""Kueue 0.18.1: pkg/metrics/metrics.go."""

KEDA: Final = frozenset(
    {
        "keda_scaled_object_paused",
        "keda_scaler_detail_errors_total",
        "keda_scaler_metrics_value",
    }
)
"""KEDA 2.20.1: pkg/metricscollector/prommetrics.go."""

EXTERNAL_SECRETS: Final = frozenset(
    {
        "clustersecretstore_status_condition",
        "externalsecret_status_condition",
        "externalsecret_sync_calls_error",
        "pushsecret_status_condition",
    }
)
"""External Secrets 2.6.0: the metrics packages below pkg/controllers."""

CERT_MANAGER: Final = frozenset(
    {
        "certmanager_certificate_expiration_timestamp_seconds",
        "certmanager_certificate_not_before_timestamp_seconds",
        "certmanager_certificate_ready_status",
    }
)
"""cert-manager 1.20.2: internal/collectors/certificate_collector.go."""

ARGO_CD: Final = frozenset({"argocd_app_info", "argocd_app_sync_total"})
"""Argo CD 3.4.3: controller/metrics/metrics.go."""

DCGM: Final = frozenset(
    {
        "DCGM_FI_DEV_FB_FREE",
        "DCGM_FI_DEV_FB_USED",
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_GPU_UTIL",
        "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
        "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_DEV_ROW_REMAP_FAILURE",
        "DCGM_FI_DEV_SM_CLOCK",
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
        "DCGM_FI_DEV_XID_ERRORS",
        "DCGM_FI_PROF_DRAM_ACTIVE",
        "DCGM_FI_PROF_PCIE_RX_BYTES",
        "DCGM_FI_PROF_PCIE_TX_BYTES",
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    }
)
"""dcgm-exporter 4.5: what etc/dcp-metrics-included.csv has switched on."""

DCGM_EXTRA: Final = frozenset(
    {
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
        "DCGM_FI_DEV_POWER_VIOLATION",
        "DCGM_FI_DEV_THERMAL_VIOLATION",
    }
)
"""The same file has these switched off: nobody may read them before an exporter tells them."""

KUBERNETES: Final = frozenset(
    {
        "kube_deployment_labels",
        "kube_deployment_spec_replicas",
        "kube_deployment_status_replicas_available",
        "kube_horizontalpodautoscaler_info",
        "kube_horizontalpodautoscaler_spec_max_replicas",
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_job_failed",
        "kube_node_status_allocatable",
        "kube_node_status_capacity",
        "kube_pod_container_status_ready",
        "kube_pod_container_status_restarts_total",
        "kube_pod_labels",
        "kube_pod_status_ready",
        "kube_statefulset_replicas",
        "kube_statefulset_status_replicas_ready",
        "kubelet_volume_stats_available_bytes",
        "kubelet_volume_stats_capacity_bytes",
    }
)
"""kube-state-metrics 2.19 and the kubelet of Kubernetes 1.33."""

API_SERVER: Final = frozenset({"apiserver_admission_webhook_rejection_count"})
"""Kubernetes 1.33: k8s.io/apiserver, pkg/admission/metrics."""

EXTERNAL_DNS: Final = frozenset({"external_dns_controller_last_sync_timestamp_seconds"})
"""external-dns 0.21: controller/metrics.go, set at the end of each run without an error."""

LOGS: Final = frozenset(
    {
        "loki_discarded_samples_total",
        "loki_process_dropped_lines_total",
        "loki_write_dropped_entries_total",
    }
)
"""Loki 3.7.6: pkg/validation; Alloy 1.18.1: loki.process and loki.write."""

OPENCOST: Final = frozenset(
    {
        "container_cpu_allocation",
        "container_gpu_allocation",
        "container_memory_allocation_bytes",
        "node_cpu_hourly_cost",
        "node_gpu_count",
        "node_gpu_hourly_cost",
        "node_ram_hourly_cost",
        "node_total_hourly_cost",
    }
)
"""OpenCost 1.120: pkg/costmodel/metrics.go."""

OBJECTIVES: Final = frozenset(
    {
        "llmp:slo_target:ratio",
        "llmp:slo_threshold:bucket",
        "llmp:slo_threshold:seconds",
        "llmp:slo_threshold:waiting_requests",
    }
)
"""What templates/objectives.yaml records."""

READABLE: Final = frozenset[str]().union(
    VLLM,
    VLLM_SPECULATION,
    TEXT_EMBEDDINGS_INFERENCE,
    AGENTGATEWAY,
    ENDPOINT_PICKER,
    LITELLM,
    CLOUDNATIVE_PG,
    KUEUE,
    KEDA,
    EXTERNAL_SECRETS,
    CERT_MANAGER,
    ARGO_CD,
    DCGM,
    KUBERNETES,
    API_SERVER,
    EXTERNAL_DNS,
    LOGS,
    OPENCOST,
    OBJECTIVES,
)
"""All that rules and dashboards may read, besides what the rules record."""

UNREADABLE: Final = RENAMED_IN_V1 | DCGM_EXTRA
