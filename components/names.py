"""Physical names: what others address by name, and each system's limit on it.

Pure functions. A name that does not fit is shortened in the middle, so that the suffix that makes
it unique stays, and the same input always gives the same name.
"""

import hashlib
from typing import Final

HELM_RELEASE_MAX: Final = 53
"""Characters in a Helm release name (Helm 3 documentation), so in an Application name of ours."""

GCP_SERVICE_ACCOUNT_MAX: Final = 30
"""Characters in a Google service account id; the minimum is 6 (IAM documentation)."""

GKE_CLUSTER_MAX: Final = 40
"""Characters in a GKE cluster or node pool name (GKE API reference)."""

GCS_BUCKET_MAX: Final = 63
"""Characters in a bucket name without dots (Cloud Storage docs, "About Cloud Storage buckets")."""

GCP_LABEL_MAX: Final = 63
"""Characters in the value of a label at Google Cloud (Resource Manager docs, "Labels")."""

HCLOUD_NAME_MAX: Final = 63
"""Characters in a Hetzner Cloud server name, which becomes the host name (RFC 1123 label)."""

ARGO_CD_NAMESPACE: Final = "argocd"
APP_PROJECT: Final = "platform"
"""Project of Argo CD with all Applications but those in a tenant's namespace."""

IN_CLUSTER_SERVER: Final = "https://kubernetes.default.svc"
"""The Kubernetes API as pods of the same cluster reach it; Argo CD knows its own cluster by it."""

SIGN_IN_HOST: Final = "auth"
"""Host of the identity provider below the platform's domain; its address is its issuer too."""

ARGO_CD_HOST: Final = "argocd"
ARGO_CD_CLIENT: Final = "argocd"
"""Argo CD as the identity provider's client."""
ARGO_CD_CLIENT_SECRET: Final = "argocd-sign-in"  # noqa: S105 - the name of a Secret
ARGO_CD_CLIENT_SECRET_KEY: Final = "clientSecret"  # noqa: S105 - the name of a key

TRUST_BUNDLE: Final = "llmp-trusted-certificates"
"""ConfigMap of every namespace with the authorities to trust, where the cluster has one itself."""
TRUST_BUNDLE_KEY: Final = "ca-certificates.crt"

_DIGEST_LENGTH: Final = 6


def tenant_project(tenant: str) -> str:
    """Return the project of Argo CD with the Applications in a tenant's namespace."""
    return f"tenant-{tenant}"


def fit(name: str, limit: int) -> str:
    """Return `name` if it fits in `limit` characters, else a shortened one that is as unique.

    The shortened name keeps its start and its end and carries a digest of the whole between them.

    Raises:
        ValueError: `limit` leaves no room for a digest.
    """
    if len(name) <= limit:
        return name
    keep = limit - _DIGEST_LENGTH - 2
    if keep < 2:  # noqa: PLR2004 - one character on each side
        msg = f"a limit of {limit} leaves no room to shorten {name!r}"
        raise ValueError(msg)
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    tail = keep // 2
    return f"{name[: keep - tail].rstrip('-')}-{digest}-{name[len(name) - tail :].lstrip('-')}"


def issuer_url(domain: str) -> str:
    """Return the issuer of the platform's identity provider, which never ends in a slash."""
    return f"https://{SIGN_IN_HOST}.{domain}"


def admin_email(domain: str, configured: str | None) -> str:
    """Return the address of the identity provider's own user."""
    return f"admin@{domain}" if configured is None else configured


def gcp_service_account(cluster: str, role: str) -> str:
    """Return the id of a Google service account of this cluster: 6 to 30 characters."""
    return fit(f"{cluster}-{role}", GCP_SERVICE_ACCOUNT_MAX)
