"""Runs a program under Pulumi's mocks and keeps all that it registered.

The only module of the tests that touches what lies behind Pulumi's mocks: the monitor sees every
registration request, so parents, dependencies, protection, aliases and ignored changes can be
asserted, which Pulumi's own mock arguments leave out. It is strict: a type that `COMPUTED` does not
know, an input that the pinned SDK lacks or types otherwise at any depth, a URN that was used
before, a parent that was never registered and any invoke but for GPU quota are errors of the
program.
"""

import asyncio
import contextvars
import json
import re
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn, cast

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import settings
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import alias_pb2, provider_pb2, resource_pb2

from sandbox.provider import wire
from sandbox.provider.check import check_types
from sandbox.provider.sdk_types import SdkTypes
from sandbox.provider.tls_material import (
    Drawn,
    certificate_request,
    locally_signed_certificate,
    private_key,
    self_signed_certificate,
)

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the wire spells a value that is not known before the deployment (Pulumi SDK, rpc.py)."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire's mark of a secret
STACK_TYPE: Final = "pulumi:pulumi:Stack"

QUOTA_INFO: Final = "gcp:cloudquota/getSQuotaInfo:getSQuotaInfo"
"""The one function of a provider that the program may call."""

PLENTY: Final = 1000
"""GPUs of every quota that a test says nothing of."""

_PROJECT: Final = re.compile(r"projects/[a-z][a-z0-9-]{4,28}[a-z0-9]")
_COMPUTE: Final = re.compile(r"compute\.googleapis\.com")
_GPU_QUOTA: Final = re.compile(
    r"GPUS-(ALL-REGIONS-per-project|PER-GPU-FAMILY-per-project-region)|"
    r"(PREEMPTIBLE-)?NVIDIA-[A-Z0-9-]+-GPUS-per-project-region"
)

SDK_TYPES: Final = {
    package: SdkTypes(package) for package in ("command", "gcp", "hcloud", "random", "tls")
}
"""What the pinned SDKs say of their types. Kubernetes objects are checked as manifests."""

Wire = Any
"""A value as JSON knows it; which one it is, only the test can say."""

