"""The page that lists every system: made from the catalogue of the example that has them all."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from components.platform.apps import catalogue
from components.platform.catalogue import PROFILE_OF_LAYER, CatalogueEntry, Layer
from components.platform.manifests import version_of
from components.platform.network import Outside, Pods
from stacks.config import load_stack_file
from stacks.contracts import known_contract
from stacks.platform import platform_inputs

EXAMPLE: Final = Path(__file__).resolve().parent.parent / "examples" / "everything.yaml"

_HEAD: Final = """\
<!-- Made by `python -m tools.generate` from examples/everything.yaml. Not edited by hand. -->
# Every system

What a stack can have, by layer: the profile that brings it or the feature that switches it on, its
namespace and version, the ports that others reach, and the Secrets that it reads. Version "ours" is
a chart of this project at the commit that `pulumi up` runs from. `<model>` stands for the name of a
model.

Not listed one by one: `<namespace>-network`, default-deny and the allowed connections of each
namespace, and `<namespace>-secrets`, the Secrets that the cluster makes itself. A Secret marked *
is one that people supply: it is an Application of its own, `<namespace>-<secret>`, and only its
readers wait for it.
"""

_TITLES: Final[dict[Layer, str]] = {
    "platform": "Layer platform",
    "serving": "Layer serving",
    "routing": "Layer routing",
    "llm-gateway": "Layer llm-gateway",
    "experience": "Layer experience",
}


def systems_reference() -> str:
    """Return docs/systems.md.

    Raises:
        ConfigError: the example is not a valid stack file.
        ValueError: its contract is another stack's.
    """
    stack = load_stack_file(EXAMPLE)
    contract = known_contract(stack)
    if contract is None:
        msg = f"{EXAMPLE} has no contract of its own"
        raise ValueError(msg)
    entries = catalogue(platform_inputs(stack, contract, "ours"))
    models = [model.name for model in stack.models]
    return _HEAD + "".join(_layer(layer, entries, models) for layer in _TITLES)


def _layer(layer: Layer, entries: Sequence[CatalogueEntry], models: Sequence[str]) -> str:
    listed: dict[str, str] = {}
    generated = {one.remote_id for entry in entries for one in entry.generates}
    for entry in entries:
        if entry.layer == layer and not _is_derived(entry):
            name = _generic(entry.name, models)
            # Of the entries of all models, one row.
            listed.setdefault(name, _row(name, entry, entries, models, generated))
    rows = "".join(listed.values())
    return (
        f"\n## {_TITLES[layer]}\n\n"
        "| system | what it is for | comes with | namespace | version | ports | Secrets |\n"
        f"|---|---|---|---|---|---|---|\n{rows}"
    )


def _is_derived(entry: CatalogueEntry) -> bool:
    return entry.name in {f"{entry.namespace}-network", f"{entry.namespace}-secrets"} or (
        entry.description.startswith("Secret ")
    )


def _generic(text: str, models: Sequence[str]) -> str:
    """Return a text with the name of a model replaced, the longest name first."""
    for model in sorted(models, key=len, reverse=True):
        if text.startswith(f"{model}-"):
            return "<model>" + text.removeprefix(model)
        # Behind "model" a word is a name; elsewhere it may be a word.
        found = re.sub(rf"\bmodel {re.escape(model)}(-canary)?\b", r"model <model>\1", text)
        if found != text:
            return found
    return text


def _row(
    name: str,
    entry: CatalogueEntry,
    entries: Sequence[CatalogueEntry],
    models: Sequence[str],
    generated: set[str],
) -> str:
    origin = (
        f"feature `{entry.feature}`"
        if entry.feature is not None
        else f"profile `{PROFILE_OF_LAYER[entry.layer]}`"
    )
    secrets = ", ".join(
        f"`{_generic(one.name, models)}`"
        + ("" if all(key.remote_id in generated for key in one.entries) else " *")
        for one in entry.secrets
    )
    cells = (
        f"`{name}`" + (" (by hand)" if entry.sync == "manual" else ""),
        _generic(entry.description, models),
        origin,
        f"`{entry.namespace}`",
        version_of(entry, "ours"),
        ", ".join(str(port) for port in sorted(set(_ports(entry, entries)))),
        secrets,
    )
    return "| " + " | ".join(cells) + " |\n"


def _ports(entry: CatalogueEntry, entries: Sequence[CatalogueEntry]) -> Iterator[int]:
    """Yield the ports of an entry's own pods that something connects to.

    Its own are the pods in its namespace that call, and those that are called by somebody else.
    """
    clients = [one.client for one in entry.connections if _is_in(one.client, entry.namespace)]
    own = clients + [
        one.server
        for one in entry.connections
        if _is_in(one.server, entry.namespace) and one.client not in clients
    ]
    for one in (one for each in entries for one in each.connections):
        if one.server in own and one.last_port is None:
            yield from one.ports


def _is_in(end: Pods | Outside, namespace: str) -> bool:
    return isinstance(end, Pods) and end.namespace == namespace
