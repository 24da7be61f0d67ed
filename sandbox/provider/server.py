"""Serves a package over Pulumi's provider protocol (pulumirpc.ResourceProvider, gRPC)."""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from sandbox.provider import wire
from sandbox.provider.check import Failure
from sandbox.provider.diff import Change
from sandbox.provider.package import (
    Difference,
    Naming,
    NotReadyError,
    Package,
    Subject,
)
from sandbox.provider.rules import RulesError
from sandbox.provider.sdk_types import SdkShapeError
from sandbox.provider.store import OperationError, StoreError
from sandbox.provider.values import Properties, without_nulls

_LARGEST_MESSAGE = 400 * 1024 * 1024
_WORKERS = 16
_ORPHAN_SECONDS = 2.0
_GRACE_SECONDS = 0.5  # an operation takes milliseconds; the engine kills what does not end soon

# The generated protocol modules carry no usable types for pyright; they are handled as Any here,
# and only here.
_pb = cast("Any", provider_pb2)
_EXPECTED_ERRORS = (OperationError, RulesError, SdkShapeError, StoreError)


def _subject(request: Any) -> Subject:
    name = request.name or request.urn.rpartition("::")[2]
    token = request.type or request.urn.rpartition("::")[0].rpartition("::")[2].rpartition("$")[2]
    return Subject(token=token, name=name, urn=request.urn)


def _naming(request: Any) -> Naming:
    options = request.autonaming if request.HasField("autonaming") else None
    modes = _pb.CheckRequest.AutonamingOptions
    return Naming(
        seed=bytes(request.randomSeed),
        proposal=options.proposed_name if options is not None else "",
        demanded=options is not None and options.mode == modes.ENFORCE,
        disabled=options is not None and options.mode == modes.DISABLE,
    )


def _properties(properties: Properties) -> struct_pb2.Struct:
    return wire.encode(cast("Properties", without_nulls(properties)))


def _failures(failures: list[Failure]) -> list[Any]:
    return [_pb.CheckFailure(property=failure.path, reason=failure.reason) for failure in failures]


def _kind(change: Change) -> Any:
    name = change.kind.name + ("_REPLACE" if change.replaces else "")
    return getattr(_pb.PropertyDiff, name)


def _difference(difference: Difference) -> Any:
    changes = difference.changes
    response = _pb.DiffResponse
    roots = sorted({str(change.path[0]) for change in changes})
    return response(
        changes=response.DIFF_SOME if changes else response.DIFF_NONE,
        diffs=roots,
        replaces=sorted({change.text for change in changes if change.replaces}),
        deleteBeforeReplace=difference.delete_before_replace,
        detailedDiff={
            change.text: _pb.PropertyDiff(kind=_kind(change), inputDiff=True) for change in changes
        },
        hasDetailedDiff=True,
    )


