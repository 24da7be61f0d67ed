"""The `gke` section of a stack file, one module for each part of it."""

from stacks.config.gke.section import GkeConfig

__all__ = ["GkeConfig"]
