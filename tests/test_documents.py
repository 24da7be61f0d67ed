"""What the documents show works as it is shown."""

import re
from pathlib import Path
from typing import Any, cast

import yaml

from stacks.config import parse_stack
from tests.samples import contract

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")
TARGET = re.compile(r"\bmake ([a-z]+)")


def blocks(document: str) -> list[str]:
    """Return the YAML blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [body for _, body in FENCE.findall(text)]


def test_the_smallest_stack_of_the_readme_is_accepted() -> None:
    stack = yaml.safe_load(blocks("README.md")[0])["config"]["llmp:stack"]
    assert parse_stack(stack, "README.md").models


def test_the_two_stacks_that_share_a_contract_are_accepted() -> None:
    stacks = [yaml.safe_load(body) for body in blocks("docs/contract.md") if "kind: " in body]
    stacks = [stack for stack in stacks if "apiVersion" not in stack]
    parsed = [parse_stack(stack, "docs/contract.md") for stack in stacks]
    assert [(stack.kind, stack.platform.enabled) for stack in parsed] == [
        ("gke", False),
        ("existing", True),
    ]


def test_the_stack_with_a_public_edge_is_accepted() -> None:
    (stack,) = (yaml.safe_load(body) for body in blocks("docs/edge.md"))
    parsed = parse_stack(stack, "docs/edge.md")
    assert parsed.platform.features.identity


def test_every_command_of_the_readme_is_a_make_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        name
        for line in re.findall(r"^([a-z -]+):", makefile, re.MULTILINE)
        for name in line.split()
    }
    named = set(TARGET.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert named <= targets, named - targets


def test_every_link_of_the_documents_leads_to_a_file() -> None:
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in LINK.findall(document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_example_application_set_reads_only_what_the_cluster_secret_carries() -> None:
    (example,) = [body for body in blocks("docs/contract.md") if "ApplicationSet" in body]
    document = cast("dict[str, Any]", yaml.safe_load(example))
    assert document["spec"]["goTemplateOptions"] == ["missingkey=error"]
    read = set(re.findall(r'annotations "(llmp\.dev/[a-z-]+)"', example))
    assert read
    assert read <= set(contract().annotations())
    selected = set(document["spec"]["generators"][0]["clusters"]["selector"]["matchLabels"])
    assert selected <= set(contract().labels())
