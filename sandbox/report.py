"""Turns a run into one JSON document, or into a page for people."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from sandbox.applications import EmittedApplication, emitted_applications
from sandbox.errors import EngineError
from sandbox.project import REPOSITORY
from sandbox.records import Resource, Run
from sandbox.stack_file import StackFile
from stacks.cost import Cost, CostLine
from stacks.prices import HOURS_PER_MONTH

_PAGE_WIDTH: Final = 140
"""Columns of the page where there is no terminal to ask."""

_FOLD_FROM: Final = 4
"""Components of one kind and one content, from how many on they share a line."""

_DONE: Final = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "same": "unchanged",
    "read": "read",
    "refresh": "refreshed",
}
_MARKS: Final = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "replace": ("±", "magenta"),
    "delete": ("-", "red"),
}
_TREES: Final = (("Substrate", "llmp:substrate:"), ("Platform", "llmp:platform:"))

_FOR_REAL: Final = {
    "gke": "needs `gcloud auth application-default login` and your project in the stack file",
    "hetzner": "needs HCLOUD_TOKEN in the environment",
    "existing": "needs the kubeconfig context that the stack file names",
}


def page_console() -> Console:
    """Return the console for pages on stdout; without colour codes where that is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PAGE_WIDTH)
    return console


def as_document(run: Run, cost: Cost | None = None) -> dict[str, Any]:
    """Return a run as JSON data. Secrets are masked.

    Args:
        run: what the engine did.
        cost: what the stack costs for real.
    """
    return {
        "stack": run.stack,
        "operations": dict(run.operations),
        "resources": [
            {
                "type": resource.type,
                "name": resource.name,
                "urn": resource.urn,
                "parent": resource.parent,
                "operation": resource.operation,
            }
            for resource in run.resources
        ],
        "applications": [one.as_dict() for one in emitted_applications(run.resources)],
        "outputs": dict(run.outputs),
        "cost": None if cost is None else cost.as_dict(),
        "warnings": list(run.warnings),
        "advice": list(run.advice),
        "seconds": round(run.seconds, 2),
        "changed": run.changed,
    }


def deletions(run: Run) -> list[Resource]:
    """Return what a run deleted, in the order in which it was gone."""
    deleted = {one.urn: one for one in run.resources if one.operation == "delete"}
    return [deleted.pop(urn) for urn in run.finished if urn in deleted]


def destroy_document(run: Run) -> dict[str, Any]:
    """Return a destroy as JSON data."""
    return {
        "stack": run.stack,
        "operations": dict(run.operations),
        "deleted": [{"type": one.type, "name": one.name} for one in deletions(run)],
        "seconds": round(run.seconds, 2),
        "changed": run.changed,
    }


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print the one JSON document of a run."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_run(run: Run, file: StackFile, console: Console) -> None:
    """Print the page of an `up` or a `preview`."""
    preview = run.verb == "preview"
    for title, prefix in _TREES:
        tree = component_tree(title, prefix, run.resources)
        if tree is not None:
            console.print(tree)
            console.print()
    applications = emitted_applications(run.resources)
    if applications:
        console.print(_applications_table(applications))
        console.print()
    if run.outputs:
        console.print(_outputs_table(run.outputs))
        console.print()
    if file.cost is not None:
        _print_cost(file.cost, console)
    _print_remarks(run, console)
    console.print(_headline(run))
    if file.cost is not None:
        console.print(f"For real, it costs about {escape(str(file.cost))}.")
    console.print(
        f"{run.seconds:.1f} s, {run.seconds_to_first_resource:.1f} s of them until the engine and "
        "the program had started",
        style="dim",
    )
    if preview:
        return
    console.print()
    committed = file.path.resolve() == REPOSITORY / f"Pulumi.{file.stack}.yaml"
    again = f"STACK={file.stack}" if committed else f"CONFIG={file.path}"
    if applications:
        show = f"make show STACK={file.stack} OBJECT=Application/{applications[-1].name}"
        _print_step(console, "Read an object", show)
    if run.changed:
        _print_step(console, "Run it again, and nothing changes", f"make demo {again}")
    copy = "" if committed else f"cp {file.path} Pulumi.{file.stack}.yaml && "
    real = f"{copy}pulumi login <your state backend> && make up STACK={file.stack}"
    _print_step(console, "Run it for real", real, _FOR_REAL[file.kind])


