"""Checks stack files without an engine: `python -m stacks.check Pulumi.gke.yaml …`."""

import argparse
import json
import sys
from pathlib import Path

from stacks.config import ConfigError, load_stack_file


def main(arguments: list[str] | None = None) -> int:
    """Check each file and print all problems; return 2 if there was any, else 0."""
    parser = argparse.ArgumentParser(prog="python -m stacks.check", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    report: dict[str, list[dict[str, str | None]]] = {}
    texts: list[str] = []
    for file in options.files:
        try:
            load_stack_file(file)
            report[str(file)] = []
        except ConfigError as error:
            report[str(file)] = [problem.as_dict() for problem in error.problems]
            texts.append(str(error))
    if options.json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return 2 if texts else 0
    for file, problems in report.items():
        if not problems:
            sys.stdout.write(f"{file} is valid\n")
    if texts:
        sys.stderr.write("\n\n".join(texts) + "\n")
    return 2 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
