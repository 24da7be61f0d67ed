"""Values of charts/tenant: what the platform puts into the namespace of one tenant.

Owns the namespace, its LocalQueue, and who may put the tenant's first key there. Quotas are
cluster-wide and in charts/kueue-queues; network policies in charts/network.
"""

from typing import Final

from pydantic import Field

from components.platform.values.base import ChartValues, Name, ObjectName

QUEUE: Final = "gpu"
"""The LocalQueue that a tenant's jobs name; it is called the same in every tenant's namespace."""


class FirstKey(ChartValues):
    """Who makes the tenant's first key at LiteLLM, and the Secret that it is put into."""

    secret: ObjectName
    service_account: ObjectName
    service_account_namespace: Name


class TenantValues(ChartValues):
    """All values of charts/tenant."""

    name: Name = Field(description="Of the tenant, its namespace and its ClusterQueue.")
    queue: Name = Field(default=QUEUE, description="Where its jobs wait.")
    first_key: FirstKey
