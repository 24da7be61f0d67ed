"""Starts one stand-in provider: ``python -m sandbox.provider gcp``."""

import sys
from collections.abc import Callable

from sandbox.provider.package import Package
from sandbox.provider.rules import RulesError
from sandbox.provider.sdk_types import SdkShapeError
from sandbox.provider.server import serve


def _gcp() -> Package:
    from sandbox.provider.gcp import GcpPackage

    return GcpPackage()


def _hcloud() -> Package:
    from sandbox.provider.hcloud import HcloudPackage

    return HcloudPackage()


def _kubernetes() -> Package:
    from sandbox.provider.kubernetes import KubernetesPackage

    return KubernetesPackage()


def _random() -> Package:
    from sandbox.provider.random_values import RandomPackage

    return RandomPackage()


def _tls() -> Package:
    from sandbox.provider.tls import TlsPackage

    return TlsPackage()


def _command() -> Package:
    from sandbox.provider.command import CommandPackage

    return CommandPackage()


PACKAGES: dict[str, Callable[[], Package]] = {
    "command": _command,
    "gcp": _gcp,
    "hcloud": _hcloud,
    "kubernetes": _kubernetes,
    "random": _random,
    "tls": _tls,
}


def main() -> int:
    """Serve the package named by the first argument until the engine ends the process."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    make = PACKAGES.get(name)
    if make is None:
        print(f"no sandbox provider {name!r}; there are {', '.join(PACKAGES)}", file=sys.stderr)
        return 2
    try:
        package = make()
    except (RulesError, SdkShapeError) as error:
        print(str(error), file=sys.stderr)
        return 1
    serve(package, lambda port: print(port, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
