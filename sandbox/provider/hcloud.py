"""Hetzner Cloud: what its API refuses and answers beyond the rules table."""

import ipaddress
import os
from typing import Any, cast

from sandbox.provider.check import Failure
from sandbox.provider.cloud import CloudPackage
from sandbox.provider.package import ProviderError
from sandbox.provider.store import Record
from sandbox.provider.values import (
    UNKNOWN,
    Properties,
    as_dict,
    as_list,
    lookup,
    merged,
    plain,
    reveal,
)

NETWORK = "hcloud:index/network:Network"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
FIREWALL = "hcloud:index/firewall:Firewall"
SERVER = "hcloud:index/server:Server"
SERVER_NETWORK = "hcloud:index/serverNetwork:ServerNetwork"
BALANCER_NETWORK = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
BALANCER_SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService"
BALANCER_TARGET = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"
VOLUME = "hcloud:index/volume:Volume"
ATTACHMENT = "hcloud:index/volumeAttachment:VolumeAttachment"
PRIMARY_ADDRESS = "hcloud:index/primaryIp:PrimaryIp"

VSWITCH_ZONE = "eu-central"  # docs.hetzner.com/cloud/networks/faq
TOKEN_LENGTH = 64  # terraform-provider-hcloud, provider configuration
_LARGEST_PORT = 65_535
_PORTS = {"http": 80, "https": 443, "tcp": 0}
_DATACENTER_REMOVED = (
    "is no longer supported since 1 July 2026 (docs.hetzner.cloud/changelog, 2025-12-16): "
    "give location instead"
)


