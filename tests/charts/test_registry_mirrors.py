"""What Kyverno itself makes of pods where a substrate has mirrors of registries."""

from typing import Any, Final

import pytest

from tests.charts import kyverno_cli
from tests.charts.rendering import Json, of_kind, render
from tests.charts.values import ALL, POLICIES, POLICIES_PROD

pytestmark = pytest.mark.charts

HUB: Final = POLICIES_PROD.registry_mirrors["docker.io"]
GITHUB: Final = POLICIES_PROD.registry_mirrors["ghcr.io"]
DIGEST: Final = "@sha256:" + "a" * 64

NAMESPACES: Final[Json] = {
    "apiVersion": "cli.kyverno.io/v1alpha1",
    "kind": "Values",
    "metadata": {"name": "values"},
    "namespaceSelector": [
        {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
        for name in ("team-a", "serving", "kube-system", "kyverno")
    ],
}


def pod(*images: str, namespace: str = "team-a", **spec: Any) -> Json:  # noqa: ANN401 - any field
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": namespace, "labels": {"app": "web"}},
        "spec": {
            "containers": [
                {
                    "name": f"container-{index}",
                    "image": image,
                    "env": [{"name": "A", "value": "b"}],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                }
                for index, image in enumerate(images)
            ],
            **spec,
        },
    }


def admitted(one: Json) -> Json:
    policies = of_kind(render("policies", POLICIES_PROD, namespace="kyverno"), "MutatingPolicy")
    return kyverno_cli.mutate(policies, one, values=NAMESPACES)


def images(one: Json) -> list[str]:
    return [container["image"] for container in one["spec"]["containers"]]


@pytest.mark.parametrize(
    ("named", "pulled"),
    [
        ("nginx", f"{HUB}/library/nginx"),
        ("nginx:1.29", f"{HUB}/library/nginx:1.29"),
        ("grafana/loki:3.5", f"{HUB}/grafana/loki:3.5"),
        ("docker.io/nginx:1.29", f"{HUB}/library/nginx:1.29"),
        (f"docker.io/vllm/vllm-openai:v1{DIGEST}", f"{HUB}/vllm/vllm-openai:v1{DIGEST}"),
        (f"ghcr.io/a/b{DIGEST}", f"{GITHUB}/a/b{DIGEST}"),
        ("ghcr.io/a/b/c:v1", f"{GITHUB}/a/b/c:v1"),
    ],
)
def test_an_image_is_pulled_from_the_mirror_with_its_tag_and_digest(
    named: str, pulled: str
) -> None:
    assert images(admitted(pod(named))) == [pulled]


@pytest.mark.parametrize(
    "named",
    [
        f"{HUB}/library/nginx:1.29",
        "us-central1-docker.pkg.dev/my-project/llmp-models/qwen:v1",
        "quay.io/a/b:v1",
        "registry.example.com:5000/a/b:v1",
        "localhost/a:v1",
        "localhost:5000/a:v1",
        "docker.io.example.com/a:v1",
    ],
)
def test_an_image_from_elsewhere_keeps_its_name(named: str) -> None:
    assert images(admitted(pod(named))) == [named]


def test_every_container_is_looked_at_by_itself_and_keeps_the_rest() -> None:
    before = pod("nginx:1.29", "quay.io/a/b:v1", initContainers=[{"name": "first", "image": "a/b"}])
    after = admitted(before)
    assert images(after) == [f"{HUB}/library/nginx:1.29", "quay.io/a/b:v1"]
    assert after["spec"]["initContainers"] == [{"name": "first", "image": f"{HUB}/a/b"}]
    after["spec"]["containers"][0]["image"] = "nginx:1.29"
    after["spec"]["initContainers"][0]["image"] = "a/b"
    assert after == before


def test_a_pod_without_init_containers_and_volumes_gets_none() -> None:
    assert set(admitted(pod("nginx"))["spec"]) == {"containers"}


def test_weights_in_an_image_are_pulled_from_the_mirror_and_other_volumes_stay() -> None:
    volumes: list[Json] = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "weights", "image": {"reference": f"ghcr.io/a/b{DIGEST}", "pullPolicy": "Always"}},
    ]
    after = {one["name"]: one for one in admitted(pod("nginx", volumes=volumes))["spec"]["volumes"]}
    assert after["weights"]["image"] == {
        "reference": f"{GITHUB}/a/b{DIGEST}",
        "pullPolicy": "Always",
    }
    assert after["scratch"] == volumes[0]


def test_a_pod_with_credentials_of_its_own_pulls_from_where_they_are_for() -> None:
    one = pod("team/private:v1", imagePullSecrets=[{"name": "hub"}])
    assert admitted(one) == one


def test_pods_of_a_database_are_left_alone_because_their_operator_would_restart_them() -> None:
    one = pod("ghcr.io/cloudnative-pg/postgresql:18", namespace="serving")
    assert images(admitted(one)) == [f"{GITHUB}/cloudnative-pg/postgresql:18"]
    one["metadata"]["labels"]["cnpg.io/cluster"] = "litellm-pg"
    assert admitted(one) == one


@pytest.mark.parametrize("namespace", ["kube-system", "kyverno"])
def test_kyverno_itself_and_the_cluster_never_wait_for_kyverno(namespace: str) -> None:
    one = pod("nginx", namespace=namespace)
    assert admitted(one) == one


def test_what_makes_pods_is_never_changed_so_that_argo_cd_sees_what_is_in_git() -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "team-a"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod("nginx")["spec"]},
        },
    }
    assert admitted(deployment) == deployment
    for release, (chart, values) in ALL.items():
        assert not of_kind(render(chart, values), "Pod"), release


def test_a_mirror_that_cannot_be_asked_for_stops_no_pod() -> None:
    (policy,) = of_kind(render("policies", POLICIES_PROD), "MutatingPolicy")
    assert policy["spec"]["failurePolicy"] == "Ignore"


def test_without_mirrors_no_pod_is_changed() -> None:
    assert not of_kind(render("policies", POLICIES), "MutatingPolicy")


def test_policies_about_images_take_the_names_at_a_mirror() -> None:
    one = admitted(pod(f"docker.io/library/nginx{DIGEST}"))
    one["metadata"]["labels"] |= {"app.kubernetes.io/part-of": "llmp"}
    tenant = {
        **NAMESPACES,
        "namespaceSelector": [
            {
                "name": "team-a",
                "labels": {
                    "llmp.dev/tenant": "team-a",
                    "kubernetes.io/metadata.name": "team-a",
                },
            }
        ],
    }
    results = kyverno_cli.apply(
        of_kind(render("policies", POLICIES_PROD), "ValidatingPolicy"), [one], values=tenant
    )
    about_images = {each.policy: each.result for each in results if "image" in each.policy}
    assert about_images == {"image-versions": "pass", "image-digests": "pass"}
