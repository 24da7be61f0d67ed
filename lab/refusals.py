"""What a stack refuses, by the real programs that would refuse it, each beside its allowed twin.

Admission: pods, workloads and Services that break one rule each, against Kyverno with the policies
of the stack and against the Pod Security admission of its namespaces. Projects: Applications that
reach beyond the AppProject, against Argo CD. Rights: service accounts that ask for Secrets of
others, against the API server. A refusal counts when the reason is the one that is meant, and when
a twin that keeps the rule passes the same chain: so neither can be right by chance.

Nothing is created of what is asked at admission; the API server is asked for a dry run.
"""

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, get_args

from rich.table import Table

from components.names import APP_PROJECT, ARGO_CD_NAMESPACE, tenant_project
from components.platform.apps import namespaces
from components.platform.apps.policies import KYVERNO_ENTRY
from components.platform.catalogue import UpstreamChart
from components.platform.config import Profile
from components.platform.manifests import IN_CLUSTER_SERVER
from lab.argo_cd import argo_cd
from lab.client import Answer, Client
from lab.command_line import Progress, page_console
from lab.control_plane import CONTROLLER_MANAGER, ControlPlane, control_plane
from lab.definitions import wait_for
from lab.kyverno import PROGRAM, apply_policies, start_kyverno
from lab.processes import LabError
from lab.rendering import ROOT, RenderedStack, load_stack, render_stack
from lab.sources import Sources
from tools.render_manifests import KUBERNETES

Json = dict[str, Any]
Place = Sequence[str | int]

DEFAULT_STACK: Final = "examples/everything.yaml"
ENFORCE: Final = "pod-security.kubernetes.io/enforce"
TENANT: Final = "llmp.dev/tenant"
PART_OF: Final = {"app.kubernetes.io/part-of": "llmp"}
DIGEST: Final = "registry.example.com:5000/team/app@sha256:" + "a" * 64
TAGGED: Final = "registry.example.com:5000/team/app:v1"
LABELS: Final = ("metadata", "labels")
CONTAINER: Final = ("spec", "containers", 0)
HARDENED: Final = (*CONTAINER, "securityContext")
APPLICATION_SECONDS: Final = 120.0
OTHER_CLUSTER: Final = "https://127.0.0.1:1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of one thing that must be refused, and of its twin.

    Attributes:
        chain: who is to refuse it.
        claim: what must not be.
        expected: what the refusal has to say.
        refused: whether it was refused.
        said: the answer.
        twin_passes: whether the twin that keeps the rule was taken.
        twin_said: the answer to the twin where it was not.
    """

    chain: str
    claim: str
    expected: str
    refused: bool
    said: str
    twin_passes: bool
    twin_said: str = ""

    @property
    def holds(self) -> bool:
        """Whether the rule does what it says, and nothing more."""
        return self.refused and self.expected in self.said and self.twin_passes

    @property
    def problem(self) -> str:
        """Why it does not; empty where it does."""
        if not self.refused:
            return "it was not refused"
        if self.expected not in self.said:
            return f"it was refused for another reason: {self.said}"
        return "" if self.twin_passes else f"the twin that keeps the rule fails: {self.twin_said}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One object that breaks one rule of one policy, and the same without the mistake.

    Attributes:
        policy: name of the policy.
        says: words of its message that tell which of its rules it is.
        claim: the mistake.
        bad: the object.
        twin: the object that keeps the rule.
    """

    policy: str
    says: str
    claim: str
    bad: Json
    twin: Json


