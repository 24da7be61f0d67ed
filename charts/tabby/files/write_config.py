# ruff: noqa: INP001 - a script that is mounted alone.
"""Write Tabby's config with the key of its models in it, where no disk keeps it.

Reads the settings from a JSON file and the key from the environment. Tabby has no way to take a key
from elsewhere than its config, and reads that from its data folder alone: so the config is written
to a volume in memory, and the data folder gets a link to it. The data folder is one below the
volume's, because Tabby changes the mode of its own, and the volume's belongs to root.
"""

import json
import os
import pathlib
import sys
from typing import Any

Json = dict[str, Any]


def toml(settings: Json) -> str:
    """Return tables of texts and numbers as TOML, whose quoted texts are those of JSON."""
    tables = settings["tables"]
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        for name, table in tables.items()
    )


def with_key(settings: Json, key: str) -> Json:
    """Return the settings with the key in every table of a model."""
    tables: Json = settings["tables"]
    return {
        "tables": {
            name: {**table, "api_key": key} if name.endswith(".http") else table
            for name, table in tables.items()
        }
    }


def main(settings_file: str, config_file: str, data_folder: str) -> int:
    """Write the config and the link, and return the exit status."""
    settings: Json = json.loads(pathlib.Path(settings_file).read_text())
    config = pathlib.Path(config_file)
    descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(toml(with_key(settings, os.environ["MODELS_API_KEY"])))
    data = pathlib.Path(data_folder)
    data.mkdir(mode=0o700, exist_ok=True)
    link = data / "config.toml"
    link.unlink(missing_ok=True)
    link.symlink_to(config)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
