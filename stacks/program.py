"""Entry of the Pulumi program: from the config of the selected stack to its composition root."""

import pulumi

from stacks import existing, gke, hetzner
from stacks.config import ConfigError, ExistingStack, GkeStack, HetznerStack, Stack, parse_stack
from stacks.revision import RevisionError


def main() -> None:
    """Build the selected stack.

    Raises:
        pulumi.RunError: the config is wrong; the engine prints its message and no traceback.
    """
    try:
        deploy(load())
    except (ConfigError, RevisionError) as error:
        raise pulumi.RunError(str(error)) from error


def load() -> Stack:
    """Return the checked stack object of the selected stack.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    source = f"Pulumi.{pulumi.get_stack()}.yaml"
    return parse_stack(pulumi.Config("llmp").get_object("stack"), source)


def deploy(stack: Stack) -> None:
    """Build both trees of a stack and export its outputs."""
    match stack:
        case GkeStack():
            gke.deploy(stack)
        case HetznerStack():
            hetzner.deploy(stack)
        case ExistingStack():
            existing.deploy(stack)