def changed(one: Json, at: Place, value: object) -> Json:
    """Return an object with another value at a place; None takes out what is there."""
    made = copy.deepcopy(one)
    *parents, last = at
    node: Any = made
    for part in parents:
        node = node[part] if isinstance(part, int) else node.setdefault(part, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value
    return made


def pod(namespace: str, *, image: str = DIGEST, labels: Mapping[str, str] | None = None) -> Json:
    """Return a pod that the strictest level of Pod Security takes."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asked-for", "namespace": namespace, "labels": dict(labels or {})},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def gpu_pod(tenant: str, toleration_keys: Sequence[str]) -> Json:
    """Return a pod with a GPU that keeps every rule for tenants."""
    labels = {
        "kueue.x-k8s.io/queue-name": "gpu",
        "llmp.dev/team": tenant,
        "llmp.dev/model": "qwen-small",
        "llmp.dev/environment": "dev",
    }
    made = pod(tenant, labels=labels)
    made["spec"]["tolerations"] = [{"key": key, "operator": "Exists"} for key in toleration_keys]
    limits = {"nvidia.com/gpu": "1", "memory": "1Gi"}
    return changed(made, (*CONTAINER, "resources"), {"limits": limits})


def deployment(of: Json) -> Json:
    """Return a Deployment that makes pods like this one."""
    labels = {**of["metadata"]["labels"], "app": "asked-for"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**of["metadata"], "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": "asked-for"}},
            "template": {"metadata": {"labels": labels}, "spec": of["spec"]},
        },
    }


def service(namespace: str, **spec: object) -> Json:
    """Return a Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "asked-for", "namespace": namespace},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def policy_cases(tenant: str, toleration_keys: Sequence[str]) -> Iterator[Case]:
    """Yield what breaks each rule of charts/policies, in a tenant's namespace and elsewhere.

    Pod Security is enforced on a tenant's pods before webhooks are asked, so what breaks its rules
    is tried as a Deployment, which it only warns of, and Kyverno refuses.
    """
    yield from _gpu_cases(tenant, toleration_keys)
    yield from _security_cases(tenant)
    plain = pod(tenant)
    yield Case(
        policy="image-versions",
        says="images are named by",
        claim="the newest version of an image, whatever that is",
        bad=changed(plain, (*CONTAINER, "image"), "registry.example.com/app:latest"),
        twin=plain,
    )
    ours = pod(namespaces.SERVING, labels=PART_OF)
    yield Case(
        policy="image-digests",
        says="by digest",
        claim="a pod of the platform whose image can change",
        bad=changed(ours, (*CONTAINER, "image"), TAGGED),
        twin=ours,
    )
    private = service(tenant)
    yield Case(
        policy="no-public-services",
        says="nothing is public but the edge",
        claim="a load balancer of a tenant",
        bad=service(tenant, type="LoadBalancer"),
        twin=private,
    )
    yield Case(
        policy="no-public-services",
        says="nothing is public but the edge",
        claim="a port of every node",
        bad=service(namespaces.SERVING, type="NodePort"),
        twin=service(namespaces.SERVING),
    )
    yield Case(
        policy="no-public-services",
        says="external IPs",
        claim="a Service that takes an address of others",
        bad=service(tenant, externalIPs=["203.0.113.7"]),
        twin=private,
    )


def _gpu_cases(tenant: str, toleration_keys: Sequence[str]) -> Iterator[Case]:
    good = gpu_pod(tenant, toleration_keys)
    yield Case(
        policy="gpu-queue-name",
        says="kueue.x-k8s.io/queue-name",
        claim="a GPU past the queue",
        bad=changed(good, (*LABELS, "kueue.x-k8s.io/queue-name"), None),
        twin=good,
    )
    yield Case(
        policy="gpu-queue-name",
        says="kueue.x-k8s.io/queue-name",
        claim="a Deployment with GPUs past the queue",
        bad=deployment(changed(good, (*LABELS, "kueue.x-k8s.io/queue-name"), None)),
        twin=deployment(good),
    )
    yield Case(
        policy="gpu-workload-limits",
        says="memory limit",
        claim="a GPU and no limit of memory",
        bad=changed(good, (*CONTAINER, "resources", "limits", "memory"), None),
        twin=good,
    )
    tolerations: list[Json] = good["spec"]["tolerations"]
    for index, key in enumerate(toleration_keys):
        left = [*tolerations[:index], *tolerations[index + 1 :]]
        yield Case(
            policy="gpu-workload-limits",
            says=f"needs a toleration of {key}",
            claim=f"a GPU without a toleration of {key}",
            bad=changed(good, ("spec", "tolerations"), left),
            twin=good,
        )
        yield Case(
            policy="gpu-workload-limits",
            says=f"must not tolerate {key}",
            claim=f"no GPU, and a toleration of {key}",
            bad=changed(pod(tenant), ("spec", "tolerations"), [tolerations[index]]),
            twin=pod(tenant),
        )
    yield Case(
        policy="gpu-cost-labels",
        says="need the labels",
        claim="a GPU that no model is charged for",
        bad=changed(good, (*LABELS, "llmp.dev/model"), None),
        twin=good,
    )
    yield Case(
        policy="gpu-cost-labels",
        says="must be the tenant",
        claim="a GPU in another team's name",
        bad=changed(good, (*LABELS, "llmp.dev/team"), "another-team"),
        twin=good,
    )