def _print_remarks(run: Run, console: Console) -> None:
    """Print what policies advise and what the program warns of."""
    for one in run.advice:
        console.print(f"[yellow]Advice:[/] {escape(one)}\n", soft_wrap=True)
    for one in run.warnings:
        console.print(f"[bold yellow]Warning:[/] {escape(one)}\n", soft_wrap=True)


def print_destroy(run: Run, console: Console) -> None:
    """Print what a destroy deleted, in order."""
    deleted = [one for one in deletions(run) if one.custom]
    if not deleted:
        console.print(f"[bold]Nothing to delete:[/] stack {escape(run.stack)} has no resource.")
        return
    console.print("[bold]Deleted, in this order[/]")
    for kind, group in groupby(deleted, key=lambda one: one.kind):
        names = [one.name for one in group]
        console.print(f"  [red]-[/] {_counted(kind, len(names))}  [dim]{_listed(names)}[/]")
    console.print(
        f"\n[bold]Nothing is left[/] of {len(deleted)} resources of stack {escape(run.stack)}. "
        f"{run.seconds:.1f} s"
    )


def print_failure(error: EngineError, stack: str, console: Console) -> None:
    """Print on stderr why a run was not completed."""
    console.print("[bold red]Not completed.[/] The engine says:\n")
    for problem in error.problems:
        lines = problem.splitlines()
        console.print("  " + "\n  ".join(escape(line) for line in lines), soft_wrap=True)
    advice = _advice(error.problems)
    if advice is not None:
        console.print(f"\n{advice}", soft_wrap=True)
        return
    reset = f".venv/bin/python -m sandbox reset --stack {stack}"
    console.print(
        "\nWhat was completed is kept: run the same command again to go on from there, or forget "
        f"it all with `{reset}`.\nAll that the engine said: {shown_path(error.log)}",
        soft_wrap=True,
    )


def _advice(problems: Sequence[str]) -> str | None:
    """Return what helps where running the same command again does not; None elsewhere."""
    text = "\n".join(problems)
    if "because it is protected" in text or "marked for protection" in text:
        return (
            "The stack is protected. To tear it down, set deletion_protection: false in its file, "
            "bring it up once more (in tier prod with POLICIES=0), then destroy it."
        )
    if any(problem.partition(": ")[2].startswith("policy ") for problem in problems):
        return "A policy refuses it: docs/policies.md says what each rule wants, and in which tier."
    if "unknown stack" in text:
        return "It refers to a stack that is not there yet: bring that one up first."
    return None


def component_tree(title: str, prefix: str, resources: Iterable[Resource]) -> Tree | None:
    """Return the components of one tree with the number of resources in each.

    Returns:
        None where the run has no component of that tree.
    """
    everything = list(resources)
    by_urn = {one.urn: one for one in everything}
    children: dict[str, list[Resource]] = {}
    for one in everything:
        if one.parent is not None:
            children.setdefault(one.parent, []).append(one)
    for siblings in children.values():  # the engine registers them in parallel, in no fixed order
        siblings.sort(key=lambda one: (one.kind, one.name))
    roots = [
        one
        for one in everything
        if one.type.startswith(prefix)
        and not _is_ours(by_urn.get(one.parent or "") or Resource(urn="", type=""))
    ]
    if not roots:
        return None
    total = sum(_leaf_count(root, children) for root in roots)
    tree = Tree(f"[bold]{title}[/] [dim]{_counted('resource', total)}[/]")
    for root in roots:
        _grow(tree, root, children)
    return tree


