"""Values of charts/tenant: what the platform puts into the namespace of one tenant.

Owns the namespace, its LocalQueue, and who may put the tenant's first key there. Quotas are
cluster-wide and in charts/kueue-queues; network policies in charts/network.
"""

from typing import Final

from pydantic import Field

from components.platform.values.base import ChartValues, Name, ObjectName

QUEUE: Final = "gpu"
"""The LocalQueue that a tenant's jobs name; it is called the same in every tenant's namespace."""


class LocalQueueValues(ChartValues):
    """Where the tenant's jobs wait."""

    name: Name = QUEUE
    cluster_queue: Name = Field(description="Whose quota its jobs count against.")


class FirstKey(ChartValues):
    """Who makes the tenant's first key at LiteLLM, and the Secret that it is put into."""

    secret: ObjectName
    service_account: ObjectName
    service_account_namespace: Name


class TenantValues(ChartValues):
    """All values of charts/tenant."""

    name: Name = Field(description="Of the tenant, and of its namespace.")
    queue: LocalQueueValues
    first_key: FirstKey | None = Field(
        default=None, description="None where no key is made: nobody else may write there."
    )
