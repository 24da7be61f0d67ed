"""Kyverno outside of a cluster: its admission controller, called by the API server on loopback.

Settings, rights and flags are those of the chart in its own Go module, rendered with the values
that the catalogue hands to the installed one; it acts as the service account of that chart. Its
version is that of tools/kyverno, the nearest to the installed one that can be built.
"""

import http.client
import json
import shutil
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import yaml

from components.platform.apps import namespaces
from lab.certificates import write_private
from lab.control_plane import ControlPlane
from lab.definitions import install_definitions, wait_for
from lab.processes import LOOPBACK, LabError, free_ports
from tools.go_tools import KYVERNO_ADMISSION_CONTROLLER, tool_folder

Json = dict[str, Any]

PROGRAM: Final = KYVERNO_ADMISSION_CONTROLLER.name
MODULE: Final = KYVERNO_ADMISSION_CONTROLLER.module
RELEASE: Final = "kyverno"
POLICY_KINDS: Final = ("ValidatingPolicy", "MutatingPolicy")
SETTINGS: Final = (
    *("ConfigMap", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "Service",
)
WEBHOOKS: Final = "/apis/admissionregistration.k8s.io/v1"
OTHER_HERE: Final = (
    *("--webhookServerPort", "--metricsPort", "--metricsHost", "--disableMetrics"),
    "--servicePort",
    "--controllerRuntimeMetricsAddress",
)
"""Flags of the chart that say where to listen: not on every address of this machine."""


def start_kyverno(plane: ControlPlane, values: Mapping[str, Any]) -> None:
    """Run the admission controller, until the control plane ends; returns when it is ready.

    Args:
        plane: the control plane; it gets the definitions, settings and rights of Kyverno.
        values: Helm values of the catalogue's entry.

    Raises:
        LabError: helm or Kyverno is not there, or it ended.
        ValueError: the API server refuses its settings.
    """
    install_definitions(plane.client, MODULE)
    objects = _rendered(plane.folder / "kyverno", values)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespaces.KYVERNO}}
    if not plane.client.request("GET", plane.client.path(space)).accepted:
        plane.client.apply(space, dry_run=False).json()
    for one in objects:
        if one["kind"] in SETTINGS:
            plane.client.apply(one, dry_run=False).json()
    (deployment,) = (
        one
        for one in objects
        if one["kind"] == "Deployment" and one["metadata"]["name"].endswith("admission-controller")
    )
    # It looks at its Deployment; the pods of that would be a second Kyverno.
    deployment["spec"]["replicas"] = 0
    plane.client.apply(deployment, dry_run=False).json()
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    port, metrics = free_ports(2)
    running = plane.programs.start(
        PROGRAM,
        PROGRAM,
        f"--kubeconfig={_kubeconfig(plane, pod['serviceAccountName'])}",
        f"--serverIP={LOOPBACK}:{port}",
        f"--webhookServerHost={LOOPBACK}",
        f"--webhookServerPort={port}",
        # Without metrics it listens for those who read them all the same.
        "--disableMetrics=true",
        f"--metricsHost={LOOPBACK}",
        f"--metricsPort={metrics}",
        "--controllerRuntimeMetricsAddress=0",
        *(one for one in container["args"] if not one.startswith(OTHER_HERE)),
        environment={
            **{one["name"]: one["value"] for one in container["env"] if "value" in one},
            "KYVERNO_NAMESPACE": namespaces.KYVERNO,
            "KYVERNO_POD_NAME": "lab",
            "TUF_ROOT": str(plane.folder / "kyverno" / "tuf"),
        },
    )
    running.wait_ready(lambda: _is_ready(port))


def _is_ready(port: int) -> bool:
    """Return whether it says that it is ready; before that it has no certificate to answer with."""
    # The certificate is for its Service, by an authority that it makes itself.
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(LOOPBACK, port, context=tls, timeout=2)
    with closing(connection):
        try:
            connection.request("GET", "/health/readiness")
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def apply_policies(plane: ControlPlane, objects: Sequence[Json]) -> None:
    """Apply policies, and wait until Kyverno is asked for what each is about.

    Raises:
        LabError: Kyverno ended, or does not take them up in time.
    """
    policies = [one for one in objects if one["kind"] in POLICY_KINDS]
    for one in policies:

        def is_accepted(policy: Json = one) -> bool:
            if not plane.programs[PROGRAM].running:
                plane.programs[PROGRAM].wait_ready(lambda: False)
            # Its own webhook judges policies: it is there before it can answer.
            return plane.client.apply(policy, dry_run=False).accepted

        wait_for(is_accepted, f"Kyverno does not take the policy {one['metadata']['name']}")
    names = {one["metadata"]["name"] for one in policies}
    wait_for(lambda: names <= _asked_for(plane), "Kyverno registers no webhook for its policies")


def _asked_for(plane: ControlPlane) -> set[str]:
    """Return the policies that webhooks of Kyverno name in their addresses."""
    found: set[str] = set()
    for kind in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
        for one in plane.client.request("GET", f"{WEBHOOKS}/{kind}").json()["items"]:
            for webhook in one.get("webhooks", []):
                found |= set(webhook["clientConfig"].get("url", "").split("/"))
    return found


def _rendered(folder: Path, values: Mapping[str, Any]) -> list[Json]:
    """Render the chart of Kyverno's own module.

    What it depends on is definitions, which come from the module itself, and things that are off.
    """
    helm = shutil.which("helm")
    source = tool_folder(KYVERNO_ADMISSION_CONTROLLER) / "kyverno"
    if helm is None or not source.is_dir():
        raise LabError("helm or Kyverno is not there; `make lab` builds both")
    chart = folder / "chart"
    shutil.copytree(source, chart, ignore=shutil.ignore_patterns("charts"))
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    del about["dependencies"]
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    done = subprocess.run(
        [helm, "template", RELEASE, str(chart), f"--namespace={namespaces.KYVERNO}", "--values=-"],
        input=json.dumps(values, default=dict),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"helm refuses Kyverno's chart: {done.stderr.strip()}")
    return [one for one in yaml.load_all(done.stdout, yaml.CSafeLoader) if one]


def _kubeconfig(plane: ControlPlane, account: str) -> Path:
    """Write a kubeconfig whose user acts as a service account of Kyverno's namespace."""
    content = yaml.safe_load(plane.kubeconfig.read_text(encoding="utf-8"))
    content["users"][0]["user"]["as"] = f"system:serviceaccount:{namespaces.KYVERNO}:{account}"
    target = plane.folder / "kyverno" / "kubeconfig"
    write_private(target, yaml.safe_dump(content))
    return target
