"""A cluster of simulated nodes whose tenants hand Jobs to Kueue, and what becomes of them.

The queues are those that the platform tree emits for a stack, rendered from our chart; API server,
controllers, scheduler and Kueue are real. Nodes and what runs on them are not: a Job's pods run for
as long as the Job says.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from components.platform.apps.platform import QUEUES_ENTRY
from components.platform.apps.tenants import tenant_entry
from components.platform.values.kueue_queues import (
    CPUS_PER_GPU,
    MEMORY_GIB_PER_GPU,
    KueueQueuesValues,
)
from components.platform.values.tenant import QUEUE
from lab.claims import StalledError
from lab.client import Client
from lab.control_plane import CONTROLLER_MANAGER, SCHEDULER, ControlPlane, control_plane
from lab.definitions import wait_for
from lab.kueue import start_kueue
from lab.nodes import STAGES, create_nodes, nodes_of, start_kwok
from lab.processes import LabError
from lab.quotas import GPU, Ledger, Quota
from lab.rendering import REVISION, render
from lab.watch import WatchThread
from stacks.config import Stack, parse_stack
from stacks.contracts import known_contract
from stacks.render import manifests

Json = dict[str, Any]

GPUS_PER_NODE: Final = 8
POOL: Final = "h100"
RUNS: Final = "lab.llmp.dev/runs"
QUEUE_NAME: Final = "kueue.x-k8s.io/queue-name"
PRIORITY: Final = "kueue.x-k8s.io/priority-class"
WORKLOADS: Final = "/apis/kueue.x-k8s.io/v1beta2/workloads"
CLUSTER_QUEUES: Final = "/apis/kueue.x-k8s.io/v1beta2/clusterqueues"
PODS: Final = "/api/v1/pods"
SUBMITTING_THREADS: Final = 4
POLL_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 24 * 3600
TICKS: Final = os.sysconf("SC_CLK_TCK")


def stack_of(nodes: int, gpu_quotas: Mapping[str, int]) -> Stack:
    """Return a stack with a pool of GPU nodes and tenants who may have jobs of their own.

    Raises:
        ConfigError: no such stack may be, as one whose quotas add up to more than its GPUs.
    """
    return parse_stack(
        {
            "kind": "gke",
            "gke": {
                "project": "my-project",
                "region": "us-central1",
                "cluster_name": "llmp",
                "gpu_pools": [
                    {
                        "name": POOL,
                        "accelerator": "nvidia-h100-80gb",
                        "accelerators_per_node": GPUS_PER_NODE,
                        "zones": ["us-central1-a"],
                        "max_nodes": nodes,
                        "disk_size_gib": 200,
                    }
                ],
            },
            "platform": {
                "profile": "llm-gateway",
                "gitops": {"repository": "https://github.com/your-org/llmp.git"},
            },
            # The gateway, which tenants have budgets at, is there for models.
            "models": [
                {
                    "name": "qwen-small",
                    "source": {
                        "hugging_face": "Qwen/Qwen2.5-0.5B-Instruct",
                        "revision": "7ae557604adf67be50417f59c2c2f167def9a775",
                    },
                    "max_model_len": 8192,
                    "gpu_memory_utilization": 0.6,
                    "price": {
                        "input_usd_per_million_tokens": 0.5,
                        "output_usd_per_million_tokens": 1.5,
                    },
                }
            ],
            "tenants": [
                {"name": name, "budget": {"usd": 20}, "gpu_quota": gpus}
                for name, gpus in gpu_quotas.items()
            ],
        },
        "the stack of the scheduling lab",
    )


def queues_of(stack: Stack) -> tuple[Json, list[Json]]:
    """Return the Application of all quotas that a stack emits, and those of its tenants.

    Raises:
        LabError: it emits none.
    """
    contract = known_contract(stack)
    handed = [] if contract is None else manifests(stack, contract, REVISION)
    by_name = {one["metadata"]["name"]: one for one in handed if one["kind"] == "Application"}
    if QUEUES_ENTRY not in by_name or not stack.tenants:
        raise LabError("the stack has no tenants with queues")
    return by_name[QUEUES_ENTRY], [by_name[tenant_entry(one.name)] for one in stack.tenants]


def with_cohort(application: Json, values: KueueQueuesValues) -> Json:
    """Return an Application of quotas with another cohort, for the same nodes."""
    changed = values.to_values()
    return _with_values(application, cohort=changed["cohort"], tenants=changed["tenants"])


def with_tenant(application: Json, tenant: str) -> Json:
    """Return a tenant's Application for another tenant."""
    spec = application["spec"]
    other = {**spec, "destination": {**spec["destination"], "namespace": tenant}}
    metadata = {**application["metadata"], "name": tenant_entry(tenant)}
    return _with_values({**application, "metadata": metadata, "spec": other}, name=tenant)


