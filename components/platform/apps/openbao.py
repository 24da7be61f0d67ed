"""Builder of feature openbao: secrets with leases and an audit, for the tenants' own systems.

The platform's own secrets stay in the secret store of the contract: OpenBao starts sealed and waits
for people, and a platform that waited for it would never come up, nor come back by itself.
"""

from typing import Any, Final

from components.platform import endpoints
from components.platform.apps import namespaces
from components.platform.apps.parts import calls_api_server, compute, entry, is_prod, scraped
from components.platform.apps.platform import PROMETHEUS_CRDS_ENTRY
from components.platform.catalogue import CatalogueEntry, PlatformInputs, UpstreamChart
from components.platform.network import Connection, Pods
from components.versions import BUSYBOX_IMAGE, OPENBAO

OPENBAO_ENTRY: Final = endpoints.OPENBAO.service
OPENBAO_PODS: Final = Pods(
    namespace=namespaces.OPENBAO, labels={"app.kubernetes.io/name": "openbao"}
)

_CERTIFICATES_ENTRY: Final = "cert-manager"
_CLUSTER_PORT: Final = 8201
_UID: Final = 100
_GID: Final = 1000
"""User and group of OpenBao's image (the chart's own defaults)."""

_TLS_SECRET: Final = "openbao-tls"  # noqa: S105 - the name of a Secret
_TLS_FOLDER: Final = "/openbao/tls"
_AUDIT_FILE: Final = "/openbao/audit/audit.log"
_AUDIT_FILES: Final = 8
_AUDIT_FILE_MIB: Final = 1024

_CONTAINER_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def openbao(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """OpenBao with its own storage: three replicas in prod, TLS by its own authority.

    It stays Progressing until people initialise and unseal it (docs/openbao.md), so nothing may
    require it.
    """
    if not inputs.config.features.openbao:
        return ()
    return (
        entry(
            OPENBAO_ENTRY,
            namespaces.OPENBAO,
            "platform",
            UpstreamChart(pin=OPENBAO, values=_values(inputs)),
            feature="openbao",
            description="Secrets with leases and an audit, for the tenants' own systems",
            # Its certificate, and its ServiceMonitor.
            requires=(_CERTIFICATES_ENTRY, PROMETHEUS_CRDS_ENTRY),
            connections=(
                # It labels its pods, and checks the tokens of service accounts that sign in.
                calls_api_server(OPENBAO_PODS),
                Connection(
                    client=OPENBAO_PODS,
                    server=OPENBAO_PODS,
                    ports=(endpoints.OPENBAO.port, _CLUSTER_PORT),
                ),
                *(
                    Connection(
                        client=Pods(namespace=tenant.name),
                        server=OPENBAO_PODS,
                        ports=(endpoints.OPENBAO.port,),
                    )
                    for tenant in inputs.tenants
                ),
                scraped(OPENBAO_PODS, endpoints.OPENBAO.port),
            ),
            rules=("openbao",),
        ),
    )


def _values(inputs: PlatformInputs) -> dict[str, Any]:
    count = 3 if is_prod(inputs) else 1
    disk: dict[str, Any] = {"enabled": True, "size": "10Gi"}
    if inputs.contract.storage_class is not None:
        disk["storageClass"] = inputs.contract.storage_class
    return {
        "global": {"tlsDisable": False},
        # A webhook over all pods of the cluster, in an image of somebody else.
        "injector": {"enabled": False},
        "csi": {"enabled": False},
        "ui": {"enabled": False},
        "server": {
            "standalone": {"enabled": False},
            # With one replica too: a second one joins it without another kind of storage.
            "ha": {
                "enabled": True,
                "replicas": count,
                # A name that the certificate has; by default it is the pod's address.
                "apiAddr": f"https://$(BAO_K8S_POD_NAME).{OPENBAO_ENTRY}-internal."
                f"{namespaces.OPENBAO}.svc.cluster.local:{endpoints.OPENBAO.port}",
                "raft": {"enabled": True, "setNodeId": True, "config": server_config(count)},
                # The chart allows one of three to go, and none of one, which would block a drain.
                "disruptionBudget": {"enabled": is_prod(inputs)},
            },
            # A new version starts sealed: people replace one replica after the other.
            "updateStrategyType": "OnDelete",
            # In order, the second one would wait until people have unsealed the first.
            "podManagementPolicy": "Parallel",
            # The chart forbids two on one node, where the rest would wait for ever; this is a wish.
            "affinity": "",
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": dict(OPENBAO_PODS.labels)},
                }
            ],
            "dataStorage": disk,
            "auditStorage": disk,
            # In production, who switches it off by mistake still has what only people can open.
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain" if is_prod(inputs) else "Delete",
                "whenScaled": "Retain",
            },
            "resources": compute(100, 512),
            "logFormat": "json",
            "extraEnvironmentVars": {"BAO_CACERT": f"{_TLS_FOLDER}/ca.crt"},
            "volumes": [
                {"name": "tls", "secret": {"secretName": _TLS_SECRET}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            ],
            "volumeMounts": [
                {"name": "tls", "mountPath": _TLS_FOLDER, "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of a container
            ],
            "livenessProbe": {
                "enabled": True,
                # Sealed or not initialised is no reason to start again, and a start seals it.
                "path": "/v1/sys/health?standbyok=true&sealedcode=204&uninitcode=204",
            },
            "shareProcessNamespace": True,
            "extraContainers": [_housekeeper()],
            "statefulSet": {
                "securityContext": {
                    "pod": {
                        "runAsNonRoot": True,
                        "runAsUser": _UID,
                        "runAsGroup": _GID,
                        "fsGroup": _GID,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "container": _CONTAINER_SECURITY,
                }
            },
        },
        "serverTelemetry": {
            "serviceMonitor": {
                "enabled": True,
                "tlsConfig": {
                    "ca": {"secret": {"name": _TLS_SECRET, "key": "ca.crt"}},
                    "serverName": endpoints.OPENBAO.host,
                },
            }
        },
        "extraObjects": _certificates(),
    }


def server_config(replicas: int) -> str:
    """Return OpenBao's configuration. The chart puts the pod's own name for some words in capitals.

    Args:
        replicas: how many servers there are, which look for each other.
    """
    joins = "\n".join(
        f"""\
  retry_join {{
    leader_api_addr       = "https://{OPENBAO_ENTRY}-{number}.{OPENBAO_ENTRY}-internal:8200"
    leader_ca_cert_file   = "{_TLS_FOLDER}/ca.crt"
    leader_tls_servername = "{endpoints.OPENBAO.host}"
  }}"""
        for number in range(replicas)
    )
    return f"""\
ui = false

listener "tcp" {{
  address         = "[::]:{endpoints.OPENBAO.port}"
  cluster_address = "[::]:{_CLUSTER_PORT}"
  tls_cert_file   = "{_TLS_FOLDER}/tls.crt"
  tls_key_file    = "{_TLS_FOLDER}/tls.key"
  telemetry {{
    unauthenticated_metrics_access = true
  }}
}}

storage "raft" {{
  path = "/openbao/data"
{joins}
}}

service_registration "kubernetes" {{}}

telemetry {{
  prometheus_retention_time = "1h"
  disable_hostname          = true
}}

audit "file" "file" {{
  description = "Every request, with its secrets hashed."
  options {{
    file_path = "{_AUDIT_FILE}"
  }}
}}
"""


def _housekeeper() -> dict[str, Any]:
    """Return the container that tells OpenBao of new certificates and starts new audit files.

    OpenBao does both on a signal, and neither by itself: without it the certificate in memory ends
    one day, and a full audit disk makes OpenBao refuse every request.
    """
    script = f"""\
seen=$(cksum {_TLS_FOLDER}/tls.crt)
while sleep 60; do
  now=$(cksum {_TLS_FOLDER}/tls.crt)
  size=$(du -m {_AUDIT_FILE} 2>/dev/null | cut -f1)
  if [ "${{size:-0}}" -ge {_AUDIT_FILE_MIB} ]; then
    mv {_AUDIT_FILE} {_AUDIT_FILE}.$(date +%Y%m%d%H%M%S)
    ls -1r {_AUDIT_FILE}.* | tail -n +{_AUDIT_FILES} | xargs -r rm -f
    seen=
  fi
  if [ "$now" != "$seen" ]; then
    pkill -HUP -x bao && seen=$now
  fi
done
"""
    return {
        "name": "housekeeper",
        "image": BUSYBOX_IMAGE.reference,
        "command": ["/bin/sh", "-uc", script],
        "resources": compute(5, 32),
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "tls", "mountPath": _TLS_FOLDER, "readOnly": True},
            {"name": "audit", "mountPath": _AUDIT_FILE.rpartition("/")[0]},
        ],
    }