def _security_cases(tenant: str) -> Iterator[Case]:
    good = pod(tenant)
    for says, claim, at, value in (
        ("the host's network", "a Deployment on the host's network", ("spec", "hostNetwork"), True),
        (
            "mount nothing of the host",
            "a Deployment with a path of the host",
            ("spec", "volumes"),
            [{"name": "host", "hostPath": {"path": "/"}}],
        ),
        (
            "runAsNonRoot",
            "a Deployment that may run as root",
            ("spec", "securityContext", "runAsNonRoot"),
            None,
        ),
        (
            "allowPrivilegeEscalation",
            "a Deployment that may gain privileges",
            (*HARDENED, "allowPrivilegeEscalation"),
            None,
        ),
        (
            "drop all capabilities",
            "a Deployment with a capability",
            (*HARDENED, "capabilities"),
            {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
        ),
        (
            "seccomp profile",
            "a Deployment without a seccomp profile",
            ("spec", "securityContext", "seccompProfile"),
            None,
        ),
    ):
        yield Case(
            policy="pod-security",
            says=says,
            claim=claim,
            bad=deployment(changed(good, at, value)),
            twin=deployment(good),
        )


def judge_policies(
    client: Client, policies: Sequence[Json], cases: Sequence[Case]
) -> Iterator[Verdict]:
    """Yield a verdict for each case, and one for each rule that no case breaks.

    Args:
        client: of an API server that asks Kyverno.
        policies: the ValidatingPolicies that Kyverno has.
        cases: what to try.
    """
    unbroken = {
        (one["metadata"]["name"], rule["message"])
        for one in policies
        for rule in one["spec"].get("validations", [])
    }
    messages = sorted(unbroken)
    for case in cases:
        expected = [
            (policy, message)
            for policy, message in messages
            if policy == case.policy and case.says in message
        ]
        unbroken -= set(expected)
        message = expected[0][1] if len(expected) == 1 else f"a rule of {case.policy}: {case.says}"
        yield asked(
            f"Kyverno, {case.policy}",
            case.claim,
            message,
            client.try_to_create(case.bad),
            client.try_to_create(case.twin),
        )
    for policy, message in sorted(unbroken):
        yield Verdict(
            chain=f"Kyverno, {policy}",
            claim=f"nothing was tried that breaks: {message}",
            expected=message,
            refused=False,
            said="",
            twin_passes=False,
        )


def asked(chain: str, claim: str, expected: str, bad: Answer, twin: Answer) -> Verdict:
    """Return the verdict of two answers of the API server."""
    return Verdict(
        chain=chain,
        claim=claim,
        expected=expected,
        refused=not bad.accepted,
        said=bad.message if not bad.accepted else "",
        twin_passes=twin.accepted,
        twin_said="" if twin.accepted else twin.message,
    )


def judge_pod_security(client: Client, spaces: Sequence[Json]) -> Iterator[Verdict]:
    """Yield a verdict for each namespace that enforces a level."""
    for one in spaces:
        name = one["metadata"]["name"]
        level = one["metadata"]["labels"].get(ENFORCE, "privileged")
        if level == "privileged":
            continue
        good = pod(name)
        at: Place = ("spec", "hostNetwork")
        claim, value = f"a pod on the host's network in {name}", True
        if level == "restricted":
            # Taken by every level below it.
            at = ("spec", "securityContext", "runAsNonRoot")
            claim, value = f"a pod that may run as root in {name}", None
        yield asked(
            f"Pod Security, {level}",
            claim,
            f'violates PodSecurity "{level}',
            client.try_to_create(changed(good, at, value)),
            client.try_to_create(good),
        )


def judge_mirrors(client: Client, mirrors: Mapping[str, str]) -> Iterator[Verdict]:
    """Yield whether images come from the mirror of their registry; nothing where there is none."""
    for registry, mirror in mirrors.items():
        image = f"{registry}/some/app@sha256:{'a' * 64}"
        public = pod(namespaces.SERVING, image=image)
        private = changed(public, ("spec", "imagePullSecrets"), [{"name": "credentials"}])
        pulled, kept = (
            client.try_to_create(one).json()["spec"]["containers"][0]["image"]
            for one in (public, private)
        )
        yield Verdict(
            chain="Kyverno, registry-mirrors",
            claim=f"an image past the mirror of {registry}",
            expected=mirror,
            refused=pulled != image,
            said=pulled,
            twin_passes=kept == image,
            twin_said=f"an image with credentials of its own becomes {kept}",
        )


def judge_without_kyverno(
    plane: ControlPlane, policies: Sequence[Json], tenant: str
) -> Iterator[Verdict]:
    """End Kyverno, and yield who has to wait for it; nothing where the policies let all pass."""
    if not any(one["spec"]["failurePolicy"] == "Fail" for one in policies):
        return
    plane.programs[PROGRAM].kill()
    ours = pod(namespaces.SERVING, labels=PART_OF)
    yield asked(
        "Kyverno that is gone",
        "a tenant's pod that nobody has judged, while the platform's own start",
        "failed calling webhook",
        plane.client.try_to_create(pod(tenant)),
        plane.client.try_to_create(ours),
    )


def judge_rights(client: Client, stack: RenderedStack, tenants: Sequence[str]) -> Iterator[Verdict]:
    """Create Secrets of tenants, and yield who may not read them.

    Every service account that our charts make is asked for, and the one that each namespace has
    anyway.
    """
    objects = [one for made in stack.objects.values() for one in made]
    for kind in ("ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        for one in objects:
            if one["kind"] == kind:
                client.apply(one, dry_run=False).json()
    for tenant in tenants:
        for name in ("credential", "of-a-colleague"):
            client.apply(_secret(tenant, name), dry_run=False).json()
        for one in _reader(tenant):
            client.apply(one, dry_run=False).json()
    for tenant, other in zip(tenants, (*tenants[1:], tenants[0]), strict=True):
        account = client.acting_as(f"system:serviceaccount:{tenant}:default")
        yield asked(
            "RBAC",
            f"a Secret of {other}, read by a service account of {tenant}",
            "is forbidden",
            account.request("GET", _secret_path(other, "credential")),
            account.request("GET", _secret_path(tenant, "credential")),
        )
        account.close()
        yield _others_secrets(client, objects, stack, tenant)
    yield from _key_job(client, objects, tenants)


def _others_secrets(
    client: Client, objects: Sequence[Json], stack: RenderedStack, tenant: str
) -> Verdict:
    """Return whether any service account from elsewhere may read all Secrets of a tenant."""
    accounts = {
        (one["metadata"]["namespace"], one["metadata"]["name"])
        for one in objects
        if one["kind"] == "ServiceAccount"
    }
    accounts |= {(one.namespace, "default") for one in stack.entries}
    accounts |= {(one.name, "default") for one in stack.inputs.tenants}
    elsewhere = sorted(one for one in accounts if one[0] != tenant)
    readers = [
        f"{namespace}/{name}"
        for namespace, name in elsewhere
        if any(
            _may(client, f"system:serviceaccount:{namespace}:{name}", verb, tenant)
            for verb in ("get", "list", "watch")
        )
    ]
    return Verdict(
        chain="RBAC",
        claim=f"Secrets of {tenant}, read by any of {len(elsewhere)} service accounts of others",
        expected="",
        refused=not readers,
        said=", ".join(readers),
        twin_passes=_may(client, f"system:serviceaccount:{tenant}:default", "get", tenant),
        twin_said="its own one, with a right of its own, may not read them either",
    )


def _key_job(client: Client, objects: Sequence[Json], tenants: Sequence[str]) -> Iterator[Verdict]:
    """Yield that who writes a tenant's keys reads those Secrets and no other of the tenant."""
    for one in objects:
        names = {name for rule in one.get("rules", []) for name in rule.get("resourceNames", [])}
        tenant = one["metadata"].get("namespace", "")
        if one["kind"] != "Role" or tenant not in tenants or not names:
            continue
        (binding,) = (
            each
            for each in objects
            if each["kind"] == "RoleBinding"
            and each["metadata"]["namespace"] == tenant
            and each["roleRef"]["name"] == one["metadata"]["name"]
        )
        (subject,) = binding["subjects"]
        key = min(names)
        client.apply(_secret(tenant, key), dry_run=False).json()
        account = client.acting_as(
            f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
        )
        yield asked(
            "RBAC",
            f"a Secret of {tenant} other than {key}, read by {subject['name']}",
            "is forbidden",
            account.request("GET", _secret_path(tenant, "credential")),
            account.request("GET", _secret_path(tenant, key)),
        )
        account.close()


def _may(client: Client, user: str, verb: str, namespace: str) -> bool:
    # Groups are not told by the name here, as they are where one acts as a user.
    _, _, space, _ = user.split(":")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": [
                *("system:authenticated", "system:serviceaccounts"),
                f"system:serviceaccounts:{space}",
            ],
            "resourceAttributes": {"verb": verb, "resource": "secrets", "namespace": namespace},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(client.request("POST", path, review).json()["status"]["allowed"])


def _secret(namespace: str, name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"token": "of-this-tenant-alone"},
    }


