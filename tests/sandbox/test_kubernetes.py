"""The cluster's manners: names, namespaces, kinds, waiting, and the order of removal."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from sandbox.provider.kubernetes import KubernetesPackage
from sandbox.provider.package import Naming, NotReadyError, ProviderError, Subject
from sandbox.provider.store import Store
from sandbox.provider.values import UNKNOWN, Properties, Secret
from tests.sandbox.conftest import Made, Provider, paths

Configured = Callable[..., Provider]

NAMESPACE = "kubernetes:core/v1:Namespace"
SECRETS = "kubernetes:core/v1:Secret"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"
RELEASE = "kubernetes:helm.sh/v3:Release"
APPLICATION = "kubernetes:argoproj.io/v1alpha1:Application"
PROJECT = "kubernetes:argoproj.io/v1alpha1:AppProject"

REPOSITORY = "https://git.example.com/platform.git"
SERVER = "https://kubernetes.default.svc"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
GATE = json.dumps(
    [
        "jsonpath={.status.health.status}=Healthy",
        "jsonpath={.status.sync.status}=Synced",
    ]
)


@pytest.fixture
def cluster(provider: Configured) -> Provider:
    """A cluster that somebody else has made."""
    return provider("kubernetes")


def _config_map(name: str = "settings", **more: object) -> Properties:
    return {"metadata": {"name": name}, "data": {"a": "b"}, **more}


def _namespace(cluster: Provider, name: str) -> Made:
    return cluster.make(NAMESPACE, {"metadata": {"name": name}}, name=name)


def _argo_cd(cluster: Provider) -> tuple[Made, Made]:
    namespace = _namespace(cluster, "argocd")
    inputs = {
        "name": "argo-cd",
        "namespace": "argocd",
        "chart": "argo-cd",
        "version": "9.0.0",
        "repositoryOpts": {"repo": "https://charts.example.com"},
    }
    return namespace, cluster.make(RELEASE, inputs, name="argo-cd")


def _project(cluster: Provider, **spec: object) -> Made:
    inputs = {
        "metadata": {"name": "platform", "namespace": "argocd"},
        "spec": {
            "sourceRepos": [REPOSITORY],
            "destinations": [{"server": SERVER, "namespace": "*"}],
            **spec,
        },
    }
    return cluster.make(PROJECT, inputs, name="project")


def _application(name: str = "one", *, gate: bool = True, **spec: object) -> Properties:
    annotations = {"pulumi.com/waitFor": GATE, "pulumi.com/timeoutSeconds": "600"}
    return {
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "finalizers": [FINALIZER],
            "annotations": annotations if gate else {},
        },
        "spec": {
            "project": "platform",
            "source": {"repoURL": REPOSITORY, "path": "charts/x", "targetRevision": "main"},
            "destination": {"server": SERVER, "namespace": "serving"},
            "syncPolicy": {"automated": {"prune": True}},
            **spec,
        },
    }


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (CONFIG_MAP, _config_map("Upper"), "metadata.name", "RFC 1123"),
    (NAMESPACE, {"metadata": {"name": "a.b"}}, "metadata.name", "at most 63"),
    (NAMESPACE, {"metadata": {"name": "n" * 64}}, "metadata.name", "at most 63"),
    (SERVICE, {"metadata": {"name": "1st"}}, "metadata.name", "letter first"),
    (SERVICE, {"spec": {"type": "Public"}}, "spec.type", "LoadBalancer"),
    (CONFIG_MAP, {"metadata": {"labels": {"a": "b c"}}}, 'metadata.labels["a"]', "63"),
    (CONFIG_MAP, {"metadata": {"labels": {"a/b/c": "d"}}}, 'metadata.labels["a/b/c"]', "DNS"),
    (CONFIG_MAP, {"metadata": {"labels": {"a": "x" * 64}}}, 'metadata.labels["a"]', "63"),
    (
        CONFIG_MAP,
        {"metadata": {"annotations": {"a": "x" * 262_144}}},
        "metadata.annotations",
        "262144",
    ),
    (CONFIG_MAP, {"data": {"a b": "c"}}, 'data["a b"]', "letters"),
    (CONFIG_MAP, {"data": {"a": 1}}, "data.a", "a string"),
    (SECRETS, {"data": {"a": "not base64!"}}, 'data["a"]', "base64"),
    (NAMESPACE, {"metadata": {"name": "a", "namespace": "b"}}, "metadata.namespace", "no namesp"),
    (DEPLOYMENT, {"spec": {"selector": {}}}, "spec.template", "required"),
    (
        DEPLOYMENT,
        {
            "spec": {
                "selector": {"matchLabels": {"app": "a"}},
                "template": {"metadata": {"labels": {"app": "b"}}},
            }
        },
        "spec.template.metadata.labels",
        "lack app",
    ),
    ("kubernetes:apps/v1:Deploiment", {}, "", "no kind Deploiment"),
    ("kubernetes:core/v1:SecretPatch", {}, "", "name the object itself"),
    (RELEASE, {"chart": "argo-cd", "version": "1"}, "chart", "repositoryOpts.repo"),
    (RELEASE, {"version": "1"}, "chart", "required"),
    (APPLICATION, {"metadata": {"nme": "x"}}, "metadata.nme", "not known"),
    (APPLICATION, {**_application(), "status": {}}, "status", "no field"),
    (APPLICATION, _application(sorce={}), "spec.sorce", "no field 'sorce'"),
    (
        APPLICATION,
        _application(source={"repoURL": "r", "path": "p", "helm": {"valueObject": {}}}),
        "spec.source.helm.valueObject",
        "valuesObject",
    ),
    (
        APPLICATION,
        _application(source={"repoURL": "r", "path": "p", "chart": "c", "targetRevision": "1"}),
        "spec.source",
        "both chart and path",
    ),
    (
        APPLICATION,
        _application(source={"repoURL": "r", "chart": "c"}),
        "spec.source.targetRevision",
        "required",
    ),
    (APPLICATION, _application(source={"path": "p"}), "spec.source.repoURL", "required"),
    (APPLICATION, _application(source=None), "spec.source", "needs source"),
    (APPLICATION, _application(destination={}), "spec.destination", "server or name"),
    (
        APPLICATION,
        _application(syncPolicy={"automated": {"prune": "yes"}}),
        "spec.syncPolicy.automated.prune",
        "boolean",
    ),
    (PROJECT, {"spec": {"sourceRepo": []}}, "spec.sourceRepo", "no field"),
    (
        APPLICATION,
        {**_application(), "metadata": {"annotations": {"pulumi.com/waitFor": "Healthy"}}},
        'metadata.annotations["pulumi.com/waitFor"]',
        "jsonpath",
    ),
    (
        APPLICATION,
        {**_application(), "metadata": {"annotations": {"pulumi.com/timeoutSeconds": "10m"}}},
        'metadata.annotations["pulumi.com/timeoutSeconds"]',
        "number of seconds",
    ),
]


@pytest.mark.parametrize(("token", "inputs", "path", "reason"), REFUSED)
def test_the_provider_refuses(
    cluster: Provider, token: str, inputs: dict[str, Any], path: str, reason: str
) -> None:
    failures = cluster.refusals(token, inputs)
    assert any(failure.path == path and reason in failure.reason for failure in failures), failures


def test_a_missing_name_is_made_up_marked_and_remembered(cluster: Provider) -> None:
    first = cluster.checked(CONFIG_MAP, {"data": {}}, name="settings")
    assert first["metadata"]["name"].startswith("settings-")
    assert first["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert cluster.checked(CONFIG_MAP, {"data": {}}, first, "settings") == first


def test_an_object_needs_its_namespace(cluster: Provider) -> None:
    inputs = {**_config_map(), "metadata": {"name": "a", "namespace": "serving"}}
    with pytest.raises(ProviderError, match='namespaces "serving" not found'):
        cluster.make(CONFIG_MAP, inputs)
    _namespace(cluster, "serving")
    assert cluster.make(CONFIG_MAP, inputs).id == "serving/a"


def test_an_object_that_exists_can_t_be_made_again(cluster: Provider) -> None:
    cluster.make(CONFIG_MAP, _config_map())
    with pytest.raises(ProviderError, match="default/settings exists already"):
        cluster.make(CONFIG_MAP, _config_map())


def test_an_object_is_kept_as_readable_yaml_without_its_secrets(
    cluster: Provider, store: Store
) -> None:
    inputs = {"metadata": {"name": "s"}, "stringData": {"password": Secret("hunter2")}}
    made = cluster.make(SECRETS, inputs)
    path = store.home / "objects" / "workshop" / "default" / "Secret.s.yaml"
    text = path.read_text(encoding="utf-8")
    assert "hunter2" not in text
    assert yaml.safe_load(text)["stringData"]["password"].startswith("(secret) sha256:")
    assert cluster.read(made) == (made.id, made.inputs, made.outputs)


def test_secret_data_is_secret_even_when_the_program_forgot(cluster: Provider) -> None:
    checked = cluster.checked(SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    assert checked["stringData"] == Secret({"a": "b"})


def test_changed_data_replaces_unless_it_may_change_in_place(
    provider: Configured, cluster: Provider
) -> None:
    made = cluster.make(CONFIG_MAP, _config_map())
    difference = cluster.diff(made, _config_map(data={"a": "c"}))
    assert [change.replaces for change in difference.changes] == [True]
    assert difference.delete_before_replace
    mutable = provider("kubernetes", enableConfigMapMutable="true")
    assert [change.replaces for change in mutable.diff(made, _config_map(data={})).changes] == [
        False
    ]


def test_a_default_namespace_spelled_out_is_no_change(cluster: Provider) -> None:
    made = cluster.make(CONFIG_MAP, _config_map())
    spelled = {**_config_map(), "metadata": {"name": "settings", "namespace": "default"}}
    assert cluster.diff(made, spelled).changes == []


def test_another_name_replaces(cluster: Provider) -> None:
    made = cluster.make(CONFIG_MAP, _config_map())
    difference = cluster.diff(made, _config_map("other"))
    assert [change.text for change in difference.changes] == ["metadata.name"]
    assert not difference.delete_before_replace


def test_an_object_that_somebody_changed_reads_as_it_is(cluster: Provider, store: Store) -> None:
    made = cluster.make(CONFIG_MAP, _config_map())
    path = store.object_path("workshop", "default", "ConfigMap", "settings")
    live = store.read_object(path)
    assert live is not None
    live["data"]["a"] = "drifted"
    with store.locked():
        store.write_object(path, live)
    _, inputs, outputs = cluster.read(made)
    assert inputs["data"] == outputs["data"] == {"a": "drifted"}


def test_a_custom_kind_needs_what_brings_it(cluster: Provider) -> None:
    _namespace(cluster, "argocd")
    with pytest.raises(ProviderError, match='no matches for kind "Application"'):
        cluster.make(APPLICATION, _application())


def test_a_custom_kind_comes_with_its_definition(cluster: Provider) -> None:
    widget = {"metadata": {"name": "w"}, "spec": {"size": 1}}
    with pytest.raises(ProviderError, match='no matches for kind "Widget"'):
        cluster.make("kubernetes:example.com/v1:Widget", widget)
    definition = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }
    cluster.make("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", definition)
    assert cluster.make("kubernetes:example.com/v1:Widget", widget).id == "w"


def test_an_automatic_application_becomes_synced_and_healthy(cluster: Provider) -> None:
    _argo_cd(cluster)
    _project(cluster)
    made = cluster.make(APPLICATION, _application(), name="one")
    assert made.outputs["status"]["health"] == {"status": "Healthy"}
    assert made.outputs["status"]["sync"]["status"] == "Synced"
    assert cluster.read(made)[2] == made.outputs


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"syncPolicy": {}}, "sync OutOfSync, health Missing"),
        ({"project": "other"}, "project other which does not exist"),
        (
            {"source": {"repoURL": "https://elsewhere.example.com/x", "path": "p"}},
            "is not permitted in project 'platform'",
        ),
        (
            {"destination": {"server": "https://10.9.9.9", "namespace": "serving"}},
            "do not match any of the allowed destinations",
        ),
    ],
)
def test_waiting_for_an_application_that_never_gets_there_fails_and_keeps_it(
    cluster: Provider, spec: dict[str, Any], reason: str, store: Store
) -> None:
    _argo_cd(cluster)
    _project(cluster)
    with pytest.raises(NotReadyError, match=reason) as caught:
        cluster.make(APPLICATION, _application(**spec), name="one")
    assert caught.value.identifier == "argocd/one"
    assert store.object_path("workshop", "argocd", "Application", "one").is_file()
    without_gate = _application("two", gate=False, **spec)
    assert cluster.make(APPLICATION, without_gate, name="two").id == "argocd/two"


def test_a_project_s_namespace_pattern_is_kept_to(cluster: Provider) -> None:
    _argo_cd(cluster)
    _project(cluster, destinations=[{"server": SERVER, "namespace": "team-*"}])
    with pytest.raises(NotReadyError, match="namespace serving do not match"):
        cluster.make(APPLICATION, _application(), name="one")
    team = _application("two", destination={"server": SERVER, "namespace": "team-a"})
    assert cluster.make(APPLICATION, team, name="two").id


def test_an_application_outside_argo_cd_s_namespace_is_never_looked_at(cluster: Provider) -> None:
    _argo_cd(cluster)
    _project(cluster)
    inputs = _application()
    inputs["metadata"]["namespace"] = "default"
    with pytest.raises(NotReadyError, match="is not ready after 600 seconds"):
        cluster.make(APPLICATION, inputs, name="one")


def test_an_application_that_degrades_fails_its_gate(
    cluster: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    _argo_cd(cluster)
    _project(cluster)
    monkeypatch.setenv("LLMP_SANDBOX_DEGRADED", "one")
    with pytest.raises(NotReadyError, match="health Degraded"):
        cluster.make(APPLICATION, _application(), name="one")


def test_argo_cd_goes_after_its_applications(cluster: Provider) -> None:
    namespace, release = _argo_cd(cluster)
    project = _project(cluster)
    application = cluster.make(APPLICATION, _application(), name="one")
    with pytest.raises(ProviderError, match="while Applications live: one"):
        cluster.remove(release)
    with pytest.raises(ProviderError, match="while Applications live in it: one"):
        cluster.remove(namespace)
    for made in (application, project, release, namespace):
        cluster.remove(made)


def test_an_application_that_outlives_argo_cd_would_hang(cluster: Provider, store: Store) -> None:
    _argo_cd(cluster)
    _project(cluster)
    application = cluster.make(APPLICATION, _application(), name="one")
    with store.locked():
        path = store.object_path("workshop", "argocd", "Release", "argo-cd")
        store.remove_object(path)
    with pytest.raises(ProviderError, match="would hang"):
        cluster.remove(application)


def test_a_project_that_goes_before_its_applications_would_hang(cluster: Provider) -> None:
    _argo_cd(cluster)
    project = _project(cluster)
    application = cluster.make(APPLICATION, _application(), name="one")
    with pytest.raises(ProviderError, match="the Application one still belongs to it"):
        cluster.remove(project)
    for made in (application, project):
        cluster.remove(made)


def test_a_namespace_takes_its_objects_along(cluster: Provider) -> None:
    namespace = _namespace(cluster, "serving")
    inputs = {**_config_map(), "metadata": {"name": "a", "namespace": "serving"}}
    made = cluster.make(CONFIG_MAP, inputs)
    cluster.remove(namespace)
    assert cluster.read(made)[0] == ""
    cluster.remove(made)


def _kubeconfig(server: str) -> str:
    return json.dumps(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "main", "user": "u"}}],
            "clusters": [{"name": "main", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "hunter2"}}],
        }
    )


def test_a_cluster_that_is_gone_can_t_be_reached(provider: Configured, store: Store) -> None:
    with store.locked():
        store.save_counters({"address-gcp": 5})
    kubeconfig = Secret(_kubeconfig("https://198.18.0.4"))
    gone = provider("kubernetes", kubeconfig=kubeconfig, context=None)
    with pytest.raises(ProviderError, match="removed before its objects"):
        gone.make(CONFIG_MAP, _config_map())


def test_a_cluster_that_another_sandbox_made_is_there(provider: Configured) -> None:
    kubeconfig = _kubeconfig("https://198.18.0.4")
    other = provider("kubernetes", kubeconfig=kubeconfig, context=None)
    assert other.make(CONFIG_MAP, _config_map()).id == "default/settings"


def test_a_foreign_cluster_may_have_argo_cd_already(
    provider: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMP_SANDBOX_CLUSTER_HAS", "argo-cd")
    cluster = provider("kubernetes")
    _project(cluster)
    assert cluster.make(APPLICATION, _application(), name="one").id == "argocd/one"


@pytest.mark.parametrize(
    ("kubeconfig", "reason"),
    [
        ("not: [valid", "neither YAML nor the path"),
        ("a: 1\nb: 2\n", "no current-context"),
        (_kubeconfig("198.18.0.4"), "no server URL"),
        (_kubeconfig("https://1.2.3.4").replace('"name": "c"', '"name": "d"'), "no entry 'c'"),
        (_kubeconfig("https://1.2.3.4").replace('"name": "u"', '"name": "v"'), "no entry 'u'"),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_refused(kubeconfig: str, reason: str) -> None:
    served = KubernetesPackage()
    with pytest.raises(ProviderError, match=reason) as caught:
        served.configure({"kubeconfig": Secret(kubeconfig)})
    assert "hunter2" not in str(caught.value)
    assert paths(served.check_config({"kubeconfig": kubeconfig})) == {"kubeconfig"}


def test_another_cluster_replaces_everything_and_new_credentials_nothing() -> None:
    served = KubernetesPackage()
    old = {"kubeconfig": _kubeconfig("https://1.2.3.4")}
    elsewhere = served.diff_config(old, {"kubeconfig": _kubeconfig("https://4.3.2.1")})
    assert [change.replaces for change in elsewhere.changes] == [True]
    fresh = {"kubeconfig": old["kubeconfig"].replace("hunter2", "hunter3")}
    assert [change.replaces for change in served.diff_config(old, fresh).changes] == [False]
    identified = {**old, "clusterIdentifier": "main"}
    moved = {"kubeconfig": _kubeconfig("https://4.3.2.1"), "clusterIdentifier": "main"}
    assert not any(change.replaces for change in served.diff_config(identified, moved).changes)


def test_a_preview_needs_no_cluster() -> None:
    served = KubernetesPackage()
    served.configure({"kubeconfig": UNKNOWN})
    subject = Subject(token=NAMESPACE, name="n")
    inputs, failures = served.check(subject, {}, {"metadata": {"name": "n"}}, Naming())
    assert failures == []
    _, outputs = served.create(subject, inputs, preview=True)
    assert outputs["metadata"]["name"] == "n"
    assert outputs["status"] is UNKNOWN
