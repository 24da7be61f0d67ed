# ruff: noqa: INP001, T201 - a script that is mounted alone, and prints for the kubelet's events.
"""Send a new engine its first request, so that no caller pays for what it compiles then.

The startup probe of the engine's container: a failure is tried again, and success ends it for good.
It runs inside the container because the key is there, and in Python because that is what the image
has. An engine that cannot complete text, such as one for embeddings, is warm when it says so.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Final

PROMPT: Final = "Hello"
TOKENS: Final = 8
"""Enough for a few decode steps behind the prefill."""
SECONDS: Final = 600
"""The kubelet ends the probe sooner; this only keeps a process from staying behind."""


def main(base: str, model: str) -> int:
    """Return 0 when the engine has answered a request, 1 when it is not ready for one."""
    try:
        with urllib.request.urlopen(f"{base}/health", timeout=5):  # noqa: S310 - localhost
            pass
        complete(base, model)
    except urllib.error.HTTPError as error:
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            print(f"not ready: {error}")
            return 1
        # It answers, and does not complete text.
        print(f"ready, without a first completion: {error}")
        return 0
    except OSError as error:
        print(f"not ready: {error}")
        return 1
    return 0


def complete(base: str, model: str) -> None:
    """Ask for a short completion and wait for it."""
    body = {"model": model, "prompt": PROMPT, "max_tokens": TOKENS, "temperature": 0}
    request = urllib.request.Request(  # noqa: S310 - localhost
        f"{base}/v1/completions",
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ['VLLM_API_KEY']}",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - localhost
        answer.read()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
