"""Argo CD itself: what has to run before anything can be delivered by git."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from components.contract import SubstrateContract, Toleration
from components.names import (
    ARGO_CD_CLIENT,
    ARGO_CD_CLIENT_SECRET,
    ARGO_CD_CLIENT_SECRET_KEY,
    ARGO_CD_HOST,
    ARGO_CD_NAMESPACE,
    IN_CLUSTER_SERVER,
    TRUST_BUNDLE,
    TRUST_BUNDLE_KEY,
)
from components.versions import ARGO_CD

FULL_NAME: Final = "argocd"
"""Start of every object's name, as Argo CD's own documentation and command line expect it."""

REDIS_SECRET: Final = "argocd-redis"  # noqa: S105 - the name that the chart reads, not a secret
REDIS_SECRET_KEY: Final = "auth"  # noqa: S105 - likewise
REDIS_PASSWORD_LENGTH: Final = 48

IN_CLUSTER_NAME: Final = "in-cluster"

RELEASE_TIMEOUT_SECONDS: Final = 900
"""The first installation pulls images onto nodes that may still be starting."""

SYNC_TIMEOUT_SECONDS: Final = 2400
"""A sync that hangs, say on a Job whose image does not exist, would hold back what corrects it.

Longer than the longest Job of the catalogue, which has 1800 seconds.
"""

APPLICATION_HEALTH: Final = """\
local reported = obj.status ~= nil and obj.status.health or nil
if reported == nil or reported.status == nil then
  return { status = "Progressing", message = "Not assessed yet" }
end
return { status = reported.status, message = reported.message or "" }
"""
"""An Application is as healthy as it says. Argo CD 1.8 dropped this check, and without it an
Application inside another one counts as healthy at once."""

POSTGRES_CLUSTER_HEALTH: Final = """\
local conditions = obj.status ~= nil and obj.status.conditions or {}
for _, condition in ipairs(conditions) do
  if condition.type == "Ready" then
    if condition.status == "True" then
      return { status = "Healthy", message = condition.message or "" }
    end
    if condition.status == "False" then
      return { status = "Degraded", message = condition.message or "" }
    end
  end
end
return { status = "Progressing", message = "Waiting for the Ready condition" }
"""
"""A PostgreSQL cluster is there when it says Ready, so that what needs it waits for it."""

LEADER_WORKER_SET_HEALTH: Final = """\
local wanted = obj.spec.replicas or 1
local status = obj.status or {}
if (status.observedGeneration or obj.metadata.generation) ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the controller" }
end
local ready = status.readyReplicas or 0
if ready >= wanted and (status.updatedReplicas or 0) >= wanted then
  return { status = "Healthy", message = ready .. " groups are ready" }
