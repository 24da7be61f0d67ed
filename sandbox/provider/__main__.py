"""Starts one stand-in provider: ``python -m sandbox.provider gcp``."""

import importlib
import sys
from typing import cast

from sandbox.provider.package import Package
from sandbox.provider.rules import RulesError
from sandbox.provider.sdk_types import SdkShapeError
from sandbox.provider.server import serve

# Only the module of the package that is served is imported: a provider has to start fast.
PACKAGES = {
    "command": ("sandbox.provider.command", "CommandPackage"),
    "gcp": ("sandbox.provider.gcp", "GcpPackage"),
    "hcloud": ("sandbox.provider.hcloud", "HcloudPackage"),
    "kubernetes": ("sandbox.provider.kubernetes", "KubernetesPackage"),
    "random": ("sandbox.provider.random_values", "RandomPackage"),
    "tls": ("sandbox.provider.tls", "TlsPackage"),
}


def package(name: str) -> Package:
    """Return the provider of a name in ``PACKAGES``.

    Raises:
        RulesError: its table can't be read.
        SdkShapeError: its SDK is not installed.
    """
    module, class_name = PACKAGES[name]
    return cast("Package", getattr(importlib.import_module(module), class_name)())


def main() -> int:
    """Serve the package named by the first argument until the engine ends the process."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in PACKAGES:
        print(f"no sandbox provider {name!r}; there are {', '.join(PACKAGES)}", file=sys.stderr)
        return 2
    try:
        served = package(name)
    except (RulesError, SdkShapeError) as error:
        print(str(error), file=sys.stderr)
        return 1
    serve(served, lambda port: print(port, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
