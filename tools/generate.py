"""Writes every generated file of the project again: `python -m tools.generate`.

Owns `charts/<chart>/values.schema.json`, made from the typed values, so that Helm and Argo CD
refuse what Python would refuse; `tests/golden/<stack>.yaml`, what each committed stack hands to
Argo CD, so that a review sees what a change does to the cluster; `docs/configuration.md` and
`docs/systems.md`; how far the capacity planner is from published logs, as a page and a picture.
With `--check` nothing is written, and a stale file makes it fail.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from capacity import (
    accuracy_memory,
    accuracy_page,
    accuracy_picture,
    accuracy_throughput,
    accuracy_throughput_page,
)
from components.platform.values.base import ChartValues
from components.platform.values.benchmark import BenchmarkValues
from components.platform.values.compute_class import ComputeClassValues
from components.platform.values.edge import EdgeValues
from components.platform.values.egress import EgressValues
from components.platform.values.embeddings import EmbeddingsValues
from components.platform.values.gpu_smoke import GpuSmokeValues
from components.platform.values.guardrails import GuardrailsValues
from components.platform.values.inference_routing import InferenceRoutingValues
from components.platform.values.issuers import IssuersValues
from components.platform.values.k3s_upgrades import K3sUpgradesValues
from components.platform.values.key_portal import KeyPortalValues
from components.platform.values.kserve_models import KserveModelsValues
from components.platform.values.kueue_queues import KueueQueuesValues
from components.platform.values.llm_gateway import LlmGatewayValues
from components.platform.values.mcp_gateway import McpGatewayValues
from components.platform.values.n8n import N8nValues
from components.platform.values.network import NetworkValues
from components.platform.values.observability import ObservabilityValues
from components.platform.values.open_webui import OpenWebUiValues
from components.platform.values.policies import PoliciesValues
from components.platform.values.secrets import SecretsValues
from components.platform.values.simulator import SimulatorValues
from components.platform.values.tabby import TabbyValues
from components.platform.values.tenant import TenantValues
from components.platform.values.vllm import VllmValues
from stacks.render import render
from tools import dashboards
from tools.chart_readme import with_values
from tools.configuration_reference import configuration_reference
from tools.systems_reference import systems_reference

ROOT: Final = Path(__file__).resolve().parent.parent
GOLDEN_FOLDER: Final = ROOT / "tests" / "golden"
GOLDEN_REVISION: Final = "0000000000000000000000000000000000000000"
"""Stands for the commit that the program runs from, which would change in every commit."""

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

CHARTS: Final[Mapping[str, type[ChartValues]]] = MappingProxyType(
    {
        "benchmark": BenchmarkValues,
        "compute-class": ComputeClassValues,
        "edge": EdgeValues,
        "egress": EgressValues,
        "embeddings": EmbeddingsValues,
        "gpu-smoke": GpuSmokeValues,
        "guardrails": GuardrailsValues,
        "inference-routing": InferenceRoutingValues,
        "issuers": IssuersValues,
        "k3s-upgrades": K3sUpgradesValues,
        "key-portal": KeyPortalValues,
        "kserve-models": KserveModelsValues,
        "kueue-queues": KueueQueuesValues,
        "llm-gateway": LlmGatewayValues,
        "mcp-gateway": McpGatewayValues,
        "n8n": N8nValues,
        "network": NetworkValues,
        "open-webui": OpenWebUiValues,
        "policies": PoliciesValues,
        "observability": ObservabilityValues,
        "secrets": SecretsValues,
        "simulator": SimulatorValues,
        "tabby": TabbyValues,
        "tenant": TenantValues,
        "vllm": VllmValues,
    }
)
"""Each folder under charts/ and the class of its values."""


def schema(values: type[ChartValues]) -> dict[str, Any]:
    """Return the JSON Schema of a chart's values, keys as Helm spells them."""
    return {
        "$schema": DRAFT,
        **cast("dict[str, Any]", _as_helm_sees_it(values.model_json_schema())),
    }


def _as_helm_sees_it(node: Any) -> Any:  # noqa: ANN401 - a JSON value of any kind
    """Return a schema without what says nothing to Helm.

    Those are titles, which repeat the keys, and null: an absent value is absent, and Helm takes a
    null that is given as the wish to remove a default.
    """
    if isinstance(node, list):
        return [_as_helm_sees_it(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    cleaned: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", node).items():
        if key in {"properties", "$defs"}:
            # Here the keys are names and not words of JSON Schema.
            cleaned[key] = {name: _as_helm_sees_it(one) for name, one in value.items()}
        elif key == "anyOf":
            kinds = [_as_helm_sees_it(kind) for kind in value if kind != {"type": "null"}]
            cleaned.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
        elif key != "title" and not (key == "default" and value is None):
            cleaned[key] = _as_helm_sees_it(value)
    return cleaned


def golden_files(root: Path) -> dict[Path, str]:
    """Return what each committed stack hands to Argo CD."""
    return {
        GOLDEN_FOLDER / f"{path.name.split('.')[1]}.yaml": render(path, GOLDEN_REVISION)
        for path in sorted(root.glob("Pulumi.*.yaml"))
    }


def chart_files() -> dict[Path, str]:
    """Return the schema of each chart of ours, and its README with the list of values."""
    files: dict[Path, str] = {}
    for chart, values in CHARTS.items():
        folder, of_values = ROOT / "charts" / chart, schema(values)
        text = json.dumps(of_values, indent=2, sort_keys=True)
        files[folder / "values.schema.json"] = f"{text}\n"
        readme = folder / "README.md"
        files[readme] = with_values(readme.read_text(), of_values)
    return files


def capacity_files() -> dict[Path, str]:
    """Return how far the planner is from observations: a page and a picture for each kind."""
    judged, folder = accuracy_memory.judge_all(), ROOT / "docs"
    runs = accuracy_throughput.judge(accuracy_throughput.read())
    return {
        folder / "capacity-accuracy.md": accuracy_page.page(judged),
        folder / "pictures" / "capacity-memory.svg": accuracy_picture.picture(judged),
        folder / "capacity-throughput-accuracy.md": accuracy_throughput_page.page(runs),
        folder / "pictures" / "capacity-throughput.svg": accuracy_picture.throughput_picture(runs),
    }


def generated() -> dict[Path, str]:
    """Return every generated file and what belongs in it."""
    return (
        golden_files(ROOT)
        | chart_files()
        | capacity_files()
        | {
            ROOT / "docs" / "configuration.md": configuration_reference(),
            ROOT / "docs" / "systems.md": systems_reference(),
        }
        | {
            ROOT / "charts" / "observability" / "dashboards" / name: text
            for name, text in dashboards.files().items()
        }
    )


def stale(files: Mapping[Path, str]) -> list[Path]:
    """Return the files that differ from what belongs in them."""
    return [path for path, text in files.items() if not path.is_file() or path.read_text() != text]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check, and return the exit status."""
    parser = argparse.ArgumentParser(description="Writes every generated file again.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail when one is stale"
    )
    check = bool(parser.parse_args(arguments).check)
    files = generated()
    different = stale(files)
    for path in different:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path])
        print(f"{path.relative_to(ROOT)} {'is stale' if check else 'written'}")
    if check and different:
        print("fix: make generate", file=sys.stderr)
        return 1
    if not different:
        print(f"{len(files)} generated files are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
