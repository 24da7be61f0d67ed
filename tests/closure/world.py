"""All that a stack's Applications make, and all that they name: so that nothing is named in vain.

Our own charts are rendered by the real helm. Of upstream charts, `upstream.json` says what they
made when they were rendered with our values at the pinned version: Services with their ports, the
labels of pods, names of objects, the ports that monitors and webhooks lead to, and which images the
pods run.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from components.names import ARGO_CD_NAMESPACE
from components.platform.apps import catalogue, namespaces
from components.platform.catalogue import (
    CatalogueEntry,
    OwnChart,
    PlatformInputs,
    UpstreamChart,
)
from components.platform.network import Pods
from tests.charts.rendering import Json, render_values

UPSTREAM: Final[Mapping[str, Json]] = json.loads(
    (Path(__file__).parent / "upstream.json").read_text()
)

GIVEN_NAMESPACES: Final = frozenset(
    {
        "default",
        ARGO_CD_NAMESPACE,
        namespaces.KUBE_SYSTEM,
        "gke-managed-system",
        "gpu-operator",
    }
)
"""Namespaces that come with the cluster or the substrate."""

CLUSTER_SCOPED: Final = frozenset(
    {
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterSecretStore",
        "ClusterIssuer",
        "ClusterQueue",
        "ResourceFlavor",
        "WorkloadPriorityClass",
        "PriorityClass",
        "GatewayClass",
        "ClusterPolicy",
        "VolumeSnapshotClass",
        "ComputeClass",
        "ClusterStorageContainer",
        "StorageClass",
        "Bundle",
        "CustomResourceDefinition",
        "ClusterTriggerAuthentication",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingPolicy",
        "MutatingPolicy",
        "Cohort",
        "APIService",
        "RuntimeClass",
    }
)

ADDRESS: Final = re.compile(
    r"\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.svc\b"
    r"(?:\.cluster\.local)?(?::(\d+))?"
)

Identity = tuple[str, str, str]
"""Kind, namespace (empty where the kind has none), name."""


@dataclass(frozen=True, kw_only=True)
class PodTemplate:
    """Pods of ours: where they run, how they are labelled, and all text of what made them."""

    entry: str
    namespace: str
    labels: Mapping[str, str]
    spec: Json


@dataclass(kw_only=True)
class World:
    """One stack with everything that its Applications make."""

    inputs: PlatformInputs
    entries: tuple[CatalogueEntry, ...]
    rendered: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    """Objects of our own charts, by entry."""
    made: set[Identity] = field(default_factory=set[Identity])
    services: dict[tuple[str, str], set[int]] = field(
        default_factory=dict[tuple[str, str], set[int]]
    )
    """Ports by namespace and name; an empty set where they are not known."""
    labelled: list[tuple[str, Mapping[str, str]]] = field(
        default_factory=list[tuple[str, Mapping[str, str]]]
    )
    """Namespace and labels of every pod that can come to run."""

    @property
    def objects(self) -> Iterator[tuple[str, Json]]:
        """Every object of our own charts with the entry that makes it."""
        for entry, objects in self.rendered.items():
            for one in objects:
                yield entry, one

    def has_pods(self, pods: Pods) -> bool:
        """Return whether some pod carries these labels in this namespace."""
        wanted = pods.labels.items()
        return any(
            namespace == pods.namespace and wanted <= labels.items()
            for namespace, labels in self.labelled
        )


_render_cache: dict[tuple[str, str, str, str], list[Json]] = {}


def _rendered(entry: CatalogueEntry, source: OwnChart) -> list[Json]:
    values = json.dumps(source.values, sort_keys=True)
    key = (source.chart, values, entry.name, entry.namespace)
    if key not in _render_cache:
        _render_cache[key] = render_values(
            source.chart, source.values, release=entry.name, namespace=entry.namespace
        )
    return _render_cache[key]


def world(inputs: PlatformInputs) -> World:
    """Return a stack with all that it makes."""
    entries = catalogue(inputs)
    made = World(inputs=inputs, entries=entries)
    for entry in entries:
        if entry.create_namespace:
            made.made.add(("Namespace", "", entry.namespace))
        match entry.source:
            case OwnChart():
                objects = _rendered(entry, entry.source)
                made.rendered[entry.name] = objects
                for one in objects:
                    _add(made, entry, one)
            case UpstreamChart(pin=pin):
                _add_upstream(made, pin.chart)
            case _:
                pass
    return made


def namespace_of(entry: CatalogueEntry, one: Json) -> str:
    """Return the namespace of an object, empty where its kind has none."""
    if one["kind"] in CLUSTER_SCOPED:
        return ""
    return one["metadata"].get("namespace", entry.namespace)


def _add(made: World, entry: CatalogueEntry, one: Json) -> None:
    namespace, name, kind = namespace_of(entry, one), one["metadata"]["name"], one["kind"]
    made.made.add((kind, namespace, name))
    for follower in _controllers_make(kind, name, one):
        made.made.add((follower[0], namespace, follower[1]))
        if follower[0] == "Service":
            made.services[namespace, follower[1]] = set()
    if kind == "Service":
        made.services[namespace, name] = {port["port"] for port in one["spec"]["ports"]}
    for template in pod_templates(entry.name, namespace, one):
        made.labelled.append((template.namespace, template.labels))
    for labels in _controllers_label(kind, name):
        # What an issuer starts, it starts beside the Gateway whose certificate it is.
        made.labelled.append((namespace or namespaces.EDGE, labels))


def _controllers_make(kind: str, name: str, one: Json) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what a controller makes of an object of ours."""
    spec = one.get("spec", {})
    match kind:
        case "ExternalSecret":
            yield "Secret", spec["target"].get("name", name)
        case "Certificate":
            yield "Secret", spec["secretName"]
        case "Gateway":
            yield "Service", name
            yield "ServiceAccount", name
            yield from _certificates(one)
        case _:
            yield from _FOLLOWERS.get(kind, lambda _: ())(name)