def _certificates() -> list[dict[str, Any]]:
    """Return an authority of OpenBao's own and its server's certificate.

    Its own, so that TLS does not depend on another feature; clients take `ca.crt` of the Secret.
    """
    service = endpoints.OPENBAO.service
    namespace = endpoints.OPENBAO.namespace
    names = [service, f"{service}-active", f"{service}-standby", f"*.{service}-internal"]
    dns = [
        f"{name}{suffix}"
        for name in names
        for suffix in ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local")
    ]
    authority = f"{service}-ca"
    return [
        _certificate_object("Issuer", f"{service}-self-signed", {"selfSigned": {}}),
        _certificate_object(
            "Certificate",
            authority,
            {
                "isCA": True,
                "commonName": f"{service} of {namespace}",
                "secretName": authority,
                "duration": "87600h",
                "privateKey": {"algorithm": "ECDSA", "size": 256},
                "issuerRef": {"kind": "Issuer", "name": f"{service}-self-signed"},
            },
        ),
        _certificate_object("Issuer", authority, {"ca": {"secretName": authority}}),
        _certificate_object(
            "Certificate",
            service,
            {
                "secretName": _TLS_SECRET,
                "duration": "2160h",
                "renewBefore": "720h",
                "dnsNames": ["localhost", *dns],
                "ipAddresses": ["127.0.0.1"],
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "usages": ["digital signature", "key encipherment", "server auth", "client auth"],
                "issuerRef": {"kind": "Issuer", "name": authority},
            },
        ),
    ]


def _certificate_object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespaces.OPENBAO},
        "spec": spec,
    }
