"""Waits until the Kubernetes API of a new cluster answers.

Hetzner calls a server created when it boots; the API comes some two minutes later. The Kubernetes
provider looks at the cluster once, when it starts, and fails everything if nothing answers then.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_command as command
import pulumi_hcloud as hcloud

from components.substrate.hetzner_kubeconfig import api_url

WAIT_SECONDS: Final = 900
"""A server takes about two minutes from order to API; slow downloads can make it many more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerApiArgs:
    """Inputs of the wait."""

    api_address: pulumi.Input[str]
    tls_server_name: str | None = None
    """What the API's certificate names, where it does not name the address."""
    server_ca: pulumi.Input[str]
    client_certificate: pulumi.Input[str]
    client_key: pulumi.Input[str]
    """Secret; handed over on standard input, so that no process list shows it."""
    first_server: hcloud.Server
    after: Sequence[pulumi.Resource] = ()
    """What else stands between here and the API."""


class HetznerApi(pulumi.ComponentResource):
    """The Kubernetes API, once it is ready. It owns no server; a new first one is asked anew."""

    ready: command.local.Command

    def __init__(
        self, name: str, args: HetznerApiArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Wait for the API, on the machine that runs the program."""
        super().__init__("llmp:substrate:HetznerApi", name, None, opts)
        self.ready = command.local.Command(
            f"{name}-ready",
            create=WAIT_SCRIPT,
            interpreter=["python3", "-c"],
            stdin=pulumi.Output.secret(
                pulumi.Output.all(
                    args.api_address, args.server_ca, args.client_certificate, args.client_key
                ).apply(lambda values: _request(values, args.tls_server_name))
            ),
            triggers=[args.first_server.id],
            opts=pulumi.ResourceOptions(
                parent=self,
                additional_secret_outputs=["stdin"],
                depends_on=list(args.after),
            ),
        )
        self.register_outputs({})


def _request(values: list[Any], tls_server_name: str | None) -> str:
    address, server_ca, client_certificate, client_key = values
    return json.dumps(
        {
            "url": f"{api_url(address)}/readyz",
            "ca": server_ca,
            "certificate": client_certificate,
            "key": client_key,
            "tls_server_name": tls_server_name,
            "seconds": WAIT_SECONDS,
        }
    )


WAIT_SCRIPT: Final = """\
import http.client, json, ssl, sys, tempfile, time, urllib.parse

request = json.load(sys.stdin)
context = ssl.create_default_context(cadata=request["ca"])
with tempfile.NamedTemporaryFile("w") as pair:  # readable by its owner alone
    pair.write(request["certificate"] + request["key"])
    pair.flush()
    context.load_cert_chain(pair.name)
url = urllib.parse.urlsplit(request["url"])
name = request.get("tls_server_name") or url.hostname


class Connection(http.client.HTTPSConnection):
    def connect(self):  # to the address, with the name that its certificate has
        http.client.HTTPConnection.connect(self)
        self.sock = context.wrap_socket(self.sock, server_hostname=name)


deadline = time.monotonic() + request["seconds"]
reason = "it was never asked"
while time.monotonic() < deadline:
    connection = Connection(url.hostname, url.port, timeout=10, context=context)
    try:
        connection.request("GET", url.path)
        status = connection.getresponse().status
        if status == 200:
            print("the Kubernetes API is ready")
            sys.exit(0)
        reason = f"it answers {status}"
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
    finally:
        connection.close()
    time.sleep(5)
sys.exit(
    f"{request['url']} was not ready within {request['seconds']} s: {reason}. Is this machine in "
    "hetzner.api_allowed_cidrs, or in the private network where there are none? The server's "
    "console shows the log of cloud-init."
)
"""
