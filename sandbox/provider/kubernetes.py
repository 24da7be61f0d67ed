"""The kubernetes provider: objects and Helm releases in the clusters of the sandbox."""

import datetime as dt
import os
import secrets
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from sandbox.provider import argocd, waits
from sandbox.provider.check import Failure, check_types
from sandbox.provider.cluster import RELEASE_KIND, Cluster, chart_name
from sandbox.provider.diff import compare
from sandbox.provider.kubeconfig import KubeconfigError, Target, read
from sandbox.provider.objects import (
    check_content,
    check_metadata,
    name_problem,
    observed,
    split_token,
)
from sandbox.provider.package import (
    Difference,
    Naming,
    NotReadyError,
    Package,
    ProviderError,
    Subject,
)
from sandbox.provider.rules import load
from sandbox.provider.sdk_types import ObjectOf, Property, Scalar
from sandbox.provider.store import Store, redact, restore
from sandbox.provider.templates import Scope, fill
from sandbox.provider.values import (
    UNKNOWN,
    Properties,
    as_dict,
    has_unknown,
    lookup,
    mark_secret,
    merged,
    plain,
    reveal,
    without_nulls,
)

_RELEASE = "kubernetes:helm.sh/v3:Release"
_RELEASE_NAME_MAXIMUM = 53  # Helm docs, "Naming and formatting": 63 less room for suffixes
_AUTONAMED = "pulumi.com/autonamed"
_DEFAULT_NAMESPACE = "default"
_METADATA = ObjectOf("meta/v1", "ObjectMetaArgs")
_SECRET_FIELDS = {"Secret": ("data", "stringData")}
_SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp")


