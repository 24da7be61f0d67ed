"""One lab: a control plane, its nodes, Argo CD and its sources, for one stack."""

import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from components.contract import SubstrateContract
from lab.argo_cd import ArgoCd, argo_cd
from lab.client import Client
from lab.control_plane import CONTROLLER_MANAGER, SCHEDULER, ControlPlane, control_plane
from lab.definitions import install_definitions
from lab.nodes import create_nodes, nodes_of, runtime_classes, start_kwok, storage_classes
from lab.processes import LabError
from lab.rendering import ROOT
from lab.sources import Sources
from lab.stand_ins import COMPUTE_CLASS, SNAPSHOTS, kinds_in
from stacks.config import Stack
from stacks.contracts import known_contract

CHARTS: Final = ROOT / "charts"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lab:
    """A lab that runs.

    Attributes:
        plane: its control plane.
        argo_cd: its Argo CD.
        sources: where that takes charts from.
        stack: whose platform it is for.
        contract: what the stack's substrate promises.
    """

    plane: ControlPlane
    argo_cd: ArgoCd
    sources: Sources
    stack: Stack
    contract: SubstrateContract

    @property
    def client(self) -> Client:
        """A client with every right."""
        return self.plane.client


def contract_of(stack: Stack) -> SubstrateContract:
    """Return what the substrate of a stack promises.

    Raises:
        LabError: the contract is another stack's.
    """
    contract = known_contract(stack)
    if contract is None:
        raise LabError("the contract of this stack is another stack's; take that one's file")
    return contract


@contextmanager
def lab(stack: Stack, *, upstream: bool = False) -> Generator[Lab]:
    """Run a lab for a stack. Nothing of the platform is there yet.

    Args:
        stack: the checked stack.
        upstream: whether charts of others come from the network instead of stand-ins.

    Raises:
        LabError: the contract is another stack's, or a program ended or was not ready in time.
    """
    contract = contract_of(stack)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="llmp-lab-")))
        plane = running.enter_context(
            control_plane(folder, controllers=(CONTROLLER_MANAGER, SCHEDULER))
        )
        sources = running.enter_context(
            Sources(
                folder / "sources",
                plane.authority,
                stack.platform.gitops.repository,
                upstream=upstream,
                kinds=kinds_in(CHARTS),
            )
        )
        # A cluster brings these itself.
        install_definitions(plane.client, SNAPSHOTS)
        plane.client.apply(COMPUTE_CLASS, dry_run=False).json()
        start_kwok(plane)
        for one in (*storage_classes(contract), *runtime_classes(contract)):
            plane.client.apply(one, dry_run=False).json()
        create_nodes(plane, nodes_of(contract))
        running_argo_cd = running.enter_context(
            argo_cd(plane, contract, environment=sources.environment)
        )
        yield Lab(
            plane=plane,
            argo_cd=running_argo_cd,
            sources=sources,
            stack=stack,
            contract=contract,
        )