def _with_values(application: Json, **values: object) -> Json:
    spec = application["spec"]
    helm = spec["source"]["helm"]
    helm = {**helm, "valuesObject": {**helm["valuesObject"], **values}}
    return {**application, "spec": {**spec, "source": {**spec["source"], "helm": helm}}}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """A Job as a tenant hands it in: one pod.

    Attributes:
        tenant: whose it is.
        name: its name.
        gpus: what its pod asks for, with the CPU and memory that a quota has beside each GPU.
        seconds: how long it runs.
        priority: its WorkloadPriorityClass; empty for none.
    """

    tenant: str
    name: str
    gpus: int
    seconds: float
    priority: str = ""

    def to_kubernetes(self) -> Json:
        """Return the Job, such that the policies of tenants' namespaces let it in."""
        labels = {
            "llmp.dev/team": self.tenant,
            "llmp.dev/model": "training",
            "llmp.dev/environment": "lab",
        }
        resources = {
            "cpu": str(CPUS_PER_GPU * self.gpus),
            "memory": f"{MEMORY_GIB_PER_GPU * self.gpus}Gi",
            GPU: str(self.gpus),
        }
        container = {
            "name": "main",
            "image": "registry.example.com/training:1",
            "resources": {"requests": resources, "limits": resources},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": self.name,
                "namespace": self.tenant,
                "labels": {
                    QUEUE_NAME: QUEUE,
                    **({PRIORITY: self.priority} if self.priority else {}),
                    **labels,
                },
            },
            "spec": {
                "suspend": True,
                "backoffLimit": 0,
                "template": {
                    "metadata": {
                        "labels": labels,
                        "annotations": {RUNS: f"{round(self.seconds * 1000)}ms"},
                    },
                    "spec": {
                        "restartPolicy": "Never",
                        "securityContext": {
                            "runAsNonRoot": True,
                            "runAsUser": 65532,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        "containers": [container],
                    },
                },
            },
        }


class _CompleteWatch(WatchThread):
    """Tells of every change of a collection; where one was missed, `failure` says why."""

    def __init__(self, client: Client, path: str, seen: Callable[[str, Json], None]) -> None:
        super().__init__(client, path)
        self.failure = ""
        self._seen = seen
        self._version: str = client.request("GET", path).json()["metadata"]["resourceVersion"]

    def _run(self) -> None:
        try:
            for event in self._client.watch(
                self._path, version=self._version, seconds=WATCH_SECONDS, opened=self._opened
            ):
                if event["type"] == "ERROR":
                    self.failure = str(event["object"].get("message"))
                    return
                self._seen(event["type"], event["object"])
            self.failure = "the API server ended the watch"
        except (OSError, ValueError) as error:
            self.failure = str(error)
        finally:
            # What was missed would be a moment at which nobody looked.
            if self._stopping.is_set():
                self.failure = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueCluster:
    """A cluster that takes Jobs.

    Attributes:
        plane: its control plane, with Kueue.
        ledger: what happened to the Jobs.
        quotas: what each tenant is granted.
        watches: whatever fills the ledger.
        threads: hand in Jobs.
        over: set when nothing is to be handed in any more.
    """

    plane: ControlPlane
    ledger: Ledger
    quotas: Mapping[str, Quota]
    watches: Sequence[_CompleteWatch]
    threads: Executor
    over: threading.Event

    def hand_in(self, jobs: Sequence[JobRequest]) -> list[Future[None]]:
        """Begin to hand in Jobs, several at once; `wait` tells of those that are refused."""
        return [
            self.threads.submit(self._hand_in, jobs[first::SUBMITTING_THREADS])
            for first in range(SUBMITTING_THREADS)
        ]

    def _hand_in(self, jobs: Sequence[JobRequest]) -> None:
        try:
            for one in jobs:
                if self.over.is_set():
                    return
                self.ledger.submitted(one.tenant, one.name, time.monotonic())
                self.plane.client.request(
                    "POST",
                    f"/apis/batch/v1/namespaces/{one.tenant}/jobs",
                    one.to_kubernetes(),
                ).json()
        finally:
            self.plane.client.close()

    def wait(
        self,
        condition: Callable[[], bool],
        *,
        seconds: float,
        problem: str,
        handing_in: Sequence[Future[None]] = (),
    ) -> None:
        """Wait until something holds.

        Args:
            condition: is asked again and again.
            seconds: for how long.
            problem: what did not happen, for the error.
            handing_in: what a refusal of Jobs would show up in.

        Raises:
            StalledError: it does not hold in time.
            LabError: a program ended, or a watch missed something.
            ValueError: the API server refuses a Job.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            for one in self.watches:
                if one.failure:
                    raise LabError(f"a watch ended: {one.failure}")
            for program in self.plane.programs:
                if not program.running:
                    raise LabError(f"{program.name} has ended; its log is {program.log}")
            for one in handing_in:
                if one.done():
                    one.result()
            if time.monotonic() > deadline:
                raise StalledError(f"{problem} after {seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time that each program has taken so far."""
        return {
            program.name: sum(int(one) for one in _stat(program.pid)[11:13]) / TICKS
            for program in self.plane.programs
            if program.pid is not None
        }

    def peak_memory_mib(self, name: str) -> int:
        """Return the most memory that a program has had."""
        pid = self.plane.programs[name].pid
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        (line,) = (one for one in status.splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) // 1024


