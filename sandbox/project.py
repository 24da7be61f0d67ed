"""The folder that a sandbox run lives in, and the environment that the engine gets.

Everything mutable stays below one root (`.llmp/sandbox` of the repository): the state of all stacks
(one backend, so that one stack can refer to another), the passphrase that encrypts it, and a folder
for each stack with its Pulumi project and its fake clouds. Stack files are only read: the engine
writes its salt into the one it is given, so it gets a copy.

The environment is a list of what may pass, not of what may not: no credential, kubeconfig or Pulumi
login of the user reaches the engine, the program or the providers.
"""

import contextlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from sandbox.errors import SandboxError

REPOSITORY: Final = Path(__file__).resolve().parents[1]
DEFAULT_ROOT: Final = REPOSITORY / ".llmp" / "sandbox"
POLICY_PACK: Final = REPOSITORY / "policies"

_PASSED_THROUGH: Final = frozenset(
    {
        "CI",
        "COLUMNS",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "NO_COLOR",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
    }
)
_PASSED_PREFIXES: Final = ("LC_", "LLMP_", "GIT_CONFIG")

_DUMMY_CREDENTIALS: Final = {
    # The real hcloud provider wants 64 characters (its own check of the token).
    "HCLOUD_TOKEN": "sandbox0" * 8,
    "GOOGLE_OAUTH_ACCESS_TOKEN": "sandbox",
    "GPU_SERVERS_SSH_KEY": "-----BEGIN PRIVATE KEY-----\nsandbox\n-----END PRIVATE KEY-----\n",
    "OBJECT_STORAGE_ACCESS_KEY": "sandbox-access-key",
    "OBJECT_STORAGE_SECRET_KEY": "sandbox-secret-key",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """Where sandbox stacks live. It owns the folder layout, not what the engine does in it."""

    root: Path = DEFAULT_ROOT
    """Folder of all mutable files; made when needed, readable by its owner alone."""
    repository: Path = REPOSITORY
    """Folder of the program: `__main__.py` and `Pulumi.yaml`."""

    @property
    def state(self) -> Path:
        """Folder of the state backend that all stacks share."""
        return self.root / "state"

    @property
    def passphrase_file(self) -> Path:
        """File of the generated passphrase that encrypts secrets in the state."""
        return self.root / "passphrase"

    def folder(self, stack: str) -> Path:
        """Return the folder of one stack."""
        return self.root / "stacks" / stack

    def project(self, stack: str) -> Path:
        """Return the folder of a stack's Pulumi project: its settings and its stack file."""
        return self.folder(stack) / "project"

    def clouds(self, stack: str) -> Path:
        """Return the folder where the providers keep what they made for a stack."""
        return self.folder(stack) / "clouds"

    def kubeconfig(self, stack: str) -> Path:
        """Return the kubeconfig of a stack: the clusters that were there before the stack."""
        return self.folder(stack) / "kubeconfig"

    def engine_log(self, stack: str) -> Path:
        """Return the file that holds all that the engine said in the last run."""
        return self.folder(stack) / "engine.log"

    def project_name(self) -> str:
        """Return the name of the Pulumi project."""
        return str(self._project_settings()["name"])

    def prepare(self, stack: str, config: Mapping[str, Any]) -> Path:
        """Write the Pulumi project of a stack and return its folder.

        Args:
            stack: name of the stack.
            config: the `config` mapping of its stack file.
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.state.mkdir(exist_ok=True)
        project = self.project(stack)
        project.mkdir(parents=True, exist_ok=True)
        self.clouds(stack).mkdir(exist_ok=True)
        if not self.passphrase_file.exists():
            _write_private(self.passphrase_file, secrets.token_urlsafe(32))
        settings = self._project_settings()
        settings["runtime"] = {"name": "python"}
        settings["main"] = str(self.repository)
        _write_yaml(project / "Pulumi.yaml", settings)
        stack_file = project / f"Pulumi.{stack}.yaml"
        kept = _read_mapping(stack_file) if stack_file.exists() else {}
        # The salt belongs to the state: a new one for every run would encrypt it anew each time.
        salt = {"encryptionsalt": kept["encryptionsalt"]} if "encryptionsalt" in kept else {}
        _write_yaml(stack_file, {**salt, "config": dict(config)})
        _write_yaml(self.kubeconfig(stack), _kubeconfig(_context_in(config)))
        return project

    def cluster_owner(self, config: Mapping[str, Any]) -> str | None:
        """Return the stack whose cluster a config refers to; None for a cluster of its own.

        Args:
            config: the `config` mapping of a stack file.
        """
        reference = _existing_in(config).get("contract_from")
        return reference.rsplit("/", 1)[-1] if isinstance(reference, str) else None

    def environment(self, stack: str, *, cluster_of: str | None = None) -> dict[str, str]:
        """Return the whole environment of the engine, the program and the providers.

        Args:
            stack: name of the stack.
            cluster_of: the stack that made the cluster, where that is another one.
        """
        passed = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_THROUGH or name.startswith(_PASSED_PREFIXES)
        }
        path = [
            str(REPOSITORY / "sandbox" / "bin"),
            str(POLICY_PACK / "bin"),
            str(Path(sys.prefix) / "bin"),
            os.environ.get("PATH", os.defpath),
        ]
        return {
            **passed,
            **_DUMMY_CREDENTIALS,
            "PATH": os.pathsep.join(path),
            # Client libraries look there instead of in the home folder.
            "KUBECONFIG": str(self.kubeconfig(stack)),
            "CLOUDSDK_CONFIG": str(self.folder(stack) / "no-gcloud"),
            "LLMP_PYTHON": sys.executable,
            "LLMP_SANDBOX_HOME": str(self.clouds(stack)),
            "LLMP_SANDBOX_CLUSTER_HOME": str(self.clouds(cluster_of or stack)),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase_file),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(self.root / "pulumi-home"),
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
        }

    def clear_dead_locks(self, stack: str) -> None:
        """Remove the locks on a stack whose engine is gone, as after a power cut.

        Raises:
            SandboxError: another run works on the stack right now.
        """
        locks = self.state / ".pulumi" / "locks"
        for lock in locks.glob(f"*/{self.project_name()}/{stack}/*.json"):
            try:
                pid = int(json.loads(lock.read_text())["pid"])
            except (OSError, ValueError, KeyError, TypeError):
                pid = 0
            if pid > 0 and _is_alive(pid):
                msg = (
                    f"another run (process {pid}) works on stack {stack!r} right now; "
                    "wait until it is done"
                )
                raise SandboxError(msg)
            lock.unlink(missing_ok=True)

    def reset(self, stack: str) -> bool:
        """Forget a stack: its state, its fake clouds and its project; return whether there was any.

        Raises:
            SandboxError: another run works on the stack right now.
        """
        self.clear_dead_locks(stack)
        project = self.project_name()
        pulumi = self.state / ".pulumi"
        found = [self.folder(stack)]
        found += (pulumi / "stacks" / project).glob(f"{stack}.json*")
        found += [pulumi / kind / project / stack for kind in ("history", "backups")]
        found += pulumi.glob(f"locks/*/{project}/{stack}")
        existing = [path for path in found if path.exists()]
        for path in existing:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        return bool(existing)

    def stacks(self) -> tuple[str, ...]:
        """Return the names of the stacks that have a folder here."""
        return tuple(sorted(path.name for path in (self.root / "stacks").glob("*/")))

    def _project_settings(self) -> dict[str, Any]:
        return _read_mapping(self.repository / "Pulumi.yaml")


def _context_in(config: Mapping[str, Any]) -> str | None:
    """Return the kubeconfig context that a stack on an existing cluster names."""
    context = _existing_in(config).get("context")
    return context if isinstance(context, str) else None


def _existing_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section of a stack on an existing cluster; empty where there is none."""
    stack = config.get("llmp:stack")
    existing = cast("dict[str, Any]", stack).get("existing") if isinstance(stack, dict) else None
    return cast("dict[str, Any]", existing) if isinstance(existing, dict) else {}


def _kubeconfig(context: str | None) -> dict[str, Any]:
    """Return a kubeconfig whose one context leads to an API server that nobody runs."""
    names = [] if context is None else [context]
    server = {"server": "https://127.0.0.1:6443"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server} for name in names],
        "users": [{"name": name, "user": {}} for name in names],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
    }


@contextlib.contextmanager
def engine_environment(environment: Mapping[str, str]) -> Generator[None, None, None]:
    """Run a block under exactly this environment: the Automation API hands on its own."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def _read_mapping(path: Path) -> dict[str, Any]:
    content: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
