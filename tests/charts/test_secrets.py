"""The secrets chart: made once, never replaced, read by those who are listed."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from components.platform.values.secrets import (
    ConsumerSecret,
    GeneratedSecret,
    SecretEntry,
    SecretStoreReference,
    SecretStoreValues,
    SecretsValues,
)
from tests.charts.rendering import HelmError, of_kind, only, render, render_values
from tests.charts.values import (
    SECRETS_AT_GOOGLE,
    SECRETS_BY_FEDERATION,
    SECRETS_IN_CLUSTER,
)

pytestmark = pytest.mark.charts

BOTH = pytest.mark.parametrize(
    "values", [SECRETS_IN_CLUSTER, SECRETS_AT_GOOGLE], ids=["kubernetes", "google"]
)


@BOTH
def test_a_generated_secret_is_pushed_once_and_only_where_there_is_none(
    values: SecretsValues,
) -> None:
    pushed = of_kind(render("secrets", values), "PushSecret")
    assert len(pushed) == 2
    for one in pushed:
        assert one["spec"]["updatePolicy"] == "IfNotExists"
        assert one["spec"]["deletionPolicy"] == "None"
        assert one["spec"]["refreshInterval"] == "0s"
        assert one["spec"]["selector"]["generatorRef"]["name"] == one["metadata"]["name"]


def test_a_generated_value_has_letters_and_digits_only() -> None:
    for one in of_kind(render("secrets", SECRETS_IN_CLUSTER), "Password"):
        assert one["spec"]["symbols"] == 0
        assert one["spec"]["length"] == 48


def test_the_master_key_starts_as_litellm_demands_and_the_salt_with_nothing() -> None:
    objects = render("secrets", SECRETS_IN_CLUSTER)
    template = {
        name: only(objects, "PushSecret", name)["spec"]["template"]["data"]["value"]
        for name in ("litellm-master-key", "litellm-salt-key")
    }
    assert template == {
        "litellm-master-key": "sk-{{ .password }}",
        "litellm-salt-key": "{{ .password }}",
    }


def test_the_kubernetes_store_names_a_key_on_both_ways() -> None:
    objects = render("secrets", SECRETS_IN_CLUSTER)
    (push,) = only(objects, "PushSecret", "litellm-salt-key")["spec"]["data"]
    assert push["match"]["remoteRef"] == {"remoteKey": "litellm-salt-key", "property": "value"}
    assert "metadata" not in push
    (fetched,) = only(objects, "ExternalSecret", "vllm-api-key")["spec"]["data"]
    assert fetched["remoteRef"]["property"] == "value"


def test_secret_manager_gets_no_key_and_keeps_the_labels_of_whoever_made_the_secret() -> None:
    objects = render("secrets", SECRETS_AT_GOOGLE)
    (push,) = only(objects, "PushSecret", "litellm-salt-key")["spec"]["data"]
    assert push["match"]["remoteRef"] == {"remoteKey": "lab-litellm-salt-key"}
    assert push["metadata"]["spec"] == {"mergePolicy": "Merge"}
    (fetched,) = only(objects, "ExternalSecret", "vllm-api-key")["spec"]["data"]
    assert "property" not in fetched["remoteRef"]
    assert fetched["remoteRef"]["key"] == "lab-vllm-api-key"


def test_the_store_at_google_uses_the_identity_of_the_pod() -> None:
    store = only(render("secrets", SECRETS_AT_GOOGLE), "ClusterSecretStore")
    assert store["spec"]["provider"] == {
        "gcpsm": {"projectID": "my-project", "secretVersionSelectionPolicy": "LatestOrFail"}
    }


def test_the_store_in_the_cluster_can_do_no_more_than_read_and_write_secrets_in_one_place() -> None:
    objects = render("secrets", SECRETS_IN_CLUSTER, namespace="external-secrets")
    provider = only(objects, "ClusterSecretStore")["spec"]["provider"]["kubernetes"]
    account = only(objects, "ServiceAccount")["metadata"]
    assert provider["remoteNamespace"] == account["namespace"] == "llmp-secret-store"
    assert provider["auth"]["serviceAccount"] == {
        "name": account["name"],
        "namespace": account["namespace"],
    }
    assert provider["server"]["caProvider"]["namespace"] == account["namespace"]
    role = only(objects, "Role")
    assert role["metadata"]["namespace"] == "llmp-secret-store"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "update"]}
    ]
    assert of_kind(objects, "ClusterRole") == []


def test_argo_cd_never_deletes_the_namespace_that_holds_the_secrets() -> None:
    namespace = only(render("secrets", SECRETS_IN_CLUSTER), "Namespace")["metadata"]
    options = namespace["annotations"]["argocd.argoproj.io/sync-options"].split(",")
    assert set(options) == {"Prune=false", "Delete=false"}


def test_a_namespace_that_outlives_its_store_is_no_difference() -> None:
    namespace = only(render("secrets", SECRETS_IN_CLUSTER), "Namespace")["metadata"]
    assert namespace["annotations"]["argocd.argoproj.io/compare-options"] == "IgnoreExtraneous"


@BOTH
def test_only_the_listed_namespaces_and_the_releases_own_can_use_the_store(
    values: SecretsValues,
) -> None:
    store = only(render("secrets", values, namespace="external-secrets"), "ClusterSecretStore")
    assert store["spec"]["conditions"] == [
        {"namespaces": ["litellm", "serving", "external-secrets"]}
    ]


@BOTH
def test_every_default_that_external_secrets_fills_in_is_written_out(values: SecretsValues) -> None:
    for one in of_kind(render("secrets", values), "ExternalSecret"):
        assert one["apiVersion"] == "external-secrets.io/v1"
        assert one["spec"]["refreshInterval"] == "1h0m0s"
        target = one["spec"]["target"]
        assert (target["creationPolicy"], target["deletionPolicy"]) == ("Owner", "Retain")
        assert target["template"]["engineVersion"] == "v2"
        for entry in one["spec"]["data"]:
            assert {key: entry["remoteRef"][key] for key in sorted(entry["remoteRef"])} == {
                **entry["remoteRef"],
                "conversionStrategy": "Default",
                "decodingStrategy": "None",
                "metadataPolicy": "None",
                "nullBytePolicy": "Ignore",
            }


@pytest.mark.parametrize(
    ("minutes", "text"), [(5, "5m0s"), (60, "1h0m0s"), (90, "1h30m0s"), (1440, "24h0m0s")]
)
def test_an_interval_is_spelled_as_kubernetes_spells_it(minutes: int, text: str) -> None:
    values = SECRETS_IN_CLUSTER.model_copy(update={"refresh_minutes": minutes})
    external = only(render("secrets", values), "ExternalSecret", "vllm-api-key")
    assert external["spec"]["refreshInterval"] == text


def test_the_database_gets_its_credentials_in_the_type_that_the_operator_takes() -> None:
    template = only(render("secrets", SECRETS_IN_CLUSTER), "ExternalSecret", "litellm-pg-app")[
        "spec"
    ]["target"]["template"]
    assert template["type"] == "kubernetes.io/basic-auth"
    assert template["data"] == {"username": "litellm"}
    assert template["mergePolicy"] == "Merge"


def test_a_consumers_secret_carries_the_labels_that_its_reader_looks_for() -> None:
    template = only(render("secrets", SECRETS_IN_CLUSTER), "ExternalSecret", "vllm-api-key")[
        "spec"
    ]["target"]["template"]
    assert template["metadata"] == {"labels": {"example.com/part": "serving"}}


def test_a_hashed_key_holds_the_hash_in_place_of_what_was_fetched() -> None:
    consumer = ConsumerSecret(
        name="clients",
        namespace="identity",
        entries=(
            SecretEntry(key="PLAIN", remote_id="plain"),
            SecretEntry(key="admin.hash", remote_id="password", hashed="bcrypt"),
        ),
        literals={"user": "admin"},
    )
    spec = only(render("secrets", SecretsValues(consumers=(consumer,))), "ExternalSecret")["spec"]
    # External Secrets: what the template makes has precedence over what was fetched.
    assert spec["target"]["template"]["mergePolicy"] == "Merge"
    assert spec["target"]["template"]["data"] == {
        "admin.hash": '{{ index . "admin.hash" | bcrypt }}',
        "user": "admin",
    }
    assert [one["secretKey"] for one in spec["data"]] == ["PLAIN", "admin.hash"]


def test_a_release_with_consumers_alone_makes_no_store() -> None:
    values = SecretsValues(consumers=SECRETS_IN_CLUSTER.consumers)
    assert {one["kind"] for one in render("secrets", values)} == {"ExternalSecret"}


def test_the_default_renders_nothing() -> None:
    assert render("secrets", SecretsValues()) == []


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: SecretStoreValues(
                provider="google-secret-manager", consumer_namespaces=("litellm",)
            ),
            "needs the project",
        ),
        (
            lambda: SecretsValues(
                reference=SecretStoreReference(provider="google-secret-manager"),
                store=SecretStoreValues(consumer_namespaces=("litellm",)),
            ),
            "must be the same",
        ),
        (lambda: GeneratedSecret(remote_id="short", length=8), "greater than or equal to 14"),
        (
            lambda: ConsumerSecret(
                name="x",
                namespace="y",
                entries=(SecretEntry(key="a", remote_id="b"), SecretEntry(key="a", remote_id="c")),
            ),
            "fills a key twice",
        ),
        (
            lambda: ConsumerSecret(
                name="x",
                namespace="y",
                type="kubernetes.io/basic-auth",
                entries=(SecretEntry(key="password", remote_id="b"),),
            ),
            "needs the keys username and password",
        ),
    ],
)
def test_values_that_could_not_work_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build()


def test_helm_refuses_a_store_at_google_without_its_project() -> None:
    values = SECRETS_AT_GOOGLE.to_values()
    del values["store"]["project"]
    with pytest.raises(HelmError, match="missing property 'project'"):
        render_values("secrets", values)


def test_a_cluster_that_is_not_googles_proves_itself_by_a_token_and_never_by_a_key() -> None:
    (store,) = of_kind(
        render("secrets", SECRETS_BY_FEDERATION, namespace="external-secrets"), "ClusterSecretStore"
    )
    provider = (
        "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/"
        "llmp-cluster/providers/kubernetes"
    )
    assert store["spec"]["provider"]["gcpsm"]["auth"] == {
        "workloadIdentityFederation": {
            "audience": provider,
            "serviceAccountRef": {
                "name": "external-secrets",
                "namespace": "external-secrets",
                "audiences": [f"https:{provider}"],
            },
        }
    }
    (at_google,) = of_kind(render("secrets", SECRETS_AT_GOOGLE), "ClusterSecretStore")
    assert "auth" not in at_google["spec"]["provider"]["gcpsm"]
