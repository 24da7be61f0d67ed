"""What a run looks like as a page and as a document."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sandbox.errors import EngineError
from sandbox.records import SECRET, Resource, Run, count_operations, masked, merged_operation
from sandbox.report import (
    as_document,
    component_tree,
    deletions,
    print_destroy,
    print_failure,
    print_run,
)
from sandbox.runner import readable
from sandbox.stack_file import StackFile
from stacks.cost import Cost, CostLine

FILE = StackFile(stack="gke", kind="gke", path=Path("Pulumi.gke.yaml"), config={}, cost=None)


def _urn(kind: str, name: str) -> str:
    return f"urn:pulumi:gke::llmp::{kind}::{name}"


def _resource(
    kind: str, name: str, parent: Resource | None, *, operation: str = "create"
) -> Resource:
    return Resource(
        urn=_urn(kind, name),
        type=kind,
        parent=parent.urn if parent else None,
        custom=not kind.startswith(("llmp:", "pulumi:pulumi:")),
        operation=operation,
    )


def _resources(models: int = 5) -> tuple[Resource, ...]:
    stack = _resource("pulumi:pulumi:Stack", "llmp-gke", None)
    substrate = _resource("llmp:substrate:GkeSubstrate", "gke", stack)
    pool = _resource("llmp:substrate:GkeNodePool", "gke-l4", substrate)
    node_pool = _resource("gcp:container/nodePool:NodePool", "gke-l4-pool", pool)
    platform = _resource("llmp:platform:Platform", "platform", stack)
    resources = [stack, substrate, pool, node_pool, platform]
    for number in range(models):
        component = _resource("llmp:platform:ArgoApplication", f"model-{number}", platform)
        kind = "kubernetes:argoproj.io/v1alpha1:Application"
        application = _resource(kind, f"model-{number}-application", component)
        resources += [component, application]
    return tuple(resources)


def _run(resources: tuple[Resource, ...], verb: str = "up") -> Run:
    return Run(
        stack="gke",
        verb=verb,
        resources=resources,
        operations=count_operations(resources),
        finished=tuple(one.urn for one in resources),
        outputs={"substrate": {"region": "us-central1"}, "kubeconfig": SECRET},
        seconds=3.14159,
        seconds_to_first_resource=1.0,
    )


def _unchanged(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    return tuple(replace(one, operation="same") for one in resources)


def _page(run: Run, file: StackFile = FILE) -> str:
    stream = io.StringIO()
    print_run(run, file, Console(file=stream, width=140, highlight=False))
    return stream.getvalue()


COST = Cost(
    currency="USD",
    lines=(
        CostLine(what="control plane", each=0.1, idle=1, maximum=1),
        CostLine(what="GPU node", each=0.7, idle=0, maximum=4, note="it floats"),
        CostLine(what="rare node", each=None, idle=1, maximum=2, unpriced="rare-1"),
    ),
    source="a price list, here, 2026-08-20",
    notes=("Tax is left out.",),
    not_counted=("traffic", "logs"),
)


def test_both_trees_stand_under_their_own_heading() -> None:
    page = _page(_run(_resources()))

    assert page.index("Substrate 1 resource") < page.index("GkeNodePool gke-l4")
    assert page.index("GkeNodePool gke-l4") < page.index("Platform 5 resources")


def test_many_components_of_one_shape_share_a_line() -> None:
    page = _page(_run(_resources(models=30)))

    lines = [line for line in page.splitlines() if "ArgoApplication" in line]
    assert len(lines) == 1
    assert "30 x ArgoApplication (Application each)" in lines[0]


def test_few_components_of_one_shape_have_a_line_each() -> None:
    page = _page(_run(_resources(models=2)))

    assert len([line for line in page.splitlines() if "ArgoApplication" in line]) == 2


def test_a_stack_without_platform_has_no_platform_tree() -> None:
    resources = tuple(one for one in _resources() if "platform" not in one.type)

    assert component_tree("Platform", "llmp:platform:", resources) is None


def test_a_first_run_says_what_was_created() -> None:
    page = _page(_run(_resources()))

    assert "Stack gke: 15 resources: 15 created." in page
    assert "make up STACK=gke" in page


def test_a_run_that_changes_nothing_says_so() -> None:
    page = _page(_run(_unchanged(_resources())))

    assert "Nothing changed: 15 resources." in page


def test_a_preview_speaks_of_what_would_be() -> None:
    assert "15 to create" in _page(_run(_resources(), verb="preview"))
    assert "Nothing would change" in _page(_run(_unchanged(_resources()), verb="preview"))


def test_a_page_outside_a_terminal_has_no_colour_codes() -> None:
    assert "\x1b" not in _page(_run(_resources()))


def test_secrets_are_masked_on_the_page_and_in_the_document() -> None:
    run = _run(_resources())

    assert re.search(rf"kubeconfig\s+{re.escape(SECRET)}", _page(run))
    assert as_document(run)["outputs"]["kubeconfig"] == SECRET


def test_the_document_counts_every_resource_once() -> None:
    document = json.loads(json.dumps(as_document(_run(_resources()))))

    assert sum(document["operations"].values()) == len(document["resources"]) == 15
    assert document["changed"] is True
    assert document["seconds"] == 3.14
    urns = {one["urn"] for one in document["resources"]}
    assert {one["parent"] for one in document["resources"]} <= urns | {None}


def test_a_destroy_tells_what_went_in_the_order_it_went() -> None:
    resources = tuple(replace(one, operation="delete") for one in _resources(models=2))
    run = replace(_run(resources, "destroy"), finished=tuple(one.urn for one in resources[::-1]))
    stream = io.StringIO()

    print_destroy(run, Console(file=stream, width=120, highlight=False))

    assert deletions(run)[0].name == "model-1-application"
    page = stream.getvalue()
    assert page.index("2 Applications") < page.index("1 NodePool")
    assert "Nothing is left of 3 resources" in page


def test_a_failure_names_the_resource_and_the_log(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = tmp_path / "engine.log"
    error = EngineError(["NodePool 'gke-l4-pool': [bad] machine type"], log=log, completed=3)

    print_failure(error, "gke", Console(file=stream, width=60))

    assert "NodePool 'gke-l4-pool': [bad] machine type" in stream.getvalue()
    assert str(log) in stream.getvalue()
    assert "sandbox reset --stack gke" in stream.getvalue()


def test_a_traceback_is_cut_to_what_was_raised() -> None:
    text = readable(
        "Program failed with an unhandled exception:\n"
        "Traceback (most recent call last):\n"
        '  File "__main__.py", line 3, in <module>\n'
        "    main()\n"
        "ValueError: pools: at least one\n"
        "is needed\n"
    )

    assert text == "the program failed: ValueError: pools: at least one\nis needed"


def test_special_values_of_the_engine_are_never_shown() -> None:
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "x"}
    value = {"a": [secret, 1], "b": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}

    assert masked(value) == {"a": [SECRET, 1], "b": "(known after up)"}


def test_the_steps_of_a_replacement_are_one_operation() -> None:
    operation: str | None = None
    for step in ("create-replacement", "replace", "delete-replaced"):
        operation = merged_operation(operation, step)

    assert operation == "replace"
    assert merged_operation(None, "update") == "update"


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("resource cannot be deleted\nbecause it is protected.", "deletion_protection: false"),
        ("unable to delete\nas it is currently marked for protection.", "deletion_protection"),
        ('unknown stack "organization/llmp/gke"', "bring that one up first"),
    ],
)
def test_where_another_try_cannot_help_it_says_what_does(
    tmp_path: Path, said: str, advised: str
) -> None:
    stream = io.StringIO()
    error = EngineError([said], log=tmp_path / "engine.log", completed=1)
    print_failure(error, "gke", Console(file=stream, width=200))
    assert advised in stream.getvalue()
    assert "run the same command again" not in stream.getvalue()


def test_the_page_has_what_each_thing_costs_idle_and_at_its_maximum() -> None:
    page = _page(_run(_resources()), replace(FILE, cost=COST))
    assert "an estimate from list prices (a price list, here, 2026-08-20)" in page
    cells = {line.split("  ")[0]: line.split() for line in page.splitlines() if "  " in line}
    assert cells["control plane"][2:] == ["$0.1000", "1", "1", "$0.10", "$0.10", "$73.00", "$73.00"]
    node = ["$0.7000", "0", "4", "$0.00", "$2.80", "$0.00", "$2,044.00", "it", "floats"]
    assert cells["GPU node"][2:] == node
    assert cells["rare node"][2:] == ["unknown", "1", "2", "?", "?", "?", "?"]
    assert cells["sum"][1:] == ["$0.10", "$2.90", "$73.00", "$2,117.00"]
    assert "Tax is left out." in page
    assert "Not counted: traffic; logs." in page
    total = "$73 a month idle, $2,117 with every pool at its maximum, without rare-1, of unknown"
    assert f"For real, it costs about {total} price." in page


def test_a_stack_that_costs_nothing_has_no_cost_table() -> None:
    assert "list prices" not in _page(_run(_resources()))


def test_warnings_of_the_program_are_on_the_page_and_in_the_document() -> None:
    run = replace(_run(_resources()), warnings=("GPU quota [x] is 0",))
    assert "Warning: GPU quota [x] is 0" in _page(run)
    assert as_document(run)["warnings"] == ["GPU quota [x] is 0"]
    assert "Warning" not in _page(_run(_resources()))


def test_the_document_has_the_estimate() -> None:
    cost = as_document(_run(_resources()), COST)["cost"]
    assert (cost["monthly_idle"], cost["monthly_max"]) == (73.0, 2117.0)
    assert [line["what"] for line in cost["lines"]] == ["control plane", "GPU node", "rare node"]
