"""Prints what a stack hands to Argo CD, as YAML: `python -m stacks.render Pulumi.gke.yaml`.

Needs no engine, no cloud and no cluster: the catalogue is pure data. Rendered for two commits, it
shows what a change does to the cluster.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from components.contract import SubstrateContract
from components.platform import manifests as platform_manifests
from components.platform.apps import catalogue
from stacks.config import ConfigError, Problem, Stack, load_stack_file
from stacks.contracts import known_contract
from stacks.platform import platform_inputs
from stacks.revision import RevisionError, chart_revision


def manifests(stack: Stack, contract: SubstrateContract, revision: str) -> list[dict[str, Any]]:
    """Return the AppProjects and all Applications of a stack, in rollout order.

    Args:
        stack: the checked stack.
        contract: what its substrate promises.
        revision: git revision of our own charts.
    """
    entries = catalogue(platform_inputs(stack, contract, revision))
    return platform_manifests.manifests(entries, stack.platform.gitops.repository, revision)


def as_yaml(documents: list[dict[str, Any]]) -> str:
    """Return Kubernetes objects as a stream of YAML documents, keys in their own order."""
    return yaml.safe_dump_all(
        documents, sort_keys=False, explicit_start=True, allow_unicode=True, width=100
    )


def render(path: Path, revision: str | None = None) -> str:
    """Return what a stack file hands to Argo CD, as YAML.

    Args:
        path: a `Pulumi.<stack>.yaml`.
        revision: git revision of our own charts; None takes the file's, else the commit that is
            checked out.

    Raises:
        ConfigError: the file cannot be used, its platform is off, or its contract is another
            stack's.
        RevisionError: there is no revision.
    """
    stack = load_stack_file(path)
    if not stack.platform.enabled:
        problem = Problem(
            path="platform.enabled",
            message="the platform is another stack's, and this one hands nothing to Argo CD",
            value="false",
            fix="render the stack that builds the platform",
        )
        raise ConfigError([problem], str(path))
    contract = known_contract(stack)
    if contract is None:
        problem = Problem(
            path="existing.contract_from",
            message="the contract is another stack's, and only the engine can read it",
            fix="render a stack that has a contract of its own, or use `pulumi preview`",
        )
        raise ConfigError([problem], str(path))
    if revision is None:
        revision = chart_revision(stack.platform.gitops.revision)
    return as_yaml(manifests(stack, contract, revision))


def main(arguments: list[str] | None = None) -> int:
    """Print the objects of a stack file; return 2 where it cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m stacks.render", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--revision", help="git revision of the charts (default: as in `up`)")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(render(options.file, options.revision))
    except (ConfigError, RevisionError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
