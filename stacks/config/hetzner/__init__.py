"""The `hetzner` section of a stack file, one module for each part of it."""

from stacks.config.hetzner.section import HetznerConfig

__all__ = ["HetznerConfig"]