class HcloudPackage(CloudPackage):
    """The hcloud provider."""

    def __init__(self) -> None:
        """Load the rules table."""
        super().__init__("hcloud")

    # --- configuration --------------------------------------------------------------------------

    def check_config(self, config: Properties) -> list[Failure]:
        """Refuse a token that can't be one: it has 64 characters."""
        problem = _token_problem(config)
        return [
            *super().check_config(config),
            *([Failure("token", problem)] if problem else []),
        ]

    def configure(self, config: Properties) -> None:
        """Take the configuration; the token comes from it or from HCLOUD_TOKEN."""
        problem = _token_problem(config)
        if problem:
            raise ProviderError(problem)
        super().configure(config)

    # --- Check ----------------------------------------------------------------------------------

    def check_more(self, token: str, inputs: Properties) -> list[Failure]:
        """Report what takes more than one property to see."""
        if "datacenter" in inputs:
            return [Failure("datacenter", _DATACENTER_REMOVED)]
        if token == SERVER:
            networks = as_list(reveal(inputs.get("networks"))) or []
            named = [
                (lookup(network, "networkId"), lookup(network, "subnetId")) for network in networks
            ]
            failures = [
                Failure(f"networks[{index}]", "needs networkId or subnetId")
                for index, pair in enumerate(named)
                if pair == (None, None)
            ]
            known = [first for first, _ in named if isinstance(first, int)]
            if len(known) != len(set(known)):
                failures.append(Failure("networks", "the same network is named twice"))
            return failures
        if token == NETWORK:
            block = plain(inputs.get("ipRange"))
            if isinstance(block, str) and not ipaddress.IPv4Network(block).is_private:
                return [Failure("ipRange", f"{block} is not a private range (RFC 1918)")]
        if token == BALANCER_TARGET:
            return _target_failures(inputs)
        return []

    # --- what the cloud refuses -----------------------------------------------------------------

    def prepare(self, token: str, state: Properties) -> None:
        """Derive the network from the subnet, and the ports of a service from its protocol."""
        if token in (SERVER_NETWORK, BALANCER_NETWORK) and state.get("networkId") is None:
            state["networkId"] = int(str(plain(state["subnetId"])).partition("-")[0])
        if token == BALANCER_SERVICE:
            protocol = str(plain(state["protocol"]))
            if state.get("listenPort") is None:
                if not _PORTS[protocol]:
                    raise ProviderError("a tcp service needs listenPort")
                state["listenPort"] = _PORTS[protocol]
            if state.get("destinationPort") is None:
                if protocol == "tcp":
                    raise ProviderError("a tcp service needs destinationPort")
                state["destinationPort"] = _PORTS["http"]

    def refuse(self, token: str, identifier: str, state: Properties) -> None:
        """Refuse what the API refuses when a resource is made or changed."""
        self._in_table("location", "locations", state)
        self._in_table("loadBalancerType", "load_balancer_types", state)
        self._in_table("serverType", "server_types", state)
        match token:
            case "hcloud:index/networkSubnet:NetworkSubnet":
                self._check_subnet(identifier, state)
            case "hcloud:index/firewall:Firewall":
                _check_firewall(state)
            case "hcloud:index/server:Server":
                self._check_server(identifier, state)
            case "hcloud:index/serverNetwork:ServerNetwork" | (
                "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
            ):
                self._check_private_address(state, lookup(state, "ip"))
                self._check_free_address(identifier, state)
            case "hcloud:index/loadBalancerTarget:LoadBalancerTarget":
                self._check_target(identifier, state)
            case "hcloud:index/volume:Volume":
                if state.get("location") is None and state.get("serverId") is None:
                    raise ProviderError("a volume needs location or serverId")
            case "hcloud:index/volumeAttachment:VolumeAttachment":
                self._check_attachment(state)
            case _:
                pass

    def _in_table(self, path: str, table: str, state: Properties) -> None:
        value = lookup(state, path)
        known = cast("list[str]", list(self.rules.tables[table]))
        if isinstance(value, str) and value not in known:
            raise ProviderError(f"{path}: there is no {value!r}; there are {', '.join(known)}")

    def _check_subnet(self, identifier: str, state: Properties) -> None:
        network = self.store.find(NETWORK, str(plain(state["networkId"])))
        block = ipaddress.IPv4Network(plain(state["ipRange"]))
        if network is None:
            return
        whole = ipaddress.IPv4Network(network.outputs["ipRange"])
        if not block.subnet_of(whole):
            raise ProviderError(f"the subnet {block} is outside the network's range {whole}")
        for record in self._of_network(SUBNET, network.id):
            other = ipaddress.IPv4Network(record.outputs["ipRange"])
            if record.id != identifier and block.overlaps(other):
                raise ProviderError(f"the subnet {block} overlaps the subnet {other}")
            zones = (plain(state["networkZone"]), record.outputs["networkZone"])
            if record.id != identifier and zones[0] != zones[1]:
                raise ProviderError(
                    f"the subnets of a network are in one zone: {zones[0]} is not {zones[1]}"
                )
        if plain(state["type"]) == "vswitch":
            if state.get("vswitchId") is None:
                raise ProviderError("a subnet of type vswitch needs vswitchId")
            if plain(state["networkZone"]) != VSWITCH_ZONE:
                raise ProviderError(f"a vSwitch is coupled in the zone {VSWITCH_ZONE} alone")

    def _of_network(self, token: str, network: str) -> list[Record]:
        return [
            record
            for record in self.store.all(token)
            if str(record.outputs.get("networkId")) == network
        ]

    def _check_server(self, identifier: str, state: Properties) -> None:
        if state.get("deleteProtection") is not state.get("rebuildProtection"):
            raise ProviderError("deleteProtection and rebuildProtection must have the same value")
        image = lookup(state, "image")
        images = cast("list[str]", self.rules.tables["images"])
        if image is None:
            raise ProviderError("image is required to make a server")
        if isinstance(image, str) and not image.isdecimal() and image not in images:
            raise ProviderError(f"image: there is no {image!r}; there are {', '.join(images)}")
        kind = str(plain(state["serverType"]))
        location = str(lookup(state, "location") or "fsn1")
        zone = self.rules.tables["locations"][location]
        zones = str(self.rules.tables["server_types"][kind][3]).split()
        if zone not in zones:
            raise ProviderError(f"the server type {kind} is not offered in {location} ({zone})")
        self._check_resize(identifier, kind)
        group = lookup(state, "placementGroupId")
        if group is not None:
            members = [
                record
                for record in self.store.all(SERVER)
                if record.id != identifier and record.outputs.get("placementGroupId") == group
            ]
            if len(members) >= self.rules.tables["spread_maximum"]:
                raise ProviderError(
                    f"the placement group {group} has {len(members)} servers, which is the most "
                    "that a spread group takes"
                )
        for item in as_list(reveal(state.get("networks"))) or []:
            self._check_private_address(cast("Properties", reveal(item)), lookup(item, "ip"))

    def _check_resize(self, identifier: str, kind: str) -> None:
        # docs.hetzner.cloud, POST /servers/{id}/actions/change_type.
        old = self.store.find(SERVER, identifier)
        if old is None:
            return
        disk = int(self.rules.tables["server_types"][kind][2])
        has = int(old.outputs["primaryDiskSize"])
        if disk < has:
            raise ProviderError(
                f"the server type {kind} has a smaller disk ({disk} GB) than the server ({has} GB)"
            )
        before = str(old.outputs["serverType"])
        if kind.startswith("cax") is not before.startswith("cax"):
            raise ProviderError(f"{before} and {kind} have processors of different architectures")

    def _check_private_address(self, state: Properties, address: Any) -> None:
        network = str(lookup(state, "networkId"))
        subnets = [
            ipaddress.IPv4Network(record.outputs["ipRange"])
            for record in self._of_network(SUBNET, network)
        ]
        if not subnets:
            raise ProviderError(
                f"the network {network} has no subnet yet: depend on its NetworkSubnet"
            )
        if not isinstance(address, str) or not address:
            return
        wanted = ipaddress.IPv4Address(address)
        home = next((subnet for subnet in subnets if wanted in subnet), None)
        if home is None:
            raise ProviderError(f"the address {address} is in no subnet of the network {network}")
        if wanted in (home.network_address, home.network_address + 1, home.broadcast_address):
            raise ProviderError(f"the address {address} is reserved in the subnet {home}")

    def _check_free_address(self, identifier: str, state: Properties) -> None:
        wanted = lookup(state, "ip")
        network = str(lookup(state, "networkId"))
        for token in (SERVER_NETWORK, BALANCER_NETWORK):
            for record in self._of_network(token, network):
                if wanted and record.id != identifier and record.outputs.get("ip") == wanted:
                    raise ProviderError(f"the address {wanted} is taken in the network {network}")

    def _check_target(self, identifier: str, state: Properties) -> None:
        balancer = str(plain(state["loadBalancerId"]))
        if state.get("usePrivateIp") is True:
            networks = [
                record
                for record in self.store.all(BALANCER_NETWORK)
                if str(record.outputs.get("loadBalancerId")) == balancer
            ]
            if not networks:
                raise ProviderError(
                    f"usePrivateIp: the load balancer {balancer} is in no network yet: depend on "
                    "its LoadBalancerNetwork"
                )
        for record in self.store.all(BALANCER_TARGET):
            same = all(
                record.outputs.get(key) == plain(state.get(key))
                for key in ("loadBalancerId", "type", "serverId", "labelSelector", "ip")
            )
            if same and record.id != identifier:
                raise ProviderError(f"the load balancer {balancer} has this target already")

    def _check_attachment(self, state: Properties) -> None:
        volume = self.store.find(VOLUME, str(plain(state["volumeId"])))
        server = self.store.find(SERVER, str(plain(state["serverId"])))
        if volume is None or server is None:
            return
        places = (volume.outputs.get("location"), server.outputs.get("location"))
        if places[0] != places[1]:
            raise ProviderError(f"the volume is in {places[0]} and the server in {places[1]}")

    # --- computed values ------------------------------------------------------------------------

    def complete(self, token: str, identifier: str, state: Properties) -> None:
        """Add addresses and what follows from the tables."""
        match token:
            case "hcloud:index/server:Server":
                self._complete_server(identifier, state)
            case "hcloud:index/serverNetwork:ServerNetwork" | (
                "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
            ):
                if state.get("ip") is None:
                    state["ip"] = self._next_private_address(str(plain(state["networkId"])))
            case "hcloud:index/loadBalancer:LoadBalancer":
                location = lookup(state, "location")
                if location is not None:
                    state["networkZone"] = self.rules.tables["locations"][location]
            case "hcloud:index/volume:Volume":
                server = self.store.find(SERVER, str(plain(state.get("serverId"))))
                if state.get("location") is None and server is not None:
                    state["location"] = server.outputs["location"]
            case "hcloud:index/loadBalancerService:LoadBalancerService":
                if state.get("healthCheck") is None:
                    state["healthCheck"] = {
                        "protocol": "tcp" if plain(state["protocol"]) == "tcp" else "http",
                        "port": state["destinationPort"],
                        "interval": 15,
                        "timeout": 10,
                        "retries": 3,
                    }
            case _:
                pass

    def _complete_server(self, identifier: str, state: Properties) -> None:
        row = self.rules.tables["server_types"][plain(state["serverType"])]
        old = self.store.find(SERVER, identifier)
        outputs = old.outputs if old is not None else {}
        kept = outputs.get("primaryDiskSize") if state.get("keepDisk") is True else None
        state["primaryDiskSize"] = row[2] if kept is None else kept
        public = as_list(reveal(state.get("publicNets"))) or [{}]
        switches = cast("Properties", reveal(public[0]))
        state["ipv4Address"] = self._public_address(switches, "ipv4", outputs)
        state["ipv6Address"] = self._public_address(switches, "ipv6", outputs)
        state["ipv6Network"] = (
            f"{state['ipv6Address'].removesuffix('1')}/64" if (state["ipv6Address"]) else ""
        )
        before = {
            lookup(item, "networkId"): item for item in as_list(outputs.get("networks")) or []
        }
        networks: list[Any] = []
        for item in as_list(reveal(state.get("networks"))) or []:
            network = cast("Properties", reveal(item))
            kept = as_dict(before.get(plain(network.get("networkId")))) or {}
            made: Properties = {
                "ip": kept.get("ip")
                or self._next_private_address(str(plain(network.get("networkId")))),
                "macAddress": kept.get("macAddress") or _hardware_address(int(identifier)),
                "aliasIps": kept.get("aliasIps") or [],
            }
            networks.append(merged(made, network))
        if networks:
            state["networks"] = networks

    def _public_address(self, switches: Properties, family: str, outputs: Properties) -> str:
        if switches.get(f"{family}Enabled") is False:
            return ""
        primary = lookup(switches, family)
        if primary is not None:
            record = self.store.find(PRIMARY_ADDRESS, str(primary))
            return str(record.outputs["ipAddress"]) if record is not None else ""
        kept = outputs.get(f"{family}Address")
        if kept:
            return str(kept)
        return self._allocate("hcloud") if family == "ipv4" else self._allocate("hcloud6") + "1"

    def _next_private_address(self, network: str) -> str:
        taken: set[str] = set()
        for token in (SERVER_NETWORK, BALANCER_NETWORK):
            taken.update(
                str(record.outputs.get("ip")) for record in self._of_network(token, network)
            )
        for record in self.store.all(SERVER):
            taken.update(
                str(lookup(item, "ip")) for item in as_list(record.outputs.get("networks")) or []
            )
        for record in self._of_network(SUBNET, network):
            block = ipaddress.IPv4Network(record.outputs["ipRange"])
            for address in block.hosts():
                if address != block.network_address + 1 and str(address) not in taken:
                    return str(address)
        raise ProviderError(f"the network {network} has no free address")

    # --- functions ------------------------------------------------------------------------------

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer look-ups of what the tables list."""
        name = plain(arguments.get("name"))
        function = token.rpartition(":")[2]
        if function == "getLocation":
            if name not in self.rules.tables["locations"]:
                raise ProviderError(f"there is no location {name!r}")
            return {"name": name, "networkZone": self.rules.tables["locations"][name]}
        if function == "getServerType":
            if name not in self.rules.tables["server_types"]:
                raise ProviderError(f"there is no server type {name!r}")
            cores, memory, disk, _ = self.rules.tables["server_types"][name]
            return {"name": name, "cores": cores, "memory": memory, "disk": disk}
        return super().invoke(token, arguments)


def _hardware_address(number: int) -> str:
    return "86:00:00:" + ":".join(f"{number + shift:x}"[-2:] for shift in (0, 7, 9))


def _token_problem(config: Properties) -> str | None:
    given = reveal(config.get("token"))
    if given is UNKNOWN:
        return None
    length = len(str(given or os.environ.get("HCLOUD_TOKEN", "")))
    if length == 0:
        return "no Hetzner Cloud token: set hcloud:token or the variable HCLOUD_TOKEN"
    if length != TOKEN_LENGTH:
        return f"the token must have exactly {TOKEN_LENGTH} characters, it has {length}"
    return None


def _target_failures(inputs: Properties) -> list[Failure]:
    needs = {"server": "serverId", "label_selector": "labelSelector", "ip": "ip"}
    need = needs.get(str(plain(inputs.get("type"))))
    if need is not None and inputs.get(need) is None:
        return [Failure(need, f"is required for a target of type {plain(inputs['type'])}")]
    return []


def _check_firewall(state: Properties) -> None:
    for index, item in enumerate(as_list(reveal(state.get("rules"))) or []):
        rule = cast("Properties", plain(item))
        where = f"rules[{index}]"
        protocol, port = rule.get("protocol"), rule.get("port")
        if protocol in ("tcp", "udp"):
            if port is None:
                raise ProviderError(f"{where}: a {protocol} rule needs a port")
            numbers = [int(part) for part in str(port).split("-") if part != "any"]
            if any(not 1 <= number <= _LARGEST_PORT for number in numbers) or numbers != sorted(
                numbers
            ):
                raise ProviderError(f"{where}: {port} is not a port or range of ports")
        elif port is not None:
            raise ProviderError(f"{where}: a {protocol} rule takes no port")
        if rule.get("direction") == "in" and not rule.get("sourceIps"):
            raise ProviderError(f"{where}: an inbound rule needs sourceIps")
        if rule.get("direction") == "out" and not rule.get("destinationIps"):
            raise ProviderError(f"{where}: an outbound rule needs destinationIps")
