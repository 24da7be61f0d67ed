"""Builders of catalogue entries, one module a layer. Pure functions, no Pulumi."""
