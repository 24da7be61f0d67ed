"""A GKE cluster: the control plane, without a node of its own."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_gcp as gcp

from components.substrate.gke_topology import (
    GkeControlPlaneTopology,
    GkeMaintenance,
    LogSource,
    Weekday,
)
from components.substrate.kubeconfig import exec_kubeconfig

CREDENTIAL_PLUGIN = "gke-gcloud-auth-plugin"
"""Asks Google for a token (GKE docs, "Install kubectl and configure cluster access")."""

LOG_COMPONENTS: Final[Mapping[LogSource, str]] = {
    "system": "SYSTEM_COMPONENTS",
    "workloads": "WORKLOADS",
    "api-server": "APISERVER",
    "scheduler": "SCHEDULER",
    "controller-manager": "CONTROLLER_MANAGER",
}
"""What GKE's API calls the sources of logs."""

FIRST_POOL_DISK_GB: Final = 20
"""Enough for the node image, which is all that the pool that GKE insists on ever runs."""

WINDOW_ANCHOR: Final = dt.date(2026, 1, 5)
"""A Monday, from which the maintenance windows are counted; GKE wants the first one dated."""

RECURRENCE_DAYS: Final[Mapping[Weekday, str]] = {
    "monday": "MO",
    "tuesday": "TU",
    "wednesday": "WE",
    "thursday": "TH",
    "friday": "FR",
    "saturday": "SA",
    "sunday": "SU",
}
"""The days of RFC 5545, in the order of the week."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GkeClusterArgs:
    """Inputs of the cluster."""

    project: str
    location: str
    """A zone, or a region for a regional control plane."""
    cluster_name: str
    workload_pool: str
    network_id: pulumi.Input[str]
    subnetwork_id: pulumi.Input[str]
    pod_range: str
    """Name of the subnet's secondary range for pods."""
    service_range: str
    control_plane_cidr: str
    control_plane: GkeControlPlaneTopology
    secrets_encryption_key: pulumi.Input[str] | None = None
    """Key of Cloud KMS that GKE may use already; None leaves Secrets to Google's own keys."""
    intranode_visibility: bool = False
    """Whether flow logs see connections within a node too."""
    node_account: pulumi.Input[str]
    labels: Mapping[str, str]
    deletion_protection: bool


