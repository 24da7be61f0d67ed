"""One server's membership in etcd: waited for when it joins or restarts, ended before it goes.

etcd lives while more than half of its members do. Pulumi changes and deletes what it may at once:
three servers that are resized, or two of three that are deleted, would end it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_command as command
import pulumi_hcloud as hcloud

from components.substrate.hetzner_kubeconfig import api_url

JOIN_SECONDS: Final = 900
"""A server takes about two minutes from order to member; slow downloads can make it many more."""
LEAVE_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiAccess:
    """How the program and its users reach the Kubernetes API as its administrator."""

    address: pulumi.Input[str]
    tls_server_name: str | None = None
    """What the API's certificate names, where it does not name the address."""
    server_ca: pulumi.Input[str]
    client_certificate: pulumi.Input[str]
    client_key: pulumi.Input[str]
    """Secret; handed over on standard input, so that no process list shows it."""
    after: tuple[pulumi.Resource, ...] = ()
    """What else stands between here and the API."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerEtcdMemberArgs:
    """Inputs of one membership."""

    node_name: str
    server: hcloud.Server
    server_type: str
    """A server of another type was restarted, and is waited for anew."""
    access: ApiAccess
    after: Sequence[pulumi.Resource]
    """What makes a server one that can join: its place in the network."""
    first_server: hcloud.Server | None
    """With which the whole cluster goes, so that nobody has to leave; None for itself: it is the
    server that others join through, and never leaves."""


class HetznerEtcdMember(pulumi.ComponentResource):
    """The membership. It owns no server.

    Created once its node is a voter of etcd and answers. Deleted by deleting the node, which is
    gone only after k3s has taken the member out (k3s, pkg/etcd/member_controller.go); k3s on the
    server does not join again unless it is restarted.
    """

    joined: command.local.Command

    def __init__(
        self, name: str, args: HetznerEtcdMemberArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Wait for the member, on the machine that runs the program."""
        super().__init__("llmp:substrate:HetznerEtcdMember", name, None, opts)
        access = args.access
        self.joined = command.local.Command(
            f"{name}-joined",
            create=JOIN_SCRIPT,
            delete=None if args.first_server is None else LEAVE_SCRIPT,
            interpreter=["python3", "-c"],
            stdin=pulumi.Output.secret(
                pulumi.Output.all(
                    access.address, access.server_ca, access.client_certificate, access.client_key
                ).apply(lambda values: _request(args, values))
            ),
            triggers=[args.server.id],
            opts=pulumi.ResourceOptions(
                parent=self,
                additional_secret_outputs=["stdin"],
                depends_on=[*access.after, *args.after],
                deleted_with=args.first_server,
            ),
        )
        self.register_outputs({})


def _request(args: HetznerEtcdMemberArgs, values: list[Any]) -> str:
    address, server_ca, client_certificate, client_key = values
    return json.dumps(
        {
            "url": api_url(address),
            "ca": server_ca,
            "certificate": client_certificate,
            "key": client_key,
            "tls_server_name": args.access.tls_server_name,
            "node": args.node_name,
            "server_type": args.server_type,
            "join_seconds": JOIN_SECONDS,
            "leave_seconds": LEAVE_SECONDS,
            "pause": 5,
        }
    )


_CLIENT: Final = """\
import datetime, email.utils, http.client, json, ssl, sys, tempfile, time, urllib.parse

request = json.load(sys.stdin)
node = request["node"]
context = ssl.create_default_context(cadata=request["ca"])
with tempfile.NamedTemporaryFile("w") as pair:  # readable by its owner alone
    pair.write(request["certificate"] + request["key"])
    pair.flush()
    context.load_cert_chain(pair.name)
url = urllib.parse.urlsplit(request["url"])
name = request["tls_server_name"] or url.hostname


class Connection(http.client.HTTPSConnection):
    def connect(self):  # to the address, with the name that its certificate has
        http.client.HTTPConnection.connect(self)
        self.sock = context.wrap_socket(self.sock, server_hostname=name)


def call(method, path):
    connection = Connection(url.hostname, url.port, timeout=10, context=context)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        now = email.utils.parsedate_to_datetime(answer.headers["Date"])
        return answer.status, answer.read(), now
    finally:
        connection.close()


"""

JOIN_SCRIPT: Final = (
    _CLIENT
    + """\
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}"
start, reason = None, "the API was never asked"
deadline = time.monotonic() + request["join_seconds"]
while time.monotonic() < deadline:
    try:
        status, body, now = call("GET", LEASE)
        # By the API's clock. What the node said before may be from before its restart.
        start = start or now
        reason = f"there is no such node yet (the API answers {status})"
        if status == 200:
            said = json.loads(body)["spec"]["renewTime"].replace("Z", "+00:00")
            reason = "the node has not answered since"
            if datetime.datetime.fromisoformat(said) > start:
                status, body, now = call("GET", f"/api/v1/nodes/{node}")
                conditions = json.loads(body)["status"]["conditions"] if status == 200 else []
                reason = "the node is no voter of etcd yet"
                if any((c["type"], c["status"]) == ("EtcdIsVoter", "True") for c in conditions):
                    print(f"{node} is a member of etcd")
                    sys.exit(0)
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
    time.sleep(request["pause"])
sys.exit(
    f"{node} was no member of etcd within {request['join_seconds']} s: {reason}. The control-plane "
    "servers after it were left as they are, so that etcd keeps its majority. Is this machine in "
    "hetzner.api_allowed_cidrs? The server's console shows the log of cloud-init."
)
"""
)

LEAVE_SCRIPT: Final = (
    _CLIENT
    + """\
NODE = f"/api/v1/nodes/{node}"
asked, reason = False, "it is still a node"
deadline = time.monotonic() + request["leave_seconds"]
while time.monotonic() < deadline:
    try:
        status, body, now = call("GET" if asked else "DELETE", NODE)
        if status == 404:
            print(f"{node} has left etcd")
            sys.exit(0)
        asked = asked or status in (200, 202)
        reason = f"the API answers {status}"
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
    time.sleep(request["pause"])
sys.exit(
    f"{node} did not leave etcd within {request['leave_seconds']} s: {reason}. Its server was not "
    "deleted: without it the other members might be no majority. Is this machine in "
    "hetzner.api_allowed_cidrs?"
)
"""
)