end
return { status = "Progressing", message = ready .. " of " .. wanted .. " groups are ready" }
"""
"""A model on several nodes is there when all its groups are; none are wanted while it sleeps."""


TRUST_FOLDER: Final = "/etc/llmp-trust"
"""Where Argo CD reads which authorities to trust, in a cluster that has one of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoCdSignIn:
    """How Argo CD's users sign in at the platform's identity provider. None of it is secret.

    Argo CD reads the client secret from a labelled Secret that the platform makes later. Until
    then, and whenever the identity provider is down, the local admin signs in.
    """

    issuer: str
    admin_email: str
    """Who may do everything, besides the local admin."""
    admin_groups: tuple[str, ...] = ()
    """Groups whose people may too. Everybody else may do nothing."""
    trust_bundle: bool = False
    """Whether the issuer's certificate is signed by the cluster's own authority."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgoCdArgs:
    """Inputs of Argo CD. Plain data: none of it is secret."""

    contract: SubstrateContract
    high_availability: bool
    """Two replicas of what answers requests, and disruption budgets."""
    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    """Where all of it runs; empty for any node."""
    tolerations: tuple[Toleration, ...] = ()
    sign_in: ArgoCdSignIn | None = None
    """None where the local admin is the only user."""


class ArgoCd(pulumi.ComponentResource):
    """Argo CD in its namespace, and the cluster Secret that carries the contract.

    It owns no Application and no AppProject but `default`, which it empties: an Application that
    names no project gets nowhere. Nobody reaches it from outside: its Service is internal, and TLS
    ends at the gateway. The local admin stays on also where there is an identity provider, which
    itself comes by Argo CD and may be down; Argo CD makes that password itself, in the cluster.
    """

    namespace: pulumi.Output[str]
    release: kubernetes.helm.v3.Release
    cluster_secret: kubernetes.core.v1.Secret

    def __init__(
        self,
        name: str,
        args: ArgoCdArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Install Argo CD once all of `after` is there: nodes that it can run on."""
        super().__init__("llmp:substrate:ArgoCd", name, None, opts)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=ARGO_CD_NAMESPACE,
                labels={
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                },
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.namespace = namespace.metadata.name
        # Made once: a new password would cut off every component until all have restarted. The
        # chart's own way is a hook, which blocks Argo CD as soon as it manages itself.
        password = random.RandomPassword(
            f"{name}-redis-password",
            length=REDIS_PASSWORD_LENGTH,
            special=False,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["length", "special"]),
        )
        redis = kubernetes.core.v1.Secret(
            f"{name}-redis",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=REDIS_SECRET, namespace=self.namespace),
            string_data={REDIS_SECRET_KEY: password.result},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.release = kubernetes.helm.v3.Release(
            f"{name}-release",
            name=ARGO_CD.chart,
            namespace=self.namespace,
            chart=ARGO_CD.chart,
            version=ARGO_CD.version,
            repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=ARGO_CD.repository),
            values=argo_cd_values(args),
            create_namespace=False,
            # A failed installation is taken back, so that the next one starts clean.
            atomic=True,
            max_history=5,
            timeout=RELEASE_TIMEOUT_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[redis]),
        )
        self.cluster_secret = kubernetes.core.v1.Secret(
            f"{name}-cluster",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=IN_CLUSTER_NAME,
                namespace=self.namespace,
                labels={
                    "argocd.argoproj.io/secret-type": "cluster",
                    **args.contract.labels(),
                },
                annotations=args.contract.annotations(),
            ),
            # Argo CD acts as its own service account here, so there is no credential.
            string_data={
                "name": IN_CLUSTER_NAME,
                "server": IN_CLUSTER_SERVER,
                "config": json.dumps({"tlsClientConfig": {"insecure": False}}),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.release]),
        )
        self.register_outputs({"namespace": self.namespace})


def argo_cd_values(args: ArgoCdArgs) -> dict[str, Any]:
    """Return the Helm values of the pinned argo-cd chart.

    Redis stays single in every case: it is a cache that refills, and its replicated form wants
    three nodes.
    """
    replicas = 2 if args.high_availability else 1
    budget = {"enabled": args.high_availability, "maxUnavailable": 1}
    metrics = {"enabled": True, "serviceMonitor": {"enabled": False}}
    domain = args.contract.domain
    return {
        "fullnameOverride": FULL_NAME,
        "global": {
            # Without a domain it is reached by port-forward, and this is only what it calls itself.
            "domain": f"{FULL_NAME}-server.{ARGO_CD_NAMESPACE}.svc"
            if domain is None
            else f"{ARGO_CD_HOST}.{domain}",
            "logging": {"format": "json"},
            "networkPolicy": {"create": True},
            "nodeSelector": {"kubernetes.io/os": "linux", **args.node_selector},
            "tolerations": [each.to_kubernetes() for each in args.tolerations],
        },
        "configs": {
            "cm": {
                "admin.enabled": True,
                "users.anonymous.enabled": False,
                "exec.enabled": False,
                "statusbadge.enabled": False,
                "application.resourceTrackingMethod": "annotation",
                "resource.customizations.health.argoproj.io_Application": APPLICATION_HEALTH,
                "resource.customizations.health.postgresql.cnpg.io_Cluster": (
                    POSTGRES_CLUSTER_HEALTH
                ),
                "resource.customizations.health.leaderworkerset.x-k8s.io_LeaderWorkerSet": (
                    LEADER_WORKER_SET_HEALTH
                ),
                **_oidc(args.sign_in),
            },
            "rbac": _rights(args.sign_in),
            "params": {
                "server.insecure": True,
                "controller.diff.server.side": True,
                "controller.sync.timeout.seconds": SYNC_TIMEOUT_SECONDS,
            },
        },
        "redisSecretInit": {"enabled": False},
        "dex": {"enabled": False},
        "notifications": {"enabled": False},
        "controller": {
            # It shards by cluster and there is one cluster, so a second replica would idle.
            "replicas": 1,
            "metrics": metrics,
            "resources": _resources(cpu="250m", memory="512Mi", limit="2Gi"),
        },
        "server": {
            "replicas": replicas,
            "pdb": budget,
            "service": {"type": "ClusterIP"},
            "metrics": metrics,
            "resources": _resources(cpu="50m", memory="128Mi", limit="512Mi"),
            **_trust(args.sign_in),
        },
        "repoServer": {
            "replicas": replicas,
            "pdb": budget,
            "metrics": metrics,
            "resources": _resources(cpu="100m", memory="256Mi", limit="1Gi"),
            "copyutil": {"resources": _resources(cpu="10m", memory="64Mi", limit="128Mi")},
        },
        "applicationSet": {
            "replicas": replicas,
            "pdb": budget,
            "metrics": metrics,
            "resources": _resources(cpu="50m", memory="128Mi", limit="512Mi"),
        },
        "redis": {"resources": _resources(cpu="50m", memory="64Mi", limit="256Mi")},
        "extraObjects": [_empty_default_project()],
    }