_FOLLOWERS: Final[Mapping[str, Callable[[str], Iterable[tuple[str, str]]]]] = {
    "Cluster": lambda name: [("Service", f"{name}-{ending}") for ending in ("rw", "ro", "r")],
    "LeaderWorkerSet": lambda name: [("Service", name)],
    "InferenceService": lambda name: [("Service", f"{name}-predictor")],
    "LLMInferenceService": lambda name: [
        ("ServiceAccount", f"{name}-kserve"),
        ("Service", f"{name}-kserve-workload-svc"),
        ("InferencePool", f"{name}-inference-pool"),
    ],
    "Bundle": lambda name: [("ConfigMap", name)],
}


def _certificates(gateway: Json) -> Iterator[tuple[str, str]]:
    """Yield the Secrets that cert-manager makes for a Gateway that names its issuer."""
    annotations = gateway["metadata"].get("annotations", {})
    if any("cert-manager.io" in key for key in annotations):
        for listener in gateway["spec"]["listeners"]:
            for reference in listener.get("tls", {}).get("certificateRefs", []):
                yield "Secret", reference["name"]


def _controllers_label(kind: str, name: str) -> Iterator[Mapping[str, str]]:
    """Yield the labels of pods that a controller makes of an object of ours."""
    match kind:
        case "Gateway":
            yield {"gateway.networking.k8s.io/gateway-name": name}
        case "Cluster":
            yield {"cnpg.io/cluster": name}
        case "ClusterIssuer":
            # What answers an authority that calls the edge.
            yield {"acme.cert-manager.io/http01-solver": "true"}
        case _:
            pass