def _secret_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def _reader(tenant: str) -> Iterator[Json]:
    """Yield the right that a tenant gives its own service account, for the twin."""
    metadata = {"name": "reads-its-own", "namespace": tenant}
    group = "rbac.authorization.k8s.io"
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    yield {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "reads-its-own"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": tenant}],
    }


def judge_project(
    client: Client, project: Json, elsewhere: str, *, repository: str, commit: str
) -> list[Verdict]:
    """Create Applications that reach beyond a project, and return what Argo CD makes of them.

    Args:
        client: of an API server that Argo CD watches.
        project: the AppProject as the stack emits it.
        elsewhere: a namespace that is there, and that the project does not name.
        repository: address of a repository that the project allows.
        commit: of that repository, with a chart `anything` of the objects in its values.
    """
    client.apply(project, dry_run=False).json()
    its_name: str = project["metadata"]["name"]
    allowed = project["spec"]["destinations"][0]["namespace"]
    whose = "the platform's" if its_name == APP_PROJECT else "a tenant's"

    def application(name: str, *objects: Json, **spec: object) -> Json:
        own = _config_map(f"{its_name}-{name}", allowed)
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": own["metadata"]["name"], "namespace": ARGO_CD_NAMESPACE},
            "spec": {
                "project": its_name,
                "source": {
                    "repoURL": repository,
                    "path": "charts/anything",
                    "targetRevision": commit,
                    "helm": {"valuesObject": {"objects": [own, *objects]}},
                },
                "destination": {"server": IN_CLUSTER_SERVER, "namespace": allowed},
                # What is refused once is refused: five times take two minutes.
                "syncPolicy": {"automated": {}, "retry": {"limit": 0}},
                **spec,
            },
        }

    flow: Json = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "beyond-the-project"},
        "spec": {"type": "Exempt", "exempt": {}},
    }
    twin = application("within")
    bad = {
        f"an Application of {whose} project for a namespace that it does not name": (
            application(
                "to-another-namespace",
                destination={"server": IN_CLUSTER_SERVER, "namespace": elsewhere},
            ),
            "do not match any of the allowed destinations in project",
        ),
        f"an Application of {whose} project for another cluster": (
            application(
                "to-another-cluster",
                destination={"server": OTHER_CLUSTER, "namespace": allowed},
            ),
            "do not match any of the allowed destinations in project",
        ),
        f"an Application of {whose} project from a repository that it does not name": (
            application(
                "from-another-repository",
                source={
                    "repoURL": "https://example.com/others.git",
                    "path": "charts",
                    "targetRevision": commit,
                },
            ),
            "is not permitted in project",
        ),
        f"a chart of {whose} project with an object in a namespace that it does not name": (
            application(
                "into-another-namespace",
                _config_map(f"{its_name}-into-another-namespace", elsewhere),
            ),
            "is not permitted in project",
        ),
        f"a chart of {whose} project with a kind for the whole cluster that it does not name": (
            application("of-another-kind", flow),
            "is not permitted in project",
        ),
    }
    another: Json = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"{its_name}-another"},
    }
    if its_name != APP_PROJECT:
        # The platform's own makes many.
        bad[f"a chart of {whose} project with a namespace that it does not name"] = (
            application("another-namespace", another),
            "is not permitted in project",
        )
    for one in (_other_cluster(), twin, *(each for each, _ in bad.values())):
        client.apply(one, dry_run=False).json()
    taken = _settled(client, twin)
    exists = _exists(client, _config_map(twin["metadata"]["name"], allowed))
    found: list[Verdict] = []
    for claim, (one, expected) in bad.items():
        said = _settled(client, one)
        name = one["metadata"]["name"]
        left = [_config_map(name, space) for space in (allowed, elsewhere)]
        left += [flow, another]
        made = [each["kind"] for each in left if _exists(client, each)]
        found.append(
            Verdict(
                chain="Argo CD, AppProject",
                claim=claim,
                expected=expected,
                refused=said != "Synced" and not made,
                said=f"{said}; made: {', '.join(made)}" if made else said,
                twin_passes=taken == "Synced" and exists,
                twin_said=taken,
            )
        )
    return found


