"""The stack file: what a user writes, checked before anything is created."""

from stacks.config.document import CONFIG_KEY
from stacks.config.loading import load_stack_file, parse_stack
from stacks.config.problems import ConfigError, Problem
from stacks.config.stack import ExistingStack, GkeStack, HetznerStack, SecretsConfig, Stack

__all__ = [
    "CONFIG_KEY",
    "ConfigError",
    "ExistingStack",
    "GkeStack",
    "HetznerStack",
    "Problem",
    "SecretsConfig",
    "Stack",
    "load_stack_file",
    "parse_stack",
]
