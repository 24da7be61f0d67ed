"""A GKE cluster with all around it, up to a running Argo CD."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.contract import EXTERNAL_DNS_IDENTITY, SubstrateContract
from components.names import fit
from components.substrate.argocd import ArgoCd, ArgoCdArgs, ArgoCdSignIn
from components.substrate.gke_backup_bucket import GkeBackupBucket, GkeBackupBucketArgs
from components.substrate.gke_budget import (
    BUDGET_NAME_MAX,
    GkeBudgetAlerts,
    GkeBudgetAlertsArgs,
)
from components.substrate.gke_cluster import GkeCluster, GkeClusterArgs
from components.substrate.gke_dns_access import GkeDnsAccess, GkeDnsAccessArgs
from components.substrate.gke_dns_zone import GkeDnsZone, GkeDnsZoneArgs
from components.substrate.gke_edge_address import GkeEdgeAddress, GkeEdgeAddressArgs
from components.substrate.gke_model_registry import GkeModelRegistry, GkeModelRegistryArgs
from components.substrate.gke_network import (
    POD_RANGE,
    SERVICE_RANGE,
    GkeNetwork,
    GkeNetworkArgs,
)
from components.substrate.gke_node_identity import GkeNodeIdentity, GkeNodeIdentityArgs
from components.substrate.gke_node_pool import GkeNodePool, GkeNodePoolArgs
from components.substrate.gke_pull_through import GkePullThrough, GkePullThroughArgs
from components.substrate.gke_secrets import GkeSecrets, GkeSecretsArgs
from components.substrate.gke_secrets_encryption import (
    GkeSecretsEncryption,
    GkeSecretsEncryptionArgs,
)
from components.substrate.gke_services import (
    GkeServices,
    GkeServicesArgs,
    needed_services,
)
from components.substrate.gke_topology import (
    DATABASE_NAMESPACE,
    DATABASE_SERVICE_ACCOUNT,
    DNS_WRITERS,
    EXTERNAL_SECRETS_NAMESPACE,
    EXTERNAL_SECRETS_SERVICE_ACCOUNT,
    POOL_LABEL,
    GkeTopology,
    gpu_pool_labels,
    gpu_pool_taints,
)
from components.substrate.gke_workload_identity import (
    GkeWorkloadIdentity,
    GkeWorkloadIdentityArgs,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeSubstrateArgs:
    """Inputs of the substrate: plain data, because it decides which resources exist."""

    topology: GkeTopology
    contract: SubstrateContract
    """What `gke_contract` promises of this topology."""
    generated_secrets: tuple[str, ...] = ()
    """Ids, without the store's prefix, of the secrets that the cluster makes and pushes."""
    supplied_secrets: tuple[str, ...] = ()
    """Ids, without the store's prefix, of the secrets that only people have."""
    high_availability: bool = False
    """Two replicas of what Argo CD answers with."""
    argo_cd_sign_in: ArgoCdSignIn | None = None
    """How Argo CD's users sign in; None for its local admin alone."""


