"""Composition root of a stack of kind `existing`: the platform tree on a cluster that is there."""

import pulumi
import pulumi_kubernetes as kubernetes
from pydantic import ValidationError

from components.contract import SubstrateContract
from components.substrate.existing_cluster import ExistingCluster, ExistingClusterArgs
from stacks.config import ConfigError, ExistingStack, Problem
from stacks.config.rules import contract_problems
from stacks.contracts import argo_cd_sign_in, known_contract
from stacks.platform import deploy_platform, export_outputs


def deploy(stack: ExistingStack) -> None:
    """Build the platform tree, and export the contract.

    With `contract_from` the rest of the program waits for the other stack's output: what the
    contract says decides which resources exist, so it has to be plain data.
    """
    if stack.existing.contract_from is not None:
        reference = pulumi.StackReference(stack.existing.contract_from)
        pulumi.run(lambda: _deploy_on(stack, reference))
        return
    contract = known_contract(stack)
    if contract is not None:
        provider = kubernetes.Provider(
            "cluster",
            context=stack.existing.context,
            cluster_identifier=stack.existing.context,
        )
        _deploy(stack, contract, provider, install_argo_cd=stack.existing.install_argo_cd)


async def _deploy_on(stack: ExistingStack, reference: pulumi.StackReference) -> None:
    source = f"Pulumi.{pulumi.get_stack()}.yaml"
    output = await reference.get_output_details("substrate")
    contract = read_contract(output.value, str(stack.existing.contract_from), source)
    problems = contract_problems(stack, contract)
    if problems:
        raise pulumi.RunError(str(ConfigError(problems, source)))
    provider = kubernetes.Provider(
        "cluster",
        kubeconfig=reference.require_output("kubeconfig"),
        cluster_identifier=str(stack.existing.contract_from),
    )
    # The stack that made the cluster has installed Argo CD too.
    _deploy(stack, contract, provider, install_argo_cd=False)


def read_contract(value: object, reference: str, source: str) -> SubstrateContract:
    """Return the contract that another stack has exported.

    Raises:
        pulumi.RunError: there is no such output, or it is no contract of our version.
    """
    path = "existing.contract_from"
    try:
        return SubstrateContract.from_output(value)
    except ValidationError as error:
        if value is None:
            message = "the other stack has no output `substrate`"
            fix = "bring it up first, or correct the reference"
        else:
            places = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
            message = f"the other stack's output `substrate` is no contract of version 1: {places}"
            fix = "run both stacks from the same commit"
        problem = Problem(path=path, message=message, value=reference, fix=fix)
        raise pulumi.RunError(str(ConfigError([problem], source))) from error


def _deploy(
    stack: ExistingStack,
    contract: SubstrateContract,
    provider: kubernetes.Provider,
    *,
    install_argo_cd: bool,
) -> None:
    substrate = ExistingCluster(
        "substrate",
        ExistingClusterArgs(
            contract=contract,
            install_argo_cd=install_argo_cd,
            high_availability=stack.platform.tier == "prod",
            argo_cd_sign_in=argo_cd_sign_in(stack),
        ),
        opts=pulumi.ResourceOptions(providers=[provider]),
    )
    export_outputs(substrate.contract, None)
    deploy_platform(stack, contract, provider, [substrate])
