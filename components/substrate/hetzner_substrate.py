"""A k3s cluster on Hetzner Cloud with all around it, up to a running Argo CD."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pulumi
import pulumi_gcp as gcp
import pulumi_hcloud as hcloud
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from components.contract import Dns, SecretStore, SubstrateContract
from components.substrate.argocd import ArgoCd, ArgoCdArgs, ArgoCdSignIn
from components.substrate.gke_secrets import GkeSecrets, GkeSecretsArgs
from components.substrate.gke_services import GkeServices, GkeServicesArgs
from components.substrate.google_workload_federation import (
    GOOGLE_SERVICES,
    GoogleWorkloadFederation,
    GoogleWorkloadFederationArgs,
)
from components.substrate.gpu_operator import GpuOperator, GpuOperatorArgs
from components.substrate.hetzner_addons import HetznerAddons, HetznerAddonsArgs
from components.substrate.hetzner_api import HetznerApi, HetznerApiArgs
from components.substrate.hetzner_api_load_balancer import (
    HetznerApiLoadBalancer,
    HetznerApiLoadBalancerArgs,
)
from components.substrate.hetzner_autoscaler import HetznerAutoscaler, HetznerAutoscalerArgs
from components.substrate.hetzner_certificates import HetznerCertificates, HetznerCertificatesArgs
from components.substrate.hetzner_control_plane import HetznerControlPlane, HetznerControlPlaneArgs
from components.substrate.hetzner_etcd_member import ApiAccess
from components.substrate.hetzner_firewall import HetznerFirewall, HetznerFirewallArgs
from components.substrate.hetzner_gpu_servers import HetznerGpuServers, HetznerGpuServersArgs
from components.substrate.hetzner_k3s import CONTAINERD_FOLDER, CONTAINERD_SOCKET, JoinTokens
from components.substrate.hetzner_kubeconfig import TLS_SERVER_NAME, kubeconfig
from components.substrate.hetzner_metadata_policy import (
    HetznerMetadataPolicy,
    HetznerMetadataPolicyArgs,
)
from components.substrate.hetzner_network import HetznerNetwork, HetznerNetworkArgs
from components.substrate.hetzner_node_pool import HetznerNodePool, HetznerNodePoolArgs
from components.substrate.hetzner_snapshots import (
    HetznerSnapshotStore,
    HetznerSnapshotStoreArgs,
    ObjectStorageKeys,
)
from components.substrate.hetzner_topology import (
    EXTERNAL_SECRETS,
    HetznerTopology,
    hetzner_contract,
)
from components.substrate.service_account_keys import key_set
from components.substrate.workload_federation import WorkloadFederation

TOKEN_ISSUER: Final = "https://kubernetes.default.svc.cluster.local"  # noqa: S105 - a name
"""Who signed a service account token, as k3s calls the API server (k3s, server.go)."""

TOKEN_LENGTH: Final = 48
"""Letters and digits of a join token: about 285 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoogleSecrets:
    """Secrets in Google's Secret Manager, and how the cluster is known there."""

    federation: WorkloadFederation
    generated: tuple[str, ...]
    """Full ids of the secrets that the cluster makes and pushes."""
    supplied: tuple[str, ...]
    """Full ids of the secrets that only people have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerSubstrateArgs:
    """Inputs of the substrate."""

    topology: HetznerTopology
    """Plain data: it decides which resources exist."""
    token: pulumi.Input[str]
    """Token of Hetzner Cloud's API, read and write. Secret."""
    secret_store: SecretStore
    domain: str | None = None
    dns: Dns | None = None
    """Who answers for the domain; None for nobody."""
    object_storage_keys: ObjectStorageKeys | None = None
    """Of the topology's object storage; None where it has none. Secret."""
    gpu_servers_ssh_key: pulumi.Input[str] | None = None
    """Private key that root of the GPU servers accepts; None where none joins by SSH. Secret."""
    google_secrets: GoogleSecrets | None = None
    """The secrets that are kept in Secret Manager; None where the cluster keeps its own."""
    high_availability: bool = False
    """Two replicas of what Argo CD answers with."""
    argo_cd_sign_in: ArgoCdSignIn | None = None
    """How Argo CD's users sign in; None for its local admin alone."""


