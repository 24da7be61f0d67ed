"""Google Cloud: what its API refuses and answers beyond the rules table."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from sandbox.provider import gcp_control_plane, gcp_federation, gcp_pools, gcp_quotas
from sandbox.provider.check import Failure
from sandbox.provider.cloud import CloudPackage
from sandbox.provider.package import ProviderError
from sandbox.provider.store import Record
from sandbox.provider.templates import Scope, fill
from sandbox.provider.values import (
    Properties,
    as_dict,
    as_list,
    lookup,
    merged,
    plain,
    reveal,
)

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
SERVICE = "gcp:projects/service:Service"
SERVICE_IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"
NAT = "gcp:compute/routerNat:RouterNat"
KEY_MEMBER = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
ACCOUNT = "gcp:serviceaccount/account:Account"
BUDGET = "gcp:billing/budget:Budget"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
CUSTOM_ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
BUCKET = "gcp:storage/bucket:Bucket"
BUCKET_MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
SECRET = "gcp:secretmanager/secret:Secret"  # noqa: S105 - a type token

_ATTRIBUTION = {"goog-pulumi-provisioned": "true"}
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_WORKLOAD_POOL = re.compile(
    r"serviceAccount:(?P<account>[^\[]+\.svc\.id\.goog)\["
    r"|principal(Set)?://iam\.googleapis\.com/projects/\d+/locations/global/"
    r"workloadIdentityPools/(?P<principal>[^/]+\.svc\.id\.goog)/"
)
_ACCOUNT_EMAIL = re.compile(r"serviceAccount:(?P<email>[^@\[]+@(?P<project>[^.@]+)\.iam\..+)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LOCATION = re.compile(r"[a-z]+-[a-z]+\d+(-[a-z])?")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")
_ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
_DRAINED_APIS = "gcp-apis"
_KEPT_IDS: Final = {CUSTOM_ROLE: "gcp-roles", gcp_federation.POOL: "gcp-identity-pools"}
"""Types whose ids Google keeps after a deletion, and the counter that remembers them."""
_KEPT_DAYS: Final = {
    CUSTOM_ROLE: '37 days (IAM docs, "Create and manage custom roles")',
    gcp_federation.POOL: '30 days (IAM docs, "Manage workload identity pools and providers")',
}


class GcpPackage(CloudPackage):
    """The gcp provider."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("gcp")

    # --- configuration --------------------------------------------------------------------------

    def check_config(self, config: Properties) -> list[Failure]:
        """Check the project's form and that a zone or region is where it belongs."""
        failures = super().check_config(config)
        project = reveal(config.get("project"))
        if isinstance(project, str) and project and not _PROJECT.fullmatch(project):
            failures.append(
                Failure(
                    "project",
                    f"{project!r} is not a project id: 6 to 30 lower case letters, digits and "
                    "hyphens, a letter first, no hyphen last",
                )
            )
        region, zone = reveal(config.get("region")), reveal(config.get("zone"))
        if isinstance(region, str) and not _REGION.fullmatch(region):
            failures.append(Failure("region", f"{region!r} is not a region such as us-central1"))
        if isinstance(zone, str) and not _ZONE.fullmatch(zone):
            failures.append(Failure("zone", f"{zone!r} is not a zone such as us-central1-a"))
        return failures

    # --- Check ----------------------------------------------------------------------------------

    def check_more(self, token: str, inputs: Properties) -> list[Failure]:
        """Report bounds that are the wrong way round and places that can't be."""
        failures: list[Failure] = []
        if token == NODE_POOL:
            for low, high in (
                ("minNodeCount", "maxNodeCount"),
                ("totalMinNodeCount", "totalMaxNodeCount"),
            ):
                least = lookup(inputs, f"autoscaling.{low}")
                most = lookup(inputs, f"autoscaling.{high}")
                if isinstance(least, int) and isinstance(most, int) and least > most:
                    failures.append(
                        Failure(f"autoscaling.{low}", f"{least} is more than {high}, {most}")
                    )
        if token == NAT:
            failures += gcp_control_plane.nat_failures(inputs)
        if token == CLUSTER:
            failures += gcp_control_plane.cluster_failures(inputs)
        removed = token == CLUSTER and inputs.get("removeDefaultNodePool") is True
        if removed and "nodeVersion" in inputs:  # gcp provider 9.35.0, Diff
            reason = "can't be given while removeDefaultNodePool is true"
            failures.append(Failure("nodeVersion", reason))
        if token in (CLUSTER, NODE_POOL):
            location = reveal(inputs.get("location"))
            if isinstance(location, str) and not _LOCATION.fullmatch(location):
                failures.append(Failure("location", f"{location!r} is neither region nor zone"))
        more = _FAILURES.get(token)
        return failures if more is None else failures + more(inputs)

    # --- what the cloud refuses -----------------------------------------------------------------

    def refuse(self, token: str, identifier: str, state: Properties) -> None:
        """Refuse what the API refuses when a resource is made or changed."""
        self._check_api(token, state)
        if token == SUBNETWORK:
            self._check_ranges(identifier, state)
        elif token == CLUSTER:
            self._check_cluster(identifier, state)
            gcp_control_plane.check_key(state, self.store.all(KEY_MEMBER))
            gcp_pools.check_nodes(state, self.rules.tables)
        elif token == NODE_POOL:
            gcp_pools.check_nodes(state, self.rules.tables)
            gcp_pools.check_pool(state)
            self._check_pool(state)
        elif token == BUCKET_MEMBER:
            self._check_public_access(state)
        elif token == BUDGET:
            self._check_budget()
        elif token in _KEPT_IDS and identifier in self.store.counters().get(_KEPT_IDS[token], []):
            raise ProviderError(
                f"{identifier} was deleted, and Google keeps its id for up to "
                f"{_KEPT_DAYS[token]}: give a new one another id"
            )
        elif token == REPOSITORY:
            _check_repository(state)
        elif token == SECRET:
            _check_replicas(state)
        if "member" in state and "role" in state:
            self._check_member(state)

    def _check_api(self, token: str, state: Properties) -> None:
        api = self.row(token).api
        project = plain(state.get("project"))
        if not api or api in self.rules.tables["default_apis"]:
            return
        if project is None:
            return
        if api not in self._enabled(str(project)):
            raise ProviderError(
                f"the API {api} is not enabled in the project {project}: make the resource "
                "depend on the gcp.projects.Service that enables it"
            )

    def _enabled(self, project: str) -> set[str]:
        kept = cast("list[str]", self.store.counters().get(_DRAINED_APIS, []))
        enabled = {name.partition("/")[2] for name in kept if name.partition("/")[0] == project}
        for record in self.store.all(SERVICE):
            if record.outputs.get("project") == project:
                enabled.add(str(record.outputs["service"]))
        dependents = cast("dict[str, list[str]]", self.rules.tables["dependent_apis"])
        for name in tuple(enabled):
            enabled.update(dependents.get(name, ()))
        return enabled

    def _check_ranges(self, identifier: str, state: Properties) -> None:
        network = self.resolve(self.row(SUBNETWORK).references["network"], state["network"])
        taken: list[tuple[str, ipaddress.IPv4Network]] = []
        for record in self.store.all(SUBNETWORK):
            other = self.resolve(
                self.row(SUBNETWORK).references["network"], record.outputs["network"]
            )
            same = other is not None and network is not None and other.id == network.id
            if same and record.id != identifier:
                taken.extend((record.name, block) for block in _ranges(record.outputs))
        own: list[ipaddress.IPv4Network] = []
        for block in _ranges(state):
            for name, other in [*taken, *(("the same subnetwork", block) for block in own)]:
                if block.overlaps(other):
                    raise ProviderError(f"the range {block} overlaps {other} of {name}")
            own.append(block)

    def _check_cluster(self, identifier: str, state: Properties) -> None:
        del identifier
        pools = as_list(reveal(state.get("nodePools"))) or []
        count = reveal(state.get("initialNodeCount"))
        if state.get("enableAutopilot") is not True and not pools and not count:
            raise ProviderError(
                "initialNodeCount must be greater than zero for a cluster without nodePools"
            )
        network, subnetwork = state.get("network"), state.get("subnetwork")
        rules = self.row(CLUSTER).references
        if network is not None and subnetwork:
            inside = self.resolve(rules["subnetwork"], subnetwork)
            outside = self.resolve(rules["network"], network)
            if inside is not None and outside is not None:
                home = self.resolve(rules["network"], inside.outputs["network"])
                if home is None or home.id != outside.id:
                    raise ProviderError(f"{inside.id} is not a subnetwork of {outside.id}")
                self._check_range_names(state, inside)
        pool = lookup(state, "workloadIdentityConfig.workloadPool")
        if isinstance(pool, str) and pool != f"{plain(state.get('project'))}.svc.id.goog":
            raise ProviderError(
                f"the workload pool {pool} is not that of the project "
                f"({plain(state.get('project'))}.svc.id.goog)"
            )

    def _check_range_names(self, state: Properties, subnetwork: Record) -> None:
        ranges = cast("list[Properties]", subnetwork.outputs.get("secondaryIpRanges") or [])
        names = {item.get("rangeName") for item in ranges}
        for key in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
            name = lookup(state, f"ipAllocationPolicy.{key}")
            if isinstance(name, str) and name and name not in names:
                raise ProviderError(
                    f"ipAllocationPolicy.{key}: {subnetwork.id} has no secondary range {name!r}"
                )

    def _check_pool(self, state: Properties) -> None:
        cluster = self.resolve(self.row(NODE_POOL).references["cluster"], state["cluster"])
        if cluster is None:
            return
        if lookup(cluster.outputs, "enableAutopilot") is True:
            raise ProviderError(f"{cluster.id} is an Autopilot cluster and has no node pools")
        location = plain(state.get("location"))
        if location is not None and location != cluster.outputs.get("location"):
            raise ProviderError(
                f"the cluster {cluster.outputs.get('name')} is in "
                f"{cluster.outputs.get('location')}, not in {location}"
            )
        streaming = "containerfilesystem.googleapis.com"
        project = str(plain(state.get("project")))
        if lookup(state, "nodeConfig.gcfsConfig.enabled") is True and (
            streaming not in self._enabled(project)
        ):
            raise ProviderError(f"nodeConfig.gcfsConfig: {streaming} is not enabled in {project}")
        region = re.sub(r"-[a-z]$", "", str(cluster.outputs.get("location")))
        for zone in as_list(reveal(state.get("nodeLocations"))) or []:
            if not str(plain(zone)).startswith(f"{region}-"):
                raise ProviderError(f"nodeLocations: {plain(zone)} is not a zone of {region}")

    def _check_member(self, state: Properties) -> None:
        member = str(plain(state["member"]))
        match = _WORKLOAD_POOL.match(member)
        if match:
            pool = match["account"] or match["principal"]
            pools = {
                lookup(record.outputs, "workloadIdentityConfig.workloadPool")
                for record in self.store.all(CLUSTER)
            }
            if pool not in pools:
                raise ProviderError(
                    f"the identity pool {pool} does not exist: it comes with the first cluster "
                    "that has workloadIdentityConfig, so depend on that cluster"
                )
        else:
            gcp_federation.check_member(member, self.store.all(gcp_federation.POOL))
        match = _ACCOUNT_EMAIL.fullmatch(member)
        project = plain(state.get("project")) or plain(self.config.get("project"))
        if match and match["project"] == project:
            rule = self.row("gcp:serviceaccount/iAMMember:IAMMember").references
            if self.resolve(rule["serviceAccountId"], match["email"]) is None:
                raise ProviderError(f"the service account {match['email']} does not exist")

    def _check_budget(self) -> None:
        """Refuse the call of a person that counts towards no project (Terraform docs, Budget)."""
        project = plain(self.config.get("billingProject"))
        if plain(self.config.get("userProjectOverride")) not in (True, "true") or not project:
            raise ProviderError(
                "billingbudgets.googleapis.com requires a quota project: give the resource a "
                "provider with billingProject, and userProjectOverride true"
            )
        if "billingbudgets.googleapis.com" not in self._enabled(str(project)):
            raise ProviderError(
                f"the API billingbudgets.googleapis.com is not enabled in the project {project}: "
                "make the resource depend on the gcp.projects.Service that enables it"
            )

    def _check_public_access(self, state: Properties) -> None:
        member = str(plain(state["member"]))
        bucket = self.resolve(self.row(BUCKET_MEMBER).references["bucket"], plain(state["bucket"]))
        if bucket is None or member not in ("allUsers", "allAuthenticatedUsers"):
            return
        if bucket.outputs.get("publicAccessPrevention") == "enforced":
            raise ProviderError(f"{bucket.id} enforces public access prevention: no {member}")

    # --- deletion -------------------------------------------------------------------------------

    def refuse_delete(self, record: Record) -> None:
        """Refuse to take away an API, or the right on a key, that something still uses."""
        if record.token == KEY_MEMBER:
            gcp_control_plane.check_key_right_unused(record, self.store.all(CLUSTER))
        if record.token == SERVICE and lookup(record.outputs, "disableOnDestroy") is True:
            service = str(record.outputs["service"])
            for other in self.store.everything():
                rules = self.rules.types.get(other.token)
                if rules is not None and rules.api == service:
                    raise ProviderError(f"{service} is in use by {other.name} ({other.id})")

    def deleted(self, record: Record) -> None:
        """Remember an API that stays enabled, and a role or pool whose id stays taken."""
        if record.token == SERVICE and lookup(record.outputs, "disableOnDestroy") is not True:
            counters = self.store.counters()
            kept = set(cast("list[str]", counters.get(_DRAINED_APIS, [])))
            kept.add(record.id)
            counters[_DRAINED_APIS] = sorted(kept)
            self.store.save_counters(counters)
        elif record.token in _KEPT_IDS:
            counters, kind = self.store.counters(), _KEPT_IDS[record.token]
            counters[kind] = [*counters.get(kind, []), record.id]
            self.store.save_counters(counters)

    # --- computed values ------------------------------------------------------------------------

    def complete(self, token: str, identifier: str, state: Properties) -> None:
        """Add label outputs, and what the API fills into nested blocks."""
        declared = self.sdk.resource(token)
        outputs = declared.outputs if declared is not None else ()
        if "effectiveLabels" in outputs:
            own = as_dict(reveal(state.get("labels" if token != CLUSTER else "resourceLabels")))
            defaults = as_dict(reveal(self.config.get("defaultLabels")))
            labels = merged(defaults or {}, own or {})
            state["pulumiLabels"] = labels
            state["effectiveLabels"] = merged(_ATTRIBUTION, labels)
        if "effectiveAnnotations" in outputs:
            state["effectiveAnnotations"] = dict(as_dict(reveal(state.get("annotations"))) or {})
        if token in (gcp_federation.POOL, gcp_federation.PROVIDER):
            state["name"] = gcp_federation.name(token, state)
        if token == CLUSTER:
            self._complete_cluster(identifier, state)
        if token == SERVICE_IDENTITY:
            agent = gcp_control_plane.service_agent(
                str(plain(state["service"])), str(plain(state["project"]))
            )
            state["email"], state["member"] = agent, f"serviceAccount:{agent}"

    def _complete_cluster(self, identifier: str, state: Properties) -> None:
        location = str(plain(state["location"]))
        if not as_list(reveal(state.get("nodeLocations"))) and location.count("-") == 1:
            state["nodeLocations"] = [f"{location}-{letter}" for letter in "abc"]
        private = as_dict(reveal(state.get("privateClusterConfig")))
        if private is not None:
            state["privateClusterConfig"] = merged(
                {"publicEndpoint": state["endpoint"], "privateEndpoint": "10.127.0.2"}, private
            )
        authentication = as_dict(reveal(state.get("masterAuth"))) or {}
        if not authentication.get("clusterCaCertificate"):
            scope = Scope(state, identifier, self._allocate)
            state["masterAuth"] = merged(
                authentication, {"clusterCaCertificate": fill("{certificate:}", scope)}
            )
        endpoints = as_dict(reveal(state.get("controlPlaneEndpointsConfig")))
        wanted = lookup(endpoints, "dnsEndpointConfig")
        if endpoints is not None and wanted is not None:
            name = f"gke-{plain(state['name'])}.{location}.gke.goog"
            state["controlPlaneEndpointsConfig"] = merged(
                endpoints,
                {"dnsEndpointConfig": merged(cast("Properties", wanted), {"endpoint": name})},
            )

    # --- functions ------------------------------------------------------------------------------

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer the questions about client and project that programs commonly ask."""
        project = plain(arguments.get("projectId")) or plain(self.config.get("project"))
        match token:
            case "gcp:organizations/getClientConfig:getClientConfig":
                return {
                    "id": "client",
                    "project": project,
                    "region": plain(self.config.get("region")),
                    "zone": plain(self.config.get("zone")),
                    "accessToken": "sandbox",
                    "defaultLabels": {},
                }
            case "gcp:organizations/getProject:getProject":
                number = gcp_control_plane.project_number(str(project))
                return {
                    "id": f"projects/{project}",
                    "projectId": project,
                    "name": project,
                    "number": number,
                    "labels": {},
                }
            case "gcp:compute/getZones:getZones":
                region = plain(arguments.get("region")) or plain(self.config.get("region"))
                return {
                    "id": f"projects/{project}/regions/{region}",
                    "project": project,
                    "region": region,
                    "names": [f"{region}-{letter}" for letter in "abc"],
                }
            case gcp_quotas.QUOTA_INFO:
                return gcp_quotas.quota_info(
                    arguments,
                    gcp_quotas.table_of(self.rules.tables),
                    lambda name: gcp_quotas.API in self._enabled(name),
                )
            case _:
                return super().invoke(token, arguments)


def _channel_failures(inputs: Properties) -> list[Failure]:
    """Report a channel for mail without an address (Cloud Monitoring, channel descriptors)."""
    address = lookup(inputs, "labels.email_address")
    wrong = address is None or (isinstance(address, str) and not _EMAIL.fullmatch(address))
    if reveal(inputs.get("type")) == "email" and wrong:
        return [Failure("labels.email_address", "an e-mail address is needed")]
    return []


def _lifecycle_failures(inputs: Properties) -> list[Failure]:
    """Report lifecycle rules of a bucket that Cloud Storage does not take (its JSON API, Buckets).

    An upload that never ended has no version and no class; its rule knows an age and names.
    """
    failures: list[Failure] = []
    for index, rule in enumerate(as_list(reveal(inputs.get("lifecycleRules"))) or []):
        kind = lookup(as_dict(rule) or {}, "action.type")
        storage_class = lookup(as_dict(rule) or {}, "action.storageClass")
        path = f"lifecycleRules[{index}]"
        condition = as_dict(lookup(as_dict(rule) or {}, "condition")) or {}
        if not condition:
            failures.append(Failure(f"{path}.condition", "a rule without a condition"))
        if (kind == "SetStorageClass") != (storage_class is not None):
            failures.append(
                Failure(f"{path}.action.storageClass", "goes with SetStorageClass, and it alone")
            )
        others = sorted(set(condition) - {"age", "matchesPrefixes", "matchesSuffixes"})
        if kind == "AbortIncompleteMultipartUpload" and others:
            failures.append(Failure(f"{path}.condition.{others[0]}", f"is no condition of {kind}"))
    return failures


def _check_repository(state: Properties) -> None:
    """Refuse what Artifact Registry refuses (its API, repositories)."""
    is_remote = plain(state.get("mode")) == "REMOTE_REPOSITORY"
    if is_remote != (reveal(state.get("remoteRepositoryConfig")) is not None):
        raise ProviderError(
            "remoteRepositoryConfig: a repository of mode REMOTE_REPOSITORY needs it, and no other "
            "has it"
        )
    seen: set[object] = set()
    for each in as_list(reveal(state.get("cleanupPolicies"))) or []:
        policy = as_dict(reveal(each)) or {}
        identifier = plain(policy.get("id"))
        if identifier in seen:
            raise ProviderError(f"cleanupPolicies: there are two with the id {identifier}")
        seen.add(identifier)
        keeps_recent = reveal(policy.get("mostRecentVersions")) is not None
        if keeps_recent == (reveal(policy.get("condition")) is not None):
            raise ProviderError(
                f"cleanupPolicies: {identifier} needs either condition or mostRecentVersions"
            )
        if keeps_recent and plain(policy.get("action")) != "KEEP":
            raise ProviderError(
                f"cleanupPolicies: {identifier} has mostRecentVersions, which only KEEP takes"
            )


def _check_replicas(state: Properties) -> None:
    """Refuse two replicas in one place (Secret Manager API, secrets)."""
    replicas = as_list(lookup(state, "replication.userManaged.replicas")) or []
    locations = [lookup(replica, "location") for replica in replicas]
    for location in locations:
        if locations.count(location) > 1:
            raise ProviderError(f"replication.userManaged.replicas: {location} is there twice")


_FAILURES: Final[Mapping[str, Callable[[Properties], list[Failure]]]] = {
    BUCKET: _lifecycle_failures,
    CHANNEL: _channel_failures,
    gcp_federation.PROVIDER: gcp_federation.provider_failures,
}


def _ranges(state: Properties) -> list[ipaddress.IPv4Network]:
    secondary = as_list(reveal(state.get("secondaryIpRanges"))) or []
    texts = [
        plain(state.get("ipCidrRange")),
        *(lookup(item, "ipCidrRange") for item in secondary),
    ]
    return [ipaddress.IPv4Network(text) for text in texts if isinstance(text, str)]
