"""What is shown, recorded and alerted on follows from the systems, and nobody reads too much."""

from typing import Any

import pytest

from components.contract import SubstrateContract
from components.platform.apps.observability import runbooks_url
from components.platform.catalogue import PlatformInputs
from components.platform.config import (
    END_TO_END_BUCKETS,
    INTER_TOKEN_BUCKETS,
    TTFT_BUCKETS,
    Alerting,
    EmailReceiver,
    Features,
    GitOps,
    Objectives,
    PagerDutyReceiver,
    PlatformConfig,
    ScalingTargets,
    SlackReceiver,
    Tier,
    WebhookReceiver,
)
from components.platform.network import Outside, Pods
from tests.platform.samples import (
    BARE,
    GKE,
    HETZNER,
    REVISION,
    callers,
    entries,
    inputs,
    model,
    values,
)

ALERTING = Alerting(
    receivers=(
        SlackReceiver(kind="slack", name="chat", secret="slack-webhook", channel="#alerts"),  # noqa: S106
        PagerDutyReceiver(kind="pagerduty", name="on-call", secret="pagerduty-key"),  # noqa: S106
        WebhookReceiver(kind="webhook", name="bot", secret="bot-url", least_severity="info"),  # noqa: S106
        EmailReceiver(
            kind="email",
            name="mail",
            secret="smtp-password",  # noqa: S106
            to="team@example.com",
            sender="alerts@example.com",
            host="smtp.example.com",
            port=2587,
            user="alerts",
        ),
    ),
    dead_mans_switch_secret="dead-mans-switch-url",  # noqa: S106
)
ALERTMANAGER = Pods(namespace="monitoring", labels={"app.kubernetes.io/name": "alertmanager"})


def with_alerting(alerting: Alerting = ALERTING, tier: Tier = "cost") -> PlatformInputs:
    base = inputs(tier=tier)
    config = base.config.model_copy(update={"alerting": alerting})
    return PlatformInputs(
        config=config,
        models=base.models,
        tenants=base.tenants,
        contract=base.contract,
        revision=base.revision,
    )


def observed(of: PlatformInputs | None = None) -> dict[str, Any]:
    return values(entries(of)["observability"])


def stack(of: PlatformInputs | None = None) -> dict[str, Any]:
    return values(entries(of)["kube-prometheus-stack"])


def test_a_rule_exists_only_where_its_system_does() -> None:
    least = set(observed(inputs(profile="platform", contract=BARE))["rules"])
    assert least == {
        "systems",
        "argo-cd",
        "cert-manager",
        "external-secrets",
        "keda",
        "kueue",
        "kyverno",
    }
    without = observed(inputs(profile="platform", contract=BARE, features=Features(security=False)))
    assert least - set(without["rules"]) == {"kyverno"}
    assert not least & {"serving", "slo", "gateway", "litellm", "database", "gpu"}
    serving = set(observed(inputs(profile="serving", contract=BARE))["rules"])
    assert serving - least == {"serving", "slo"}


def test_an_embedding_model_has_rules_and_a_dashboard_and_no_objectives() -> None:
    vectors = model("vectors", engine="text_embeddings_inference")
    found = observed(inputs(profile="serving", contract=BARE, models=(vectors,)))
    assert {"serving", "embeddings"} <= set(found["rules"])
    assert "embeddings" in found["dashboards"]
    assert "slo" not in found["rules"]
    assert not found.get("objectives")
    without = observed(inputs(profile="serving", contract=BARE))
    assert "embeddings" not in {*without["rules"], *without["dashboards"]}


def test_backups_are_alerted_on_only_where_they_are_made() -> None:
    assert "database-backup" in observed(inputs(tier="prod"))["rules"]
    assert "database-backup" not in observed(inputs(tier="cost"))["rules"]
    assert "database-backup" not in observed(inputs(tier="prod", contract=HETZNER))["rules"]


def test_gpus_are_alerted_on_only_where_an_exporter_tells() -> None:
    assert "gpu" in observed(inputs(contract=GKE))["rules"]
    assert "gpu" not in observed(inputs(contract=BARE))["rules"]