def _stat(pid: int | None) -> Sequence[str]:
    # The second field is the name of the program, which may have blanks.
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


@contextmanager
def queue_cluster(
    stack: Stack, variants: Sequence[KueueQueuesValues] | None = None
) -> Generator[QueueCluster]:
    """Run a cluster with the nodes and the queues of a stack.

    Args:
        stack: whose nodes and queues.
        variants: cohorts with tenants instead of the stack's own.

    Raises:
        LabError: a program is not there, ended, or was not ready in time.
        ValueError: the API server or Kueue refuses an object.
    """
    application, tenants = queues_of(stack)
    contract = known_contract(stack)
    if contract is None:
        raise LabError("the contract of this stack is another stack's")
    given = [application]
    if variants is not None:
        given = [with_cohort(application, one) for one in variants]
        tenants = [with_tenant(tenants[0], each.name) for one in variants for each in one.tenants]
    cohorts = [render(one) for one in given]
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="llmp-lab-")))
        plane = running.enter_context(
            control_plane(folder, controllers=(CONTROLLER_MANAGER, SCHEDULER))
        )
        start_kueue(plane)
        start_kwok(plane, (STAGES / "jobs.yaml",))
        create_nodes(plane, nodes_of(contract))
        for objects in (*cohorts, *map(render, tenants)):
            _apply(plane.client, objects)
        quotas = [
            {
                one["metadata"]["name"]: Quota.of(one)
                for one in objects
                if one["kind"] == "ClusterQueue"
            }
            for objects in cohorts
        ]
        ledger = Ledger(quotas)
        threads = running.enter_context(ThreadPoolExecutor(SUBMITTING_THREADS))
        over = threading.Event()
        running.callback(over.set)
        watches = [
            running.enter_context(
                _CompleteWatch(
                    plane.client,
                    WORKLOADS,
                    lambda event, one: ledger.workload(event, one, time.monotonic()),
                )
            ),
            running.enter_context(_CompleteWatch(plane.client, PODS, ledger.pod)),
        ]
        yield QueueCluster(
            plane=plane,
            ledger=ledger,
            quotas={tenant: quota for one in quotas for tenant, quota in one.items()},
            watches=watches,
            threads=threads,
            over=over,
        )


def _apply(client: Client, objects: Sequence[Json]) -> None:
    # Argo CD would apply what has an earlier sync wave first, too.
    for one in sorted(objects, key=lambda one: one["kind"] != "Namespace"):
        client.apply(one, dry_run=False).json()
    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] == "Namespace":
            account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_for(
                lambda path=account: client.request("GET", path).accepted,
                f"{name} has no service account",
            )
        elif one["kind"] == "ClusterQueue":
            wait_for(lambda path=f"{CLUSTER_QUEUES}/{name}": _is_active(client, path), f"{name}")


def _is_active(client: Client, path: str) -> bool:
    status: Json = client.request("GET", path).json().get("status", {})
    return any(
        one["type"] == "Active" and one["status"] == "True" for one in status.get("conditions", ())
    )