class GkeSubstrate(pulumi.ComponentResource):
    """Everything that is not in the cluster, and Argo CD in it.

    The Google provider comes from the parent's options; the Kubernetes provider is made here. It
    owns no record, no load balancer and, but for Argo CD, nothing that runs.
    """

    contract: SubstrateContract
    kubeconfig: pulumi.Output[str]
    """Secret, although it holds no credential: it names the way in."""
    kubernetes_provider: kubernetes.Provider
    nat_addresses: list[pulumi.Output[str]]
    """Where all calls to the internet come from; empty while the addresses are Google's choice."""
    argo_cd: ArgoCd
    dns_name_servers: pulumi.Output[Sequence[str]] | None
    """What the zone above has to name; None where the zone is not ours."""
    edge_address: pulumi.Output[str] | None
    """None where the edge takes whichever address it gets."""

    def __init__(
        self, name: str, args: GkeSubstrateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeSubstrate", name, None, opts)
        topology = args.topology
        self.contract = args.contract
        uses_secret_manager = args.contract.secret_store.kind == "google-secret-manager"
        zone = self.contract.dns.zone if self.contract.dns.provider == "google" else None
        self.dns_name_servers = None
        self.edge_address = None
        services = GkeServices(
            f"{name}-services",
            GkeServicesArgs(
                project=topology.project,
                services=needed_services(
                    topology, secret_manager=uses_secret_manager, cloud_dns=zone is not None
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        nodes = GkeNodeIdentity(
            f"{name}-node-identity",
            GkeNodeIdentityArgs(
                project=topology.project,
                cluster_name=topology.cluster_name,
                account_id=topology.node_account_id,
                streams_images=topology.streams_images,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        network = GkeNetwork(
            f"{name}-network",
            GkeNetworkArgs(
                project=topology.project,
                region=topology.region,
                cluster_name=topology.cluster_name,
                node_cidr=topology.network.node_cidr,
                pod_cidr=topology.network.pod_cidr,
                service_cidr=topology.network.service_cidr,
                control_plane_cidr=topology.network.control_plane_cidr,
                nat_addresses=topology.network.nat_addresses,
                flow_logs=topology.network.flow_logs,
                node_account=nodes.email,
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        self.nat_addresses = network.nat_addresses
        encryption = self._make_secrets_encryption(name, topology, services)
        cluster = GkeCluster(
            f"{name}-control-plane",
            GkeClusterArgs(
                project=topology.project,
                location=topology.location,
                cluster_name=topology.cluster_name,
                workload_pool=topology.workload_pool,
                network_id=network.network_id,
                subnetwork_id=network.subnetwork_id,
                pod_range=POD_RANGE,
                service_range=SERVICE_RANGE,
                control_plane_cidr=topology.network.control_plane_cidr,
                control_plane=topology.control_plane,
                secrets_encryption_key=None if encryption is None else encryption.key,
                # What pods say to each other within a node would be missing otherwise.
                intranode_visibility=topology.network.flow_logs,
                node_account=nodes.email,
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            # Nodes without NAT pull no image, and without their roles they report nothing.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[network, nodes, *(() if encryption is None else (encryption,))],
            ),
        )
        platform_pool = self._make_pools(name, topology, cluster, nodes)
        if topology.registry.models:
            GkeModelRegistry(
                f"{name}-model-registry",
                GkeModelRegistryArgs(
                    project=topology.project,
                    region=topology.region,
                    repository_id=topology.model_repository_id,
                    scanning=topology.registry.scanning,
                    untagged_days=topology.registry.untagged_days,
                    node_member=nodes.member,
                    labels=topology.resource_labels,
                    deletion_protection=topology.deletion_protection,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            )
        if topology.mirror_repository_ids:
            GkePullThrough(
                f"{name}-pull-through",
                GkePullThroughArgs(
                    project=topology.project,
                    region=topology.region,
                    repository_ids=topology.mirror_repository_ids,
                    cached_days=topology.registry.cached_days,
                    node_member=nodes.member,
                    labels=topology.resource_labels,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            )
        if uses_secret_manager:
            self._make_secrets(name, args, cluster, services)
        if zone is not None:
            self._make_dns(name, topology, zone, cluster, services)
        if topology.edge_address:
            self._make_edge_address(name, topology, services)
        if topology.budget is not None:
            GkeBudgetAlerts(
                f"{name}-budget",
                GkeBudgetAlertsArgs(
                    project=topology.project,
                    display_name=fit(
                        f"{topology.cluster_name} in {topology.project}", BUDGET_NAME_MAX
                    ),
                    budget=topology.budget,
                    filter_label=topology.cost_label,
                    labels=topology.resource_labels,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            )
        self.kubeconfig = pulumi.Output.secret(cluster.kubeconfig)
        self.kubernetes_provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            # Without it a kubeconfig that changes in form only could replace all that is in the
            # cluster.
            cluster_identifier=topology.cluster_identifier,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.argo_cd = ArgoCd(
            f"{name}-argo-cd",
            ArgoCdArgs(
                contract=self.contract,
                high_availability=args.high_availability,
                sign_in=args.argo_cd_sign_in,
            ),
            opts=pulumi.ResourceOptions(parent=self, providers=[self.kubernetes_provider]),
            # Pods that back up to a bucket which is gone cannot stop for a long time.
            after=[platform_pool, *self._make_backups(name, topology, cluster, services)],
        )
        self.register_outputs(
            {"contract": self.contract.to_output(), "kubeconfig": self.kubeconfig}
        )

    def _make_secrets_encryption(
        self, name: str, topology: GkeTopology, services: GkeServices
    ) -> GkeSecretsEncryption | None:
        """Let GKE use the key for Secrets, where there is one."""
        key = topology.control_plane.secrets_encryption_key
        if key is None:
            return None
        return GkeSecretsEncryption(
            f"{name}-secrets-encryption",
            GkeSecretsEncryptionArgs(project=topology.project, key=key),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )

    def _make_pools(
        self, name: str, topology: GkeTopology, cluster: GkeCluster, nodes: GkeNodeIdentity
    ) -> GkeNodePool:
        """Make all pools and return the one without GPUs."""
        platform = topology.platform_pool
        for pool in topology.gpu_pools:
            GkeNodePool(
                f"{name}-gpu-pool-{pool.node_pool_name}",
                GkeNodePoolArgs(
                    project=topology.project,
                    location=topology.location,
                    cluster=cluster.name,
                    pool_name=pool.node_pool_name,
                    node_account=nodes.email,
                    machine_type=pool.machine_type,
                    min_nodes=pool.min_nodes,
                    max_nodes=pool.max_nodes,
                    disk_size_gib=pool.disk_size_gib,
                    zones=pool.zones,
                    location_policy=pool.location_policy,
                    upgrade=pool.upgrade,
                    capacity=pool.capacity,
                    reservation=pool.reservation,
                    image_streaming=pool.image_streaming,
                    preloaded_images=pool.preloaded_images,
                    accelerator=pool.accelerator,
                    accelerators_per_node=pool.accelerators_per_node,
                    driver_version=pool.driver_version,
                    sharing=pool.sharing,
                    node_labels=gpu_pool_labels(pool, compute_class=topology.compute_class),
                    taints=gpu_pool_taints(pool, compute_class=topology.compute_class),
                    labels=topology.resource_labels,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        return GkeNodePool(
            f"{name}-pool-{platform.node_pool_name}",
            GkeNodePoolArgs(
                project=topology.project,
                location=topology.location,
                cluster=cluster.name,
                pool_name=platform.node_pool_name,
                node_account=nodes.email,
                machine_type=platform.machine_type,
                min_nodes=platform.min_nodes,
                max_nodes=platform.max_nodes,
                disk_size_gib=platform.disk_size_gib,
                zones=platform.zones,
                location_policy="balanced",
                upgrade=platform.upgrade,
                image_streaming=platform.image_streaming,
                node_labels={POOL_LABEL: "platform"},
                labels=topology.resource_labels,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _make_dns(
        self,
        name: str,
        topology: GkeTopology,
        zone: str,
        cluster: GkeCluster,
        services: GkeServices,
    ) -> None:
        """Make the zone, where it is ours, and the identities that write its records."""
        zone_name: pulumi.Input[str] = zone
        domain = self.contract.domain
        if topology.create_dns_zone:
            if domain is None:
                msg = f"the zone {zone} is to be made, and the contract names no domain for it"
                raise ValueError(msg)
            made = GkeDnsZone(
                f"{name}-dns-zone",
                GkeDnsZoneArgs(
                    project=topology.project,
                    zone=zone,
                    domain=domain,
                    labels=topology.resource_labels,
                    deletion_protection=topology.deletion_protection,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            )
            zone_name, self.dns_name_servers = made.name, made.name_servers
        writers = {
            identity: GkeWorkloadIdentity(
                f"{name}-{namespace}",
                GkeWorkloadIdentityArgs(
                    project=topology.project,
                    workload_pool=topology.workload_pool,
                    account_id=topology.dns_account_id(identity),
                    display_name=f"{namespace} in GKE cluster {topology.cluster_name}",
                    namespace=namespace,
                    service_account=namespace,
                    cluster=cluster,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            ).member
            for identity, namespace in DNS_WRITERS.items()
        }
        GkeDnsAccess(
            f"{name}-dns-access",
            GkeDnsAccessArgs(
                project=topology.project,
                zone=zone_name,
                writers={DNS_WRITERS[identity]: member for identity, member in writers.items()},
                listers={DNS_WRITERS[EXTERNAL_DNS_IDENTITY]: writers[EXTERNAL_DNS_IDENTITY]},
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )

    def _make_edge_address(self, name: str, topology: GkeTopology, services: GkeServices) -> None:
        """Reserve the address that the contract's load balancer annotations name."""
        self.edge_address = GkeEdgeAddress(
            f"{name}-edge-address",
            GkeEdgeAddressArgs(
                project=topology.project,
                region=topology.region,
                address_name=topology.edge_address_name,
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        ).address

    def _make_backups(
        self, name: str, topology: GkeTopology, cluster: GkeCluster, services: GkeServices
    ) -> tuple[pulumi.Resource, ...]:
        """Make the bucket of the database, and the identity that writes it; return both."""
        backups = topology.backups
        if backups is None:
            return ()
        identity = GkeWorkloadIdentity(
            f"{name}-database",
            GkeWorkloadIdentityArgs(
                project=topology.project,
                workload_pool=topology.workload_pool,
                account_id=topology.database_account_id,
                display_name=f"Database backups in GKE cluster {topology.cluster_name}",
                namespace=DATABASE_NAMESPACE,
                service_account=DATABASE_SERVICE_ACCOUNT,
                cluster=cluster,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        bucket = GkeBackupBucket(
            f"{name}-backups",
            GkeBackupBucketArgs(
                project=topology.project,
                region=topology.region,
                bucket=backups.bucket,
                retention_days=backups.retention_days,
                writer=identity.member,
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        return (identity, bucket)

    def _make_secrets(
        self, name: str, args: GkeSubstrateArgs, cluster: GkeCluster, services: GkeServices
    ) -> None:
        """Make the identity of External Secrets, and the secrets that it may use."""
        topology, prefix = args.topology, args.contract.secret_store.prefix
        identity = GkeWorkloadIdentity(
            f"{name}-external-secrets",
            GkeWorkloadIdentityArgs(
                project=topology.project,
                workload_pool=topology.workload_pool,
                account_id=topology.external_secrets_account_id,
                display_name=f"External Secrets in GKE cluster {topology.cluster_name}",
                namespace=EXTERNAL_SECRETS_NAMESPACE,
                service_account=EXTERNAL_SECRETS_SERVICE_ACCOUNT,
                cluster=cluster,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        GkeSecrets(
            f"{name}-secrets",
            GkeSecretsArgs(
                project=topology.project,
                generated=tuple(f"{prefix}{each}" for each in args.generated_secrets),
                supplied=tuple(f"{prefix}{each}" for each in args.supplied_secrets),
                member=identity.member,
                locations=topology.secret_locations,
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
