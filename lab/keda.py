"""KEDA outside of a cluster: its operator and its metrics server, and the API server before them.

The API server reaches the metrics server on loopback by a Service that is but a name: endpoints on
loopback are refused. Only the page of the metrics server's own figures listens on every address of
this machine, which nothing changes (cmd/adapter/main.go, RunMetricsServer).
"""

import base64
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from components import versions
from components.platform.apps import namespaces
from lab.certificates import write_private
from lab.control_plane import ControlPlane
from lab.definitions import DEFINITIONS, install_definitions
from lab.processes import LOOPBACK, LabError, free_ports
from tools.go_tools import KEDA_ADAPTER, KEDA_OPERATOR, module_version

Json = dict[str, Any]

OPERATOR: Final = KEDA_OPERATOR.name
ADAPTER: Final = KEDA_ADAPTER.name
MODULE: Final = KEDA_OPERATOR.module
METRICS_SERVICE: Final = "keda-metrics-apiserver"
GROUP: Final = "external.metrics.k8s.io"
API_SERVICE: Final = f"v1beta1.{GROUP}"
LOGGING: Final = (
    *("--zap-log-level=debug", "--zap-encoder=json"),
    "--zap-time-encoding=rfc3339nano",
)


def version_note() -> str:
    """Say which version runs here, and which one the platform installs."""
    return (
        f"KEDA {module_version(KEDA_OPERATOR.wrapper, MODULE)} runs here, the platform installs "
        f"v{versions.KEDA.version}"
    )


def start_keda(plane: ControlPlane, prometheus: str | None) -> None:
    """Run KEDA until the control plane ends; returns when the API server serves its metrics.

    Args:
        plane: a control plane with a controller manager, whose autoscaler asks for the metrics.
        prometheus: what answers for the Prometheus that triggers name. They stay as they are: it is
            the proxy of all that KEDA asks without TLS. None for nobody: every look at it fails.

    Raises:
        LabError: it is not built, cannot be started, or is not ready in time.
        ValueError: the API server refuses an object.
    """
    folder = plane.folder / "keda"
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    certificate, key = plane.authority.issue(
        "keda",
        dns=("localhost", f"{METRICS_SERVICE}.{namespaces.KEDA}.svc"),
        addresses=(LOOPBACK,),
        # Operator and metrics server know each other by the same pair.
        server=True,
        client=True,
    )
    for name, content in {
        "tls.crt": certificate,
        "tls.key": key,
        "ca.crt": plane.authority.certificate_pem,
    }.items():
        write_private(certificates / name, content)
    if not _is_defined(plane):
        install_definitions(plane.client, MODULE)
    metrics, health, service, secure = free_ports(4)
    for one in _objects(plane, secure):
        plane.client.apply(one, dry_run=False).json()
    environment = {
        "KUBECONFIG": str(plane.kubeconfig),
        "WATCH_NAMESPACE": "",
        "POD_NAMESPACE": namespaces.KEDA,
        "POD_NAME": "keda-lab",
        "OPERATOR_NAME": OPERATOR,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": namespaces.KEDA,
        # As the catalogue has it: it may not read the Secrets that the engines' pods name.
        "KEDA_RESTRICT_SECRET_ACCESS": "true",
    }
    plane.programs.start(
        OPERATOR,
        OPERATOR,
        f"--metrics-bind-address={LOOPBACK}:{metrics}",
        f"--health-probe-bind-address={LOOPBACK}:{health}",
        f"--metrics-service-bind-address={LOOPBACK}:{service}",
        f"--cert-dir={certificates}",
        f"--ca-dir={certificates}",
        *LOGGING,
        environment=environment
        if prometheus is None
        else {**environment, "HTTP_PROXY": prometheus},
    )
    adapter = plane.programs.start(
        ADAPTER,
        ADAPTER,
        *(
            f"--{kind}kubeconfig={plane.kubeconfig}"
            for kind in ("lister-", "authentication-", "authorization-")
        ),
        f"--bind-address={LOOPBACK}",
        f"--secure-port={secure}",
        f"--cert-dir={certificates}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        f"--client-ca-file={plane.authority_file}",
        f"--metrics-service-address={LOOPBACK}:{service}",
        "--metrics-service-grpc-authority=localhost",
        "--port=0",
        environment=environment,
    )
    adapter.wait_ready(lambda: _is_served(plane))