class HetznerSubstrate(pulumi.ComponentResource):
    """Everything from an empty project to a cluster that runs Argo CD.

    Dedicated GPU servers are not made here: they join by SSH, or later by a script of
    `gpu_join_scripts`. Servers are told what they are once: see `HetznerServer` for what that means
    for changes.
    """

    contract: SubstrateContract
    kubeconfig: pulumi.Output[str]
    """Secret: it is the administrator's."""
    kubernetes_provider: kubernetes.Provider
    """Reaches the cluster, once its API is ready."""
    argo_cd: ArgoCd
    gpu_join_scripts: Mapping[str, pulumi.Output[str]]
    """What joins each GPU server that the program does not reach, by its name. Secret."""

    def __init__(
        self, name: str, args: HetznerSubstrateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Create the substrate."""
        super().__init__("llmp:substrate:HetznerSubstrate", name, None, opts)
        topology = args.topology
        self.contract = hetzner_contract(
            topology,
            secret_store=args.secret_store,
            domain=args.domain,
            dns=args.dns,
            argo_cd_sign_in=args.argo_cd_sign_in is not None,
        )
        token = pulumi.Output.secret(args.token)
        cloud = hcloud.Provider(
            f"{name}-cloud", token=token, opts=pulumi.ResourceOptions(parent=self)
        )
        in_cloud = pulumi.ResourceOptions(parent=self, providers=[cloud])
        network = HetznerNetwork(f"{name}-network", HetznerNetworkArgs(topology=topology), in_cloud)
        firewall = HetznerFirewall(
            f"{name}-firewall", HetznerFirewallArgs(topology=topology), in_cloud
        )
        certificates = HetznerCertificates(
            f"{name}-certificates",
            HetznerCertificatesArgs(cluster_name=topology.cluster_name),
            pulumi.ResourceOptions(parent=self),
        )
        if args.google_secrets is not None:
            self._make_secrets(name, topology, args.google_secrets, certificates)
        tokens = self._tokens(name)
        control_plane = HetznerControlPlane(
            f"{name}-control-plane",
            HetznerControlPlaneArgs(
                topology=topology,
                authorities=certificates.authorities,
                tokens=tokens,
                subnet_id=network.subnet_id,
                firewall_id=firewall.control_plane_id,
                access=lambda first_address: _api_access(
                    name, topology, first_address, certificates, network, in_cloud
                ),
            ),
            in_cloud,
        )
        workers = [
            HetznerNodePool(
                f"{name}-pool-{pool.name}",
                HetznerNodePoolArgs(
                    topology=topology,
                    pool=pool,
                    tokens=tokens,
                    server_ca=certificates.server_ca,
                    subnet_id=network.subnet_id,
                    firewall_id=firewall.worker_id,
                ),
                in_cloud,
            )
            for pool in topology.worker_pools
            if pool.autoscaling is None
        ]
        access = control_plane.access
        self.kubeconfig = pulumi.Output.secret(
            pulumi.Output.all(
                access.address, access.server_ca, access.client_certificate, access.client_key
            ).apply(lambda values: _kubeconfig(topology.cluster_name, access, values))
        )
        first_server = control_plane.servers[0]
        api = HetznerApi(
            f"{name}-api",
            HetznerApiArgs(
                api_address=access.address,
                tls_server_name=access.tls_server_name,
                server_ca=access.server_ca,
                client_certificate=access.client_certificate,
                client_key=access.client_key,
                first_server=first_server,
                after=access.after,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.kubernetes_provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=self.kubeconfig,
            # Keep: without it a renewed certificate would look like another cluster, and everything
            # in this one would be made again.
            cluster_identifier=certificates.server_ca.apply(
                lambda pem: hashlib.sha256(pem.encode()).hexdigest()
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[api.ready]),
        )
        in_cluster = pulumi.ResourceOptions(parent=self, providers=[self.kubernetes_provider])
        addons = HetznerAddons(
            f"{name}-addons",
            HetznerAddonsArgs(
                topology=topology,
                token=token,
                network_name=network.network_name,
                deleted_with=first_server,
            ),
            in_cluster,
        )
        HetznerMetadataPolicy(
            f"{name}-metadata-policy",
            HetznerMetadataPolicyArgs(network=addons.network, deleted_with=first_server),
            in_cluster,
        )
        autoscalers = (
            [
                HetznerAutoscaler(
                    f"{name}-autoscaler",
                    HetznerAutoscalerArgs(
                        topology=topology,
                        token=token,
                        tokens=tokens,
                        server_ca=certificates.server_ca,
                        firewall_id=firewall.worker_id,
                        used_by_servers=[network, firewall],
                        after=[addons.network, addons.cloud_controller],
                    ),
                    pulumi.ResourceOptions(
                        parent=self, providers=[cloud, self.kubernetes_provider]
                    ),
                )
            ]
            if topology.autoscaled_pools
            else []
        )
        if topology.object_storage is not None:
            if args.object_storage_keys is None:
                msg = "object_storage_keys is missing, and the topology has an object storage"
                raise ValueError(msg)
            HetznerSnapshotStore(
                f"{name}-snapshot-store",
                HetznerSnapshotStoreArgs(
                    topology=topology,
                    object_storage=topology.object_storage,
                    keys=args.object_storage_keys,
                    deleted_with=first_server,
                ),
                in_cluster,
            )
        gpus: list[pulumi.Resource] = []
        self.gpu_join_scripts = {}
        if topology.gpu_servers:
            gpu_servers = HetznerGpuServers(
                f"{name}-gpu-servers",
                HetznerGpuServersArgs(
                    topology=topology,
                    tokens=tokens,
                    server_ca=certificates.server_ca,
                    ssh_key=args.gpu_servers_ssh_key,
                ),
                pulumi.ResourceOptions(parent=self),
                # They join through the vSwitch, and their agents end before it goes.
                after=[api.ready, network],
            )
            self.gpu_join_scripts = gpu_servers.scripts
            operator = GpuOperator(
                f"{name}-gpu-operator",
                GpuOperatorArgs(
                    containerd_folder=CONTAINERD_FOLDER,
                    containerd_socket=CONTAINERD_SOCKET,
                    profile=topology.gpu,
                    driver=topology.gpu_operator.driver,
                    pods_per_gpu=topology.gpu_operator.time_slicing,
                ),
                in_cluster,
                # Its daemons end while their nodes are still there.
                after=[addons.volumes, gpu_servers],
            )
            gpus = [gpu_servers, operator]
        self.argo_cd = ArgoCd(
            f"{name}-argo-cd",
            ArgoCdArgs(
                contract=self.contract,
                high_availability=args.high_availability,
                sign_in=args.argo_cd_sign_in,
            ),
            in_cluster,
            # The workers too: its pods end while there is still somebody to say that they have.
            after=[addons.volumes, *workers, *autoscalers, *gpus],
        )
        self.register_outputs(
            {"contract": self.contract.to_output(), "kubeconfig": self.kubeconfig}
        )

    def _make_secrets(
        self,
        name: str,
        topology: HetznerTopology,
        secrets: GoogleSecrets,
        certificates: HetznerCertificates,
    ) -> None:
        """Make Google trust External Secrets, and the secrets that it may use."""
        federation = secrets.federation
        google = gcp.Provider(
            f"{name}-google",
            project=federation.project,
            # A label that Pulumi would put on everything, and that no config of ours asked for.
            add_pulumi_attribution_label=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        services = GkeServices(
            f"{name}-services",
            GkeServicesArgs(project=federation.project, services=GOOGLE_SERVICES),
            opts=pulumi.ResourceOptions(parent=self, providers=[google]),
        )
        trust = GoogleWorkloadFederation(
            f"{name}-workload-federation",
            GoogleWorkloadFederationArgs(
                federation=federation,
                cluster_name=topology.cluster_name,
                issuer=TOKEN_ISSUER,
                key_set=certificates.service_account_public_key.apply(key_set),
                namespace=EXTERNAL_SECRETS,
                service_account=EXTERNAL_SECRETS,
            ),
            opts=pulumi.ResourceOptions(parent=self, providers=[google], depends_on=[services]),
        )
        GkeSecrets(
            f"{name}-secrets",
            GkeSecretsArgs(
                project=federation.project,
                generated=secrets.generated,
                supplied=secrets.supplied,
                member=trust.member,
                locations=(),
                # As clusters at Google are told apart in its cost reports.
                labels={"managed-by": "llmp", "llmp-cluster": topology.cluster_name},
                deletion_protection=topology.deletion_protection,
            ),
            opts=pulumi.ResourceOptions(parent=self, providers=[google], depends_on=[services]),
        )

    def _tokens(self, name: str) -> pulumi.Output[JoinTokens]:
        server, agent = (
            random.RandomPassword(
                f"{name}-{role}-token",
                length=TOKEN_LENGTH,
                # k3s reads a colon as a separator, and YAML reads many others as its own.
                special=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role in ("server", "agent")
        )
        return pulumi.Output.all(server.result, agent.result).apply(
            lambda values: JoinTokens(server=values[0], agent=values[1])
        )


def _api_access(  # noqa: PLR0913, PLR0917 - what the one call knows
    name: str,
    topology: HetznerTopology,
    first_address: pulumi.Output[str],
    certificates: HetznerCertificates,
    network: HetznerNetwork,
    opts: pulumi.ResourceOptions,
) -> ApiAccess:
    access = ApiAccess(
        address=first_address,
        server_ca=certificates.server_ca,
        client_certificate=certificates.admin_certificate,
        client_key=certificates.admin_key,
    )
    mode = topology.control_plane.load_balancer
    if mode == "none":
        return access
    balancer = HetznerApiLoadBalancer(
        f"{name}-api-balancer",
        HetznerApiLoadBalancerArgs(topology=topology, subnet_id=network.subnet_id),
        opts,
    )
    access = replace(access, after=balancer.ready)
    if mode == "public":
        # Certificates can't name the public address: the servers may be older than it.
        return replace(access, address=balancer.public_address, tls_server_name=TLS_SERVER_NAME)
    if topology.api_allowed_cidrs:
        return access
    return replace(access, address=topology.load_balancer_address)


def _kubeconfig(cluster_name: str, access: ApiAccess, values: list[Any]) -> str:
    api_address, server_ca, client_certificate, client_key = values
    return kubeconfig(
        cluster_name=cluster_name,
        api_address=api_address,
        tls_server_name=access.tls_server_name,
        server_ca=server_ca,
        client_certificate=client_certificate,
        client_key=client_key,
    )
