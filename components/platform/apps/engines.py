"""What engines beside raw vLLM share: how many run, what they fetch, who calls them."""

from components.platform import endpoints
from components.platform.apps.parts import calls_internet, scraped, sends_spans
from components.platform.apps.routing import GATEWAY_PODS
from components.platform.apps.serving import engine_pods
from components.platform.catalogue import PlatformInputs, includes_layer
from components.platform.config import HuggingFaceSource, Model, ReplicaRange, replica_range
from components.platform.network import Connection


def of_engine(inputs: PlatformInputs, *engines: str) -> tuple[Model, ...]:
    """Return the models of a stack that one of the engines runs; none below the serving layer."""
    if not includes_layer(inputs, "serving"):
        return ()
    return tuple(model for model in inputs.models if model.engine in engines)


def replicas(inputs: PlatformInputs, model: Model) -> ReplicaRange:
    """Return the replicas of a model, which stay at their least where nothing scales them."""
    wanted = replica_range(model, inputs.config.tier)
    if inputs.config.features.autoscaling:
        return wanted
    return ReplicaRange(least=wanted.least, most=wanted.least)


def spans_url(inputs: PlatformInputs) -> str | None:
    """Return where engines hand their spans in; None where tracing is off."""
    return endpoints.SPANS_GRPC.url() if inputs.config.features.tracing else None


def connections(
    inputs: PlatformInputs, model: Model, port: int | None = None
) -> tuple[Connection, ...]:
    """Return who reads the metrics of a model, and what its pods fetch and send.

    Args:
        inputs: of the stack.
        model: any that runs in the cluster.
        port: of its containers; left out, the one that all pools share.
    """
    pods = engine_pods(model.name)
    found = [scraped(pods, endpoints.model_server(model.name).port if port is None else port)]
    if model.engine == "simulator":
        return tuple(found)
    found += sends_spans(inputs, pods)
    if isinstance(model.source, HuggingFaceSource):
        # The hub and its content network have no fixed addresses.
        found.append(calls_internet(pods))
    return tuple(found)


def called_by_gateway(model: Model, port: int) -> Connection:
    """Return the connection by which the inference gateway calls a model that is in no pool."""
    return Connection(client=GATEWAY_PODS, server=engine_pods(model.name), ports=(port,))