def _is_defined(plane: ControlPlane) -> bool:
    return plane.client.request("GET", f"{DEFINITIONS}/scaledobjects.keda.sh").accepted


def _is_served(plane: ControlPlane) -> bool:
    found = plane.client.request(
        "GET", f"/apis/apiregistration.k8s.io/v1/apiservices/{API_SERVICE}"
    )
    conditions = found.json().get("status", {}).get("conditions", [])
    if not plane.programs[OPERATOR].running:
        plane.programs[OPERATOR].wait_ready(lambda: False)
    return {one["type"]: one["status"] for one in conditions}.get("Available") == "True"


def _objects(plane: ControlPlane, port: int) -> list[Json]:
    reader = "keda-external-metrics-reader"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespaces.KEDA}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": METRICS_SERVICE, "namespace": namespaces.KEDA},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": API_SERVICE},
            "spec": {
                "service": {
                    "name": METRICS_SERVICE,
                    "namespace": namespaces.KEDA,
                    "port": port,
                },
                "group": GROUP,
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "caBundle": base64.b64encode(plane.authority.certificate_pem).decode(),
            },
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": reader},
            "rules": [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": reader},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": reader,
            },
            "subjects": [
                {
                    "kind": "ServiceAccount",
                    "name": "horizontal-pod-autoscaler",
                    "namespace": "kube-system",
                }
            ],
        },
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A look at the load of a ScaledObject, as the operator noted it.

    Attributes:
        at: when, in seconds since 1970.
        scaled_object: its name.
        by: KEDA itself, or the horizontal pod autoscaler.
        values: by name of the trigger what Prometheus said; None where that failed.
    """

    at: float
    scaled_object: str
    by: Literal["keda", "autoscaler"]
    values: Mapping[str, float | None]


NOTES: Final[Mapping[str, tuple[Literal["keda", "autoscaler"], str]]] = {
    "Getting metrics and activity from scaler": ("keda", "scaler"),
    "Getting metrics from trigger": ("autoscaler", "trigger"),
}
"""What the operator notes of each trigger: on whose behalf, and where the trigger's name stands.

From pkg/scaling/scale_handler.go.
"""
ONE_LOOK_SECONDS: Final = 2.0
"""Notes of one look come in less, and two looks of the same lie further apart."""
SUFFIXES: Final = {"m": 1e-3, "k": 1e3, "M": 1e6}


def looks(log: Path) -> list[Look]:
    """Return the looks that the operator has noted in its log so far, in order.

    Raises:
        LabError: a note is not as this version writes it.
    """
    found: list[Look] = []
    last: dict[tuple[str, str], int] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        # The last one may be half written.
        if not (line.startswith("{") and line.endswith("}")):
            continue
        note: Json = json.loads(line)
        if note.get("msg") not in NOTES:
            continue
        try:
            one = _look(note)
        except (KeyError, TypeError, ValueError) as error:
            raise LabError(f"a note of KEDA cannot be read: {line}") from error
        index = last.get((one.scaled_object, one.by))
        if index is not None and one.at - found[index].at < ONE_LOOK_SECONDS:
            found[index] = replace(found[index], values={**found[index].values, **one.values})
        else:
            last[(one.scaled_object, one.by)] = len(found)
            found.append(one)
    return found


def _look(note: Json) -> Look:
    by, trigger = NOTES[note["msg"]]
    metrics = note["metrics"]
    return Look(
        at=dt.datetime.fromisoformat(note["ts"]).timestamp(),
        scaled_object=note["scaledObject.Name"],
        by=by,
        values={note[trigger]: _quantity(metrics[0]["value"]) if metrics else None},
    )


def _quantity(text: str) -> float:
    """Return a quantity of Kubernetes as a number."""
    if text[-1] in SUFFIXES:
        return float(text[:-1]) * SUFFIXES[text[-1]]
    return float(text)
