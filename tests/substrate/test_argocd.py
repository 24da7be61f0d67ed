"""Argo CD: how it is installed, and the contract that its cluster Secret carries."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pulumi_kubernetes as kubernetes
import pytest

from components import names
from components.contract import LABEL_FIELDS, SubstrateContract, Toleration
from components.substrate.argocd import (
    IN_CLUSTER_SERVER,
    ArgoCd,
    ArgoCdArgs,
    ArgoCdSignIn,
    argo_cd_values,
)
from components.versions import ARGO_CD
from tests.conftest import Run
from tests.harness import Recorder, Registration, deploy
from tests.samples import contract

ROOT: Final = Path(__file__).resolve().parents[2]
RELEASE = "kubernetes:helm.sh/v3:Release"
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token


def values(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the field takes
    arguments: dict[str, Any] = {"contract": contract(), "high_availability": False, **changes}
    return argo_cd_values(ArgoCdArgs(**arguments))


def program() -> None:
    nodes = kubernetes.core.v1.ConfigMap("nodes", metadata={"name": "nodes", "namespace": "x"})
    ArgoCd("argo-cd", ArgoCdArgs(contract=contract(), high_availability=False), after=[nodes])


def secret(recorder: Recorder, name: str) -> Registration:
    return next(e for e in recorder.all(SECRET) if e.inputs["metadata"]["name"] == name)


def test_the_release_is_the_pinned_chart_from_its_repository(run: Run) -> None:
    release = run(program).one(RELEASE).inputs
    assert (release["chart"], release["version"]) == (ARGO_CD.chart, ARGO_CD.version)
    assert release["repositoryOpts"] == {"repo": ARGO_CD.repository}
    assert release["namespace"] == "argocd"


def test_a_failed_installation_is_taken_back(run: Run) -> None:
    assert run(program).one(RELEASE).inputs["atomic"] is True


def test_the_namespace_admits_restricted_pods_only_and_waits_for_what_comes_before() -> None:
    recorder = deploy(program)
    namespace = recorder.one("kubernetes:core/v1:Namespace")
    labels = namespace.inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert recorder.one("kubernetes:core/v1:ConfigMap").urn in namespace.depends_on


def test_the_redis_password_is_made_once_is_secret_and_comes_before_the_release(run: Run) -> None:
    recorder = run(program)
    redis = secret(recorder, "argocd-redis")
    assert "stringData" in redis.secret_inputs
    assert redis.urn in recorder.one(RELEASE).depends_on
    password = recorder.one("random:index/randomPassword:RandomPassword")
    assert {"length", "special"} <= set(password.ignore_changes)
    assert "keepers" not in password.inputs


def test_the_hook_that_would_make_the_redis_password_is_off() -> None:
    assert values()["redisSecretInit"] == {"enabled": False}


def test_no_value_of_the_release_is_secret(run: Run) -> None:
    assert run(program).one(RELEASE).secret_inputs == frozenset()


def test_the_cluster_secret_carries_the_whole_contract_and_nothing_else(run: Run) -> None:
    promised = contract()
    metadata = secret(run(program), "in-cluster").inputs["metadata"]
    assert metadata["labels"] == {
        "argocd.argoproj.io/secret-type": "cluster",
        **promised.labels(),
    }
    assert metadata["annotations"] == promised.annotations()
    assert len(metadata["annotations"]) == len(SubstrateContract.model_fields)
    assert len(promised.labels()) == len(LABEL_FIELDS)


def test_the_contract_can_be_read_back_from_the_cluster_secret(run: Run) -> None:
    metadata = secret(run(program), "in-cluster").inputs["metadata"]
    assert SubstrateContract.from_annotations(metadata["annotations"]) == contract()


def test_the_cluster_secret_is_for_this_cluster_and_holds_no_credential() -> None:
    data = secret(deploy(program), "in-cluster").inputs["stringData"]
    assert data["server"] == IN_CLUSTER_SERVER
    assert data["config"] == '{"tlsClientConfig": {"insecure": false}}'


def test_applications_inside_applications_and_databases_gate_by_their_own_health() -> None:
    settings = values()["configs"]["cm"]
    assert "obj.status.health" in settings["resource.customizations.health.argoproj.io_Application"]
    postgres = settings["resource.customizations.health.postgresql.cnpg.io_Cluster"]
    assert '"Ready"' in postgres
    assert "Degraded" in postgres


def test_a_model_on_several_nodes_is_healthy_when_all_groups_that_are_wanted_are_ready() -> None:
    settings = values()["configs"]["cm"]
    key = "resource.customizations.health.leaderworkerset.x-k8s.io_LeaderWorkerSet"
    # Nothing is wanted of one that sleeps; what the controller has not seen yet is not judged.
    assert "ready >= wanted" in settings[key]
    assert "observedGeneration" in settings[key]


def test_nobody_gets_in_without_a_name_and_the_admin_stays_until_there_is_an_identity() -> None:
    settings = values()["configs"]["cm"]
    assert settings["users.anonymous.enabled"] is False
    assert settings["exec.enabled"] is False
    assert settings["statusbadge.enabled"] is False
    assert settings["admin.enabled"] is True


def test_tls_ends_at_the_gateway_and_the_service_is_internal() -> None:
    settings = values()
    assert settings["configs"]["params"]["server.insecure"] is True
    assert settings["server"]["service"] == {"type": "ClusterIP"}
    assert "ingress" not in settings["server"]


def test_differences_are_found_by_the_api_server() -> None:
    assert values()["configs"]["params"]["controller.diff.server.side"] is True


def test_a_sync_that_hangs_ends_so_that_what_corrects_it_gets_its_turn() -> None:
    seconds = values()["configs"]["params"]["controller.sync.timeout.seconds"]
    job = (ROOT / "charts/llm-gateway/templates/tenants.yaml").read_text()
    longest = re.search(r"activeDeadlineSeconds: (\d+)", job)
    assert longest is not None
    assert seconds > int(longest[1])


def test_applications_are_read_from_its_own_namespace_only() -> None:
    assert "application.namespaces" not in values()["configs"]["params"]


def test_resources_are_tracked_by_annotation() -> None:
    settings = values()["configs"]["cm"]
    assert settings["application.resourceTrackingMethod"] == "annotation"


def test_the_default_project_allows_nothing_once_argo_cd_has_made_it() -> None:
    (project,) = values()["extraObjects"]
    assert (project["kind"], project["metadata"]["name"]) == ("AppProject", "default")
    assert project["spec"]["sourceRepos"] == []
    assert project["spec"]["destinations"] == []
    assert project["spec"]["clusterResourceWhitelist"] == []
    hook = project["metadata"]["annotations"]
    assert hook["helm.sh/hook"] == "post-install,post-upgrade"
    assert hook["helm.sh/hook-delete-policy"] == "before-hook-creation"


@pytest.mark.parametrize(("high_availability", "replicas"), [(False, 1), (True, 2)])
def test_what_answers_has_replicas_and_budgets_by_availability(
    *, high_availability: bool, replicas: int
) -> None:
    settings = values(high_availability=high_availability)
    for part in ("server", "repoServer", "applicationSet"):
        assert settings[part]["replicas"] == replicas
        assert settings[part]["pdb"]["enabled"] is high_availability


def test_every_part_asks_for_resources_and_no_service_monitor_needs_a_missing_crd() -> None:
    settings = values()
    for part in ("controller", "server", "repoServer", "applicationSet", "redis"):
        assert settings[part]["resources"]["requests"]["memory"]
        assert settings[part]["resources"]["limits"]["memory"]
        assert not settings[part].get("metrics", {}).get("serviceMonitor", {}).get("enabled")


def test_the_address_follows_the_domain() -> None:
    assert values()["global"]["domain"] == "argocd.llm.example.com"
    local = values(contract=contract(domain=None))
    assert local["global"]["domain"] == "argocd-server.argocd.svc"


def test_it_runs_where_it_is_told() -> None:
    placed = values(
        node_selector={"llmp.dev/pool": "platform"}, tolerations=(Toleration(key="platform"),)
    )["global"]
    assert placed["nodeSelector"] == {"kubernetes.io/os": "linux", "llmp.dev/pool": "platform"}
    assert placed["tolerations"] == [
        {"key": "platform", "operator": "Exists", "effect": "NoSchedule"}
    ]


SIGN_IN = ArgoCdSignIn(
    issuer="https://auth.llm.example.com",
    admin_email="boss@example.com",
    admin_groups=("your-org:platform",),
)


def test_users_sign_in_at_the_identity_provider_by_a_secret_that_is_only_named() -> None:
    settings = json.loads(values(sign_in=SIGN_IN)["configs"]["cm"]["oidc.config"])
    assert settings == {
        "name": "Dex",
        "issuer": "https://auth.llm.example.com",
        "clientID": names.ARGO_CD_CLIENT,
        "clientSecret": "$argocd-sign-in:clientSecret",
        "requestedScopes": ["openid", "profile", "email", "groups"],
    }


def test_only_administrators_may_do_anything_and_everybody_else_nothing() -> None:
    rights = values(sign_in=SIGN_IN)["configs"]["rbac"]
    assert rights["policy.default"] == ""
    assert rights["policy.csv"].splitlines() == [
        'g, "boss@example.com", role:admin',
        'g, "your-org:platform", role:admin',
    ]
    assert rights["scopes"] == "[groups, email]"


def test_without_an_identity_provider_there_is_the_local_admin_alone() -> None:
    configs = values()["configs"]
    assert "oidc.config" not in configs["cm"]
    assert configs["rbac"]["policy.csv"] == ""


@pytest.mark.parametrize("sign_in", [None, SIGN_IN])
def test_the_local_admin_stays_for_the_day_when_the_identity_provider_is_down(
    sign_in: ArgoCdSignIn | None,
) -> None:
    assert values(sign_in=sign_in)["configs"]["cm"]["admin.enabled"] is True


def test_the_clusters_own_authority_is_trusted_where_it_signs_for_the_identity_provider() -> None:
    private = ArgoCdSignIn(
        issuer="https://auth.llm.example.com", admin_email="boss@example.com", trust_bundle=True
    )
    server = values(sign_in=private)["server"]
    (volume,) = server["volumes"]
    (mount,) = server["volumeMounts"]
    assert volume["configMap"]["name"] == names.TRUST_BUNDLE
    # The ConfigMap comes with the platform, after Argo CD.
    assert volume["configMap"]["optional"] is True
    assert mount["name"] == volume["name"]
    assert mount["mountPath"] in server["env"][0]["value"].split(":")
    assert "volumes" not in values(sign_in=SIGN_IN)["server"]