def test_no_scaler_no_alert_about_it() -> None:
    off = observed(inputs(features=Features(autoscaling=False)))
    assert "keda" not in off["rules"]
    assert "keda" not in {one["name"] for one in off["monitors"]}


def test_each_name_is_listed_once_however_many_models_bring_it() -> None:
    two = observed(inputs(models=(model(), model("second"))))
    assert len(two["rules"]) == len(set(two["rules"]))
    assert len(two["dashboards"]) == len(set(two["dashboards"]))


def test_a_model_has_its_own_objectives() -> None:
    found = observed(
        inputs(
            models=(
                model(
                    objectives=Objectives(
                        ttft_seconds=0.5, within=0.99, end_to_end_seconds=120, availability=0.999
                    ),
                    scaling=ScalingTargets(waiting_requests_per_replica=7),
                ),
            )
        )
    )["objectives"]
    by_slo = {one["slo"]: one for one in found}
    assert {one["model"] for one in found} == {"qwen-small"}
    assert by_slo["ttft"] == {"model": "qwen-small", "slo": "ttft", "target": 0.99, "bucket": "0.5"}
    assert by_slo["end_to_end"]["bucket"] == "120.0"
    assert by_slo["saturation"]["waitingRequests"] == 7
    assert by_slo["availability"]["target"] == 0.999


def test_availability_is_promised_only_where_a_gateway_counts_it() -> None:
    found = observed(inputs(profile="serving"))["objectives"]
    assert {one["slo"] for one in found} == {"ttft", "inter_token", "end_to_end", "saturation"}


@pytest.mark.parametrize("buckets", [TTFT_BUCKETS, INTER_TOKEN_BUCKETS, END_TO_END_BUCKETS])
def test_a_bucket_is_spelled_as_the_engine_spells_it(buckets: tuple[float, ...]) -> None:
    for seconds in buckets:
        assert float(repr(seconds)) == seconds
        assert "." in repr(seconds)
        assert "e" not in repr(seconds)


def test_every_objective_by_default_is_one_that_can_be_set() -> None:
    default = Objectives()
    assert default.ttft_seconds in TTFT_BUCKETS
    assert default.inter_token_seconds in INTER_TOKEN_BUCKETS
    assert default.end_to_end_seconds in END_TO_END_BUCKETS


def test_what_is_read_may_be_reached() -> None:
    """A monitor without a connection is a target that is down for ever."""
    by_name = entries(inputs(features=Features()))
    scraped = {
        one.server.namespace
        for entry in by_name.values()
        for one in entry.connections
        if isinstance(one.server, Pods)
        and isinstance(one.client, Pods)
        and one.client.labels.get("app.kubernetes.io/name") == "prometheus"
    }
    assert {one["namespace"] for one in observed()["monitors"]} <= scraped


def test_argo_cd_is_read_although_it_is_no_entry() -> None:
    argo_cd = Pods(namespace="argocd", labels={"app.kubernetes.io/part-of": "argocd"})
    assert callers(entries(), argo_cd) == {"monitoring"}
    (monitor,) = [one for one in observed()["monitors"] if one["name"] == "argo-cd"]
    assert monitor["labels"] == argo_cd.labels


def test_only_kueue_is_shown_prometheus_own_token() -> None:
    with_token = [one for one in observed()["monitors"] if one["serviceAccountToken"]]
    assert [one["name"] for one in with_token] == ["kueue"]
    assert with_token[0]["target"] == "services"
    assert with_token[0]["scheme"] == "https"


def test_systems_do_not_wait_for_the_definitions_of_their_monitors() -> None:
    by_name = entries()
    for name in ("cert-manager", "external-secrets", "keda", "kueue", "cloudnative-pg"):
        assert "prometheus-crds" not in by_name[name].requires
    assert "prometheus-crds" in by_name["observability"].requires


def test_keda_tells_its_metrics() -> None:
    assert values(entries()["keda"])["prometheus"]["operator"] == {"enabled": True}


def test_nobody_is_told_unless_the_config_says_so() -> None:
    assert observed()["receivers"] == []
    config = stack()["alertmanager"]["config"]
    assert config["route"]["receiver"] == "null"
    assert config["receivers"] == [{"name": "null"}]


