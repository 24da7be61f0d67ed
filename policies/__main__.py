"""The policy pack as the engine starts it; it serves until the engine is done."""

import sys
from pathlib import Path

# Python puts this folder first, and the package is in the one above.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from policies.analyzer import serve  # noqa: E402

if __name__ == "__main__":
    serve()
