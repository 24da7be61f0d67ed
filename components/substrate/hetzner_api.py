"""Waits until the Kubernetes API of a new cluster answers.

Hetzner calls a server created when it boots; the API comes some two minutes later. The Kubernetes
provider looks at the cluster once, when it starts, and fails everything if nothing answers then.
"""

import json
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
    server_ca: pulumi.Input[str]
    client_certificate: pulumi.Input[str]
    client_key: pulumi.Input[str]
    """Secret; handed over on standard input, so that no process list shows it."""
    first_server: hcloud.Server


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
                ).apply(_request)
            ),
            triggers=[args.first_server.id],
            opts=pulumi.ResourceOptions(
                parent=self,
                additional_secret_outputs=["stdin"],
            ),
        )
        self.register_outputs({})


def _request(values: list[Any]) -> str:
    address, server_ca, client_certificate, client_key = values
    return json.dumps(
        {
            "url": f"{api_url(address)}/readyz",
            "ca": server_ca,
            "certificate": client_certificate,
            "key": client_key,
            "seconds": WAIT_SECONDS,
        }
    )


WAIT_SCRIPT: Final = """\
import json, ssl, sys, tempfile, time, urllib.error, urllib.request

request = json.load(sys.stdin)
context = ssl.create_default_context(cadata=request["ca"])
with tempfile.NamedTemporaryFile("w") as pair:  # readable by its owner alone
    pair.write(request["certificate"] + request["key"])
    pair.flush()
    context.load_cert_chain(pair.name)
# No proxy: the address is the server's own.
opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
)
deadline = time.monotonic() + request["seconds"]
reason = "it was never asked"
while time.monotonic() < deadline:
    try:
        with opener.open(request["url"], timeout=10) as answer:
            print("the Kubernetes API is ready")
            sys.exit(0)
    except urllib.error.HTTPError as error:
        reason = f"it answers {error.code}"
    except OSError as error:
        reason = str(getattr(error, "reason", error))
    time.sleep(5)
sys.exit(
    f"{request['url']} was not ready within {request['seconds']} s: {reason}. Is this machine in "
    "hetzner.api_allowed_cidrs? The server's console shows the log of cloud-init."
)
"""
