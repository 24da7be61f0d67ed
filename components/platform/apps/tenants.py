"""Builder of what each tenant has in the cluster: a namespace, a queue, and a first key.

Each is an Application of the tenant's own AppProject, which reaches no other namespace. It goes
with the tenant, behind its Applications: one project for all would have lost the namespace while
Argo CD still had to delete from it.
"""

from typing import Final

from components.names import tenant_project
from components.platform.apps import namespaces
from components.platform.apps.parts import calls_internet, entry
from components.platform.apps.platform import KUEUE_ENTRY
from components.platform.catalogue import CatalogueEntry, OwnChart, PlatformInputs
from components.platform.network import Connection, Pods
from components.platform.values.tenant import FirstKey, TenantValues

TENANTS_ENTRY: Final = "litellm-tenants"
"""The Job that makes tenants LiteLLM's teams."""
TEAMS_ACCOUNT: Final = f"{TENANTS_ENTRY}-teams"
"""Its service account, as charts/llm-gateway calls it."""
TENANT_SECRET: Final = "litellm-key"  # noqa: S105 - the name of a Secret
"""A tenant's first key, in the tenant's own namespace."""


def tenant_entry(tenant: str) -> str:
    """Return the entry that makes a tenant's namespace."""
    return f"{tenant}-tenant"


def tenants(inputs: PlatformInputs) -> tuple[CatalogueEntry, ...]:
    """Each tenant's namespace, with its queue and who may put a key there."""
    first_key = FirstKey(
        secret=TENANT_SECRET,
        service_account=TEAMS_ACCOUNT,
        service_account_namespace=namespaces.LITELLM,
    )
    return tuple(
        entry(
            tenant_entry(tenant.name),
            tenant.name,
            "platform",
            OwnChart(
                chart="tenant",
                values=TenantValues(name=tenant.name, first_key=first_key).to_values(),
            ),
            project=tenant_project(tenant.name),
            description=f"Namespace and queue of tenant {tenant.name}",
            # Its webhook admits the queue. Quotas are not waited for: `kueue-queues` is not Synced
            # until the last job of a tenant who is gone is done.
            requires=(KUEUE_ENTRY,),
            # The chart makes the namespace, because it outlives the Application.
            create_namespace=False,
            connections=_connections(tenant.name),
        )
        for tenant in inputs.tenants
    )


def _connections(tenant: str) -> tuple[Connection, ...]:
    """Return what a tenant's own pods may call: each other, and the internet."""
    pods = Pods(namespace=tenant)
    return (
        Connection(client=pods, server=pods, ports=(1,), last_port=65535),
        calls_internet(pods),
    )
