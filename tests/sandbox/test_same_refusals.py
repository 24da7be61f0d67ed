"""What the real providers refuse at preview, the sandbox refuses too, and for the same reason.

Every row was put before gcp provider 9.35.0 or random provider 4.21.4, which took or refused it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.provider.values import UNKNOWN
from tests.sandbox.conftest import Provider, paths

Configured = Callable[..., Provider]
Inputs = dict[str, Any]

CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
STORED = "gcp:secretmanager/secret:Secret"
ACCOUNT = "gcp:serviceaccount/account:Account"
ACCOUNT_MEMBER = "gcp:serviceaccount/iAMMember:IAMMember"
PROJECT_MEMBER = "gcp:projects/iAMMember:IAMMember"
ROUTER = "gcp:compute/router:Router"
SERVICE = "gcp:projects/service:Service"
REPOSITORY = "gcp:artifactregistry/repository:Repository"
DRAWN = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"

GRANT: Inputs = {"role": "roles/viewer", "member": "user:jane@example.com"}
BASES: dict[str, Inputs] = {
    CLUSTER: {"initialNodeCount": 1},
    POOL: {"cluster": "c"},
    STORED: {"secretId": "s", "replication": {"auto": {}}},
    ACCOUNT_MEMBER: {
        **GRANT,
        "serviceAccountId": "projects/p/serviceAccounts/reader@p.iam.gserviceaccount.com",
    },
    PROJECT_MEMBER: {**GRANT, "project": "sandbox-project"},
    ROUTER: {"network": "n"},
    REPOSITORY: {"repositoryId": "r", "format": "DOCKER"},
    SERVICE: {},
    DRAWN: {"length": 16},
    STRING: {"length": 16},
}  # fmt: skip

NOON = "2026-01-31T12:00:00Z"
RECURRING = {"startTime": NOON, "endTime": "2026-01-31T18:00:00+02:00", "recurrence": "FREQ=DAILY"}
DAILY = {"startTime": "03:00"}
EXCLUSION = {"exclusionName": "x", "startTime": NOON, "endTime": "2026-02-01T12:00:00Z"}


def _window(**changes: str) -> Inputs:
    return {"maintenancePolicy": {"recurringWindow": {**RECURRING, **changes}}}


def _node(**settings: object) -> Inputs:
    return {"nodeConfig": settings}


def _replicas(*locations: str) -> Inputs:
    return {"userManaged": {"replicas": [{"location": location} for location in locations]}}


REFUSED: list[tuple[str, Inputs, str, str]] = [
    (CLUSTER, {"anonymousAuthenticationConfig": {"mode": "OFF"}},
     "anonymousAuthenticationConfig.mode", "ENABLED, LIMITED"),
    (CLUSTER, {"loggingService": "x"}, "loggingService", "logging.googleapis.com/kubernetes"),
    (CLUSTER, {"monitoringService": "x"}, "monitoringService", "none"),
    (CLUSTER, {"inTransitEncryptionConfig": "X"}, "inTransitEncryptionConfig", "INTER_NODE"),
    (CLUSTER, {"fleet": {"membershipType": "X"}}, "fleet.membershipType", "LIGHTWEIGHT"),
    (CLUSTER, {"addonsConfig": {}}, "addonsConfig", "at least one"),
    (CLUSTER, {"privateClusterConfig": {}}, "privateClusterConfig", "at least one"),
    (CLUSTER, {"nodeVersion": "1.35", "removeDefaultNodePool": True},
     "nodeVersion", "removeDefaultNodePool"),
    (CLUSTER, {"maintenancePolicy": {}},
     "maintenancePolicy.dailyMaintenanceWindow", "none is given"),
    (CLUSTER, {"maintenancePolicy": {"dailyMaintenanceWindow": DAILY,
                                     "recurringWindow": RECURRING}},
     "maintenancePolicy.dailyMaintenanceWindow", "recurringWindow"),
    (CLUSTER, {"maintenancePolicy": {"dailyMaintenanceWindow": {"startTime": "3:00"}}},
     "maintenancePolicy.dailyMaintenanceWindow.startTime", "pattern"),
    (CLUSTER, _window(startTime="x"), "maintenancePolicy.recurringWindow.startTime", "RFC 3339"),
    (CLUSTER, _window(endTime="2026-01-31 12:00:00Z"),
     "maintenancePolicy.recurringWindow.endTime", "RFC 3339"),
    (CLUSTER, _window(endTime="2026-02-31T12:00:00Z"),
     "maintenancePolicy.recurringWindow.endTime", "RFC 3339"),
    (CLUSTER, {"maintenancePolicy": {"recurringWindow": RECURRING, "maintenanceExclusions":
                                     [{**EXCLUSION, "startTime": "x"}]}},
     "maintenancePolicy.maintenanceExclusions[0].startTime", "RFC 3339"),
    (CLUSTER, {"maintenancePolicy": {"recurringWindow": RECURRING, "maintenanceExclusions":
                                     [{**EXCLUSION, "endTime": "x"}]}},
     "maintenancePolicy.maintenanceExclusions[0].endTime", "RFC 3339"),
    (CLUSTER, {"nodePoolDefaults": {"nodeConfigDefaults":
                                    {"insecureKubeletReadonlyPortEnabled": "NO"}}},
     "nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled", "TRUE, FALSE"),
    (CLUSTER, {"nodePoolDefaults": {"nodeConfigDefaults": {"loggingVariant": "X"}}},
     "nodePoolDefaults.nodeConfigDefaults.loggingVariant", "MAX_THROUGHPUT"),
    (CLUSTER, {"nodePoolAutoConfig": {"nodeKubeletConfig":
                                      {"insecureKubeletReadonlyPortEnabled": "NO"}}},
     "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled", "TRUE, FALSE"),
    (CLUSTER, {"nodePoolAutoConfig": {"linuxNodeConfig": {"cgroupMode": "X"}}},
     "nodePoolAutoConfig.linuxNodeConfig.cgroupMode", "CGROUP_MODE_V2"),
    *((kind, inputs, path, reason) for kind in (CLUSTER, POOL) for inputs, path, reason in (
        (_node(kubeletConfig={"insecureKubeletReadonlyPortEnabled": "NO"}),
         "nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled", "TRUE, FALSE"),
        (_node(kubeletConfig={"cpuManagerPolicy": "X"}),
         "nodeConfig.kubeletConfig.cpuManagerPolicy", "static, none"),
        (_node(linuxNodeConfig={"cgroupMode": "X"}),
         "nodeConfig.linuxNodeConfig.cgroupMode", "CGROUP_MODE_V2"),
        (_node(loggingVariant="X"), "nodeConfig.loggingVariant", "MAX_THROUGHPUT"),
        (_node(diskSizeGb=9), "nodeConfig.diskSizeGb", "10"),
        (_node(ephemeralStorageLocalSsdConfig={"localSsdCount": -1}),
         "nodeConfig.ephemeralStorageLocalSsdConfig.localSsdCount", "less than 0"),
        (_node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}]),
         "nodeConfig.taints[0].effect", "NO_SCHEDULE"),
    )),
    (POOL, _node(localSsdCount=-1), "nodeConfig.localSsdCount", "less than 0"),
    (POOL, _node(ephemeralStorageConfig={"localSsdCount": -1}),
     "nodeConfig.ephemeralStorageConfig.localSsdCount", "less than 0"),
    (POOL, _node(localNvmeSsdBlockConfig={"localSsdCount": -1}),
     "nodeConfig.localNvmeSsdBlockConfig.localSsdCount", "less than 0"),
    (STORED, {"replication": {}}, "replication.auto", "none is given"),
    (STORED, {"replication": {"auto": {}, **_replicas("europe-west4")}},
     "replication.auto", "replication.userManaged"),
    (STORED, {"replication": _replicas()}, "replication.userManaged.replicas", "at least 1"),
    (STORED, {"rotation": {"rotationPeriod": "3600s"}}, "rotation", "topics"),
    (ACCOUNT_MEMBER, {"serviceAccountId": "a@p.iam.gserviceaccount.com"},
     "serviceAccountId", "pattern"),
    (ACCOUNT_MEMBER, {"serviceAccountId": "projects/p/serviceAccounts/x"},
     "serviceAccountId", "pattern"),
    (ACCOUNT_MEMBER, {"serviceAccountId": f"projects/p/serviceAccounts/{'1' * 21}"},
     "serviceAccountId", "pattern"),
    *((kind, {"member": "deleted:serviceAccount:a@b.com?uid=1"}, "member", "was deleted")
      for kind in (ACCOUNT_MEMBER, PROJECT_MEMBER)),
    *((ROUTER, {"bgp": {"asn": number}}, "bgp.asn", "64512-65534")
      for number in (1, 16549, 64511, 65535, 4199999999)),
    (SERVICE, {"service": "bigquery-json.googleapis.com"}, "service", "not taken"),
    (REPOSITORY, {"vulnerabilityScanningConfig": {"enablementConfig": "X"}},
     "vulnerabilityScanningConfig.enablementConfig", "INHERITED"),
    *((kind, inputs, path, reason) for kind in (DRAWN, STRING) for inputs, path, reason in (
        ({"minUpper": 9, "minLower": 8}, "length", "minimum counts together, 17"),
        ({"lower": False, "upper": False, "numeric": False, "special": False},
         "lower", "no kind of character"),
    )),
]  # fmt: skip

TAKEN: list[tuple[str, Inputs]] = [
    (ACCOUNT_MEMBER, {}),
    (ACCOUNT_MEMBER, {"serviceAccountId":
                      "projects/-/serviceAccounts/12-compute@developer.gserviceaccount.com"}),
    (PROJECT_MEMBER, {"member": "serviceAccount:p.svc.id.goog[a/b]"}),
    (SERVICE, {"service": "bigquery.googleapis.com"}),
    (CLUSTER, {"addonsConfig": {"dnsCacheConfig": {"enabled": True}}}),
    (CLUSTER, {"privateClusterConfig": {"enablePrivateNodes": True}}),
    (CLUSTER, {"nodeVersion": "1.35", "removeDefaultNodePool": False}),
    (CLUSTER, _window()),
    (CLUSTER, {"maintenancePolicy": {"dailyMaintenanceWindow": DAILY,
                                     "maintenanceExclusions": [EXCLUSION]}}),
    (CLUSTER, _node(diskSizeGb=10, linuxNodeConfig={"cgroupMode": "CGROUP_MODE_V2"})),
    (POOL, _node(kubeletConfig={"cpuManagerPolicy": "", "insecureKubeletReadonlyPortEnabled":
                                "FALSE"})),
    (POOL, _node(ephemeralStorageLocalSsdConfig={"localSsdCount": 0})),
    (STORED, {"replication": _replicas("europe-west4")}),
    (STORED, {"rotation": {"rotationPeriod": "3600s"}, "topics": [{"name": "t"}]}),
    *((ROUTER, {"bgp": {"asn": number}})
      for number in (16550, 64512, 65534, 4200000000, 4294967294)),
    (REPOSITORY, {"vulnerabilityScanningConfig": {"enablementConfig": ""}}),
    (DRAWN, {"minUpper": 8, "minLower": 8}),
    (DRAWN, {"length": UNKNOWN, "minLower": 8}),
    (CLUSTER, {"maintenancePolicy": UNKNOWN, "addonsConfig": UNKNOWN}),
    (STORED, {"replication": UNKNOWN}),
    (CLUSTER, {"ipAllocationPolicy": UNKNOWN}),
]  # fmt: skip


@pytest.mark.parametrize(("token", "inputs", "path", "reason"), REFUSED)
def test_what_the_real_provider_refuses_is_refused(
    provider: Configured, token: str, inputs: Inputs, path: str, reason: str
) -> None:
    served = provider(token.partition(":")[0])
    failures = served.refusals(token, {**BASES[token], **inputs})
    assert [failure.path for failure in failures] == [path]
    assert reason in failures[0].reason


@pytest.mark.parametrize(("token", "inputs"), TAKEN)
def test_what_the_real_provider_takes_and_what_is_not_known_yet_is_taken(
    provider: Configured, token: str, inputs: Inputs
) -> None:
    served = provider(token.partition(":")[0])
    assert served.refusals(token, {**BASES[token], **inputs}) == []


def test_a_made_up_name_over_the_limit_is_refused_and_never_cut(provider: Configured) -> None:
    google = provider("gcp")
    made = google.checked(ACCOUNT, {}, name="a" * 22)
    assert len(made["accountId"]) == 30
    failures = google.refusals(ACCOUNT, {}, name="a" * 23)
    assert paths(failures) == {"accountId"}
    assert "longer than 30" in failures[0].reason
    assert paths(google.refusals(CLUSTER, {}, name="a" * 33)) == {"name"}


@pytest.mark.parametrize("name", ["gcp", "hcloud", "kubernetes", "random"])
def test_a_setting_that_the_provider_does_not_have_is_refused(
    provider: Configured, name: str
) -> None:
    served = provider(name).package
    assert "unheardOf" in paths(served.check_config({"unheardOf": "x"}))
    plugin = {"version": "1.0.0", "pluginDownloadURL": "https://example.com"}
    assert paths(served.check_config(plugin)) <= {"token"}


@pytest.mark.parametrize(
    ("name", "wrong", "meant"),
    [
        ("gcp", "proyect", "project"),
        ("hcloud", "tokn", "token"),
        ("kubernetes", "kubeConfig", "kubeconfig"),
    ],
)
def test_a_misspelt_setting_is_answered_with_the_one_meant(
    provider: Configured, name: str, wrong: str, meant: str
) -> None:
    failures = provider(name).package.check_config({wrong: "x"})
    assert any(failure.path == wrong and meant in failure.reason for failure in failures)


def test_every_setting_of_the_sdk_is_taken(provider: Configured) -> None:
    google = provider("gcp").package
    settings = {"defaultLabels": '{"a": "b"}', "addPulumiAttributionLabel": "false"}
    assert google.check_config({**settings, "project": "sandbox-project"}) == []