def test_nobody_told_means_no_way_to_the_internet() -> None:
    entry = entries()["observability"]
    assert all(one.server is not Outside.INTERNET for one in entry.connections)
    (sends,) = [
        one
        for one in entries(with_alerting())["observability"].connections
        if one.server is Outside.INTERNET
    ]
    assert sends.client == ALERTMANAGER
    assert sends.ports == (443, 2587)


def test_each_receiver_has_a_secret_and_an_application_of_its_own() -> None:
    by_name = entries(with_alerting())
    names = ("chat", "on-call", "bot", "mail", "dead-mans-switch")
    for name in names:
        (consumer,) = values(by_name[f"monitoring-alerting-{name}"])["consumers"]
        assert consumer["name"] == f"alerting-{name}"
    receivers = values(by_name["observability"])["receivers"]
    assert {one["secret"]["name"] for one in receivers} == {f"alerting-{name}" for name in names}
    required = {one for entry in by_name.values() for one in entry.requires}
    assert not required & {f"monitoring-alerting-{name}" for name in names}


def test_alertmanagers_own_configuration_needs_no_secret() -> None:
    """It would not start without: each receiver is an object that the operator may leave out."""
    alertmanager = stack(with_alerting())["alertmanager"]
    assert "secrets" not in alertmanager["alertmanagerSpec"]
    assert alertmanager["config"]["receivers"] == [{"name": "null"}]


def test_a_receiver_is_told_of_alerts_of_every_namespace_and_only_ours_are_receivers() -> None:
    spec = stack()["alertmanager"]["alertmanagerSpec"]
    assert spec["alertmanagerConfigMatcherStrategy"] == {"type": "None"}
    assert spec["alertmanagerConfigNamespaceSelector"] == {
        "matchLabels": {"kubernetes.io/metadata.name": "monitoring"}
    }


def test_the_dead_mans_switch_hears_of_the_watchdog_alone() -> None:
    by_name = {one["name"]: one for one in observed(with_alerting())["receivers"]}
    assert by_name["dead-mans-switch"]["alerts"] == "watchdog"
    assert by_name["on-call"]["alerts"] == "critical"
    assert by_name["chat"]["channel"] == "#alerts"
    assert by_name["mail"]["email"]["host"] == "smtp.example.com"


def test_prod_has_two_alertmanagers_that_tell_each_other_what_was_sent() -> None:
    prod = inputs(tier="prod")
    spec = stack(prod)["alertmanager"]["alertmanagerSpec"]
    assert spec["replicas"] == 2
    assert spec["storage"]["volumeClaimTemplate"]["spec"]["resources"]["requests"]
    gossip = {
        one.protocol
        for one in entries(prod)["kube-prometheus-stack"].connections
        if one.client == one.server == ALERTMANAGER
    }
    assert gossip == {"TCP", "UDP"}
    assert stack()["alertmanager"]["alertmanagerSpec"]["replicas"] == 1
    assert "storage" not in stack()["alertmanager"]["alertmanagerSpec"]


def test_prometheus_and_grafana_reach_alertmanager() -> None:
    assert callers(entries(), ALERTMANAGER) == {"monitoring"}


def test_alertmanager_gets_out_to_receivers_alone() -> None:
    def destinations(of: PlatformInputs) -> list[object]:
        return [
            one.server
            for entry in entries(of).values()
            for one in entry.connections
            if isinstance(one.client, Pods)
            and one.client.namespace == "monitoring"
            and one.client.labels.items() <= ALERTMANAGER.labels.items()
        ]

    assert destinations(inputs()) == []
    assert destinations(with_alerting()) == [Outside.INTERNET]


@pytest.mark.parametrize(
    "name",
    [
        "prometheus",
        "grafana",
        "kube-state-metrics",
        "kube-prometheus-stack-prometheus-operator",
    ],
)
def test_who_watches_the_cluster_calls_its_api(name: str) -> None:
    pods = Pods(namespace="monitoring", labels={"app.kubernetes.io/name": name})
    assert any(
        one.client == pods and one.server is Outside.API_SERVER
        for one in entries()["kube-prometheus-stack"].connections
    )