def pod_templates(entry: str, namespace: str, one: Json) -> Iterator[PodTemplate]:
    """Yield the pods of an object of ours."""
    spec = one.get("spec", {})
    kind = one["kind"]
    templates: list[Json] = []
    if kind in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
        templates.append(spec["template"])
    elif kind == "CronJob":
        templates.append(spec["jobTemplate"]["spec"]["template"])
    elif kind == "LeaderWorkerSet":
        template = spec["leaderWorkerTemplate"]
        templates += [template[name] for name in ("leaderTemplate", "workerTemplate")]
    elif kind == "InferenceService":
        predictor = spec["predictor"]
        templates.append(
            {
                "metadata": {
                    "labels": {**one["metadata"].get("labels", {}), **predictor.get("labels", {})}
                },
                "spec": predictor,
            }
        )
    elif kind == "LLMInferenceService":
        labels = one["metadata"].get("labels", {})
        templates += [
            {
                "metadata": {"labels": {**labels, **part.get("labels", {}), "llm-d.ai/role": role}},
                "spec": part["template"],
            }
            for part, role in ((spec, "decode"), (spec.get("prefill", {}), "prefill"))
            if "template" in part
        ]
    for template in templates:
        yield PodTemplate(
            entry=entry,
            namespace=namespace,
            labels=template.get("metadata", {}).get("labels", {}),
            spec=template["spec"],
        )


def _add_upstream(made: World, chart: str) -> None:
    known = UPSTREAM[chart]
    names = [model.name for model in made.inputs.models]
    for text in _expanded(known["services"], names):
        namespace, name = text[0].split("/")
        made.services[namespace, name] = set(text[1])
        made.made.add(("Service", namespace, name))
    for kind, listed in known["made"].items():
        for text, _ in _expanded(dict.fromkeys(listed), names):
            namespace, _, name = text.rpartition("/")
            made.made.add((kind, namespace, name))
    for text, labels in _expanded(known["pods"], names):
        made.labelled.append((text.split("/")[0], labels))


def _expanded(known: Mapping[str, Any], models: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield what is known, once for each model where it is of a model."""
    for text, value in known.items():
        if "{model}" not in text:
            yield text, value
            continue
        for model in models:
            filled = json.loads(json.dumps(value).replace("{model}", model))
            yield text.replace("{model}", model), filled


@cache
def crd_owner() -> Mapping[str, str]:
    """Return the entry that brings the definitions of an API group."""
    return {
        "gateway.networking.k8s.io": "gateway-api",
        "inference.networking.k8s.io": "inference-extension",
        "inference.networking.x-k8s.io": "inference-extension",
        "agentgateway.dev": "agentgateway-crds",
        "monitoring.coreos.com": "prometheus-crds",
        "cert-manager.io": "cert-manager",
        "trust.cert-manager.io": "trust-manager",
        "external-secrets.io": "external-secrets",
        "generators.external-secrets.io": "external-secrets",
        "kueue.x-k8s.io": "kueue",
        "keda.sh": "keda",
        "postgresql.cnpg.io": "cloudnative-pg",
        "kyverno.io": "kyverno",
        "policies.kyverno.io": "kyverno",
        "leaderworkerset.x-k8s.io": "leader-worker-set",
        "upgrade.cattle.io": "k3s-upgrades-crd",
    }


BUILT_IN_GROUPS: Final = frozenset(
    {
        "",
        "apps",
        "batch",
        "rbac.authorization.k8s.io",
        "networking.k8s.io",
        "policy",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "autoscaling",
        "admissionregistration.k8s.io",
        "apiregistration.k8s.io",
        # With the substrate: snapshots, and GKE's compute classes.
        "snapshot.storage.k8s.io",
        "cloud.google.com",
    }
)


def texts(value: object) -> Iterator[str]:
    """Yield every text of JSON data, keys left out."""
    if isinstance(value, Mapping):
        for inner in cast("Mapping[str, object]", value).values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in cast("Sequence[object]", value):
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def addresses(value: object) -> set[tuple[str, str, int | None]]:
    """Return namespace, Service and port of every in-cluster address in JSON data."""
    return {
        (match[2], match[1], int(match[3]) if match[3] else None)
        for text in texts(value)
        for match in ADDRESS.finditer(text)
    }