def _oidc(sign_in: ArgoCdSignIn | None) -> dict[str, Any]:
    if sign_in is None:
        return {}
    settings = {
        "name": "Dex",
        "issuer": sign_in.issuer,
        "clientID": ARGO_CD_CLIENT,
        "clientSecret": f"${ARGO_CD_CLIENT_SECRET}:{ARGO_CD_CLIENT_SECRET_KEY}",
        "requestedScopes": ["openid", "profile", "email", "groups"],
    }
    # Argo CD takes text here, and JSON is YAML.
    return {"oidc.config": json.dumps(settings, indent=2)}


def _rights(sign_in: ArgoCdSignIn | None) -> dict[str, Any]:
    """Return who may do what: who is not listed sees nothing."""
    administrators = () if sign_in is None else (sign_in.admin_email, *sign_in.admin_groups)
    return {
        "policy.default": "",
        "policy.csv": "".join(f'g, "{one}", role:admin\n' for one in administrators),
        "scopes": "[groups, email]",
    }


def _trust(sign_in: ArgoCdSignIn | None) -> dict[str, Any]:
    """Return what makes the server trust the cluster's own authority.

    The ConfigMap comes with the platform, after Argo CD, hence optional. Go reads the certificates
    once, so a server that asked before they came must start again.
    """
    if sign_in is None or not sign_in.trust_bundle:
        return {}
    name = "platform-trust"
    return {
        "env": [{"name": "SSL_CERT_DIR", "value": f"{TRUST_FOLDER}:/etc/ssl/certs"}],
        "volumes": [
            {
                "name": name,
                "configMap": {
                    "name": TRUST_BUNDLE,
                    "optional": True,
                    "items": [{"key": TRUST_BUNDLE_KEY, "path": TRUST_BUNDLE_KEY}],
                },
            }
        ],
        "volumeMounts": [{"name": name, "mountPath": TRUST_FOLDER, "readOnly": True}],
    }


def _resources(*, cpu: str, memory: str, limit: str) -> dict[str, Any]:
    """Return requests and a memory limit; a CPU limit would only slow down."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": limit}}


def _empty_default_project() -> dict[str, Any]:
    """Return the AppProject `default`, which Argo CD makes with all rights when it starts.

    A hook, because it runs when the chart's own CRDs and Argo CD are there, and because it first
    deletes what Argo CD made.
    """
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {
            "name": "default",
            "annotations": {
                "helm.sh/hook": "post-install,post-upgrade",
                "helm.sh/hook-delete-policy": "before-hook-creation",
            },
        },
        "spec": {
            "description": "Empty on purpose: every Application names a project of its own.",
            "sourceRepos": [],
            "destinations": [],
            "clusterResourceWhitelist": [],
            "namespaceResourceBlacklist": [{"group": "*", "kind": "*"}],
        },
    }