Computed = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def _nothing(_name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


def _service_account(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    email = f"{inputs['accountId']}@{inputs.get('project', 'project')}.iam.gserviceaccount.com"
    return {
        "email": email,
        "member": f"serviceAccount:{email}",
        "name": f"projects/{inputs.get('project', 'project')}/serviceAccounts/{email}",
    }


def _gke_cluster(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "endpoint": "192.0.2.10",
        "selfLink": f"https://container.googleapis.com/v1/{inputs['name']}",
        "masterAuth": {"clusterCaCertificate": "Y2VydGlmaWNhdGU="},
        "controlPlaneEndpointsConfig": {
            "dnsEndpointConfig": {"endpoint": "gke-0123456789.us-central1.gke.goog"}
        },
    }


def _compute(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    given = inputs.get("name")
    link = f"https://www.googleapis.com/compute/v1/{name if given is None else given}"
    return {"selfLink": link} if given else {"selfLink": link, "name": f"{name}-0000000"}


def _random_password(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"result": "0" * int(inputs["length"]), "bcryptHash": "$2a$10$" + "0" * 53}


def _hetzner(name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": str(1_000_000 + zlib.crc32(name.encode()))}


def _hetzner_server(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        **_hetzner(name, inputs),
        "ipv4Address": "192.0.2.20",
        "ipv6Address": "2001:db8::1",
        "status": "running",
    }


def _hetzner_subnet(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"id": f"{inputs['networkId']}-{inputs['ipRange']}", "gateway": "10.0.0.1"}


def _hetzner_address(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**_hetzner(name, inputs), "ipAddress": f"192.0.2.{zlib.crc32(name.encode()) % 200 + 1}"}


def _drawn(make: Callable[[Mapping[str, Any]], Drawn], **defaults: object) -> Computed:
    """Return what really makes a key or certificate, so that tests can check signatures."""

    def compute(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        if UNKNOWN in inputs.values():
            return {}
        identifier, outputs = make({**defaults, **inputs})
        return {"id": identifier, **outputs}

    return compute


# What a cloud answers beyond the inputs, only where a program of ours reads it. A type that is not
# listed is refused: add a line together with the component that first makes the type.
COMPUTED: Final[dict[str, Computed]] = {
    "pulumi:providers:gcp": _nothing,
    "pulumi:providers:hcloud": _nothing,
    "pulumi:providers:kubernetes": _nothing,
    "random:index/randomId:RandomId": lambda _n, i: {"hex": "0" * 2 * int(i["byteLength"])},
    "random:index/randomPassword:RandomPassword": _random_password,
    "gcp:artifactregistry/repository:Repository": _nothing,
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": _nothing,
    "gcp:compute/firewall:Firewall": _compute,
    "gcp:compute/network:Network": _compute,
    "gcp:compute/router:Router": _compute,
    "gcp:compute/routerNat:RouterNat": _compute,
    "gcp:compute/subnetwork:Subnetwork": _compute,
    "gcp:container/cluster:Cluster": _gke_cluster,
    "gcp:container/nodePool:NodePool": _nothing,
    "gcp:billing/budget:Budget": _nothing,
    "gcp:compute/address:Address": lambda name, inputs: {
        **_compute(name, inputs),
        "address": "192.0.2.30",
    },
    "gcp:dns/managedZone:ManagedZone": lambda _n, i: {
        "name": i["name"],
        "nameServers": ["ns-cloud-a1.googledomains.com.", "ns-cloud-a2.googledomains.com."],
    },
    "gcp:monitoring/notificationChannel:NotificationChannel": _nothing,
    "gcp:projects/iAMCustomRole:IAMCustomRole": lambda _n, i: {
        "name": f"projects/{i['project']}/roles/{i['roleId']}"
    },
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": _nothing,
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": lambda _n, i: {
        "name": f"projects/123456789012/locations/global/workloadIdentityPools/"
        f"{i['workloadIdentityPoolId']}/providers/{i['workloadIdentityPoolProviderId']}"
    },
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": _nothing,
    "gcp:projects/iAMMember:IAMMember": _nothing,
    "gcp:projects/serviceIdentity:ServiceIdentity": lambda _n, _i: {
        "email": "service-123456789012@container-engine-robot.iam.gserviceaccount.com",
        "member": "serviceAccount:service-123456789012@container-engine-robot"
        ".iam.gserviceaccount.com",
    },
    "gcp:dns/dnsManagedZoneIamMember:DnsManagedZoneIamMember": _nothing,
    "gcp:projects/service:Service": _nothing,
    "gcp:secretmanager/secret:Secret": _nothing,
    "gcp:secretmanager/secretIamMember:SecretIamMember": _nothing,
    "gcp:serviceaccount/account:Account": _service_account,
    "gcp:serviceaccount/iAMMember:IAMMember": _nothing,
    "gcp:storage/bucket:Bucket": _nothing,
    "gcp:storage/bucketIAMMember:BucketIAMMember": _nothing,
    "command:local:Command": lambda _n, _i: {"stdout": "", "stderr": ""},
    "command:remote:Command": lambda _n, _i: {"stdout": "", "stderr": ""},
    "hcloud:index/firewall:Firewall": _hetzner,
    "hcloud:index/loadBalancer:LoadBalancer": lambda name, inputs: {
        **_hetzner(name, inputs),
        "ipv4": "192.0.2.40",
        "ipv6": "2001:db8::40",
    },
    "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork": _hetzner,
    "hcloud:index/loadBalancerService:LoadBalancerService": _hetzner,
    "hcloud:index/loadBalancerTarget:LoadBalancerTarget": _hetzner,
    "hcloud:index/network:Network": _hetzner,
    "hcloud:index/networkSubnet:NetworkSubnet": _hetzner_subnet,
    "hcloud:index/placementGroup:PlacementGroup": _hetzner,
    "hcloud:index/primaryIp:PrimaryIp": _hetzner_address,
    "hcloud:index/server:Server": _hetzner_server,
    "hcloud:index/serverNetwork:ServerNetwork": _hetzner,
    "tls:index/certRequest:CertRequest": _drawn(certificate_request),
    "tls:index/locallySignedCert:LocallySignedCert": _drawn(locally_signed_certificate),
    "tls:index/privateKey:PrivateKey": _drawn(private_key, rsaBits=2048, ecdsaCurve="P224"),
    "tls:index/selfSignedCert:SelfSignedCert": _drawn(self_signed_certificate),
    "kubernetes:argoproj.io/v1alpha1:AppProject": _nothing,
    "kubernetes:argoproj.io/v1alpha1:Application": _nothing,
    "kubernetes:cilium.io/v2:CiliumClusterwideNetworkPolicy": _nothing,
    "kubernetes:core/v1:ConfigMap": _nothing,
    "kubernetes:core/v1:Namespace": _nothing,
    "kubernetes:core/v1:Secret": _nothing,
    "kubernetes:helm.sh/v3:Release": lambda _n, i: {"status": {"name": i.get("name", "")}},
    "kubernetes:storage.k8s.io/v1:StorageClass": _nothing,
}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the program asked for it. URNs are full: every parent type is in them."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    inputs: dict[str, Any]
    """Input properties, secrets in clear and unknown values as `UNKNOWN`."""
    secret_inputs: frozenset[str]
    """Paths of the inputs that the program marked as secret, such as `stringData.auth`."""
    unknown_inputs: frozenset[str]
    """Paths of the inputs that are not known in this run; empty unless it was a preview."""
    depends_on: frozenset[str]
    """URNs, both those that the program named and those that its inputs come from."""
    protect: bool | None
    aliases: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    additional_secret_outputs: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    deleted_with: str
    retain_on_delete: bool | None
    delete_before_replace: bool | None
    provider: str | None
    """Logical name of the explicit provider; None for the default provider."""
    create_timeout: str
    update_timeout: str

    @property
    def parent_name(self) -> str:
        """Logical name of the parent."""
        return self.parent.rsplit("::", 1)[-1]

    @property
    def parent_type(self) -> str:
        """Type token of the parent."""
        return self.parent.split("::")[2].rsplit("$", 1)[-1] if self.parent else ""


@dataclass(kw_only=True)
class Recorder(MockMonitor):
    """Pulumi's mock monitor, made strict, with a memory of every request."""

    preview: bool = False
    computed: Mapping[str, Computed] = field(default_factory=lambda: COMPUTED)
    other_stacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])
    """Outputs of the stacks that StackReferences may name, by full stack name."""
    quotas: Mapping[str, int] | None = field(default_factory=dict[str, int])
    """GPU limits by quota id, plenty of each that is not named; None where Google says nothing."""

    def __post_init__(self) -> None:
        """Start with nothing registered."""
        super().__init__(_RefuseMocks())
        self._lock = threading.Lock()
        self._registrations: dict[str, Registration] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._secret_outputs: dict[str, frozenset[str]] = {}

    # What tests ask.

    @property
    def registrations(self) -> list[Registration]:
        """All resources but the stack, in the order of their requests."""
        return list(self._registrations.values())

    @property
    def exports(self) -> dict[str, Any]:
        """Stack outputs, secrets in clear and unknown values as `UNKNOWN`."""
        return next(
            (v for k, v in self._outputs.items() if f"::{STACK_TYPE}::" in k), dict[str, Any]()
        )

    @property
    def secret_exports(self) -> frozenset[str]:
        """Paths of the stack outputs that are secret."""
        return next(
            (v for k, v in self._secret_outputs.items() if f"::{STACK_TYPE}::" in k),
            frozenset[str](),
        )

    def all(self, type_token: str) -> list[Registration]:
        """Every resource of a type."""
        return [each for each in self.registrations if each.type == type_token]

    def one(self, type_token: str, name: str | None = None) -> Registration:
        """The only resource of a type, or of that type and name.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = [each for each in self.all(type_token) if name in (None, each.name)]
        if len(found) != 1:
            have = sorted(f"{each.type} {each.name}" for each in self.registrations)
            raise AssertionError(
                f"{len(found)} resources are {type_token} {name or ''}; registered: {have}"
            )
        return found[0]

    def component_outputs(self, urn: str) -> dict[str, Any]:
        """What a component registered as its outputs.

        Raises:
            KeyError: the component never called `register_outputs`.
        """
        return self._outputs[urn]

    def ancestors(self, registration: Registration) -> list[str]:
        """Type tokens from the parent up to, not including, the stack."""
        types: list[str] = []
        parent = registration.parent
        while parent in self._registrations:
            types.append(self._registrations[parent].type)
            parent = self._registrations[parent].parent
        return types

    def deleted_before(self) -> dict[str, frozenset[str]]:
        """For each resource, by URN, all that is deleted only once it is gone.

        The reverse of who depends on whom: by dependencies, parents and explicit providers.
        """
        registered = self._registrations
        providers = {
            each.name: each.urn
            for each in self.registrations
            if each.type.startswith("pulumi:providers:")
        }

        def direct(one: Registration) -> Iterator[str]:
            yield from one.depends_on
            if one.parent in registered:
                yield one.parent
            if one.provider is not None:
                yield providers[one.provider]

        later: dict[str, frozenset[str]] = {}

        def visit(urn: str) -> frozenset[str]:
            if urn not in later:
                found: set[str] = set()
                for other in direct(registered[urn]):
                    if other in registered:
                        found |= {other} | visit(other)
                later[urn] = frozenset(found)
            return later[urn]

        for urn in registered:
            visit(urn)
        return later

    # What Pulumi's SDK calls, from several threads.

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        qualified = type_
        if parent and f"::{STACK_TYPE}::" not in parent:
            qualified = f"{parent.split('::')[2]}${type_}"
        return f"urn:pulumi:{pulumi_stack()}::{pulumi_project()}::{qualified}::{name}"

    def Invoke(  # noqa: N802 - Pulumi's name
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        if request.tok != QUOTA_INFO:
            raise AssertionError(
                f"the program invokes {request.tok}; it must decide from its config alone"
            )
        if not request.provider:
            raise AssertionError(f"{request.tok} is asked through no provider of the program")
        arguments = json_format.MessageToDict(request.args)
        wanted = {"parent": _PROJECT, "service": _COMPUTE, "quotaId": _GPU_QUOTA}
        if set(arguments) != set(wanted) or not all(
            pattern.fullmatch(arguments[name]) for name, pattern in wanted.items()
        ):
            raise AssertionError(f"Google has no such quota: {arguments}")
        if self.quotas is None:
            refusal = provider_pb2.CheckFailure(reason="Cloud Quotas API has not been used before")
            return resource_pb2.ResourceInvokeResponse(failures=[refusal])
        limit = self.quotas.get(arguments["quotaId"], PLENTY)
        location = "global" if arguments["quotaId"].endswith("per-project") else "us-central1"
        info: dict[str, Any] = {
            "applicableLocations": [location],
            "dimensions": {},
            # The API leaves out zeros.
            "details": [{"value": str(limit)}] if limit else [],
        }
        answer = {**arguments, "dimensionsInfos": [info]}
        return resource_pb2.ResourceInvokeResponse(**cast("Any", {"return": _struct(answer)}))

    def RegisterResource(  # noqa: N802 - Pulumi's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        wire: dict[str, Any] = json_format.MessageToDict(request.object)
        secrets: set[str] = set()
        unknowns: set[str] = set()
        inputs = _plain(wire, "", secrets, unknowns)
        registration = Registration(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            inputs=inputs,
            secret_inputs=frozenset(secrets),
            unknown_inputs=frozenset(unknowns),
            depends_on=frozenset(request.dependencies),
            protect=request.protect if request.HasField("protect") else None,
            aliases=tuple(_alias(each) for each in cast("Any", request).aliases),
            ignore_changes=tuple(request.ignoreChanges),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            replace_on_changes=tuple(request.replaceOnChanges),
            deleted_with=request.deletedWith,
            retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
            delete_before_replace=(
                request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None
            ),
            provider=request.provider.split("::")[3] if request.provider else None,
            create_timeout=request.customTimeouts.create,
            update_timeout=request.customTimeouts.update,
        )
        with self._lock:
            self._refuse(registration)
            _refuse_inputs(registration, request.object)
            self._registrations[urn] = registration
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        computed = dict(self.computed[request.type](request.name, inputs))
        if self.preview:
            # What the cloud decides is left out, and so unknown, even inside of an input.
            state = {key: value for key, value in wire.items() if key not in computed}
        else:
            state = {**wire, **{key: value for key, value in computed.items() if key != "id"}}
        for key in request.additionalSecretOutputs:
            if key in state and not _is_secret(state[key]):
                state[key] = {_SIGNATURE: _SECRET, "value": state[key]}
        return resource_pb2.RegisterResourceResponse(
            urn=urn,
            id="" if self.preview else str(computed.get("id", f"{request.name}-id")),
            object=_struct(state),
        )

    def ReadResource(  # noqa: N802 - Pulumi's name
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        if request.type != "pulumi:pulumi:StackReference":
            raise AssertionError(
                f"the program reads {request.type} {request.id}; it must own what it uses"
            )
        if request.id not in self.other_stacks:
            raise AssertionError(
                f"the program refers to stack {request.id}; known are {sorted(self.other_stacks)}"
            )
        outputs = self.other_stacks[request.id]
        return resource_pb2.ReadResourceResponse(
            urn=self.make_urn(request.parent, request.type, request.name),
            properties=_struct({"name": request.id, "outputs": outputs, "secretOutputNames": []}),
        )

    def RegisterResourceOutputs(  # noqa: N802 - Pulumi's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        secrets: set[str] = set()
        outputs = _plain(json_format.MessageToDict(request.outputs), "", secrets, set())
        with self._lock:
            # The runtime finishes an empty stack of its own too: keep the program's.
            if outputs or request.urn not in self._outputs:
                self._outputs[request.urn] = outputs
                self._secret_outputs[request.urn] = frozenset(secrets)
        return empty_pb2.Empty()

    def _refuse(self, registration: Registration) -> None:
        label = f"{registration.type} {registration.name}"
        if registration.urn in self._registrations:
            raise AssertionError(f"{label} is registered twice under {registration.parent_name}")
        if registration.custom and registration.type not in self.computed:
            raise AssertionError(f"{label} has a type that tests/harness.py does not know")
        if not registration.custom and not registration.type.startswith(
            ("llmp:substrate:", "llmp:platform:")
        ):
            raise AssertionError(f"{label} is a component outside both trees")
        if (
            registration.parent
            and f"::{STACK_TYPE}::" not in registration.parent
            and registration.parent not in self._registrations
        ):
            raise AssertionError(
                f"{label} has a parent that is not registered: {registration.parent}"
            )


def _refuse_inputs(registration: Registration, inputs: struct_pb2.Struct) -> None:
    sdk = SDK_TYPES.get(registration.type.partition(":")[0])
    if sdk is None:
        return
    label = f"{registration.type} {registration.name}"
    declared = sdk.resource(registration.type)
    if declared is None:
        raise AssertionError(f"{label} has a type that pulumi_{sdk.package} does not have")
    failures = check_types(sdk, declared.inputs, wire.decode(inputs))
    if failures:
        told = "; ".join(f"{one.path}: {one.reason}" for one in failures)
        raise AssertionError(f"{label} has inputs that pulumi_{sdk.package} refuses: {told}")


class _RefuseMocks(pulumi.runtime.Mocks):
    """The recorder answers by itself; whatever still reaches the mocks is an error."""

    def call(self, args: pulumi.runtime.MockCallArgs) -> NoReturn:
        raise AssertionError(f"the program calls {args.token}")

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> NoReturn:
        raise AssertionError(f"{args.typ} {args.name} went past the recorder")


def pulumi_project() -> str:
    """Name of the project that the current program runs in."""
    return pulumi.get_project()


def pulumi_stack() -> str:
    """Name of the stack that the current program runs in."""
    return pulumi.get_stack()


def deploy(  # noqa: PLR0913 - each says one thing about the world that the program runs in
    program: Callable[[], Awaitable[None] | None],
    *,
    preview: bool = False,
    stack: str = "test",
    config: Mapping[str, Any] | None = None,
    other_stacks: Mapping[str, Mapping[str, Any]] | None = None,
    quotas: Mapping[str, int] | None = MappingProxyType({}),
) -> Recorder:
    """Run a program to its end and return what it registered.

    All registrations and outputs have settled when this returns, so that absence can be asserted.
    Each call has a runtime of its own: nothing of one test is seen by the next.

    Args:
        program: what `__main__.py` would be; exports become `Recorder.exports`.
        preview: whether computed outputs stay unknown, as in `pulumi preview`.
        stack: name of the stack.
        config: Pulumi config by full key (`llmp:stack`); what is no text is written as JSON.
        other_stacks: outputs of stacks that a StackReference may name, by full stack name.
        quotas: GPU limits by quota id, as `Recorder.quotas`.

    Raises:
        AssertionError: the program did what the recorder refuses.
        Exception: whatever the program raised.
    """

    async def main() -> Recorder:
        # What fails here is raised below. Futures that nobody waited for any more would only log it
        # again, whenever the garbage collector finds them.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        recorder = Recorder(preview=preview, other_stacks=other_stacks or {}, quotas=quotas)
        pulumi.runtime.set_mocks(
            _RefuseMocks(), "llmp", stack, preview, monitor=recorder, organization="organization"
        )
        settings.ROOT.set(None)
        cast("Any", settings.SETTINGS).outputs.clear()
        pulumi.runtime.set_all_config(
            {
                key: value if isinstance(value, str) else json.dumps(value)
                for key, value in (config or {}).items()
            }
        )
        await pulumi.runtime.run_in_stack(program)
        return recorder

    return contextvars.copy_context().run(asyncio.run, main())


def _plain(value: Wire, path: str, secrets: set[str], unknowns: set[str]) -> Wire:
    """Return a wire value without its marks, and note the paths that carried one."""
    if value == UNKNOWN:
        unknowns.add(path)
    if _is_secret(value):
        secrets.add(path)
        inner = cast("dict[str, Wire]", value).get("value")
        return _plain(inner, path, secrets, unknowns)
    if isinstance(value, dict):
        items = cast("dict[str, Wire]", value)
        return {
            key: _plain(each, f"{path}.{key}" if path else key, secrets, unknowns)
            for key, each in items.items()
        }
    if isinstance(value, list):
        elements = cast("list[Wire]", value)
        return [_plain(e, f"{path}[{i}]", secrets, unknowns) for i, e in enumerate(elements)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _is_secret(value: Wire) -> bool:
    return isinstance(value, dict) and cast("dict[str, Wire]", value).get(_SIGNATURE) == _SECRET


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(values), struct_pb2.Struct())


def _alias(alias: alias_pb2.Alias) -> str:
    return alias.urn or f"{alias.spec.type}::{alias.spec.name}"
