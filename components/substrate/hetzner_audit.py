"""What the API server of a k3s cluster writes down: who asked for what. Pure functions.

Kubernetes' own order of rules decides: the first one that fits a request (Kubernetes documentation,
"Auditing"). No rule records what the object of a Secret, a ConfigMap or a token holds.
"""

from typing import Any, Final

AUDIT_LOG_PATH: Final = "/var/lib/rancher/k3s/server/logs/audit.log"
"""On each control-plane server. The API server makes the folder, for root alone."""

AUDIT_LOG_MEBIBYTES: Final = 100
"""Size at which a file is put aside and a new one begun."""

AUDIT_LOG_FILES: Final = 10
"""Files put aside that are kept: with the current one 1.1 GiB of a server's disk at most."""

AUDIT_LOG_DAYS: Final = 30
"""Days after which a file that was put aside goes, even if there are fewer."""

_READ: Final = ["get", "list", "watch"]
_WRITE: Final = ["create", "update", "patch", "delete", "deletecollection"]
_CONTROL_PLANE: Final = [
    "system:apiserver",
    "system:k3s-controller",
    "system:k3s-supervisor",
    "system:kube-controller-manager",
    "system:kube-scheduler",
]
_NODES: Final = "system:nodes"
_OWN_ACCOUNTS: Final = "system:serviceaccounts:kube-system"


def audit_policy() -> dict[str, Any]:
    """Return the policy of the audit log, as the API server reads it.

    Who changed a right is recorded with what was written; of everything else only who, what, when
    and the answer's code. What the cluster's own machinery reads, and its leases, events and
    heartbeats, are most requests by far and say nothing: they are left out, but for Secrets.
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        # Each request once, when it is answered.
        "omitStages": ["RequestReceived"],
        "rules": [
            {
                "level": "Metadata",
                "resources": [
                    {"group": "", "resources": ["secrets", "serviceaccounts/token"]},
                    {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
                ],
            },
            {"level": "None", "users": _CONTROL_PLANE, "verbs": _READ},
            {"level": "None", "userGroups": [_NODES, _OWN_ACCOUNTS], "verbs": _READ},
            {
                "level": "None",
                "userGroups": [_NODES],
                "resources": [{"group": "", "resources": ["nodes/status", "pods/status"]}],
            },
            {
                "level": "None",
                "resources": [
                    {"group": "coordination.k8s.io", "resources": ["leases"]},
                    {"group": "", "resources": ["events"]},
                    {"group": "events.k8s.io", "resources": ["events"]},
                ],
            },
            {
                "level": "None",
                "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi/*"],
            },
            {
                "level": "Request",
                "verbs": _WRITE,
                "resources": [{"group": "rbac.authorization.k8s.io"}],
            },
            {"level": "Metadata"},
        ],
    }


def audit_arguments(policy_path: str) -> tuple[str, ...]:
    """Return the flags of the API server for the audit log, without their dashes.

    Args:
        policy_path: file that holds the policy.
    """
    return (
        f"audit-policy-file={policy_path}",
        f"audit-log-path={AUDIT_LOG_PATH}",
        f"audit-log-maxage={AUDIT_LOG_DAYS}",
        f"audit-log-maxbackup={AUDIT_LOG_FILES}",
        f"audit-log-maxsize={AUDIT_LOG_MEBIBYTES}",
    )
