"""Serves the rules over the engine's analyzer protocol (pulumirpc.Analyzer, gRPC).

The protocol is spoken with the modules of Pulumi's own SDK. The package pulumi-policy is not used:
it wants an older protobuf than the pins of this project (1.21.0: below 6), it takes the marks off
secrets before a rule sees them, and it keeps the stack's config to itself, which says the tier.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, Final, cast

import grpc
import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from policies.model import STRICTEST, TIERS, Hidden, Level, Resource, Tier, Value, leaves
from policies.rules import RULES, violations

PACK: Final = "llmp"
STACK_KEY: Final = "llmp:stack"
DEFAULT_TIER: Final[Tier] = "cost"
"""Tier of a stack that does not name one, as its config has it."""

_LARGEST_MESSAGE: Final = 400 * 1024 * 1024
_WORKERS: Final = 4
_ORPHAN_SECONDS: Final = 2.0
_GRACE_SECONDS: Final = 0.5
# How the wire spells what is not a plain value (Pulumi SDK, rpc.py).
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire's mark of a secret
_UNKNOWNS: Final = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}

# The generated protocol modules carry no usable types for pyright; they are Any here alone.
_pb = cast("Any", analyzer_pb2)


def decoded(value: Value) -> Value:
    """Return a value of the wire with `Hidden` for what is secret or not known yet."""
    if isinstance(value, str) and value in _UNKNOWNS:
        return Hidden.UNKNOWN
    if isinstance(value, dict):
        mapping = cast("dict[str, Value]", value)
        if mapping.get(_SIGNATURE) == _SECRET:
            return Hidden.SECRET
        return {key: decoded(each) for key, each in mapping.items()}
    if isinstance(value, list):
        return [decoded(each) for each in cast("list[Value]", value)]
    return value


def tier_of(config: Mapping[str, str]) -> Tier:
    """Return the tier that a stack's config names; the strictest where it cannot be seen.

    Args:
        config: Pulumi config by full key, objects as JSON.
    """
    try:
        stack = json.loads(config[STACK_KEY])
        tier = stack["platform"].get("tier", DEFAULT_TIER)
    except (KeyError, TypeError, ValueError, AttributeError):
        return STRICTEST
    return tier if tier in TIERS else STRICTEST


def config_secrets(config: Mapping[str, str], secret_keys: Sequence[str]) -> tuple[str, ...]:
    """Return the texts that a stack's config marks as secret, objects taken apart."""
    return tuple(text for key in secret_keys if key in config for text in _texts(config[key]))


def _texts(value: str) -> Iterator[str]:
    """Return the texts in a config value, which may be JSON in JSON."""
    try:
        document: object = json.loads(value)
    except ValueError:
        yield value
        return
    if isinstance(document, dict | list):
        for _, leaf in leaves(document):
            if isinstance(leaf, str):
                yield leaf
    else:
        yield value


class Servicer(analyzer_pb2_grpc.AnalyzerServicer):
    """The protocol's methods. The engine configures it once, then asks about each resource."""

    def __init__(self, version: str) -> None:
        """Start as for a stack that says nothing of itself."""
        self._version = version
        self._tier: Tier = STRICTEST
        self._secrets: tuple[str, ...] = ()
        self._levels: dict[str, Level] = {}

    def Handshake(self, request: Any, context: Any) -> Any:
        """Take the engine's address, which nothing here needs."""
        del request, context
        return _pb.AnalyzerHandshakeResponse()

    def ConfigureStack(self, request: Any, context: Any) -> Any:
        """Take the stack's config."""
        del context
        config = dict(request.config)
        self._tier = tier_of(config)
        self._secrets = config_secrets(config, list(request.config_secret_keys))
        return _pb.AnalyzerStackConfigureResponse()

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:
        """Say which rules there are, with their weights in the tier of the stack."""
        del request, context
        return _pb.AnalyzerInfo(
            name=PACK,
            displayName="llmp",
            version=self._version,
            supportsConfig=True,
            policies=[
                _pb.PolicyInfo(
                    name=rule.name,
                    description=rule.description,
                    enforcementLevel=_pb_level(rule.levels[self._tier]),
                    policy_type=_pb.POLICY_TYPE_RESOURCE,
                )
                for rule in RULES
            ],
        )

    def Configure(self, request: Any, context: Any) -> Any:
        """Take the weights that `--policy-pack-config` chooses; the engine fills in the others."""
        del context
        names = {
            _pb.ADVISORY: "advisory",
            _pb.MANDATORY: "mandatory",
            _pb.REMEDIATE: "mandatory",
            _pb.DISABLED: "disabled",
        }
        self._levels = {
            name: cast("Level", names[chosen.enforcementLevel])
            for name, chosen in request.policyConfig.items()
        }
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Say the version of the pack."""
        del request, context
        return cast("Any", plugin_pb2).PluginInfo(version=self._version)

    def Analyze(self, request: Any, context: Any) -> Any:
        """Say what the rules have against one resource, before the engine does anything to it."""
        del context
        resource = Resource(
            type=request.type,
            name=request.name,
            urn=request.urn,
            inputs=cast("dict[str, Value]", decoded(json_format.MessageToDict(request.properties))),
            protect=request.options.protect,
            parent=request.options.parent,
            config_secrets=self._secrets,
        )
        descriptions = {rule.name: rule.description for rule in RULES}
        return _pb.AnalyzeResponse(
            diagnostics=[
                _pb.AnalyzeDiagnostic(
                    policyName=found.rule,
                    policyPackName=PACK,
                    policyPackVersion=self._version,
                    description=descriptions[found.rule],
                    message=found.text,
                    enforcementLevel=_pb_level(found.level),
                    urn=request.urn,
                )
                for found in violations(resource, self._tier, self._levels)
            ]
        )

    def AnalyzeStack(self, request: Any, context: Any) -> Any:
        """Say nothing: every rule looks at one resource."""
        del request, context
        return _pb.AnalyzeResponse()

    def Remediate(self, request: Any, context: Any) -> Any:
        """Change nothing: what is wrong is put right where it is written."""
        del request, context
        return _pb.RemediateResponse()

    def Cancel(self, request: Any, context: Any) -> Any:
        """End what is going on, which is never more than a moment's work."""
        del request, context
        return empty_pb2.Empty()


def _pb_level(level: Level) -> Any:
    return getattr(_pb, level.upper())


def pack_version() -> str:
    """Return the version that PulumiPolicy.yaml gives the pack."""
    path = Path(__file__).with_name("PulumiPolicy.yaml")
    return str(yaml.safe_load(path.read_text(encoding="utf-8"))["version"])


def _end_with(engine: int) -> None:
    """End the process when its parent is gone: an engine that was killed could not say so."""
    while os.getppid() == engine:
        time.sleep(_ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def serve() -> None:
    """Serve on a free port of the loopback interface until the engine says to end.

    The port is the first line on stdout, where the engine looks for it.
    """
    # Blocked before any thread starts, so that no thread is interrupted and the wait below gets it.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    server = grpc.server(
        futures.ThreadPoolExecutor(_WORKERS),
        options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE)],
    )
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Servicer(pack_version()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    signal.sigwait(ends)
    server.stop(_GRACE_SECONDS).wait()
