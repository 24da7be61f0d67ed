# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for `kubectl logs`.
"""Run GuideLLM against one model, print a table, and fail where an objective is missed.

GuideLLM 0.5 takes a key only as a header of the requests, and writes that header into its report.
So it gets the key by its environment, its console is off, and the report is read here and never
printed. Its share of errors leaves out the requests that were cut off when a step ended, which is
where the load that a model cannot carry goes; here they are counted.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
from typing import Any

GUIDELLM = "/opt/app-root/bin/guidellm"
WORDS = ("river", "stone", "cloud", "window", "garden", "letter", "engine", "market", "summer")


def prompts(settings: dict[str, Any], path: pathlib.Path) -> None:
    """Write the prompts: words in random order, so that no prefix cache answers for the model."""
    chance = random.Random(settings["seed"])  # noqa: S311 - load, not secrets
    with path.open("w") as out:
        for number in range(settings["prompts"]):
            words = " ".join(chance.choice(WORDS) for _ in range(settings["promptWords"]))
            row = {
                "prompt": f"Text {number}: {words}",
                "output_tokens_count": settings["outputTokens"],
            }
            out.write(json.dumps(row) + "\n")


def command(settings: dict[str, Any], folder: pathlib.Path) -> list[str]:
    """Return GuideLLM's arguments. The key is none of them: everybody on the node sees these."""
    return [
        os.environ.get("GUIDELLM", GUIDELLM),
        "benchmark",
        "run",
        f"--target={settings['target']}",
        f"--model={settings['model']}",
        f"--data={folder / 'prompts.jsonl'}",
        "--request-type=chat_completions",
        # A request to /health names no model, and the gateway has no route for that.
        '--backend-kwargs={"validate_backend": false}',
        "--profile=concurrent",
        "--rate=" + ",".join(str(step) for step in settings["concurrency"]),
        f"--max-seconds={settings['secondsPerStep']}",
        f"--random-seed={settings['seed']}",
        f"--output-dir={folder}",
        "--outputs=report.json",
        # All requests of all steps would be gigabytes.
        "--sample-requests=0",
        "--disable-console",
    ]


def environment(key: str) -> dict[str, str]:
    """Return the environment of GuideLLM, with the key as it takes it."""
    formatter = {"extras": {"headers": {"Authorization": f"Bearer {key}"}}}
    inherited = {name: value for name, value in os.environ.items() if name != "API_KEY"}
    return {**inherited, "GUIDELLM_REQUEST_FORMATTER_KWARGS": json.dumps(formatter)}


def percentile(metrics: dict[str, Any], name: str) -> float | None:
    """Return the 95th percentile of the requests that succeeded; None where none did."""
    found = metrics[name].get("successful")
    return None if not found or not found["count"] else float(found["percentiles"]["p95"])


def steps(report: dict[str, Any], concurrency: list[int]) -> list[dict[str, Any]]:
    """Return a row of numbers for each step of a report."""
    rows: list[dict[str, Any]] = []
    for requested, one in zip(concurrency, report["benchmarks"], strict=True):
        metrics = one["metrics"]
        totals = metrics["request_totals"]
        throughput: dict[str, Any] = metrics["output_tokens_per_second"].get("successful") or {}
        rows.append(
            {
                "concurrency": requested,
                "successful": totals["successful"],
                "incomplete": totals["incomplete"],
                "errored": totals["errored"],
                "tokens_per_second": throughput.get("mean"),
                "time_to_first_token_ms": percentile(metrics, "time_to_first_token_ms"),
                "inter_token_latency_ms": percentile(metrics, "inter_token_latency_ms"),
            }
        )
    return rows


def missed(settings: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Return what was not reached, in words; latencies count for the lowest step alone."""
    found = [
        f"{row['errored']} requests failed at {row['concurrency']} at once"
        for row in rows
        if row["errored"]
    ]
    lowest = min(rows, key=lambda row: row["concurrency"])
    total = lowest["successful"] + lowest["incomplete"] + lowest["errored"]
    # One that is cut off at the end of each stream is the way a step ends, and no failure.
    allowed = max(settings["mostIncomplete"] * total, lowest["concurrency"])
    if lowest["incomplete"] > allowed:
        found.append(f"{lowest['incomplete']} of {total} requests were cut off")
    for name, limit in (
        ("time_to_first_token_ms", settings["objectives"]["timeToFirstToken"]),
        ("inter_token_latency_ms", settings["objectives"]["interTokenLatency"]),
    ):
        value = lowest[name]
        if value is None:
            found.append(f"no request gave a {name}")
        elif value > limit:
            found.append(f"{name} p95 is {value:.1f}, and the objective is {limit}")
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text for the log."""
    heads = list(rows[0])
    lines = ["  ".join(heads)]
    for row in rows:
        cells = ["-" if row[head] is None else f"{row[head]:g}" for head in heads]
        lines.append(
            "  ".join(cell.rjust(len(head)) for cell, head in zip(cells, heads, strict=True))
        )
    return "\n".join(lines)


def redacted(text: str, key: str) -> str:
    """Return text without the key."""
    return text.replace(key, "[redacted]") if key else text


def main(settings_file: pathlib.Path, folder: pathlib.Path) -> int:
    """Run, print, and return the exit status: 1 for a missed objective, 2 for no result."""
    settings = json.loads(settings_file.read_text())
    key = os.environ["API_KEY"]
    prompts(settings, folder / "prompts.jsonl")
    done = subprocess.run(  # noqa: S603 - our own arguments
        command(settings, folder),
        env=environment(key),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    path = folder / "report.json"
    if done.returncode != 0 or not path.is_file():
        print(redacted(done.stdout[-4000:], key), file=sys.stderr, flush=True)
        print(f"GuideLLM ended with {done.returncode} and no report", file=sys.stderr, flush=True)
        return 2
    report = json.loads(path.read_text())
    path.unlink()
    rows = steps(report, list(settings["concurrency"]))
    print("----- BEGIN RESULT -----")
    print(json.dumps({"model": settings["model"], "steps": rows}))
    print(table(rows))
    print("----- END RESULT -----", flush=True)
    problems = missed(settings, rows)
    for problem in problems:
        print(f"MISSED: {problem}", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
