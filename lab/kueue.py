"""Kueue outside of a cluster: its manager, its definitions and its webhooks, all on loopback.

Its configuration is the one that the platform installs it with, but for addresses.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from components import versions
from components.platform.values.kueue import kueue_values
from lab.certificates import CertificateAuthority, write_private
from lab.control_plane import ControlPlane
from lab.definitions import DEFINITIONS, established, wait_for
from lab.processes import LOOPBACK, Program, answers, free_ports
from tools.go_tools import KUEUE, module_version, tool_folder

MANAGER: Final = "kueue"
NAMESPACE: Final = "kueue-system"
WEBHOOK_SERVICE: Final = "kueue-webhook-service"
WEBHOOK_SECRET: Final = "kueue-webhook-server-cert"  # noqa: S105 - the name of a Secret
AUTHORITY: Final = "kueue-ca"
GROUP: Final = "kueue.x-k8s.io"

# It makes new certificates when those that it has end within 90 days (cert-controller 0.16).
VALID: Final = dt.timedelta(days=365)
# It reads the key of its authority as PKCS #1.
RSA_BITS: Final = 2048

Json = dict[str, Any]


def version_note() -> str:
    """Say which version runs here, and which one the platform installs."""
    return (
        f"Kueue {module_version(KUEUE.wrapper, KUEUE.module)} runs here, the platform installs "
        f"v{versions.KUEUE.version}"
    )


def start_kueue(plane: ControlPlane) -> Program:
    """Run Kueue against a control plane that has a controller manager.

    Args:
        plane: gets the definitions, the webhooks and the namespace of Kueue.

    Returns:
        The manager, ready: its webhooks answer.

    Raises:
        LabError: it is not built, cannot be started, or is not ready in time.
        ValueError: the API server refuses an object.
    """
    webhook, health, metrics = free_ports(3)
    folder = plane.folder / MANAGER
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    authority = CertificateAuthority.create(
        AUTHORITY, dns=(AUTHORITY,), valid=VALID, rsa_bits=RSA_BITS
    )
    pair = authority.issue(
        WEBHOOK_SERVICE,
        dns=(f"{WEBHOOK_SERVICE}.{NAMESPACE}.svc",),
        addresses=(LOOPBACK,),
        server=True,
        valid=VALID,
    )
    files = dict(zip(("tls.crt", "tls.key"), pair, strict=True))
    for name, content in files.items():
        write_private(certificates / name, content)
    url = f"https://{LOOPBACK}:{webhook}"
    before = established(plane.client)
    created = 0
    for one in definitions(url, authority.certificate_pem):
        plane.client.request("POST", DEFINITIONS, one).json()
        created += 1
    wait_for(lambda: established(plane.client) >= before + created, "Kueue's kinds are not served")
    plane.client.forget_kinds()
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        # With its own certificates on, it takes these for its own. Without, it reads them from
        # /etc/kueue/metrics/certs, which nobody but root can make.
        _secret({**files, "ca.crt": authority.certificate_pem, "ca.key": authority.key_pem}),
        *webhooks(url, authority.certificate_pem),
    ]
    for one in objects:
        plane.client.apply(one, dry_run=False).json()
    config = folder / "config.json"
    config.write_text(json.dumps(_configuration(certificates, webhook, health, metrics)))
    manager = plane.programs.start(
        MANAGER,
        MANAGER,
        f"--config={config}",
        # It would listen on a port of all addresses that nothing changes.
        "--feature-gates=VisibilityOnDemand=false",
        "--zap-log-level=error",
        environment={"KUBECONFIG": str(plane.kubeconfig)},
    )
    manager.wait_ready(lambda: answers(health, "/readyz"))
    return manager


def configuration() -> Json:
    """Return Kueue's configuration as the platform gives it to the chart."""
    return json.loads(kueue_values()["managerConfig"]["controllerManagerConfigYaml"])


def _configuration(certificates: Path, webhook: int, health: int, metrics: int) -> Json:
    given = configuration()
    return {
        **given,
        "health": {"healthProbeBindAddress": f"{LOOPBACK}:{health}"},
        "metrics": {**given["metrics"], "bindAddress": f"{LOOPBACK}:{metrics}"},
        "webhook": {"port": webhook, "host": LOOPBACK, "certDir": str(certificates)},
        "leaderElection": {"leaderElect": False},
    }


def definitions(url: str, authority: bytes) -> Iterator[Json]:
    """Yield Kueue's definitions, converted between their versions by its webhook.

    Args:
        url: where the webhook is.
        authority: certificate of the authority that signed for it, PEM.
    """
    folder = _components() / "crd"
    converted: dict[str, Json] = {}
    for patch in _yaml(folder / "kustomization.yaml")["patches"]:
        content = _yaml(folder / patch["path"])
        converted[content["metadata"]["name"]] = content["spec"]["conversion"]
    # Those of the very version that runs.
    for file in sorted((folder / "bases").glob("*.yaml")):
        one = _yaml(file)
        conversion = converted.get(one["metadata"]["name"])
        if conversion is not None:
            webhook = conversion["webhook"]
            called = _called(webhook["clientConfig"], url, authority)
            one["spec"]["conversion"] = {
                **conversion,
                "webhook": {**webhook, "clientConfig": called},
            }
        yield one


def webhooks(url: str, authority: bytes) -> Iterator[Json]:
    """Yield Kueue's webhook configurations, kept to namespaces as its chart keeps them.

    Args:
        url: where the webhooks are.
        authority: certificate of the authority that signed for them, PEM.
    """
    selector = configuration()["managedJobsNamespaceSelector"]
    text = (_components() / "webhook" / "manifests.yaml").read_text(encoding="utf-8")
    for one in yaml.load_all(text, yaml.CSafeLoader):
        yield {
            **one,
            # The name by which it looks for them to write its authority's certificate there.
            "metadata": {"name": f"kueue-{one['metadata']['name']}"},
            "webhooks": [
                {
                    **each,
                    "clientConfig": _called(each["clientConfig"], url, authority),
                    **({} if _is_of_kueue(each) else {"namespaceSelector": selector}),
                }
                for each in one["webhooks"]
            ],
        }


def _is_of_kueue(webhook: Json) -> bool:
    return all(rule["apiGroups"] == [GROUP] for rule in webhook["rules"])


def _called(config: Json, url: str, authority: bytes) -> Json:
    return {
        "url": url + config["service"]["path"],
        "caBundle": base64.b64encode(authority).decode(),
    }


def _secret(content: Mapping[str, bytes]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": WEBHOOK_SECRET, "namespace": NAMESPACE},
        "data": {name: base64.b64encode(value).decode() for name, value in content.items()},
    }


def _components() -> Path:
    return tool_folder(KUEUE) / "components"


def _yaml(file: Path) -> Json:
    return yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