def _fail(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("unreachable: abort raises")


@contextmanager
def _answered(context: Any) -> Generator[None]:
    """Turn the errors of a package into answers that the engine shows well."""
    try:
        yield
    except NotReadyError as failure:
        detail = any_pb2.Any()
        cast("Any", detail).Pack(
            _pb.ErrorResourceInitFailed(
                id=failure.identifier,
                properties=_properties(failure.outputs),
                inputs=_properties(failure.inputs),
                reasons=failure.reasons,
            )
        )
        status = cast("Any", status_pb2).Status(
            code=grpc.StatusCode.UNKNOWN.value[0], message=str(failure), details=[detail]
        )
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        _fail(context, grpc.StatusCode.UNKNOWN, str(failure))
    except _EXPECTED_ERRORS as error:
        _fail(context, grpc.StatusCode.FAILED_PRECONDITION, str(error))
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        # A defect of the sandbox. The values at hand may be secret: name the kind and the place.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "?"
        _fail(
            context,
            grpc.StatusCode.INTERNAL,
            f"the sandbox provider failed: {type(error).__name__} in {place}",
        )


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol's methods, each a translation to and from one method of the package.

    Args:
        package: the provider to serve.
    """

    def __init__(self, package: Package) -> None:
        """Keep the package."""
        self._package = package

    def Handshake(self, request: Any, context: Any) -> Any:
        """Say which parts of the protocol are spoken."""
        del request, context
        return _pb.ProviderHandshakeResponse(
            accept_secrets=True, supports_autonaming_configuration=True
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Return the version, which is that of the installed SDK."""
        del request, context
        return cast("Any", plugin_pb2).PluginInfo(version=self._package.version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        """Return no schema: types come from the SDK."""
        del request, context
        return _pb.GetSchemaResponse(
            schema=f'{{"name": "{self._package.name}", "version": "{self._package.version}"}}'
        )

    def Attach(self, request: Any, context: Any) -> Any:
        """Do nothing: the engine needs no debugger connection."""
        del request, context
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        """Do nothing: no operation takes long."""
        del request, context
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Check the provider's configuration."""
        with _answered(context):
            failures = self._package.check_config(wire.decode(request.news))
        return _pb.CheckResponse(inputs=request.news, failures=_failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Compare two configurations of the provider."""
        with _answered(context):
            olds = request.old_inputs if request.HasField("old_inputs") else request.olds
            difference = self._package.diff_config(wire.decode(olds), wire.decode(request.news))
        return _difference(difference)

    def Configure(self, request: Any, context: Any) -> Any:
        """Take the provider's configuration."""
        with _answered(context):
            config = wire.decode(request.args)
            for key, value in request.variables.items():
                config.setdefault(key.rpartition(":")[2], value)
            self._package.configure(config)
        return _pb.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    def Check(self, request: Any, context: Any) -> Any:
        """Check and complete a resource's inputs."""
        with _answered(context):
            inputs, failures = self._package.check(
                _subject(request),
                wire.decode(request.olds),
                wire.decode(request.news),
                _naming(request),
            )
        return _pb.CheckResponse(inputs=wire.encode(inputs), failures=_failures(failures))

    def Diff(self, request: Any, context: Any) -> Any:
        """Compare a resource's old inputs with new ones."""
        with _answered(context):
            old_inputs = wire.decode(
                request.old_inputs if request.HasField("old_inputs") else request.olds
            )
            difference = self._package.diff(
                _subject(request), request.id, old_inputs, wire.decode(request.news)
            )
        return _difference(difference)

    def Create(self, request: Any, context: Any) -> Any:
        """Make a resource."""
        with _answered(context):
            identifier, outputs = self._package.create(
                _subject(request), wire.decode(request.properties), preview=request.preview
            )
        return _pb.CreateResponse(
            id="" if request.preview else identifier, properties=_properties(outputs)
        )

    def Read(self, request: Any, context: Any) -> Any:
        """Read a resource as it is now."""
        with _answered(context):
            identifier, inputs, outputs = self._package.read(
                _subject(request),
                request.id,
                wire.decode(request.inputs),
                wire.decode(request.properties),
            )
        if not identifier:
            return _pb.ReadResponse()
        return _pb.ReadResponse(
            id=identifier, inputs=wire.encode(inputs), properties=_properties(outputs)
        )

    def Update(self, request: Any, context: Any) -> Any:
        """Change a resource in place."""
        with _answered(context):
            outputs = self._package.update(
                _subject(request),
                request.id,
                wire.decode(request.olds),
                wire.decode(request.news),
                preview=request.preview,
            )
        return _pb.UpdateResponse(properties=_properties(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        """Remove a resource."""
        with _answered(context):
            self._package.delete(_subject(request), request.id, wire.decode(request.properties))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        """Answer a function call."""
        with _answered(context):
            result = self._package.invoke(request.tok, wire.decode(request.args))
        return _pb.InvokeResponse(**{"return": _properties(result)})


def _end_with(engine: int) -> None:
    """End the process when its parent is gone: an engine that was killed could not say so."""
    while os.getppid() == engine:
        time.sleep(_ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def serve(package: Package, announce: Callable[[int], None]) -> None:
    """Serve a package on a free port of the loopback interface until the engine says to end.

    It says so with SIGINT once it has no more work, so what has begun is finished and nothing is
    reported. Plugins run in a process group of their own: a Ctrl-C is not meant for them.

    Args:
        package: the provider to serve.
        announce: told the port as soon as it is open.
    """
    # Blocked before any thread starts, so that no thread is interrupted and the wait below gets it.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    size = [
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(_WORKERS), options=size)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(package), server)
    port = server.add_insecure_port("127.0.0.1:0")
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    server.start()
    announce(port)
    signal.sigwait(ends)
    server.stop(_GRACE_SECONDS).wait()