@pytest.mark.parametrize(("contract", "reads"), [(GKE, False), (HETZNER, True)])
def test_prometheus_reads_coredns_where_there_is_one(
    contract: SubstrateContract, *, reads: bool
) -> None:
    entry = entries(inputs(contract=contract))["kube-prometheus-stack"]
    assert values(entry)["coreDns"]["enabled"] is reads
    assert reads == any(
        isinstance(one.server, Pods) and one.server.namespace == "kube-system"
        for one in entry.connections
    )


def test_grafana_fetches_no_code_at_its_start_and_tells_nobody_who_its_users_are() -> None:
    for of in (inputs(), inputs(contract=HETZNER)):
        settings = stack(of)["grafana"]["grafana.ini"]
        assert settings["plugins"]["preinstall_disabled"] is True
        assert settings["plugins"]["plugin_admin_enabled"] is False
        assert settings["security"]["disable_gravatar"] is True
        assert not any(
            settings["analytics"][key]
            for key in ("reporting_enabled", "check_for_updates", "check_for_plugin_updates")
        )
        assert settings["news"]["news_feed_enabled"] is False


def test_an_alert_of_a_model_that_is_gone_hides_what_follows_from_it() -> None:
    rules = stack()["alertmanager"]["config"]["inhibit_rules"]
    (gone,) = [one for one in rules if "ModelDown" in one["source_matchers"][0]]
    assert gone["equal"] == ["model_name"]
    # Without that, an alert without the label is equal to one that has none either.
    assert 'model_name != ""' in gone["target_matchers"]


def test_who_wants_to_hear_of_info_hears_of_it() -> None:
    """The stock inhibition holds every lone alert of severity info back, budgets among them."""
    rules = stack()["alertmanager"]["config"]["inhibit_rules"]
    assert not any(
        "InfoInhibitor" in matcher for one in rules for matcher in one["source_matchers"]
    )


def test_grafana_reads_secrets_of_its_own_namespace_alone() -> None:
    grafana = stack()["grafana"]
    assert grafana["rbac"] == {"namespaced": True}
    for sidecar in ("dashboards", "datasources"):
        assert grafana["sidecar"][sidecar]["searchNamespace"] == "monitoring"


def test_kube_state_metrics_tells_who_pays_and_which_model() -> None:
    allowed = stack()["kube-state-metrics"]["metricLabelsAllowlist"]
    assert "deployments=[llmp.dev/model]" in allowed
    assert "pods=[llmp.dev/team,llmp.dev/model,llmp.dev/environment]" in allowed


def test_litellm_tells_prometheus_of_teams_and_not_of_people() -> None:
    settings = values(entries()["litellm"])["proxy_config"]["litellm_settings"]
    labels = {
        one for group in settings["prometheus_metrics_config"] for one in group["include_labels"]
    }
    assert "team" in labels
    assert not labels & {
        "api_key_alias",
        "client_ip",
        "end_user",
        "hashed_api_key",
        "user",
        "user_agent",
        "user_email",
    }


@pytest.mark.parametrize(
    ("repository", "page"),
    [
        ("https://github.com/your-org/llmp.git", "https://github.com/your-org/llmp/blob/"),
        ("https://github.com/your-org/llmp", "https://github.com/your-org/llmp/blob/"),
        ("git@github.com:your-org/llmp.git", "https://github.com/your-org/llmp/blob/"),
        (
            "ssh://git@git.example.com:2222/your-org/llmp",
            "https://git.example.com/your-org/llmp/blob/",
        ),
    ],
)
def test_runbooks_are_read_where_the_charts_come_from(repository: str, page: str) -> None:
    assert runbooks_url(at(repository)) == f"{page}{REVISION}/docs/runbooks.md"


def test_runbooks_of_a_repository_that_no_browser_reaches_have_no_address() -> None:
    assert runbooks_url(at("file:///srv/llmp.git")) == ""


def test_runbooks_can_be_elsewhere() -> None:
    url = "https://docs.example.com/runbooks"
    assert runbooks_url(with_alerting(Alerting(runbooks_url=url))) == url


def at(repository: str) -> PlatformInputs:
    base = inputs()
    return PlatformInputs(
        config=PlatformConfig(gitops=GitOps(repository=repository)),
        models=base.models,
        tenants=base.tenants,
        contract=base.contract,
        revision=base.revision,
    )
