"""What Google calls its trust in a cluster's tokens: plain data, known before any of it exists."""

from dataclasses import dataclass
from typing import Final

PROVIDER_ID: Final = "kubernetes"
"""Of the one provider of the pool."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadFederation:
    """A pool of Google's and the cluster as its one provider."""

    project: str
    project_number: int
    """Google names pools by it; nothing but Google tells it from the project's id."""
    pool_id: str

    @property
    def audience(self) -> str:
        """The provider, as Google's token service is asked about it."""
        return f"//iam.googleapis.com/{self._pool}/providers/{PROVIDER_ID}"

    def member(self, namespace: str, service_account: str) -> str:
        """Return a service account of the cluster as IAM policies name it."""
        whom = subject(namespace, service_account)
        return f"principal://iam.googleapis.com/{self._pool}/subject/{whom}"

    @property
    def _pool(self) -> str:
        return (
            f"projects/{self.project_number}/locations/global/workloadIdentityPools/{self.pool_id}"
        )


def subject(namespace: str, service_account: str) -> str:
    """Return whom a token of a service account is about, as Kubernetes writes it."""
    return f"system:serviceaccount:{namespace}:{service_account}"
