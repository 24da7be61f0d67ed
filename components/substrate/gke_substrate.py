"""A GKE cluster with all around it, up to a running Argo CD."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.contract import EXTERNAL_DNS_IDENTITY, Dns, SecretStore, SubstrateContract
from components.substrate.argocd import ArgoCd, ArgoCdArgs, ArgoCdSignIn
from components.substrate.gke_cluster import GkeCluster, GkeClusterArgs
from components.substrate.gke_dns_access import GkeDnsAccess, GkeDnsAccessArgs
from components.substrate.gke_model_registry import GkeModelRegistry, GkeModelRegistryArgs
from components.substrate.gke_network import (
    POD_RANGE,
    SERVICE_RANGE,
    GkeNetwork,
    GkeNetworkArgs,
)
from components.substrate.gke_node_identity import GkeNodeIdentity, GkeNodeIdentityArgs
from components.substrate.gke_node_pool import GkeNodePool, GkeNodePoolArgs
from components.substrate.gke_secrets import GkeSecrets, GkeSecretsArgs
from components.substrate.gke_services import (
    GkeServices,
    GkeServicesArgs,
    needed_services,
)
from components.substrate.gke_topology import (
    DNS_WRITERS,
    EXTERNAL_SECRETS_NAMESPACE,
    EXTERNAL_SECRETS_SERVICE_ACCOUNT,
    POOL_LABEL,
    GkeTopology,
    gke_contract,
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
    secret_store: SecretStore
    domain: str | None = None
    dns: Dns | None = None
    """Who answers for the domain; None for nobody."""
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
    owns no DNS zone, no load balancer and, but for Argo CD, nothing that runs.
    """

    contract: SubstrateContract
    kubeconfig: pulumi.Output[str]
    """Secret, although it holds no credential: it names the way in."""
    kubernetes_provider: kubernetes.Provider
    argo_cd: ArgoCd

    def __init__(
        self, name: str, args: GkeSubstrateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeSubstrate", name, None, opts)
        topology = args.topology
        self.contract = gke_contract(
            topology,
            secret_store=args.secret_store,
            domain=args.domain,
            dns=args.dns,
            argo_cd_sign_in=args.argo_cd_sign_in is not None,
        )
        uses_secret_manager = args.secret_store.kind == "google-secret-manager"
        zone = self.contract.dns.zone if self.contract.dns.provider == "google" else None
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
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
        network = GkeNetwork(
            f"{name}-network",
            GkeNetworkArgs(
                project=topology.project,
                region=topology.region,
                node_cidr=topology.network.node_cidr,
                pod_cidr=topology.network.pod_cidr,
                service_cidr=topology.network.service_cidr,
                control_plane_cidr=topology.network.control_plane_cidr,
                node_account=nodes.email,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
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
                node_account=nodes.email,
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            # Nodes without NAT pull no image, and without their roles they report nothing.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[network, nodes]),
        )
        platform_pool = self._make_pools(name, topology, cluster, nodes)
        if topology.registry.models:
            GkeModelRegistry(
                f"{name}-model-registry",
                GkeModelRegistryArgs(
                    project=topology.project,
                    region=topology.region,
                    repository_id=topology.model_repository_id,
                    node_member=nodes.member,
                    labels=topology.resource_labels,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            )
        if uses_secret_manager:
            self._make_secrets(name, args, cluster, services)
        if zone is not None:
            self._make_dns_access(name, topology, zone, cluster, services)
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
            after=[platform_pool],
        )
        self.register_outputs(
            {"contract": self.contract.to_output(), "kubeconfig": self.kubeconfig}
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
                    labels=topology.resource_labels,
                    accelerator=pool.accelerator,
                    accelerators_per_node=pool.accelerators_per_node,
                    spot=pool.capacity == "spot",
                    node_labels=gpu_pool_labels(pool, compute_class=topology.compute_class),
                    taints=gpu_pool_taints(pool, compute_class=topology.compute_class),
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        return GkeNodePool(
            f"{name}-platform-pool",
            GkeNodePoolArgs(
                project=topology.project,
                location=topology.location,
                cluster=cluster.name,
                pool_name="platform",
                node_account=nodes.email,
                machine_type=platform.machine_type,
                min_nodes=platform.min_nodes,
                max_nodes=platform.max_nodes,
                disk_size_gib=platform.disk_size_gib,
                labels=topology.resource_labels,
                node_labels={POOL_LABEL: "platform"},
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _make_dns_access(
        self,
        name: str,
        topology: GkeTopology,
        zone: str,
        cluster: GkeCluster,
        services: GkeServices,
    ) -> None:
        """Make the identities that write records of the zone, and let them."""
        for identity, namespace in DNS_WRITERS.items():
            writer = GkeWorkloadIdentity(
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
            )
            GkeDnsAccess(
                f"{name}-{namespace}-zone",
                GkeDnsAccessArgs(
                    project=topology.project,
                    zone=zone,
                    member=writer.member,
                    # It looks for the zone in the list of all; cert-manager knows its name.
                    lists_zones=identity == EXTERNAL_DNS_IDENTITY,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
            )

    def _make_secrets(
        self, name: str, args: GkeSubstrateArgs, cluster: GkeCluster, services: GkeServices
    ) -> None:
        """Make the identity of External Secrets, and the secrets that it may use."""
        topology, prefix = args.topology, args.secret_store.prefix
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
                labels=topology.resource_labels,
                deletion_protection=topology.deletion_protection,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[services]),
        )