class GkeCluster(pulumi.ComponentResource):
    """A cluster with private nodes, Dataplane V2 and workload identity.

    It owns no node pool: the one that GKE insists on is removed right after creation. What runs in
    the cluster is not its business either, and it takes no Gateway API from GKE, because the CRDs
    of the platform would fight with those of the add-on.
    """

    name: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """Holds no credential: gke-gcloud-auth-plugin asks Google for a token at each use."""

    def __init__(
        self, name: str, args: GkeClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llmp:substrate:GkeCluster", name, None, opts)
        control_plane = args.control_plane
        by_dns = control_plane.endpoint == "dns"
        cluster = gcp.container.Cluster(
            f"{name}-cluster",
            project=args.project,
            location=args.location,
            name=args.cluster_name,
            resource_labels=args.labels,
            deletion_protection=args.deletion_protection,
            release_channel=gcp.container.ClusterReleaseChannelArgs(
                channel=control_plane.release_channel.upper()
            ),
            # GKE makes no cluster without a pool. This one lives for minutes, as the nodes' own
            # identity: without it, it would be the project's default account.
            remove_default_node_pool=True,
            initial_node_count=1,
            node_config=gcp.container.ClusterNodeConfigArgs(
                machine_type="e2-medium",
                # By default it has 100 GB of SSD in each zone, more than a new project's quota
                # (terraform-google-kubernetes-engine, issue 1795).
                disk_type="pd-standard",
                disk_size_gb=FIRST_POOL_DISK_GB,
                service_account=args.node_account,
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                shielded_instance_config=gcp.container.ClusterNodeConfigShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                ),
            ),
            node_pool_defaults=gcp.container.ClusterNodePoolDefaultsArgs(
                node_config_defaults=(
                    gcp.container.ClusterNodePoolDefaultsNodeConfigDefaultsArgs(
                        insecure_kubelet_readonly_port_enabled="FALSE"
                    )
                )
            ),
            network=args.network_id,
            subnetwork=args.subnetwork_id,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy=gcp.container.ClusterIpAllocationPolicyArgs(
                cluster_secondary_range_name=args.pod_range,
                services_secondary_range_name=args.service_range,
            ),
            # Enforces NetworkPolicies by itself: the Calico add-on must stay off beside it. It
            # cannot be changed without a new cluster.
            datapath_provider="ADVANCED_DATAPATH",
            enable_intranode_visibility=args.intranode_visibility,
            private_cluster_config=gcp.container.ClusterPrivateClusterConfigArgs(
                enable_private_nodes=True,
                # Without any address Google calls the endpoint private, whatever is asked; unsaid,
                # each preview would take that back (terraform-provider-google, change 18386).
                enable_private_endpoint=by_dns,
                master_ipv4_cidr_block=args.control_plane_cidr,
            ),
            control_plane_endpoints_config=(
                gcp.container.ClusterControlPlaneEndpointsConfigArgs(
                    dns_endpoint_config=(
                        gcp.container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
                            allow_external_traffic=by_dns
                        )
                    ),
                    ip_endpoints_config=(
                        gcp.container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(
                            enabled=not by_dns
                        )
                    ),
                )
            ),
            master_authorized_networks_config=None
            if by_dns
            else gcp.container.ClusterMasterAuthorizedNetworksConfigArgs(
                gcp_public_cidrs_access_enabled=False,
                cidr_blocks=[
                    gcp.container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs(
                        cidr_block=cidr
                    )
                    for cidr in control_plane.authorized_networks
                ],
            ),
            workload_identity_config=gcp.container.ClusterWorkloadIdentityConfigArgs(
                workload_pool=args.workload_pool
            ),
            enable_shielded_nodes=True,
            enable_legacy_abac=False,
            master_auth=gcp.container.ClusterMasterAuthArgs(
                client_certificate_config=(
                    gcp.container.ClusterMasterAuthClientCertificateConfigArgs(
                        issue_client_certificate=False
                    )
                )
            ),
            # Only health checks of the API answer callers without a name.
            anonymous_authentication_config=(
                gcp.container.ClusterAnonymousAuthenticationConfigArgs(mode="LIMITED")
            ),
            # Nobody may give rights to everyone with a Google account, or to everyone.
            rbac_binding_config=gcp.container.ClusterRbacBindingConfigArgs(
                enable_insecure_binding_system_authenticated=False,
                enable_insecure_binding_system_unauthenticated=False,
            ),
            authenticator_groups_config=None
            if control_plane.security_group is None
            else gcp.container.ClusterAuthenticatorGroupsConfigArgs(
                security_group=control_plane.security_group
            ),
            # Said in both cases: to the provider, no block is the block that was there.
            database_encryption=gcp.container.ClusterDatabaseEncryptionArgs(state="DECRYPTED")
            if args.secrets_encryption_key is None
            else gcp.container.ClusterDatabaseEncryptionArgs(
                state="ENCRYPTED", key_name=args.secrets_encryption_key
            ),
            maintenance_policy=_maintenance_policy(control_plane.maintenance),
            # Looks over workloads for settings that are known to be risky, for nothing.
            security_posture_config=gcp.container.ClusterSecurityPostureConfigArgs(mode="BASIC"),
            gateway_api_config=gcp.container.ClusterGatewayApiConfigArgs(
                channel="CHANNEL_DISABLED"
            ),
            addons_config=gcp.container.ClusterAddonsConfigArgs(
                http_load_balancing=gcp.container.ClusterAddonsConfigHttpLoadBalancingArgs(
                    disabled=False
                ),
                horizontal_pod_autoscaling=(
                    gcp.container.ClusterAddonsConfigHorizontalPodAutoscalingArgs(disabled=False)
                ),
                gce_persistent_disk_csi_driver_config=(
                    gcp.container.ClusterAddonsConfigGcePersistentDiskCsiDriverConfigArgs(
                        enabled=True
                    )
                ),
            ),
            logging_config=gcp.container.ClusterLoggingConfigArgs(
                enable_components=[LOG_COMPONENTS[source] for source in control_plane.logs]
            ),
            # DCGM makes GKE run its exporter on GPU nodes, which needs its managed collection. The
            # control plane's own metrics stay off: nothing here reads them, and Google bills them.
            monitoring_config=gcp.container.ClusterMonitoringConfigArgs(
                enable_components=[
                    "SYSTEM_COMPONENTS",
                    *(("DCGM",) if control_plane.managed_prometheus else ()),
                ],
                managed_prometheus=gcp.container.ClusterMonitoringConfigManagedPrometheusArgs(
                    enabled=control_plane.managed_prometheus
                ),
            ),
            cost_management_config=gcp.container.ClusterCostManagementConfigArgs(enabled=True),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The provider reads these from whichever pool comes first, and either of them
                # replaces the cluster when it changes.
                ignore_changes=["nodeConfig", "initialNodeCount"],
                # The preview of a destroy then fails already. Google's own protection would speak
                # up only after everything in the cluster is gone.
                protect=args.deletion_protection,
            ),
        )
        self.name = cluster.name
        if by_dns:
            host = cluster.control_plane_endpoints_config.apply(_dns_name)
            authority: pulumi.Input[str | None] = None
        else:
            host = cluster.endpoint
            authority = cluster.master_auth.apply(lambda auth: auth.cluster_ca_certificate)
        self.kubeconfig = pulumi.Output.secret(
            pulumi.Output.all(host=host, authority=authority).apply(
                lambda known: exec_kubeconfig(
                    name=args.cluster_name,
                    server=f"https://{known['host']}",
                    certificate_authority=known["authority"],
                    command=CREDENTIAL_PLUGIN,
                    install_hint=f"gcloud components install {CREDENTIAL_PLUGIN}",
                )
            )
        )
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})


