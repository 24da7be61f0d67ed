"""A lab with a stack that keeps running, to look around in: `python -m lab up`."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import get_args

from components.platform.config import Profile
from lab.command_line import Progress, add_stack, stack_file, upstream
from lab.converge import bring_up
from lab.deployment import Deployment, plan
from lab.parts import PARTS, parse_parts, simulated_beside, started
from lab.rendering import load_stack
from lab.session import CHARTS, Lab, lab
from lab.simulated_controllers import SimulatedControllers
from lab.watch import ApplicationWatch, describe

LOOK_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m lab up", description=__doc__)
    add_stack(parser)
    parser.add_argument("--profile", choices=get_args(Profile), help="instead of the file's own")
    parser.add_argument(
        "--with",
        dest="parts",
        default="",
        metavar="PARTS",
        help=f"real ones of these, with commas between: {', '.join(PARTS)}",
    )
    options = parser.parse_args(arguments)
    parts = parse_parts(options.parts)
    stack = load_stack(stack_file(options), options.profile)
    with Progress("lab") as shown:
        shown.stage(f"starting {', '.join(('the control plane', 'Argo CD', *parts))}")
        with (
            lab(stack, upstream=upstream()) as running,
            started(running, parts) as addresses,
            SimulatedControllers(running.client, simulated_beside(parts)),
            ApplicationWatch(running.client) as watch,
        ):
            _tell(running, addresses, as_json=options.json)
            revision = running.sources.publish(CHARTS, "The working tree")
            wanted = plan(running.stack, running.contract, revision, running.sources)
            deployment = Deployment(running.client, watch, told=shown.update)
            problem = bring_up(deployment, wanted, watch, shown)
            shown.stage(problem or "all Applications are Synced and Healthy; Ctrl-C ends the lab")
            states = {name: describe(one) for name, one in watch.latest().items()}
            while True:
                watch.wait_change(LOOK_SECONDS)
                now = {name: describe(one) for name, one in watch.latest().items()}
                for name in sorted(now.keys() | states.keys()):
                    if now.get(name) != states.get(name):
                        shown.stage(f"{name}: {now.get(name, 'gone')}")
                states = now


def _tell(running: Lab, addresses: Mapping[str, str], *, as_json: bool) -> None:
    told = {
        "kubeconfig": str(running.plane.kubeconfig),
        "logs": str(running.plane.programs.folder),
        "requests": str(running.sources.request_log),
        **addresses,
    }
    if as_json:
        print(json.dumps(told), flush=True)
    else:
        print(f"export KUBECONFIG={told['kubeconfig']}", flush=True)
        print(f"# logs: {told['logs']}", flush=True)
        for name, address in addresses.items():
            print(f"# {name}: {address}", flush=True)
