"""Writes all manifests of a stack for review: `python -m tools.render_manifests FILE --output DIR`.

A file for each Application as Argo CD gets it, and a folder with what its chart makes of its
values, by the real helm. Upstream charts come from their repositories; one that cannot be had is
told and makes the command fail, unless only our own charts were asked for. Definitions that Argo
CD takes from a git repository are named and not fetched.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from stacks.config import ConfigError
from stacks.render import render
from stacks.revision import RevisionError

ROOT: Final = Path(__file__).resolve().parent.parent
KUBERNETES: Final = "1.33.0"
"""Version that charts render for: the oldest that our substrates run."""
HELM_TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one Application.

    Attributes:
        application: Its name.
        source: Chart or path, and version.
        objects: How many objects its chart makes; None where it was not rendered.
        note: Why it was not rendered; empty where it was.
        failed: Whether it should have been rendered and could not.
    """

    application: str
    source: str
    objects: int | None
    note: str = ""
    failed: bool = False


def render_all(
    manifests: list[dict[str, Any]], folder: Path, *, own_only: bool
) -> Iterator[Outcome]:
    """Write every Application and what it makes; yield what became of each.

    Args:
        manifests: the AppProjects and the Applications, as `stacks.render` returns them.
        folder: where to write; it exists.
        own_only: leave upstream charts out.
    """
    for manifest in manifests:
        name = manifest["metadata"]["name"]
        _write(folder / f"{manifest['kind'].lower()}-{name}.yaml", [manifest])
        if manifest["kind"] == "Application":
            yield _render_one(manifest, folder / name, own_only=own_only)


def _render_one(application: Mapping[str, Any], folder: Path, *, own_only: bool) -> Outcome:
    spec = application["spec"]
    source, name = spec["source"], application["metadata"]["name"]
    what = f"{source['chart']} {source['targetRevision']}" if "chart" in source else source["path"]
    if "helm" not in source:
        return Outcome(application=name, source=what, objects=None, note="definitions, from git")
    if "chart" in source and own_only:
        return Outcome(application=name, source=what, objects=None, note="upstream, left out")
    command = [
        *("helm", "template", name, *_chart(source)),
        *(f"--namespace={spec['destination']['namespace']}", f"--kube-version={KUBERNETES}"),
        *("--include-crds", "--values", "-"),
    ]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(source["helm"]["valuesObject"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=HELM_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        note = f"no answer in {HELM_TIMEOUT_SECONDS} s"
        return Outcome(application=name, source=what, objects=None, note=note, failed=True)
    if done.returncode != 0:
        note = " ".join(done.stderr.partition("Error: ")[2].split()) or "helm said nothing"
        return Outcome(application=name, source=what, objects=None, note=note, failed=True)
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    folder.mkdir()
    _write(folder / "manifests.yaml", objects)
    return Outcome(application=name, source=what, objects=len(objects))


def _chart(source: Mapping[str, Any]) -> list[str]:
    """Return the arguments by which helm finds the chart that Argo CD is told of."""
    if "chart" not in source:
        return [str(ROOT / source["path"])]
    version = f"--version={source['targetRevision']}"
    if "://" in source["repoURL"]:
        return [source["chart"], f"--repo={source['repoURL']}", version]
    # Argo CD writes an OCI registry without a scheme.
    return [f"oci://{source['repoURL']}/{source['chart']}", version]


def _write(path: Path, documents: list[dict[str, Any]]) -> None:
    path.write_text(
        yaml.safe_dump_all(
            documents, sort_keys=False, explicit_start=True, allow_unicode=True, width=100
        ),
        encoding="utf-8",
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the manifests; return 0, 1 where a chart could not be rendered, 2 for a bad file."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.render_manifests", description="Write all manifests of a stack."
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--output", type=Path, required=True, help="folder, made anew")
    parser.add_argument(
        "--own-charts", action="store_true", help="render our own charts alone, with no network"
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    options = parser.parse_args(arguments)
    if shutil.which("helm") is None:
        sys.stderr.write("helm is not on PATH\nfix: `make render` builds it\n")
        return 2
    try:
        text = render(options.file)
    except (ConfigError, RevisionError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    folder: Path = options.output
    if folder.exists():
        # What is thrown away must be of an earlier run.
        if any(folder.iterdir()) and not any(folder.glob("appproject-*.yaml")):
            sys.stderr.write(f"{folder} holds other files\nfix: name a folder that is not there\n")
            return 2
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    console = Console(stderr=True)
    manifests = list(yaml.safe_load_all(text))
    outcomes = list(
        track(
            render_all(manifests, folder, own_only=options.own_charts),
            total=len(manifests) - 1,
            description="rendering",
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )
    failed = [one for one in outcomes if one.failed]
    if options.json:
        print(json.dumps([_as_json(one) for one in outcomes], indent=2))
    else:
        _show(outcomes, folder)
    if failed:
        console.print(
            f"{len(failed)} of {len(outcomes)} charts could not be rendered.\n"
            "fix: see the notes; --own-charts (OWN=1) leaves upstream charts out",
            style="red",
            highlight=False,
        )
        return 1
    return 0


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "application": outcome.application,
        "source": outcome.source,
        "objects": outcome.objects,
        "note": outcome.note,
        "failed": outcome.failed,
    }


def _show(outcomes: list[Outcome], folder: Path) -> None:
    table = Table("application", "source", "objects", "note", box=None, pad_edge=False)
    for one in outcomes:
        count = "" if one.objects is None else str(one.objects)
        table.add_row(one.application, one.source, count, one.note)
    console = Console()
    console.print(table)
    console.print(f"written to {folder}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