def shown_path(path: Path) -> str:
    """Return a path as short as it is clear: relative to the repository when below it."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def _is_ours(resource: Resource) -> bool:
    return resource.type.startswith("llmp:")


def _leaf_count(resource: Resource, children: Mapping[str, list[Resource]]) -> int:
    below = sum(_leaf_count(child, children) for child in children.get(resource.urn, []))
    return below + (1 if resource.custom else 0)


def _grow(tree: Tree, component: Resource, children: Mapping[str, list[Resource]]) -> None:
    branch = tree.add(_component_line(component, children))
    inner = [child for child in children.get(component.urn, []) if not child.custom]
    folded = Counter(_shape(child, children) for child in inner)
    done: set[str] = set()
    for child in inner:
        shape = _shape(child, children)
        if folded[shape] < _FOLD_FROM:
            _grow(branch, child, children)
        elif shape not in done:
            done.add(shape)
            alike = [one for one in inner if _shape(one, children) == shape]
            marks = [_mark_of(one, children) for one in alike]
            common = marks[0] if len(set(marks)) == 1 else ""
            names = ", ".join(
                ("" if common else mark) + escape(one.name)
                for mark, one in zip(marks, alike, strict=True)
            )
            branch.add(
                f"{common}{len(alike)} x [bold]{escape(child.kind)}[/] "
                f"[dim]({_leaves(child, children)} each)[/] {names}"
            )


def _shape(component: Resource, children: Mapping[str, list[Resource]]) -> str:
    """Return what decides whether components look alike: their kind and content."""
    below = children.get(component.urn, [])
    nested = sorted(_shape(child, children) for child in below if not child.custom)
    leaves = sorted(child.kind for child in below if child.custom)
    return f"{component.kind}({';'.join(leaves)})[{';'.join(nested)}]"


def _component_line(component: Resource, children: Mapping[str, list[Resource]]) -> str:
    leaves = _leaves(component, children)
    content = f"  [dim]{leaves}[/]" if leaves else ""
    mark = _mark_of(component, children)
    return f"{mark}[bold]{escape(component.kind)}[/] {escape(component.name)}{content}"


def _mark_of(component: Resource, children: Mapping[str, list[Resource]]) -> str:
    """Return the marks of what is done to the resources of a component itself."""
    operations = {one.operation for one in children.get(component.urn, []) if one.custom}
    marks = [_MARKS[one] for one in _MARKS if one in operations]
    return "".join(f"[{colour}]{mark}[/] " for mark, colour in marks)


def _leaves(component: Resource, children: Mapping[str, list[Resource]]) -> str:
    kinds = Counter(
        leaf.kind
        for child in children.get(component.urn, [])
        if child.custom
        for leaf in _with_leaves_below(child, children)
    )
    return escape(
        ", ".join(kind if count == 1 else f"{count} x {kind}" for kind, count in kinds.items())
    )


def _with_leaves_below(
    resource: Resource, children: Mapping[str, list[Resource]]
) -> list[Resource]:
    below = [
        leaf
        for child in children.get(resource.urn, [])
        for leaf in _with_leaves_below(child, children)
    ]
    return [resource, *below]


def _applications_table(applications: Sequence[EmittedApplication]) -> Table:
    table = Table(
        title="Argo CD Applications, in the order they roll out",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    table.add_column("#", justify="right", style="dim")
    for name in ("name", "namespace", "version", "sync", "requires", "source"):
        table.add_column(name, overflow="fold")
    for one in applications:
        table.add_row(
            str(one.position),
            escape(one.name),
            escape(one.namespace),
            escape(_short_version(one.version)),
            one.sync,
            escape(", ".join(one.requires)) or "[dim]-[/]",
            f"[dim]{escape(_short_source(one.source))}[/]",
        )
    return table


def _short_source(source: str) -> str:
    """Return a source by what tells it apart: registry and chart, or git repository and path."""
    bare = source.removeprefix("https://")
    if "//" in bare:
        repository, _, path = bare.partition("//")
        return f"{repository.removesuffix('.git').rsplit('/', 1)[-1]}//{path}"
    host, _, rest = bare.partition("/")
    chart = rest.rsplit("/", 1)[-1]
    return f"{host}/{chart}" if rest == chart else f"{host}/…/{chart}"


def _short_version(version: str) -> str:
    """Return a git commit as people write it, and any other version as it is."""
    is_commit = len(version) == 40 and set(version) <= set("0123456789abcdef")  # noqa: PLR2004
    return version[:10] if is_commit else version


def _outputs_table(outputs: Mapping[str, Any]) -> Table:
    table = Table(
        title="Stack outputs",
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        pad_edge=False,
    )
    table.add_column("name")
    table.add_column("value", overflow="fold")
    for name, value in sorted(outputs.items()):
        if isinstance(value, Mapping):
            for key, inner in cast("Mapping[str, object]", value).items():
                if inner is None or inner in ({}, ""):
                    continue
                table.add_row(escape(f"{name}.{key}"), escape(_compact(inner)))
        else:
            table.add_row(escape(name), escape(_compact(value)))
    return table


def _print_cost(cost: Cost, console: Console) -> None:
    """Print the estimate: a line for each thing, the sums, and what is in neither."""
    table = Table(
        title=f"What it would cost for real: an estimate from list prices ({cost.source})",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    table.add_column("what", overflow="fold")
    for name in ("each/hour", "idle", "at max", "idle/hour", "max/hour", "idle/month", "max/month"):
        table.add_column(name, justify="right")
    table.add_column("", style="dim", overflow="fold")
    for line in cost.lines:
        table.add_row(escape(line.what), *_cost_cells(cost.sign, line), escape(line.note))
    hours = (cost.hourly_idle, cost.hourly_max)
    months = (cost.idle, cost.maximum)
    sums = [f"{cost.sign}{value:,.2f}" for value in (*hours, *months)]
    table.add_row("[bold]sum[/]", "", "", "", *(f"[bold]{value}[/]" for value in sums), "")
    console.print(table)
    for note in cost.notes:
        console.print(escape(note), style="dim")
    console.print(f"Not counted: {escape('; '.join(cost.not_counted))}.\n", style="dim")


def _cost_cells(sign: str, line: CostLine) -> list[str]:
    counts = [str(line.idle), str(line.maximum)]
    if line.each is None:
        return ["[yellow]unknown[/]", *counts, "?", "?", "?", "?"]
    hours = [line.hourly(line.idle), line.hourly(line.maximum)]
    sums = [*hours, *(value * HOURS_PER_MONTH for value in hours)]
    return [f"{sign}{line.each:,.4f}", *counts, *(f"{sign}{value:,.2f}" for value in sums)]


def _compact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _headline(run: Run) -> str:
    total = sum(run.operations.values())
    if not run.changed:
        would = "would change" if run.verb == "preview" else "changed"
        return f"[bold green]Nothing {would}:[/] {_counted('resource', total)}."
    counts = ", ".join(
        f"{count} {'to ' + name if run.verb == 'preview' else _DONE.get(name, name)}"
        for name, count in run.operations.items()
        if name != "same" or run.verb != "preview"
    )
    stack = escape(run.stack)
    return f"[bold green]Stack {stack}:[/] {_counted('resource', total)}: {counts}."


def _counted(noun: str, count: int) -> str:
    return f"{count} {escape(noun)}" + ("" if count == 1 else "s")


def _listed(names: Iterable[str]) -> str:
    return escape(", ".join(names))


def _print_step(console: Console, what: str, command: str, note: str = "") -> None:
    hint = f"  [dim]({escape(note)})[/]" if note else ""
    console.print(f"{what}:  [cyan]{escape(command)}[/]{hint}", soft_wrap=True)