class KubernetesPackage(Package):
    """Keeps objects as YAML files, with the manners of an API server."""

    def __init__(self) -> None:
        """Load the tables."""
        super().__init__("kubernetes")
        self.tables = load("kubernetes").tables
        self.config: Properties = {}

    @cached_property
    def store(self) -> Store:
        """The folder of what exists; opened when it is first needed."""
        return Store.of_cluster()

    # --- configuration --------------------------------------------------------------------------

    def check_config(self, config: Properties) -> list[Failure]:
        """Check that a kubeconfig that is given leads to a cluster."""
        failures = super().check_config(config)
        try:
            _target(config)
        except KubeconfigError as error:
            failures.append(Failure("kubeconfig", str(error)))
        return failures

    def diff_config(self, old: Properties, new: Properties) -> Difference:
        """Ask for a replacement of everything when another cluster is meant."""
        changes = compare(old, new)
        if not changes:
            return Difference()
        same_identity = reveal(old.get("clusterIdentifier")) is not None and reveal(
            old.get("clusterIdentifier")
        ) == reveal(new.get("clusterIdentifier"))
        keys = frozenset(["clusterIdentifier"])
        if not same_identity and _leads_elsewhere(old, new):
            keys = frozenset(["clusterIdentifier", "kubeconfig", "context", "cluster"])
        if old.get("clusterIdentifier") is None or new.get("clusterIdentifier") is None:
            keys -= {"clusterIdentifier"}
        return Difference(changes=compare(old, new, immutable=keys))

    def configure(self, config: Properties) -> None:
        """Take the configuration. Raises ProviderError for a kubeconfig that leads nowhere."""
        try:
            _target(config)
        except KubeconfigError as error:
            raise ProviderError(str(error)) from error
        self.config = config

    def _cluster(self) -> Cluster:
        try:
            target = _target(self.config)
        except KubeconfigError as error:
            raise ProviderError(str(error)) from error
        if target is UNKNOWN:
            raise ProviderError("the kubeconfig is not known yet, so the cluster can't be reached")
        if target is None:
            # The machine's own kubeconfig is none of the sandbox's business: a context that it is
            # asked to use stands for a cluster that exists.
            context = str(plain(self.config.get("context")) or "sandbox")
            found = Target(name=context, server=f"https://{context}.invalid:6443")
            return Cluster(self.store, found, foreign=True)
        return Cluster(self.store, cast("Target", target), foreign=False)

    def _flag(self, name: str) -> bool:
        return str(plain(self.config.get(name))).lower() == "true"

    def _namespace(self) -> str:
        return str(plain(self.config.get("namespace")) or _DEFAULT_NAMESPACE)

    # --- Check ----------------------------------------------------------------------------------

    def check(
        self, subject: Subject, olds: Properties, news: Properties, naming: Naming
    ) -> tuple[Properties, list[Failure]]:
        """Complete an object and report everything that is wrong with it."""
        version, kind = split_token(subject.token)
        problem = self._type_problem(subject.token, version, kind)
        if problem:
            return news, [Failure("", problem)]
        inputs = cast("Properties", without_nulls(news))
        declared = self.sdk.resource(subject.token)
        if subject.token == _RELEASE and declared is not None:
            return self._check_release(declared.inputs, subject, olds, inputs, naming)
        inputs["apiVersion"], inputs["kind"] = version, kind
        if declared is not None:
            failures = check_types(self.sdk, declared.inputs, inputs)
        else:
            failures = self._check_custom(version, kind, inputs)
        if not failures:
            self._give_name(subject, olds, inputs, naming)
            failures.extend(check_metadata(kind, inputs))
            failures.extend(check_content(kind, inputs))
        for path in _SECRET_FIELDS.get(kind, ()):
            mark_secret(inputs, path)
        return inputs, failures

    def _type_problem(self, token: str, version: str, kind: str) -> str | None:
        group = version.rpartition("/")[0]
        if self.sdk.resource(token) is not None:
            if kind.endswith(("Patch", "List")) and self.sdk.resource(
                token.removesuffix("Patch").removesuffix("List")
            ):
                return f"the sandbox has no {kind}: name the object itself"
            return None
        if "." not in group or (group.endswith(".k8s.io") and self.sdk.has_group(group)):
            return f"pulumi_kubernetes {self.version} has no kind {kind} in {version}"
        return None

    def _check_custom(self, version: str, kind: str, inputs: Properties) -> list[Failure]:
        shape: dict[str, Property] = {
            key: Property(Scalar("any"), required=False) for key in inputs
        }
        shape["metadata"] = Property(_METADATA, required=False)
        failures = check_types(self.sdk, shape, inputs)
        if version.startswith(f"{argocd.GROUP}/") and kind in ("Application", "AppProject"):
            allowed = ("apiVersion", "kind", "metadata", "spec", "operation")
            failures.extend(
                Failure(key, f"an {kind} has no field {key!r}")
                for key in inputs
                if key not in allowed
            )
            failures.extend(argocd.check_spec(kind, inputs.get("spec")))
        return failures

    def _give_name(
        self, subject: Subject, olds: Properties, inputs: Properties, naming: Naming
    ) -> None:
        metadata = dict(as_dict(reveal(inputs.get("metadata"))) or {})
        inputs["metadata"] = metadata
        if "name" in metadata or "generateName" in metadata or naming.disabled:
            return
        old = as_dict(lookup(olds, "metadata")) or {}
        annotations = as_dict(reveal(old.get("annotations"))) or {}
        if plain(annotations.get(_AUTONAMED)) == "true" and isinstance(old.get("name"), str):
            metadata["name"] = old["name"]
        else:
            metadata["name"] = naming.proposal or f"{subject.name}-{naming.digits(8)}"
        given = as_dict(reveal(metadata.get("annotations"))) or {}
        metadata["annotations"] = merged(given, {_AUTONAMED: "true"})

    def _check_release(
        self,
        declared: dict[str, Property],
        subject: Subject,
        olds: Properties,
        inputs: Properties,
        naming: Naming,
    ) -> tuple[Properties, list[Failure]]:
        failures = check_types(self.sdk, declared, inputs)
        inputs.setdefault("namespace", self._namespace())
        if "name" not in inputs and not naming.disabled:
            remembered = olds.get("name") if olds.get("__autonamed") else None
            inputs["name"] = remembered or naming.proposal or (f"{subject.name}-{naming.digits(8)}")
            inputs["__autonamed"] = True
        name = plain(inputs.get("name"))
        if isinstance(name, str) and (
            name_problem("Service", name) or len(name) > _RELEASE_NAME_MAXIMUM
        ):
            failures.append(
                Failure("name", f"{name!r} is not a release name: a DNS label of at most 53")
            )
        chart = plain(inputs.get("chart"))
        if isinstance(chart, str):
            repository = lookup(inputs, "repositoryOpts.repo")
            local = chart.startswith((".", "/")) or "://" in chart
            if repository is None and not local:
                reason = f"{chart!r} needs repositoryOpts.repo, a path, or oci://"
                failures.append(Failure("chart", reason))
            if not local and plain(inputs.get("version")) is None and "devel" not in inputs:
                inputs_version = "is not given: the newest chart would be taken, which changes"
                failures.append(Failure("version", inputs_version))
        return inputs, failures

    # --- Diff -----------------------------------------------------------------------------------

    def diff(
        self, subject: Subject, identifier: str, old: Properties, new: Properties
    ) -> Difference:
        """Compare old and new inputs; what the API server holds fixed asks for a replacement."""
        del identifier
        version, kind = split_token(subject.token)
        key = f"{version}/{kind}"
        immutable = ["metadata.name", "metadata.namespace", *self.tables["immutable"].get(key, [])]
        settings = {"v1/Secret": "enableSecretMutable", "v1/ConfigMap": "enableConfigMapMutable"}
        if key in settings and (
            not self._flag(settings[key]) or plain(new.get("immutable")) is True
        ):
            immutable.extend(self.tables["immutable_content"][key])
        changes = compare(
            self._canonical(subject.token, kind, old),
            self._canonical(subject.token, kind, new),
            immutable=immutable,
        )
        replaces = any(change.replaces for change in changes)
        annotations = as_dict(lookup(new, "metadata.annotations")) or {}
        autonamed = plain(annotations.get(_AUTONAMED)) == "true"
        same_place = all(
            lookup(old, path) == lookup(new, path)
            for path in ("metadata.name", "metadata.namespace")
        )
        named = subject.token != _RELEASE and not autonamed
        return Difference(changes=changes, delete_before_replace=replaces and named and same_place)

    def _canonical(self, token: str, kind: str, inputs: Properties) -> Properties:
        if token == _RELEASE:
            return inputs
        metadata = dict(as_dict(reveal(inputs.get("metadata"))) or {})
        if kind not in self.tables["cluster_scoped"]:
            metadata.setdefault("namespace", self._namespace())
        return merged(inputs, {"metadata": metadata})

    # --- Create, Read, Update, Delete -----------------------------------------------------------

    def create(
        self, subject: Subject, inputs: Properties, *, preview: bool
    ) -> tuple[str, Properties]:
        """Make an object; wait, in appearance, for what its annotations ask for."""
        if preview:
            return "", self._foresee(subject.token, inputs)
        store, token = self.store, subject.token
        with store.operation("create", token, subject.name) as entry:
            store.count_create(subject.name)
            cluster = self._cluster()
            cluster.require()
            cluster.settle()
            scoped = self._admit(cluster, token, inputs)
            live = self._born(token, inputs, scoped=scoped)
            identifier, path = self._place(cluster, live)
            entry.identifier = identifier
            if path.is_file() and not self._flag("upsertExistingObjects"):
                raise ProviderError(f"{live['kind']} {identifier} exists already")
            self._govern(cluster, live)
            outputs = self._keep(cluster, token, inputs, live, path)
            entry.failure = _not_ready(live)
        if entry.failure is not None:
            raise NotReadyError(identifier, outputs, inputs, [entry.failure])
        return identifier, outputs

    def read(
        self, subject: Subject, identifier: str, inputs: Properties, outputs: Properties
    ) -> tuple[str, Properties, Properties]:
        """Return an object as it is now; what Argo CD reports is brought up to date."""
        with self.store.locked():
            cluster = self._cluster()
            cluster.require()
            path = self._path(cluster, subject.token, identifier)
            live = self.store.read_object(path)
            if live is None:
                return "", {}, {}
            if live.get("kind") == "Application":
                now = _now()
                status = cluster.application_status(live, now)
                before = as_dict(live.get("status"))
                if status is not None and (
                    before is None or not argocd.same_report(before, status)
                ):
                    live["status"] = status
                    self.store.write_object(path, live)
        found = _release_outputs(live) if subject.token == _RELEASE else live
        found = cast("Properties", restore(found, outputs))
        asked = {key: value for key, value in inputs.items() if not key.startswith("__")}
        kept = {key: value for key, value in inputs.items() if key.startswith("__")}
        if not asked:
            return identifier, _inputs_of(subject.token, found), found
        return identifier, merged(cast("Properties", observed(asked, found)), kept), found

    def update(
        self,
        subject: Subject,
        identifier: str,
        outputs: Properties,
        inputs: Properties,
        *,
        preview: bool,
    ) -> Properties:
        """Change an object in place."""
        if preview:
            foreseen = self._foresee(subject.token, inputs)
            kept = as_dict(reveal(outputs.get("status")))
            return merged(foreseen, {"status": kept}) if kept is not None else foreseen
        store, token = self.store, subject.token
        with store.operation("update", token, subject.name, identifier) as entry:
            cluster = self._cluster()
            cluster.require()
            path = self._path(cluster, token, identifier)
            before = store.read_object(path)
            if before is None:
                raise ProviderError(f"{identifier} does not exist any more")
            scoped = self._admit(cluster, token, inputs)
            live = self._grown(token, inputs, before, scoped=scoped)
            self._govern(cluster, live)
            changed = self._keep(cluster, token, inputs, live, path)
            entry.failure = _not_ready(live)
        if entry.failure is not None:
            raise NotReadyError(identifier, changed, inputs, [entry.failure])
        return changed

    def delete(self, subject: Subject, identifier: str, outputs: Properties) -> None:
        """Remove an object, unless something in the cluster would hang or break."""
        del outputs
        store = self.store
        with store.operation("delete", subject.token, subject.name, identifier):
            cluster = self._cluster()
            cluster.require()
            path = self._path(cluster, subject.token, identifier)
            live = store.read_object(path)
            if live is not None:
                self._release_hold(cluster, live)
                store.remove_object(path)
                self._clean_up(cluster, live)

    # --- parts of the above ---------------------------------------------------------------------

    def _foresee(self, token: str, inputs: Properties) -> Properties:
        result = {key: value for key, value in inputs.items() if not key.startswith("__")}
        declared = self.sdk.resource(token)
        if declared is not None and "status" in declared.outputs and "status" not in result:
            result["status"] = UNKNOWN
        if token != _RELEASE:
            metadata = dict(as_dict(reveal(result.get("metadata"))) or {})
            _, kind = split_token(token)
            if declared is not None and kind not in self.tables["cluster_scoped"]:
                metadata.setdefault("namespace", self._namespace())
            metadata.setdefault("uid", UNKNOWN)
            result["metadata"] = metadata
        return result

    def _admit(self, cluster: Cluster, token: str, inputs: Properties) -> bool:
        """Return whether the kind has a namespace. Raises ProviderError when it is not known."""
        if has_unknown(inputs):
            raise ProviderError("an input is still not known")
        version, kind = split_token(token)
        if token == _RELEASE:
            return True
        if self.sdk.resource(token) is None:
            return cluster.custom_scope(version, kind) == "Namespaced"
        return kind not in self.tables["cluster_scoped"]

    def _born(self, token: str, inputs: Properties, *, scoped: bool) -> Properties:
        live = self._as_object(token, inputs, scoped=scoped)
        metadata = cast("Properties", live["metadata"])
        if "name" not in metadata:
            metadata["name"] = f"{plain(metadata['generateName'])}{secrets.token_hex(3)[:5]}"
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = _now()
        metadata["generation"] = 1
        metadata["resourceVersion"] = str(self.store.next_number("resource-version", 1_001))
        self._add_status(live)
        return live

    def _grown(
        self, token: str, inputs: Properties, before: Properties, *, scoped: bool
    ) -> Properties:
        live = self._as_object(token, inputs, scoped=scoped)
        metadata = cast("Properties", live["metadata"])
        old = cast("Properties", before["metadata"])
        for key in (*_SERVER_FIELDS, "name"):
            if key in old:
                metadata[key] = old[key]
        if redact(live.get("spec")) != before.get("spec"):
            metadata["generation"] = int(old.get("generation", 1)) + 1
        metadata["resourceVersion"] = str(self.store.next_number("resource-version", 1_001))
        if "status" in before:
            live["status"] = before["status"]
        if token == _RELEASE:
            status = cast("Properties", live["status"])
            status["revision"] = int(status.get("revision", 1)) + 1
            status["version"] = plain(inputs.get("version"))
        return live

    def _as_object(self, token: str, inputs: Properties, *, scoped: bool) -> Properties:
        if token == _RELEASE:
            spec = {
                key: value
                for key, value in inputs.items()
                if key not in ("name", "namespace") and not key.startswith("__")
            }
            return {
                "apiVersion": "helm.sh/v3",
                "kind": RELEASE_KIND,
                "metadata": {
                    "name": plain(inputs["name"]),
                    "namespace": plain(inputs["namespace"]),
                },
                "spec": spec,
            }
        live = {"apiVersion": inputs["apiVersion"], "kind": inputs["kind"]}
        metadata = dict(as_dict(reveal(inputs.get("metadata"))) or {})
        if scoped:
            metadata.setdefault("namespace", self._namespace())
        else:
            metadata.pop("namespace", None)
        live["metadata"] = metadata
        for key, value in inputs.items():
            if key not in live and not key.startswith("__"):
                live[key] = value
        return live

    def _add_status(self, live: Properties) -> None:
        kind = str(live["kind"])
        identifier = str(lookup(live, "metadata.uid"))
        scope = Scope(live, identifier, self._allocate)
        template = cast("dict[str, Any]", self.tables["status"]).get(kind)
        if template is not None:
            live["status"] = fill(template, scope)
        if kind == "Service" and lookup(live, "spec.type") == "LoadBalancer":
            live["status"] = {"loadBalancer": {"ingress": [{"ip": self._allocate("service")}]}}
        if kind == RELEASE_KIND:
            live["status"] = {
                "name": plain(lookup(live, "metadata.name")),
                "namespace": plain(lookup(live, "metadata.namespace")),
                "chart": chart_name(live),
                "version": plain(lookup(live, "spec.version")),
                "revision": 1,
                "status": "deployed",
            }

    def _allocate(self, family: str) -> str:
        number = self.store.next_number(f"address-{family}")
        return f"203.0.113.{number % 250 + 1}"

    def _place(self, cluster: Cluster, live: Properties) -> tuple[str, Path]:
        name = str(plain(lookup(live, "metadata.name")))
        namespace = str(plain(lookup(live, "metadata.namespace")) or "")
        kind = str(live["kind"])
        creates = kind == RELEASE_KIND and lookup(live, "spec.createNamespace") is True
        if namespace and not cluster.has_namespace(namespace):
            if not creates:
                raise ProviderError(f'namespaces "{namespace}" not found')
            path = cluster.store.object_path(cluster.name, "", "Namespace", namespace)
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            cluster.store.write_object(path, merged(space, {"status": {"phase": "Active"}}))
        identifier = f"{namespace}/{name}" if namespace else name
        return identifier, cluster.store.object_path(cluster.name, namespace, kind, name)

    def _path(self, cluster: Cluster, token: str, identifier: str) -> Path:
        _, kind = split_token(token)
        namespace, _, name = identifier.rpartition("/")
        return cluster.store.object_path(cluster.name, namespace, kind, name)

    def _govern(self, cluster: Cluster, live: Properties) -> None:
        """Let the controllers of the cluster do their part on a new or changed object."""
        if live["kind"] == "Application" and str(live["apiVersion"]).startswith(argocd.GROUP):
            status = cluster.application_status(cast("Properties", plain(live)), _now())
            if status is not None:
                live["status"] = status
        if live["kind"] == RELEASE_KIND and chart_name(live) == "argo-cd":
            namespace = str(plain(lookup(live, "metadata.namespace")))
            values = as_dict(lookup(live, "spec.values")) or {}
            cluster.write_default_project(namespace, values)

    def _keep(
        self, cluster: Cluster, token: str, inputs: Properties, live: Properties, path: Path
    ) -> Properties:
        if token == _RELEASE:
            cluster.store.write_object(path, live)
            asked = {key: value for key, value in inputs.items() if not key.startswith("__")}
            return merged(asked, {"status": live["status"]})
        for field in _SECRET_FIELDS.get(str(live["kind"]), ()):
            mark_secret(live, field)
        cluster.store.write_object(path, live)
        return live

    def _release_hold(self, cluster: Cluster, live: Properties) -> None:
        """Raise ProviderError when the object can't go yet."""
        kind = str(live["kind"])
        name = str(lookup(live, "metadata.name"))
        if kind == "Application" and argocd.finalized(live) and cluster.argo_namespace() is None:
            raise ProviderError(
                f"the Application {name} would hang: its finalizer {argocd.FINALIZER} needs Argo "
                "CD, which is gone from the cluster already"
            )
        if kind == RELEASE_KIND and chart_name(live) == "argo-cd":
            waiting = cluster.applications()
            if waiting:
                raise ProviderError(
                    f"Argo CD can't be removed while Applications live: {', '.join(waiting[:5])}"
                )
        if kind == "Namespace":
            waiting = cluster.applications(name)
            if waiting:
                raise ProviderError(
                    f"the namespace {name} can't be removed while Applications live in it: "
                    f"{', '.join(waiting[:5])}"
                )
            if cluster.argo_namespace() == name and cluster.applications():
                raise ProviderError(
                    f"the namespace {name} holds Argo CD, which Applications still need"
                )
        if kind == "AppProject":
            for path in self.store.objects(cluster.name, None, "Application"):
                other = self.store.read_object(path) or {}
                if lookup(other, "spec.project") == name:
                    # With a finalizer it hangs itself; without, the Application does.
                    raise ProviderError(
                        f"deleting the AppProject {name} would hang: the Application "
                        f"{lookup(other, 'metadata.name')} still belongs to it"
                    )

    def _clean_up(self, cluster: Cluster, live: Properties) -> None:
        """Remove what goes together with an object."""
        name = str(lookup(live, "metadata.name"))
        if live["kind"] == "Namespace":
            for path in self.store.objects(cluster.name, name):
                self.store.remove_object(path)
        if live["kind"] == RELEASE_KIND and chart_name(live) == "argo-cd":
            namespace = str(lookup(live, "metadata.namespace"))
            path = self.store.object_path(cluster.name, namespace, "AppProject", "default")
            self.store.remove_object(path)


