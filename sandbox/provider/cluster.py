"""A Kubernetes cluster of the sandbox: whether it can be reached, and what it knows and holds."""

import json
import os
import shutil
from typing import Any, cast

from sandbox.provider import argocd
from sandbox.provider.kubeconfig import Target
from sandbox.provider.package import ProviderError
from sandbox.provider.rules import load
from sandbox.provider.store import Store, fingerprint
from sandbox.provider.values import Properties, as_dict, as_list, lookup, plain

FOREIGN_VARIABLE = "LLMP_SANDBOX_CLUSTER_HAS"
FOREIGN_NAMESPACES = {"argo-cd": "argocd"}
RELEASE_KIND = "Release"
_OWN_BLOCKS = {"198.18": "address-gcp", "198.19": "address-hcloud"}
_OWN_DOMAIN = ".gke.goog"


class Cluster:
    """The cluster that a provider is configured for.

    Args:
        store: the sandbox's folder.
        target: which cluster; None when the provider has no kubeconfig that leads anywhere.
        foreign: whether nobody in the sandbox made it, so that it always exists.
    """

    def __init__(self, store: Store, target: Target, *, foreign: bool) -> None:
        """Keep the parts."""
        self.store = store
        self.target = target
        self.foreign = foreign or not self._made_here()
        self._tables = load("kubernetes").tables

    @property
    def name(self) -> str:
        """The name under which the cluster's objects are kept."""
        return self.target.name

    # --- reachability ---------------------------------------------------------------------------

    def _made_here(self) -> bool:
        host = self.target.host
        if host.endswith(_OWN_DOMAIN):
            return True
        block, _, rest = host.rpartition(".")[0].rpartition(".")
        counter = _OWN_BLOCKS.get(block)
        if counter is None:
            return False
        number = int(rest) * 250 + int(host.rpartition(".")[2]) - 1
        return number <= int(self.store.counters().get(counter, 0))

    def require(self) -> None:
        """Raise ProviderError when the cluster is gone."""
        if self.foreign or self._owner_lives():
            return
        raise ProviderError(
            f"the Kubernetes cluster {self.name} ({self.target.server}) can't be reached: nothing "
            "has this address any more, so it was removed before its objects"
        )

    def _owner_lives(self) -> bool:
        host = self.target.host
        places = (
            ("gcp:container/cluster:Cluster", "endpoint"),
            (
                "gcp:container/cluster:Cluster",
                "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint",
            ),
            ("gcp:compute/address:Address", "address"),
            ("hcloud:index/server:Server", "ipv4Address"),
            ("hcloud:index/loadBalancer:LoadBalancer", "ipv4"),
            ("hcloud:index/primaryIp:PrimaryIp", "ipAddress"),
        )
        return any(
            lookup(record.outputs, path) == host
            for token, path in places
            for record in self.store.all(token)
        )

    def settle(self) -> None:
        """Drop what an earlier cluster of this name left behind; the lock must be held."""
        note = self.store.home / "clusters" / f"{self.name}.json"
        before: Any = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
        if before is not None and before["server"] == self.target.server:
            return
        if before is not None and not self.foreign:
            shutil.rmtree(self.store.home / "objects" / self.name, ignore_errors=True)
        note.parent.mkdir(exist_ok=True)
        note.write_text(json.dumps({"server": self.target.server}) + "\n", encoding="utf-8")

    # --- kinds ----------------------------------------------------------------------------------

    def _foreign_charts(self) -> list[str]:
        listed = os.environ.get(FOREIGN_VARIABLE, "")
        return [name for name in listed.split(",") if name] if self.foreign else []

    def releases(self) -> list[Properties]:
        """Return the installed Helm releases."""
        paths = self.store.objects(self.name, kind=RELEASE_KIND)
        found = [self.store.read_object(path) for path in paths]
        return [item for item in found if item is not None]

    def custom_scope(self, version: str, kind: str) -> str:
        """Return the scope of a custom kind: Namespaced or Cluster.

        Raises:
            ProviderError: nothing in the cluster has brought the kind yet.
        """
        charts = [
            chart_name(release)
            for release in self.releases()
            if lookup(release, "spec.values.crds.install") is not False
            and lookup(release, "spec.skipCrds") is not True
        ]
        table = cast("dict[str, Any]", self._tables["charts"])
        for chart in [*charts, *self._foreign_charts()]:
            scope = table.get(chart, {}).get(version, {}).get(kind)
            if scope is not None:
                return str(scope)
        for path in self.store.objects(self.name, "", "CustomResourceDefinition"):
            definition = self.store.read_object(path) or {}
            group = lookup(definition, "spec.group")
            versions = as_list(lookup(definition, "spec.versions")) or []
            served = [f"{group}/{lookup(item, 'name')}" for item in versions]
            if lookup(definition, "spec.names.kind") == kind and version in served:
                return str(lookup(definition, "spec.scope"))
        raise ProviderError(
            f'no matches for kind "{kind}" in version "{version}": what brings the kind (a Helm '
            "release or a CustomResourceDefinition) is not in the cluster yet; depend on it"
        )

    # --- namespaces -----------------------------------------------------------------------------

    def has_namespace(self, name: str) -> bool:
        """Tell whether a namespace exists."""
        if name in self._tables["namespaces"]:
            return True
        if name in [FOREIGN_NAMESPACES.get(chart) for chart in self._foreign_charts()]:
            return True
        return self.store.object_path(self.name, "", "Namespace", name).is_file()

    # --- Argo CD --------------------------------------------------------------------------------

    def argo_namespace(self) -> str | None:
        """Return the namespace where Argo CD is installed; None when it is not."""
        for release in self.releases():
            if chart_name(release) == "argo-cd":
                return str(lookup(release, "metadata.namespace"))
        return FOREIGN_NAMESPACES["argo-cd"] if "argo-cd" in self._foreign_charts() else None

    def applications(self, namespace: str | None = None) -> list[str]:
        """Return the names of the Applications, in one namespace or in all."""
        paths = self.store.objects(self.name, namespace, "Application")
        return [path.name.removeprefix("Application.").removesuffix(".yaml") for path in paths]

    def application_status(self, live: Properties, now: str) -> Properties | None:
        """Return what Argo CD reports for an Application; None when it does not look at it."""
        home = self.argo_namespace()
        namespace = str(lookup(live, "metadata.namespace"))
        if home is None:
            return None
        project_name = str(lookup(live, "spec.project"))
        path = self.store.object_path(self.name, home, "AppProject", project_name)
        project = self.store.read_object(path)
        if namespace != home:
            allowed = as_list(lookup(project, "spec.sourceNamespaces")) or []
            if namespace not in allowed:
                return None
        known = self._knows_destination(live, home)
        return argocd.application_status(live, project, now, destination_known=known)

    def _knows_destination(self, live: Properties, home: str) -> bool:
        destination = as_dict(lookup(live, "spec.destination")) or {}
        if destination.get("server") == argocd.IN_CLUSTER_SERVER:
            return True
        if destination.get("name") == argocd.IN_CLUSTER_NAME:
            return True
        wanted = {
            key: fingerprint(destination[key])
            for key in ("server", "name")
            if destination.get(key) is not None
        }
        for path in self.store.objects(self.name, home, "Secret"):
            secret = self.store.read_object(path) or {}
            kind = lookup(secret, "metadata.labels")
            if (as_dict(kind) or {}).get("argocd.argoproj.io/secret-type") != "cluster":
                continue
            data = as_dict(lookup(secret, "stringData")) or {}
            if all(data.get(key) == marker for key, marker in wanted.items()):
                return True
        return False

    def write_default_project(self, namespace: str, values: Properties) -> None:
        """Make the AppProject that Argo CD makes when it starts; the lock must be held."""
        spec: Properties = {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        }
        for item in as_list(values.get("extraObjects")) or []:
            given = as_dict(plain(item)) or {}
            if given.get("kind") == "AppProject" and lookup(given, "metadata.name") == "default":
                spec = cast("Properties", given.get("spec") or {})
        content = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": namespace},
            "spec": spec,
        }
        path = self.store.object_path(self.name, namespace, "AppProject", "default")
        self.store.write_object(path, content)


def chart_name(release: Properties) -> str:
    """Return the bare name of a release's chart, without repository or registry."""
    return str(lookup(release, "spec.chart")).rpartition("/")[2]