def _other_cluster() -> Json:
    """Return the Secret by which Argo CD knows another cluster; nobody listens there."""
    metadata = {
        "name": "another-cluster",
        "namespace": ARGO_CD_NAMESPACE,
        "labels": {"argocd.argoproj.io/secret-type": "cluster"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "stringData": {"name": "another", "server": OTHER_CLUSTER, "config": "{}"},
    }


def _config_map(name: str, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": {"key": "value"},
    }


def _exists(client: Client, one: Json) -> bool:
    return client.request("GET", client.path(one)).status != HTTPStatus.NOT_FOUND


def _settled(client: Client, application: Json) -> str:
    """Wait for what Argo CD makes of an Application: `Synced`, or why not.

    Raises:
        LabError: it makes nothing of it in time.
    """
    deadline = time.monotonic() + APPLICATION_SECONDS
    status: Json = {}
    while time.monotonic() < deadline:
        status = client.request("GET", client.path(application)).json().get("status", {})
        errors = [one["message"] for one in status.get("conditions", []) if "Error" in one["type"]]
        results = status.get("operationState", {}).get("syncResult", {}).get("resources", [])
        errors += [one["message"] for one in results if one.get("status") == "SyncFailed"]
        if errors:
            return "; ".join(errors)
        if status.get("sync", {}).get("status") == "Synced":
            return "Synced"
        time.sleep(0.3)
    name = application["metadata"]["name"]
    raise LabError(f"Argo CD makes nothing of Application {name}: {json.dumps(status)}")


def publish_anything(sources: Sources, folder: Path) -> str:
    """Publish a chart that makes the objects in its values; return the commit."""
    chart = folder / "anything"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(
        "apiVersion: v2\nname: anything\nversion: 0.1.0\n", encoding="utf-8"
    )
    (chart / "templates" / "objects.yaml").write_text(
        "{{- range .Values.objects }}\n---\n{{ toYaml . }}\n{{- end }}\n", encoding="utf-8"
    )
    return sources.publish(folder, "A chart of anything")


def spaces_of(stack: RenderedStack) -> list[Json]:
    """Return the namespaces of a stack with their labels, as Argo CD and our charts make them."""
    found: dict[str, Json] = {}
    for one in stack.handed:
        policy = one["spec"].get("syncPolicy", {})
        if "CreateNamespace=true" in policy.get("syncOptions", []):
            name = one["spec"]["destination"]["namespace"]
            labels = policy.get("managedNamespaceMetadata", {}).get("labels", {})
            metadata = {"name": name, "labels": dict(labels)}
            found[name] = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    for objects in stack.objects.values():
        found |= {one["metadata"]["name"]: one for one in objects if one["kind"] == "Namespace"}
    return [found[name] for name in sorted(found)]


@contextmanager
def _cluster(stack: RenderedStack, folder: Path) -> Generator[ControlPlane]:
    """Run a control plane with the namespaces of a stack."""
    minor = ".".join(KUBERNETES.split(".")[:2])
    with control_plane(folder, minor, controllers=(CONTROLLER_MANAGER,)) as plane:
        spaces = spaces_of(stack)
        for one in spaces:
            plane.client.apply(one, dry_run=False).json()
        # Pods are refused until their namespace has one.
        accounts = {
            f"/api/v1/namespaces/{one['metadata']['name']}/serviceaccounts/default"
            for one in spaces
        }
        wait_for(
            lambda: all(plane.client.request("GET", one).accepted for one in accounts),
            "namespaces get no service account",
        )
        yield plane


def refusals(stack: RenderedStack, progress: Callable[[str], None]) -> list[Verdict]:
    """Have the real programs refuse what a stack refuses; return all verdicts.

    Args:
        stack: the stack; it needs two tenants and the policies.
        progress: is told what goes on.

    Raises:
        LabError: the stack cannot be tried, or a program ended or was not ready in time.
    """
    tenants = sorted(tenant.name for tenant in stack.inputs.tenants)
    kyverno = next((one for one in stack.entries if one.name == KYVERNO_ENTRY), None)
    if len(tenants) < 2 or kyverno is None or not isinstance(kyverno.source, UpstreamChart):  # noqa: PLR2004 - one and another
        raise LabError("a stack with two tenants and feature security is needed to refuse things")
    objects = [one for made in stack.objects.values() for one in made]
    policies = [one for one in objects if one["kind"] == "ValidatingPolicy"]
    keys = tuple(dict.fromkeys(one.key for one in stack.inputs.contract.gpu.tolerations))
    verdicts: list[Verdict] = []
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="llmp-refusals-")))
        progress("starting the control plane")
        plane = running.enter_context(_cluster(stack, folder))
        client = plane.client
        progress("rights of service accounts")
        verdicts += judge_rights(client, stack, tenants)
        progress("Argo CD and its project")
        repository = stack.inputs.config.gitops.repository
        sources = running.enter_context(Sources(folder / "sources", plane.authority, repository))
        commit = publish_anything(sources, folder / "charts")
        running.enter_context(
            argo_cd(plane, stack.inputs.contract, environment=sources.environment)
        )
        projects = {
            one["metadata"]["name"]: one for one in stack.handed if one["kind"] == "AppProject"
        }
        beyond = {APP_PROJECT: tenants[0], tenant_project(tenants[0]): tenants[1]}
        for name, elsewhere in beyond.items():
            verdicts += judge_project(
                client, projects[name], elsewhere, repository=repository, commit=commit
            )
        progress("Kyverno and its policies")
        start_kyverno(plane, kyverno.source.values)
        apply_policies(plane, objects)
        verdicts += judge_policies(client, policies, list(policy_cases(tenants[0], keys)))
        verdicts += judge_mirrors(client, stack.inputs.contract.registry_mirrors)
        progress("levels of Pod Security")
        verdicts += judge_pod_security(client, spaces_of(stack))
        progress("no Kyverno")
        verdicts += judge_without_kyverno(plane, policies, tenants[0])
    return verdicts


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all; return 0 where all is refused, 1 where not.

    Raises:
        ConfigError: the file cannot be used.
        LabError: the stack cannot be tried, or a program ended or was not ready in time.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab refusals",
        description="Have the real programs refuse what a stack refuses.",
    )
    parser.add_argument(
        "--file",
        type=Path,
        default=ROOT / DEFAULT_STACK,
        metavar="FILE",
        help=f"a stack file with tenants and policies (default: {DEFAULT_STACK})",
    )
    parser.add_argument(
        "--profile", choices=get_args(Profile), help="profile instead of the file's own"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with Progress("refusals") as progress:
        progress.update("rendering")
        stack = render_stack(load_stack(options.file, options.profile), str(options.file))
        try:
            verdicts = refusals(stack, progress.stage)
        except ValueError as error:
            raise LabError(f"the API server refuses what it should take: {error}") from None
    if options.json:
        print(json.dumps([as_json(one) for one in verdicts], indent=2))
    else:
        _show(verdicts, time.monotonic() - start)
    return 0 if all(one.holds for one in verdicts) else 1


def as_json(verdict: Verdict) -> Json:
    """Return a verdict for a script."""
    return {
        "chain": verdict.chain,
        "claim": verdict.claim,
        "holds": verdict.holds,
        "said": verdict.said,
        "problem": verdict.problem,
    }


def _show(verdicts: Sequence[Verdict], seconds: float) -> None:
    table = Table("refused by", "what", "and its twin passes", box=None, pad_edge=False)
    for one in verdicts:
        table.add_row(one.chain, one.claim, "yes" if one.holds else "[red]NO[/red]")
    console = page_console()
    console.print(table)
    for one in verdicts:
        if not one.holds:
            console.print(
                f"{one.chain}: {one.claim}: {one.problem}",
                style="red",
                markup=False,
                soft_wrap=True,
            )
    held = sum(one.holds for one in verdicts)
    console.print(f"{held} of {len(verdicts)} hold, in {seconds:.0f} s")