def _dns_name(
    endpoints: gcp.container.outputs.ClusterControlPlaneEndpointsConfig,
) -> str | None:
    """Return the name of the control plane, which Google's public authority vouches for."""
    return None if endpoints.dns_endpoint_config is None else endpoints.dns_endpoint_config.endpoint


def _maintenance_policy(
    maintenance: GkeMaintenance,
) -> gcp.container.ClusterMaintenancePolicyArgs:
    """Return when GKE may upgrade by itself, as its API writes it: times in UTC, with a Z."""
    week = list(RECURRENCE_DAYS)
    days = sorted(maintenance.days, key=week.index)
    first_day = WINDOW_ANCHOR + dt.timedelta(days=week.index(days[0]))
    first = dt.datetime.fromisoformat(f"{first_day}T{maintenance.start}:00")
    return gcp.container.ClusterMaintenancePolicyArgs(
        recurring_window=gcp.container.ClusterMaintenancePolicyRecurringWindowArgs(
            start_time=_zulu(first),
            end_time=_zulu(first + dt.timedelta(hours=maintenance.hours)),
            recurrence=f"FREQ=WEEKLY;BYDAY={','.join(RECURRENCE_DAYS[day] for day in days)}",
        ),
        maintenance_exclusions=[
            gcp.container.ClusterMaintenancePolicyMaintenanceExclusionArgs(
                exclusion_name=exclusion.name,
                start_time=exclusion.start,
                end_time=exclusion.end,
                exclusion_options=(
                    gcp.container.ClusterMaintenancePolicyMaintenanceExclusionExclusionOptionsArgs(
                        scope=exclusion.scope.upper()
                    )
                ),
            )
            for exclusion in maintenance.exclusions
        ]
        or None,
    )


def _zulu(moment: dt.datetime) -> str:
    return f"{moment.isoformat()}Z"
