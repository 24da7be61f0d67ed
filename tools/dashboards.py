# ruff: noqa: S608 - the SQL is put together from constants of this file alone.
"""The dashboards of charts/observability, as data: `python -m tools.generate` writes their JSON.

Each dashboard is rows of panels, each panel a few queries. Where a panel stands follows from its
width, and what Grafana wants around it is the same for all of them. A dashboard asks only for
series that tests/charts/observability/metrics.py names.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Json = dict[str, Any]

GRID_WIDTH: Final = 24
PANEL_HEIGHT: Final = 8
STAT_HEIGHT: Final = 4

PROMETHEUS: Final = {"type": "prometheus", "uid": "prometheus"}
"""Uid that kube-prometheus-stack gives its datasource."""
SPEND: Final = {"type": "grafana-postgresql-datasource", "uid": "litellm-spend"}
"""LiteLLM's database, read by a role that can do nothing else."""

Kind = Literal["timeseries", "stat", "bargauge", "table", "piechart"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One PromQL query."""

    expr: str
    legend: str = ""
    instant: bool = False

    def target(self, reference: str, _kind: Kind) -> Json:
        """Return the query as a panel holds it."""
        return {
            "refId": reference,
            "datasource": PROMETHEUS,
            "expr": self.expr,
            "legendFormat": self.legend or "__auto",
            "instant": self.instant,
            "range": not self.instant,
            "format": "table" if self.instant else "time_series",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Sql:
    """One SQL query to LiteLLM's database; a time series has columns time, metric and value."""

    sql: str

    def target(self, reference: str, kind: Kind) -> Json:
        """Return the query as a panel holds it."""
        return {
            "refId": reference,
            "datasource": SPEND,
            "editorMode": "code",
            "rawQuery": True,
            "rawSql": self.sql,
            "format": "time_series" if kind == "timeseries" else "table",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel; units are Grafana's: s, percentunit, reqps, bytes, celsius, currencyUSD."""

    title: str
    queries: tuple[Query | Sql, ...]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 8
    description: str = ""
    stacked: bool = False
    warn_above: float | None = None

    def to_json(self, number: int, x: int, y: int) -> Json:
        """Return the panel at a place of the grid."""
        defaults: Json = {"unit": self.unit, "color": {"mode": "palette-classic"}}
        options: Json = {}
        if self.warn_above is not None:
            defaults["thresholds"] = {
                "mode": "absolute",
                "steps": [
                    {"color": "green", "value": None},
                    {"color": "orange", "value": self.warn_above},
                ],
            }
            if self.kind != "timeseries":
                defaults["color"] = {"mode": "thresholds"}
        if self.kind == "timeseries":
            defaults["custom"] = {
                "fillOpacity": 30 if self.stacked else 5,
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "showPoints": "never",
                "thresholdsStyle": {"mode": "off" if self.warn_above is None else "line"},
            }
            options = {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        elif self.kind in {"stat", "bargauge", "piechart"}:
            options = {
                "reduceOptions": {
                    "calcs": ["lastNotNull"],
                    # Each row of a table is a value, not each column.
                    "values": any(isinstance(query, Sql) for query in self.queries),
                },
                **({"orientation": "horizontal"} if self.kind == "bargauge" else {}),
            }
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SPEND if isinstance(self.queries[0], Sql) else PROMETHEUS,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": options,
            "targets": [
                query.target(chr(ord("A") + index), self.kind)
                for index, query in enumerate(self.queries)
            ],
        }

    @property
    def height(self) -> int:
        """How many units of the grid it is high."""
        return STAT_HEIGHT if self.kind == "stat" else PANEL_HEIGHT


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variable:
    """What a reader chooses from: the values of a label."""

    name: str
    query: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Dashboard:
    """One dashboard; its name is also its uid and its file."""

    name: str
    title: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    since: str = "now-1h"
    refresh: str = "30s"

    def to_json(self) -> Json:
        """Return the dashboard as Grafana imports it."""
        return {
            "uid": f"llmp-{self.name}",
            "title": self.title,
            "tags": ["llmp"],
            "schemaVersion": 41,
            "editable": False,
            "graphTooltip": 1,
            "refresh": self.refresh,
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "links": [
                {
                    "type": "dashboards",
                    "title": "Other dashboards",
                    "tags": ["llmp"],
                    "asDropdown": True,
                    "keepTime": True,
                }
            ],
            "annotations": {"list": []},
            "templating": {"list": [_variable(one) for one in self.variables]},
            "panels": list(_laid_out(self.rows)),
        }


def _variable(variable: Variable) -> Json:
    return {
        "name": variable.name,
        "type": "query",
        "datasource": PROMETHEUS,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": "variable"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _laid_out(rows: Sequence[Row]) -> Iterator[Json]:
    """Yield headings and panels, each with its place: from left to right, then the next line."""
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": GRID_WIDTH, "h": 1},
            "panels": [],
        }
        y, x, line = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > GRID_WIDTH:
                x, y, line = 0, y + line, 0
            number += 1
            yield panel.to_json(number, x, y)
            x, line = x + panel.width, max(line, panel.height)
        y += line


_QUANTILES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
_MODEL: Final = 'model_name=~"$model", service=~"$service"'
_BY_MODEL: Final = "model_name, service"
"""A canary answers to the name of its model: they differ in the Service. KServe's engines, of which
pods are read, have none."""
_REPLICAS_OF_MODEL: Final = 'model_name=~"($model)(-canary)?"'
"""Replicas are counted by the pods' label, in which a canary has a name of its own."""
_EMBEDDINGS: Final = 'llmp_dev_model=~"$model"'
"""Series of the engine for embeddings do not name the model: the monitor adds the pods' label."""


def _percentiles(title: str, metric: str, selector: str, by: str, unit: str = "s") -> Panel:
    """Return a panel with the usual percentiles of a histogram, for each value of some labels."""
    shown = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return Panel(
        title=title,
        unit=unit,
        queries=tuple(
            Query(
                expr=f"histogram_quantile({quantile}, sum by ({by}, le) "
                f"(rate({metric}_bucket{{{selector}}}[$__rate_interval])))",
                legend=f"{name} {shown}",
            )
            for name, quantile in _QUANTILES
        ),
    )


def _rate(metric: str, selector: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def _share(part: str, whole: str) -> str:
    return f"{part} / {whole}"


SERVING: Final = Dashboard(
    name="serving",
    title="Serving: models",
    variables=(
        Variable(name="model", query="label_values(vllm:num_requests_running, model_name)"),
        Variable(name="service", query="label_values(vllm:num_requests_running, service)"),
    ),
    rows=(
        Row(
            title="Latency",
            panels=(
                _percentiles(
                    "Time to first token",
                    "vllm:time_to_first_token_seconds",
                    _MODEL,
                    _BY_MODEL,
                ),
                _percentiles(
                    "Time from token to token",
                    "vllm:inter_token_latency_seconds",
                    _MODEL,
                    _BY_MODEL,
                ),
                _percentiles(
                    "Time to the last token",
                    "vllm:e2e_request_latency_seconds",
                    _MODEL,
                    _BY_MODEL,
                ),
            ),
        ),
        Row(
            title="Load",
            panels=(
                Panel(
                    title="Requests running and waiting",
                    description="Requests that wait all the time mean a model at its capacity.",
                    queries=(
                        Query(
                            expr=f"sum by ({_BY_MODEL}) (vllm:num_requests_running{{{_MODEL}}})",
                            legend="running {{model_name}} {{service}}",
                        ),
                        Query(
                            expr=f"sum by ({_BY_MODEL}) (vllm:num_requests_waiting{{{_MODEL}}})",
                            legend="waiting {{model_name}} {{service}}",
                        ),
                    ),
                ),
                Panel(
                    title="KV cache in use",
                    unit="percentunit",
                    warn_above=0.85,
                    queries=(
                        Query(
                            expr=f"avg by ({_BY_MODEL}, pod) "
                            f"(vllm:kv_cache_usage_perc{{{_MODEL}}})",
                            legend="{{model_name}} {{pod}}",
                        ),
                    ),
                ),
                Panel(
                    title="Replicas",
                    queries=(
                        Query(
                            expr=f"llmp:model_replicas:wanted{{{_REPLICAS_OF_MODEL}}}",
                            legend="wanted {{model_name}}",
                        ),
                        Query(
                            expr=f"llmp:model_replicas:available{{{_REPLICAS_OF_MODEL}}}",
                            legend="ready {{model_name}}",
                        ),
                    ),
                ),
                _percentiles(
                    "Time in the queue",
                    "vllm:request_queue_time_seconds",
                    _MODEL,
                    _BY_MODEL,
                ),
                Panel(
                    title="Preemptions",
                    description="Requests that are computed again, for want of KV cache.",
                    unit="reqps",
                    queries=(Query(expr=_rate("vllm:num_preemptions_total", _MODEL, _BY_MODEL)),),
                ),
                Panel(
                    title="Requests that ended, by reason",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=_rate(
                                "vllm:request_success_total",
                                _MODEL,
                                f"{_BY_MODEL}, finished_reason",
                            ),
                            legend="{{model_name}} {{service}} {{finished_reason}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Throughput",
            panels=(
                Panel(
                    title="Tokens generated a second",
                    queries=(Query(expr=_rate("vllm:generation_tokens_total", _MODEL, _BY_MODEL)),),
                ),
                Panel(
                    title="Prompt tokens a second, by where they came from",
                    stacked=True,
                    queries=(
                        Query(
                            expr=_rate(
                                "vllm:prompt_tokens_by_source_total", _MODEL, f"{_BY_MODEL}, source"
                            ),
                            legend="{{model_name}} {{service}} {{source}}",
                        ),
                    ),
                ),
                _percentiles(
                    "Tokens of a prompt",
                    "vllm:request_prompt_tokens",
                    _MODEL,
                    _BY_MODEL,
                    "short",
                ),
            ),
        ),
        Row(
            title="What is not computed twice",
            panels=(
                Panel(
                    title="Prefix cache hits",
                    unit="percentunit",
                    width=12,
                    description="Share of prompt tokens that were found in the KV cache.",
                    queries=(
                        Query(
                            expr=_share(
                                _rate("vllm:prefix_cache_hits_total", _MODEL, _BY_MODEL),
                                _rate("vllm:prefix_cache_queries_total", _MODEL, _BY_MODEL),
                            )
                        ),
                    ),
                ),
                Panel(
                    title="Speculated tokens that were right",
                    unit="percentunit",
                    width=12,
                    description="Empty for models without speculative decoding.",
                    queries=(
                        Query(
                            expr=_share(
                                _rate(
                                    "vllm:spec_decode_num_accepted_tokens_total",
                                    _MODEL,
                                    _BY_MODEL,
                                ),
                                _rate("vllm:spec_decode_num_draft_tokens_total", _MODEL, _BY_MODEL),
                            )
                        ),
                    ),
                ),
            ),
        ),
    ),
)

EMBEDDINGS: Final = Dashboard(
    name="embeddings",
    title="Serving: embeddings",
    variables=(Variable(name="model", query="label_values(te_queue_size, llmp_dev_model)"),),
    rows=(
        Row(
            title="Latency",
            panels=(
                _percentiles(
                    "Time of a request", "te_request_duration", _EMBEDDINGS, "llmp_dev_model"
                ),
                _percentiles(
                    "Of which in the queue",
                    "te_request_queue_duration",
                    _EMBEDDINGS,
                    "llmp_dev_model",
                ),
                _percentiles(
                    "Of which in the model",
                    "te_request_inference_duration",
                    _EMBEDDINGS,
                    "llmp_dev_model",
                ),
            ),
        ),
        Row(
            title="Load",
            panels=(
                Panel(
                    title="Texts that wait",
                    description="What the model scales on.",
                    queries=(
                        Query(
                            expr=f"sum by (llmp_dev_model) (te_queue_size{{{_EMBEDDINGS}}})",
                            legend="{{llmp_dev_model}}",
                        ),
                    ),
                ),
                Panel(
                    title="Replicas",
                    queries=(
                        Query(
                            expr='llmp:model_replicas:wanted{model_name=~"$model"}',
                            legend="wanted {{model_name}}",
                        ),
                        Query(
                            expr='llmp:model_replicas:available{model_name=~"$model"}',
                            legend="ready {{model_name}}",
                        ),
                    ),
                ),
                Panel(
                    title="Requests",
                    unit="reqps",
                    queries=(
                        Query(
                            expr=_rate("te_request_count", _EMBEDDINGS, "llmp_dev_model, method"),
                            legend="{{llmp_dev_model}} {{method}}",
                        ),
                    ),
                ),
                Panel(
                    title="Requests that failed, by reason",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=_rate("te_request_failure", _EMBEDDINGS, "llmp_dev_model, err"),
                            legend="{{llmp_dev_model}} {{err}}",
                        ),
                    ),
                ),
                _percentiles(
                    "Tokens of a text",
                    "te_request_input_length",
                    _EMBEDDINGS,
                    "llmp_dev_model",
                    "short",
                ),
                _percentiles(
                    "Tokens of a batch",
                    "te_batch_next_tokens",
                    _EMBEDDINGS,
                    "llmp_dev_model",
                    "short",
                ),
            ),
        ),
    ),
)

_SLO: Final = 'model_name=~"$model", slo=~"$slo"'

SLO: Final = Dashboard(
    name="slo",
    title="Service levels",
    since="now-7d",
    refresh="5m",
    variables=(
        Variable(name="model", query="label_values(llmp:slo_target:ratio, model_name)"),
        Variable(name="slo", query="label_values(llmp:slo_target:ratio, slo)"),
    ),
    rows=(
        Row(
            title="Objectives",
            panels=(
                Panel(
                    title="Error budget of 7 days that is left",
                    kind="bargauge",
                    unit="percentunit",
                    width=12,
                    description="0 % is an objective just met, below 0 % one that is missed.",
                    queries=(
                        Query(
                            expr=f"1 - (1 - avg_over_time(llmp:slo_good:rate5m{{{_SLO}}}[7d]) "
                            f"/ avg_over_time(llmp:slo_total:rate5m{{{_SLO}}}[7d])) "
                            f"/ on (model_name, slo) (1 - llmp:slo_target:ratio{{{_SLO}}})",
                            legend="{{model_name}} {{slo}}",
                        ),
                    ),
                ),
                Panel(
                    title="Objectives",
                    kind="table",
                    width=6,
                    unit="percentunit",
                    queries=(Query(expr=f"llmp:slo_target:ratio{{{_SLO}}}", instant=True),),
                ),
                Panel(
                    title="Times",
                    kind="table",
                    width=6,
                    unit="s",
                    queries=(Query(expr=f"llmp:slo_threshold:seconds{{{_SLO}}}", instant=True),),
                ),
            ),
        ),
        Row(
            title="Burn: 1 spends the budget of a month in a month",
            panels=tuple(
                Panel(
                    title=f"Over {window}",
                    warn_above=threshold,
                    width=12,
                    queries=(
                        Query(
                            expr=f"llmp:slo_errors:ratio_rate{window}{{{_SLO}}} "
                            f"/ on (model_name, slo) (1 - llmp:slo_target:ratio{{{_SLO}}})",
                            legend="{{model_name}} {{slo}}",
                        ),
                    ),
                )
                for window, threshold in (("1h", 14.4), ("6h", 6.0), ("1d", 3.0), ("3d", 1.0))
            ),
        ),
        Row(
            title="What was good",
            panels=(
                Panel(
                    title="Share that was good",
                    unit="percentunit",
                    width=24,
                    queries=(
                        Query(
                            expr=f"1 - llmp:slo_errors:ratio_rate30m{{{_SLO}}}",
                            legend="{{model_name}} {{slo}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)

_GPU: Final = 'node=~"$node", gpu=~"$gpu"'
_GPU_LEGEND: Final = "{{node}} {{gpu}}"


def _gpu(title: str, expr: str, unit: str, **changes: Any) -> Panel:  # noqa: ANN401 - fields of Panel
    return Panel(
        title=title,
        unit=unit,
        width=6,
        queries=(Query(expr=expr, legend=_GPU_LEGEND),),
        **changes,
    )


GPU: Final = Dashboard(
    name="gpu",
    title="GPUs",
    variables=(
        Variable(name="node", query="label_values(DCGM_FI_DEV_GPU_TEMP, node)"),
        Variable(name="gpu", query="label_values(DCGM_FI_DEV_GPU_TEMP, gpu)"),
    ),
    rows=(
        Row(
            title="Work",
            panels=(
                _gpu(
                    "Busy",
                    f"DCGM_FI_DEV_GPU_UTIL{{{_GPU}}} / 100",
                    "percentunit",
                    description="Near 100 % at any load of an engine: no measure of capacity.",
                ),
                _gpu(
                    "Tensor cores active",
                    f"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE{{{_GPU}}}",
                    "percentunit",
                ),
                _gpu("Memory bandwidth", f"DCGM_FI_PROF_DRAM_ACTIVE{{{_GPU}}}", "percentunit"),
                _gpu(
                    "Memory used",
                    f"DCGM_FI_DEV_FB_USED{{{_GPU}}} "
                    f"/ (DCGM_FI_DEV_FB_USED{{{_GPU}}} + DCGM_FI_DEV_FB_FREE{{{_GPU}}})",
                    "percentunit",
                ),
                _gpu("PCIe sent", f"DCGM_FI_PROF_PCIE_TX_BYTES{{{_GPU}}}", "Bps"),
                _gpu("PCIe received", f"DCGM_FI_PROF_PCIE_RX_BYTES{{{_GPU}}}", "Bps"),
                _gpu(
                    "NVLink",
                    f"rate(DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL{{{_GPU}}}[$__rate_interval])",
                    "short",
                ),
                Panel(
                    title="GPUs that pods may have",
                    width=6,
                    queries=(
                        Query(
                            expr="sum by (node) "
                            '(kube_node_status_allocatable{resource="nvidia_com_gpu"})',
                            legend="{{node}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Health",
            panels=(
                _gpu("Temperature", f"DCGM_FI_DEV_GPU_TEMP{{{_GPU}}}", "celsius", warn_above=85),
                _gpu("Power", f"DCGM_FI_DEV_POWER_USAGE{{{_GPU}}}", "watt"),
                _gpu("Clock", f"DCGM_FI_DEV_SM_CLOCK{{{_GPU}}} * 1e6", "hertz"),
                _gpu("Last XID", f"DCGM_FI_DEV_XID_ERRORS{{{_GPU}}}", "none", warn_above=1),
                _gpu(
                    "Rows remapped after errors that ECC could not correct",
                    f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{{{_GPU}}}",
                    "none",
                    warn_above=1,
                ),
                _gpu(
                    "Rows that could not be remapped",
                    f"DCGM_FI_DEV_ROW_REMAP_FAILURE{{{_GPU}}}",
                    "none",
                    warn_above=1,
                ),
                _gpu(
                    "PCIe replays",
                    f"rate(DCGM_FI_DEV_PCIE_REPLAY_COUNTER{{{_GPU}}}[$__rate_interval])",
                    "short",
                ),
                _gpu(
                    "Energy in an hour",
                    f"increase(DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{_GPU}}}[1h]) / 3.6e6",
                    "watth",
                ),
            ),
        ),
    ),
)

_IN_RANGE: Final = '$__timeFilter("startTime")'
_TEAM: Final = """COALESCE(t.team_alias, s.team_id, 'no team')"""
_WITH_TEAM: Final = """FROM "LiteLLM_SpendLogs" s
LEFT JOIN "LiteLLM_TeamTable" t ON t.team_id = s.team_id"""


def _spend_over_time(title: str, what: str, column: str, unit: str) -> Panel:
    return Panel(
        title=title,
        unit=unit,
        width=12,
        stacked=True,
        queries=(
            Sql(
                sql=f"""SELECT $__timeGroupAlias(s."startTime", '1h'), {column} AS metric,
  SUM({what}) AS value
{_WITH_TEAM}
WHERE {_IN_RANGE}
GROUP BY 1, 2
ORDER BY 1"""
            ),
        ),
    )


def _total(title: str, what: str, unit: str) -> Panel:
    sql = f"""SELECT {what} AS value FROM "LiteLLM_SpendLogs" WHERE {_IN_RANGE}"""
    return Panel(title=title, kind="stat", unit=unit, width=6, queries=(Sql(sql=sql),))


TENANTS: Final = Dashboard(
    name="tenants",
    title="Tenants and spend",
    since="now-7d",
    refresh="5m",
    rows=(
        Row(
            title="In this time",
            panels=(
                _total("Spend", "SUM(spend)", "currencyUSD"),
                _total("Requests", "COUNT(*)", "short"),
                _total("Prompt tokens", "SUM(prompt_tokens)", "short"),
                _total("Generated tokens", "SUM(completion_tokens)", "short"),
            ),
        ),
        Row(
            title="Budgets",
            panels=(
                Panel(
                    title="Teams",
                    kind="table",
                    width=12,
                    unit="currencyUSD",
                    queries=(
                        Sql(
                            sql="""SELECT COALESCE(team_alias, team_id) AS team, spend,
  max_budget AS budget, max_budget - spend AS "left", budget_duration AS period,
  budget_reset_at AS "next period"
FROM "LiteLLM_TeamTable"
ORDER BY spend DESC"""
                        ),
                    ),
                ),
                Panel(
                    title="Keys",
                    kind="table",
                    width=12,
                    unit="currencyUSD",
                    queries=(
                        Sql(
                            sql="""SELECT COALESCE(key_alias, key_name) AS key,
  COALESCE(team_id, 'no team') AS team, spend, max_budget AS budget,
  max_budget - spend AS "left", last_active AS "last used", expires
FROM "LiteLLM_VerificationToken"
ORDER BY spend DESC
LIMIT 100"""
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Who spends on what",
            panels=(
                _spend_over_time("Spend by team", "s.spend", _TEAM, "currencyUSD"),
                _spend_over_time(
                    "Spend by model", "s.spend", "COALESCE(s.model_group, s.model)", "currencyUSD"
                ),
                _spend_over_time("Tokens by team", "s.total_tokens", _TEAM, "short"),
                Panel(
                    title="Spend by key",
                    kind="bargauge",
                    unit="currencyUSD",
                    width=12,
                    queries=(
                        Sql(
                            sql=f"""SELECT COALESCE(k.key_alias, k.key_name, 'gone') AS key,
  SUM(s.spend) AS spend
FROM "LiteLLM_SpendLogs" s
LEFT JOIN "LiteLLM_VerificationToken" k ON k.token = s.api_key
WHERE {_IN_RANGE}
GROUP BY 1
ORDER BY 2 DESC
LIMIT 20"""
                        ),
                    ),
                ),
            ),
        ),
    ),
)

_BUDGETS: Final = Row(
    title="Teams, as LiteLLM's metrics tell",
    panels=(
        Panel(
            title="Budget left",
            unit="percentunit",
            queries=(
                Query(expr="llmp:team_budget_left:usd / llmp:team_budget:usd", legend="{{team}}"),
            ),
        ),
        Panel(
            title="Requests by team",
            unit="reqps",
            queries=(Query(expr=_rate("litellm_proxy_total_requests_metric_total", "", "team")),),
        ),
        Panel(
            title="Requests that failed, by status",
            unit="reqps",
            stacked=True,
            queries=(
                Query(
                    expr=_rate(
                        "litellm_proxy_failed_requests_metric_total",
                        "",
                        "requested_model, exception_status",
                    ),
                    legend="{{requested_model}} {{exception_status}}",
                ),
            ),
        ),
    ),
)

LITELLM: Final = Dashboard(name="litellm", title="LiteLLM", rows=(_BUDGETS,))

_GATEWAY: Final = 'gateway=~"$gateway"'

GATEWAY: Final = Dashboard(
    name="gateway",
    title="Gateways and routing",
    variables=(
        Variable(name="gateway", query="label_values(agentgateway_requests_total, gateway)"),
    ),
    rows=(
        Row(
            title="Gateways",
            panels=(
                Panel(
                    title="Requests by status",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=_rate("agentgateway_requests_total", _GATEWAY, "status"),
                            legend="{{status}}",
                        ),
                    ),
                ),
                Panel(
                    title="Errors by route",
                    unit="percentunit",
                    queries=(
                        Query(
                            expr=_share(
                                _rate(
                                    "agentgateway_requests_total",
                                    _GATEWAY + ', status=~"5.."',
                                    "route",
                                ),
                                _rate("agentgateway_requests_total", _GATEWAY, "route"),
                            ),
                            legend="{{route}}",
                        ),
                    ),
                ),
                _percentiles(
                    "Duration by route",
                    "agentgateway_request_duration_seconds",
                    _GATEWAY,
                    "route",
                ),
                _percentiles(
                    "Time to connect to what is behind",
                    "agentgateway_upstream_connect_duration_seconds",
                    "",
                    "pod",
                ),
                Panel(
                    title="Retries",
                    unit="reqps",
                    queries=(Query(expr=_rate("agentgateway_retries_total", _GATEWAY, "route")),),
                ),
                Panel(
                    title="Connections of callers",
                    queries=(
                        Query(
                            expr=_rate(
                                "agentgateway_downstream_connections_total", _GATEWAY, "gateway"
                            )
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Endpoint pickers",
            panels=(
                Panel(
                    title="Replicas that a pool sees",
                    queries=(
                        Query(expr="max by (name) (inference_pool_ready_pods)", legend="{{name}}"),
                    ),
                ),
                Panel(
                    title="Mean queue of a replica",
                    queries=(
                        Query(
                            expr="max by (name) (inference_pool_average_queue_size)",
                            legend="{{name}}",
                        ),
                    ),
                ),
                Panel(
                    title="Mean KV cache in use",
                    unit="percentunit",
                    queries=(
                        Query(
                            expr="max by (name) (inference_pool_average_kv_cache_utilization)",
                            legend="{{name}}",
                        ),
                    ),
                ),
                _percentiles(
                    "Time to pick a replica",
                    "inference_extension_scheduler_e2e_duration_seconds",
                    "",
                    "pod",
                ),
                Panel(
                    title="Requests turned away",
                    unit="reqps",
                    queries=(
                        Query(
                            expr=_rate(
                                "inference_objective_request_error_total",
                                "",
                                "model_name, error_code",
                            ),
                            legend="{{model_name}} {{error_code}}",
                        ),
                    ),
                ),
                Panel(
                    title="Prompts whose start a replica had in its cache",
                    unit="percentunit",
                    queries=(
                        Query(
                            expr=_share(
                                _rate(
                                    "inference_extension_prefix_indexer_hit_ratio_sum", "", "pod"
                                ),
                                _rate(
                                    "inference_extension_prefix_indexer_hit_ratio_count", "", "pod"
                                ),
                            ),
                            legend="{{pod}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)

PLATFORM: Final = Dashboard(
    name="platform",
    title="Platform",
    rows=(
        Row(
            title="Argo CD",
            panels=(
                Panel(
                    title="Applications by health",
                    stacked=True,
                    queries=(
                        Query(
                            expr="sum by (health_status) (argocd_app_info)",
                            legend="{{health_status}}",
                        ),
                    ),
                ),
                Panel(
                    title="Not as git says, or not healthy",
                    kind="table",
                    queries=(
                        Query(
                            expr="max by (name, sync_status, health_status) "
                            '(argocd_app_info{sync_status!="Synced"} '
                            'or argocd_app_info{health_status!="Healthy"})',
                            instant=True,
                        ),
                    ),
                ),
                Panel(
                    title="Syncs by outcome",
                    stacked=True,
                    queries=(
                        Query(
                            expr="sum by (phase) "
                            "(increase(argocd_app_sync_total[$__rate_interval]))",
                            legend="{{phase}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Certificates and secrets",
            panels=(
                Panel(
                    title="Certificates: time left",
                    unit="s",
                    kind="bargauge",
                    queries=(
                        Query(
                            expr="min by (namespace, name) "
                            "(certmanager_certificate_expiration_timestamp_seconds) - time()",
                            legend="{{namespace}}/{{name}}",
                        ),
                    ),
                ),
                Panel(
                    title="Secrets that are not ready",
                    kind="table",
                    queries=(
                        Query(
                            expr="max by (namespace, name) (externalsecret_status_condition"
                            '{condition="Ready", status="False"}) == 1',
                            instant=True,
                        ),
                        Query(
                            expr="max by (namespace, name) (pushsecret_status_condition"
                            '{condition="Ready", status="False"}) == 1',
                            instant=True,
                        ),
                    ),
                ),
                Panel(
                    title="Reads of the store that failed",
                    queries=(
                        Query(
                            expr=_rate("externalsecret_sync_calls_error", "", "namespace, name"),
                            legend="{{namespace}}/{{name}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="Scaling and queues",
            panels=(
                Panel(
                    title="What KEDA scales on",
                    queries=(
                        Query(
                            expr="max by (scaledObject, metric) (keda_scaler_metrics_value)",
                            legend="{{scaledObject}} {{metric}}",
                        ),
                    ),
                ),
                Panel(
                    title="Errors of KEDA's triggers",
                    queries=(
                        Query(
                            expr=_rate(
                                "keda_scaler_detail_errors_total", "", "scaledObject, scaler"
                            ),
                            legend="{{scaledObject}} {{scaler}}",
                        ),
                    ),
                ),
                Panel(
                    title="Jobs in Kueue's queues",
                    queries=(
                        Query(
                            expr="sum by (cluster_queue, status) (kueue_pending_workloads)",
                            legend="{{cluster_queue}} pending, {{status}}",
                        ),
                        Query(
                            expr="sum by (cluster_queue) (kueue_admitted_active_workloads)",
                            legend="{{cluster_queue}} admitted",
                        ),
                    ),
                ),
            ),
        ),
    ),
)

DATABASE: Final = Dashboard(
    name="database",
    title="Databases",
    rows=(
        Row(
            title="PostgreSQL",
            panels=(
                Panel(
                    title="Instances that answer",
                    queries=(
                        Query(
                            expr="max by (namespace, pod) (cnpg_collector_up)",
                            legend="{{namespace}}/{{pod}}",
                        ),
                    ),
                ),
                Panel(
                    title="How far standbys are behind",
                    unit="s",
                    queries=(
                        Query(
                            expr="max by (namespace, pod) (cnpg_pg_replication_lag)",
                            legend="{{namespace}}/{{pod}}",
                        ),
                    ),
                ),
                Panel(
                    title="Connections",
                    stacked=True,
                    queries=(
                        Query(
                            expr="sum by (pod, state) (cnpg_backends_total)",
                            legend="{{pod}} {{state}}",
                        ),
                    ),
                ),
                Panel(
                    title="Size",
                    unit="bytes",
                    queries=(
                        Query(
                            expr="max by (namespace, datname) (cnpg_pg_database_size_bytes)",
                            legend="{{namespace}}/{{datname}}",
                        ),
                    ),
                ),
                Panel(
                    title="Transactions a second",
                    queries=(
                        Query(
                            expr=_rate(
                                "cnpg_pg_stat_database_xact_commit", "", "namespace, datname"
                            ),
                            legend="{{namespace}}/{{datname}}",
                        ),
                    ),
                ),
                Panel(
                    title="Age of the last backup",
                    unit="s",
                    kind="stat",
                    queries=(
                        Query(
                            expr="time() - max by (namespace) "
                            "(cnpg_collector_last_available_backup_timestamp > 0)",
                            legend="{{namespace}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)

_NODE_GPU: Final = "max by (node) (node_gpu_hourly_cost)"
_NODE_CPU: Final = "max by (node) (node_cpu_hourly_cost)"
_NODE_MEMORY: Final = "max by (node) (node_ram_hourly_cost)"

COST: Final = Dashboard(
    name="cost",
    title="Cost of the machines",
    since="now-7d",
    refresh="5m",
    rows=(
        Row(
            title="Machines",
            panels=(
                Panel(
                    title="A month as it is now",
                    unit="currencyUSD",
                    kind="stat",
                    description="What the nodes of this moment cost in 730 hours.",
                    queries=(
                        Query(
                            expr="730 * sum(max by (node) (node_total_hourly_cost))",
                            legend="all nodes",
                        ),
                    ),
                ),
                Panel(
                    title="Of which GPUs",
                    unit="currencyUSD",
                    kind="stat",
                    queries=(
                        Query(
                            expr=f"730 * sum({_NODE_GPU} * on (node) "
                            "max by (node) (node_gpu_count))",
                            legend="all nodes",
                        ),
                    ),
                ),
                Panel(
                    title="An hour, by node",
                    unit="currencyUSD",
                    stacked=True,
                    width=24,
                    queries=(
                        Query(
                            expr="max by (node) (node_total_hourly_cost)",
                            legend="{{node}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            title="What they are used for",
            panels=(
                Panel(
                    title="GPUs an hour, by model",
                    unit="currencyUSD",
                    stacked=True,
                    width=12,
                    queries=(
                        Query(
                            expr="sum by (label_llmp_dev_model) (sum by (namespace, pod) ("
                            "container_gpu_allocation * on (node) group_left "
                            f"{_NODE_GPU}) * on (namespace, pod) "
                            "group_left (label_llmp_dev_model) "
                            "max by (namespace, pod, label_llmp_dev_model) "
                            '(kube_pod_labels{label_llmp_dev_model!=""}))',
                            legend="{{label_llmp_dev_model}}",
                        ),
                    ),
                ),
                Panel(
                    title="CPU, memory and GPUs an hour, by namespace",
                    unit="currencyUSD",
                    stacked=True,
                    width=12,
                    description="A tenant's own pods are in the namespace of its name.",
                    queries=(
                        Query(
                            expr="sum by (namespace) (container_cpu_allocation * on (node) "
                            f"group_left {_NODE_CPU}) + "
                            "sum by (namespace) (container_memory_allocation_bytes / 2^30 "
                            f"* on (node) group_left {_NODE_MEMORY}) + "
                            "(sum by (namespace) (container_gpu_allocation * on (node) "
                            f"group_left {_NODE_GPU}) "
                            "or 0 * sum by (namespace) (container_cpu_allocation))",
                            legend="{{namespace}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)

DASHBOARDS: Final = (
    SERVING,
    EMBEDDINGS,
    SLO,
    GPU,
    TENANTS,
    LITELLM,
    GATEWAY,
    PLATFORM,
    DATABASE,
    COST,
)


def files() -> dict[str, str]:
    """Return the text of each dashboard's file, by its name."""
    return {
        f"{one.name}.json": json.dumps(one.to_json(), indent=2, sort_keys=True) + "\n"
        for one in DASHBOARDS
    }