def _target(config: Properties) -> Any:
    """Return the configured cluster: a Target, UNKNOWN, or None when there is no kubeconfig."""
    text = reveal(config.get("kubeconfig"))
    if text is UNKNOWN:
        return UNKNOWN
    if not isinstance(text, str) or not text:
        fallback = os.environ.get("KUBECONFIG", "")
        if not fallback or not Path(fallback).is_file():
            return None
        text = fallback
    context, cluster = reveal(config.get("context")), reveal(config.get("cluster"))
    return read(
        text,
        context if isinstance(context, str) else None,
        cluster if isinstance(cluster, str) else None,
    )


def _leads_elsewhere(old: Properties, new: Properties) -> bool:
    if any(reveal(new.get(key)) is UNKNOWN for key in ("kubeconfig", "context", "cluster")):
        return True
    try:
        return _target(old) != _target(new)
    except KubeconfigError:
        return True


def _not_ready(live: Properties) -> str | None:
    missing = waits.unmet(live)
    if not missing:
        return None
    name = plain(lookup(live, "metadata.name"))
    annotations = as_dict(lookup(live, "metadata.annotations")) or {}
    seconds = plain(annotations.get(waits.TIMEOUT)) or "the default time of"
    text = f"{live['kind']} {name} is not ready after {seconds} seconds: {'; '.join(missing)}"
    sync = lookup(live, "status.sync.status")
    if sync is not None:
        text += f" (sync {sync}, health {lookup(live, 'status.health.status')})"
    for item in cast("list[Any]", lookup(live, "status.conditions") or []):
        message = lookup(item, "message")
        if message:
            text += f"; {message}"
    return text


def _release_outputs(live: Properties) -> Properties:
    spec = cast("Properties", live["spec"])
    return merged(
        spec,
        {
            "name": lookup(live, "metadata.name"),
            "namespace": lookup(live, "metadata.namespace"),
            "status": live["status"],
        },
    )


def _inputs_of(token: str, found: Properties) -> Properties:
    inputs = {key: value for key, value in found.items() if key != "status"}
    if token != _RELEASE:
        metadata = dict(as_dict(reveal(inputs.get("metadata"))) or {})
        for key in _SERVER_FIELDS:
            metadata.pop(key, None)
        inputs["metadata"] = metadata
    return inputs


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
