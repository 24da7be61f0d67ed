"""Custom resource definitions out of the Go modules that own them, pinned by `tools/crds/go.mod`.

Owns which definitions there are and how near they are to what the platform installs. They are read
as data: nothing of these modules is compiled. Standard library only: it is a part of the set-up.
"""

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from components import versions
from tools.console import say
from tools.go_tools import WRAPPERS, cache_folder, find_go, module_folders, module_version
from tools.locking import only_one

WRAPPER: Final = "crds"
PART: Final = "crds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Definitions:
    """The definitions of one system.

    Attributes:
        module: The Go module that holds them.
        folders: Where they lie in it, folders below them included.
        installed: The version of the system that the platform installs; empty where a cluster
            brings the system with it.
        chart: The version of the chart that installs it where the two differ, so that somebody
            looks here when the chart is bumped.
        difference: Why the module's version is another one than `installed`; empty if it is not.
    """

    module: str
    folders: tuple[str, ...]
    installed: str
    chart: str = ""
    difference: str = ""


SYSTEMS: Final = (
    Definitions(
        module="github.com/argoproj/argo-cd/v3",
        folders=("manifests/crds",),
        installed="v3.4.3",
        chart="9.5.21",
    ),
    Definitions(
        module="github.com/cert-manager/cert-manager",
        folders=("deploy/crds",),
        installed=versions.CERT_MANAGER.version,
    ),
    Definitions(
        module="github.com/cert-manager/trust-manager",
        folders=("deploy/crds",),
        installed=versions.TRUST_MANAGER.version,
    ),
    Definitions(
        module="github.com/cloudnative-pg/cloudnative-pg",
        folders=("config/crd/bases",),
        installed="v1.29.1",
        chart="0.28.3",
    ),
    Definitions(
        module="github.com/external-secrets/external-secrets",
        folders=("config/crds/bases",),
        installed=f"v{versions.EXTERNAL_SECRETS.version}",
        difference="its major version 2 has a module path that Go does not take; v1.3.2 is the last"
        " one before it",
    ),
    Definitions(
        module="github.com/kedacore/keda/v2",
        folders=("config/crd/bases",),
        installed=f"v{versions.KEDA.version}",
    ),
    Definitions(
        module="github.com/kgateway-dev/kgateway/v2",
        folders=("install/helm/agentgateway-crds/templates",),
        installed=versions.AGENTGATEWAY_CRDS.version,
        difference="agentgateway is no module of the proxy; kgateway v2.2.0 is the last that holds"
        " its definitions, as they were before v1.0",
    ),
    Definitions(
        module="github.com/kserve/kserve",
        folders=("config/crd/full",),
        installed=versions.KSERVE_CRD.version,
    ),
    Definitions(
        module="github.com/kubernetes-csi/external-snapshotter/client/v8",
        folders=("config/crd",),
        installed="",
    ),
    Definitions(
        module="github.com/kyverno/kyverno",
        folders=("config/crds",),
        installed="v1.18.1",
        chart="3.8.1",
    ),
    Definitions(
        module="github.com/prometheus-operator/prometheus-operator",
        folders=("example/prometheus-operator-crd",),
        installed="v0.91.0",
        chart="29.0.0",
    ),
    Definitions(
        module="github.com/rancher/system-upgrade-controller",
        folders=("pkg/crds/yaml/generated",),
        installed=versions.SYSTEM_UPGRADE_CONTROLLER.version,
    ),
    Definitions(
        module="sigs.k8s.io/external-dns",
        folders=("config/crd/standard",),
        installed="v0.21.0",
        chart="1.21.1",
    ),
    Definitions(
        module="sigs.k8s.io/gateway-api",
        folders=("config/crd/standard",),
        installed=versions.GATEWAY_API.version,
    ),
    Definitions(
        module="sigs.k8s.io/gateway-api-inference-extension",
        folders=("config/crd/bases",),
        installed=versions.INFERENCE_EXTENSION.version,
    ),
    Definitions(
        module="sigs.k8s.io/kueue",
        folders=("config/components/crd/bases",),
        installed=f"v{versions.KUEUE.version}",
        difference="the checksum database does not know v0.18.1",
    ),
    Definitions(
        module="sigs.k8s.io/lws",
        folders=("config/crd/bases",),
        installed=f"v{versions.LEADER_WORKER_SET.version}",
        difference="the proxy does not have v0.10.0",
    ),
)
CHARTS: Final = {
    "github.com/argoproj/argo-cd/v3": versions.ARGO_CD,
    "github.com/cloudnative-pg/cloudnative-pg": versions.CLOUDNATIVE_PG,
    "github.com/kyverno/kyverno": versions.KYVERNO,
    "github.com/prometheus-operator/prometheus-operator": versions.PROMETHEUS_OPERATOR_CRDS,
    "sigs.k8s.io/external-dns": versions.EXTERNAL_DNS,
}
"""The charts of systems whose charts have versions of their own."""


def definitions_folder() -> Path:
    """Where the definitions lie, or will: one file of YAML documents each, by module."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((WRAPPERS / WRAPPER / name).read_bytes() + b"\0")
    digest.update(repr([(one.module, one.folders) for one in SYSTEMS]).encode())
    return cache_folder() / "bin" / f"{PART}-{digest.hexdigest()[:20]}"


def ensure_definitions() -> Path:
    """Takes the definitions out of their modules unless they are cached.

    Raises:
        SetupError: Go is missing or too old, or a module cannot be had.
    """
    folder = definitions_folder()
    if folder.is_dir():
        return folder
    title = "taking custom resource definitions out of Go modules"
    with only_one(cache_folder() / "locks" / f"{folder.name}.lock", title=title):
        if not folder.is_dir():
            say(f"{title} (the first time about a minute)")
            copy_definitions(find_go("the folder of custom resource definitions"), folder)
    return folder


def copy_definitions(go: str, folder: Path) -> None:
    """Copies them into a folder of their own, then moves that into place."""
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    modules = [one.module for one in SYSTEMS]
    for one, module in zip(SYSTEMS, module_folders(go, WRAPPER, modules), strict=True):
        target = draft / one.module.replace("/", "_")
        target.mkdir()
        for file in definition_files(module, one.folders):
            (target / file.name).write_bytes(file.read_bytes())
    draft.rename(folder)


def definition_files(module: Path, folders: tuple[str, ...]) -> list[Path]:
    """The files in folders of a module that hold definitions, patches of them left out."""
    return [
        file
        for folder in folders
        for file in sorted((module / folder).rglob("*.yaml"))
        if not file.stem.endswith("_patch")
        and re.search(r"^kind: CustomResourceDefinition$", file.read_text("utf-8"), re.MULTILINE)
    ]


def table() -> str:
    """The systems whose definitions are not of the installed version, a line each."""
    return "\n".join(
        f"{one.module} {module_version(WRAPPER, one.module)}, not {one.installed}: {one.difference}"
        for one in SYSTEMS
        if one.difference
    )
