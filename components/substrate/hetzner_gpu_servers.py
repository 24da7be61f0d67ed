"""Joins dedicated GPU servers, which people order at Hetzner and put into a vSwitch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_command as command

from components.substrate.hetzner_gpu_join import LEAVE_COMMAND, join_script
from components.substrate.hetzner_gpu_topology import GpuServer, SshAccess
from components.substrate.hetzner_k3s import JoinTokens, join_token
from components.substrate.hetzner_topology import HetznerTopology
from components.versions import K3S

DIAL_SECONDS: Final = 15
DIAL_ATTEMPTS: Final = 10
"""A server that reboots is back after some minutes; one that is gone is not waited for longer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HetznerGpuServersArgs:
    """Inputs of the servers."""

    topology: HetznerTopology
    tokens: pulumi.Input[JoinTokens]
    """Secret; only the agent's token reaches a server."""
    server_ca: pulumi.Input[str]
    """Certificate of the authority that the API's certificate is checked against."""
    ssh_key: pulumi.Input[str] | None
    """Private key that root of every server with SSH access accepts. Secret."""


class HetznerGpuServers(pulumi.ComponentResource):
    """The dedicated servers as nodes: joined by SSH, or by a script that it gives out.

    It owns the agent on them, their interface on the vSwitch and their firewall; neither the
    servers nor their operating system. A change of what a server is told runs the script again on
    that server; a server that is taken out of the config stops its agent. The Node that it leaves
    in the cluster is for people to delete.
    """

    scripts: Mapping[str, pulumi.Output[str]]
    """The script of each server without SSH access, by its name. Secret: it holds a join token."""

    def __init__(
        self,
        name: str,
        args: HetznerGpuServersArgs,
        opts: pulumi.ResourceOptions | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Join the servers with SSH access once all of `after` is there: an API to join.

        Raises:
            ValueError: a server is to be joined by SSH and there is no key for it.
        """
        super().__init__("llmp:substrate:HetznerGpuServers", name, None, opts)
        topology = args.topology
        token = pulumi.Output.secret(
            pulumi.Output.all(args.tokens, args.server_ca).apply(
                lambda values: _agent_token(values[0], values[1])
            )
        )
        stdin = token.apply(lambda text: f"{text}\n")
        for server in topology.gpu_servers:
            if server.ssh is not None:
                command.remote.Command(
                    f"{name}-{server.name}",
                    connection=_connection(server.name, server.ssh, args.ssh_key),
                    # No triggers: they replace, and the old one would leave after the new joined.
                    create=join_script(topology, server, version=K3S),
                    delete=LEAVE_COMMAND,
                    stdin=stdin,
                    # sshd takes no environment from strangers, and warns of it.
                    add_previous_output_in_env=False,
                    opts=pulumi.ResourceOptions(
                        parent=self,
                        depends_on=list(after),
                        additional_secret_outputs=["stdin"],
                    ),
                )
        self.scripts = {
            server.name: _script(topology, server, token)
            for server in topology.gpu_servers
            if server.ssh is None
        }
        self.register_outputs({})


def _connection(
    name: str, access: SshAccess, ssh_key: pulumi.Input[str] | None
) -> command.remote.ConnectionArgs:
    if ssh_key is None:
        msg = f"{name} is joined by SSH, and there is no key for it"
        raise ValueError(msg)
    return command.remote.ConnectionArgs(
        host=access.address,
        user="root",
        private_key=pulumi.Output.secret(ssh_key),
        host_key=access.host_key,
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_SECONDS,
    )


def _agent_token(tokens: JoinTokens, server_ca: str) -> str:
    return join_token(tokens.agent, role="node", server_ca=server_ca)


def _script(
    topology: HetznerTopology, server: GpuServer, token: pulumi.Output[str]
) -> pulumi.Output[str]:
    return pulumi.Output.secret(
        token.apply(lambda text: join_script(topology, server, version=K3S, token=text))
    )
