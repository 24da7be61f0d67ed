"""Stacks: the typed config of one deployment, and a composition root for each kind of substrate."""
