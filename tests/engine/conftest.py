"""Stacks of the real program in the sandbox, brought up once for all tests of a file."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.project import REPOSITORY, Sandbox
from sandbox.records import Resource, Run
from sandbox.runner import Engine
from sandbox.stack_file import read_stack_file

Config = dict[str, Any]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests of this folder, with the reason, where there is no engine at all."""
    if "engine" in item.keywords and shutil.which("pulumi") is None:
        pytest.skip("there is no `pulumi` on PATH; `make test` brings one")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lab:
    """One stack in a sandbox of its own."""

    stack: str
    sandbox: Sandbox
    config: Config
    """Its config as committed."""

    def engine(self, config: Config | None = None) -> Engine:
        """Return the engine on the stack, with another config than the committed one if given."""
        return Engine(self.sandbox, self.stack, self.config if config is None else config)

    def journal(self) -> list[dict[str, Any]]:
        """Return what the providers did, in order."""
        path = self.sandbox.clouds(self.stack) / "journal.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def pulumi(self, *arguments: str) -> str:
        """Return what a pulumi command prints."""
        environment = self.sandbox.environment(self.stack)
        result = subprocess.run(
            ["pulumi", "--non-interactive", "--stack", self.stack, *arguments],
            cwd=self.sandbox.project(self.stack),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout


def committed_config(stack: str) -> Config:
    """Return the config of a committed stack file."""
    return read_stack_file(REPOSITORY / f"Pulumi.{stack}.yaml").config


def changed(config: Config, **sections: object) -> Config:
    """Return a config whose stack object has other sections."""
    copied = copy.deepcopy(config)
    copied["llmp:stack"].update(sections)
    return copied


def stack_object(config: Config) -> Config:
    """Return the stack object of a config."""
    return cast("Config", config["llmp:stack"])


def by_operation(run: Run) -> dict[str, list[Resource]]:
    """Return the resources of a run by what was done to them, without the unchanged ones."""
    found: dict[str, list[Resource]] = {}
    for resource in run.resources:
        if resource.operation != "same":
            found.setdefault(resource.operation, []).append(resource)
    return found


def lab_in(root: Path, stack: str) -> Lab:
    """Return a committed stack in a sandbox below a folder.

    Its charts are pinned: a commit that is made while the tests run would be a change.
    """
    config = committed_config(stack)
    stack_object(config)["platform"]["gitops"]["revision"] = "v1.0.0"
    return Lab(stack=stack, sandbox=Sandbox(root=root), config=config)


def run_sandbox(
    *arguments: str, root: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command line of the sandbox as a user does."""
    return subprocess.run(
        [os.environ.get("LLMP_PYTHON", "python"), "-m", "sandbox", *arguments, "--root", str(root)],
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
