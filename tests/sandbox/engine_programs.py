"""Small programs for the tests that run the real engine against the sandbox's providers."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
import pulumi_random as random
from pulumi import Output, ResourceOptions, automation, export

from tests.sandbox.conftest import PROJECT

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER = "https://kubernetes.default.svc"
GIT = "https://git.example.com/platform.git"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a test changes between two runs of the program."""

    minimum: int = 0
    spot: bool = False
    models: int = 1
    repository: str = GIT
    accelerators: int = 1
    routing_mode: str = "REGIONAL"
    mtu: int = 1460


def kubeconfig(name: str, endpoint: str) -> str:
    """Return a kubeconfig for a cluster."""
    return json.dumps(
        {
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}"}}],
            "users": [{"name": name, "user": {"exec": {"command": "sign-in"}}}],
        }
    )


def program(settings: Settings) -> None:
    """Declare a cluster with a GPU pool, Argo CD, a project and some Applications."""
    api = gcp.projects.Service("api", service="container.googleapis.com", disable_on_destroy=False)
    network = gcp.compute.Network(
        "net",
        auto_create_subnetworks=False,
        routing_mode=settings.routing_mode,
        mtu=settings.mtu,
        opts=ResourceOptions(depends_on=[api]),
    )
    subnetwork = gcp.compute.Subnetwork(
        "sub", network=network.id, ip_cidr_range="10.0.0.0/20", region="europe-west4"
    )
    cluster = gcp.container.Cluster(
        "cluster",
        name="main",
        location="europe-west4-a",
        network=network.id,
        subnetwork=subnetwork.id,
        initial_node_count=1,
        remove_default_node_pool=True,
        deletion_protection=False,
    )
    pool = gcp.container.NodePool(
        "gpu",
        name="gpu",
        cluster=cluster.id,
        location=cluster.location,
        autoscaling=gcp.container.NodePoolAutoscalingArgs(
            min_node_count=settings.minimum, max_node_count=3
        ),
        node_config=gcp.container.NodePoolNodeConfigArgs(
            machine_type="g2-standard-8",
            spot=settings.spot,
            guest_accelerators=[
                gcp.container.NodePoolNodeConfigGuestAcceleratorArgs(
                    type="nvidia-l4", count=settings.accelerators
                )
            ],
        ),
    )
    provider = kubernetes.Provider(
        "cluster",
        kubeconfig=Output.secret(Output.all(cluster.name, cluster.endpoint)).apply(
            lambda values: kubeconfig(*values)
        ),
    )
    _platform(settings, provider, pool)
    export("endpoint", cluster.endpoint)


def _platform(
    settings: Settings, provider: kubernetes.Provider, pool: gcp.container.NodePool
) -> None:
    namespace = kubernetes.core.v1.Namespace(
        "argocd",
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name="argocd"),
        opts=ResourceOptions(provider=provider, depends_on=[pool]),
    )
    password = random.RandomPassword("password", length=24, special=False)
    name = namespace.metadata.name
    kubernetes.core.v1.Secret(
        "redis",
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name="redis", namespace=name),
        string_data={"auth": password.result},
        opts=ResourceOptions(provider=provider),
    )
    release = kubernetes.helm.v3.Release(
        "argo-cd",
        name="argo-cd",
        namespace=name,
        chart="argo-cd",
        version="9.0.0",
        repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo="https://charts.example.com"),
        values={"redis": {"password": password.result}},
        opts=ResourceOptions(provider=provider),
    )
    before = _custom(
        "project",
        "AppProject",
        {"sourceRepos": [GIT], "destinations": [{"server": SERVER, "namespace": "*"}]},
        ResourceOptions(provider=provider, depends_on=[release]),
    )
    for number in range(settings.models):
        before = _custom(
            f"model-{number}",
            "Application",
            {
                "project": "project",
                "source": {
                    "repoURL": settings.repository,
                    "path": "charts/model",
                    "targetRevision": "main",
                    "helm": {"valuesObject": {"replicas": 1}},
                },
                "destination": {"server": SERVER, "namespace": "serving"},
                "syncPolicy": {"automated": {"prune": True}},
            },
            ResourceOptions(provider=provider, depends_on=[before]),
        )


def _custom(
    name: str, kind: str, spec: Mapping[str, Any], opts: ResourceOptions
) -> kubernetes.apiextensions.CustomResource:
    application = kind == "Application"
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version="argoproj.io/v1alpha1",
        kind=kind,
        metadata=kubernetes.meta.v1.ObjectMetaArgs(
            name=name,
            namespace="argocd",
            finalizers=["resources-finalizer.argocd.argoproj.io"] if application else [],
            annotations={
                "pulumi.com/waitFor": '["jsonpath={.status.sync.status}=Synced"]',
                "pulumi.com/timeoutSeconds": "900",
            }
            if application
            else {},
        ),
        spec=spec,
        opts=opts,
    )


_SETTINGS = "RIG_SETTINGS"
_MAIN = """from tests.sandbox.engine_programs import main

main()
"""


def main() -> None:
    """Run the program with the settings that the test has put into the environment."""
    program(Settings(**json.loads(os.environ[_SETTINGS])))


class Rig:
    """A stack whose settings a test can change between runs."""

    def __init__(self, folder: Path) -> None:
        """Write the project and prepare the environment of the engine."""
        self.home = folder / "clouds"
        self._project = folder / "project"
        self._states = folder / "state"
        for path in (self._project, self._states):
            path.mkdir(parents=True)
        (self._project / "Pulumi.yaml").write_text("name: rig\nruntime: python\n")
        (self._project / "__main__.py").write_text(_MAIN)
        path = [
            str(REPOSITORY / "sandbox" / "bin"),
            str(Path(sys.executable).parent),
            os.environ.get("PATH", os.defpath),
        ]
        self._environment = {
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": str(REPOSITORY),
            "LLMP_PYTHON": sys.executable,
            "LLMP_SANDBOX_HOME": str(self.home),
            "PULUMI_BACKEND_URL": self._states.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "a passphrase for a throw-away stack",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        }

    def stack(self, settings: Settings | None = None, **environment: str) -> automation.Stack:
        """Return the stack with its program set to something."""
        chosen = json.dumps(asdict(settings if settings is not None else Settings()))
        stack = automation.create_or_select_stack(
            "test",
            work_dir=str(self._project),
            opts=automation.LocalWorkspaceOptions(
                env_vars={**self._environment, _SETTINGS: chosen, **environment}
            ),
        )
        stack.set_config("gcp:project", automation.ConfigValue(PROJECT))
        return stack

    def state(self) -> str:
        """Return the stack's state file as it is on disk."""
        return (self._states / ".pulumi" / "stacks" / "rig" / "test.json").read_text("utf-8")

    def journal(self) -> list[dict[str, Any]]:
        """Return what the providers did, in order."""
        text = (self.home / "journal.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]
