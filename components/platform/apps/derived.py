"""Entries that serve all others and follow from what those say: secrets and network policies."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from components.contract import EXTERNAL_SECRETS_IDENTITY
from components.names import APP_PROJECT, tenant_project
from components.platform.apps import namespaces
from components.platform.apps.parts import calls_api_server, entry
from components.platform.apps.platform import (
    EXTERNAL_SECRETS_ENTRY,
    EXTERNAL_SECRETS_PODS,
)
from components.platform.apps.tenants import tenant_entry
from components.platform.catalogue import (
    CatalogueEntry,
    CatalogueError,
    OwnChart,
    PlatformInputs,
)
from components.platform.network import Connection, policies
from components.platform.values.network import NetworkValues
from components.platform.values.secrets import (
    ConsumerSecret,
    Federation,
    GeneratedSecret,
    SecretStoreReference,
    SecretStoreValues,
    SecretsValues,
)

SECRET_STORE_ENTRY: Final = "secret-store"  # noqa: S105 - the name of an entry


def secrets_entry(namespace: str) -> str:
    """Return the entry that brings a namespace the Secrets that the cluster makes itself."""
    return f"{namespace}-secrets"


def supplied_entry(secret: ConsumerSecret) -> str:
    """Return the entry of one Secret that people supply."""
    return f"{secret.namespace}-{secret.name}"


def network_entry(namespace: str) -> str:
    """Return the entry with the network policies of a namespace."""
    return f"{namespace}-network"


def generated(entries: Iterable[CatalogueEntry]) -> tuple[GeneratedSecret, ...]:
    """Return the secrets that the cluster makes, by remote id.

    Raises:
        CatalogueError: two entries mean different secrets by one id.
    """
    by_id: dict[str, GeneratedSecret] = {}
    for made in (one for each in entries for one in each.generates):
        if by_id.setdefault(made.remote_id, made) != made:
            msg = f"two entries generate {made.remote_id!r} in different ways"
            raise CatalogueError(msg)
    return tuple(by_id[remote_id] for remote_id in sorted(by_id))


def supplied(entries: Sequence[CatalogueEntry]) -> dict[str, tuple[str, ...]]:
    """Return the entries that wait for each secret that only people have, by remote id, sorted."""
    made = _ids(entries)
    waiting: defaultdict[str, set[str]] = defaultdict(set)
    for each in entries:
        for one in (one for secret in each.secrets for one in secret.entries):
            if one.remote_id not in made:
                waiting[one.remote_id].add(each.name)
    return {remote_id: tuple(sorted(waiting[remote_id])) for remote_id in sorted(waiting)}


def consumer_edges(entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """Return the entries, each behind the Secrets that the cluster makes for it.

    A Secret that people supply is no edge: its readers wait for it by themselves, and a token that
    nobody has put into the store holds up nothing else.
    """
    made = _ids(entries)
    return [
        replace(
            each,
            requires=tuple(
                dict.fromkeys(
                    (
                        *each.requires,
                        *(
                            secrets_entry(secret.namespace)
                            for secret in each.secrets
                            if not _is_supplied(secret, made)
                        ),
                    )
                )
            ),
        )
        for each in entries
    ]


def secret_store(
    inputs: PlatformInputs, entries: Sequence[CatalogueEntry]
) -> tuple[CatalogueEntry, ...]:
    """The one ClusterSecretStore, and the secrets that the cluster makes and pushes to it."""
    store = inputs.contract.secret_store
    values = SecretStoreValues(
        provider=store.kind,
        project=store.project,
        federation=None
        if store.audience is None
        else Federation(
            audience=store.audience,
            service_account=inputs.contract.workload_identities[
                EXTERNAL_SECRETS_IDENTITY
            ].service_account,
        ),
        consumer_namespaces=tuple(sorted({secret.namespace for secret in _consumers(entries)})),
    )
    return (
        entry(
            SECRET_STORE_ENTRY,
            namespaces.EXTERNAL_SECRETS,
            "platform",
            OwnChart(
                chart="secrets",
                values=SecretsValues(
                    reference=_reference(inputs), store=values, generated=generated(entries)
                ).to_values(),
            ),
            description="Where secrets live, and those that the cluster makes itself",
            # Its webhook admits every object of the chart.
            requires=(EXTERNAL_SECRETS_ENTRY,),
            extra_namespaces=(values.namespace,) if store.kind == "kubernetes" else (),
            connections=(calls_api_server(EXTERNAL_SECRETS_PODS),),
        ),
    )


def consumer_secrets(
    inputs: PlatformInputs, entries: Sequence[CatalogueEntry]
) -> tuple[CatalogueEntry, ...]:
    """The Secrets of each namespace; one that people supply is an entry of its own.

    So a missing hub token shows as one Degraded Application and holds up one model alone.
    """
    made = _ids(entries)
    by_entry: defaultdict[str, list[ConsumerSecret]] = defaultdict(list)
    for secret in _consumers(entries):
        is_supplied = _is_supplied(secret, made)
        name = supplied_entry(secret) if is_supplied else secrets_entry(secret.namespace)
        by_entry[name].append(secret)
    return tuple(
        entry(
            name,
            consumers[0].namespace,
            "platform",
            OwnChart(
                chart="secrets",
                values=SecretsValues(
                    reference=_reference(inputs), consumers=tuple(consumers)
                ).to_values(),
            ),
            description=f"Secrets of namespace {consumers[0].namespace}"
            if name == secrets_entry(consumers[0].namespace)
            else f"Secret {consumers[0].name}, which people supply",
            requires=(SECRET_STORE_ENTRY,),
            create_namespace=consumers[0].namespace in namespaces.POD_SECURITY,
        )
        for name, consumers in by_entry.items()
    )


def network_policies(
    inputs: PlatformInputs, entries: Sequence[CatalogueEntry]
) -> tuple[CatalogueEntry, ...]:
    """Default-deny in each namespace of the platform and of the tenants, and what is allowed."""
    tenants = [tenant.name for tenant in inputs.tenants]
    owned = sorted({one.namespace for one in entries if one.create_namespace})
    connections: list[Connection] = [one for each in entries for one in each.connections]
    return tuple(
        entry(
            network_entry(namespace),
            namespace,
            "platform",
            OwnChart(
                chart="network",
                values=NetworkValues(
                    policies=allowed,
                    # The namespace of a tenant who is gone may have pods.
                    keep_default_deny=namespace in tenants,
                ).to_values(),
            ),
            description=f"Default-deny and allowed connections of namespace {namespace}",
            project=tenant_project(namespace) if namespace in tenants else APP_PROJECT,
            requires=(tenant_entry(namespace),) if namespace in tenants else (),
            create_namespace=namespace not in tenants,
        )
        for namespace, allowed in policies(connections, [*owned, *tenants]).items()
    )


def _ids(entries: Iterable[CatalogueEntry]) -> set[str]:
    return {one.remote_id for one in generated(entries)}


def _is_supplied(secret: ConsumerSecret, made: set[str]) -> bool:
    return any(one.remote_id not in made for one in secret.entries)


def _consumers(entries: Iterable[CatalogueEntry]) -> list[ConsumerSecret]:
    """Return each Secret once, however many entries read it."""
    by_name: dict[tuple[str, str], ConsumerSecret] = {}
    for secret in (one for each in entries for one in each.secrets):
        if by_name.setdefault((secret.namespace, secret.name), secret) != secret:
            msg = f"two entries mean different Secrets by {secret.namespace}/{secret.name}"
            raise CatalogueError(msg)
    return list(by_name.values())


def _reference(inputs: PlatformInputs) -> SecretStoreReference:
    """Return how every release of the chart finds the store."""
    store = inputs.contract.secret_store
    return SecretStoreReference(provider=store.kind, prefix=store.prefix)
